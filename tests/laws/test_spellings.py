"""The many ways to call what has no sample call: NumPy's own values, and the derivatives of these.

The oracles are NumPy, and differences: of values for the gradient, of gradients for the second.
"""

import numpy as np
import pytest
from sampling import assert_near, joined, numeric_gradient
from spellings import MOVING
from spellings_computing import COMPUTING

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.errors import AssignmentError
from tinygrad_nn.primitives import REWRITES, TABLE

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}:RuntimeWarning")
    for message in ("All-NaN", "Mean of empty slice", "Degrees of freedom", "invalid value")
]
SPELLINGS = MOVING | COMPUTING
every_spelling = pytest.mark.parametrize("name", SPELLINGS)

WRITING = {  # what writes into its first argument
    "copyto": lambda x: np.copyto(x, 1.0),
    "copyto: where": lambda x: np.copyto(
        np.ones(3), x, casting="unsafe", where=[True, False, True]
    ),
    "place": lambda x: np.place(x, [True, False, True], [1.0]),
    "putmask": lambda x: np.putmask(x, [True, False, True], [1.0]),
    "put": lambda x: np.put(x, [0], [1.0]),
    "put: mode": lambda x: np.put(x, [5], [1.0], mode="wrap"),
    "put_along_axis": lambda x: np.put_along_axis(x, np.array([0]), 1.0, 0),
    "fill_diagonal": lambda x: np.fill_diagonal(x, 1.0),
    "fill_diagonal: wrap": lambda x: np.fill_diagonal(x, 1.0, wrap=True),
}


def spelled(name, rng, dtype=np.float64):
    """A call, and arrays of which no two elements are near each other, or near 0."""
    f, *shapes = SPELLINGS[name]
    sizes = [int(np.prod(shape)) for shape in shapes]
    n = sum(sizes)
    pool = 0.2 * (rng.permutation(n) - n / 2 + rng.uniform(0.2, 0.4, n))
    parts = np.split(pool, np.cumsum(sizes)[:-1])
    return f, [p.reshape(s).astype(dtype) for p, s in zip(parts, shapes, strict=True)]


def function_of(f):
    """f with all its outputs in one array, for plain arrays through constant Tensors."""

    def through_tensors(*xs):
        y = joined(f(*map(Tensor, xs)))
        return y.numpy() if isinstance(y, Tensor) else np.asarray(y)

    return (lambda *xs: joined(f(*xs))), through_tensors


def each(outputs):
    return outputs if isinstance(outputs, (tuple, list)) else (outputs,)


@every_spelling
@pytest.mark.parametrize("traced", [True, False], ids=["traced", "constant"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_shapes_dtypes_and_types_are_numpys(name, dtype, traced, rng):
    f, arrays = spelled(name, rng, dtype)
    expected = f(*arrays)
    found = f(*(Tensor(a, requires_grad=traced) for a in arrays))
    assert type(found) is (type(expected) if isinstance(expected, (tuple, list)) else Tensor)
    assert len(each(found)) == len(each(expected))
    for y, truth in zip(each(found), each(expected), strict=True):
        value = np.asarray(y.numpy() if isinstance(y, Tensor) else y)
        truth = np.asarray(truth)
        assert (value.shape, value.dtype) == (truth.shape, truth.dtype)
        scale = max(1.0, float(np.max(np.abs(truth), initial=0, where=np.isfinite(truth))))
        atol = 64 * np.finfo(dtype).eps * scale
        np.testing.assert_allclose(value, truth, rtol=0, atol=atol)


@every_spelling
def test_gradients_agree_with_finite_differences(name, rng):
    f, arrays = spelled(name, rng)
    f, plain = function_of(f)
    y, pullback = tnn.vjp(f, *arrays)
    finite = np.isfinite(y)
    g = np.where(finite, rng.normal(size=y.shape), 0)
    for i, gradient in enumerate(pullback(g)):
        expected = numeric_gradient(lambda *xs: np.sum((g * plain(*xs))[finite]), arrays, i)
        assert_near(gradient, expected, 1e-7)


@every_spelling
def test_second_derivatives_agree_with_finite_differences_of_the_first(name, rng):
    f, arrays = spelled(name, rng)
    f, _ = function_of(f)
    y = np.asarray(tnn.vjp(f, *arrays)[0])
    g = np.where(np.isfinite(y), rng.normal(size=y.shape), 0)
    v = [rng.normal(size=a.shape) for a in arrays]

    def slopes(t):
        return tnn.vjp(f, *(a + t * d for a, d in zip(arrays, v, strict=True)))[1](g)

    def along_v(*xs):
        _, pullback = tnn.vjp(f, *xs)
        return sum(np.sum(vi * gi) for vi, gi in zip(v, pullback(g), strict=True))

    step = 2e-4
    far, near, after, farther = (slopes(k * step) for k in (-2, -1, 1, 2))
    found = tnn.grad(along_v, tuple(range(len(arrays))))(*arrays)
    for i, gradient in enumerate(found):
        expected = (far[i] - 8 * near[i] + 8 * after[i] - farther[i]) / (12 * step)
        assert_near(gradient, expected, 1e-7)


@every_spelling
def test_gradients_keep_the_dtype_of_their_inputs(name, rng):
    f, arrays = spelled(name, rng, np.float32)
    y, pullback = tnn.vjp(lambda *xs: joined(f(*xs)), *arrays)
    for a, gradient in zip(arrays, pullback(np.ones_like(y)), strict=True):
        assert (gradient.shape, gradient.dtype) == (a.shape, a.dtype)


@pytest.mark.parametrize("name", WRITING)
def test_functions_that_write_in_place_refuse_what_needs_a_gradient(name):
    x = Tensor(np.eye(3) if "diagonal" in name else np.ones(3), requires_grad=True)
    before = x.numpy().copy()
    with pytest.raises(AssignmentError, match="writes in place"):
        WRITING[name](x)
    np.testing.assert_array_equal(x.numpy(), before)


def test_nothing_that_is_composed_is_left_uncalled():
    called = {name.partition(":")[0] for name in (*SPELLINGS, *WRITING)}
    entries = {name.removeprefix("numpy.") for name, entry in REWRITES.items() if not entry.calls}
    assert entries <= called
    known = {
        name.removeprefix("numpy.").rpartition("stride_tricks.")[2] for name in (*REWRITES, *TABLE)
    }
    assert called <= known
