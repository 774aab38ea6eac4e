"""Rows of `numpy.linalg`: norms, determinants, inverses, solutions."""

import math
import operator
import string
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .._typing import Array, Axis
from .arrays import as_array
from .decompositions import SOLVED, invertible, singular_values, transposed
from .elementwise import stop_gradient
from .indexing import SCATTER
from .primitive import NONZERO, Primitive, Trait, call, d
from .products import EINSUM
from .shaping import as_rows
from .table import constant, define, rewrite

__all__ = ["NORM"]

SQUARE = (call((3, 3)), call((2, 3, 3)), call((1, 1)))


# --- norms ------------------------------------------------------------------------------------


def _over_norm(g: Array, y: Array, axis: Axis, keepdims: bool) -> tuple[Array, Array]:
    """Both with their axes back, such that g / y is 0 where y is.

    A norm has a kink at the zero vector; the row takes the subgradient 0 there.
    """
    if axis is not None and not keepdims:
        g, y = np.expand_dims(g, axis), np.expand_dims(y, axis)  # (...) -> (..., 1)
    return np.where(y == 0, 0, g), np.where(y == 0, 1, y)


def _norm(g: Array, y: Array, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    g, y = _over_norm(g, y, axis, keepdims)
    return g / y * x


def _p_norm(x: Array, p: float, axis: Axis = None, keepdims: bool = False) -> Array:
    return np.linalg.norm(x, p, axis, keepdims)


def _p_norm_back(
    g: Array, y: Array, x: Array, *, p: float, axis: Axis = None, keepdims: bool = False
) -> Array:
    g, y = _over_norm(g, y, axis, keepdims)
    size = np.where(x == 0, 1, np.abs(x))  # sign x is 0 there, and 0⁻¹ has no value
    return g * np.sign(x) * (size / y) ** (p - 1)


def _solve_left(g: Array, y: Array, a: Array, b: Array) -> Array:
    back = _solve_right(g, y, a, b)
    if b.ndim == 1:  # (..., n) · (..., n) -> (..., n, n)
        return -np.expand_dims(back, -1) * np.expand_dims(y, -2)
    return -np.matmul(back, transposed(y))


def _solve_right(g: Array, y: Array, a: Array, b: Array) -> Array:
    if b.ndim == 1:  # a batch of vectors would be taken for one matrix
        column = np.linalg.solve(transposed(a), np.expand_dims(g, -1))  # (..., n, 1)
        return np.squeeze(column, axis=-1)
    return np.linalg.solve(transposed(a), g)


# --- determinants -----------------------------------------------------------------------------


def _cofactors(a: Array) -> Array:
    """The derivative of det a: every cofactor, and exactly so where a is singular."""
    finite = np.all(np.isfinite(a), axis=(-2, -1), keepdims=True)
    u, s, vh = np.linalg.svd(np.where(finite, a, 0))
    n = s.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1, s[..., None, :])  # row i leaves sᵢ out
    sign = np.linalg.det(u) * np.linalg.det(vh)
    scaled = u * np.prod(others, axis=-1)[..., None, :]
    found = sign[..., None, None] * np.matmul(scaled, vh)
    return np.where(finite, found, np.nan).astype(a.dtype)


def _minors(n: int) -> tuple[Array, Array]:
    """Where the minors of an n × n matrix lie: rows (n, 1, n − 1, 1), columns (n, 1, n − 1)."""
    others = np.array([[j for j in range(n) if j != i] for i in range(n)], dtype=np.intp)
    others = others.reshape(n, max(n - 1, 0))
    return others[:, None, :, None], others[None, :, None, :]


def _cofactors_back(g: Array, y: Array, a: Array) -> Array:
    # A cofactor is ± the determinant of a minor, and so is differentiated as one.
    n = a.shape[-1]
    rows, columns = _minors(n)
    places = np.arange(n)
    sign = np.where((places[:, None] + places) % 2, -1, 1).astype(a.dtype)
    minors = a[..., rows, columns]  # (..., n, n, n − 1, n − 1)
    parts = np.expand_dims(g * sign, (-2, -1)) * COFACTORS(minors)
    return SCATTER(parts, shape=a.shape, index=(Ellipsis, rows, columns))


def _log_det_back(g: Array, y: Array, a: Array) -> Array:
    identity = np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    return np.expand_dims(g, (-2, -1)) * SOLVED(transposed(a), identity)


# A row is a line of mathematics: see elementwise.py.
# fmt: off

NORM = define(np.linalg.norm, "‖x‖ = √Σx²", Trait.NONE,
       d("g·x / y, 0 where y = 0", _norm),
       name="tinygrad_nn.norm", parameters="x axis keepdims",
       calls=(call((3, 4)), call((4,)), call((3, 4), axis=-1), call((3, 4), axis=(0, 1)),
              call((3, 4), axis=0, keepdims=True)))
P_NORM = define(_p_norm, "(Σ|x|ᵖ)¹ᐟᵖ", Trait.NONE,
       d("g·sign x·(|x| / y)ᵖ⁻¹, 0 where y = 0", _p_norm_back),
       name="tinygrad_nn.p_norm", parameters="x p axis keepdims", domains=(NONZERO,),
       calls=(call((4,), p=3), call((3, 4), p=2.5, axis=1),
              call((3, 4), p=-2, axis=0, keepdims=True)))
define(np.linalg.inv, "a⁻¹", Trait.ANALYTIC,
       d("−yᵀ g yᵀ", lambda g, y, a: -np.matmul(np.matmul(transposed(y), g), transposed(y))),
       parameters="a", calls=SQUARE, sampler=invertible)
define(np.linalg.solve, "a⁻¹ b", Trait.ANALYTIC,
       d("−a⁻ᵀ g yᵀ", _solve_left),
       d("a⁻ᵀ g", _solve_right),
       parameters="a b", sampler=invertible,
       calls=(call((3, 3), (3,)), call((3, 3), (3, 2)), call((2, 3, 3), (3, 2)),
              call((2, 3, 3), (3,)), call((3, 3), (2, 3, 4))))
define(np.linalg.det, "det a", Trait.ANALYTIC,
       d("g times each cofactor", lambda g, y, a: np.expand_dims(g, (-2, -1)) * COFACTORS(a)),
       parameters="a", calls=SQUARE)
COFACTORS: Primitive = define(_cofactors, "every cofactor of a", Trait.NONE,
       d("Σ of g times the derivative of each minor", _cofactors_back),
       name="tinygrad_nn.cofactors", parameters="a", calls=SQUARE)
LOG_DET = define(lambda a: np.linalg.slogdet(a)[1], "ln |det a|", Trait.NONE,
       d("g·a⁻ᵀ", _log_det_back),
       name="tinygrad_nn.log_det", parameters="a", calls=SQUARE, sampler=invertible)

# fmt: on

constant("linalg.matrix_rank")


@rewrite("numpy.linalg.slogdet", "the sign and ln |det a|", *SQUARE, sampler=invertible)
def _slogdet(a: Array) -> Any:
    found = np.linalg.slogdet(stop_gradient(a))
    return found._replace(logabsdet=LOG_DET(a))


@rewrite(
    "numpy.linalg.norm",
    "‖x‖, of any order",
    *(call((4,), ord=order) for order in (1, 2, 3, math.inf, -math.inf, -1)),
    *(call((3, 4), ord=order) for order in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf)),
    call((2, 3, 4), ord="nuc", axis=(0, 2), keepdims=True),
    call((4,), ord=0),
)
def _norm_call(x: Array, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Array:
    x = as_array(x)
    given = None if axis is None else normalize_axis_tuple(axis, x.ndim)
    if ord is None:
        return NORM(x, axis=given, keepdims=keepdims)
    axes = tuple(range(x.ndim)) if given is None else given
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) == 2:
        return _matrix_norm(x, ord, axes, keepdims)
    raise ValueError("Improper number of dimensions to norm.")


def _vector_norm(x: Array, order: Any, axes: tuple[int, ...], keepdims: bool) -> Array:
    if order == 2:
        return NORM(x, axis=axes, keepdims=keepdims)
    if order == 1:
        return np.sum(np.abs(x), axis=axes, keepdims=keepdims)
    if order == math.inf and x.size == 0:
        return np.sum(np.abs(x), axis=axes, keepdims=keepdims)  # the largest of nothing is 0
    if order == math.inf:
        return np.max(np.abs(x), axis=axes, keepdims=keepdims)
    if order == -math.inf:
        return np.min(np.abs(x), axis=axes, keepdims=keepdims)
    if order == 0:  # how many are not zero: level everywhere else
        return np.linalg.norm(stop_gradient(x), 0, axes[0], keepdims)
    if isinstance(order, str):
        raise ValueError(f"Invalid norm order {order!r} for vectors")
    return P_NORM(x, p=order, axis=axes[0], keepdims=keepdims)


def _matrix_norm(x: Array, order: Any, axes: tuple[int, ...], keepdims: bool) -> Array:
    if order in ("fro", "f"):
        return NORM(x, axis=axes, keepdims=keepdims)
    if order in (1, -1, math.inf, -math.inf):
        across, along = axes if abs(order) == 1 else axes[::-1]
        sums = np.sum(np.abs(x), axis=across, keepdims=True)
        y = (np.max if order > 0 else np.min)(sums, axis=along, keepdims=True)
    elif order in ("nuc", 2, -2):
        s = singular_values(np.moveaxis(x, axes, (-2, -1)))
        pick: Any = {"nuc": np.sum, 2: np.max, -2: np.min}[order]
        # The zero matrix is a kink, as the zero vector is.
        y = np.where(np.all(s == 0, axis=-1), 0, pick(s, axis=-1))
        y = np.expand_dims(y, axes)
    else:
        raise ValueError(f"Invalid norm order {order!r} for matrices")
    return y if keepdims else np.squeeze(y, axis=axes)


@rewrite("numpy.linalg.vector_norm", "‖x‖, of any order", call((3, 4)), call((3, 4), axis=1, ord=3),
         call((3, 4), ord=1, keepdims=True))  # fmt: skip
def _linalg_vector_norm(
    x: Array,
    /,
    *,
    axis: Axis = None,
    keepdims: bool = False,
    ord: Any = 2,
) -> Array:
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    rows, kept = as_rows(x, axes)
    y = _vector_norm(rows, ord, (rows.ndim - 1,), False)
    return np.reshape(y, kept) if keepdims else y


@rewrite("numpy.linalg.matrix_norm", "‖x‖, of any order", call((2, 3, 4)), call((3, 4), ord=2))
def _linalg_matrix_norm(
    x: Array,
    /,
    *,
    keepdims: bool = False,
    ord: Any = "fro",
) -> Array:
    return _matrix_norm(x, ord, (x.ndim - 2, x.ndim - 1), keepdims)


@rewrite("numpy.linalg.cond", "‖a‖·‖a⁻¹‖", call((3, 3)), call((3, 3), p=1), call((3, 3), p="fro"),
         call((3, 3), p=-2), sampler=invertible)  # fmt: skip
def _cond(x: Array, p: Any = None) -> Array:
    if p in (None, 2, -2):
        s = singular_values(x)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    axes = (x.ndim - 2, x.ndim - 1)
    return _matrix_norm(x, p, axes, False) * _matrix_norm(np.linalg.inv(x), p, axes, False)


@rewrite("numpy.linalg.matrix_power", "aⁿ", *(call((3, 3), n=n) for n in (0, 1, 2, 5, -3)),
         sampler=invertible)  # fmt: skip
def _matrix_power(a: Array, n: int) -> Array:
    n = operator.index(n)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    if n == 0:
        return np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    if n < 0:
        a, n = np.linalg.inv(a), -n
    power = None
    while n:  # a, a², a⁴, …: those that add up to n are multiplied
        if n % 2:
            power = a if power is None else np.matmul(power, a)
        n //= 2
        a = np.matmul(a, a) if n else a
    return power


@rewrite("numpy.linalg.multi_dot", "a b c …, in the cheapest order", call((2, 3), (3, 4), (4, 2)),
         call((3,), (3, 4), (4,)), variadic=True)  # fmt: skip
def _multi_dot(arrays: Any, *, out: None = None) -> Array:
    arrays = [as_array(a) for a in arrays]
    if len(arrays) < 2:
        raise ValueError("Expecting at least two arrays.")
    letters = string.ascii_letters
    last = len(arrays) - 1
    terms = [letters[i : i + 2] for i in range(len(arrays))]
    output = letters[0] + letters[last + 1]
    if np.ndim(arrays[0]) == 1:  # a row, which has lost its first axis
        terms[0], output = terms[0][1:], output[1:]
    if np.ndim(arrays[last]) == 1:
        terms[last], output = terms[last][:1], output[:-1]
    return EINSUM(*arrays, subscripts=",".join(terms) + "->" + output, optimize="optimal")


@rewrite("numpy.linalg.tensorinv", "the inverse of tensordot with a", call((4, 2, 2), ind=1),
         sampler=lambda rng, sample: [a.reshape(s) for a, s in zip(
             invertible(rng, call((4, 4))), sample.shapes, strict=True)])  # fmt: skip
def _tensorinv(a: Array, ind: int = 2) -> Array:
    n = math.prod(a.shape[ind:])
    return np.reshape(np.linalg.inv(np.reshape(a, (n, n))), a.shape[ind:] + a.shape[:ind])


@rewrite("numpy.linalg.tensorsolve", "x of tensordot(a, x) = b")
def _tensorsolve(a: Array, b: Array, axes: Any = None) -> Array:
    a, b = as_array(a), as_array(b)
    if axes is not None:
        moved = normalize_axis_tuple(axes, a.ndim)
        a = np.transpose(a, (*(i for i in range(a.ndim) if i not in moved), *moved))
    shape = a.shape[b.ndim :]
    n = math.prod(shape)
    return np.reshape(np.linalg.solve(np.reshape(a, (n, n)), np.reshape(b, (n,))), shape)
