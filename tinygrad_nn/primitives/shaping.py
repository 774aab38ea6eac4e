"""Rows that only move elements: new shapes, new orders, joined pieces."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from .._typing import Array, Axis, Shape
from ..errors import ArgumentError
from .arrays import as_array
from .elementwise import IDENTITY
from .options import widened_join
from .primitive import Trait, call, d
from .table import constant, define, rewrite

__all__ = ["MOVES", "RESHAPE", "TRANSPOSE", "as_rows"]

MOVES = Trait.LINEAR | Trait.ANALYTIC
VIEWS = MOVES | Trait.VIEW


def _untranspose(g: Array, y: Array, a: Array, axes: Sequence[int] | None = None) -> Array:
    if axes is None:
        return np.transpose(g)
    back = [0] * a.ndim
    for to, axis in enumerate(axes):
        back[axis % a.ndim] = to  # a[axis] went to y[to]
    return np.transpose(g, back)


def _unconcatenate(g: Array, y: Array, *pieces: Array, axis: int | None = 0) -> list[Array]:
    parts, start = [], 0
    for piece in pieces:
        # axis=None has every piece flattened first
        stop = start + (piece.size if axis is None else piece.shape[axis])
        where = [slice(None)] * g.ndim
        where[axis or 0] = slice(start, stop)
        parts.append(np.reshape(g[tuple(where)], piece.shape))
        start = stop
    return parts


def _unstack(g: Array, y: Array, *pieces: Array, axis: int = 0) -> list[Array]:
    where: list[slice | int] = [slice(None)] * g.ndim
    parts = []
    for position, _ in enumerate(pieces):
        where[axis] = position
        parts.append(g[tuple(where)])
    return parts


# A row is a line of mathematics: see elementwise.py.
# fmt: off

RESHAPE = define(np.reshape, "a in another shape", VIEWS,
       d("g in the shape of a", lambda g, y, a, *, shape: np.reshape(g, a.shape)),
       parameters="a shape", calls=(call((3, 4), shape=(2, 6)), call((6,), shape=(-1, 2))))
TRANSPOSE = define(np.transpose, "aᵀ", VIEWS, d("gᵀ", _untranspose),
       parameters="a axes",
       calls=(call((3, 4)), call((2, 3, 4), axes=(2, 0, 1)), call((2, 3, 4), axes=(-1, 0, -2))))
define(np.swapaxes, "aᵀ in two axes", VIEWS,
       d("gᵀ in two axes", lambda g, y, a, *, axis1, axis2: np.swapaxes(g, axis1, axis2)),
       parameters="a axis1 axis2",
       calls=(call((2, 3, 4), axis1=0, axis2=-1), call((2, 3), axis1=0, axis2=1)))
define(np.broadcast_to, "a, repeated", VIEWS,
       d("g, summed over the repeats", lambda g, y, a, *, shape: g),  # the walker does that sum
       parameters="array shape subok",
       calls=(call((3, 1), shape=(2, 3, 4)), call((1, 3), shape=(2, 3)), call((), shape=(2,))))
define(np.expand_dims, "a with axes of length 1", VIEWS,
       d("g in the shape of a", lambda g, y, a, *, axis: np.reshape(g, a.shape)),
       parameters="a axis",
       calls=(call((3, 4), axis=1), call((3,), axis=-1), call((3,), axis=(0, -1))))
define(np.squeeze, "a without axes of length 1", VIEWS,
       d("g in the shape of a", lambda g, y, a, axis=None: np.reshape(g, a.shape)),
       parameters="a axis",
       calls=(call((3, 1, 4, 1)), call((3, 1, 4, 1), axis=1), call((3, 1, 4, 1), axis=(1, -1))))
define(np.concatenate, "a₁, a₂, … end to end", MOVES | Trait.VARIADIC | Trait.OUT,
       d("the part of g that came from aᵢ", _unconcatenate),
       parameters="arrays axis out dtype casting",
       calls=(call((2, 3)), call((2, 3), (4, 3)), call((2, 1), (2, 3), (2, 2), axis=-1),
              call((2, 3), (2,), axis=None)), widened=widened_join("concatenate"))
define(np.stack, "a₁, a₂, … along a new axis", MOVES | Trait.VARIADIC | Trait.OUT,
       d("the part of g that came from aᵢ", _unstack),
       parameters="arrays axis out dtype casting",
       calls=(call((2, 3)), call((2, 3), (2, 3)), call((3,), (3,), (3,), axis=-1)),
       widened=widened_join("stack"))

# fmt: on

constant("shape ndim size result_type zeros_like ones_like empty_like can_cast")
constant("common_type min_scalar_type einsum_path array2string array_repr array_str printoptions")
constant("save savez savez_compressed savetxt ix_ packbits unpackbits")
constant("may_share_memory shares_memory iscomplexobj isrealobj broadcast_shapes")


def as_rows(a: Array, axis: Axis) -> tuple[Array, tuple[int, ...]]:
    """The reduced axes as one, in last place; and the shape of the reduction that keeps axes."""
    axes = normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim)
    kept = [i for i in range(a.ndim) if i not in axes]
    shape = (*(a.shape[i] for i in kept), math.prod(a.shape[i] for i in axes))
    moved = a if [*kept, *axes] == list(range(a.ndim)) else np.transpose(a, (*kept, *axes))
    rows = np.reshape(moved, shape)  # -> (kept..., n)
    return rows, tuple(1 if i in axes else a.shape[i] for i in range(a.ndim))


@rewrite("numpy.reshape", "a in another shape", call((3, 4), shape=(2, 6), order="F"))
def _reshape(
    a: Array, /, shape: int | Shape, order: str = "C", *, copy: bool | None = None
) -> Array:
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if order == "F":  # column order is the row order of the transpose
        return np.transpose(RESHAPE(np.transpose(a), shape=shape[::-1]))
    if order != "C":
        raise ArgumentError(
            f"numpy.reshape: expected order 'C' or 'F' of a Tensor with a gradient; got {order!r}"
        )
    return RESHAPE(a, shape=shape)


@rewrite("numpy.ravel", "a in one row", call((3, 4)), call((3, 4), order="F"))
def _ravel(a: Array, order: str = "C") -> Array:
    return _reshape(a, -1, order)


@rewrite("numpy.copy", "a", call((3, 4)))
def _copy(a: Array, order: str = "K", subok: bool = False) -> Array:
    return IDENTITY(a)  # no recorded value is ever written, so sharing it is a copy


@rewrite(
    "numpy.moveaxis",
    "a with axes moved",
    call((2, 3, 4), source=0, destination=-1),
    call((2, 3, 4), source=(0, 1), destination=(2, 0)),
)
def _moveaxis(a: Array, source: Any, destination: Any) -> Array:
    sources = normalize_axis_tuple(source, a.ndim, "source")
    destinations = normalize_axis_tuple(destination, a.ndim, "destination")
    order = [axis for axis in range(a.ndim) if axis not in sources]
    for to, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(to, axis)
    return np.transpose(a, order)


@rewrite("numpy.rollaxis", "a with one axis moved", call((2, 3, 4), axis=2, start=1))
def _rollaxis(a: Array, axis: int, start: int = 0) -> Array:
    axis = normalize_axis_index(axis, a.ndim)
    start = start + a.ndim if start < 0 else start
    return _moveaxis(a, axis, start - 1 if axis < start else start)


@rewrite("numpy.matrix_transpose numpy.linalg.matrix_transpose", "aᵀ in the last two axes",
         call((2, 3, 4)))  # fmt: skip
def _matrix_transpose(x: Array, /) -> Array:
    return np.swapaxes(x, -1, -2)


def _at_least(a: Array, ndim: int) -> Array:
    a = as_array(a)
    return a if a.ndim >= ndim else np.reshape(a, (1,) * (ndim - a.ndim) + a.shape)


@rewrite("numpy.atleast_1d", "a with at least one axis", call(()), call((2, 3)))
def _atleast_1d(*arys: Array) -> Any:
    grown = tuple(_at_least(a, 1) for a in arys)
    return grown[0] if len(grown) == 1 else grown


@rewrite("numpy.atleast_2d", "a with at least two axes", call((3,)), call((2, 3)))
def _atleast_2d(*arys: Array) -> Any:
    grown = tuple(_at_least(a, 2) for a in arys)
    return grown[0] if len(grown) == 1 else grown


@rewrite("numpy.atleast_3d", "a with at least three axes", call((3,)), call((2, 3)))
def _atleast_3d(*arys: Array) -> Any:
    grown = tuple(
        np.expand_dims(a, -1) if np.ndim(a) == 2 else np.expand_dims(_at_least(a, 2), -1)
        if np.ndim(a) < 2 else a
        for a in arys
    )  # fmt: skip
    return grown[0] if len(grown) == 1 else grown


@rewrite("numpy.broadcast_arrays", "each repeated to the common shape", call((3, 1), (4,)))
def _broadcast_arrays(*args: Array, subok: bool = False) -> tuple[Array, ...]:
    shape = np.broadcast_shapes(*(np.shape(a) for a in args))
    return tuple(np.broadcast_to(a, shape) for a in args)


@rewrite("numpy.full_like", "b, repeated to the shape of a")
def _full_like(
    a: Array,
    fill_value: Array,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Shape | None = None,
    *,
    device: None = None,
) -> Array:
    like = np.empty_like(a, dtype=dtype, shape=shape)
    filled = np.broadcast_to(as_array(fill_value), like.shape)
    return as_array(filled, like.dtype)
