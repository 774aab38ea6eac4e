"""Python text for the numbers and small arrays that stand in a program."""

import json
import math
from typing import Any

import numpy as np

from ..._typing import Array
from ...errors import TraceError

__all__ = ["array_text", "dtype_text", "is_short", "literal"]

_LONGEST = 16  # elements of an array that is written out
_LONG = 8  # characters of a number that nobody has chosen


def dtype_text(dtype: Any) -> str:
    """How a dtype is written, as in np.float32."""
    name = np.dtype(dtype).name
    return "bool" if name == "bool" else f"np.{name}"


def literal(value: Any) -> str:
    """A number, text, dtype, slice, or container of them, as it is written.

    Raises:
        TraceError: it is something else, which has no text that gives it back.
    """
    if value is None or value is Ellipsis or type(value) in (bool, int, bytes):
        return "..." if value is Ellipsis else repr(value)
    if type(value) is str:  # in double quotes, as formatters have it
        return json.dumps(value, ensure_ascii=not value.isprintable())
    if type(value) is float:
        return _digits(value) if math.isfinite(value) else _infinite(value)
    if type(value) is complex:  # the usual spelling loses the sign of zeros
        return f"complex({literal(value.real)}, {literal(value.imag)})"
    if isinstance(value, np.generic) and value.dtype.kind in "fiubc":
        number = literal(value.item())
        return number if value.dtype == bool else f"{dtype_text(value.dtype)}({number})"
    if isinstance(value, (np.dtype, type)) and np.dtype(value).kind in "fiubc":
        return dtype_text(value)
    if isinstance(value, slice):
        return f"slice({', '.join(map(literal, (value.start, value.stop, value.step)))})"
    raise TraceError(
        f"compile: expected an argument that can be written into a program; got "
        f"{type(value).__name__}"
    )


def _digits(number: float) -> str:
    """A number as formatters have it: 1e16, not 1e+16; and 1 - 0.9 for 0.09999999999999998."""
    text, rest = repr(number).replace("e+", "e"), repr(1 - number)
    is_rest = len(text) > _LONG >= len(rest) and 1 - float(rest) == number
    return f"1 - {rest}" if is_rest else text


def _infinite(value: float) -> str:
    if math.isnan(value):
        return "np.nan"
    return "np.inf" if value > 0 else "-np.inf"


def is_short(array: Array) -> bool:
    """Whether an array can be written out in a line."""
    return array.size <= _LONGEST or _pattern(array) is not None


def array_text(array: Array) -> str:
    """The expression that makes a short array."""
    found = _pattern(array)
    if found is not None:
        return found
    if not array.size:  # nested lists do not tell how long its other axes are
        return f"np.empty({array.shape}, dtype={dtype_text(array.dtype)})"
    text = _nested(array)
    return f"np.array({text}, dtype={dtype_text(array.dtype)})"


def _nested(array: Array) -> str:
    if array.ndim:
        return f"[{', '.join(map(_nested, array))}]"
    # The fewest digits that give the number in its own dtype.
    return literal(float(str(array[()])) if array.dtype.kind == "f" else array.item())


def _has_signs(flat: Array) -> bool:
    """Whether a minus may get lost, as that of −0.0 would."""
    return flat.dtype.kind == "c" or bool(np.signbit(flat.astype(float)).any())


def _shortest(number: Any) -> str:
    """The shortest text of a number that gives it back in its own dtype: 0.1, in float32 too."""
    if number.dtype.kind == "f" and number.dtype.type(float(str(number))) == number:
        return literal(float(str(number)))
    return literal(number.item())


def _pattern(array: Array) -> str | None:
    """The expression for what counts upwards, or is one number everywhere."""
    flat, dtype = array.ravel(), dtype_text(array.dtype)
    if array.size < 2:
        return None
    shape = f"{array.shape[0]}" if array.ndim == 1 else str(array.shape)
    if array.dtype.kind in "iu" and np.array_equal(flat, np.arange(array.size) + flat[0]):
        start = "" if flat[0] == 0 else f"{flat[0]}, "
        text = f"np.arange({start}{flat[0] + array.size}"
        text += ")" if array.dtype == np.int64 else f", dtype={dtype})"
        return text if array.ndim == 1 else f"{text}.reshape({array.shape})"
    counts = array.dtype == np.int64 and array.ndim == 1 and flat[0] == 0 < flat[1]
    if counts and np.array_equal(flat, np.arange(array.size) * flat[1]):
        return f"np.arange(0, {array.size * flat[1]}, {flat[1]})"
    if (flat == flat[0]).all() and not _has_signs(flat):
        return f"np.full({shape}, {_shortest(flat[0])}, dtype={dtype})"
    if array.ndim == 2 and np.array_equal(array, np.eye(*array.shape, dtype=array.dtype)):
        return f"np.eye({', '.join(map(str, array.shape))}, dtype={dtype})"
    return None
