"""Arrays put together, and parts of them replaced, beside NumPy's own statements."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.errors import (
    ConversionError,
    DtypeError,
    OutOfBoundsError,
    ShapeError,
    TinygradNNError,
)

X = np.array([[1.5, -2.25, 3.0], [0.5, 2.125, -1.0]])


def leaf(data=X):
    return Tensor(np.array(data, dtype=np.float64), requires_grad=True)


def assert_same(actual, expected):
    actual = actual.numpy() if isinstance(actual, Tensor) else actual
    assert type(actual) is np.ndarray
    assert (actual.shape, actual.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-15)  # sums are rounded


# --- array and stack --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [3, 2.5, True, [], [[], []], (1, 2.0), [[1, 2], (3, 4)], [True, 2], [np.float32(1), 2],
     [X[0], [1, 2, 3]], [X, X], [[X[0], X[1]]], range(3), X, [np.int8(1), np.uint8(2)],
     [2**63, 1], [[[1.0]], [[2.0]]], [np.array(1.0), 2]],
    ids=str,
)  # fmt: skip
def test_array_of_plain_data_is_what_numpy_makes_of_it(data):
    assert_same(tnn.array(data), np.array(data))
    assert_same(tnn.array(data, dtype=np.float32), np.array(data, dtype=np.float32))


NESTS = {
    "row": lambda x: [x[0, 0], 1, x[1, 1] * 2],
    "matrix": lambda x: [[x[0, 0], 1.0], (0, x[0, 1])],
    "rows": lambda x: [x[0], [1, 2, 3], X[1]],
    "blocks": lambda x: [x, X, x * x],
    "deep": lambda x: [[[x[0, 0]], [x[1, 0]]], [[1.0], [x[0, 0]]]],
    "itself": lambda x: x,
    "one": lambda x: [x],
    "rows of a Tensor": list,
    "with a constant Tensor": lambda x: [x[0], Tensor([1, 2, 3])],
}


@pytest.mark.parametrize("name", NESTS)
def test_array_joins_tensors_numbers_and_arrays_and_differentiates(name, rng):
    x = leaf()
    y = tnn.array(NESTS[name](x))
    assert y.requires_grad
    plain = NESTS[name](X)
    plain = [p.numpy() if isinstance(p, Tensor) else p for p in plain]
    assert_same(y, np.array(plain, dtype=float))
    assert tnn.gradcheck(lambda x: tnn.array(NESTS[name](x)), X)
    cubes = lambda x: np.sum(tnn.array(NESTS[name](x)) ** 3)
    assert tnn.gradcheck(tnn.grad(cubes), X)


def test_array_converts_and_keeps_dtypes():
    low = Tensor(np.float32(1), requires_grad=True)
    assert tnn.array([low, low]).dtype == tnn.array([low, 2.0], dtype="f4").dtype == np.float32
    tnn.array([low, 2.0], dtype=np.float32).sum().backward()
    assert low.grad.dtype == np.float32


def test_array_and_stack_of_an_ndarray_are_new_arrays():
    for make in (tnn.array, lambda x: tnn.array([x])[0], lambda x: tnn.stack([x])[0]):
        data = X.copy()
        made = make(data)
        made[...] = 0
        np.testing.assert_array_equal(data, X)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_stack_joins_along_any_axis(axis, rng):
    other = rng.normal(size=(2, 3))
    assert_same(tnn.stack([X, other], axis=axis), np.stack([X, other], axis))
    assert_same(tnn.stack((leaf(), other), axis), np.stack([X, other], axis))
    assert_same(tnn.stack([leaf(), other.tolist()], axis), np.stack([X, other], axis))
    assert tnn.gradcheck(lambda x, o: tnn.stack([x, o, x * o], axis=axis), X, other)
    assert_same(tnn.stack(row for row in leaf()), X)


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda x: tnn.array([x[0], [1, 2]]), ShapeError),
        (lambda x: tnn.array([[1, 2], [1]]), ShapeError),
        (lambda x: tnn.array([1, [2]]), ShapeError), (lambda x: tnn.stack([]), ShapeError),
        (lambda x: tnn.stack([x, x[0]]), ShapeError), (lambda x: tnn.stack([x], 5), ShapeError),
        (lambda x: tnn.array([x[0, 0], 1j]), DtypeError),
        (lambda x: tnn.array([x[0, 0], "a"]), DtypeError),
        (lambda x: tnn.array([None, x]), TinygradNNError),
        (lambda x: tnn.array([x], dtype="zz"), DtypeError),
        (lambda x: tnn.array([1.0], "zz"), TypeError),
        (lambda x: tnn.array([np.ma.masked_array([1.0], [True])]), DtypeError),
        (lambda x: tnn.stack([np.ma.masked_array([1.0], [True])]), DtypeError),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_refused(call, kind):
    with pytest.raises(kind):
        call(leaf())


@pytest.mark.parametrize(
    "make",
    [lambda x: np.array([x[0, 0], 1.0]), lambda x: np.array([[x[0, 0]], [1.0]]), np.array,
     lambda x: np.array([x, x]), lambda x: np.asarray([x[0]]), lambda x: np.array(list(x)),
     lambda x: np.array([x[0, 0], 1.0], dtype=object), lambda x: np.array([x], dtype=np.float32),
     lambda x: np.full(3, x[0, 0]), lambda x: np.array((x[0, 0], (1.0,)[0]))],
)  # fmt: skip
def test_numpy_array_of_tensors_that_need_a_gradient_raises_and_names_ours(make):
    with pytest.raises(ConversionError, match=r"tinygrad_nn\.array"):
        make(leaf())
    make(Tensor(X))


# --- index_update and index_add ---------------------------------------------------------------


def written(x, index, values):
    out = np.array(x)
    out[index] = values
    return out


def added(x, index, values):
    out = np.array(x)
    np.add.at(out, index, values)
    return out


PAIRS = [(tnn.index_update, written), (tnn.index_add, added)]


@st.composite
def indices(draw, shape):
    """Slices, negative and repeated integers, booleans, new axes and ellipses."""
    kind = draw(st.sampled_from(["basic", "integers", "mask", "mixed"]))
    if kind == "basic":
        return draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    if kind == "integers" and all(shape):
        result = hnp.array_shapes(max_dims=2, max_side=4)
        found = draw(hnp.integer_array_indices(shape, result_shape=result))
        return found[: draw(st.integers(1, len(found)))]
    if kind == "mask" or not all(shape):
        return draw(hnp.arrays(bool, shape[: draw(st.integers(1, len(shape)))]))
    first = draw(st.lists(st.integers(-shape[0], shape[0] - 1), max_size=4))
    slices = [slice(None, None, -1), slice(1, None)] if len(shape) > 1 else []
    return (first, draw(st.sampled_from([Ellipsis, None, *slices])))


@pytest.mark.parametrize(("ours", "numpys"), PAIRS)
@given(data=st.data())
def test_index_functions_do_what_numpys_statements_do(ours, numpys, data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    index = data.draw(indices(shape))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    x = rng.normal(size=shape)
    chosen = np.shape(x[index])
    smaller = tuple(1 if data.draw(st.booleans()) else n for n in chosen)
    v = rng.normal(size=data.draw(st.sampled_from([chosen, smaller, (), chosen[1:]])))
    before = x.copy()
    expected = numpys(x, index, v)
    assert_same(ours(x, index, v), expected)
    assert_same(ours(leaf(x), index, v), expected)
    assert_same(ours(x, index, leaf(v)), expected)
    np.testing.assert_array_equal(x, before)
    # Both are linear, so their transposes say all of their gradients.
    g, dx, dv = rng.normal(size=shape), rng.normal(size=shape), rng.normal(size=v.shape)
    _, pullback = tnn.vjp(lambda x, v: ours(x, index, v), x, v)
    by_x, by_v = pullback(g)
    change = numpys(dx, index, dv)
    assert np.sum(by_x * dx) + np.sum(by_v * dv) == pytest.approx(np.sum(g * change), abs=1e-12)


CASES = {
    "repeated": (np.array([0, 1, 0]), (3, 3)), "row": (1, (3,)), "column": (np.s_[:, 0], (2,)),
    "reversed": (np.s_[::-1, ::-2], (2, 2)), "pairs": (([0, 1, 0], [2, 0, 2]), (3,)),
    "mask": (X > 0, (4,)), "row mask": (np.array([True, False]), (1, 3)),
    "newaxis": (np.s_[None, :, 1], (1, 2)), "ellipsis": (..., (2, 3)), "element": ((0, -1), ()),
    "none": ([], (0, 3)), "a truth": (True, (1, 2, 3)), "spread": (slice(None), ()),
    "mixed": (np.s_[:, [0, 0, 2]], (2, 3)), "Tensor": (Tensor([1, 0, 1]), (3, 3)),
    "Tensor mask": (Tensor(X) > 0, ()),
}  # fmt: skip


@pytest.mark.parametrize("ours", [tnn.index_update, tnn.index_add])
@pytest.mark.parametrize("name", CASES)
def test_gradients_of_index_functions_agree_with_differences_to_second_order(ours, name, rng):
    index, shape = CASES[name]
    v = rng.normal(size=shape)
    f = lambda x, v: ours(x, index, v)
    assert tnn.gradcheck(f, X, v)
    assert tnn.gradcheck(lambda v: f(X, v), v)
    curved = lambda x, v: np.sum(np.sin(f(x * x, np.exp(v))) * x)
    assert tnn.gradcheck(curved, X, v)
    assert tnn.gradcheck(lambda x, v: tnn.array([
        np.sum(g * g) for g in tnn.grad(curved, (0, 1))(x, v)]), X, v)  # fmt: skip


@pytest.mark.parametrize("f", [tnn.index_update, tnn.index_add])
def test_index_functions_keep_the_dtype_of_what_they_change(f):
    low = Tensor(np.ones(3, np.float32), requires_grad=True)
    values = leaf([1.0, 2.0])
    y = f(low, slice(0, 2), values)
    assert y.dtype == np.float32
    y.sum().backward()
    assert (low.grad.dtype, values.grad.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(values.grad.numpy(), [1, 1])
    assert f(np.arange(3), 0, 2).dtype == np.arange(3).dtype
    assert f([1.0, 2.0], 0, leaf(5.0)).dtype == np.float64


@pytest.mark.parametrize("f", [tnn.index_update, tnn.index_add])
def test_a_gradient_is_not_lost_in_an_array_of_integers(f):
    with pytest.raises(DtypeError):
        f(np.arange(3), 0, leaf(2.0))


# --- put_along_axis ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("indices", "shape", "axis"),
    [([[0], [1]], (2, 1), 1), ([[2], [0]], (), -1), ([[1, 0, 1]], (1, 3), 0), ([[0, 0], [2, 1]],
     (2, 2), 1), ([[0, 0, 1], [1, 0, 0]], (2, 3), 0), ([[0, -1], [2, 2]], (2, 1), 1),
     ([0, 5, -2], (3,), None)],
)  # fmt: skip
def test_put_along_axis_does_what_numpys_statement_does(indices, shape, axis, rng):
    indices, v, expected = np.array(indices), rng.normal(size=shape), X.copy()
    np.put_along_axis(expected, indices, v, axis)
    for i in (indices, indices.tolist(), Tensor(indices)):
        assert_same(tnn.put_along_axis(X, i, v, axis), expected)
        assert_same(tnn.put_along_axis(leaf(), i, leaf(v), axis), expected)
    f = lambda x, v: tnn.put_along_axis(x * x, indices, v**3, axis)
    assert tnn.gradcheck(f, X, v)
    assert tnn.gradcheck(tnn.grad(lambda x: np.sum(f(x, v) * x)), X)


# --- errors, and arrays of others -------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda f, x: f(x, 7, 1.0), OutOfBoundsError),
        (lambda f, x: f(x, (0, 0, 0), 1.0), IndexError),
        (lambda f, x: f(x, "a", 1.0), IndexError), (lambda f, x: f(x, 0.5, 1.0), IndexError),
        (lambda f, x: f(x, 0, np.ones(2)), ShapeError), (lambda f, x: f(x, 0, 1j), DtypeError),
        (lambda f, x: f(x, 0, "a"), DtypeError), (lambda f, x: f(x, 0, [1j, 2, 3]), DtypeError),
        (lambda f, x: f(x, np.array([[True]]), 1.0), IndexError),
        (lambda f, x: f(x, x > 0, np.ones(3)), ShapeError),
        (lambda f, x: tnn.put_along_axis(x, [[9], [9]], 1.0, 1), OutOfBoundsError),
        (lambda f, x: tnn.put_along_axis(x, [0], 1.0, 1), ValueError),
        (lambda f, x: tnn.put_along_axis(x, [[0], [1]], 1.0, 4), ValueError),
        (lambda f, x: tnn.put_along_axis(x, [[0.5], [1]], 1.0, 1), IndexError),
    ],
)  # fmt: skip
@pytest.mark.parametrize("f", [tnn.index_update, tnn.index_add])
@pytest.mark.filterwarnings("ignore:Casting complex")
def test_what_does_not_fit_is_refused_by_an_error_of_the_package(f, call, kind):
    with pytest.raises(TinygradNNError) as caught:
        call(f, leaf())
    assert isinstance(caught.value, kind)


@pytest.mark.parametrize(
    "f",
    [tnn.index_update, tnn.index_add,
     lambda x, i, v: tnn.put_along_axis(x, i[:, None], v[:, :1], 1),
     lambda x, i, v: tnn.index_update(x, (slice(None), i), v[:, :2]),
     lambda x, i, v: tnn.index_add(x, (i, i), v[:, 0])],
)  # fmt: skip
def test_indices_values_and_arrays_may_be_overwritten_afterwards(f, rng):
    def differentiate(overwrite):
        x, i, v = leaf(), np.array([1, 0]), np.arange(6.0).reshape(2, 3)
        base = X.copy()
        y, z = f(x, i, v) * x, f(base, i, x * x)
        if overwrite:
            i[:], v[:], base[:] = 1, np.nan, np.nan
        (y + z).sum().backward()
        return x.grad.numpy()

    np.testing.assert_array_equal(differentiate(True), differentiate(False))
