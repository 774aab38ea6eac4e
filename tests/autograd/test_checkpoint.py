"""Checkpoints: the same numbers as without, from one node."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Graph, Tensor
from tinygrad_nn.autograd import is_recording
from tinygrad_nn.errors import ShapeError, TinygradNNError


def leaf(data=(0.3, 0.7, -1.2)):
    return Tensor(np.array(data, dtype=np.float64), requires_grad=True)


def block(x):
    return np.tanh(np.sin(x) * x + np.exp(-x)) * x[::-1]


X, T = np.array([0.3, 0.7, -1.2]), np.array([1.0, -0.5, 2.0])

# --- the same values, to every order ----------------------------------------------------------

TRANSFORMS = {
    "value": lambda f: f(X),
    "grad": lambda f: tnn.grad(lambda x: f(x).sum())(X),
    "vjp": lambda f: tnn.vjp(f, X)[1](T)[0],
    "jvp": lambda f: tnn.jvp(f, X, T)[1],
    "jacobian": lambda f: tnn.jacobian(f)(X),
    "hvp": lambda f: tnn.hvp(lambda x: f(x) @ T, X, T),
    "hessian": lambda f: tnn.hessian(lambda x: f(x) @ T)(X),
    "jvp of jvp": lambda f: tnn.jvp(lambda x: tnn.jvp(f, x, T)[1], X, T)[1],
    "jacobian of jacobian": lambda f: tnn.jacobian(tnn.jacobian(f))(X),
    "third": lambda f: tnn.jacobian(tnn.hessian(lambda x: f(x) @ T))(X),
    "hvp of grad of jvp": lambda f: tnn.hvp(
        lambda x: np.sum(tnn.grad(lambda y: tnn.jvp(f, y, T)[1] @ T)(x) * T), X, T
    ),
    "elementwise": lambda f: tnn.elementwise_grad(lambda x: f(x) + f(x)[::-1])(X),
    "in a container": lambda f: tnn.grad(lambda p: f(p["x"][0]) @ T)({"x": [X]})["x"][0],
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_gives_what_it_gives_without(name):
    expected = TRANSFORMS[name](block)
    nested = tnn.checkpoint(lambda x: tnn.checkpoint(tnn.checkpoint(np.sin))(x) * x)
    for checkpointed in (
        tnn.checkpoint(block),
        lambda x: np.tanh(nested(x) + tnn.checkpoint(np.exp)(-x)) * x[::-1],
        tnn.checkpoint(lambda x: np.tanh(nested(x) + np.exp(-x)) * x[::-1]),
    ):
        found = TRANSFORMS[name](checkpointed)
        assert type(found) is np.ndarray
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)


def test_backward_and_repeated_backward_give_the_same_gradients(rng):
    x, w = leaf(), leaf(rng.normal(size=(3, 3)))
    g, found = rng.normal(size=3), []
    for wrap in (lambda f: f, tnn.checkpoint):
        x.grad = w.grad = None
        layer = wrap(lambda x: np.tanh(w @ x) + block(x) * w[0])
        y = layer(layer(x))
        y.backward(g)
        with tnn.no_grad():
            y.backward(g)
        found.append((y.numpy(), x.grad.numpy(), w.grad.numpy()))
    for plain, checkpointed in zip(*found, strict=True):
        np.testing.assert_allclose(checkpointed, plain, rtol=1e-13)


def test_a_checkpoint_is_one_node_and_looks_like_its_function():
    def named(x):
        """What it says."""
        return np.sin(np.cos(x) * 2)

    x = leaf()
    with tnn.scope("encoder"):
        y = tnn.checkpoint(named)(x)
    assert len(Graph([y])) == 2
    assert y._node.scope == ("encoder",)
    assert y._node.source.function == "test_a_checkpoint_is_one_node_and_looks_like_its_function"
    assert tnn.checkpoint(named).__name__ == "named"
    assert tnn.checkpoint(named).__doc__ == "What it says."


def test_what_needs_no_gradient_is_only_computed():
    f = tnn.checkpoint(lambda x: np.sin(x) * 2)
    assert type(f(X)) is np.ndarray
    np.testing.assert_array_equal(f(X), np.sin(X) * 2)
    assert not f(Tensor(X)).requires_grad
    with tnn.no_grad():
        y = f(leaf())
    assert not y.requires_grad
    np.testing.assert_array_equal(y.numpy(), np.sin(X) * 2)


def test_no_grad_inside_a_checkpoint_makes_constants():
    def f(x):
        with tnn.no_grad():
            held = x * 2
        assert is_recording()
        return held * x

    assert tnn.grad(tnn.checkpoint(f))(3.0) == tnn.grad(f)(3.0) == 6


# --- what it is given, what it closes over, what it returns -----------------------------------


def test_parameters_that_a_layer_closes_over_get_their_gradients(rng):
    model = tnn.nn.Sequential(
        tnn.nn.Dense(3, 4, rng=0), tnn.activations.tanh, tnn.nn.Dense(4, 2, rng=1)
    )
    x, found = rng.normal(size=(5, 3)), []
    for f in (model, tnn.checkpoint(model)):
        for p in model.parameters():
            p.grad = None
        np.sum(f(x) ** 2).backward()
        found.append([p.grad.numpy() for p in model.parameters()])
    for plain, checkpointed in zip(*found, strict=True):
        np.testing.assert_allclose(checkpointed, plain, rtol=1e-13)


def test_what_is_closed_over_may_be_computed_returned_or_all_there_is():
    x, w = leaf([2.0, 3.0]), leaf([5.0, 7.0])
    between = x * w
    tnn.checkpoint(lambda x: x * between)(x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * x.numpy() * w.numpy())
    np.testing.assert_array_equal(w.grad.numpy(), x.numpy() ** 2)
    w.grad = None
    tnn.checkpoint(lambda: w**3)().sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), 3 * w.numpy() ** 2)
    for returned in (lambda x: x, lambda x: w, lambda x: (x, w, x, w * x)[2]):
        x.grad = w.grad = None
        tnn.checkpoint(returned)(x).sum().backward()
        collected = w if returned(x) is w else x
        np.testing.assert_array_equal(collected.grad.numpy(), [1, 1])


@pytest.mark.parametrize(
    ("f", "at", "expected"),
    [
        (lambda a: tnn.grad(lambda b: tnn.checkpoint(lambda c: a * a * c**3)(b))(2.0), 3.0, 72.0),
        (lambda a: tnn.checkpoint(lambda b: tnn.grad(lambda c: a * b * c**3)(b))(a), 2.0, 96.0),
        (lambda a: tnn.jvp(lambda b: tnn.checkpoint(lambda: a * b**2)(), 3.0, a)[1], 2.0, 24.0),
        (lambda a: tnn.grad(lambda p: tnn.checkpoint(lambda q: a * q["b"] ** 2)(p))({"b": a})["b"],
         3.0, 12.0),
        (lambda a: tnn.hvp(tnn.checkpoint(lambda b: a * b**3), 2.0, a), 5.0, 120.0),
    ],
)  # fmt: skip
def test_outer_traced_values_reach_into_checkpoints_without_confusion(f, at, expected):
    for derivative in (tnn.grad(f)(at), tnn.jvp(f, at, 1.0)[1], tnn.jacobian(f)(at)):
        assert derivative == pytest.approx(expected, rel=1e-12)


def test_containers_keywords_and_static_arguments_go_in_and_containers_come_out():
    def f(p, x, axis=0, *, names=("a",), scale):
        assert names == ("a", "b")
        y = np.sum(p["w"] * x, axis=axis) * scale["by"][0]
        return {"y": y, "also": [x * y, (None, "text", 3)], "truth": y > 0, "index": np.argmax(y)}

    def loss(p, x, wrap):
        out = wrap(f)(p, x, 1, names=("a", "b"), scale={"by": [p["s"], None]})
        assert list(out) == ["y", "also", "truth", "index"]
        assert out["also"][1] == (None, "text", 3)
        assert out["truth"].dtype == bool
        return np.sum(out["y"] ** 2) + np.sum(out["also"][0] * [[1.0, 2.0], [3.0, 4.0]])

    p, x = {"w": np.array([[1.0, 2.0], [3.0, 4.0]]), "s": 0.5}, np.array([[0.3, 0.1], [0.2, 0.7]])
    for position in (0, 1):
        expected = tnn.grad(loss, position)(p, x, lambda f: f)
        found = tnn.grad(loss, position)(p, x, tnn.checkpoint)
        for name in expected if position == 0 else [...]:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-13)


def test_outputs_of_several_dtypes_and_the_same_output_twice():
    def f(x):
        y = x * 3
        return y, y, x.astype(np.float32), np.sum(x).astype(np.longdouble)

    x = leaf([1.0, 2.0])
    a, b, low, high = tnn.checkpoint(f)(x)
    assert [t.dtype for t in (a, b, low, high)] == [np.float64] * 2 + [np.float32, np.longdouble]
    (np.sum(a * b) + low.sum().astype(float) * 10 + high.astype(float) * 100).backward()
    np.testing.assert_allclose(x.grad.numpy(), 18 * x.numpy() + 110)


def test_unselected_branches_stay_silent_through_a_checkpoint():
    x = np.array([0.0, 4.0])
    inside = tnn.checkpoint(lambda x: np.where(x > 0, np.sqrt(x), 0.0))
    np.testing.assert_array_equal(tnn.grad(lambda x: inside(x).sum())(x), [0, 0.25])
    outside = lambda x: np.where(x > 0, tnn.checkpoint(np.sqrt)(x), 0.0).sum()
    np.testing.assert_array_equal(tnn.grad(outside)(x), [0, 0.25])


def test_an_error_inside_is_the_functions_own_and_leaves_recording_on():
    with pytest.raises(ShapeError, match="matmul"):
        tnn.checkpoint(lambda x: x @ np.ones(5))(leaf())
    assert is_recording()
    with pytest.raises((TinygradNNError, TypeError)):
        tnn.checkpoint(3)(leaf())


# --- memory -----------------------------------------------------------------------------------


def test_memory_falls_at_least_threefold():
    def work(x):
        for _ in range(10):
            x = np.sin(x) * 1.1
        return x

    def peak(f):
        x = y = Tensor(np.ones(20_000), requires_grad=True)
        tracemalloc.start()
        for _ in range(10):
            y = f(y)
        y.sum().backward()
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used, x.grad.numpy()

    (much, expected), (little, found) = peak(work), peak(tnn.checkpoint(work))
    assert much > 3 * little
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("f", [np.sin, lambda x: (np.sin(x), {"a": x * 2})])
def test_a_checkpoint_dies_with_its_last_handle(f):
    def build():
        y = tnn.checkpoint(f)(leaf())
        y = y if isinstance(y, Tensor) else y[0] * y[1]["a"]
        y.sum().backward()
        return [weakref.ref(made) for made in (y, y._node.value)]

    build()
    gc.collect()
    gc.disable()
    try:
        assert all(reference() is None for reference in build())
        assert gc.collect() == 0
    finally:
        gc.enable()
