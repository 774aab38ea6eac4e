"""Rows and compositions that multiply arrays: matmul, einsum, and all that they spell."""

import math
import operator
import string
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .._typing import Array
from .arrays import as_array
from .primitive import Trait, call, d
from .table import define, rewrite

__all__ = ["EINSUM", "dot"]

SYMBOLS = sorted(string.ascii_letters)  # in order, so that axis numbers keep theirs


def _transposed(a: Array) -> Array:
    return a.T if a.ndim == 2 else np.swapaxes(a, -1, -2)  # the same, in a tenth of the time


def _matmul_left(g: Array, y: Array, a: Array, b: Array) -> Array:
    if b.ndim == 1:  # (..., n) -> (..., n, 1) · (1, k): y lost the column that b stands for
        return np.expand_dims(g, -1) * b
    if a.ndim == 1:  # the row that a stands for comes back, and leaves again
        row = np.matmul(np.expand_dims(g, -2), _transposed(b))  # (..., 1, k)
        return np.squeeze(row, axis=-2)
    return np.matmul(g, _transposed(b))


def _matmul_right(g: Array, y: Array, a: Array, b: Array) -> Array:
    if a.ndim == 1 and b.ndim == 1:
        return g * a
    if a.ndim == 1:  # (k, 1) · (..., 1, n)
        return np.expand_dims(a, -1) * np.expand_dims(g, -2)
    if b.ndim == 1:  # (..., k, m) · (..., m, 1)
        column = np.matmul(_transposed(a), np.expand_dims(g, -1))
        return np.squeeze(column, axis=-1)
    return np.matmul(_transposed(a), g)


def _einsum(arrays: Sequence[Array], subscripts: str, optimize: Any = False) -> Array:
    return np.einsum(subscripts, *arrays, optimize=optimize)


def _uneinsum(
    g: Array, y: Array, *arrays: Array, subscripts: str, optimize: Any = False
) -> list[Array]:
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")

    def part(k: int) -> Array:
        others = [t for i, t in enumerate(terms) if i != k]
        known = set(output).union(*others)
        found = "".join(c for c in terms[k] if c in known)
        rest = [a for i, a in enumerate(arrays) if i != k]
        back = ",".join((output, *others)) + "->" + found
        grown = EINSUM(g, *rest, subscripts=back, optimize=optimize)
        # What was summed away in this input alone is the same for all its elements.
        axes = tuple(i for i, c in enumerate(terms[k]) if c not in known)
        return np.expand_dims(grown, axes) if axes else grown

    return [part(k) for k in range(len(arrays))]


# A row is a line of mathematics: see elementwise.py.
# fmt: off

define(np.matmul, "a b", Trait.ANALYTIC,
       d("g bᵀ", _matmul_left),
       d("aᵀ g", _matmul_right),
       calls=(call((2, 3), (3, 4)), call((3,), (3,)), call((3,), (3, 4)), call((2, 3), (3,)),
              call((3,), (2, 3, 4)), call((2, 2, 3), (3,)), call((5, 1, 2, 3), (4, 3, 2)),
              call((2, 3), (5, 3, 2)), call((5, 2, 3), (3, 2)), call((2, 2, 3), (2, 3, 2))))
EINSUM = define(_einsum, "Σ of products, as the subscripts say",
       Trait.ANALYTIC | Trait.VARIADIC | Trait.VIEW,
       d("Σ of g times the other factors, as the subscripts say", _uneinsum),
       name="tinygrad_nn.einsum", parameters="arrays subscripts optimize",
       calls=(call((2, 3), (3, 4), subscripts="ij,jk->ik"), call((2, 3), subscripts="ij->ji"),
              call((2, 3), subscripts="ij->"), call((3,), (3,), subscripts="i,i->"),
              call((2, 3), (2, 4), (3, 4), subscripts="ij,ik,jk->i"),
              call((2, 1), (2, 3), subscripts="ij,ij->ij"), call((2,), (3,), subscripts="a,b->ba"),
              call((2, 3, 2), (2,), subscripts="abc,c->b")))

# fmt: on


# --- einsum, in all its notations -------------------------------------------------------------


@rewrite("numpy.einsum", "Σ of products, as the subscripts say")
def _einsum_call(
    *operands: Any, out: None = None, dtype: Any = None, optimize: Any = False
) -> Array:
    subscripts, arrays = _spelled(operands)
    inputs, output = _explicit(subscripts, [a.ndim for a in arrays])
    pairs = [_without_repeats(a, term) for a, term in zip(arrays, inputs, strict=True)]
    arrays = [as_array(a, dtype) for a, _ in pairs]
    whole = ",".join(term for _, term in pairs) + "->" + output
    return EINSUM(*arrays, subscripts=whole, optimize=optimize)


def _spelled(operands: Sequence[Any]) -> tuple[str, list[Array]]:
    """A call as a string and arrays; it may come as arrays with lists of axis numbers."""
    if isinstance(operands[0], str):
        return operands[0].replace(" ", ""), [as_array(a) for a in operands[1:]]

    def letters(axes: Sequence[Any]) -> str:
        return "".join("..." if n is Ellipsis else SYMBOLS[operator.index(n)] for n in axes)

    count = len(operands) // 2
    terms = ",".join(letters(axes) for axes in operands[1 : 2 * count : 2])
    arrays = [as_array(a) for a in operands[: 2 * count : 2]]
    return (terms + "->" + letters(operands[-1]) if len(operands) % 2 else terms), arrays


def _explicit(subscripts: str, ndims: Sequence[int]) -> tuple[list[str], str]:
    """The same with an output, and letters in place of every ellipsis."""
    inputs, arrow, output = subscripts.partition("->")
    terms = inputs.split(",")
    if arrow and "..." in inputs and "..." not in output:
        raise ValueError("einsum: the output needs '...' too, where an input has it")
    if len(terms) != len(ndims):
        raise ValueError(f"einsum: {len(terms)} subscripts for {len(ndims)} operands")
    if not arrow:  # what occurs once is kept, in the order of the alphabet
        letters = inputs.replace(",", "").replace(".", "")
        output = "..." * ("..." in inputs) + "".join(
            c for c in sorted(set(letters)) if letters.count(c) == 1
        )
    spare = [c for c in string.ascii_letters if c not in subscripts]
    hidden = [
        ndim - len(term.replace("...", "")) if "..." in term else 0
        for term, ndim in zip(terms, ndims, strict=True)
    ]
    names = "".join(spare[: max(hidden, default=0)])
    for term, ndim, extra in zip(terms, ndims, hidden, strict=True):
        if extra < 0 or ("..." not in term and len(term) != ndim):
            raise ValueError(f"einsum: subscripts {term!r} for an operand of {ndim} dimensions")
    # An ellipsis stands for the last of the hidden axes, as in broadcasting.
    terms = [
        term.replace("...", names[len(names) - extra :])
        for term, extra in zip(terms, hidden, strict=True)
    ]
    return terms, output.replace("...", names)


def _without_repeats(a: Array, term: str) -> tuple[Array, str]:
    """An operand whose subscripts are all different: a repeated one means a diagonal."""
    for c in sorted(set(term)):
        while term.count(c) > 1:
            first = term.index(c)
            second = term.index(c, first + 1)
            if a.shape[first] != a.shape[second]:
                raise ValueError(f"einsum: the subscript {c!r} twice, for axes of {a.shape}")
            a = np.diagonal(a, 0, first, second)  # the diagonal comes last
            term = term[:first] + term[first + 1 : second] + term[second + 1 :] + c
    return a, term


# --- products spelled by rows -----------------------------------------------------------------


@rewrite("numpy.dot", "Σ aᵢ·bᵢ, over a's last axis and b's last but one",
         *(call(a, b) for a, b in (((3,), (3,)), ((2, 3), (3, 4)), ((2, 3), (4, 3, 2)),
                                   ((), (2, 3)), ((2, 2, 3), (3,)))))  # fmt: skip
def dot(a: Array, b: Array, out: None = None) -> Array:
    """The dot product, computed without np.dot itself: nnfs replaces that function."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return np.multiply(a, b)
    if b.ndim <= 2:
        return np.matmul(a, b)
    k = b.shape[-2]
    n = math.prod(b.shape[:-2]) * b.shape[-1]
    columns = np.reshape(np.moveaxis(b, -2, 0), (k, n))  # (..., k, n) -> (k, ... n)
    return np.reshape(np.matmul(a, columns), a.shape[:-1] + b.shape[:-2] + b.shape[-1:])


@rewrite("numpy.vdot", "Σ aᵢ·bᵢ, over all elements", call((2, 3), (2, 3)))
def _vdot(a: Array, b: Array, /) -> Array:
    return np.matmul(np.ravel(as_array(a)), np.ravel(as_array(b)))


@rewrite("numpy.vecdot", "Σ aᵢ·bᵢ, over the last axis", call((2, 3), (3,)))
def _vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    x1, x2 = np.moveaxis(as_array(x1), axis, -1), np.moveaxis(as_array(x2), axis, -1)
    if x1.shape[-1] != x2.shape[-1]:
        raise ValueError(f"vecdot: vectors of lengths {x1.shape[-1]} and {x2.shape[-1]}")
    return np.sum(x1 * x2, axis=-1)


@rewrite("numpy.linalg.vecdot", "Σ aᵢ·bᵢ, over an axis", call((2, 3), (2, 3), axis=0))
def _linalg_vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    return _vecdot(x1, x2, axis=axis)


@rewrite("numpy.linalg.matmul", "a b", call((2, 3), (3, 4)))
def _linalg_matmul(x1: Array, x2: Array, /) -> Array:
    return np.matmul(x1, x2)


@rewrite("numpy.matvec", "a v, for each matrix and each vector", call((2, 2, 3), (3,)))
def _matvec(x1: Array, x2: Array, /) -> Array:
    return np.squeeze(np.matmul(x1, np.expand_dims(as_array(x2), -1)), axis=-1)


@rewrite("numpy.vecmat", "vᵀ a, for each vector and each matrix", call((3,), (2, 3, 2)))
def _vecmat(x1: Array, x2: Array, /) -> Array:
    return np.squeeze(np.matmul(np.expand_dims(as_array(x1), -2), x2), axis=-2)


@rewrite("numpy.inner", "Σ aᵢ·bᵢ, over both last axes", call((3,), (3,)), call((2, 3), (4, 3)),
         call((), (3,)))  # fmt: skip
def _inner(a: Array, b: Array, /) -> Array:
    a, b = as_array(a), as_array(b)
    return np.multiply(a, b) if a.ndim == 0 or b.ndim == 0 else _tensordot(a, b, (-1, -1))


@rewrite("numpy.linalg.outer", "aᵢ·bⱼ", call((3,), (2,)))
def _linalg_outer(x1: Array, x2: Array, /) -> Array:
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError("Input arrays must be one-dimensional")
    return _outer(x1, x2)


@rewrite("numpy.outer", "aᵢ·bⱼ", call((3,), (2,)))
def _outer(a: Array, b: Array, out: None = None) -> Array:
    a, b = np.ravel(as_array(a)), np.ravel(as_array(b))
    return np.multiply(np.expand_dims(a, 1), np.expand_dims(b, 0))  # (m, 1) · (1, n)


@rewrite(
    "numpy.tensordot numpy.linalg.tensordot",
    "Σ of products over pairs of axes",
    call((2, 3, 4), (3, 4, 2)),
    call((2, 3), (3, 2), axes=((0, 1), (1, 0))),
    call((2,), (3,), axes=0),
)
def _tensordot(a: Array, b: Array, axes: Any = 2) -> Array:
    a, b = as_array(a), as_array(b)
    if isinstance(axes, (int, np.integer)):
        left, right = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        left, right = (np.atleast_1d(np.asarray(x)).tolist() for x in axes)
    left = list(normalize_axis_tuple(left, a.ndim))
    right = list(normalize_axis_tuple(right, b.ndim))
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError(f"tensordot: axes of lengths that differ: {a.shape} and {b.shape}")
    kept_a = [i for i in range(a.ndim) if i not in left]
    kept_b = [i for i in range(b.ndim) if i not in right]
    n = math.prod(a.shape[i] for i in left)
    shape_a, shape_b = ([x.shape[i] for i in kept] for x, kept in ((a, kept_a), (b, kept_b)))
    # (kept..., summed...) -> (kept, n), and (summed..., kept...) -> (n, kept)
    rows = np.reshape(np.transpose(a, (*kept_a, *left)), (math.prod(shape_a), n))
    columns = np.reshape(np.transpose(b, (*right, *kept_b)), (n, math.prod(shape_b)))
    return np.reshape(np.matmul(rows, columns), (*shape_a, *shape_b))


@rewrite("numpy.kron", "each aᵢ times all of b", call((2, 3), (3, 2)), call((2,), (2, 3)))
def _kron(a: Array, b: Array) -> Array:
    a, b = as_array(a), as_array(b)
    ndim = max(a.ndim, b.ndim)
    long_a, long_b = (1,) * (ndim - a.ndim) + a.shape, (1,) * (ndim - b.ndim) + b.shape
    spread_a = np.reshape(a, [n for m in long_a for n in (m, 1)])  # (m,) -> (m, 1)
    spread_b = np.reshape(b, [n for m in long_b for n in (1, m)])  # (n,) -> (1, n)
    shape = tuple(m * n for m, n in zip(long_a, long_b, strict=True))
    return np.reshape(spread_a * spread_b, shape)


@rewrite("numpy.cross", "a × b", call((3,), (3,)), call((2, 3), (4, 2, 3)),
         call((3, 2), (3, 2), axis=0))  # fmt: skip
def _cross(
    a: Array, b: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    a, b = np.moveaxis(as_array(a), axisa, -1), np.moveaxis(as_array(b), axisb, -1)
    if a.shape[-1] not in (2, 3) or b.shape[-1] not in (2, 3):
        raise ValueError(f"cross: vectors of 2 or 3 elements are needed, not {a.shape}, {b.shape}")
    if a.shape[-1] == b.shape[-1] == 2:
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    a0, a1, b0, b1 = a[..., 0], a[..., 1], b[..., 0], b[..., 1]
    if a.shape[-1] == 2:  # in the plane: its third component is 0, and 0·∞ must not arise
        first, second = a1 * b[..., 2], -a0 * b[..., 2]
    elif b.shape[-1] == 2:
        first, second = -a[..., 2] * b1, a[..., 2] * b0
    else:
        first, second = a1 * b[..., 2] - a[..., 2] * b1, a[..., 2] * b0 - a0 * b[..., 2]
    parts = np.broadcast_arrays(first, second, a0 * b1 - a1 * b0)
    return np.moveaxis(np.stack(parts, axis=-1), -1, axisc)


@rewrite("numpy.linalg.cross", "a × b", call((2, 3), (2, 3)))
def _linalg_cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    if np.shape(x1)[axis] != 3 or np.shape(x2)[axis] != 3:
        raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors")
    return _cross(x1, x2, axis=axis)


def _define_outer(ufunc: np.ufunc) -> None:
    """The outer form of a binary row: each element of a with each of b."""

    @rewrite(f"numpy.{ufunc.__name__}.outer", f"{ufunc.__name__} of each aᵢ and each bⱼ")
    def outer(A: Array, B: Array, /) -> Array:
        A, B = as_array(A), as_array(B)
        return ufunc(np.reshape(A, A.shape + (1,) * B.ndim), B)  # (m..., 1...) with (n...)


for binary in (np.add, np.subtract, np.multiply, np.divide, np.power, np.maximum, np.minimum,
               np.fmax, np.fmin, np.hypot, np.arctan2, np.logaddexp, np.logaddexp2, np.remainder,
               np.fmod, np.float_power, np.copysign, np.floor_divide):  # fmt: skip
    _define_outer(binary)
