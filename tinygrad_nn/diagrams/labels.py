"""What is written on a node: shapes, calls, and values that stay readable at any size."""

import math
import re
from typing import Any

import numpy as np

from .._typing import Array

__all__ = [
    "histogram",
    "number",
    "numbers_of",
    "shape_text",
    "shortened",
    "static_text",
    "statistics",
    "summary",
]

_WHOLE = 6  # arrays of up to so many elements are written on one line
_ROWS, _COLUMNS = 6, 5  # of a matrix that is written whole
_LONGEST = 48  # characters of a line
_BINS = 12


def _as_text(value: Any) -> str:
    """A number with four significant digits."""
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)


def number(value: float, digits: int = 4) -> str:
    """A number with a few significant digits.

    Example:
        >>> from tinygrad_nn.diagrams.labels import number
        >>> number(-0.123456), number(2.0), number(float("nan"))
        ('-0.1235', '2', 'NaN')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{value + 0.0:.{digits}g}"  # -0.0 + 0.0 is 0


def shape_text(value: Any) -> str:
    """The shape of an array, as NumPy writes it."""
    return str(tuple(np.shape(value)))


def shortened(text: str, longest: int = _LONGEST) -> str:
    """A text that fits on a line."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def summary(value: Array) -> str:
    """A small array whole, a large one by its range and mean."""
    array = np.asarray(value)
    if array.size == 0:
        return "empty"
    if array.size <= _WHOLE:
        return _nested(array.tolist())
    if array.dtype.kind == "b":
        return f"{int(array.sum())} of {array.size} true"
    numbers = array.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    text = "nothing finite"
    if finite.size:
        text = f"{finite.min():.3g} … {finite.max():.3g}, mean {finite.mean():.3g}"
    strange = array.size - finite.size
    return f"{text}, {strange} not finite" if strange else text


def numbers_of(value: Array) -> list[list[str]] | None:
    """A small array as rows of numbers; None if it is too large for that."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        return [[shortened(repr(value))]]
    if array.size == 0:
        return [["empty"]]
    if array.ndim < 2 and array.size <= _WHOLE:
        return [[_nested(array.tolist())]]
    if array.ndim != 2 or array.shape[0] > _ROWS or array.shape[1] > _COLUMNS:
        return None
    return [[f"{x:.3g}" if array.dtype.kind == "f" else str(x) for x in row] for row in array]


def statistics(value: Array) -> list[tuple[str, str]]:
    """A large array by its numbers' range, mean, share of zeros, and what is no number."""
    array = np.asarray(value)
    if array.dtype.kind == "b":
        return [("true", f"{int(array.sum()):,}"), ("of", f"{array.size:,}")]
    numbers = array.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    lines = []
    if finite.size:
        lines = [
            ("min", f"{finite.min():.3g}"),
            ("mean", f"{finite.mean():.3g}"),
            ("max", f"{finite.max():.3g}"),
        ]
    lines.append(("zero", f"{np.mean(numbers == 0):.0%}"))
    for name, found in (("NaN", np.isnan(numbers)), ("±inf", np.isinf(numbers))):
        if found.any():
            lines.append((name, f"{int(found.sum()):,}"))
    return lines


def histogram(value: Array, bins: int = _BINS) -> list[float]:
    """How many of the finite numbers lie in each of a few bins, as shares of the fullest one.

    Numbers that are all alike are one bar, in the middle.
    """
    numbers = np.asarray(value, dtype=np.float64).ravel()
    finite = numbers[np.isfinite(numbers)]
    if finite.size < 2 or not finite.min() < finite.max():
        constant = [0.0] * bins
        constant[bins // 2] = float(finite.size > 0)
        return constant
    scale = float(np.max(np.abs(finite)))  # so that no range is too large for the bins' width
    counts, _ = np.histogram(finite / scale, bins)
    shares: list[float] = (counts / counts.max()).tolist()
    return shares


def static_text(static: dict[str, Any] | None) -> str:
    """The static arguments of a call, as in ``axis=0, keepdims=True``."""
    return ", ".join(f"{key}={_short(value)}" for key, value in (static or {}).items())


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_nested, value)) + "]"
    return _as_text(value)


def _short(value: Any) -> str:
    """An argument as people write it: slices with colons, arrays by their shape."""
    if isinstance(value, slice):
        start, stop, step = (
            "" if part is None else str(part) for part in (value.start, value.stop, value.step)
        )
        return f"{start}:{stop}" + (f":{step}" if step else "")
    if isinstance(value, np.ndarray):
        return f"array{value.shape}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_short, value)) + (",)" if len(value) == 1 else ")")
    if isinstance(value, np.dtype):
        return str(value)
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)  # a repr holds an address
    if value is Ellipsis:
        return "…"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))  # where an object happens to lie
