"""Tuples, lists and dicts of arrays as arguments and outputs of every transform."""

from collections import OrderedDict, defaultdict, namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_nn as tnn
from tinygrad_nn.errors import ShapeError

Layer = namedtuple("Layer", "w b")


def flat(tree):
    """The leaves of a container in one vector, in the order in which it is read."""
    if tree is None:
        return []
    if isinstance(tree, (list, tuple, dict)):
        items = tree.values() if isinstance(tree, dict) else tree
        return [leaf for item in items for leaf in flat(item)]
    return [tree]


def vector(tree):
    return np.concatenate([np.ravel(leaf) for leaf in flat(tree)] or [np.zeros(0)])


def refilled(tree, numbers):
    """The same container with its numbers taken from a vector, which may be traced."""
    position = 0

    def fill(item):
        nonlocal position
        if item is None:
            return None
        if isinstance(item, dict):
            return {key: fill(part) for key, part in item.items()}
        if hasattr(item, "_fields"):
            return type(item)(*map(fill, item))
        if isinstance(item, (list, tuple)):
            return type(item)(map(fill, item))
        start, position = position, position + np.size(item)
        return np.reshape(numbers[start:position], np.shape(item))

    return fill(tree)


def assert_same_tree(actual, expected, **close):
    """The same containers, holding plain arrays of the same shapes and numbers."""
    assert type(actual) is (type(expected) if is_tree(expected) else np.ndarray)
    if isinstance(expected, dict):
        assert list(actual) == list(expected)
        for key in expected:
            assert_same_tree(actual[key], expected[key], **close)
    elif is_tree(expected) and expected is not None:
        assert len(actual) == len(expected)
        for a, e in zip(actual, expected, strict=True):
            assert_same_tree(a, e, **close)
    elif expected is not None:
        assert actual.shape == np.shape(expected)
        np.testing.assert_allclose(actual, expected, **{"rtol": 1e-10, "atol": 1e-10} | close)


def is_tree(value):
    return value is None or isinstance(value, (list, tuple, dict))


def mixing(tree):
    """A scalar function that couples all leaves, differently by place, to every order."""
    total = 1.0
    for i, leaf in enumerate(flat(tree)):
        total = total + np.sum(np.sin(leaf * (i + 1.5))) * np.exp(-0.1 * total)
    return total * total


# --- every container, every transform ---------------------------------------------------------

W, B = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([0.25, -1.5])
TREES = {
    "tuple": (W, B),
    "list": [W, B],
    "dict": {"w": W, "b": B},
    "namedtuple": Layer(W, B),
    "OrderedDict": OrderedDict(w=W, b=B),
    "defaultdict": defaultdict(list, w=W, b=B),
    "nested": {"layers": [Layer(W, B), (B, {"scale": 2.0})], 7: (W[0],)},
    "None inside": [None, W, {"bias": None, "b": B}],
    "numbers": [1.5, (2, 3.5)[1:], np.float64(0.5)],
    "empty parts": ([], W, {}, (), np.zeros((0, 2)), B),
    "one": [W],
    "float32": {"w": W.astype(np.float32), "b": B},
}


@pytest.mark.parametrize("name", TREES)
def test_every_transform_arranges_its_results_as_the_argument(name, rng):
    tree = TREES[name]
    x = vector(tree)
    t = rng.normal(size=x.shape)
    low = "float32" in name
    close = {"rtol": 1e-4, "atol": 1e-4} if low else {}
    by_vector = lambda v: mixing(refilled(tree, v))
    gradient, tangent = tnn.grad(by_vector)(x), refilled(tree, t)
    if not low:
        assert tnn.gradcheck(by_vector, x)
    rearranged = lambda numbers: _typed(tree, refilled(tree, numbers))
    assert_same_tree(tnn.grad(mixing)(tree), rearranged(gradient), **close)
    value, found = tnn.value_and_grad(mixing)(tree)
    assert value == pytest.approx(mixing(tree), rel=1e-5)
    assert_same_tree(found, rearranged(gradient), **close)
    assert_same_tree(tnn.grad(mixing, (0,))(tree), (rearranged(gradient),), **close)
    assert_same_tree(tnn.vjp(mixing, tree)[1](2.0), (rearranged(2 * gradient),), **close)
    assert_same_tree(tnn.jacobian(mixing)(tree), rearranged(gradient), **close)
    _, change = tnn.jvp(mixing, (tree,), (tangent,))
    assert change == pytest.approx(gradient @ t, rel=1e-4 if low else 1e-10)
    product = tnn.hvp(by_vector, x, t)
    assert_same_tree(tnn.hvp(mixing, (tree,), (tangent,)), rearranged(product), **close)
    for leaf, original in zip(flat(found), flat(tree), strict=True):
        assert leaf.dtype == np.asarray(original).dtype


def _typed(like, tree):
    """Give a refilled container the dict classes of the original."""
    if isinstance(like, OrderedDict):
        return OrderedDict(tree)
    return defaultdict(list, tree) if isinstance(like, defaultdict) else tree


def test_a_hessian_of_a_container_is_a_container_of_containers():
    tree = {"w": W, "rest": [B, None]}
    x = vector(tree)
    whole = tnn.hessian(lambda v: mixing(refilled(tree, v)))(x)
    blocks = tnn.hessian(mixing)(tree)
    assert list(blocks) == list(blocks["w"]) == ["w", "rest"]
    assert blocks["rest"][1] is None
    assert blocks["rest"][0]["rest"][1] is None
    pairs = {
        (2, 2, 2, 2): (blocks["w"]["w"], whole[:4, :4]),
        (2, 2, 2): (blocks["w"]["rest"][0], whole[:4, 4:]),
        (2, 2, 2, 1): (blocks["rest"][0]["w"][..., None], whole[4:, :4]),
        (2, 2): (blocks["rest"][0]["rest"][0], whole[4:, 4:]),
    }
    for shape, (block, part) in pairs.items():
        np.testing.assert_allclose(block, part.reshape(shape), rtol=1e-10)
    by_name = tnn.jacobian(tnn.grad(mixing))(tree)
    np.testing.assert_array_equal(by_name["w"]["rest"][0], blocks["w"]["rest"][0])


def test_third_order_through_containers_agrees_with_the_flat_version(rng):
    tree, t = {"a": B, "b": [0.5]}, rng.normal(size=3)
    x, along = vector(tree), refilled(tree, t)
    second = lambda f, v, d: tnn.jvp(lambda u: tnn.jvp(f, (u,), (d,))[1], (v,), (d,))[1]
    flat_third = tnn.grad(lambda v: second(lambda u: mixing(refilled(tree, u)), v, t))(x)
    third = tnn.grad(lambda p: second(mixing, p, along))(tree)
    np.testing.assert_allclose(vector(third), flat_third, rtol=1e-9)
    product = tnn.grad(lambda p: np.sum(tnn.hvp(mixing, (p,), (along,))["a"] * t[:2]))(tree)
    flat_product = lambda v: np.sum(tnn.hvp(lambda u: mixing(refilled(tree, u)), v, t)[:2] * t[:2])
    np.testing.assert_allclose(vector(product), tnn.grad(flat_product)(x), rtol=1e-9)


def test_elementwise_grad_of_a_container_has_its_arrangement():
    p = {"x": np.array([1.0, 2.0]), "y": [np.array([3.0, 4.0]), None]}
    found = tnn.elementwise_grad(lambda p: p["x"] ** 2 * p["y"][0])(p)
    assert_same_tree(found, {"x": [6.0, 16.0] * np.ones(2), "y": [np.array([1.0, 4.0]), None]})
    again = tnn.elementwise_grad(lambda p: tnn.elementwise_grad(lambda q: q["x"] ** 3)(p)["x"])
    np.testing.assert_allclose(again(p)["x"], [6.0, 12.0])
    with pytest.raises(ShapeError, match=r"\(\)"):
        tnn.elementwise_grad(lambda p: p[0] * p[1])([np.ones(2), 3.0])


def test_outputs_may_be_containers_too(rng):
    def f(p, x):
        y = np.tanh(x @ p["w"] + p["b"])
        return {"y": y, "parts": (y.sum(), [None, p["w"][0] * 2, 3.0])}

    p, x = {"w": W, "b": B}, rng.normal(size=(3, 2))
    y, pullback = tnn.vjp(f, p, x)
    assert_same_tree(y, f(p, x) | {"parts": (f(p, x)["y"].sum(), [None, W[0] * 2, np.array(3.0)])})
    g = {"y": rng.normal(size=(3, 2)), "parts": (0.5, [None, [1.0, 2.0], 7.0])}
    dp, dx = pullback(g)

    def weighed(p, x):
        y = f(p, x)
        return np.sum(y["y"] * g["y"]) + 0.5 * y["parts"][0] + np.sum(y["parts"][1][1] * [1.0, 2.0])

    ep, ex = tnn.grad(weighed, (0, 1))(p, x)
    assert_same_tree(dp, ep)
    assert_same_tree(dx, ex)
    t = {"w": rng.normal(size=(2, 2)), "b": rng.normal(size=2)}
    _, change = tnn.jvp(lambda p: f(p, x), (p,), (t,))
    step = lambda h: f({k: p[k] + h * t[k] for k in p}, x)
    np.testing.assert_allclose(change["y"], (step(1e-6)["y"] - step(-1e-6)["y"]) / 2e-6, atol=1e-8)
    assert change["parts"][1][0] is None
    assert_same_tree(change["parts"][1][1:], [2 * t["w"][0], np.array(0.0)])
    jacobian = tnn.jacobian(f)(p, x)
    assert jacobian["y"]["w"].shape == (3, 2, 2, 2)
    np.testing.assert_allclose(np.sum(jacobian["y"]["b"] * t["b"], axis=-1), change["y"] - np.sum(
        jacobian["y"]["w"] * t["w"], axis=(-1, -2)))  # fmt: skip
    assert_same_tree(jacobian["parts"][1][2], {"w": np.zeros((2, 2)), "b": np.zeros(2)})
    assert jacobian["parts"][1][0] is None


def test_containers_of_integers_and_truths_as_outputs_have_zero_derivatives():
    outputs = lambda x: (x * 2.0, np.argmax(x), x > 1)
    x = np.array([1.0, 2.0])
    for zero in tnn.jacobian(outputs)(x)[1:]:
        np.testing.assert_array_equal(zero, np.zeros(zero.shape))
    _, (change, *zeros) = tnn.jvp(outputs, (x,), (x,))
    np.testing.assert_array_equal(change, 2 * x)
    for zero in zeros:
        np.testing.assert_array_equal(zero, np.zeros(zero.shape))


def test_empty_containers_differentiate_to_themselves():
    for empty in ({}, [], (), None, {"a": [None, ()]}):
        assert tnn.grad(lambda p: 1.0)(empty) == empty
        assert tnn.jacobian(lambda p: np.ones(2))(empty) == empty
        assert tnn.hessian(lambda p: 1.0)(empty) == empty
        assert tnn.jacobian(lambda x, e=empty: e)(1.0) == empty
        y, pullback = tnn.vjp(lambda x, e=empty: e, 2.0)
        assert y == empty
        np.testing.assert_array_equal(pullback(empty)[0], 0.0)
    assert_same_tree(tnn.grad(lambda p, x: x * x, (0, 1))({}, 3.0), ({}, np.array(6.0)))


# --- drawn arrangements -----------------------------------------------------------------------

LEAVES = st.sampled_from([(), (1,), (2,), (2, 1), (0,)]) | st.none()
SHAPES = st.recursive(
    LEAVES,
    lambda part: (
        st.lists(part, max_size=3)
        | st.lists(part, max_size=3).map(tuple)
        | st.dictionaries(st.text("abc", max_size=2) | st.integers(0, 3), part, max_size=3)
        | st.builds(Layer, part, part)
    ),
    max_leaves=6,
)  # fmt: skip


def is_shape(item):
    return type(item) is tuple and all(type(n) is int for n in item)


def arrays_of(shapes, rng):
    """Arrays in place of shapes. An empty tuple is the shape of a scalar."""
    if shapes is None or is_shape(shapes):
        return None if shapes is None else rng.uniform(0.5, 1.5, shapes)
    if isinstance(shapes, dict):
        return {key: arrays_of(part, rng) for key, part in shapes.items()}
    parts = [arrays_of(part, rng) for part in shapes]
    return type(shapes)(*parts) if hasattr(shapes, "_fields") else type(shapes)(parts)


@given(shapes=SHAPES, seed=st.integers(0, 1000))
def test_any_arrangement_gives_what_the_flat_array_gives(shapes, seed):
    rng = np.random.default_rng(seed)
    tree = arrays_of(shapes, rng)
    x = vector(tree)
    t = rng.normal(size=x.shape)
    by_vector, along = (lambda v: mixing(refilled(tree, v))), refilled(tree, t)
    assert_same_tree(tnn.grad(mixing)(tree), refilled(tree, tnn.grad(by_vector)(x)))
    slope = tnn.jvp(mixing, (tree,), (along,))[1] if flat(tree) else np.array(0.0)
    np.testing.assert_allclose(slope, tnn.grad(by_vector)(x) @ t, rtol=1e-10, atol=1e-12)
    assert_same_tree(
        tnn.hvp(mixing, (tree,), (along,)), refilled(tree, tnn.hvp(by_vector, x, t)), rtol=1e-8
    )
    rows = tnn.jacobian(lambda p: [mixing(p), p])(tree)
    assert_same_tree(rows[0], tnn.grad(mixing)(tree))
    doubled = tnn.vjp(lambda p: p, tree)[1](along)[0]
    assert_same_tree(doubled, along)
