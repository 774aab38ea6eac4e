"""Rows that reduce axes, or run along one: sums, products, means, spreads, extremes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .._typing import Array, Axis
from .arrays import as_array
from .elementwise import stop_gradient
from .options import widened_extreme, widened_mean, widened_spread, widened_sum
from .primitive import Call, Trait, call, d
from .running import finite_product, products_before
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


def _back(g: Array, a: Array, axis: Axis, keepdims: bool) -> Array:
    """Give a reduced array its lost axes back, each of length 1, so that it broadcasts over a."""
    if keepdims or axis is None or a.ndim == 0:
        return g  # a full reduction is 0-d, or already all ones: it broadcasts as it is
    return np.expand_dims(g, axis)  # (..., ...) -> (..., 1, ...)


def _count(a: Array, axis: Axis) -> int:
    """How many elements of a each output element is made of."""
    if axis is None or a.ndim == 0:
        return math.prod(a.shape)
    axes = axis if isinstance(axis, tuple) else (axis,)
    return math.prod(a.shape[i] for i in axes)


def _sum(g: Array, y: Array, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    return np.broadcast_to(_back(g, a, axis, keepdims), a.shape)


def _mean(g: Array, y: Array, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    # Not g / n: a large n may be infinite in the dtype of g.
    return np.broadcast_to(_back(g, a, axis, keepdims) * _per(_count(a, axis)), a.shape)


def _deviation(a: Array, axis: Axis) -> Array:
    return a - np.mean(a, axis=axis, keepdims=True)


def _per(count: float) -> float:
    """1 / count; NaN for no degrees of freedom, as the spread itself."""
    return 1 / count if count else math.nan


def _var(
    g: Array, y: Array, a: Array, axis: Axis = None, ddof: float = 0, keepdims: bool = False
) -> Array:
    scale = 2 * _per(_count(a, axis) - ddof)
    return _back(g, a, axis, keepdims) * scale * _deviation(a, axis)


def _std(
    g: Array, y: Array, a: Array, axis: Axis = None, ddof: float = 0, keepdims: bool = False
) -> Array:
    # The spread of a constant has a kink at zero; the row takes the subgradient 0 there. The mean
    # of equal numbers is rounded, so neither y nor the deviation need be zero.
    if a.size == 0:
        return np.zeros_like(a)
    y = _back(y, a, axis, keepdims)
    equal = np.max(a, axis=axis, keepdims=True) == np.min(a, axis=axis, keepdims=True)
    level = equal | (y == 0)
    scale = np.where(level, 0, _back(g, a, axis, keepdims)) / np.where(level, 1, y)
    return scale * _per(_count(a, axis) - ddof) * _deviation(a, axis)


def _extreme(g: Array, y: Array, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    chosen = a == _back(y, a, axis, keepdims)
    share = (1 / np.sum(chosen, axis=axis, keepdims=True)).astype(g.dtype)
    return chosen * (_back(g, a, axis, keepdims) * share)


def _product(g: Array, y: Array, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    # The product of all the others is that of those before times that of those after: nothing is
    # divided, so zeros do no harm.
    reduced: Any = range(a.ndim) if axis is None or a.ndim == 0 else axis
    axes = normalize_axis_tuple(reduced, a.ndim)
    kept = [i for i in range(a.ndim) if i not in axes]
    moved = np.transpose(a, (*kept, *axes))  # (kept..., reduced...)
    row = np.reshape(moved, (math.prod(a.shape[i] for i in kept), -1)) if a.size else moved
    before, after = products_before(row), np.flip(products_before(np.flip(row, -1)), -1)
    others = finite_product(before, after)
    back = np.argsort((*kept, *axes)).tolist()
    others = np.transpose(np.reshape(others, moved.shape), back)  # as a again
    return _back(g, a, axis, keepdims) * others


def _log_sum_exp(a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    largest = np.max(a, axis=axis, keepdims=True)
    shift = np.where(np.isfinite(largest), largest, 0)  # adding a constant changes nothing
    with np.errstate(divide="ignore"):  # the logarithm of nothing is −∞, and rightly so
        y = np.log(np.sum(np.exp(a - shift), axis=axis, keepdims=True)) + shift
    return y if keepdims else np.squeeze(y, axis=axis)


def _share(g: Array, y: Array, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    largest = stop_gradient(np.max(a, axis=axis, keepdims=True))
    alike = np.isinf(largest) & (a == largest)  # infinite terms share: ∞ − ∞ has no value
    e = np.exp(np.where(alike, 0, a) - np.where(alike, 0, largest))
    return _back(g, a, axis, keepdims) * (e / np.sum(e, axis=axis, keepdims=True))


def _has_short_rows(x: Array, axis: Axis) -> bool:
    """Whether NumPy takes longer to begin with each row than to reduce it, as for a few classes."""
    plain = type(x) is np.ndarray and x.dtype.char in "fd" and x.flags.c_contiguous
    return plain and x.ndim == 2 and axis == -1 and x.shape[1] <= 16


def _peaks(x: Array, axis: Axis) -> Array:
    if _has_short_rows(x, axis):
        return x.T.copy().max(axis=0)[:, None]  # (n, classes) -> (classes, n) -> (n, 1)
    return x.max(axis=axis, keepdims=True)


def _totals(x: Array, axis: Axis) -> Array:
    if _has_short_rows(x, axis):
        return np.matmul(x, np.ones((x.shape[1], 1), x.dtype))  # (n, classes) -> (n, 1)
    return x.sum(axis=axis, keepdims=True)


def _log_softmax(x: Array, axis: Axis = -1) -> Array:
    shifted = x - _peaks(x, axis)  # adding a constant changes nothing
    return shifted - np.log(_totals(np.exp(shifted), axis))


def _log_softmax_back(g: Array, y: Array, x: Array, axis: Axis = -1) -> Array:
    return g - np.exp(y) * _totals(g, axis)


# A row is a line of mathematics: see elementwise.py.
# fmt: off

SUM = define(np.sum, "Σ a", Trait.LINEAR | Trait.ANALYTIC | Trait.OUT,
       d("g, repeated along the axis", _sum),
       parameters="a axis dtype out keepdims initial where", calls=CALLS,
       widened=widened_sum("sum", 0, np.add))
define(np.mean, "Σ a / n", Trait.LINEAR | Trait.ANALYTIC | Trait.OUT,
       d("g / n, repeated along the axis", _mean),
       parameters="a axis dtype out keepdims where", calls=CALLS, widened=widened_mean)
define(np.prod, "Π a", Trait.ANALYTIC | Trait.OUT,
       d("g·Π of all the others", _product),
       parameters="a axis dtype out keepdims initial where", calls=CALLS,
       widened=widened_sum("prod", 1, np.multiply))
define(np.var, "Σ(a − ā)² / (n − ddof)", Trait.OUT,
       d("2·g·(a − ā) / (n − ddof)", _var),
       parameters="a axis dtype out ddof keepdims where mean correction",
       calls=SPREADS, widened=widened_spread("var"))
define(np.std, "√(Σ(a − ā)² / (n − ddof))", Trait.OUT,
       d("g·(a − ā) / ((n − ddof)·y), 0 where a is constant", _std),
       parameters="a axis dtype out ddof keepdims where mean correction",
       calls=SPREADS, widened=widened_spread("std"))
for extreme in (np.max, np.amax):
    define(extreme, "max a", Trait.SELECTS | Trait.OUT,
           d("g·[a = y], shared equally among ties", _extreme),
           parameters="a axis out keepdims initial where", calls=CALLS,
           widened=widened_extreme("max", -math.inf, np.maximum))
for extreme in (np.min, np.amin):
    define(extreme, "min a", Trait.SELECTS | Trait.OUT,
           d("g·[a = y], shared equally among ties", _extreme),
           parameters="a axis out keepdims initial where", calls=CALLS,
           widened=widened_extreme("min", math.inf, np.minimum))
LOG_SUM_EXP = define(_log_sum_exp, "ln Σ eᵃ", Trait.NONE,
       d("g·eᵃ / Σ eᵃ", _share),
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
    if np.any(total == 0):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
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
        return function(as_array(array, dtype), axis=axis, keepdims=keepdims)

    rewrite(name, formula)(composed)


_reduces("numpy.add.reduce", "Σ a", SUM)
_reduces("numpy.multiply.reduce", "Π a", np.prod)
_reduces("numpy.maximum.reduce", "max a", np.max)
_reduces("numpy.minimum.reduce", "min a", np.min)
_reduces("numpy.fmax.reduce", "max a, NaN apart", np.nanmax)
_reduces("numpy.fmin.reduce", "min a, NaN apart", np.nanmin)
_reduces("numpy.logaddexp.reduce", "ln Σ eᵃ", LOG_SUM_EXP)
