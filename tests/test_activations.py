"""Activation functions: values, derivatives of several orders, dtypes and errors."""

import json
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_nn as tnn
from tinygrad_nn import Tensor, TinygradNNError, activations
from tinygrad_nn.errors import DtypeError, ShapeError

REFERENCE = json.loads(
    Path(__file__).with_name("data").joinpath("torch_reference.json").read_text()
)
NAMES = ["relu", "leaky_relu", "sigmoid", "tanh", "softplus", "softmax", "log_softmax"]
EXACT = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh": mpmath.tanh,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
}
SLOPES = {
    "sigmoid": lambda x: 1 / (2 + mpmath.exp(x) + mpmath.exp(-x)),
    "tanh": lambda x: mpmath.sech(x) ** 2,
    "softplus": EXACT["sigmoid"],
}
POINTS = [0.0, 1e-6, 1e-3, 0.3, 1.0, 5.0, 17.0, 40.0, 90.0, 700.0, 1e4]
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_name = pytest.mark.parametrize("name", NAMES)


def pulled(function, x, g):
    x = Tensor(x, requires_grad=True)
    function(x).backward(g)
    return x.grad.numpy()


def near(got, exact, dtype, ulps):
    """Close in units of what the dtype resolves there, down to its smallest normal number."""
    room = max(abs(exact) * float(np.finfo(dtype).eps), float(np.finfo(dtype).tiny))
    return abs(mpmath.mpf(float(got)) - exact) <= ulps * room


def test_every_activation_is_tested_here():
    assert set(NAMES) == set(activations.__all__)


@pytest.mark.parametrize(
    "case", REFERENCE["activations"], ids=lambda c: f"{c['name']} {c['options']}"
)
def test_values_and_gradients_are_those_of_pytorch(case):
    function = getattr(activations, case["name"])
    (x,) = map(np.array, case["inputs"])
    np.testing.assert_allclose(function(x, **case["options"]), case["value"], rtol=1e-12)
    got = pulled(lambda v: function(v, **case["options"]), x, np.array(case["cotangent"]))
    np.testing.assert_allclose(got, case["gradients"][0], rtol=1e-10, atol=1e-14)


@each_dtype
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("x", [s * p for p in POINTS for s in (1, -1)])
def test_values_and_slopes_keep_their_relative_precision_everywhere(name, x, dtype):
    function, x = getattr(activations, name), dtype(x)
    with mpmath.workdps(9000 if abs(x) > 1000 else 700):
        z = mpmath.mpf(float(x))
        assert near(function(x), EXACT[name](z), dtype, 4)
        slope, got = SLOPES[name](z), pulled(function, x, dtype(1))
        if name == "tanh":  # 1 − y² cancels where y is nearly 1: its error is small, not relative
            assert abs(float(got) - float(slope)) <= 4 * np.finfo(dtype).eps
        else:
            assert near(got, slope, dtype, 8)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("x", [-3.0, -1e-3, -1e-9, 0.0, 1e-9, 1e-3, 0.5, 2.0])
def test_derivatives_of_every_order_are_right_on_both_sides_of_the_seam(name, x):
    function = getattr(activations, name)
    for order in range(1, 5):
        function = tnn.grad(function)
        with mpmath.workdps(40):
            exact = mpmath.diff(EXACT[name], mpmath.mpf(x), order)
        assert float(function(x)) == pytest.approx(float(exact), rel=1e-9, abs=1e-13), order


@each_name
@pytest.mark.parametrize("shape", [(), (4,), (2, 1, 3)])
def test_gradients_match_finite_differences(name, shape):
    if shape == () and "softmax" in name:
        shape = (1,)
    rng, h = np.random.default_rng(5), 1e-6
    x, g, d = rng.normal(0, 2, (3, *shape))
    function = getattr(activations, name)
    expected = np.sum(g * (function(x + h * d) - function(x - h * d))) / (2 * h)
    got = np.sum(pulled(function, x, g) * d)
    assert got == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), None])
def test_softmax_normalises_along_any_axes(name, axis):
    rng, function = np.random.default_rng(6), getattr(activations, name)
    x, g = rng.normal(0, 3, (2, 2, 3, 4))
    p = np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)
    value = p if name == "softmax" else np.log(p)
    np.testing.assert_allclose(function(x, axis=axis), value, rtol=1e-12, atol=1e-14)

    def total(v):
        return np.sum(v, axis=axis, keepdims=True)

    expected = p * (g - total(g * p)) if name == "softmax" else g - p * total(g)
    got = pulled(lambda v: function(v, axis=axis), x, g)
    np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-14)


@each_dtype
@pytest.mark.parametrize("scale", [1.0, 100.0, 1e4])
def test_softmax_is_exact_however_large_its_logits_are(scale, dtype):
    x = (scale * np.random.default_rng(7).normal(size=(5, 4))).astype(dtype)
    x[0, 2] = -np.inf
    g = np.random.default_rng(8).normal(size=x.shape).astype(dtype)
    p, log_p, eps = activations.softmax(x), activations.log_softmax(x), float(np.finfo(dtype).eps)
    assert p.dtype == log_p.dtype == dtype
    by_p, by_log = (pulled(f, x, g) for f in (activations.softmax, activations.log_softmax))
    np.testing.assert_allclose(p.sum(-1), 1, rtol=8 * eps)
    with mpmath.workdps(50):
        for i, row in enumerate(x.tolist()):
            e = [mpmath.exp(v) if v > -np.inf else mpmath.mpf(0) for v in row]
            logs = [float(v - mpmath.log(mpmath.fsum(e))) for v in row]
            exact = np.array([float(v / mpmath.fsum(e)) for v in e])
            size = max(abs(v) for v in row if v > -np.inf)
            np.testing.assert_allclose(p[i], exact, rtol=0, atol=8 * eps)
            np.testing.assert_allclose(log_p[i], logs, rtol=4 * eps, atol=4 * eps * size)
            g64 = g[i].astype(float)
            room = 40 * eps * np.abs(g64).sum()
            np.testing.assert_allclose(by_p[i], exact * (g64 - g64 @ exact), atol=room)
            np.testing.assert_allclose(by_log[i], g64 - exact * g64.sum(), atol=room)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=6), st.floats(-50, 50))
def test_softmax_does_not_see_a_constant_added_to_every_logit(logits, shift):
    x = np.array(logits)
    expected = activations.softmax(x)
    np.testing.assert_allclose(activations.softmax(x + shift), expected, rtol=1e-12, atol=1e-300)
    assert expected.sum() == pytest.approx(1, rel=1e-14)
    slope = pulled(lambda v: activations.softmax(v)[0], x, 1.0)
    assert abs(slope.sum()) < 1e-15


def test_kinks_take_the_side_below_zero_and_nan_goes_through():
    x = np.array([-2.0, -0.0, 0.0, 3.0])
    g = np.array([1.5, -2.0, 0.5, 4.0])
    assert pulled(activations.relu, x, g).tolist() == [0, 0, 0, 4]
    assert pulled(activations.leaky_relu, x, g).tolist() == [0.015, -0.02, 0.005, 4]
    assert activations.leaky_relu([-2.0, 3.0], slope=0.25).tolist() == [-0.5, 3.0]
    for name in NAMES:
        assert np.isnan(getattr(activations, name)(np.array([np.nan, 1.0])))[0]


def test_infinities_have_their_limits():
    x = np.array([-np.inf, np.inf])
    limits = {"relu": [0, np.inf], "leaky_relu": [-np.inf, np.inf], "sigmoid": [0, 1],
              "tanh": [-1, 1], "softplus": [0, np.inf]}  # fmt: skip
    for name, limit in limits.items():
        assert getattr(activations, name)(x).tolist() == limit
        slopes = pulled(getattr(activations, name), x, np.array([2.0, 3.0]))
        assert np.isfinite(slopes).all()


@each_name
def test_lists_arrays_and_tensors_give_the_same(name):
    function, x = getattr(activations, name), np.random.default_rng(9).normal(size=(3, 4))
    expected = function(x)
    assert type(expected) is np.ndarray
    np.testing.assert_array_equal(function(x.tolist()), expected)
    tensor = function(Tensor(x, requires_grad=True))
    assert isinstance(tensor, Tensor)
    assert tensor.requires_grad
    np.testing.assert_array_equal(tensor.numpy(), expected)
    assert function(np.zeros((0, 3))).shape == (0, 3)


@each_name
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_of_floats_is_kept(name, dtype):
    function = getattr(activations, name)
    x = np.array([[-2.0, 0.0, 1.0, 7.0]], dtype)
    assert function(x).dtype == dtype
    assert pulled(function, x, np.ones((1, 4))).dtype == dtype
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(function(x), function(x.astype(float)), rtol=8 * eps, atol=8 * eps)
    if name == "leaky_relu":
        assert function(x, slope=np.float64(0.1)).dtype == dtype


@each_name
@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.bool_])
def test_integers_and_booleans_count_as_the_numbers_they_are(name, dtype):
    function = getattr(activations, name)
    numbers = [0, 1, 3, 120, -128 if dtype in (np.int8, np.int64) else 2]
    x = np.array([0, 1, 1, 0] if dtype is np.bool_ else numbers, dtype)
    got, expected = function(x), function(x.astype(float))
    eps = float(np.finfo(np.result_type(got, np.float16)).eps)
    np.testing.assert_allclose(got, expected, rtol=4 * eps, atol=4 * eps)


@pytest.mark.parametrize("wrap", [np.asarray, Tensor], ids=["array", "tensor"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(
    ("x", "axis"), [(np.zeros((2, 0)), -1), (np.ones((2, 2)), 2), (np.ones(3), (0, 5))]
)
def test_softmax_without_classes_is_refused(name, x, axis, wrap):
    with pytest.raises(ShapeError) as caught:
        getattr(activations, name)(wrap(x), axis=axis)
    assert isinstance(caught.value, ValueError)


@each_name
def test_what_is_not_a_real_number_is_refused(name):
    for x in (["a", "b"], [1j, 0.0], [None, 1.0]):
        with pytest.raises(DtypeError) as caught:
            getattr(activations, name)(x)
        assert isinstance(caught.value, TinygradNNError)
        assert isinstance(caught.value, TypeError)
