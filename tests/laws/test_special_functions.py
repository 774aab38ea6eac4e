"""Every elementwise function of the table, with its derivatives up to the third, beside mpmath.

The oracle is mpmath with 60 digits. A computed derivative may be off by what rounding its argument
would change, so the next derivative sets the tolerance: eps·(|f⁽ⁿ⁾| + |x·f⁽ⁿ⁺¹⁾|).
"""

import functools
import itertools

import mpmath as mp
import numpy as np
import pytest

import tinygrad_nn as tnn

DTYPES = [np.float32, np.float64]
floats = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])


pytestmark = pytest.mark.usefixtures("sixty_digits")


def both_signs(*points):
    return [sign * x for x in points for sign in (1, -1)]


def sinc(x):
    return mp.sinc(mp.pi * x)


def whole(x):
    return mp.sign(x) * mp.floor(abs(x))


def angle(a, b):  # without its jump where a crosses 0, for b < 0
    return mp.atan2(a, b) if b > 0 else mp.atan2(-a, -b) + mp.pi * (1 if a > -1e-20 else -1)


SMALL = (1e-8, 1e-3)
PLAIN = (0.3, 0.9, 1.7)
EDGE = (0.5, 0.999, 1 - 1e-6)
WIDE = [0.0, *both_signs(*SMALL, *PLAIN, 12.5)]
EXPONENTS = [*WIDE, *both_signs(80.0)]
POSITIVE = [1e-8, 1e-3, 0.3, 1.0, 1.7, 1e3, 1e8]
UNIT = [0.0, *both_signs(*SMALL, *EDGE)]

UNARY = {  # the function, its oracle, and where to look
    "sin": (np.sin, mp.sin, [*WIDE, 1e4]),
    "cos": (np.cos, mp.cos, [*WIDE, 1e4]),
    "tan": (np.tan, mp.tan, [*WIDE, 1.57, -1.57]),
    "arcsin": (np.arcsin, mp.asin, UNIT),
    "arccos": (np.arccos, mp.acos, UNIT),
    "arctan": (np.arctan, mp.atan, [*WIDE, *both_signs(1e4, 1e8)]),
    "sinh": (np.sinh, mp.sinh, EXPONENTS),
    "cosh": (np.cosh, mp.cosh, EXPONENTS),
    "tanh": (np.tanh, mp.tanh, [*WIDE, *both_signs(1e4)]),
    "arcsinh": (np.arcsinh, mp.asinh, [*WIDE, *both_signs(1e4, 1e8)]),
    "arccosh": (np.arccosh, mp.acosh, [1 + 1e-6, 1.001, 1.5, 3.0, 1e4, 1e8]),
    "arctanh": (np.arctanh, mp.atanh, UNIT),
    "sinc": (np.sinc, sinc, [*WIDE, 1.0, -2.0, 5.6, 6.4, 7.3, 40.25, 1000.3]),
    "exp": (np.exp, mp.exp, EXPONENTS),
    "exp2": (np.exp2, lambda x: mp.power(2, x), EXPONENTS),
    "expm1": (np.expm1, mp.expm1, EXPONENTS),
    "log": (np.log, mp.log, POSITIVE),
    "log2": (np.log2, lambda x: mp.log(x, 2), POSITIVE),
    "log10": (np.log10, mp.log10, POSITIVE),
    "log1p": (np.log1p, mp.log1p, [0.0, *both_signs(*SMALL, *EDGE), 3.0, 1e8]),
    "sqrt": (np.sqrt, mp.sqrt, POSITIVE),
    "cbrt": (np.cbrt, lambda x: mp.sign(x) * mp.cbrt(abs(x)), both_signs(*POSITIVE)),
    "square": (np.square, lambda x: x * x, [*WIDE, 1e8]),
    "reciprocal": (np.reciprocal, lambda x: 1 / x, both_signs(*POSITIVE)),
    "negative": (np.negative, lambda x: -x, WIDE),
    "positive": (np.positive, lambda x: +x, WIDE),
    "conjugate": (np.conjugate, lambda x: x, WIDE),
    "deg2rad": (np.deg2rad, mp.radians, [*WIDE, 360.0]),
    "radians": (np.radians, mp.radians, [*WIDE, 360.0]),
    "rad2deg": (np.rad2deg, mp.degrees, [*WIDE, 360.0]),
    "degrees": (np.degrees, mp.degrees, [*WIDE, 360.0]),
    "x**3": (lambda x: x**3, lambda x: x**3, [0.0, *both_signs(*SMALL, *PLAIN, 1e3)]),
    "x**-2": (lambda x: x**-2, lambda x: x**-2, both_signs(*SMALL, *PLAIN, 1e3)),
    "x**0.25": (lambda x: x**0.25, lambda x: x ** mp.mpf(0.25), POSITIVE),
    "0.5**x": (lambda x: 0.5**x, lambda x: mp.mpf(0.5) ** x, EXPONENTS),
}

PAIRS = [(1e-8, 1.7), (0.3, 0.3), (1.7, 40.0), (40.0, 0.3), (40.0, 1e-8)]
SIGNED = [(s * a, t * b) for a, b in PAIRS for s in (1, -1) for t in (1, -1)]
POWERS = [*itertools.product([1e-3, 1.0, 1.7, 40.0], [-2.5, -1.0, 0.0, 0.5, 2.0])]
AXES = [(0.0, 1.7), (0.0, -1.7), (1.7, 0.0), (-1.7, 0.0), (0.3, 1e6), (1e6, -0.3)]
MODULI = [(a, b) for a, b in SIGNED if abs(b) > 1e-3 and abs(a - b * round(a / b)) > 1e-9]

BINARY = {
    "add": (np.add, lambda a, b: a + b, SIGNED),
    "subtract": (np.subtract, lambda a, b: a - b, SIGNED),
    "multiply": (np.multiply, lambda a, b: a * b, SIGNED),
    "divide": (np.divide, lambda a, b: a / b, SIGNED),
    "power": (np.power, mp.power, POWERS),
    "float_power": (np.float_power, mp.power, POWERS),
    "hypot": (np.hypot, mp.hypot, [*SIGNED, *AXES]),
    "arctan2": (np.arctan2, angle, [*SIGNED, *AXES]),
    "logaddexp": (np.logaddexp, lambda a, b: mp.log(mp.exp(a) + mp.exp(b)), SIGNED),
    "logaddexp2": (np.logaddexp2, lambda a, b: mp.log(2**a + 2**b, 2), SIGNED),
    "fmod": (np.fmod, lambda a, b: a - b * whole(a / b), MODULI),
    "remainder": (np.remainder, lambda a, b: a - b * mp.floor(a / b), MODULI),
}
# Derivatives with a difference of numbers near 1 in them are exact to eps of 1, not of themselves.
EXACT_TO_ONE = {"tanh", "arcsin", "arccos", "arctanh", "logaddexp", "logaddexp2"}


def derivative(f, *orders):
    """The partial derivative of an elementwise function, so many times by each argument."""
    for k, order in enumerate(orders):
        for _ in range(order):
            f = tnn.grad(lambda *xs, f=f: np.sum(f(*xs)), k)
    return f


@functools.cache
def exact(name, point, orders):
    """The same by mpmath, in steps that are small beside each argument."""
    f = (UNARY | BINARY)[name][1]
    sizes = [mp.mpf(abs(x) or 1) for x in point]

    def moved(*steps):
        return f(*(mp.mpf(x) + s * h for x, s, h in zip(point, sizes, steps, strict=True)))

    with mp.workdps(60):
        if not any(orders):
            return moved(*(mp.mpf(0) for _ in point))
        at, count = ((0.0,) * len(point), orders) if len(point) > 1 else (0, orders[0])
        found = mp.diff(moved, at, count)
        return mp.re(found) / mp.fprod(s**n for s, n in zip(sizes, orders, strict=True))


def tolerance(name, point, orders, scale):
    """How far rounding the arguments, and steps of the size of the result, may lead."""
    one_more = [tuple(n + (i == k) for i, n in enumerate(orders)) for k in range(len(orders))]
    moved = [abs(x * exact(name, point, more)) for x, more in zip(point, one_more, strict=True)]
    return scale * float((name in EXACT_TO_ONE) + sum(moved))


def check(name, f, points, orders, dtype):
    eps, tiny, largest = (getattr(np.finfo(dtype), k) for k in ("eps", "tiny", "max"))
    points = [tuple(float(np.float32(x)) for x in point) for point in points]
    arguments = [np.array(xs, dtype) for xs in zip(*points, strict=True)]
    with np.errstate(under="ignore"):
        y = np.asarray(derivative(f, *orders)(*arguments))
    assert y.dtype == (np.float64 if name == "float_power" and not any(orders) else dtype)
    for point, found in zip(points, y, strict=True):
        truth = exact(name, point, orders)
        # In two dimensions a derivative along one axis is made of those along all of them.
        kin = {orders, *itertools.permutations(orders)}
        if len(orders) == 2:
            kin |= {(sum(orders) - k, k) for k in range(sum(orders) + 1)}
        size = max(abs(exact(name, point, k)) for k in kin)
        if size > largest / 1e3:
            continue
        allowed = 32 * (float(size) * eps + tolerance(name, point, orders, eps)) + 8 * tiny + 1e-45
        assert abs(mp.mpf(float(found)) - truth) <= allowed, (point, float(found), float(truth))


@floats
@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_argument(name, order, dtype):
    f, _, points = UNARY[name]
    check(name, f, [(x,) for x in points], (order,), dtype)


@floats
@pytest.mark.parametrize("orders", [o for o in np.ndindex(4, 4) if sum(o) <= 3], ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_arguments(name, orders, dtype):
    f, _, points = BINARY[name]
    check(name, f, points, orders, dtype)
