"""Rows that run along an axis: sums, products and extremes of all elements so far."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .._typing import Array
from .arrays import as_array
from .elementwise import stop_gradient
from .indexing import along_axis
from .options import widened_running
from .primitive import Call, Trait, call, d
from .table import define, rewrite

__all__ = ["finite_product", "products_before"]

RUNNING: tuple[Call, ...] = (
    call((3, 4), axis=0),
    call((3, 4), axis=-1),
    call((3, 4)),
    call((5,)),
    call((2, 3, 2), axis=1),
)


def products_before(a: Array) -> Array:
    """The product of the elements before each one, along the last axis."""
    first = np.ones_like(a[..., :1])
    return np.cumprod(np.concatenate([first, a[..., :-1]], axis=-1), axis=-1)


def finite_product(a: Array, b: Array) -> Array:
    """a·b, and 0 where one is 0 and the other has overflowed: of finite numbers it is 0."""
    a, b = np.where(np.isinf(a) & (b == 0), 0, a), np.where(np.isinf(b) & (a == 0), 0, b)
    return a * b


def _running_sum(g: Array, y: Array, a: Array, axis: int | None = None) -> Array:
    if axis is None or a.ndim == 0:
        return np.reshape(_running_sum(g, y, np.reshape(a, (-1,)), 0), a.shape)
    return np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)


def _running_product(g: Array, y: Array, a: Array, axis: int | None = None) -> Array:
    if axis is None or a.ndim == 0:
        return np.reshape(_running_product(g, y, np.reshape(a, (-1,)), 0), a.shape)
    smallest = np.finfo(y.dtype).tiny / np.finfo(y.dtype).eps
    if type(y) is np.ndarray and y.size and np.min(np.abs(y)) > smallest and np.all(np.isfinite(y)):
        return _running_sum(g * y, y, a, axis) / a  # the same, at NumPy's speed
    # ∂/∂aᵢ Σⱼ gⱼ·a₁…aⱼ = a₁…aᵢ₋₁·sᵢ with sᵢ = gᵢ + aᵢ₊₁·sᵢ₊₁. Dividing y by aᵢ would fail at 0.
    a, g = np.moveaxis(a, axis, -1), np.moveaxis(g, axis, -1)
    n = a.shape[-1]
    if n == 0:
        return np.moveaxis(g, -1, axis)
    sums = [g[..., -1]]
    for i in range(n - 1, 0, -1):
        sums.append(g[..., i - 1] + a[..., i] * sums[-1])
    return np.moveaxis(finite_product(products_before(a), np.stack(sums[::-1], axis=-1)), -1, axis)


# A row is a line of mathematics: see elementwise.py.
# fmt: off

define(np.cumsum, "a₁, a₁ + a₂, …", Trait.LINEAR | Trait.ANALYTIC | Trait.OUT,
       d("…, gₙ₋₁ + gₙ, gₙ: the running sum from the end", _running_sum),
       parameters="a axis dtype out", calls=RUNNING, widened=widened_running("cumsum"))
define(np.cumprod, "a₁, a₁a₂, …", Trait.ANALYTIC | Trait.OUT,
       d("a₁…aᵢ₋₁·sᵢ, with sᵢ = gᵢ + aᵢ₊₁·sᵢ₊₁", _running_product),
       parameters="a axis dtype out", calls=RUNNING, widened=widened_running("cumprod"))

# fmt: on


@rewrite("numpy.cumulative_sum", "a₁, a₁ + a₂, …", call((5,)), call((3, 4), axis=1))
def _cumulative_sum(
    x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    return _cumulative(np.cumsum, x, axis, dtype, 0 if include_initial else None)


@rewrite("numpy.cumulative_prod", "a₁, a₁a₂, …", call((5,)), call((3, 4), axis=1))
def _cumulative_prod(
    x: Array, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Array:
    return _cumulative(np.cumprod, x, axis, dtype, 1 if include_initial else None)


def _cumulative(running: Any, x: Array, axis: int | None, dtype: Any, initial: int | None) -> Array:
    x = np.atleast_1d(as_array(x, dtype))
    if axis is None and x.ndim != 1:
        raise ValueError("axis= is needed for more than one dimension")
    axis = axis or 0
    y = running(x, axis=axis)
    if initial is None:
        return y
    axis = normalize_axis_index(axis, x.ndim)
    first = np.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), initial, dtype=y.dtype)
    return np.concatenate([first, y], axis=axis)


# --- methods of ufuncs, whose axis counts from 0, where a function's default is all --------------


def _accumulates(name: str, formula: str, function: Callable[..., Array]) -> None:
    def composed(array: Array, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        axis = normalize_axis_index(axis, array.ndim)
        return function(as_array(array, dtype), axis=axis)

    rewrite(name, formula)(composed)


_accumulates("numpy.add.accumulate", "a₁, a₁ + a₂, …", np.cumsum)
_accumulates("numpy.multiply.accumulate", "a₁, a₁a₂, …", np.cumprod)


def _extreme_so_far(name: str, formula: str, ufunc: np.ufunc) -> None:
    @rewrite(f"numpy.{name}.accumulate", formula)
    def composed(array: Array, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        axis = normalize_axis_index(axis, array.ndim)
        running: Any = ufunc.accumulate
        places = np.reshape(np.arange(array.shape[axis]), (-1,) + (1,) * (array.ndim - axis - 1))
        # The last place so far that holds the extreme; NaN holds it from where it occurs.
        holds = (array == running(stop_gradient(array), axis=axis)) | np.isnan(array)
        place = np.maximum.accumulate(np.where(holds, places, 0), axis=axis)
        return array[along_axis(array.shape, place, axis)]


_extreme_so_far("maximum", "a₁, max(a₁, a₂), …", np.maximum)
_extreme_so_far("minimum", "a₁, min(a₁, a₂), …", np.minimum)
