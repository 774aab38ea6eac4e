"""What the library answers where calculus leaves a choice, or where a formula would overflow.

The oracles are closed forms, and mpmath with 60 digits.
"""

import mpmath as mp
import numpy as np
import pytest
from sampling import assert_near

import tinygrad_nn as tnn
from tinygrad_nn import Tensor, activations, losses
from tinygrad_nn.errors import DtypeError

DTYPES = [np.float32, np.float64]
floats = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])


pytestmark = pytest.mark.usefixtures("sixty_digits")


def gradient_of(f, x, g=None):
    """The gradient at x of ⟨g, f(x)⟩, by backward()."""
    x = Tensor(x, requires_grad=True)
    f(x).backward(g)
    assert x.grad.dtype == x.dtype
    return x.grad.numpy()


# --- kinks and ties ---------------------------------------------------------------------------


@floats
@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (activations.relu, [-1.0, -0.0, 0.0, 2.0], [0, 0, 0, 1]),
        (lambda x: activations.leaky_relu(x, 0.25), [-1.0, -0.0, 0.0, 2.0], [0.25, 0.25, 0.25, 1]),
        (np.abs, [-2.0, -0.0, 0.0, 2.0], [-1, 0, 0, 1]),
        (np.sign, [-2.0, 0.0, 2.0], [0, 0, 0]),
        (lambda x: np.clip(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0], [0, 1, 1, 1, 0]),
        (lambda x: np.clip(x, -1, None), [-2.0, -1.0, 5.0], [0, 1, 1]),
        (lambda x: np.clip(x, None, 1), [-2.0, 1.0, 5.0], [1, 1, 0]),
        (lambda x: np.maximum(x, 1), [0.0, 1.0, 2.0], [0, 0.5, 1]),
        (lambda x: np.minimum(x, 1), [0.0, 1.0, 2.0], [1, 0.5, 0]),
        (lambda x: np.maximum(x, x), [1.0, 2.0], [1, 1]),
    ],
)
def test_elementwise_kinks(f, x, expected, dtype, rng):
    g = rng.normal(size=len(x)).astype(dtype)
    x = np.array(x, dtype)
    np.testing.assert_array_equal(gradient_of(f, x, g), np.multiply(g, expected, dtype=dtype))
    curvature = tnn.hvp(lambda x: np.sum(g * f(x)), (x,), (g,))
    np.testing.assert_array_equal(curvature, np.zeros_like(x))


@floats
@pytest.mark.parametrize("f", [np.maximum, np.minimum])
def test_a_tie_gives_half_to_each_of_two_arrays(f, dtype, rng):
    a, g = np.array([[1.0], [2.0]], dtype), rng.normal(size=(2, 3)).astype(dtype)
    b = np.array([1.0, 2.0, 3.0], dtype)
    _, pullback = tnn.vjp(f, a, b)
    for_a, for_b = pullback(g)
    share = np.where(a == b, 0.5, np.where(f(a, b) == a, 1.0, 0.0))  # what a gets; b gets the rest
    assert_near(for_a, (g * share).sum(axis=1, keepdims=True), 1e-6)
    assert_near(for_b, (g * (1 - share)).sum(axis=0), 1e-6)


@floats
@pytest.mark.parametrize("f", [np.max, np.min])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_ties_of_a_reduction_share_equally(f, axis, dtype, rng):
    x = np.array([[3.0, 3.0, 1.0], [1.0, 3.0, 1.0]], dtype)
    g = np.asarray(rng.normal(size=np.shape(f(x, axis=axis))), dtype)
    tied = x == f(x, axis=axis, keepdims=True)
    spread = g if axis in (None, (0, 1)) else np.expand_dims(g, axis)
    expected = tied * spread / tied.sum(axis=axis, keepdims=True)
    assert_near(gradient_of(lambda x: f(x, axis=axis), x, g), expected, 1e-6)


@floats
@pytest.mark.parametrize("axis", [None, -1])
def test_the_norm_of_a_zero_vector_has_gradient_zero(axis, dtype, rng):
    x = np.array([[0.0, 0.0], [3.0, -4.0]], dtype)[: 1 if axis is None else 2]
    g = np.asarray(rng.normal(size=() if axis is None else 2), dtype)
    gradient = gradient_of(lambda x: np.linalg.norm(x, axis=axis), x, g)
    np.testing.assert_array_equal(gradient[0], [0, 0])
    assert_near(gradient[1:], (np.reshape(g, (-1, 1)) * x / 5)[1:], 1e-6)
    _, dy = tnn.jvp(lambda x: np.linalg.norm(x, axis=axis), (x,), (np.ones_like(x),))
    assert np.ravel(dy)[0] == 0


@floats
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -1e3 / 7])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_the_standard_deviation_of_a_constant_has_gradient_zero(value, count, dtype, rng):
    # 0.1 three times has a mean that is not 0.1, so its deviations are rounding errors.
    x = np.full((2, count), value, dtype)
    g = rng.normal(size=2).astype(dtype)
    np.testing.assert_array_equal(gradient_of(lambda x: x.std(axis=1), x, g), np.zeros_like(x))


@pytest.mark.parametrize("data", [[1, 2], [True, False], np.uint8(3), np.arange(3)])
def test_integers_and_booleans_cannot_require_a_gradient(data):
    with pytest.raises(DtypeError, match="floating"):
        Tensor(data, requires_grad=True)
    constant = Tensor(data)
    with pytest.raises(TypeError, match="floating"):
        constant.requires_grad = True
    with pytest.raises(DtypeError, match="floating"):
        tnn.grad(np.sum)(data)


# --- unselected branches ----------------------------------------------------------------------

BRANCHES = {  # the function, its oracle, and places where its derivative is not finite
    "sqrt": (np.sqrt, mp.sqrt, [0.0, -1.0, np.inf]),
    "log": (np.log, mp.log, [0.0, -1.0]),
    "log1p": (np.log1p, mp.log1p, [-1.0, -2.0]),
    "reciprocal": (np.reciprocal, lambda x: 1 / x, [0.0]),
    "1/x": (lambda x: 1 / x, lambda x: 1 / x, [0.0]),
    "x/x²": (lambda x: x / (x * x), lambda x: 1 / x, [0.0]),
    "x**0.5": (lambda x: x**0.5, mp.sqrt, [0.0, -1.0]),
    "x**-1.5": (lambda x: x**-1.5, lambda x: x ** mp.mpf(-1.5), [0.0, -1.0]),
    "x**2.5": (lambda x: x**2.5, lambda x: x ** mp.mpf(2.5), [0.0, -1.0]),
    "x**x": (lambda x: x**x, lambda x: x**x, [0.0, -0.5]),
    "0.5**-1/x": (lambda x: 0.5 ** (-1 / x), lambda x: mp.mpf(0.5) ** (-1 / x), [0.0]),
    "sqrt(log)": (lambda x: np.sqrt(np.log(x)), lambda x: mp.sqrt(mp.log(x)), [0.0, 0.5, 1.0]),
    "x·log": (lambda x: x * np.log(x), lambda x: x * mp.log(x), [0.0, -1.0]),
    "exp": (np.exp, mp.exp, [1e4]),
    "log1p(exp)": (lambda x: np.log1p(np.exp(x)), lambda x: mp.log1p(mp.exp(x)), [1e4]),
    "1 mod x": (lambda x: 1 % x, lambda x: 1 + 0 * x, [0.0]),
}


@floats
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize(("name", "bad"), [(n, x) for n, b in BRANCHES.items() for x in b[2]])
def test_an_unselected_branch_contributes_exactly_zero(name, bad, order, dtype, rng):
    f, oracle, _ = BRANCHES[name]
    good, v = 1.75, rng.uniform(0.5, 1.5, size=2).astype(dtype)

    def derivative(x, n):
        """The n-th derivative along v, without its last factor of v."""
        if n == 0:
            return np.sum(v * np.where(np.array([False, True]), f(x), 0))
        g = tnn.grad(lambda x: derivative(x, n - 1))(x)
        return g if n == order else np.sum(g * v)

    x = np.array([bad, good], dtype)
    with np.errstate(all="ignore"):  # the forward pass itself warns, as plain NumPy does
        gradient = derivative(x, order)
        _, dy = tnn.jvp(lambda x: np.where(np.array([False, True]), f(x), 0), (x,), (v,))
    assert gradient[0] == 0
    exact = float(mp.diff(oracle, mp.mpf(good), order)) * float(v[1]) ** order
    tolerance = 200 * np.finfo(dtype).eps
    assert_near(gradient[1], exact, tolerance)
    assert_near(dy, [0, float(mp.diff(oracle, mp.mpf(good))) * float(v[1])], tolerance)


# --- large arguments --------------------------------------------------------------------------

MAGNITUDES = [0.0, 1e-6, 0.3, 1.0, 5.0, 17.0, 40.0, 88.0, 100.0, 700.0, 1e3, 1e4]
LARGE = np.array([s * m for m in MAGNITUDES for s in (-1, 1)])


def sigma(z):
    return 1 / (1 + mp.exp(-z))


def exactly(f, *arrays):
    """Apply a function of mpmath numbers to each element, and round once."""
    return np.array([float(f(*map(mp.mpf, map(float, xs)))) for xs in zip(*arrays, strict=True)])


@floats
@pytest.mark.parametrize(
    ("f", "value", "slope"),
    [
        (activations.sigmoid, sigma, lambda z: sigma(z) * sigma(-z)),
        (activations.softplus, lambda z: mp.log1p(mp.exp(z)), sigma),
        (activations.tanh, mp.tanh, lambda z: mp.sech(z) ** 2),
    ],
)
def test_smooth_activations_are_right_however_large_the_argument(f, value, slope, dtype, rng):
    z = LARGE.astype(dtype)
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    np.testing.assert_allclose(f(z), exactly(value, z), rtol=8 * eps, atol=tiny)
    g = rng.uniform(0.5, 2, size=z.shape).astype(dtype)
    # tanh's slope, 1 − tanh², is exact to eps of 1; the others keep their relative precision.
    atol = 4 * eps if f is activations.tanh else tiny
    expected = g * exactly(slope, z)
    np.testing.assert_allclose(gradient_of(f, z, g), expected, rtol=8 * eps, atol=atol)


def logits(rng, dtype):
    """Rows of logits of every size, some with −∞ beside the largest."""
    z = rng.normal(size=(8, 5)) * np.array([[1, 1, 30, 100, 1e3, 1e4, 1, 1e4]]).T
    z[6, 1] = z[7, 0] = z[7, 2] = -np.inf
    return z.astype(dtype)


def exact_softmax(z):
    rows = [[mp.exp(mp.mpf(float(v)) - mp.mpf(float(max(row)))) for v in row] for row in z]
    return [[e / mp.fsum(row) for e in row] for row in rows]


@floats
@pytest.mark.parametrize("f", [activations.softmax, activations.log_softmax])
def test_softmax_and_its_logarithm_are_right_however_large_the_logits(f, dtype, rng):
    z = logits(rng, dtype)
    p = exact_softmax(z)
    g = np.where(np.isinf(z), 0, rng.normal(size=z.shape)).astype(dtype)
    y = [[mp.log(e) if e else -mp.inf for e in row] for row in p]
    expected = np.empty(z.shape)
    for i, row in enumerate(p):
        gi = [mp.mpf(float(v)) for v in g[i]]
        total = mp.fsum(a * b for a, b in zip(gi, row, strict=True))
        for j, e in enumerate(row):
            expected[i, j] = e * (gi[j] - total) if f is activations.softmax else 0
            if f is activations.log_softmax:
                expected[i, j] = gi[j] - e * mp.fsum(gi)
    value = np.array(p if f is activations.softmax else y, dtype=float)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(f(z), value, rtol=16 * eps, atol=16 * eps)
    np.testing.assert_allclose(gradient_of(f, z, g), expected, rtol=0, atol=16 * eps)


@floats
@pytest.mark.parametrize("kind", ["binary", "categorical", "sparse"])
def test_cross_entropies_from_logits_are_right_however_large_the_logits(kind, dtype, rng):
    eps = np.finfo(dtype).eps
    if kind == "binary":
        z = np.concatenate([LARGE, LARGE, [-np.inf, np.inf]]).astype(dtype)
        y = np.concatenate([rng.random(LARGE.size), LARGE > 0, [0, 1]]).astype(dtype)
        y[:4] = [0, 1, 1, 0]
        value = exactly(lambda y, z: mp.log1p(mp.exp(z)) - y * z, y[:-2], z[:-2])
        value = np.append(value, [0, 0])
        slope = np.append(exactly(lambda y, z: sigma(z) - y, y[:-2], z[:-2]), [0, 0])
        loss = losses.binary_cross_entropy
    else:
        z = logits(rng, dtype)
        label = np.array([0, 1, 2, 3, 4, 0, 2, 1])
        one_hot = np.eye(5, dtype=dtype)[label]
        p = exact_softmax(z)
        value = np.array([float(-mp.log(row[k])) for row, k in zip(p, label, strict=True)])
        slope = np.array(p, dtype=float) - one_hot
        sparse = kind == "sparse"
        y = label if sparse else one_hot
        loss = getattr(losses, f"{'sparse_' * sparse}categorical_cross_entropy")
    actual = loss(y, z, from_logits=True, reduction="none")
    np.testing.assert_allclose(actual, value, rtol=16 * eps, atol=16 * eps)
    g = rng.normal(size=actual.shape).astype(dtype)
    expected = slope * g.reshape(g.shape + (1,) * (z.ndim - g.ndim))
    gradient = gradient_of(lambda z: loss(y, z, from_logits=True, reduction="none"), z, g)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=32 * eps)


# --- probabilities at the ends of their interval ----------------------------------------------


@floats
@pytest.mark.parametrize("name", ["binary", "categorical", "sparse_categorical"])
@pytest.mark.parametrize("p", [0.0, 1.0])
@pytest.mark.parametrize("target", [0, 1])
def test_certain_probabilities_give_a_finite_loss_that_points_the_right_way(name, p, target, dtype):
    if name == "binary":
        y_true, y_pred = np.array([target], dtype), np.array([p], dtype)
        towards = np.array([1 if target else -1])
    else:
        y_pred = np.array([[1 - p, p]], dtype)
        y_true = np.eye(2, dtype=dtype)[[target]] if name == "categorical" else [target]
        towards = np.eye(2)[[target]]
    loss = getattr(losses, f"{name}_cross_entropy")
    value, right = float(loss(y_true, y_pred)), p == target
    assert value == pytest.approx(0, abs=1e-6) if right else 10 < value < np.inf
    gradient = gradient_of(lambda q: loss(y_true, q), y_pred)
    assert np.all(np.isfinite(gradient))
    assert np.all(gradient * towards <= 0)
    assert np.sum(gradient * towards) < (0 if right else -1e6)


@floats
def test_terms_with_probability_zero_are_zero_in_the_divergence(dtype, rng):
    p = np.array([[0.0, 0.25, 0.75], [0.5, 0.5, 0.0]], dtype)
    q = np.array([[0.5, 0.25, 0.25], [0.25, 0.75, 0.0]], dtype)
    g = rng.normal(size=2).astype(dtype)
    exact = [
        mp.fsum(a * mp.log(mp.mpf(a) / b) for a, b in zip(r, s, strict=True) if a)
        for r, s in zip(p.tolist(), q.tolist(), strict=True)
    ]
    value = losses.kl_divergence(p, q, reduction="none")
    np.testing.assert_allclose(value, np.array(exact, float), rtol=1e-6)
    gradient = gradient_of(lambda q: losses.kl_divergence(p, q, reduction="none"), q, g)
    safe = np.where(p > 0, q, 1)
    np.testing.assert_allclose(gradient, -g[:, None] * p / safe, rtol=1e-6)
