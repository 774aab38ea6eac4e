"""Rows that reduce axes, or run along one: sums, products, means, spreads, extremes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .._typing import Array, Axis
from .arrays import as_array
from .primitive import Call, Trait, call, d
from .table import constant, define, rewrite

__all__ = ["LOG_SOFTMAX", "SUM"]

CALLS: tuple[Call, ...] = (
    call((3, 4)),
    call((3, 4), axis=0),
    call((2, 3, 4), axis=(0, -1), keepdims=True),
    call((2, 3, 4), axis=(0, -1)),
    call((2, 3, 4), axis=1),
    call((3, 4), axis=-1, keepdims=True),
    call((3, 4), keepdims=True),
    call((3, 1), axis=1),
    call(()),
)
SPREADS: tuple[Call, ...] = (
    call((3, 4)),
    call((3, 4), axis=0, ddof=1),
    call((2, 3, 4), axis=(0, 2)),
    call((3, 4), axis=-1, ddof=1, keepdims=True),
)
RUNNING: tuple[Call, ...] = (
    call((3, 4), axis=0),
    call((3, 4), axis=-1),
    call((3, 4)),
    call((5,)),
    call((2, 3, 2), axis=1),
)


def _back(g: Array, axis: Axis, keepdims: bool) -> Array:
    """Give a reduced array its lost axes back, each of length 1, so that it broadcasts over a."""
    if keepdims or axis is None:
        return g  # a full reduction is 0-d, or already all ones: it broadcasts as it is
    return np.expand_dims(g, axis)  # (..., ...) -> (..., 1, ...)


def _count(a: Array, axis: Axis) -> int:
    """How many elements of a each output element is made of."""
    if axis is None:
        return math.prod(a.shape)
    axes = axis if isinstance(axis, tuple) else (axis,)
    return math.prod(a.shape[i] for i in axes)


def _sum(g: Array, y: Array, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    return np.broadcast_to(_back(g, axis, keepdims), a.shape)


def _mean(g: Array, y: Array, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    return np.broadcast_to(_back(g, axis, keepdims) / _count(a, axis), a.shape)


def _deviation(a: Array, axis: Axis) -> Array:
    return a - np.mean(a, axis=axis, keepdims=True)


def _per(count: float) -> float:
    """1 / count; NaN for no degrees of freedom, as the spread itself."""
    return 1 / count if count else math.nan


def _var(
    g: Array, y: Array, a: Array, axis: Axis = None, ddof: float = 0, keepdims: bool = False
) -> Array:
    scale = 2 * _per(_count(a, axis) - ddof)
    return _back(g, axis, keepdims) * scale * _deviation(a, axis)


def _std(
    g: Array, y: Array, a: Array, axis: Axis = None, ddof: float = 0, keepdims: bool = False
) -> Array:
    # The spread of a constant has a kink at zero; the row takes the subgradient 0 there. The mean
    # of equal numbers is rounded, so neither y nor the deviation need be zero.
    constant = np.max(a, axis=axis, keepdims=True) == np.min(a, axis=axis, keepdims=True)
    spread = np.where(constant, 1, _back(y, axis, keepdims))
    scale = np.where(constant, 0, _back(g, axis, keepdims)) / spread
    return scale * _per(_count(a, axis) - ddof) * _deviation(a, axis)


def _extreme(g: Array, y: Array, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    chosen = a == _back(y, axis, keepdims)
    share = np.sum(chosen, axis=axis, keepdims=True).astype(g.dtype)
    return chosen * (_back(g, axis, keepdims) / share)


def _before(a: Array) -> Array:
    """The product of the elements before each one, along the last axis."""
    first = np.ones_like(a[..., :1])
    return np.cumprod(np.concatenate([first, a[..., :-1]], axis=-1), axis=-1)


def _product(g: Array, y: Array, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    # The product of all the others is that of those before times that of those after: nothing is
    # divided, so zeros do no harm.
    axes = normalize_axis_tuple(range(a.ndim) if axis is None else axis, a.ndim)
    kept = [i for i in range(a.ndim) if i not in axes]
    moved = np.transpose(a, (*kept, *axes))  # (kept..., reduced...)
    row = np.reshape(moved, (math.prod(a.shape[i] for i in kept), -1)) if a.size else moved
    others = _before(row) * np.flip(_before(np.flip(row, -1)), -1)
    back = np.argsort((*kept, *axes)).tolist()
    others = np.transpose(np.reshape(others, moved.shape), back)  # as a again
    return _back(g, axis, keepdims) * others


def _running_sum(g: Array, y: Array, a: Array, axis: int | None = None) -> Array:
    if axis is None:
        return np.reshape(_running_sum(g, y, np.reshape(a, (-1,)), 0), a.shape)
    return np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)


def _running_product(g: Array, y: Array, a: Array, axis: int | None = None) -> Array:
    if axis is None:
        return np.reshape(_running_product(g, y, np.reshape(a, (-1,)), 0), a.shape)
    # ∂/∂aᵢ Σⱼ gⱼ·a₁…aⱼ = a₁…aᵢ₋₁·sᵢ with sᵢ = gᵢ + aᵢ₊₁·sᵢ₊₁. Dividing y by aᵢ would fail at 0.
    a, g = np.moveaxis(a, axis, -1), np.moveaxis(g, axis, -1)
    n = a.shape[-1]
    if n == 0:
        return np.moveaxis(g, -1, axis)
    sums = [g[..., -1]]
    for i in range(n - 1, 0, -1):
        sums.append(g[..., i - 1] + a[..., i] * sums[-1])
    return np.moveaxis(_before(a) * np.stack(sums[::-1], axis=-1), -1, axis)


def _log_sum_exp(a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    largest = np.max(a, axis=axis, keepdims=True)
    shift = np.where(np.isfinite(largest), largest, 0)  # adding a constant changes nothing
    with np.errstate(divide="ignore"):  # the logarithm of nothing is −∞, and rightly so
        y = np.log(np.sum(np.exp(a - shift), axis=axis, keepdims=True)) + shift
    return y if keepdims else np.squeeze(y, axis=axis)


def _share(g: Array, y: Array, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    y = _back(y, axis, keepdims)
    alike = np.isinf(y) & (a == y)  # infinite terms share: ∞ − ∞ would have no value
    ties = np.sum(alike, axis=axis, keepdims=True).astype(y.dtype)
    exponent = np.where(alike, -np.log(np.where(ties == 0, 1, ties)), a - np.where(alike, 0, y))
    return _back(g, axis, keepdims) * np.exp(exponent)


def _log_softmax(x: Array, axis: Axis = -1) -> Array:
    shifted = x - np.max(x, axis=axis, keepdims=True)  # adding a constant changes nothing
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _log_softmax_back(g: Array, y: Array, x: Array, axis: Axis = -1) -> Array:
    return g - np.exp(y) * np.sum(g, axis=axis, keepdims=True)


# A row is a line of mathematics: see elementwise.py.
# fmt: off

SUM = define(np.sum, "Σ a", Trait.LINEAR | Trait.ANALYTIC | Trait.OUT,
       d("g, repeated along the axis", _sum),
       parameters="a axis dtype out keepdims initial where", calls=CALLS)
define(np.mean, "Σ a / n", Trait.LINEAR | Trait.ANALYTIC | Trait.OUT,
       d("g / n, repeated along the axis", _mean),
       parameters="a axis dtype out keepdims where", calls=CALLS)
define(np.prod, "Π a", Trait.ANALYTIC | Trait.OUT,
       d("g·Π of all the others", _product),
       parameters="a axis dtype out keepdims initial where", calls=CALLS)
define(np.cumsum, "a₁, a₁ + a₂, …", Trait.LINEAR | Trait.ANALYTIC | Trait.OUT,
       d("…, gₙ₋₁ + gₙ, gₙ: the running sum from the end", _running_sum),
       parameters="a axis dtype out", calls=RUNNING)
define(np.cumprod, "a₁, a₁a₂, …", Trait.ANALYTIC | Trait.OUT,
       d("a₁…aᵢ₋₁·sᵢ, with sᵢ = gᵢ + aᵢ₊₁·sᵢ₊₁", _running_product),
       parameters="a axis dtype out", calls=RUNNING)
define(np.var, "Σ(a − ā)² / (n − ddof)", Trait.OUT,
       d("2·g·(a − ā) / (n − ddof)", _var),
       parameters="a axis dtype out ddof keepdims where mean correction",
       calls=SPREADS)
define(np.std, "√(Σ(a − ā)² / (n − ddof))", Trait.OUT,
       d("g·(a − ā) / ((n − ddof)·y), 0 where a is constant", _std),
       parameters="a axis dtype out ddof keepdims where mean correction",
       calls=SPREADS)
for extreme in (np.max, np.amax):
    define(extreme, "max a", Trait.SELECTS | Trait.OUT,
           d("g·[a = y], shared equally among ties", _extreme),
           parameters="a axis out keepdims initial where", calls=CALLS)
for extreme in (np.min, np.amin):
    define(extreme, "min a", Trait.SELECTS | Trait.OUT,
           d("g·[a = y], shared equally among ties", _extreme),
           parameters="a axis out keepdims initial where", calls=CALLS)
LOG_SUM_EXP = define(_log_sum_exp, "ln Σ eᵃ", Trait.NONE,
       d("g·eᵃ⁻ʸ", _share),
       name="tinygrad_nn.log_sum_exp", parameters="a axis keepdims", calls=CALLS)
# A row of its own because nearly every classifier's loss passes here: composed, it takes seven
# nodes, and three times as long.
LOG_SOFTMAX = define(_log_softmax, "x − ln Σ eˣ", Trait.ANALYTIC,
       d("g − eʸ·Σ g", _log_softmax_back),
       name="tinygrad_nn.log_softmax", parameters="a axis",
       calls=(call((3, 4)), call((4,)), call((3, 3), axis=0), call((2, 3, 4), axis=1),
              call((3, 4), axis=(0, 1))))

# fmt: on

constant("argmax argmin argsort argpartition any all count_nonzero nonzero searchsorted")
constant("nanargmax nanargmin argwhere flatnonzero lexsort digitize")


@rewrite("numpy.ptp", "max a − min a", call((3, 4)), call((3, 4), axis=1, keepdims=True))
def _ptp(a: Array, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


@rewrite("numpy.cumulative_sum", "a₁, a₁ + a₂, …", call((5,)), call((3, 4), axis=1))
def _cumulative_sum(
    x: Array, /, *, axis: int | None = None, include_initial: bool = False
) -> Array:
    return _cumulative(np.cumsum, x, axis, 0 if include_initial else None)


@rewrite("numpy.cumulative_prod", "a₁, a₁a₂, …", call((5,)), call((3, 4), axis=1))
def _cumulative_prod(
    x: Array, /, *, axis: int | None = None, include_initial: bool = False
) -> Array:
    return _cumulative(np.cumprod, x, axis, 1 if include_initial else None)


def _cumulative(running: Any, x: Array, axis: int | None, initial: int | None) -> Array:
    if axis is None and x.ndim != 1:
        raise ValueError("axis= is needed for more than one dimension")
    axis = axis or 0
    y = running(x, axis=axis)
    if initial is None:
        return y
    first = np.full_like(np.take(x, [0], axis=axis), initial)
    return np.concatenate([first, y], axis=axis)


@rewrite("numpy.average", "Σ w·a / Σ w", call((3, 4)), call((3, 4), axis=1))
def _average(
    a: Array,
    axis: Axis = None,
    weights: Array = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Any:
    a = as_array(a)
    if weights is None:
        mean = np.mean(a, axis=axis, keepdims=keepdims)
        total = np.full_like(mean, _count(a, axis))
        return (mean, total) if returned else mean
    shape, along = np.shape(weights), axis
    if shape != np.shape(a):
        if axis is None:
            raise ValueError("axis= is needed where weights have another shape than a")
        axes = normalize_axis_tuple(axis, a.ndim)
        if shape != tuple(a.shape[i] for i in axes):
            raise ValueError("weights must have the length of a along the axes")
        order = np.argsort(axes).tolist()  # the weights' axes in the order in which a has them
        kept = [a.shape[i] if i in axes else 1 for i in range(a.ndim)]
        weights = np.reshape(np.transpose(weights, order), kept)  # -> (..., n, 1, ...)
        weights = np.broadcast_to(weights, a.shape)
    total = np.sum(weights, axis=along, keepdims=keepdims)
    mean = np.sum(a * weights, axis=along, keepdims=keepdims) / total
    return (mean, total) if returned else mean


# --- methods of ufuncs, whose axis counts from 0, where a function's default is all --------------


def _reduces(name: str, formula: str, function: Callable[..., Array]) -> None:
    def composed(
        array: Array,
        axis: Axis = 0,
        dtype: Any = None,
        out: None = None,
        keepdims: bool = False,
    ) -> Array:
        array = array if dtype is None else array.astype(dtype)
        return function(array, axis=axis, keepdims=keepdims)

    rewrite(name, formula)(composed)


def _accumulates(name: str, formula: str, function: Callable[..., Array]) -> None:
    def composed(array: Array, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        return function(array if dtype is None else array.astype(dtype), axis=axis)

    rewrite(name, formula)(composed)


_reduces("numpy.add.reduce", "Σ a", SUM)
_reduces("numpy.multiply.reduce", "Π a", np.prod)
_reduces("numpy.maximum.reduce", "max a", np.max)
_reduces("numpy.minimum.reduce", "min a", np.min)
_reduces("numpy.fmax.reduce", "max a, NaN apart", np.nanmax)
_reduces("numpy.fmin.reduce", "min a, NaN apart", np.nanmin)
_reduces("numpy.logaddexp.reduce", "ln Σ eᵃ", LOG_SUM_EXP)
_accumulates("numpy.add.accumulate", "a₁, a₁ + a₂, …", np.cumsum)
_accumulates("numpy.multiply.accumulate", "a₁, a₁a₂, …", np.cumprod)
