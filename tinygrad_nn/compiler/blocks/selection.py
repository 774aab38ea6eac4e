"""np.where within a block, without branches: on the bits of the numbers.

NumPy looks at each element of a mask and goes one way or the other, which takes ten times as long
as an addition where the mask is irregular. Here a mask becomes a number for each element, of which
all bits are ones, or none: that is done once, however often the mask is used.
"""

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..program import Equation, Value

__all__ = ["SELECTION_NAMES", "may_overwrite", "selection_text", "with_selections"]


def spread(mask: Any, out: Any) -> Any:
    """All bits where a mask is true, and none elsewhere: 0 − 1 is the largest of its kind."""
    return np.subtract(0, mask, out=out, dtype=out.dtype)


def choose(bits: Any, a: Any, b: Any, out: Any) -> Any:
    """np.where(mask, a, b), given the bits of the mask."""
    a, b, chosen = a.view(bits.dtype), b.view(bits.dtype), out.view(bits.dtype)
    np.bitwise_xor(a, b, out=chosen)
    np.bitwise_and(chosen, bits, out=chosen)
    np.bitwise_xor(chosen, b, out=chosen)
    return out


def keep(bits: Any, a: Any, out: Any) -> Any:
    """np.where(mask, a, 0), given the bits of the mask."""
    np.bitwise_and(a.view(bits.dtype), bits, out=out.view(bits.dtype))
    return out


def drop(bits: Any, b: Any, out: Any) -> Any:
    """np.where(mask, 0, b), given the bits of the mask."""
    b, chosen = b.view(bits.dtype), out.view(bits.dtype)
    np.bitwise_and(b, bits, out=chosen)
    np.bitwise_xor(chosen, b, out=chosen)
    return out


_UNTYPED = re.compile(r": Any(?=[,)])| -> Any(?=:)")
_FUNCTIONS = (spread, choose, keep, drop)
SELECTION_NAMES = tuple(f.__name__ for f in _FUNCTIONS)


def selection_text(body: str) -> list[str]:
    """The functions that a text calls, as the program has them."""
    lines: list[str] = []
    for function in _FUNCTIONS:
        if f"{function.__name__}(" in body:
            source = inspect.getsource(function)
            lines += ["", "", *_UNTYPED.sub("", source).rstrip().split("\n")]
    return [*lines, ""] if lines else []


def may_overwrite(equation: Equation, operand: Value) -> bool:
    """Whether a call reads an operand before it writes over it, element by element."""
    function, args = equation.function, equation.args
    if function in (choose, keep):
        return operand is args[1] and all(operand is not a for a in args[2:])
    return isinstance(function, np.ufunc)


def with_selections(equations: Sequence[Equation]) -> Iterator[Equation]:
    """The equations of a block with selections in the places of np.where, as far as they serve."""
    known: dict[Any, Value] = {}
    for equation in equations:
        fitting = _fitting(equation) if equation.function is np.where else None
        if fitting is None:
            yield equation
            continue
        mask, (a, b) = equation.args[0], fitting
        itemsize = equation.output.dtype.itemsize
        shape = equation.output.shape
        if (mask, itemsize, shape) not in known:
            bits = Value(shape, np.dtype(f"u{itemsize}"))
            known[mask, itemsize, shape] = bits
            yield replace(equation, function=spread, args=(mask,), outputs=(bits,))
        bits = known[mask, itemsize, shape]
        if _is_positive_zero(b):
            yield replace(equation, function=keep, args=(bits, a))
        elif _is_positive_zero(a):
            yield replace(equation, function=drop, args=(bits, b))
        else:
            yield replace(equation, function=choose, args=(bits, a, b))


def _fitting(equation: Equation) -> list[Any] | None:
    """The operands in the dtype of the result; None if one has to be converted while running."""
    mask, *operands = equation.args
    dtype = equation.output.dtype
    if not isinstance(mask, Value) or mask.dtype.kind != "b":
        return None
    fitting: list[Any] = []
    for operand in operands:
        if isinstance(operand, (Value, np.generic)):
            if operand.dtype != dtype or getattr(operand, "weak", False):
                return None
            fitting.append(operand)
        elif type(operand) in (int, float) and dtype.kind != "b":
            fitting.append(dtype.type(operand))
        else:
            return None
    return None if dtype.kind == "b" else fitting


def _is_positive_zero(operand: Any) -> bool:
    return not isinstance(operand, Value) and operand == 0 and not np.signbit(operand)
