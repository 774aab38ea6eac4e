"""Scales of plots: round numbers for axes, and which of many points to draw."""

import math
from collections.abc import Sequence

import numpy as np

__all__ = ["decades", "thinned", "ticks"]


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers, evenly apart; the first is not above low, and the last not below high.

    Example:
        >>> from tinygrad_nn.diagrams.scales import ticks
        >>> ticks(0.0, 1.1)
        [0.0, 0.5, 1.0, 1.5]
    """
    if not low < high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    apart = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(apart))
    step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= apart * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, last + 1)]


def decades(low: float, high: float) -> list[int]:
    """The exponents of powers of ten around two positive numbers, five of them at most.

    Example:
        >>> from tinygrad_nn.diagrams.scales import decades
        >>> decades(0.02, 3.0)
        [-2, -1, 0, 1]
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    step = -(-(last - first) // 4)
    return list(range(first, last + step, step))


def thinned(values: Sequence[float], most: int) -> list[int]:
    """Which values to draw, where there is no room for all.

    From each of so many parts of them these are the first, the least and the largest, and the first
    that is not finite: no spike and no gap is lost.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) <= 4 * most:
        return list(range(len(numbers)))
    kept: set[int] = {len(numbers) - 1}
    for part in np.array_split(np.arange(len(numbers)), most):
        finite = part[np.isfinite(numbers[part])]
        missing = part[~np.isfinite(numbers[part])]
        kept |= {int(part[0]), *missing[:1].tolist()}
        if finite.size:
            there = numbers[finite]
            kept |= {int(finite[np.argmin(there)]), int(finite[np.argmax(there)])}
    return sorted(kept)
