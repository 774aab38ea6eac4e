"""Rows that select elements, and their transpose: putting them back.

Whatever only moves elements is a selection: run the function on the elements' numbers, and it says
where each one comes from. `by_position` does that.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .._typing import Array, Shape
from ..errors import DtypeError, MissingDerivativeError, TraceError
from .arrays import as_array, as_numbers, refuse_masked
from .deferred import Deferred
from .elementwise import stop_gradient
from .primitive import Primitive, Trait, call, d
from .table import constant, define, mutators, rewrite

__all__ = ["GETITEM", "SCATTER", "along_axis", "by_position"]

_BOOLEAN = np.dtype(bool)
SELECTS = Trait.LINEAR | Trait.ANALYTIC


def _selects_each_once(index: Any) -> bool:
    """Whether no element can be selected twice: only integer arrays can repeat themselves."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(getattr(p, "dtype", _BOOLEAN) == _BOOLEAN for p in parts)


def _getitem(a: Array, index: Any) -> Array:
    try:
        return a[index]
    except TraceError:  # a plain array looks at what it is indexed by
        parts = index if isinstance(index, tuple) else (index,)
        deferred = next((part for part in parts if isinstance(part, Deferred)), None)
        if deferred is None or not isinstance(a, np.ndarray):
            raise
        return deferred.select_from(a, index)


def _scatter(a: Array, shape: Shape, index: Any) -> Array:
    plain = type(a) is np.ndarray
    out = np.zeros(shape, a.dtype) if plain else np.zeros_like(a, shape=shape)
    if not isinstance(out, (np.ndarray, Deferred)):
        return _scatter_lazily(a, out, index)
    if _selects_each_once(index):
        out[index] = a
    else:
        np.add.at(out, index, a)
    return out


def _scatter_lazily(a: Array, out: Array, index: Any) -> Array:
    """Put elements back in another library's array, which can be written by slices alone."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(hasattr(part, "dtype") for part in parts):
        raise MissingDerivativeError(
            f"indexing {type(out).__name__} by arrays: elements cannot be put back by them; index "
            f"by integers and slices"
        )
    where = tuple(part for part in parts if part is not None)
    out[where] = np.reshape(a, np.broadcast_to(0, out.shape)[where].shape)
    return out


# A row is a line of mathematics: see elementwise.py.
# fmt: off

GETITEM = define(_getitem, "a[i]", SELECTS | Trait.VIEW,
       d("g put back at i, zeros elsewhere",
         lambda g, y, a, *, index: SCATTER(g, shape=a.shape, index=index)),
       name="tinygrad_nn.getitem", parameters="a index",
       calls=(call((3, 4), index=(slice(None), 1)),
              call((3, 4), index=(Ellipsis, None, slice(None, None, -2))),
              call((3, 4), index=np.array([[True, False, True, True]] * 3)),
              call((3, 4), index=1), call((3, 4), index=np.array([0, 0, -1])),
              call((3, 4), index=(slice(None), np.array([0, 2, 0]))),
              call((3, 4), index=(np.array([True, False, True]), slice(1, 3))),
              call((3, 4), index=(np.array([0, 2, 0]), np.array([1, 1, 1])))))
SCATTER: Primitive = define(_scatter, "zeros, with a added at i", SELECTS,
       d("g[i]", lambda g, y, a, *, shape, index: GETITEM(g, index=index)),
       name="tinygrad_nn.scatter", parameters="a shape index",
       calls=(call((3,), shape=(3, 4), index=(slice(None), 1)),
              call((3, 3), shape=(3, 4), index=(slice(None), np.array([0, 2, 0]))),
              call((3,), shape=(2, 4), index=(np.array([0, 1, 0]), np.array([1, 1, 1])))))

# fmt: on

constant("unravel_index ravel_multi_index tril_indices_from triu_indices_from diag_indices_from")
mutators("copyto place putmask", "np.where(mask, values, x), or np.broadcast_to for np.full_like")
mutators("put put_along_axis", "tinygrad_nn.put_along_axis(x, indices, values, axis)")
mutators("fill_diagonal", "np.where(np.eye(n, dtype=bool), values, x)")


def by_position(rearrange: Callable[..., Array], *arrays: Array) -> Array:
    """What a function that only moves elements makes of arrays, found from where it takes each.

    The function is run on the elements' numbers, counted through all the arrays, and its result
    is the index of the elements themselves.
    """
    arrays = tuple(as_array(a) for a in arrays)
    numbers, start = [], 0
    for a in arrays:
        numbers.append(np.arange(start, start + a.size).reshape(a.shape))
        start += a.size
    flat = [np.reshape(a, (-1,)) for a in arrays]
    pool = flat[0] if len(flat) == 1 else np.concatenate(flat)
    return pool[rearrange(*numbers)]


def along_axis(shape: Shape, indices: Array, axis: int) -> tuple[Array, ...]:
    """The full index of the elements that one index array selects along one axis."""
    ndim = len(shape)
    if indices.ndim != ndim:
        raise ValueError("indices must have as many dimensions as the array")
    grid: list[Array] = [
        np.reshape(np.arange(n), (1,) * i + (n,) + (1,) * (ndim - i - 1))
        for i, n in enumerate(shape)
    ]
    grid[normalize_axis_index(axis, ndim)] = indices
    return tuple(grid)


@rewrite(
    "numpy.take",
    "a[i] along an axis",
    call((3, 4), indices=(0, 2, 0), axis=1),
    call((3, 4), indices=((5, -1), (0, 5))),
    call((3, 4), indices=1, axis=0),
)
def _take(
    a: Array, indices: Array, axis: int | None = None, out: None = None, mode: str = "raise"
) -> Array:
    a, indices = as_array(a), as_array(indices)
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    axis = normalize_axis_index(axis, a.ndim)
    n = a.shape[axis]
    if mode == "wrap":
        indices = indices % n
    elif mode == "clip":
        indices = np.clip(indices, 0, n - 1)
    elif mode != "raise":
        raise ValueError(f"mode must be 'raise', 'wrap' or 'clip', not {mode!r}")
    return a[(slice(None),) * axis + (indices,)]


@rewrite("numpy.take_along_axis", "a[i] along an axis, each line by its own i")
def _take_along_axis(arr: Array, indices: Array, axis: int | None = -1) -> Array:
    if axis is None:
        arr, axis = np.reshape(arr, (-1,)), 0
    return arr[along_axis(arr.shape, indices, axis)]


@rewrite("numpy.compress", "a where c holds, along an axis")
def _compress(condition: Array, a: Array, axis: int | None = None, out: None = None) -> Array:
    if np.ndim(condition) != 1:
        raise ValueError("condition must be a 1-d array")
    return _take(a, np.flatnonzero(as_array(condition)), axis)


@rewrite("numpy.extract", "a where c holds")
def _extract(condition: Array, arr: Array) -> Array:
    return _take(arr, np.flatnonzero(as_array(condition)))


@rewrite("numpy.choose", "the i-th choice, element by element")
def _choose(a: Array, choices: Sequence[Array], out: None = None, mode: Any = "raise") -> Array:
    dtype = np.result_type(*choices)  # Python numbers take on the dtype of the others
    arrays = [as_array(choice).astype(dtype) for choice in choices]
    return by_position(lambda *numbers: np.choose(np.asarray(a), numbers, mode=mode), *arrays)


# --- order ------------------------------------------------------------------------------------


@rewrite("numpy.sort", "a in order", call((3, 4)), call((3, 4), axis=0), call((3, 4), axis=None))
def _sort(
    a: Array,
    axis: int | None = -1,
    kind: Any = None,
    order: None = None,
    *,
    stable: bool | None = None,
) -> Array:
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    if a.ndim == 0:
        raise np.exceptions.AxisError(axis, 0)
    if order is not None:
        raise ValueError("Cannot specify order when the array has no fields.")
    found = np.argsort(a, axis=axis, kind=kind or "stable")
    return a[along_axis(a.shape, found, axis)]


@rewrite("numpy.partition", "a, split around its k-th", call((7,), kth=3))
def _partition(
    a: Array, kth: Any, axis: int | None = -1, kind: Any = "introselect", order: None = None
) -> Array:
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    return a[along_axis(a.shape, np.argpartition(a, kth, axis=axis, kind=kind), axis)]


@rewrite("numpy.unique", "the values of a, each once and in order", call((3, 4)))
def _unique(
    ar: Array,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    unique: Any = np.unique
    found = unique(
        stop_gradient(ar), True, return_inverse, return_counts, axis, equal_nan=equal_nan
    )
    values = _take(ar, found[1], axis)
    rest = found[1:] if return_index else found[2:]
    return (values, *rest) if rest else values


@rewrite("numpy.unique_values", "the values of a, each once", call((3, 4)))
def _unique_values(x: Array, /) -> Array:
    return _unique(x, equal_nan=False)


@rewrite("numpy.union1d", "the values of a and b, each once", call((3,), (2,)))
def _union1d(ar1: Array, ar2: Array) -> Array:
    return _unique(np.concatenate([np.ravel(as_array(a)) for a in (ar1, ar2)]))


@rewrite("numpy.bincount", "how much weight each number has")
def _bincount(x: Array, /, weights: Array = None, minlength: int = 0) -> Array:
    index = np.array(x)  # a copy, which nobody can change afterwards
    n = np.bincount(index, minlength=minlength).shape[0]  # refuses what is no list of counts
    return SCATTER(as_array(weights, np.float64), shape=(n,), index=index.astype(np.intp))


@rewrite("numpy.piecewise", "fᵢ(a) where cᵢ")
def _piecewise(x: Array, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Array:
    alone = np.ndim(condlist) == 0 or (np.ndim(condlist[0]) == 0 and np.ndim(x) != 0)
    condlist = [condlist] if alone else condlist
    conditions = [np.broadcast_to(np.asarray(c, dtype=bool), x.shape) for c in condlist]
    functions = list(funclist)
    if len(functions) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    y = np.zeros_like(x)
    for where, f in zip(conditions, functions, strict=True):
        if np.any(where):
            part = f(x[where], *args, **kw) if callable(f) else f
            y = updated(y, where, part)
    return y


# --- writing, into a new array ------------------------------------------------------------------


def private_index(index: Any) -> Any:
    """An index with arrays of its own in it: what was selected must not change afterwards."""
    return tuple(map(_private_part, index)) if isinstance(index, tuple) else _private_part(index)


def _private_part(part: Any) -> Any:
    if type(part) is np.ndarray and part.dtype.kind in "iub":
        return part.copy()
    if part is None or part is Ellipsis or isinstance(part, int):
        return part
    if isinstance(part, slice):
        bounds = (part.start, part.stop, part.step)
        return slice(*(None if b is None else operator.index(b) for b in bounds))
    if hasattr(part, "__array_function__") and not isinstance(part, np.ndarray):
        return part  # another library's array is not there to be looked at
    array = np.array(part)
    return array.astype(np.intp) if array.size == 0 and array.dtype.kind == "f" else array


def updated(x: Array, index: Any, values: Array) -> Array:
    """Replace the elements of x at an index, as ``x[index] = values`` does, in a new array."""

    def rearrange(kept: Array, new: Array) -> Array:
        kept[index] = new
        return kept

    return by_position(rearrange, x, _in_dtype_of(x, values))


def increased(x: Array, index: Any, values: Array) -> Array:
    """Add to the elements of x at an index, as ``np.add.at`` does, in a new array."""
    index = private_index(index)
    chosen = np.broadcast_to(np.zeros_like(x, shape=()), x.shape)[index]
    spread = np.broadcast_to(_in_dtype_of(x, values), chosen.shape)
    return x + SCATTER(spread, shape=x.shape, index=index)


def _in_dtype_of(x: Array, values: Array) -> Array:
    refuse_masked("values", values)
    values = as_numbers("values", values)
    if x.dtype.kind != "f" and getattr(values, "requires_grad", False):
        raise DtypeError(
            f"values: expected a floating-point array to put them in; got {x.dtype}; convert it "
            f"with .astype(float), or the gradient of the values is lost"
        )
    return as_array(values, x.dtype)
