"""Finite differences that say how far they can be trusted.

A central difference with step h is wrong by O(h²), and by the rounding of f over h. Richardson
extrapolation over three halvings removes the first, the spread of its estimates measures what is
left, and several starting steps are tried until one is good enough.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from .._typing import Array

__all__ = ["Slope", "nearer_slopes", "one_sided_slopes", "slope"]

# Relative to the size of x: the usual best, then wider for noisy functions, narrower for steep.
_STEPS = (1e-3, 1e-2, 1e-5, 1e-1, 1e-7)
_NEARER = (1e-5, 1e-6, 1e-7, 1e-8)
_GOOD_ENOUGH = 1e-9
_EPSILON = float(np.finfo(np.float64).eps)


class Slope(NamedTuple):
    """A derivative along a line, and an estimate of its error."""

    value: float
    error: float


def slope(f: Callable[[float], Array], weights: Array, width: float, scale: float) -> Slope:
    """The derivative of Σ weights·f(t) at t = 0, by extrapolated central differences.

    Args:
        f: the function along a line.
        weights: what its outputs are multiplied by: a random cotangent.
        width: the size of the numbers that t is added to, which sets the steps.
        scale: the size of derivatives that matter: an error far below it is small enough.

    Returns:
        The best estimate over the starting steps; infinite error where none was finite.
    """
    best = Slope(np.nan, np.inf)
    for step in _STEPS:
        found = _extrapolated(f, weights, width * step)
        if found.error < best.error:
            best = found
        if best.error <= _GOOD_ENOUGH * max(abs(best.value), scale):
            break
    return best


def _extrapolated(f: Callable[[float], Array], weights: Array, h: float) -> Slope:
    differences = []
    noise = 0.0
    for t in (h, h / 2, h / 4):
        ahead, behind = f(t), f(-t)
        moved = weights * (ahead - behind)
        differences.append(float(np.sum(moved)) / (2 * t))
        size = np.where(moved != 0, np.abs(weights) * (np.abs(ahead) + np.abs(behind)), 0)
        noise = _EPSILON * float(np.sum(size)) / t
    d0, d1, d2 = differences
    first, second = (4 * d1 - d0) / 3, (4 * d2 - d1) / 3  # O(h⁴)
    value = (16 * second - first) / 15  # O(h⁶)
    error = abs(second - first) + noise
    return Slope(value, error) if np.isfinite(value + error) else Slope(np.nan, np.inf)


def nearer_slopes(f: Callable[[float], Array], weights: Array, width: float) -> Iterator[Slope]:
    """The derivative again with ever smaller steps, which stay clear of a kink close by."""
    for step in _NEARER:
        yield _extrapolated(f, weights, width * step)


def one_sided_slopes(
    f: Callable[[float], Array], weights: Array, width: float
) -> tuple[float, float] | None:
    """The slopes to the left and to the right, where they are steady and differ: a kink."""

    def one_side(t: float) -> float:
        return float(np.sum(weights * (f(t) - f(0.0)))) / t

    h = 1e-6 * width
    left, right = one_side(-h), one_side(h)
    gap = abs(right - left)
    drift = abs(one_side(-h / 4) - left) + abs(one_side(h / 4) - right)
    steady = drift < 0.05 * gap and gap > 1e-4 * (abs(left) + abs(right))
    return (left, right) if steady else None
