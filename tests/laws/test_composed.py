"""What is composed of rows gives NumPy's own values, and the derivatives of these."""

import numpy as np
import pytest
from sampling import (
    COMPOSED_CASES,
    assert_near,
    assert_second_derivatives,
    joined,
    numeric_gradient,
    sample,
)

import tinygrad_nn as tnn
from tinygrad_nn import Tensor

every_case = pytest.mark.parametrize("case", COMPOSED_CASES, ids=str)


def draw(case, rng, dtype=np.float64):
    """Arrays for a call, away from kinks and ties."""
    return sample(case, rng, dtype)


def function_of(case, arrays):
    """The call as a function of its real arguments, and those arguments."""
    chosen = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]

    def f(*values):
        given = list(arrays)
        for i, value in zip(chosen, values, strict=True):
            given[i] = value
        return joined(case.row(*given, **case.call.static))

    return f, [arrays[i] for i in chosen]


def plain(f):
    """f of constants: what a Tensor computes where nothing is differentiated."""
    return lambda *xs: joined(f(*map(Tensor, xs))).numpy()


def flat(outputs):
    return outputs if isinstance(outputs, (tuple, list)) else (outputs,)


@every_case
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_shapes_and_dtypes_are_numpys(case, dtype, rng):
    arrays = draw(case, rng, dtype)
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    expected = case.row(*arrays, **case.call.static)
    given = [Tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    actual = case.row(*given, **case.call.static)
    assert type(actual) is (Tensor if not isinstance(expected, (tuple, list)) else type(expected))
    for y, truth in zip(flat(actual), flat(expected), strict=True):
        truth = np.asarray(truth)
        assert (y.shape, y.dtype) == (truth.shape, truth.dtype)
        eps = np.finfo(dtype).eps
        scale = max(1.0, float(np.max(np.abs(truth), initial=0)))
        np.testing.assert_allclose(y.detach().numpy(), truth, rtol=0, atol=64 * eps * scale)


@every_case
def test_gradients_agree_with_finite_differences(case, rng):
    f, chosen = function_of(case, draw(case, rng))
    y, pullback = tnn.vjp(f, *chosen)
    g = rng.normal(size=y.shape)

    def along_g(*xs):
        return np.sum(g * plain(f)(*xs))

    for i, gradient in enumerate(pullback(g)):
        assert_near(gradient, numeric_gradient(along_g, chosen, i), 1e-7)


@every_case
def test_second_derivatives_agree_with_finite_differences_of_the_first(case, rng):
    f, chosen = function_of(case, draw(case, rng))
    assert_second_derivatives(f, chosen, rng, 1e-6)


@every_case
def test_the_gradient_keeps_the_dtype_of_the_input(case, rng):
    arrays = draw(case, rng, np.float32)
    f, chosen = function_of(
        case, [a.astype(np.float32) if a.dtype.kind == "f" else a for a in arrays]
    )
    y, pullback = tnn.vjp(f, *chosen)
    for x, gradient in zip(chosen, pullback(np.ones_like(y)), strict=True):
        assert (gradient.shape, gradient.dtype) == (x.shape, x.dtype)
