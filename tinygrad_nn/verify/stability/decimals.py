"""Numbers with sixty digits or more, on which NumPy's own functions work.

NumPy applies its functions to arrays of objects by the objects' own methods. So a number that
wraps a `decimal.Decimal` and has those methods runs a row of the table as it stands.
"""

import functools
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from typing import Any

import numpy as np

from ..._typing import Array

__all__ = ["DIGITS", "Precise", "digits", "lifted"]

DIGITS = 60
_MOST_TURNS = 400  # decimals of an angle: more than those of any double
_SMALL = Decimal("0.001")  # below, a power series takes few terms


@contextmanager
def digits(count: int = DIGITS) -> Iterator[None]:
    """Compute with so many digits in this thread, where infinities and NaN flow as in NumPy.

    Example:
        >>> from tinygrad_nn.verify.stability.decimals import Precise, digits
        >>> with digits(30):
        ...     print(Precise(1) / 3)
        0.333333333333333333333333333333
    """
    with localcontext(Context(prec=count, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])):
        yield


def _decimal(value: Any) -> Decimal:
    if type(value) is Precise:
        return value.d
    if isinstance(value, np.ndarray) and value.dtype == object and not value.ndim:
        return _decimal(value.item())  # not by way of a float, which has fewer digits
    return Decimal(value if isinstance(value, (int, float)) else float(value))


def _computed(function: Callable[..., Decimal]) -> Callable[..., "Precise"]:
    return lambda self, *others: Precise(function(self.d, *map(_decimal, others)))


def _reflected(function: Callable[..., Decimal]) -> Callable[..., "Precise"]:
    return lambda self, other: Precise(function(_decimal(other), self.d))


def _compared(function: Callable[..., bool]) -> Callable[..., bool]:
    return lambda self, other: function(self.d, _decimal(other))


def _power(base: Decimal, exponent: Decimal) -> Decimal:
    if exponent == 0 or base == 1:  # also where decimals, unlike NumPy, see no value
        return Decimal(1)
    return base.sqrt() if exponent == Decimal("0.5") else base**exponent


def _series(x: Decimal, ratio: Callable[[int], Decimal]) -> Decimal:
    """The power series that begins with x; each of its terms is x times a ratio of the last."""
    total, term, n = x, x, 2
    while term and (after := total + term * x * ratio(n)) != total:
        total, term, n = after, term * x * ratio(n), n + 1
    return total


def _expm1(x: Decimal) -> Decimal:
    """All the digits of eˣ − 1, also near 0."""
    return _series(x, lambda n: Decimal(1) / n) if abs(x) < _SMALL else x.exp() - 1


def _log1p(x: Decimal) -> Decimal:
    """All the digits of ln(1 + x), also near 0."""
    return _series(x, lambda n: Decimal(1 - n) / n) if abs(x) < _SMALL else (1 + x).ln()


def _tanh(x: Decimal) -> Decimal:
    e = _expm1(-2 * abs(x))  # by way of |x|, where nothing overflows to ∞ / ∞
    return (-e / (e + 2)).copy_sign(x)


def _arcsinh(x: Decimal) -> Decimal:
    a = abs(x)
    return _log1p(a + a * a / ((a * a + 1).sqrt() + 1)).copy_sign(x)


@functools.lru_cache(maxsize=64)
def _pi(count: int) -> Decimal:
    """π to so many digits, as 16·arctan(1/5) − 4·arctan(1/239)."""

    def leading(n: int) -> Decimal:
        power, total, k = Decimal(1) / n, Decimal(0), 1
        while (after := total + power / k) != total:
            total, power, k = after, -power / (n * n), k + 2
        return total

    with localcontext() as context:
        context.prec = count
        return 16 * leading(5) - 4 * leading(239)


def _turned(x: Decimal, quarters: int) -> Decimal:
    """sin(x + quarters·π/2), with as many more digits as the whole turns in x take away."""
    if not x.is_finite():
        return Decimal("NaN")
    if x.adjusted() > _MOST_TURNS:
        raise TypeError("so large an angle asks for too many digits of π")
    with localcontext() as context:
        context.prec += max(0, x.adjusted()) + 10
        rest, times = x, 0
        for _ in range(2 if abs(x) > _SMALL else 0):  # again with the digits that the first took
            quarter = _pi(context.prec) / 2
            times = int((x / quarter).to_integral_value())
            rest = x - times * quarter
            context.prec += max(0, -rest.adjusted()) if rest else 0
        quarters += times
        total = term = Decimal(1) if quarters % 2 else rest
        n = 1 if quarters % 2 else 2
        while (after := total - term * rest * rest / (n * (n + 1))) != total:
            term, n, total = -term * rest * rest / (n * (n + 1)), n + 2, after
        result = -total if quarters % 4 >= 2 else total
    return +result


class Precise:
    """A real number with the digits of the context that it is computed in.

    It has the methods that NumPy's functions look for on the elements of an array of objects.
    """

    __slots__ = ("d",)

    def __init__(self, value: Any) -> None:
        self.d: Decimal = value if isinstance(value, Decimal) else _decimal(value)

    def __repr__(self) -> str:
        return str(self.d)

    def __float__(self) -> float:
        return float(self.d)

    def __bool__(self) -> bool:
        return bool(self.d)

    def __hash__(self) -> int:
        return hash(self.d)

    def __eq__(self, other: object) -> bool:
        return self.d == _decimal(other)

    __lt__, __le__ = _compared(operator.lt), _compared(operator.le)
    __gt__, __ge__ = _compared(operator.gt), _compared(operator.ge)
    __add__, __radd__ = _computed(operator.add), _reflected(operator.add)
    __sub__, __rsub__ = _computed(operator.sub), _reflected(operator.sub)
    __mul__, __rmul__ = _computed(operator.mul), _reflected(operator.mul)
    __truediv__, __rtruediv__ = _computed(operator.truediv), _reflected(operator.truediv)
    __pow__, __rpow__ = _computed(_power), _reflected(_power)
    __neg__, __pos__, __abs__ = _computed(operator.neg), _computed(operator.pos), _computed(abs)

    # What NumPy calls, by the names of its functions.
    conjugate = _computed(operator.pos)
    sqrt, exp, log, log10 = map(_computed, (Decimal.sqrt, Decimal.exp, Decimal.ln, Decimal.log10))
    exp2 = _computed(lambda x: (x * Decimal(2).ln()).exp())
    log2 = _computed(lambda x: x.ln() / Decimal(2).ln())
    expm1, log1p, tanh, arcsinh = map(_computed, (_expm1, _log1p, _tanh, _arcsinh))
    sinh = _computed(lambda x: (_expm1(x) - _expm1(-x)) / 2)
    cosh = _computed(lambda x: (x.exp() + (-x).exp()) / 2)
    arccosh = _computed(lambda x: (x + (x * x - 1).sqrt()).ln())
    arctanh = _computed(lambda x: (_log1p(x) - _log1p(-x)) / 2)
    sin = _computed(lambda x: _turned(x, 0))
    cos = _computed(lambda x: _turned(x, 1))
    tan = _computed(lambda x: _turned(x, 0) / _turned(x, 1))
    hypot = _computed(lambda x, y: (x * x + y * y).sqrt())


def lifted(values: Any) -> Array:
    """An array of Precise in place of floats, exactly; integers and booleans as they are."""
    array = np.asarray(values)
    if array.dtype.kind not in "fO":
        return array
    out = np.empty(array.size, dtype=object)
    out[:] = [Precise(v) for v in array.ravel().tolist()]
    return out.reshape(array.shape)
