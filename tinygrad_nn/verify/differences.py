"""Finite differences that say how far they can be trusted.

A central difference with step h is wrong by O(h²), and by the rounding of f over h. Richardson
extrapolation over three halvings removes the first, the spread of its estimates measures what is
left, and several starting steps are tried until one is good enough.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from .._typing import Array

__all__ = ["Line", "Slope"]

# Relative to the size of x: the usual best, then wider for noisy functions, narrower for steep.
_STEPS = (1e-3, 1e-2, 1e-5, 1e-1)
_NEARER = (1e-5, 1e-6, 1e-7, 1e-8)
_GOOD_ENOUGH = 1e-9
_SINGLE = float(np.finfo(np.float32).eps)
_LEAST_WIDTH = 1e-290  # so that no step is zero


class Slope(NamedTuple):
    """A derivative along a line, and an estimate of its error."""

    value: float
    error: float


class Line:
    """Σ weights·f(t) along a line, and what is known of its rounding.

    Args:
        f: the function along the line; its value at 0 must exist.
        weights: what its outputs are multiplied by: a random cotangent.
        width: the size of the numbers that t is added to, which sets the steps.
    """

    def __init__(self, f: Callable[[float], Array], weights: Array, width: float) -> None:
        self._f = f
        self.weights = weights
        self.width = width = max(width, _LEAST_WIDTH)
        self.middle = _as_float(f(0.0))
        self.epsilon = float(np.finfo(self.middle.dtype).eps)
        # Steps in proportion to a small x may be too small for what x is added to.
        self.widths = (width,) if width >= 0.1 else (width, 1.0)
        wide = [w * step for w in self.widths for step in (1e-3, 1e-1)]
        moves = [np.abs(self.weights * (self.at(t) - self.at(-t))) for t in wide]
        # Whose rounding counts, however little they move in a smaller step.
        self.alive = np.any([move > 0 for move in moves], axis=0)
        # An output that does not move in the widest step may still have a slope below its rounding:
        # what lies below this floor cannot be told from zero.
        sizes = np.abs(self.weights * self.middle)
        self.floor = self.epsilon * float(np.sum(sizes)) / (0.1 * self.widths[-1])
        self.size = float(np.sum(sizes, where=self.alive if np.any(self.alive) else True))
        slopes = [float(np.sum(m)) / (2 * t) for m, t in zip(moves, wide, strict=True)]
        self.steepness = max((s for s in slopes if np.isfinite(s)), default=0.0)

    def at(self, t: float) -> Array:
        """The outputs at t: NaN where f is not defined, or has another shape."""
        try:
            y = _as_float(self._f(t))
        except (ValueError, ArithmeticError, IndexError):
            return np.full_like(self.middle, np.nan)
        return y if y.shape == self.middle.shape else np.full_like(self.middle, np.nan)

    def slope(self, scale: float) -> Slope:
        """The derivative at 0, by extrapolated central differences: the best of several steps.

        The error is infinite where no difference was finite. Derivatives far below `scale` need not
        be found more exactly.
        """
        best = Slope(np.nan, np.inf)
        for width in self.widths:
            for step in _STEPS:
                found = self._extrapolated(width * step)
                if found.error < best.error:
                    best = found
                if best.error <= _GOOD_ENOUGH * max(abs(best.value), scale):
                    return best
        return best

    def nearer_slopes(self) -> Iterator[Slope]:
        """The derivative again with ever smaller steps, which stay clear of a kink close by."""
        for step in _NEARER:
            # Where f does not move it may be flat, or computed in less precision than it says.
            yield self._extrapolated(self.width * step, least_epsilon=_SINGLE)

    def one_sided_slopes(self) -> tuple[float, float] | None:
        """The slopes to the left and to the right, where they are steady and differ: a kink."""

        def one_side(t: float) -> float:
            return float(np.sum(self.weights * (self.at(t) - self.middle))) / t

        h = 1e-6 * self.width
        left, right = one_side(-h), one_side(h)
        gap = abs(right - left)
        drift = abs(one_side(-h / 4) - left) + abs(one_side(h / 4) - right)
        steady = drift < 0.05 * gap and gap > 1e-4 * (abs(left) + abs(right))
        return (left, right) if steady else None

    def _extrapolated(self, h: float, least_epsilon: float = 0.0) -> Slope:
        differences = []
        for t in (h, h / 2, h / 4):
            moved = self.weights * (self.at(t) - self.at(-t))
            differences.append(float(np.sum(moved)) / (2 * t))
        d0, d1, d2 = differences
        first, second = (4 * d1 - d0) / 3, (4 * d2 - d1) / 3  # O(h⁴)
        value = (16 * second - first) / 15  # O(h⁶)
        epsilon = self.epsilon if any(differences) else max(self.epsilon, least_epsilon)
        error = abs(second - first) + 2 * epsilon * self.size / (h / 4)
        return Slope(value, error) if np.isfinite(value + error) else Slope(np.nan, np.inf)


def _as_float(y: Array) -> Array:
    array = np.asarray(y)
    return array if array.dtype.kind == "f" else array.astype(np.float64)
