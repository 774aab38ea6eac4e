"""Rows that act on each element alone: arithmetic, exponentials, logarithms.

Broadcasting appears in no rule: a cotangent may come back in the broadcast shape, and the walker
sums it to its input's. Constants are Python numbers, because ``np.log(2)`` is a float64 that
would turn float32 into float64.
"""

import math
from typing import Any

import numpy as np

from .._typing import Array
from .primitive import INTEGER, NONZERO, POSITIVE, REAL, Domain, Primitive, Trait, call, d
from .table import constant, define, rewrite

__all__ = [
    "ASTYPE",
    "IDENTITY",
    "SIGMOID",
    "SOFTPLUS",
    "STOP_GRADIENT",
    "positive_part",
    "stop_gradient",
]

EACH = Trait.ELEMENTWISE
SMOOTH = Trait.ELEMENTWISE | Trait.ANALYTIC
LINEAR = Trait.ELEMENTWISE | Trait.ANALYTIC | Trait.LINEAR

LN_2, LN_10 = math.log(2), math.log(10)


def _power_base(g: Array, y: Array, a: Array, b: Array) -> Array:
    if isinstance(b, (int, float)) and b:
        return g * (b * a ** (b - 1))
    # a⁰ is the constant 1, at a = 0 as well, where 0·0⁻¹ has no value.
    # Less 1.0 and not 1, or an unsigned 0 would become the largest integer.
    return g * (b * np.where((a == 0) & (b == 0), 1, a) ** (b - 1.0))


def _power_exponent(g: Array, y: Array, a: Array, b: Array) -> Array:
    # 0ᵇ is the constant 0 for b > 0, where 0·ln 0 has no value.
    return g * y * np.log(np.where((a == 0) & (b >= 0), 1, a).astype(y.dtype))


def _lead(a: Array, b: Array) -> Array:
    """How far a is ahead of b; 0 where both are infinite alike, so that they share equally."""
    alike = np.isinf(a) & (a == b)
    return np.where(alike, 0, a) - np.where(alike, 0, b)


def _shrunk(a: Array) -> Array:
    """e^−|a|, at most 1; of complex numbers, what continues it from the real ones."""
    return np.exp(-np.abs(a) if a.dtype.kind == "f" else np.minimum(a, -a))


def positive_part(a: Array) -> Array:
    """max(a, 0). Between bounds of its own dtype, clip is three times as fast as np.maximum."""
    kind = a.dtype.type
    return a.clip(kind(0), kind(np.inf))


def _sigmoid(a: Array) -> Array:
    e = _shrunk(a)
    # 1 / (1 + e⁻ᵃ) for a ≥ 0, else eᵃ / (1 + eᵃ), the same function. `where` takes far longer.
    return ((a >= 0) + (a < 0) * e) / (1 + e)


def _softplus(a: Array) -> Array:
    return positive_part(a) + np.log1p(_shrunk(a))  # a + ln(1 + e⁻ᵃ) = ln(1 + eᵃ)


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
define(np.float_power, "aᵇ, in float64", SMOOTH,
       d("g·b·aᵇ⁻¹", _power_base),
       d("g·y·ln a", _power_exponent),
       singular=lambda a, b: a <= 0, domains=(POSITIVE, REAL))
define(np.remainder, "a mod b", EACH,
       d("g", lambda g, y, a, b: g),
       d("−g·⌊a / b⌋", lambda g, y, a, b: -g * np.floor_divide(a, b)),
       domains=(REAL, NONZERO),
       kinks=lambda a, b: a - b * np.rint(a / b))
define(np.fmod, "a − b·trunc(a / b)", EACH,
       d("g", lambda g, y, a, b: g),
       d("−g·trunc(a / b)", lambda g, y, a, b: -g * np.trunc(a / b)),
       domains=(REAL, NONZERO),
       kinks=lambda a, b: a - b * np.rint(a / b))
define(np.negative, "−a", LINEAR, d("−g", lambda g, y, a: -g))
define(np.positive, "a", LINEAR, d("g", lambda g, y, a: g))
define(np.square, "a²", SMOOTH, d("2·g·a", lambda g, y, a: g * (2 * a)))
define(np.reciprocal, "1 / a", SMOOTH, d("−g·y²", lambda g, y, a: -g * y * y),
       singular=lambda a: a == 0, domains=(POSITIVE,))
define(np.sqrt, "√a", SMOOTH, d("g / 2y", lambda g, y, a: g / (2 * y)),
       singular=lambda a: a <= 0, domains=(POSITIVE,))
define(np.cbrt, "∛a", EACH, d("g / 3y²", lambda g, y, a: g / (3 * y * y)),
       singular=lambda a: a == 0, domains=(NONZERO,))
define(np.ldexp, "a·2ᵇ, for whole b", EACH, d("g·2ᵇ", lambda g, y, a, b: np.ldexp(g, b)), None,
       domains=(REAL, INTEGER))
define(np.conjugate, "a, for real a", EACH | Trait.LINEAR, d("g", lambda g, y, a: g))

# --- exponentials and logarithms --------------------------------------------------------------

define(np.exp, "eᵃ", SMOOTH, d("g·y", lambda g, y, a: g * y))
define(np.exp2, "2ᵃ", SMOOTH, d("g·y·ln 2", lambda g, y, a: g * y * LN_2))
define(np.expm1, "eᵃ − 1", SMOOTH, d("g·eᵃ", lambda g, y, a: g * np.exp(a)))
define(np.log, "ln a", SMOOTH, d("g / a", lambda g, y, a: g / a),
       singular=lambda a: a <= 0, domains=(POSITIVE,))
define(np.log2, "log₂ a", SMOOTH, d("g / (a·ln 2)", lambda g, y, a: g / (a * LN_2)),
       singular=lambda a: a <= 0, domains=(POSITIVE,))
define(np.log10, "log₁₀ a", SMOOTH, d("g / (a·ln 10)", lambda g, y, a: g / (a * LN_10)),
       singular=lambda a: a <= 0, domains=(POSITIVE,))
define(np.log1p, "ln(1 + a)", SMOOTH, d("g / (1 + a)", lambda g, y, a: g / (1 + a)),
       singular=lambda a: a <= -1, domains=(Domain(low=-1.0),))
define(np.logaddexp, "ln(eᵃ + eᵇ)", EACH,
       d("g / (1 + eᵇ⁻ᵃ)", lambda g, y, a, b: g * np.exp(-np.logaddexp(0, _lead(b, a)))),
       d("g / (1 + eᵃ⁻ᵇ)", lambda g, y, a, b: g * np.exp(-np.logaddexp(0, _lead(a, b)))))
define(np.logaddexp2, "log₂(2ᵃ + 2ᵇ)", EACH,
       d("g / (1 + 2ᵇ⁻ᵃ)", lambda g, y, a, b: g * np.exp2(-np.logaddexp2(0, _lead(b, a)))),
       d("g / (1 + 2ᵃ⁻ᵇ)", lambda g, y, a, b: g * np.exp2(-np.logaddexp2(0, _lead(a, b)))))
# Rows of their own: composed of two branches and a `where`, they take five times as long.
SIGMOID: Primitive = define(_sigmoid, "1 / (1 + e⁻ᵃ)", SMOOTH,
       d("g·y·σ(−a)", lambda g, y, a: g * y * SIGMOID(-a)),
       name="tinygrad_nn.sigmoid", parameters="x")
SOFTPLUS = define(_softplus, "ln(1 + eᵃ)", SMOOTH,
       d("g·(1 − e⁻ʸ)", lambda g, y, a: g * -np.expm1(-y)),
       name="tinygrad_nn.softplus", parameters="x")

# --- the recording's own ----------------------------------------------------------------------

IDENTITY = define(_same, "a", LINEAR | Trait.VIEW, d("g", lambda g, y, a: g),
       name="tinygrad_nn.identity")
STOP_GRADIENT = define(_same, "a, held constant", LINEAR | Trait.VIEW | Trait.OPAQUE, None,
       name="tinygrad_nn.stop_gradient")
# The walker hands every cotangent on in its input's dtype, so this rule has nothing to convert.
ASTYPE = define(_astype, "a as dtype", EACH | Trait.LINEAR, d("g", lambda g, y, a, *, dtype: g),
       name="tinygrad_nn.astype", parameters="a dtype", calls=(call((3, 4), dtype=np.float64),))

# fmt: on

constant("equal not_equal less less_equal greater greater_equal isclose allclose array_equal")
constant("logical_and logical_or logical_xor logical_not isnan isinf isfinite signbit")
constant("bitwise_and bitwise_or bitwise_xor invert bitwise_count left_shift right_shift gcd lcm")
constant("isposinf isneginf isreal iscomplex isnat isin array_equiv")


@rewrite("numpy.modf", "the fraction of a, and its whole part", call((3, 4)))
def _modf(x: Array) -> tuple[Array, Array]:
    fraction, whole = np.modf(stop_gradient(x))
    return np.where(np.isinf(whole), fraction, x - whole), whole


@rewrite("numpy.divmod", "⌊a / b⌋, and a mod b", call((3, 4), (4,)), domains=(REAL, NONZERO))
def _divmod(x1: Array, x2: Array) -> tuple[Array, Array]:
    return np.floor_divide(x1, x2), np.remainder(x1, x2)


@rewrite("numpy.frexp", "m and n of a = m·2ⁿ", call((3, 4)), domains=(NONZERO,))
def _frexp(x: Array) -> tuple[Array, Array]:
    exponent = np.frexp(stop_gradient(x))[1]
    return np.ldexp(x, -exponent), exponent


@rewrite("numpy.real", "a, for real a", call((3, 4)))
def _real(val: Array) -> Array:
    return IDENTITY(val)


@rewrite("numpy.real_if_close", "a, for real a", call((3, 4)))
def _real_if_close(a: Array, tol: float = 100) -> Array:
    return IDENTITY(a)


@rewrite("numpy.imag", "0, for real a", call((3, 4)))
def _imag(val: Array) -> Array:
    return np.zeros_like(val)


@rewrite("numpy.angle", "0 or π, for real a", call((3, 4)))
def _angle(z: Array, deg: bool = False) -> Array:
    return np.angle(stop_gradient(z), deg)


@rewrite("numpy.astype", "a as dtype")
def _as_dtype(x: Array, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Array:
    return ASTYPE(x, dtype=dtype)


def stop_gradient(x: Array) -> Array:
    """The value of x, as a constant: no gradient passes through."""
    return STOP_GRADIENT(x)
