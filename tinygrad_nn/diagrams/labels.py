"""What is written on a node: shapes, and values that stay readable at any size."""

from typing import Any

import numpy as np

from .._typing import Array

__all__ = ["as_text", "static_text", "summary"]

_WHOLE = 6  # arrays of up to so many elements are shown whole


def as_text(value: Any) -> str:
    """A number with four significant digits."""
    return f"{value:.4g}" if isinstance(value, (float, np.floating)) else str(value)


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


def static_text(static: dict[str, Any] | None) -> str:
    """The static arguments of a call, as in ``axis=0, keepdims=True``."""
    return ", ".join(f"{key}={_short(value)}" for key, value in (static or {}).items())


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_nested, value)) + "]"
    return as_text(value)


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
        return "(" + ", ".join(map(_short, value)) + ")"
    if isinstance(value, np.dtype):
        return str(value)
    return "…" if value is Ellipsis else repr(value)
