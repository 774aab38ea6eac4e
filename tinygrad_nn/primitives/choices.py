"""Rows that choose: the larger, the nearer, one branch or the other, a step.

Where calculus leaves a choice, as at a tie or on a step, docs/conventions.md says what is taken.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._typing import Array
from ..errors import ArgumentError, DtypeError
from .arrays import as_array
from .elementwise import EACH, positive_part
from .primitive import BOOLEAN, NONZERO, POSITIVE, REAL, Domain, Trait, call, d
from .table import define, rewrite

__all__ = ["CLIP", "RELU", "relu"]

SELECTS = Trait.ELEMENTWISE | Trait.SELECTS


def _tied(a: Array, b: Array, wins: Array, like: Array) -> Array:
    """The share of a maximum or minimum that belongs to its first argument: 1, 0, or half."""
    return wins.astype(like.dtype) + (a == b).astype(like.dtype) * 0.5


def _taken(a: Array, b: Array, wins: Array, like: Array) -> Array:
    """The same for fmax and fmin, which take a number rather than NaN."""
    return _tied(a, b, wins | (np.isnan(b) & ~np.isnan(a)), like)


# NumPy's clip is min(max(a, l), h), so that with h < l it is h; either bound may be None.
def _clip_inside(g: Array, y: Array, a: Array, l: Array, h: Array) -> Array:
    return g * (y == a) if l is None or h is None else g * ((y == a) & (l <= h))


def _clip_low(g: Array, y: Array, a: Array, l: Array, h: Array) -> Array:
    return g * (a < l) if h is None else g * ((a < l) & (l <= h))


def _clip_high(g: Array, y: Array, a: Array, l: Array, h: Array) -> Array:
    return g * (a > h) if l is None else g * ((a > h) | (l > h))


def _where_finite(
    g: Array, y: Array, a: Array, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Array:
    return np.where(np.isfinite(a), g, 0)


def _nan_to_num(x: Array, **options: Any) -> Array:
    return np.nan_to_num(x, **options)  # the options that were given: not every library has them


def _level(g: Array, *_: Array) -> Array:
    return np.zeros_like(g)


def _level_round(g: Array, y: Array, a: Array, decimals: int = 0) -> Array:
    return np.zeros_like(g)


# A row is a line of mathematics: see elementwise.py.
# fmt: off

for absolute in (np.absolute, np.fabs):
    define(absolute, "|a|", EACH, d("g·sign a", lambda g, y, a: g * np.sign(a)),
           kinks=lambda a: a)
define(np.maximum, "max(a, b)", SELECTS,
       d("g·[a > b], half at a tie", lambda g, y, a, b: g * _tied(a, b, a > b, g)),
       d("g·[b > a], half at a tie", lambda g, y, a, b: g * _tied(a, b, a < b, g)),
       kinks=lambda a, b: a - b)
define(np.minimum, "min(a, b)", SELECTS,
       d("g·[a < b], half at a tie", lambda g, y, a, b: g * _tied(a, b, a < b, g)),
       d("g·[b < a], half at a tie", lambda g, y, a, b: g * _tied(a, b, a > b, g)),
       kinks=lambda a, b: a - b)
define(np.fmax, "max(a, b), or the one that is a number", SELECTS,
       d("g where a is taken, half at a tie", lambda g, y, a, b: g * _taken(a, b, a > b, g)),
       d("g where b is taken, half at a tie", lambda g, y, a, b: g * _taken(b, a, b > a, g)),
       kinks=lambda a, b: a - b)
define(np.fmin, "min(a, b), or the one that is a number", SELECTS,
       d("g where a is taken, half at a tie", lambda g, y, a, b: g * _taken(a, b, a < b, g)),
       d("g where b is taken, half at a tie", lambda g, y, a, b: g * _taken(b, a, b < a, g)),
       kinks=lambda a, b: a - b)
CLIP = define(np.clip, "min(max(a, l), h)", SELECTS,
       d("g·[l ≤ a ≤ h]", _clip_inside),
       d("g·[a < l ≤ h]", _clip_low),
       d("g·[h < max(a, l)]", _clip_high),
       parameters="a a_min a_max",
       calls=(call((3, 4), (4,), ()), call((3, 4), (), (3, 1)), call((2, 3), (2, 3), (2, 3))),
       domains=(REAL, Domain(high=0.0), POSITIVE),
       kinks=lambda a, l, h: np.where(np.abs(a - l) < np.abs(a - h), a - l, a - h))
RELU = define(positive_part, "max(a, 0)", SELECTS, d("g·[a > 0]", lambda g, y, a: g * (y > 0)),
       name="tinygrad_nn.relu", kinks=lambda a: a)
WHERE = define(np.where, "a where c, else b", SELECTS,
       None,
       d("g where c, else 0", lambda g, y, c, a, b: np.where(c, g, 0)),
       d("0 where c, else g", lambda g, y, c, a, b: np.where(c, 0, g)),
       parameters="condition x y", domains=(BOOLEAN, REAL, REAL),
       calls=(call((3, 4), (3, 4), (3, 4)), call((4,), (3, 1), ())))
NAN_TO_NUM = define(_nan_to_num, "a, made finite", EACH,
       d("g where a is finite", _where_finite),
       name="tinygrad_nn.nan_to_num", parameters="x nan posinf neginf",
       calls=(call((3, 4)), call((3,), nan=1.0)))

# --- steps: level between their jumps ---------------------------------------------------------

LEVEL = d("0", _level)

define(np.sign, "sign a", EACH, LEVEL, kinks=lambda a: a)
for step in (np.floor, np.ceil, np.trunc):
    bracket = {"floor": "⌊a⌋", "ceil": "⌈a⌉"}.get(step.__name__, "a, rounded towards 0")
    define(step, bracket, EACH, LEVEL, kinks=lambda a: a - np.rint(a))
define(np.rint, "a, rounded", EACH, LEVEL, kinks=lambda a: a - np.floor(a) - 0.5)
for round_ in (np.round, np.around):
    define(round_, "a, rounded to some decimals", EACH, d("0", _level_round),
           parameters="a decimals out", kinks=lambda a: a - np.floor(a) - 0.5)
define(np.floor_divide, "⌊a / b⌋", EACH, LEVEL, LEVEL,
       domains=(REAL, NONZERO), kinks=lambda a, b: a - b * np.rint(a / b))
define(np.heaviside, "0 below 0, 1 above, b at a = 0", EACH,
       LEVEL,
       d("g·[a = 0]", lambda g, y, a, b: g * (a == 0)),
       kinks=lambda a, b: a)
define(np.copysign, "|a|, with the sign of b", EACH,
       d("g·sign a·sign b", lambda g, y, a, b: np.where(np.signbit(b), -g, g) * np.sign(a)),
       LEVEL, domains=(REAL, NONZERO), kinks=lambda a, b: a)

# fmt: on


@rewrite("numpy.clip", "min(max(a, l), h)", call((3, 4), a_min=-1.0, a_max=None),
         call((3, 4), min=-1.0, max=1.0), kinks=lambda a: np.abs(a) - 1)  # fmt: skip
def _clip(
    a: Array,
    a_min: Array = None,
    a_max: Array = None,
    out: Array = None,
    *,
    min: Array = None,
    max: Array = None,
) -> Array:
    if (a_min is not None or a_max is not None) and (min is not None or max is not None):
        raise ValueError("numpy.clip: either a_min and a_max, or min and max")
    return CLIP(a, a_min if min is None else min, a_max if max is None else max)


@rewrite("numpy.where", "a where c, else b", call((3, 4), (3, 4), (4,)),
         domains=(BOOLEAN, REAL, REAL))  # fmt: skip
def _where(condition: Array, *branches: Array) -> Array:
    condition = as_array(condition)
    if condition.dtype != bool:
        condition = condition != 0  # what a condition is made of has no gradient from it
    return WHERE(condition, *branches) if branches else np.nonzero(condition)


@rewrite("numpy.fix", "a, rounded towards 0")
def _fix(x: Array, out: None = None) -> Array:
    return np.trunc(x)


@rewrite("numpy.nan_to_num", "a, made finite", call((3, 4)), call((3,), nan=1.0))
def _nan_to_num_call(
    x: Array,
    copy: bool = True,  # a recorded value is never written, so it is copied either way
    nan: float = 0.0,
    posinf: Any = None,
    neginf: Any = None,
) -> Array:
    options = {"nan": nan if nan != 0 else None, "posinf": posinf, "neginf": neginf}
    return NAN_TO_NUM(x, **{k: v for k, v in options.items() if v is not None})


@rewrite("numpy.select", "the first choice whose condition holds")
def _select(condlist: Sequence[Array], choicelist: Sequence[Array], default: Any = 0) -> Array:
    if len(condlist) != len(choicelist):
        raise ArgumentError(
            f"numpy.select: expected a choice for each condition; got {len(condlist)} conditions "
            f"and {len(choicelist)} choices"
        )
    if any(as_array(condition).dtype != bool for condition in condlist):
        raise DtypeError("numpy.select: expected booleans for conditions; got other numbers")
    chosen = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        chosen = WHERE(condition, choice, chosen)
    return chosen


def relu(x: Array) -> Array:
    """The rectified linear unit: max(x, 0), with derivative 1 above zero and 0 at and below it.

    A row of its own: composed from ``np.maximum`` its derivative at 0 would be one half.
    """
    return RELU(x)
