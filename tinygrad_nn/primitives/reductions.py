"""Rows that reduce axes: sums, means, spreads, extremes."""

import math

import numpy as np

from .._typing import Array, Axis
from .table import Call, Trait, call, constant, d, define

__all__ = ["LOG_SOFTMAX"]

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
    return np.broadcast_to(_back(g, a, axis, keepdims), a.shape)


def _mean(g: Array, y: Array, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    return np.broadcast_to(_back(g, a, axis, keepdims) / _count(a, axis), a.shape)


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
    constant = np.max(a, axis=axis, keepdims=True) == np.min(a, axis=axis, keepdims=True)
    spread = np.where(constant, 1, _back(y, a, axis, keepdims))
    scale = np.where(constant, 0, _back(g, a, axis, keepdims)) / spread
    return scale * _per(_count(a, axis) - ddof) * _deviation(a, axis)


def _extreme(g: Array, y: Array, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    chosen = a == _back(y, a, axis, keepdims)
    share = np.sum(chosen, axis=axis, keepdims=True).astype(g.dtype)
    return chosen * (_back(g, a, axis, keepdims) / share)


def _log_softmax(x: Array, axis: Axis = -1) -> Array:
    shifted = x - np.max(x, axis=axis, keepdims=True)  # adding a constant changes nothing
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _log_softmax_back(g: Array, y: Array, x: Array, axis: Axis = -1) -> Array:
    return g - np.exp(y) * np.sum(g, axis=axis, keepdims=True)


# A row is a line of mathematics: see elementwise.py.
# fmt: off

define(np.sum, "Σ a", Trait.LINEAR | Trait.ANALYTIC | Trait.OUT,
       d("g, repeated along the axis", _sum),
       parameters="a axis dtype out keepdims initial where", calls=CALLS)
define(np.mean, "Σ a / n", Trait.LINEAR | Trait.ANALYTIC | Trait.OUT,
       d("g / n, repeated along the axis", _mean),
       parameters="a axis dtype out keepdims where", calls=CALLS)
define(np.var, "Σ(a − ā)² / (n − ddof)", Trait.OUT,
       d("2·g·(a − ā) / (n − ddof)", _var),
       parameters="a axis dtype out ddof keepdims where mean correction",
       calls=SPREADS)
define(np.std, "√(Σ(a − ā)² / (n − ddof))", Trait.OUT,
       d("g·(a − ā) / ((n − ddof)·y), 0 where a is constant", _std),
       parameters="a axis dtype out ddof keepdims where mean correction",
       calls=SPREADS)
define(np.max, "max a", Trait.SELECTS | Trait.OUT,
       d("g·[a = y], shared equally among ties", _extreme),
       parameters="a axis out keepdims initial where", calls=CALLS)
define(np.min, "min a", Trait.SELECTS | Trait.OUT,
       d("g·[a = y], shared equally among ties", _extreme),
       parameters="a axis out keepdims initial where", calls=CALLS)
# A row of its own because nearly every classifier's loss passes here: composed, it takes seven
# nodes, and three times as long.
LOG_SOFTMAX = define(_log_softmax, "x − ln Σ eˣ", Trait.ANALYTIC,
       d("g − eʸ·Σ g", _log_softmax_back),
       name="tinygrad_nn.log_softmax", parameters="a axis",
       calls=(call((3, 4)), call((4,)), call((3, 3), axis=0), call((2, 3, 4), axis=1),
              call((3, 4), axis=(0, 1))))

# fmt: on

constant("argmax argmin argsort any all count_nonzero nonzero searchsorted")
