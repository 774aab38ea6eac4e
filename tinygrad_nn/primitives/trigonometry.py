"""Rows of the circle and the hyperbola: sines and their kin, inverses, angles.

Each slope is written in the form that neither overflows nor cancels: 1 − a² as (1 − a)(1 + a).
"""

import functools
import math
from typing import Any

import numpy as np

from .._typing import Array
from .elementwise import EACH, SMOOTH, stop_gradient
from .primitive import NONZERO, REAL, Domain, Primitive, Trait, call, d
from .table import define, rewrite

__all__ = ["SINC"]

UNIT = Domain(low=-1.0, high=1.0)
TURNS = Trait.ELEMENTWISE | Trait.LINEAR


def _over(a: Array, r: Array) -> Array:
    """The quotient a / r, and 0 where r = 0, in the middle of the kink of a distance."""
    return np.where(r == 0, 0, a) / np.where(r == 0, 1, r)


@functools.cache
def _quadrature() -> tuple[Array, Array]:
    """Points and weights that integrate over (0, 1), as [n, 1]: exact for any smooth function."""
    points, weights = np.polynomial.legendre.leggauss(32)
    return (points[:, None] + 1) / 2, weights[:, None] / 2


def _sinc_derivative(t: Array, order: int) -> Array:
    """The derivative of sin(t) / t of some order, at every t.

    Dividing by t loses everything near 0. There it is ∫₀¹ dⁿ/dtⁿ cos(u·t) du, a smooth integral.
    Far out the integrand turns too often, but the recurrence t·sₙ = sin⁽ⁿ⁾(t) − n·sₙ₋₁ is stable.
    """
    u, weights = _quadrature()
    flat = np.ravel(t).astype(np.float64)
    near = np.where(np.abs(flat) <= 20 + order, flat, 0)
    cycle = (np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin)
    inside = np.sum(weights * u**order * cycle[order % 4](u * near), axis=0)  # (n, size) -> (size,)
    far = np.where(np.abs(flat) <= 20 + order, 1, flat)
    outside = np.sin(far) / far
    for n in range(1, order + 1):
        outside = (cycle[(n - 1) % 4](far) - n * outside) / far
    chosen = np.where(np.abs(flat) <= 20 + order, inside, outside)
    return np.reshape(chosen, t.shape).astype(t.dtype)


def _sinc(a: Array, order: int = 0) -> Array:
    if order == 0:
        return np.sinc(a)
    return math.pi**order * _sinc_derivative(math.pi * a, order)


# A row is a line of mathematics: see elementwise.py.
# fmt: off

define(np.sin, "sin a", SMOOTH, d("g·cos a", lambda g, y, a: g * np.cos(a)))
define(np.cos, "cos a", SMOOTH, d("−g·sin a", lambda g, y, a: -g * np.sin(a)))
define(np.tan, "tan a", SMOOTH, d("g·(1 + y²)", lambda g, y, a: g * (1 + y * y)),
       domains=(UNIT,))
define(np.arcsin, "arcsin a", SMOOTH,
       d("g / √(1 − a²)", lambda g, y, a: g / np.sqrt((1 - a) * (1 + a))),
       singular=lambda a: np.abs(a) >= 1, domains=(UNIT,))
define(np.arccos, "arccos a", SMOOTH,
       d("−g / √(1 − a²)", lambda g, y, a: -g / np.sqrt((1 - a) * (1 + a))),
       singular=lambda a: np.abs(a) >= 1, domains=(UNIT,))
define(np.arctan, "arctan a", SMOOTH, d("g / (1 + a²)", lambda g, y, a: g / (1 + a * a)))
define(np.sinh, "sinh a", SMOOTH, d("g·cosh a", lambda g, y, a: g * np.cosh(a)))
define(np.cosh, "cosh a", SMOOTH, d("g·sinh a", lambda g, y, a: g * np.sinh(a)))
define(np.tanh, "tanh a", SMOOTH, d("g·(1 − y²)", lambda g, y, a: g * (1 - y * y)))
define(np.arcsinh, "arsinh a", SMOOTH, d("g / √(1 + a²)", lambda g, y, a: g / np.hypot(1, a)))
define(np.arccosh, "arcosh a", SMOOTH,
       d("g / √(a² − 1)", lambda g, y, a: g / (np.sqrt(a - 1) * np.sqrt(a + 1))),
       singular=lambda a: a <= 1, domains=(Domain(low=1.0),))
define(np.arctanh, "artanh a", SMOOTH,
       d("g / (1 − a²)", lambda g, y, a: g / ((1 - a) * (1 + a))),
       singular=lambda a: np.abs(a) >= 1, domains=(UNIT,))
define(np.hypot, "√(a² + b²)", EACH,
       d("g·a / y, 0 where y = 0", lambda g, y, a, b: g * _over(a, y)),
       d("g·b / y, 0 where y = 0", lambda g, y, a, b: g * _over(b, y)),
       domains=(NONZERO, REAL))
define(np.arctan2, "the angle of the point (b, a)", EACH,
       d("g·b / (a² + b²), 0 at the origin",
         lambda g, y, a, b: g * _over(_over(b, np.hypot(a, b)), np.hypot(a, b))),
       d("−g·a / (a² + b²), 0 at the origin",
         lambda g, y, a, b: -g * _over(_over(a, np.hypot(a, b)), np.hypot(a, b))),
       domains=(NONZERO, REAL))
for turn in (np.deg2rad, np.radians):
    define(turn, "π·a / 180", TURNS, d("π·g / 180", lambda g, y, a: np.deg2rad(g)))
for turn_back in (np.rad2deg, np.degrees):
    define(turn_back, "180·a / π", TURNS, d("180·g / π", lambda g, y, a: np.rad2deg(g)))
SINC: Primitive = define(_sinc, "sin(π·a) / (π·a)", Trait.ELEMENTWISE,
       d("g·sinc⁽ⁿ⁺¹⁾(a), for its n-th derivative",
         lambda g, y, a, order=0: g * SINC(a, order=order + 1)),
       name="tinygrad_nn.sinc", parameters="a order",
       calls=(call((3, 4)), call(()), call((3,), order=1), call((3,), order=4)))

# fmt: on


@rewrite("numpy.sinc", "sin(π·a) / (π·a)", call((3, 4)))
def _sinc_call(x: Array) -> Array:
    return SINC(x)


@rewrite("numpy.unwrap", "a, with jumps of a whole period taken out", call((7,)), call((3, 4)))
def _unwrap(p: Array, discont: Any = None, axis: int = -1, *, period: float = 2 * math.pi) -> Array:
    # What is added to each element is a multiple of the period: a constant.
    held = stop_gradient(p)
    return p + (np.unwrap(held, discont, axis, period=period) - held)
