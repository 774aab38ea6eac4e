"""Losses: values, gradients, dtypes and errors."""

import json
from pathlib import Path

import mpmath
import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Tensor, losses
from tinygrad_nn.activations import sigmoid, softmax

REFERENCE = json.loads(
    Path(__file__).with_name("data").joinpath("torch_reference.json").read_text()
)

BINARY, ONE_HOT = losses.binary_cross_entropy, losses.categorical_cross_entropy
SPARSE, KL = losses.sparse_categorical_cross_entropy, losses.kl_divergence
MSE, MAE, HUBER = losses.mean_squared_error, losses.mean_absolute_error, losses.huber
CONTRASTIVE, TRIPLET = losses.contrastive, losses.triplet
LOGITS = {"from_logits": True}


def distribution(rng, *shape):
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1])


# Each loss with a way to draw its arguments for a batch of any shape, in float64 or labels.
CASES = {
    "mse": (MSE, {}, lambda r, n: (r.normal(size=n), r.normal(size=n))),
    "mae": (MAE, {}, lambda r, n: (r.normal(size=n), r.normal(size=n))),
    "huber": (HUBER, {"delta": 0.7}, lambda r, n: (r.normal(size=n), r.normal(size=n))),
    "binary": (BINARY, {}, lambda r, n: (r.uniform(size=n), r.uniform(0.05, 0.95, size=n))),
    "binary logits": (BINARY, LOGITS, lambda r, n: (r.uniform(size=n), r.normal(0, 2, size=n))),
    "one-hot": (ONE_HOT, {}, lambda r, n: (distribution(r, *n, 4), distribution(r, *n, 4))),
    "one-hot logits": (
        ONE_HOT, LOGITS, lambda r, n: (distribution(r, *n, 4), r.normal(0, 2, size=(*n, 4)))
    ),
    "sparse": (SPARSE, {}, lambda r, n: (r.integers(0, 4, n), distribution(r, *n, 4))),
    "sparse logits": (
        SPARSE, LOGITS, lambda r, n: (r.integers(0, 4, n), r.normal(0, 2, size=(*n, 4)))
    ),
    "kl": (KL, {}, lambda r, n: (distribution(r, *n, 4), distribution(r, *n, 4))),
    "contrastive": (
        CONTRASTIVE,
        {"margin": 2.0},
        lambda r, n: (r.uniform(size=n), *r.normal(0, 0.6, size=(2, *n, 3))),
    ),
    "triplet": (TRIPLET, {"margin": 0.5}, lambda r, n: tuple(r.normal(size=(3, *n, 3)))),
}  # fmt: skip
each_loss = pytest.mark.parametrize("case", CASES)


def drawn(case, shape=(5,), seed=0):
    function, options, draw = CASES[case]
    return function, options, draw(np.random.default_rng(seed), shape)


def tracked(arrays):
    return [Tensor(a, requires_grad=np.asarray(a).dtype.kind == "f") for a in arrays]


def gradients(function, arrays, cotangent=None, **options):
    tensors = tracked(arrays)
    function(*tensors, **options).backward(cotangent)
    return [t.grad.numpy() if t.requires_grad else None for t in tensors]


# --- values and gradients ---------------------------------------------------------------------


@pytest.mark.parametrize("case", REFERENCE["losses"], ids=lambda c: f"{c['name']} {c['options']}")
def test_values_and_gradients_are_those_of_pytorch(case):
    function = getattr(losses, case["name"])
    inputs = [np.array(a) for a in case["inputs"]]
    value = function(*inputs, reduction="none", **case["options"])
    np.testing.assert_allclose(value, case["value"], rtol=1e-12, atol=1e-14)
    g = np.array(case["cotangent"])
    ours = gradients(function, inputs, g, reduction="none", **case["options"])
    for got, expected in zip(ours, case["gradients"], strict=True):
        assert (got is None) == (expected is None)
        if expected is not None:
            np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-13)


@each_loss
@pytest.mark.parametrize("shape", [(), (5,), (2, 1, 3)])
def test_gradients_by_every_argument_match_finite_differences(case, shape):
    function, options, arrays = drawn(case, shape)
    rng, h = np.random.default_rng(1), 1e-6
    g = rng.normal(size=shape)
    computed = gradients(function, arrays, g, reduction="none", **options)
    for i, array in enumerate(arrays):
        if computed[i] is None:
            continue
        direction = rng.normal(size=array.shape)
        moved = [[*arrays[:i], array + s * h * direction, *arrays[i + 1 :]] for s in (1, -1)]
        plus, minus = (function(*a, reduction="none", **options) for a in moved)
        expected = np.sum(g * (plus - minus)) / (2 * h)
        assert np.sum(computed[i] * direction) == pytest.approx(expected, rel=1e-6, abs=1e-8)


@each_loss
def test_second_derivatives_match_finite_differences_of_gradients(case):
    function, options, arrays = drawn(case)
    fixed, x = arrays[:-1], arrays[-1]
    direction, h = np.random.default_rng(2).normal(size=x.shape), 1e-6
    slope = tnn.grad(lambda p: function(*fixed, p, **options))
    expected = (slope(x + h * direction) - slope(x - h * direction)) / (2 * h)
    product = tnn.hvp(lambda p: function(*fixed, p, **options), x, direction)
    np.testing.assert_allclose(product, expected, rtol=1e-5, atol=1e-7)


@each_loss
@pytest.mark.parametrize("shape", [(), (5,), (2, 1, 3)])
def test_reductions_average_and_add_one_loss_per_element_or_sample(case, shape):
    function, options, arrays = drawn(case, shape)
    each = function(*arrays, reduction="none", **options)
    assert np.shape(each) == shape
    assert function(*arrays, reduction="sum", **options) == pytest.approx(np.sum(each), rel=1e-14)
    mean = function(*arrays, **options)
    assert mean == pytest.approx(np.sum(each) / np.size(each), rel=1e-14)
    assert np.shape(mean) == ()
    g = 1.7
    by_mean = gradients(function, arrays, g, **options)
    by_each = gradients(function, arrays, np.full(shape, g / max(1, np.size(each))),
                        reduction="none", **options)  # fmt: skip
    for got, expected in zip(by_mean, by_each, strict=True):
        if expected is not None:
            np.testing.assert_allclose(got, expected, rtol=1e-13, atol=1e-16)


def close(value, exact, dtype, ulps=4):
    """Compare with an exact number, in units of what the dtype can resolve there."""
    return abs(mpmath.mpf(float(value)) - exact) <= ulps * float(np.finfo(dtype).eps) * abs(exact)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("y", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("z", [-1e4, -90.0, -17.0, -1e-3, 0.0, 1e-3, 2.5, 40.0, 1e4])
def test_binary_cross_entropy_from_logits_is_exact_however_large_they_are(z, y, dtype):
    y, z = dtype(y), dtype(z)
    with mpmath.workdps(60):
        ez = mpmath.exp(mpmath.mpf(float(z)))
        exact = mpmath.log(1 + ez) - mpmath.mpf(float(y)) * mpmath.mpf(float(z))
        slope = ez / (1 + ez) - mpmath.mpf(float(y))
        tiny = np.finfo(dtype).tiny
        value = BINARY([y], [z], from_logits=True)
        assert close(value, exact, dtype) or abs(exact) < tiny
        (_, got) = gradients(BINARY, [np.array([y]), np.array([z])], from_logits=True)
        assert close(got[0], slope, dtype) or abs(slope) < tiny
        assert got.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
def test_class_cross_entropies_from_logits_are_exact_however_large_they_are(scale, dtype):
    z = (scale * np.random.default_rng(3).normal(size=(6, 4))).astype(dtype)
    z[0, 1] = -np.inf  # a class that is impossible and not the target
    labels = np.array([0, 1, 2, 3, 0, 2])
    one_hot = np.eye(4, dtype=dtype)[labels]
    sparse, dense = (f(y, z, from_logits=True, reduction="none")
                     for f, y in ((SPARSE, labels), (ONE_HOT, one_hot)))  # fmt: skip
    (_, by_sparse) = gradients(SPARSE, [labels, z], from_logits=True, reduction="sum")
    (_, by_dense) = gradients(ONE_HOT, [one_hot, z], from_logits=True, reduction="sum")
    eps = float(np.finfo(dtype).eps)
    with mpmath.workdps(60):
        for i, row in enumerate(z.tolist()):
            e = [mpmath.exp(v) if v > -np.inf else mpmath.mpf(0) for v in row]
            exact = float(mpmath.log(mpmath.fsum(e)) - row[labels[i]])
            slopes = [float(v / mpmath.fsum(e)) - (k == labels[i]) for k, v in enumerate(e)]
            room = 8 * eps * max(1, max(abs(v) for v in row if v > -np.inf))
            for loss, slope in ((sparse[i], by_sparse[i]), (dense[i], by_dense[i])):
                assert loss == pytest.approx(exact, rel=8 * eps, abs=room)
                np.testing.assert_allclose(slope, slopes, rtol=0, atol=room)


@pytest.mark.parametrize("case", ["binary", "one-hot", "sparse"])
def test_logits_and_their_probabilities_give_the_same_loss_and_gradient(case):
    function, options, (y, z) = drawn(f"{case} logits", (3, 5))
    as_probabilities = sigmoid if case == "binary" else softmax
    direct = tnn.value_and_grad(lambda v: function(y, v, **options))(z)
    through = tnn.value_and_grad(lambda v: function(y, as_probabilities(v)))(z)
    np.testing.assert_allclose(direct[0], through[0], rtol=1e-13)
    np.testing.assert_allclose(direct[1], through[1], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("p", [1e-3, 0.01, 0.3, 0.99])
def test_probabilities_are_taken_as_they_are_in_every_precision(p, dtype):
    p, eps = dtype(p), float(np.finfo(dtype).eps)
    loss, q = -np.log(np.float64(p)), dtype(1 - p)
    assert BINARY(dtype([1]), [p]) == pytest.approx(loss, rel=8 * eps)
    assert SPARSE([0], dtype([[p, q]])) == pytest.approx(loss, rel=8 * eps)
    assert ONE_HOT(dtype([[1, 0]]), dtype([[p, q]])) == pytest.approx(loss, rel=8 * eps)
    assert KL(dtype([[1, 0]]), dtype([[p, q]])) == pytest.approx(loss, rel=8 * eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_probability_next_to_one_is_not_one_yet(dtype):
    p = np.nextafter(dtype(1), dtype(0))
    assert BINARY(dtype([0]), [p]) == pytest.approx(-np.log(1 - float(p)), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinite_logits_that_are_right_cost_nothing(dtype):
    y, z = dtype([1, 0]), dtype([np.inf, -np.inf])
    assert BINARY(y, z, from_logits=True, reduction="none").tolist() == [0, 0]
    (by_target, by_logit) = gradients(BINARY, [y, z], from_logits=True)
    assert by_logit.tolist() == [0, 0]
    assert np.isfinite(by_target).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("function", "y", "p", "signs"),
    [
        (BINARY, [1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [-1, 1, -1, 1]),
        (ONE_HOT, [[0.0, 1.0]], [[1.0, 0.0]], [[0, -1]]),
        (SPARSE, [1], [[1.0, 0.0]], [[0, -1]]),
        (KL, [[0.0, 1.0], [0.5, 0.5]], [[1.0, 0.0], [0.0, 1.0]], [[0, -1], [-1, -1]]),
    ],
    ids=["binary", "one-hot", "sparse", "kl"],
)
def test_certain_probabilities_are_finite_and_still_pushed_the_right_way(
    function, y, p, signs, dtype
):
    y = np.array(y, dtype=int if function is SPARSE else dtype)
    assert np.isfinite(function(y, dtype(p), reduction="none")).all()
    *_, got = gradients(function, [y, dtype(p)], reduction="sum")
    assert np.isfinite(got).all()
    np.testing.assert_array_equal(np.sign(got), signs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("z", [0.5, 3.0, 16.0, 20.0, 36.0, 40.0, 90.0, 800.0, 1e4])
def test_saturated_probabilities_do_not_blow_the_gradient_of_their_logits_up(z, dtype):
    for sign in (1, -1):  # by the logits every slope is p − y, which lies within ±1
        logit, y = np.array([sign * z], dtype), np.array([sign < 0], dtype)
        (slope,) = tnn.grad(lambda v, y=y: BINARY(y, sigmoid(v)))(logit)
        assert sign * slope >= 0
        assert abs(slope) <= 2
        if z < 10:
            assert slope == pytest.approx(float(sigmoid(logit)[0] - y[0]), rel=1e-3)
    logits, one_hot = np.array([[0.0, z]], dtype), np.array([[1.0, 0.0]], dtype)
    for function, y in ((ONE_HOT, one_hot), (KL, one_hot), (SPARSE, [0])):
        slopes = tnn.grad(lambda v, f=function, y=y: f(y, softmax(v)))(logits)
        assert slopes[0, 0] <= 0 <= slopes[0, 1]
        assert np.abs(slopes).max() <= 2


def test_kl_of_zero_probabilities_counts_nothing():
    assert KL([[0.0, 1.0]], [[0.0, 1.0]]) == 0
    y, p = [[0.0, 0.25, 0.75]], [[0.5, 0.25, 0.25]]
    assert KL(y, p) == pytest.approx(0.75 * np.log(3), rel=1e-14)


# --- embeddings -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_coinciding_points_have_the_subgradient_zero(dtype):
    a = np.random.default_rng(4).normal(size=(2, 3)).astype(dtype)
    pair = gradients(CONTRASTIVE, [dtype([0, 1]), a, a], reduction="sum")
    assert all((g == 0).all() for g in pair[1:])
    np.testing.assert_array_equal(pair[0], dtype([-1, -1]))  # d² − max(1 − d, 0)² at d = 0
    away = a + dtype([[3, 0, 4]])
    got = gradients(TRIPLET, [a, a, away], reduction="sum", margin=6.0)
    np.testing.assert_allclose(
        got[2], np.tile(dtype([-0.6, 0, -0.8]), (2, 1)), rtol=1e-6, atol=1e-7
    )
    assert (got[1] == 0).all()
    np.testing.assert_allclose(got[0], -got[2], rtol=1e-6)
    assert all((g == 0).all() for g in gradients(TRIPLET, [a, a, a]))
    assert CONTRASTIVE(dtype([0, 1]), a, a, reduction="none").tolist() == [1, 0]
    assert TRIPLET(a, a, a, margin=0.25) == 0.25


def test_a_triplet_exactly_at_its_margin_is_left_alone():
    points = [np.zeros((1, 2)), np.array([[3.0, 4.0]]), np.array([[0.0, 7.0]])]
    assert TRIPLET(*points, margin=2.0) == 0
    assert all((g == 0).all() for g in gradients(TRIPLET, points, margin=2.0))
    assert any((g != 0).any() for g in gradients(TRIPLET, points, margin=2.1))


def test_the_square_of_a_vanishing_distance_is_still_curved():
    a, v = np.random.default_rng(5).normal(size=(2, 1, 3))
    product = tnn.hvp(lambda left: CONTRASTIVE([1.0], left, a), a.copy(), v)
    np.testing.assert_allclose(product, 2 * v, rtol=1e-12)


def test_labels_in_rows_of_different_lengths_are_refused():
    with pytest.raises(tnn.errors.ShapeError, match="rows of different lengths"):
        SPARSE([[1], [1, 0]], np.full((2, 2), 0.5))
