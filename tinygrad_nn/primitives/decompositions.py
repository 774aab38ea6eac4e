"""Rows of matrix decompositions, and what is computed from them.

A row has one output, so the factors of a decomposition are joined along an axis, and cut apart
again by indexing. Where singular values or eigenvalues coincide, their vectors may turn freely and
have no derivative: a cotangent that comes through such vectors makes NaN of the gradient, and one
that comes through the values alone does not.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._typing import Array
from ..errors import MissingDerivativeError
from .arrays import as_array
from .elementwise import stop_gradient
from .primitive import Call, Primitive, Trait, call, d
from .table import define, rewrite

__all__ = ["SOLVED", "SVD", "invertible", "singular_values", "transposed"]

TALL = (call((4, 3)), call((3, 3)), call((2, 4, 2)))
SQUARE = (call((3, 3)), call((2, 3, 3)))


def transposed(a: Array) -> Array:
    """Matrices with their last two axes exchanged."""
    return np.swapaxes(a, -1, -2)


def _product(*factors: Array) -> Array:
    return functools.reduce(np.matmul, factors)


def _symmetric(a: Array) -> Array:
    return (a + transposed(a)) / 2


def _inverse(x: Array) -> Array:
    """1 / x, and 0 where x is 0."""
    return np.where(x == 0, 0, 1 / np.where(x == 0, 1, x))


def _over_gaps(turn: Array, gaps: Array, touched: Array) -> Array:
    """The quotient off the diagonal; NaN where there is no gap, but a cotangent has touched."""
    off = ~np.eye(gaps.shape[-1], dtype=bool)
    level = (gaps == 0) | ~off
    lost = level & off & ((touched != 0) | (transposed(touched) != 0))
    return np.where(lost, np.nan, np.where(level, 0, turn) / np.where(level, 1, gaps))


@functools.cache
def _result_type(function: Callable[[Array], Any]) -> Callable[..., Any]:
    """The named tuple that a decomposition of NumPy returns."""
    return type(function(np.eye(1, dtype=np.float64)))


def invertible(rng: "np.random.Generator", sample: Call) -> list[Array]:
    """Matrices far from singular, and right-hand sides."""
    return [
        rng.normal(size=shape) + (np.diag([2 * math.sqrt(shape[-1])] * shape[-1]) if i == 0 else 0)
        for i, shape in enumerate(sample.shapes)
    ]


def _symmetric_sample(rng: "np.random.Generator", sample: Call) -> list[Array]:
    return [_symmetric(rng.normal(size=shape)) for shape in sample.shapes]


def _positive_definite(rng: "np.random.Generator", sample: Call) -> list[Array]:
    (shape,) = sample.shapes
    a = rng.normal(size=shape)
    return [a @ transposed(a) + np.eye(shape[-1], dtype=np.float64)]


# --- forward: each decomposition as one array -------------------------------------------------


def _eigh(a: Array) -> Array:
    w, v = np.linalg.eigh(_symmetric(a))
    return np.concatenate([w[..., None, :], v], axis=-2)  # (n + 1, n): the values, the vectors


def _svd(a: Array) -> Array:
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    return np.concatenate([u, s[..., None, :], transposed(vh)], axis=-2)  # (m + 1 + n, k)


def _qr(a: Array) -> Array:
    if a.shape[-2] < a.shape[-1]:
        raise ValueError("a wide matrix is decomposed through its first columns")
    q, r = np.linalg.qr(a)
    return np.concatenate([q, transposed(r)], axis=-2)  # (m + n, n)


def _cholesky(a: Array) -> Array:
    if hasattr(a, "__dask_graph__"):  # whose function of this name gives Lᵀ
        raise MissingDerivativeError("cholesky: there is no derivative for Dask arrays")
    return np.linalg.cholesky(_symmetric(a))


def _solved(a: Array, b: Array) -> Array:
    """a⁻¹ b for matrices; NaN where one is singular, so that a rule need not fail for it."""
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        if a.ndim == 2:
            return np.full_like(b, np.nan)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, batch + a.shape[-2:])
    b = np.broadcast_to(b, batch + b.shape[-2:])
    return np.reshape(np.stack([_solved(a[i], b[i]) for i in np.ndindex(batch)]), b.shape)


# --- backward ---------------------------------------------------------------------------------


def _eigh_back(g: Array, y: Array, a: Array) -> Array:
    w, v = y[..., 0, :], y[..., 1:, :]
    n = a.shape[-1]
    gaps = np.expand_dims(w, -2) - np.expand_dims(w, -1)  # wⱼ − wᵢ
    turn = np.matmul(transposed(v), g[..., 1:, :])
    turn = _over_gaps(turn, gaps, turn)
    stretch = np.eye(n, dtype=a.dtype) * np.expand_dims(g[..., 0, :], -2)
    return _symmetric(_product(v, stretch + turn, transposed(v)))


def _svd_back(g: Array, y: Array, a: Array) -> Array:
    m, k = a.shape[-2], y.shape[-1]
    u, s, v = y[..., :m, :], y[..., m, :], y[..., m + 1 :, :]
    gu, gs, gv = g[..., :m, :], g[..., m, :], g[..., m + 1 :, :]
    row, column = np.expand_dims(s, -2), np.expand_dims(s, -1)
    gaps = (row - column) * (row + column)  # sⱼ² − sᵢ²
    turn_u, turn_v = np.matmul(transposed(u), gu), np.matmul(transposed(v), gv)
    turn = (turn_u - transposed(turn_u)) * row + column * (turn_v - transposed(turn_v))
    touched = np.abs(turn_u) + np.abs(turn_v)
    stretch = np.eye(k, dtype=a.dtype) * np.expand_dims(gs, -2)
    inside = stretch + _over_gaps(turn, gaps, touched)
    found = _product(u, inside, transposed(v))
    # What of the vectors' cotangents lies outside the space that they span.
    scale = _inverse(row)
    if m > k:
        beyond = gu - np.matmul(u, turn_u)
        found = found + np.matmul(beyond * scale, transposed(v))
    if a.shape[-1] > k:
        beyond = gv - np.matmul(v, turn_v)
        found = found + np.matmul(u * scale, transposed(beyond))
    return found


def _qr_back(g: Array, y: Array, a: Array) -> Array:
    m = a.shape[-2]
    q, r = y[..., :m, :], transposed(y[..., m:, :])
    gq, gr = g[..., :m, :], np.triu(transposed(g[..., m:, :]))
    mixed = np.matmul(r, transposed(gr)) - np.matmul(transposed(gq), q)
    lower = np.tril(mixed, -1)
    full = np.tril(mixed) + transposed(lower)
    return transposed(SOLVED(r, transposed(gq + np.matmul(q, full))))


def _cholesky_back(g: Array, y: Array, a: Array) -> Array:
    inside = np.tril(np.matmul(transposed(y), np.tril(g)))
    half = inside - np.eye(a.shape[-1], dtype=a.dtype) * inside / 2
    left = SOLVED(transposed(y), half)  # L⁻ᵀ P
    return _symmetric(transposed(SOLVED(transposed(y), transposed(left))))


def _pinv_back(
    g: Array, y: Array, a: Array, rcond: Any = None, rtol: Any = None, hermitian: bool = False
) -> Array:
    yt, gt = transposed(y), transposed(g)
    left, right = np.matmul(gt, y), np.matmul(y, gt)
    return (
        np.matmul(left - _product(a, y, left), yt)
        + np.matmul(yt, right - _product(right, y, a))
        - _product(yt, g, yt)
    )


def _lstsq(a: Array, b: Array, rcond: float | None = None) -> Array:
    return np.linalg.lstsq(a, b, rcond)[0]


def _pinv_as_lstsq(a: Array, rcond: float | None) -> Array:
    """The pseudoinverse with lstsq's own idea of which singular values count."""
    exact = a.dtype if a.dtype.kind == "f" else np.float64
    smallest = float(np.finfo(exact).eps) * max(a.shape) if rcond is None else rcond
    return np.linalg.pinv(a, smallest)


def _lstsq_left(g: Array, y: Array, a: Array, b: Array, rcond: float | None = None) -> Array:
    # x = a⁺ b, so that a⁺ receives g bᵀ
    if b.ndim == 1:
        g, b = np.expand_dims(g, 1), np.expand_dims(b, 1)
    return _pinv_back(np.matmul(g, transposed(b)), _pinv_as_lstsq(a, rcond), a)


def _lstsq_right(g: Array, y: Array, a: Array, b: Array, rcond: float | None = None) -> Array:
    return np.matmul(transposed(_pinv_as_lstsq(a, rcond)), g)


# A row is a line of mathematics: see elementwise.py.
# fmt: off

SOLVED: Primitive = define(_solved, "a⁻¹ b, NaN where a is singular", Trait.NONE,
       d("−a⁻ᵀ g yᵀ", lambda g, y, a, b: -np.matmul(SOLVED(transposed(a), g), transposed(y))),
       d("a⁻ᵀ g", lambda g, y, a, b: SOLVED(transposed(a), g)),
       name="tinygrad_nn.solved", parameters="a b",
       calls=(call((3, 3), (3, 2)), call((2, 3, 3), (2, 3, 2))), sampler=invertible)
EIGH: Primitive = define(_eigh, "w and V of a = V diag(w) Vᵀ", Trait.NONE,
       d("V (diag(g_w) + Vᵀ g_V / (wⱼ − wᵢ)) Vᵀ", _eigh_back),
       name="tinygrad_nn.eigh", parameters="a", calls=SQUARE, sampler=_symmetric_sample)
SVD: Primitive = define(_svd, "U, s and V of a = U diag(s) Vᵀ", Trait.NONE,
       d("U (diag(g_s) + skew(Uᵀ g_U)·sⱼ / (sⱼ² − sᵢ²) + sᵢ·skew(Vᵀ g_V) / (sⱼ² − sᵢ²)) Vᵀ + …",
         _svd_back),
       name="tinygrad_nn.svd", parameters="a", calls=(*TALL, call((2, 4))))
QR: Primitive = define(_qr, "Q and R of a = Q R", Trait.NONE,
       d("(g_Q + Q sym(tril(R g_Rᵀ − g_Qᵀ Q))) R⁻ᵀ", _qr_back),
       name="tinygrad_nn.qr", parameters="a", calls=TALL)
CHOLESKY: Primitive = define(_cholesky, "L of a = L Lᵀ", Trait.NONE,
       d("sym(L⁻ᵀ Φ(Lᵀ g) L⁻¹), where Φ keeps the lower triangle, and half of the diagonal",
         _cholesky_back),
       name="tinygrad_nn.cholesky", parameters="a", calls=SQUARE, sampler=_positive_definite)
define(np.linalg.pinv, "a⁺", Trait.NONE,
       d("(1 − a y) gᵀ y yᵀ + yᵀ y gᵀ (1 − y a) − yᵀ g yᵀ", _pinv_back),
       parameters="a rcond hermitian rtol", calls=(*TALL, call((2, 4))))
LSTSQ = define(_lstsq, "the x that brings a x nearest to b", Trait.NONE,
       d("what a⁺ would receive from g bᵀ", _lstsq_left),
       d("(a⁺)ᵀ g", _lstsq_right),
       name="tinygrad_nn.lstsq", parameters="a b rcond",
       calls=(call((4, 2), (4,)), call((3, 3), (3, 2)), call((2, 4), (2, 3))))

# fmt: on


# NumPy looks at one triangle only. Here both count, by half each, so that the gradient of a
# symmetric matrix is symmetric too, and moving along it leaves it so.


@rewrite("numpy.linalg.eigh", "w and V of a = V diag(w) Vᵀ", always=True)
def _eigh_call(a: Array, UPLO: str = "L") -> Any:
    _check_triangle(UPLO)
    packed = EIGH(a)
    return _result_type(np.linalg.eigh)(packed[..., 0, :], packed[..., 1:, :])


@rewrite("numpy.linalg.eigvalsh", "w of a = V diag(w) Vᵀ", *SQUARE, sampler=_symmetric_sample,
         always=True)  # fmt: skip
def _eigvalsh(a: Array, UPLO: str = "L") -> Array:
    _check_triangle(UPLO)
    return EIGH(a)[..., 0, :]


def _check_triangle(UPLO: str) -> None:
    if UPLO.upper() not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")


@rewrite("numpy.linalg.svd", "U, s and Vᵀ of a = U diag(s) Vᵀ", call((4, 3), compute_uv=False))
def _svd_call(
    a: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    if hermitian:
        return _svd_of_symmetric(a, compute_uv)
    if not compute_uv:
        return singular_values(a)
    m, n = a.shape[-2:]
    if full_matrices and m != n:
        raise MissingDerivativeError(
            "numpy.linalg.svd: there is no derivative for full_matrices=True of a matrix that is "
            "not square, whose further vectors are arbitrary; use full_matrices=False"
        )
    packed = SVD(a)
    u, s, v = packed[..., :m, :], packed[..., m, :], packed[..., m + 1 :, :]
    return _result_type(np.linalg.svd)(u, s, transposed(v))


def _svd_of_symmetric(a: Array, compute_uv: bool) -> Any:
    """The singular values are the sizes of the eigenvalues, the largest first."""
    packed = EIGH(a)
    w, v = packed[..., 0, :], packed[..., 1:, :]
    order = np.flip(np.argsort(np.abs(w), axis=-1), -1)
    s = np.take_along_axis(np.abs(w), order, axis=-1)
    if not compute_uv:
        return s
    sign = np.expand_dims(np.take_along_axis(np.sign(w), order, axis=-1), -2)
    u = np.take_along_axis(v, np.expand_dims(order, -2), axis=-1)
    return _result_type(np.linalg.svd)(u, s, transposed(u * sign))


@rewrite("numpy.linalg.svdvals", "s of a = U diag(s) Vᵀ", call((3, 4)))
def singular_values(x: Array, /) -> Array:
    """The singular values of matrices, the largest first."""
    return SVD(x)[..., x.shape[-2], :]


@rewrite("numpy.linalg.qr", "Q and R of a = Q R", call((3, 4), mode="r"), call((4, 2), mode="r"))
def _qr_call(a: Array, mode: str = "reduced") -> Any:
    m, n = a.shape[-2:]
    if mode not in ("reduced", "r", "complete") or (mode == "complete" and m > n):
        raise MissingDerivativeError(
            f"numpy.linalg.qr: there is no derivative with mode={mode!r} for a matrix of shape "
            f"{(m, n)}; use mode='reduced'"
        )
    packed = QR(a[..., :m])
    q, r = packed[..., :m, :], transposed(packed[..., m:, :])
    if n > m:  # the columns beyond the square follow from it: Qᵀ a
        r = np.concatenate([r, np.matmul(transposed(q), a[..., m:])], axis=-1)
    return r if mode == "r" else _result_type(np.linalg.qr)(q, r)


@rewrite("numpy.linalg.cholesky", "L of a = L Lᵀ", *SQUARE, call((3, 3), upper=True),
         sampler=_positive_definite, always=True)  # fmt: skip
def _cholesky_call(a: Array, /, *, upper: bool = False) -> Array:
    return transposed(CHOLESKY(a)) if upper else CHOLESKY(a)


@rewrite("numpy.linalg.lstsq", "the x that brings a x nearest to b, and what is left")
def _lstsq_call(a: Array, b: Array, rcond: float | None = None) -> Any:
    a, b = as_array(a), as_array(b)
    _, residuals, rank, _ = np.linalg.lstsq(stop_gradient(a), stop_gradient(b), rcond)
    x = LSTSQ(a, b, rcond=rcond)
    if residuals.size:
        left = np.square(b - np.matmul(a, x))
        residuals = np.reshape(np.sum(left, axis=0), residuals.shape)
    return x, residuals, rank, singular_values(a)
