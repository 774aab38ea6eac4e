"""Joining arrays and taking them apart, composed of rows."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .._typing import Array
from .arrays import as_array
from .indexing import by_position
from .primitive import call
from .table import rewrite

__all__: list[str] = []


# --- joining ----------------------------------------------------------------------------------


@rewrite("numpy.vstack", "a₁ over a₂ over …", call((3,), (3,)), call((1, 3), (2, 3)),
         variadic=True)  # fmt: skip
def _vstack(tup: Sequence[Array], *, dtype: Any = None, casting: str = "same_kind") -> Array:
    return _joined([np.atleast_2d(a) for a in tup], 0, dtype)


@rewrite("numpy.hstack", "a₁ beside a₂ beside …", call((3,), (2,)), call((2, 1), (2, 3)),
         variadic=True)  # fmt: skip
def _hstack(tup: Sequence[Array], *, dtype: Any = None, casting: str = "same_kind") -> Array:
    arrays = [np.atleast_1d(a) for a in tup]
    return _joined(arrays, 0 if arrays and arrays[0].ndim == 1 else 1, dtype)


@rewrite("numpy.dstack", "a₁ behind a₂ behind …", call((3,), (3,)), call((2, 3), (2, 3)),
         variadic=True)  # fmt: skip
def _dstack(tup: Sequence[Array]) -> Array:
    return _joined([np.atleast_3d(a) for a in tup], 2, None)


@rewrite("numpy.column_stack", "a₁, a₂, … as columns", call((3,), (3,)), call((3, 2), (3,)),
         variadic=True)  # fmt: skip
def _column_stack(tup: Sequence[Array]) -> Array:
    arrays = [as_array(a) for a in tup]
    columns = [a if a.ndim > 1 else np.reshape(a, (-1, 1)) for a in arrays]  # (n) -> (n, 1)
    return _joined(columns, 1, None)


def _joined(arrays: Sequence[Array], axis: int, dtype: Any) -> Array:
    return as_array(np.concatenate(arrays, axis=axis), dtype)


@rewrite("numpy.block", "blocks put together, as nested lists say")
def _block(arrays: Any) -> Array:
    pieces: list[Array] = []

    def numbered(nested: Any, numbers: Any) -> Any:
        if isinstance(nested, list):
            return [numbered(item, numbers) for item in nested]
        return next(numbers)

    def collect(nested: Any) -> None:
        for item in nested if isinstance(nested, list) else ():
            collect(item)
        if not isinstance(nested, list):
            pieces.append(nested)

    collect(arrays)
    return by_position(lambda *numbers: np.block(numbered(arrays, iter(numbers))), *pieces)


@rewrite("numpy.append", "a, then b", call((3,), (2,)), call((2, 3), (1, 3), axis=0))
def _append(arr: Array, values: Array, axis: int | None = None) -> Array:
    if axis is None:
        return np.concatenate([np.ravel(as_array(arr)), np.ravel(as_array(values))])
    return np.concatenate([as_array(arr), as_array(values)], axis=axis)


@rewrite("numpy.insert", "a, with b put in before i")
def _insert(arr: Array, obj: Any, values: Array, axis: int | None = None) -> Array:
    arr, values = as_array(arr), as_array(values)
    if values.dtype != arr.dtype:
        values = values.astype(arr.dtype)
    return by_position(lambda a, v: np.insert(a, obj, v, axis), arr, values)


@rewrite("numpy.delete", "a without its i-th", call((5,), obj=[0, 3]), call((3, 4), obj=1, axis=1))
def _delete(arr: Array, obj: Any, axis: int | None = None) -> Array:
    return by_position(lambda a: np.delete(a, obj, axis), arr)


@rewrite("numpy.resize", "a, repeated until a shape is full", call((5,), new_shape=(3, 4)))
def _resize(a: Array, new_shape: Any) -> Array:
    a = as_array(a)
    if a.size == 0:
        return np.zeros_like(a, shape=new_shape)
    return by_position(lambda numbers: np.resize(numbers, new_shape), a)


# --- taking apart -----------------------------------------------------------------------------


def _cut(ary: Array, sections: Any, axis: int) -> list[Array]:
    """The parts that NumPy cuts an axis into."""
    ary = as_array(ary)
    axis = normalize_axis_index(axis, ary.ndim)
    parts = np.array_split(np.arange(ary.shape[axis]), sections)
    where = (slice(None),) * axis
    if np.ndim(sections) == 0:
        starts = np.cumsum([0] + [part.size for part in parts]).tolist()
        bounds = list(pairwise(starts))
    else:
        cuts = [0, *map(int, sections), ary.shape[axis]]
        bounds = list(pairwise(cuts))
    return [ary[(*where, slice(start, stop))] for start, stop in bounds]


@rewrite("numpy.array_split", "a, cut into parts", call((7,), indices_or_sections=3),
         call((3, 5), indices_or_sections=(1, 4), axis=1))  # fmt: skip
def _array_split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    return _cut(ary, indices_or_sections, axis)


@rewrite("numpy.split", "a, cut into equal parts", call((6,), indices_or_sections=3),
         call((3, 5), indices_or_sections=(1, 4), axis=1))  # fmt: skip
def _split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    n = np.shape(ary)[axis]
    if np.ndim(indices_or_sections) == 0 and n % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    return _cut(ary, indices_or_sections, axis)


@rewrite("numpy.hsplit", "a, cut from left to right", call((2, 4), indices_or_sections=2))
def _hsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    return _split(ary, indices_or_sections, 1 if ary.ndim > 1 else 0)


@rewrite("numpy.vsplit", "a, cut from top to bottom", call((4, 2), indices_or_sections=2))
def _vsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    if ary.ndim < 2:
        raise ValueError("vsplit needs at least two dimensions")
    return _split(ary, indices_or_sections, 0)


@rewrite("numpy.dsplit", "a, cut from front to back", call((2, 3, 4), indices_or_sections=2))
def _dsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    if ary.ndim < 3:
        raise ValueError("dsplit needs at least three dimensions")
    return _split(ary, indices_or_sections, 2)


@rewrite("numpy.unstack", "the parts of a along an axis", call((3, 4), axis=1))
def _unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    where = (slice(None),) * normalize_axis_index(axis, x.ndim)
    return tuple(x[(*where, i)] for i in range(x.shape[axis]))


@rewrite("numpy.apply_along_axis", "f of each line along an axis")
def _apply_along_axis(func1d: Any, axis: int, arr: Array, *args: Any, **kwargs: Any) -> Array:
    arr = as_array(arr)
    axis = normalize_axis_index(axis, arr.ndim)
    lines = np.moveaxis(arr, axis, -1)
    batch = lines.shape[:-1]
    results = [as_array(func1d(lines[i], *args, **kwargs)) for i in np.ndindex(batch)]
    stacked = np.reshape(np.stack(results), batch + results[0].shape)
    new = range(len(batch), stacked.ndim)  # what f made stands where the line was
    return np.moveaxis(stacked, new, range(axis, axis + len(new)))
