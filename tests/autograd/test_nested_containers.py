"""Transforms within transforms whose inputs are containers, and misuse of containers."""

from collections import namedtuple

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.errors import (
    ArgumentError,
    DtypeError,
    GradientError,
    ShapeError,
    TinygradNNError,
)

Pair = namedtuple("Pair", "u v")

# --- perturbations are not confused -----------------------------------------------------------

# Each is a function of a scalar x, a point, and its derivative there, worked out by hand.
NESTED = {
    "inner container closes over": (
        lambda x: x * tnn.grad(lambda p: x + p["y"])({"y": 1.0})["y"], 2.0, 1.0,
    ),
    "outer value in the container": (
        lambda x: tnn.grad(lambda p: p[0] * p[1] ** 2)([x, 3.0])[1], 5.0, 6.0,
    ),
    "outer value twice": (
        lambda x: tnn.grad(lambda p: p.u * p.v**2)(Pair(x, x)).v, 5.0, 4 * 5.0,
    ),
    "outer value in it and around it": (
        lambda x: x * tnn.grad(lambda p: x * p["a"] * p["b"][0])({"a": x, "b": [2.0]})["a"],
        3.0, 4 * 3.0,
    ),
    "unused inner": (lambda x: x * tnn.grad(lambda p: x)((1.0, 2.0))[0] + x, 3.0, 1.0),
    "constant inner": (lambda x: x * tnn.grad(lambda p: p[0] ** 2)([4.0])[0], 3.0, 8.0),
    "jvp at outer along outer": (
        lambda x: tnn.jvp(lambda p: p["a"] ** 2 * p["b"], ({"a": x, "b": 3.0},),
                          ({"a": x, "b": x},))[1],
        2.0, 12 * 2.0 + 3 * 2.0**2,
    ),
    "vjp with an outer cotangent": (
        lambda x: tnn.vjp(lambda y: {"a": y**2, "b": [x * y]}, 3.0)[1]({"a": x, "b": [x]})[0],
        5.0, 6.0 + 2 * 5.0,
    ),
    "hvp along outer": (
        lambda x: tnn.hvp(lambda p: x * p[0] ** 3 * p[1], ([2.0, 1.0],), ([x, 0.0],))[0],
        5.0, 12 * 2 * 5.0,
    ),
    "hessian block": (
        lambda x: tnn.hessian(lambda p: x * p["a"] ** 2 * p["b"])({"a": 2.0, "b": x})["a"]["b"],
        5.0, 4.0,
    ),
    "jacobian of an outer container": (
        lambda x: tnn.jacobian(lambda y: {"k": x * x * y})(1.0)["k"], 3.0, 6.0,
    ),
    "elementwise_grad": (
        lambda x: tnn.elementwise_grad(lambda p: p[0] ** 2 * p[1])((x, x))[0], 3.0, 4 * 3.0,
    ),
    "three deep": (
        lambda x: tnn.grad(
            lambda p: tnn.grad(lambda q: x * p["y"] * p["y"] * q[0] ** 3)([p["y"]])[0]
        )({"y": x})["y"],
        2.0, 48 * 2.0**3,
    ),
    "grad in jvp in jacobian": (
        lambda x: tnn.jacobian(
            lambda p: tnn.jvp(
                lambda q: tnn.grad(lambda r: r["z"] ** 3 * q[0] * x)({"z": q[0]})["z"],
                ([p[0]],), ([1.0],),
            )[1]
        )([x])[0],
        # ∂/∂z z³·q·x is 3·q³·x at z = q, its slope 9·q²·x; by p that is 18·p·x, and p is x.
        2.0, 18 * 2.0**2,
    ),
    "two levels in one container": (
        lambda x: tnn.grad(lambda y: tnn.grad(lambda p: p[0] * p[1] * p[2] ** 2)([x, y, x])[2])(
            3.0
        ),
        2.0, 4 * 2.0,
    ),
    "a container rebuilt inside": (
        lambda x: tnn.grad(lambda p: {k: v * x for k, v in p.items()}["a"] ** 2)({"a": 3.0})["a"],
        2.0, 4 * 3 * 2.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NESTED)
def test_nested_perturbations_in_containers_are_not_confused(name):
    f, at, expected = NESTED[name]
    found = {
        "grad": tnn.grad(f)(at),
        "of a container": tnn.grad(lambda p: f(p["x"][0]))({"x": (at, None)})["x"][0],
        "jvp": tnn.jvp(f, (at,), (1.0,))[1],
        "jvp of a container": tnn.jvp(lambda p: f(p[0]), ([at],), ([1.0],))[1],
        "vjp": tnn.vjp(lambda x: [f(x), None], at)[1]([1.0, None])[0],
        "jacobian": tnn.jacobian(lambda x: Pair(f(x), x))(at).u,
        "elementwise": tnn.elementwise_grad(f)(at),
    }
    for value in found.values():
        assert type(value) is np.ndarray
    assert found == {how: pytest.approx(expected, rel=1e-12) for how in found}


def test_a_parameter_in_a_container_outside_keeps_its_gradient():
    w = Tensor([1.0, 2.0], requires_grad=True)
    found = tnn.grad(lambda p: np.sum(p["w"] * p["x"] ** 2))({"w": w, "x": np.array([3.0, 4.0])})
    assert all(isinstance(g, Tensor) for g in found.values())
    found["x"].sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), [6, 8])
    model = {"layers": [w, None], "x": 3.0}
    gradient = tnn.grad(lambda p: np.sum(p["layers"][0] ** 3) * p["x"])(model)
    np.testing.assert_array_equal(gradient["layers"][0].numpy(), 9 * w.numpy() ** 2)
    np.testing.assert_array_equal(w.grad.numpy(), [6, 8])  # a transform adds to nobody's .grad


def test_training_by_containers_is_training_by_tensors(rng):
    x, y = rng.normal(size=(5, 3)), rng.normal(size=5)
    start = rng.normal(size=3)
    loss = lambda p: np.mean((x @ p["w"] + p["b"] - y) ** 2)
    p = {"w": start, "b": np.array(0.0)}
    w, b = Tensor(start, requires_grad=True), Tensor(0.0, requires_grad=True)
    for _ in range(5):
        g = tnn.grad(loss)(p)
        p = {name: p[name] - 0.1 * g[name] for name in p}
        w.grad = b.grad = None
        loss({"w": w, "b": b}).backward()
        with tnn.no_grad():
            w -= 0.1 * w.grad
            b -= 0.1 * b.grad
    np.testing.assert_allclose(w.numpy(), p["w"], rtol=1e-13)
    np.testing.assert_allclose(b.numpy(), p["b"], rtol=1e-13)


# --- containers belong to whoever made them ---------------------------------------------------


def test_a_function_may_change_the_container_that_it_is_given():
    def f(p):
        p["a"] = p["a"] * 2
        p["list"].append(p["a"])
        return p.pop("b") * p["list"][1]

    p = {"a": 3.0, "b": 5.0, "list": [1.0]}
    assert tnn.grad(f)(p) == {"a": 10.0, "b": 6.0, "list": [0.0]}
    assert p == {"a": 3.0, "b": 5.0, "list": [1.0]}


def test_one_array_in_two_places_has_two_gradients():
    a = np.array([1.0, 2.0])
    first, second = tnn.grad(lambda p: np.sum(p[0] * p[0] * p[1]))([a, a])
    np.testing.assert_array_equal(first, 2 * a * a)
    np.testing.assert_array_equal(second, a * a)
    first[:] = np.nan
    np.testing.assert_array_equal(second, [1, 4])
    np.testing.assert_array_equal(a, [1, 2])


def test_the_order_of_names_does_not_matter():
    f = lambda p: p["a"] + 100 * p["b"]
    assert tnn.jvp(f, ({"a": 1.0, "b": 2.0},), ({"b": 10.0, "a": 1.0},))[1] == 1001
    pullback = tnn.vjp(lambda x: {"a": x, "b": 2 * x}, 1.0)[1]
    assert pullback({"b": 10.0, "a": 1.0}) == (21.0,)


def test_a_list_stands_for_a_tuple_and_for_an_array_but_not_for_other_lengths():
    _, pullback = tnn.vjp(lambda x: (x.sum(), x), np.ones(2))
    np.testing.assert_array_equal(pullback([1.0, [2.0, 3.0]])[0], [3, 4])
    assert tnn.jvp(lambda p: p[0] * p[1], ((2.0, 3.0),), ([1.0, 1.0],))[1] == 5


# --- misuse -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: tnn.grad(lambda p: p["a"])({"a": 1}), DtypeError, "floating"),
        (lambda: tnn.grad(lambda p: p["a"])({"a": 1.0, "n": 3}), DtypeError, "int64"),
        (lambda: tnn.grad(lambda p: p[0])([1.0, [None, True]]), DtypeError, "bool"),
        (lambda: tnn.grad(lambda p: p[0])([1.0, "relu"]), DtypeError, "<U4"),
        (lambda: tnn.hessian(lambda p: p[0])([1.0, 2j]), DtypeError, "complex"),
        (lambda: tnn.grad(lambda x: {"loss": x})(1.0), GradientError, "dict"),
        (lambda: tnn.grad(lambda x: [x])(1.0), GradientError, "list"),
        (lambda: tnn.value_and_grad(lambda x: (x, 1))([1.0]), GradientError, "tuple"),
        (lambda: tnn.grad(lambda x: None)({"a": 1.0}), GradientError, "None"),
        (lambda: tnn.hvp(lambda p: [p[0]], ([1.0],), ([1.0],)), GradientError, "list"),
        (lambda: tnn.hessian(lambda p: {"a": p})(1.0), GradientError, "dict"),
        (lambda: tnn.elementwise_grad(lambda x: (x, x))(1.0), GradientError, "tuple"),
        (lambda: tnn.jacobian(lambda x: [x, "a"])(1.0), GradientError, "str"),
        (lambda: tnn.jacobian(lambda x: {x})(1.0), GradientError, "set"),
        (lambda: tnn.grad(lambda p: p[0])([np.ones(2)]), ShapeError, "scalar"),
        (lambda: tnn.jvp(lambda p: p[0], ([1.0],), ([np.ones(2)],)), ShapeError, r"\(2,\)"),
        (lambda: tnn.vjp(lambda x: [x], np.ones(2))[1]([1.0]), ShapeError, r"\(2,\)"),
    ],
)  # fmt: skip
def test_misuse_is_explained(call, kind, said):
    with pytest.raises(kind, match=said):
        call()


TWO = lambda x: {"a": x, "b": [x, None]}


@pytest.mark.parametrize(
    "other",
    [
        {"a": 1.0}, {"a": 1.0, "b": [1.0]}, {"a": 1.0, "b": [1.0, 2.0]}, [1.0, [1.0, None]],
        {"a": 1.0, "b": 1.0}, {"a": 1.0, "b": None}, {"a": [1.0], "b": [1.0, None]},
        {"a": 1.0, "c": [1.0, None]},
        {"a": None, "b": [1.0, None]}, {"a": {}, "b": [1.0, None]}, None, 1.0, "ab", {}, (),
        {"a": 1.0, "b": [1.0, None], "c": 2.0}, {"a": 1.0, "b": {0: 1.0, 1: None}},
        {"a": 1.0, "b": np.ones(2)}, {"a": "x", "b": [1.0, None]}, {"a": 1j, "b": [1.0, None]},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Casting complex")
def test_a_container_that_does_not_match_is_refused_by_an_error_of_the_package(other):
    with pytest.raises(TinygradNNError):
        tnn.vjp(TWO, 1.0)[1](other)
    with pytest.raises(TinygradNNError):
        tnn.jvp(lambda p: p["a"] * p["b"][0], (TWO(2.0),), (other,))
    with pytest.raises(TinygradNNError):
        tnn.hvp(lambda p: p["a"] * p["b"][0], (TWO(2.0),), (other,))


def test_a_mismatch_says_what_was_expected_and_what_came():
    with pytest.raises(ArgumentError, match=r"vjp: .*dict of 'a', 'b'; got a list of 2"):
        tnn.vjp(TWO, 1.0)[1]([1.0, 2.0])
    with pytest.raises(ArgumentError, match=r"jvp: .*tuple of 2; got a tuple of 1"):
        tnn.jvp(lambda p: p[0], ((1.0, 2.0),), ((1.0,),))
    for transform in (tnn.jvp, tnn.hvp):
        with pytest.raises(ArgumentError, match="one tangent for each"):
            transform(lambda a, b: a * b, ({"a": 1.0}, 2.0), ({"a": 1.0},))
