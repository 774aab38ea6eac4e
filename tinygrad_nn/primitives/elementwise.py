"""Rows that act on each element alone: arithmetic, exponentials, trigonometry, choices.

Broadcasting appears in no rule: a cotangent may come back in the broadcast shape, and the walker
sums it to its input's. Constants are Python numbers, because ``np.log(2)`` is a float64 that
would turn float32 into float64.
"""

from typing import Any

import numpy as np

from .._typing import Array
from ..errors import MissingDerivativeError
from .table import (
    BOOLEAN,
    NONZERO,
    POSITIVE,
    REAL,
    Domain,
    Trait,
    call,
    constant,
    d,
    define,
    rewrite,
)

__all__ = ["ASTYPE", "CLIP", "IDENTITY", "RELU", "STOP_GRADIENT", "relu", "stop_gradient"]

EACH = Trait.ELEMENTWISE
SMOOTH = Trait.ELEMENTWISE | Trait.ANALYTIC
LINEAR = Trait.ELEMENTWISE | Trait.ANALYTIC | Trait.LINEAR
SELECTS = Trait.ELEMENTWISE | Trait.SELECTS


def _power_base(g: Array, y: Array, a: Array, b: Array) -> Array:
    if isinstance(b, (int, float)) and b:
        return g * (b * a ** (b - 1))
    # a⁰ is the constant 1, at a = 0 as well, where 0·0⁻¹ has no value.
    # Less 1.0 and not 1, or an unsigned 0 would become the largest integer.
    return g * (b * np.where((a == 0) & (b == 0), 1, a) ** (b - 1.0))


def _power_exponent(g: Array, y: Array, a: Array, b: Array) -> Array:
    # 0ᵇ is the constant 0 for b > 0, where 0·ln 0 has no value.
    return g * y * np.log(np.where((a == 0) & (b >= 0), 1, a).astype(y.dtype))


def _tied(a: Array, b: Array, wins: Array, like: Array) -> Array:
    """The share of a maximum or minimum that belongs to its first argument: 1, 0, or half."""
    return wins.astype(like.dtype) + (a == b).astype(like.dtype) * 0.5


# NumPy's clip is min(max(a, l), h), so that with h < l it is h; either bound may be None.
def _clip_inside(g: Array, y: Array, a: Array, l: Array, h: Array) -> Array:
    return g * (y == a) if l is None or h is None else g * ((y == a) & (l <= h))


def _clip_low(g: Array, y: Array, a: Array, l: Array, h: Array) -> Array:
    return g * (a < l) if h is None else g * ((a < l) & (l <= h))


def _clip_high(g: Array, y: Array, a: Array, l: Array, h: Array) -> Array:
    return g * (a > h) if l is None else g * ((a > h) | (l > h))


def _relu(x: Array) -> Array:
    return np.maximum(x, 0)


def _same(x: Array) -> Array:
    return x


def _astype(x: Array, dtype: Any) -> Array:
    return x.astype(dtype)


# The formatter would spread each row over a dozen lines. A row is a line of mathematics, and the
# derivatives stand below it.
# fmt: off

# --- arithmetic -------------------------------------------------------------------------------

define(np.add, "a + b", LINEAR,
       d("g", lambda g, y, a, b: g),
       d("g", lambda g, y, a, b: g))
define(np.subtract, "a − b", LINEAR,
       d("g", lambda g, y, a, b: g),
       d("−g", lambda g, y, a, b: -g))
define(np.multiply, "a·b", SMOOTH,
       d("g·b", lambda g, y, a, b: g * b),
       d("g·a", lambda g, y, a, b: g * a))
define(np.divide, "a / b", SMOOTH,
       d("g / b", lambda g, y, a, b: g / b),
       d("−g·y / b", lambda g, y, a, b: -g * y / b),
       singular=lambda a, b: b == 0, domains=(REAL, POSITIVE))
define(np.power, "aᵇ", SMOOTH,
       d("g·b·aᵇ⁻¹", _power_base),
       d("g·y·ln a", _power_exponent),
       singular=lambda a, b: a <= 0, domains=(POSITIVE, REAL))
define(np.remainder, "a mod b", EACH,
       d("g", lambda g, y, a, b: g),
       d("−g·⌊a / b⌋", lambda g, y, a, b: -g * np.floor_divide(a, b)),
       domains=(REAL, NONZERO),
       kinks=lambda a, b: a - b * np.rint(a / b))
define(np.negative, "−a", LINEAR, d("−g", lambda g, y, a: -g))
define(np.positive, "a", LINEAR, d("g", lambda g, y, a: g))
define(np.square, "a²", SMOOTH, d("2·g·a", lambda g, y, a: g * (2 * a)))
define(np.reciprocal, "1 / a", SMOOTH, d("−g·y²", lambda g, y, a: -g * y * y),
       singular=lambda a: a == 0, domains=(POSITIVE,))
define(np.sqrt, "√a", SMOOTH, d("g / 2y", lambda g, y, a: g / (2 * y)),
       singular=lambda a: a <= 0, domains=(POSITIVE,))

# --- exponentials and logarithms --------------------------------------------------------------

define(np.exp, "eᵃ", SMOOTH, d("g·y", lambda g, y, a: g * y))
define(np.expm1, "eᵃ − 1", SMOOTH, d("g·(y + 1)", lambda g, y, a: g * (y + 1)))
define(np.log, "ln a", SMOOTH, d("g / a", lambda g, y, a: g / a),
       singular=lambda a: a <= 0, domains=(POSITIVE,))
define(np.log1p, "ln(1 + a)", SMOOTH, d("g / (1 + a)", lambda g, y, a: g / (1 + a)),
       singular=lambda a: a <= -1, domains=(Domain(low=-1.0),))

# --- trigonometry -----------------------------------------------------------------------------

define(np.sin, "sin a", SMOOTH, d("g·cos a", lambda g, y, a: g * np.cos(a)))
define(np.cos, "cos a", SMOOTH, d("−g·sin a", lambda g, y, a: -g * np.sin(a)))
define(np.tanh, "tanh a", SMOOTH, d("g·(1 − y²)", lambda g, y, a: g * (1 - y * y)))

# --- choices, where calculus leaves some: docs/conventions.md lists them ----------------------

define(np.absolute, "|a|", EACH, d("g·sign a", lambda g, y, a: g * np.sign(a)),
       kinks=lambda a: a)
define(np.maximum, "max(a, b)", SELECTS,
       d("g·[a > b], half at a tie", lambda g, y, a, b: g * _tied(a, b, a > b, g)),
       d("g·[b > a], half at a tie", lambda g, y, a, b: g * _tied(a, b, a < b, g)),
       kinks=lambda a, b: a - b)
define(np.minimum, "min(a, b)", SELECTS,
       d("g·[a < b], half at a tie", lambda g, y, a, b: g * _tied(a, b, a < b, g)),
       d("g·[b < a], half at a tie", lambda g, y, a, b: g * _tied(a, b, a > b, g)),
       kinks=lambda a, b: a - b)
CLIP = define(np.clip, "min(max(a, l), h)", SELECTS,
       d("g·[l ≤ a ≤ h]", _clip_inside),
       d("g·[a < l ≤ h]", _clip_low),
       d("g·[h < max(a, l)]", _clip_high),
       parameters="a a_min a_max",
       calls=(call((3, 4), (4,), ()), call((3, 4), (), (3, 1))),
       domains=(REAL, Domain(high=0.0), POSITIVE),
       kinks=lambda a, l, h: np.where(np.abs(a - l) < np.abs(a - h), a - l, a - h))
RELU = define(_relu, "max(a, 0)", SELECTS, d("g·[a > 0]", lambda g, y, a: g * (y > 0)),
       name="tinygrad_nn.relu", kinks=lambda a: a)
WHERE = define(np.where, "a where c, else b", SELECTS,
       None,
       d("g where c, else 0", lambda g, y, c, a, b: np.where(c, g, 0)),
       d("0 where c, else g", lambda g, y, c, a, b: np.where(c, 0, g)),
       parameters="condition x y", domains=(BOOLEAN, REAL, REAL),
       calls=(call((3, 4), (3, 4), (3, 4)), call((4,), (3, 1), ())))
define(np.sign, "sign a", EACH, d("0", lambda g, y, a: np.zeros_like(g)), kinks=lambda a: a)
define(np.floor, "⌊a⌋", EACH, d("0", lambda g, y, a: np.zeros_like(g)),
       kinks=lambda a: a - np.rint(a))
define(np.ceil, "⌈a⌉", EACH, d("0", lambda g, y, a: np.zeros_like(g)),
       kinks=lambda a: a - np.rint(a))
define(np.floor_divide, "⌊a / b⌋", EACH,
       d("0", lambda g, y, a, b: np.zeros_like(g)),
       d("0", lambda g, y, a, b: np.zeros_like(g)),
       domains=(REAL, NONZERO), kinks=lambda a, b: a - b * np.rint(a / b))

# --- the recording's own ----------------------------------------------------------------------

IDENTITY = define(_same, "a", LINEAR | Trait.VIEW, d("g", lambda g, y, a: g),
       name="tinygrad_nn.identity")
STOP_GRADIENT = define(_same, "a, held constant", LINEAR | Trait.VIEW | Trait.OPAQUE, None,
       name="tinygrad_nn.stop_gradient")
# The walker hands every cotangent on in its input's dtype, so this rule has nothing to convert.
ASTYPE = define(_astype, "a as dtype", LINEAR, d("g", lambda g, y, a, *, dtype: g),
       name="tinygrad_nn.astype", parameters="a dtype", calls=(call((3, 4), dtype=np.float64),))

# fmt: on

constant("equal not_equal less less_equal greater greater_equal isclose allclose array_equal")
constant("logical_and logical_or logical_xor logical_not isnan isinf isfinite signbit")
constant("bitwise_and bitwise_or bitwise_xor invert")


@rewrite("numpy.clip")
def _clip(
    a: Array,
    a_min: Array = None,
    a_max: Array = None,
    out: Array = None,
    *,
    min: Array = None,  # noqa: A002  NumPy's own keyword
    max: Array = None,  # noqa: A002  NumPy's own keyword
) -> Array:
    if out is not None:
        raise MissingDerivativeError("numpy.clip: there is no derivative with out=; leave it out")
    return CLIP(a, a_min if min is None else min, a_max if max is None else max)


@rewrite("numpy.where")
def _where(condition: Array, *branches: Array) -> Array:
    return WHERE(condition, *branches) if branches else np.nonzero(condition)


def relu(x: Array) -> Array:
    """The rectified linear unit: max(x, 0), with derivative 1 above zero and 0 at and below it.

    A row of its own: composed from ``np.maximum`` its derivative at 0 would be one half.
    """
    return RELU(x)


def stop_gradient(x: Array) -> Array:
    """The value of x, as a constant: no gradient passes through."""
    return STOP_GRADIENT(x)
