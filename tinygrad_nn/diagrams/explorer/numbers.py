"""Arrays as the page gets them: whole if small, else a corner of them and what sums them up."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..._typing import Array, Shape

__all__ = ["array_data", "limit_for", "number"]

_LARGEST = 1024  # elements of one array
_ALTOGETHER = 150_000  # elements of all arrays of a page, so that its size stays bounded
_SIDE = 32  # rows and columns of a matrix that is cut
_BINS = 16


def number(value: Any) -> Any:
    """A number as strict JSON has it; what is not finite by its name."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    found = float(value)
    if math.isfinite(found):
        return found
    return "NaN" if math.isnan(found) else "Infinity" if found > 0 else "-Infinity"


def limit_for(sizes: Iterable[int]) -> int:
    """How many elements of each array a page can hold, given all their sizes."""
    counted = sorted(sizes)
    left = _ALTOGETHER
    for i, size in enumerate(counted):
        share = left // (len(counted) - i)  # what those that are left can have, equally
        if size > share:
            return max(1, min(share, _LARGEST))
        left -= size
    return _LARGEST


def array_data(value: Array, limit: int = _LARGEST) -> dict[str, Any]:
    """The shape, dtype and elements of an array; of a large one a corner, and a summary."""
    array = np.asarray(value)
    data: dict[str, Any] = {"shape": list(array.shape), "dtype": str(array.dtype)}
    if array.size <= limit:
        return data | {"data": _elements(array)}
    corner = _corner(array.shape, limit)
    shown = array[tuple(slice(n) for n in corner)]
    return data | {"corner": list(corner), "data": _elements(shown), "summary": _summary(array)}


def _elements(array: Array) -> list[Any]:
    flat = array.ravel().tolist()
    if array.dtype.kind != "f" or np.all(np.isfinite(array)):
        return flat
    return [number(x) for x in flat]


def _corner(shape: Shape, limit: int) -> Shape:
    """The first rows and columns, and of further axes as many as there is room for."""
    side = min(_SIDE, max(1, math.isqrt(limit)))
    corner: list[int] = []
    room = limit
    for i, n in enumerate(reversed(shape)):
        most = room if len(shape) == 1 else min(room, side) if i < 2 else room
        corner.append(max(1, min(n, most)))
        room //= corner[-1]
    return tuple(reversed(corner))


def _summary(array: Array) -> dict[str, Any]:
    """The range and mean of what is finite, how much is not, and how the rest is distributed."""
    numbers = array.astype(np.float64).ravel()
    finite = numbers[np.isfinite(numbers)]
    nan = int(np.count_nonzero(np.isnan(numbers)))
    summary: dict[str, Any] = {
        "zeros": int(np.count_nonzero(numbers == 0)),
        "nan": nan,
        "infinite": int(array.size - finite.size - nan),
    }
    if finite.size:
        low, high = float(finite.min()), float(finite.max())
        with np.errstate(over="ignore"):
            mean, span = float(np.mean(finite)), high - low
        summary |= {"min": number(low), "mean": number(mean), "max": number(high)}
        if math.isfinite(span) and span > 0:
            places = np.minimum((finite - low) / span * _BINS, _BINS - 1).astype(np.intp)
            summary["histogram"] = np.bincount(places, minlength=_BINS).tolist()
    return summary
