"""Derivatives at the places where the usual formulas divide by zero, or subtract infinities.

The oracles are closed forms: explicit products, expansions by permutations, limits.
"""

import itertools
import math

import numpy as np
import pytest
from sampling import assert_near

import tinygrad_nn as tnn

DTYPES = [np.float32, np.float64]
floats = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
INF = math.inf


def derivative(f, order):
    """The n-th derivative of an elementwise function."""
    for _ in range(order):
        f = tnn.grad(lambda x, f=f: np.sum(f(x)))
    return f


def numbers(f, *xs):
    """f(x), and its gradient and its matrix of second derivatives, for scalars x."""
    both = tuple(range(len(xs)))
    gradient = tnn.grad(f, both)(*xs)
    rows = [tnn.grad(lambda *xs, k=k: tnn.grad(f, k)(*xs), both)(*xs) for k in both]
    return np.asarray(f(*xs)), np.array(gradient), np.array(rows)


# --- elementwise ------------------------------------------------------------------------------


@floats
def test_sinc_at_zero_has_the_derivatives_of_its_series(dtype):
    # sin(πx) / (πx) = 1 − (πx)²/3! + (πx)⁴/5! − …
    expected = [1, 0, -(math.pi**2) / 3, 0, math.pi**4 / 5, 0, -(math.pi**6) / 7]
    for x in (0.0, -0.0):
        found = [derivative(np.sinc, n)(np.full((1,), x, dtype))[0] for n in range(7)]
        np.testing.assert_allclose(found, expected, rtol=32 * np.finfo(dtype).eps)


@floats
@pytest.mark.parametrize("spelled", ["int", "float", "array"])
@pytest.mark.parametrize("n", range(5))
def test_whole_powers_of_zero_have_the_derivatives_of_monomials(n, spelled, dtype):
    exponent = {"int": n, "float": float(n), "array": np.array([n])}[spelled]
    x = np.array([0.0], dtype)
    for order in range(6):
        found = derivative(lambda x: np.power(x, exponent), order)(x)
        assert found.tolist() == [math.factorial(n) if order == n else 0]


@floats
@pytest.mark.parametrize("f", [np.logaddexp, np.logaddexp2])
@pytest.mark.parametrize(
    ("a", "b", "share"),
    [
        (-INF, 0, 0), (0, -INF, 1), (INF, 0, 1), (0, INF, 0), (INF, -INF, 1), (-INF, INF, 0),
        (-INF, -INF, 0.5), (INF, INF, 0.5), (2e4, -2e4, 1), (-2e4, 2e4, 0), (0, 0, 0.5),
        (1e6, 1e6, 0.5), (-1e6, -1e6, 0.5), (1e30, 1e30, 0.5), (-1e30, -1e30, 0.5),
    ],
)  # fmt: skip
def test_the_shares_of_logaddexp_are_right_however_large_the_terms(f, a, b, share, dtype):
    y, gradient, second = numbers(f, dtype(a), dtype(b))
    np.testing.assert_array_equal(y, f(dtype(a), dtype(b)))
    assert_near(gradient, [share, 1 - share], 4 * np.finfo(dtype).eps)
    assert np.all(np.isfinite(second))
    if share in (0, 1):
        np.testing.assert_array_equal(second, np.zeros((2, 2)))


@floats
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("size", [-INF, -1e30, -1e6, 0.0, 1e6, 1e30, INF])
def test_equal_terms_of_a_log_sum_exp_share_equally(size, count, dtype):
    x = np.full(count, size, dtype)
    shares = tnn.grad(np.logaddexp.reduce)(x)
    assert_near(shares, np.full(count, 1 / count), 4 * np.finfo(dtype).eps)


@floats
@pytest.mark.parametrize("f", [np.hypot, np.arctan2])
@pytest.mark.parametrize("zeros", [*itertools.product([0.0, -0.0], repeat=2)])
def test_hypot_and_arctan2_are_level_at_the_origin(f, zeros, dtype):
    y, gradient, second = numbers(f, *map(dtype, zeros))
    np.testing.assert_array_equal(y, f(*map(dtype, zeros)))
    np.testing.assert_array_equal(gradient, [0, 0])
    np.testing.assert_array_equal(second, np.zeros((2, 2)))


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_hypot_and_arctan2_neither_overflow_nor_vanish(size):
    a, b = 3 * size, 4 * size
    assert_near(tnn.grad(np.hypot, (0, 1))(a, b), [0.6, 0.8], 1e-15)
    assert_near(np.multiply(tnn.grad(np.arctan2, (0, 1))(a, b), size), [0.16, -0.12], 1e-15)


# --- products with zeros ------------------------------------------------------------------------


def product(x, *without):
    return math.prod(v for i, v in enumerate(x) if i not in without)


def check_product(f, x, terms):
    """f is a sum of products: each term a weight, and how many leading elements it multiplies."""
    n = range(x.size)
    first = [sum(w * product(x[:m], i) for w, m in terms if i < m) for i in n]
    second = [
        [sum(w * product(x[:m], i, j) for w, m in terms if i != j and max(i, j) < m) for j in n]
        for i in n
    ]
    tolerance = 64 * np.finfo(x.dtype).eps
    assert_near(tnn.grad(f)(x), np.reshape(first, x.shape), tolerance)
    assert_near(tnn.hessian(f)(x), np.reshape(second, (x.size, x.size)), tolerance)


ZEROS = [(), (0,), (4,), (2,), (1, 3), (0, 1), (0, 2, 4), (0, 1, 2, 3), (0, 1, 2, 3, 4)]


@floats
@pytest.mark.parametrize("zeros", ZEROS, ids=str)
def test_products_with_zeros(zeros, dtype, rng):
    x = rng.uniform(0.5, 2, 5).astype(dtype)
    x[list(zeros)] = 0
    g = rng.normal(size=5)
    check_product(np.prod, x, [(1, 5)])
    check_product(np.nanprod, x, [(1, 5)])
    check_product(np.multiply.reduce, x, [(1, 5)])
    check_product(lambda x: np.sum(g * np.cumprod(x)), x, [(w, i + 1) for i, w in enumerate(g)])
    check_product(lambda x: np.sum(g * x.cumprod()), x, [(w, i + 1) for i, w in enumerate(g)])


@pytest.mark.parametrize("f", [np.prod, np.cumprod])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_products_with_zeros_along_an_axis(f, axis, rng):
    x = rng.uniform(0.5, 2, (3, 4, 3))
    x[rng.random(x.shape) < 0.4] = 0
    y, pullback = tnn.vjp(lambda x: f(x, axis=axis), x)
    g = rng.normal(size=y.shape)
    lines, weights = np.moveaxis(x, axis, -1), g if f is np.prod else np.moveaxis(g, axis, -1)
    expected = np.empty_like(lines)
    for where in np.ndindex(lines.shape[:-1]):
        terms = [(weights[where], x.shape[axis])]
        if f is np.cumprod:
            terms = [(w, i + 1) for i, w in enumerate(weights[where])]
        for i in range(x.shape[axis]):
            expected[(*where, i)] = sum(w * product(lines[where][:m], i) for w, m in terms if i < m)
    assert_near(pullback(g)[0], np.moveaxis(expected, -1, axis), 1e-14)


# --- determinants -----------------------------------------------------------------------------


def expanded(a, *fixed):
    """The determinant as a sum over permutations, differentiated by the elements at `fixed`."""
    total = 0.0
    for p in itertools.permutations(range(len(a))):
        if all(p[i] == j for i, j in fixed):
            even = np.linalg.det(np.eye(len(a))[list(p)])
            rows = [i for i in range(len(a)) if i not in {i for i, _ in fixed}]
            total += even * math.prod(a[i, p[i]] for i in rows)
    return total


@pytest.mark.parametrize(("n", "rank"), [(n, r) for n in range(1, 5) for r in range(n + 1)])
def test_determinants_of_matrices_of_any_rank(n, rank, rng):
    a = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, n))
    places = list(np.ndindex(n, n))
    first = [expanded(a, p) for p in places]
    assert_near(tnn.grad(np.linalg.det)(a), np.reshape(first, a.shape), 1e-13)
    second = [
        expanded(a, p, q) if p[0] != q[0] and p[1] != q[1] else 0.0 for p in places for q in places
    ]
    assert_near(tnn.hessian(np.linalg.det)(a), np.reshape(second, a.shape * 2), 1e-12)


def test_determinants_of_several_singular_matrices_and_of_the_identity(rng):
    a = np.stack([np.zeros((3, 3)), np.eye(3), np.diag([1.0, 1.0, 0.0]), np.ones((3, 3))])
    g = rng.normal(size=4)
    _, pullback = tnn.vjp(np.linalg.det, a)
    expected = [w * np.array([[expanded(m, (i, j)) for j in range(3)] for i in range(3)])
                for w, m in zip(g, a, strict=True)]  # fmt: skip
    assert_near(pullback(g)[0], expected, 1e-14)


# --- norms ------------------------------------------------------------------------------------


@floats
@pytest.mark.parametrize("order", [None, 1, 2, 3, 2.5, 0.5, 0, -1, -2, INF, -INF])
@pytest.mark.parametrize("axis", [None, 1])
def test_every_norm_of_the_zero_vector_has_gradient_zero(order, axis, dtype):
    x = np.zeros(3 if axis is None else (2, 3), dtype)
    with np.errstate(divide="ignore"):  # NumPy's own for negative orders
        y, pullback = tnn.vjp(lambda x: np.linalg.norm(x, order, axis), x)
        np.testing.assert_array_equal(y, np.zeros(y.shape))
        np.testing.assert_array_equal(pullback(np.ones_like(y))[0], np.zeros_like(x))


@floats
@pytest.mark.parametrize("order", [None, "fro", "nuc", 1, -1, 2, -2, INF, -INF])
def test_every_norm_of_the_zero_matrix_has_gradient_zero(order, dtype):
    x = np.zeros((2, 3), dtype)
    np.testing.assert_array_equal(tnn.grad(lambda x: np.linalg.norm(x, order))(x), x)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 0.5])
def test_a_zero_beside_other_elements_gets_nothing_from_a_norm(p):
    gradient = tnn.grad(lambda x: np.linalg.norm(x, p))(np.array([0.0, 3.0, -4.0]))
    size = (3**p + 4**p) ** (1 / p)
    assert_near(gradient, [0, (3 / size) ** (p - 1), -((4 / size) ** (p - 1))], 1e-14)


# --- repeated eigenvalues and singular values ---------------------------------------------------


def spectrum(values, rng):
    """A symmetric matrix with these eigenvalues, and its vectors."""
    v = np.linalg.qr(rng.normal(size=(len(values), len(values))))[0]
    return v @ np.diag(values) @ v.T, v


@pytest.mark.parametrize("values", [(2.0, 2.0), (1.0, 1.0, 3.0), (2.0, 2.0, 2.0), (0.0, 0.0, 1.0)])
def test_repeated_eigenvalues_in_a_sum_over_them(values, rng):
    a, v = spectrum(values, rng)
    gradient = tnn.grad(lambda a: np.sum(np.exp(np.linalg.eigvalsh(a))))(a)
    assert_near(gradient, v @ np.diag(np.exp(values)) @ v.T, 1e-12)
    assert_near(tnn.grad(lambda a: np.sum(np.linalg.eigvalsh(a)))(a), np.eye(len(values)), 1e-12)
    diagonal = np.diag(values)
    gradient = tnn.grad(lambda a: np.sum(np.exp(np.linalg.eigvalsh(a))))(diagonal)
    assert_near(gradient, np.diag(np.exp(values)), 1e-12)


def exponential(a):
    w, v = np.linalg.eigh(a)
    return np.matmul(v * np.exp(w), np.swapaxes(v, -1, -2))


@pytest.mark.parametrize("values", [(1.0, 2.0, 4.0), (1.0, 1.5, 3.0)])
def test_a_matrix_function_by_way_of_eigenvectors(values, rng):
    # The derivative of ⟨c, exp(a)⟩ is that of Daleckii and Krein: divided differences of exp.
    a, v = spectrum(values, rng)
    c = rng.normal(size=a.shape)
    c = c + c.T
    divided = [
        [math.exp(p) if p == q else (math.exp(p) - math.exp(q)) / (p - q) for q in values]
        for p in values
    ]
    gradient = tnn.grad(lambda a: np.sum(c * exponential(a)))(a)
    assert_near(gradient, v @ (divided * (v.T @ c @ v)) @ v.T, 1e-12)


@pytest.mark.parametrize("values", [(2.0, 2.0), (1.0, 1.0, 3.0), (2.0, 2.0, 2.0)])
def test_vectors_of_repeated_eigenvalues_have_no_derivative_and_none_is_invented(values, rng):
    c = rng.normal(size=(len(values), len(values)))
    gradient = tnn.grad(lambda a: np.sum(c * exponential(a)))(np.diag(values))
    assert np.any(np.isnan(gradient))
    curvature = tnn.hvp(
        lambda a: np.sum(np.linalg.eigvalsh(a) ** 2), (np.diag(values),), (c + c.T,)
    )
    assert np.any(np.isnan(curvature))


@pytest.mark.parametrize("scale", [(1.0, 1.0), (1.0, 1.0, 1.0), (3.0, 2.0, 2.0)])
def test_repeated_singular_values(scale, rng):
    # The nuclear norm of a positive definite matrix is its trace nearby, to first order.
    nuclear = tnn.grad(lambda a: np.linalg.norm(a, "nuc"))
    a = np.diag(scale)
    assert_near(nuclear(a), np.eye(len(scale)), 1e-12)
    squares = tnn.grad(lambda a: np.sum(np.linalg.svdvals(a) ** 2))
    assert_near(squares(a), 2 * a, 1e-12)
    turn = np.linalg.qr(rng.normal(size=a.shape))[0]
    assert_near(nuclear(turn @ a), turn, 1e-12)


def test_vectors_of_repeated_singular_values_have_no_derivative_and_none_is_invented():
    def polar(a):
        u, _, vh = np.linalg.svd(a)
        return np.matmul(u, vh)

    direction = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert np.any(np.isnan(tnn.grad(lambda a: np.sum(direction * polar(a)))(np.eye(2))))
    squares = lambda a: np.sum(np.linalg.svdvals(a) ** 2)
    assert np.any(np.isnan(tnn.hvp(squares, (np.eye(2),), (direction,))))
