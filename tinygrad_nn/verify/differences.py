"""Finite differences that say how far they can be trusted.

A central difference with step h is wrong by O(h²), and by the rounding of f over h. Richardson
extrapolation from three steps removes most of the first, and the spread of its estimates measures
what is left. The same values give the slopes to either side, which differ at a kink, and what
remains of a move when the step shrinks, which is a jump.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array

__all__ = [
    "COARSE_TO_FINE",
    "FIRST",
    "NO_SLOPE",
    "UNDEFINED",
    "UNDERFLOW",
    "Line",
    "Slope",
    "Window",
    "elementwise_slopes",
    "typical_size",
]

# Steps as powers of two, relative to the size of x: adding one to x then rounds nothing. First the
# usual best, then wider for noisy functions, narrower for steep ones.
FIRST = (-10, -7, -17, -3)
COARSE_TO_FINE = (-3, -5, -7, -10, -14, -17, -20, -23, -27, -30, -33, -36, -40, -43)
_RESOLVED = 0.1  # of the slopes in a window: with a smaller error it shows how steep f is
# What a function may raise beside the point, where it did not at the point: a user's own guard.
UNDEFINED = (Exception,)
UNDERFLOW = 1e-300  # below this products of what is not zero vanish
_LEAST_WIDTH, _LARGEST_WIDTH = 2.0**-1000, 2.0**1000  # so that no step is zero, or infinite
# Of a step. In no ratio of small integers, nor themselves of few binary digits, or rounding to a
# grid could look like a straight line.
_PARTS = (0.5773502691896258, 0.31830988618379067)
_EXACTLY = 2.0**-50  # of the size of x: parts of which can be added to x without rounding


class Slope(NamedTuple):
    """A derivative along a line, and an estimate of its error."""

    value: float
    error: float

    def agrees(self, other: "Slope", factor: float = 10.0) -> bool:
        """Whether the two may be the same, within a multiple of their errors."""
        near = factor * (self.error + other.error) + 1e-9 * max(abs(self.value), abs(other.value))
        return abs(self.value - other.value) <= near


NO_SLOPE = Slope(np.nan, np.inf)


class Window(NamedTuple):
    """What a function does within one step of a point."""

    step: float
    central: Slope
    left: Slope
    right: Slope
    interval: tuple[float, float]  # between the sides of each output, added up: the subgradients
    jump: float  # what remains of the moves to either side when the step shrinks; 0 if nothing
    reach: float  # the sum of |∂yᵢ|, to one side: what may cancel in the slope
    bend: float  # of the sum of y(t) − 2y(0) + y(−t), whose parts may cancel: what is not straight
    flat: bool  # nothing moves
    one_sided: bool  # all that moves does so to one side

    @property
    def gap(self) -> float:
        """By how much the slopes to either side differ."""
        return abs(self.right.value - self.left.value)

    @property
    def bends(self) -> bool:
        """Whether the sides differ by more than their errors: a kink, here or close by."""
        errors = self.left.error + self.right.error
        return self.gap > max(10 * errors, 1e-9 * self.reach)

    def noisier(self, noise: float) -> "Window":
        """The same, where f has a noise that its dtype does not tell of."""
        more = 8 * noise / self.step

        def blurred(slope: Slope) -> Slope:
            return Slope(slope.value, slope.error + more)

        return self._replace(
            central=blurred(self.central), left=blurred(self.left), right=blurred(self.right)
        )


class Line:
    """Σ weights·f(t) along a line.

    Args:
        f: the outputs along the line; at 0 they must exist.
        weights: what the outputs are multiplied by: a random cotangent.
        width: the size of the numbers that t is added to, which sets the steps.
    """

    def __init__(self, f: Callable[[float], Array], weights: Array, width: float) -> None:
        self._f = f
        self.weights = weights
        self.width = width = _power_of_two(width)
        # Steps in proportion to a small x may be too small for what x is added to.
        self.widths = (width,) if width >= 0.1 else (width, 1.0)
        self.middle = _as_float(f(0.0))
        self.epsilon = float(np.finfo(self.middle.dtype).eps)
        self._windows: dict[float, Window] = {}
        self._torn = False  # whether the shape of the outputs has changed somewhere
        wide = self.widths[-1]
        far = [side * 2 * size for size in self.widths for side in (1, -1)]
        moves = [self._move(self.at(t), self.middle) for t in far]
        # Whose rounding counts, however little they move in a smaller step.
        self.alive = np.any([move != 0 for move in moves[-2:]], axis=0)
        # How far f goes, and how steeply, where it goes least: elsewhere there may be a pole.
        sums = [_finite_sum(np.abs(move)) for move in moves]
        self.travel = min((total for total in sums if total), default=0.0)
        paces = (total / abs(t) for total, t in zip(sums, far, strict=True) if total)
        self.pace = min(paces, default=0.0)
        self._sizes = np.abs(self.weights * self.middle)
        # Below the first, a slope cannot be told from zero in any step; below the second, it can
        # only if f goes on like this far beyond the size of x.
        self.floor, self.hidden = (
            self.epsilon * _finite_sum(self._sizes) / size for size in (wide, width)
        )

    def at(self, t: float) -> Array:
        """The outputs at t: NaN where f is not defined, or has another shape."""
        try:
            with np.errstate(all="ignore"):  # whatever lies there, verdicts tell of it
                y = _as_float(self._f(t))
        except UNDEFINED:
            return np.full_like(self.middle, np.nan)
        if y.shape != self.middle.shape:
            self._torn = True
            return np.full_like(self.middle, np.nan)
        return y

    def move(self, to: float, start: float) -> float:
        """Σ weights·(f(to) − f(start))."""
        return float(np.sum(self._move(self.at(to), self.at(start))))

    @property
    def size(self) -> float:
        """Σ |weights·f| of the outputs that move."""
        return _finite_sum(self._sizes[self.alive])

    @property
    def is_finite(self) -> bool:
        """Whether the outputs that count are finite at the point itself."""
        return bool(np.all(np.isfinite(self.middle) | (self.weights == 0)))

    def steepness(self, step: float) -> float:
        """The largest slope in windows so far, of this step or larger, that is no noise or pole."""
        seen = (w for w in self._windows.values() if w.step >= step and not w.bends)
        return max((w.reach for w in seen if w.central.error <= _RESOLVED * w.reach), default=0.0)

    def slope(self, step: float) -> Slope:
        """A central difference, and what rounding may make of it."""
        moves = self._move(self.at(step), self.at(-step))
        return Slope(float(np.sum(moves)) / (2 * step), 2 * self.epsilon * self.size / step)

    def frozen(self) -> Array:
        """Which outputs do not move, however far."""
        far = (self._move(self.at(t * self.widths[-1]), self.middle) for t in (100.0, -100.0))
        return ~np.any([self.alive, *(move != 0 for move in far)], axis=0)

    def window(self, step: float) -> Window:
        """What f does within this step, relative to the sizes of `widths`."""
        if step not in self._windows:
            self._windows[step] = self._measured(step)
        return self._windows[step]

    @np.errstate(all="ignore")
    def _move(self, to: Array, start: Array) -> Array:
        """The weighted difference of two outputs; 0 where they are equal, as two infinities are."""
        still = (to == start) | (self.weights == 0)
        return np.where(still, 0.0, self.weights * (to - start))

    @np.errstate(all="ignore")
    def _measured(self, h: float) -> Window:
        central, left, right = [], [], []
        moving: set[str] = set()
        steps = _steps(h, self.width)
        for t in steps:
            further, nearer = self.at(t), self.at(-t)
            ahead, behind = self._move(further, self.middle), self._move(self.middle, nearer)
            central.append(self._move(further, nearer) / (2 * t))
            right.append(ahead / t)
            left.append(behind / t)
            moving |= {"right"} if ahead.any() else set()
            moving |= {"left"} if behind.any() else set()
            self.alive = self.alive | (ahead != 0) | (behind != 0)
        nearest = steps[-1]
        noise = 2 * self.epsilon * self.size / nearest
        middle = _slope(central, _squares(steps), noise)  # a central difference errs by c·t²
        below, above = (_slope(slopes, steps, 4 * noise) for slopes in (left, right))
        mean = Slope((below.value + above.value) / 2, below.error + above.error)
        if self._torn:
            middle = NO_SLOPE
        elif mean.error < middle.error and below.agrees(above, 1.0):
            middle = mean  # the second derivative jumps, as that of x·|x| at 0
        elif not np.isfinite(middle.error):  # at the edge of where f is defined: from within
            middle = min(below, above, key=lambda side: side.error)
        # To the side where f is less steep: beyond a pole or an overflow it is no measure.
        sides = [
            max(_finite_sum(np.abs(s)) for s in side) for side in (left, right) if _all_finite(side)
        ]
        reach = min((side for side in sides if side), default=0.0)
        return Window(
            h,
            middle,
            below,
            above,
            interval=_interval(left, right, steps, 10 * (below.error + above.error)),
            jump=_jump(left, steps, noise) or _jump(right, steps, noise),
            reach=reach,
            bend=_finite_sum(np.abs(right[-1] - left[-1])) * nearest,
            flat=not moving,
            one_sided=len(moving) == 1,
        )


def _extrapolated(d: Sequence[Any], u: Sequence[float]) -> tuple[Any, Any]:
    """What d(u) tends to for u → 0, by the parabola through three points, and its error."""
    nearer = [(u[i] * d[i + 1] - u[i + 1] * d[i]) / (u[i] - u[i + 1]) for i in (0, 1)]
    value = (u[0] * nearer[1] - u[2] * nearer[0]) / (u[0] - u[2])
    return value, abs(nearer[1] - nearer[0])


def _slope(slopes: Sequence[Array], u: Sequence[float], noise: float) -> Slope:
    value, error = _extrapolated([float(np.sum(s)) for s in slopes], u)
    return Slope(value, error + noise) if np.isfinite(value + error + noise) else NO_SLOPE


def _squares(steps: Sequence[float]) -> list[float]:
    """Relative to the first, or they might overflow."""
    return [(t / steps[0]) ** 2 for t in steps]


def _interval(
    left: Sequence[Array], right: Sequence[Array], steps: Sequence[float], margin: float
) -> tuple[float, float]:
    """Where each output may take any value between its two slopes, what their sum may be."""
    one, other = (_extrapolated(slopes, steps)[0] for slopes in (left, right))
    low, high = np.minimum(one, other), np.maximum(one, other)
    return float(np.sum(low)) - margin, float(np.sum(high)) + margin


def _jump(slopes: Sequence[Array], steps: Sequence[float], noise: float) -> float:
    """What remains of a move when its step shrinks to a third: nearly all of it, if f jumps."""
    m0, m1, m2 = (float(np.sum(s)) * t for s, t in zip(slopes, steps, strict=True))
    if not (abs(m0) > 10 * noise * steps[0] and 0.9 < m1 / m0 < 1.1 and 0.85 < m2 / m0 < 1.15):
        return 0.0
    return (steps[1] * m2 - steps[2] * m1) / (steps[1] - steps[2])


def _all_finite(numbers: Sequence[Array]) -> bool:
    return all(np.all(np.isfinite(array)) for array in numbers)


def _finite_sum(numbers: Array) -> float:
    return float(np.sum(numbers[np.isfinite(numbers)]))


def _as_float(y: Array) -> Array:
    array = np.asarray(y)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


@np.errstate(all="ignore")
def elementwise_slopes(f: Callable[[float], Array], *widths: float) -> tuple[Array, Array]:
    """The derivative at 0 of each output by itself, from the steps that show it best.

    Args:
        f: the outputs along a line.
        widths: the sizes of the numbers that t is added to: steps are parts of them.

    Returns:
        A derivative for each output, and its error. It is NaN at a kink, and wherever smaller
        steps show another slope than larger ones do, each as if it were exact.
    """
    middle = f(0.0)
    epsilon = float(np.finfo(middle.dtype).eps)
    best, least = np.zeros_like(middle), np.full_like(middle, np.inf)
    sizes = [_power_of_two(width) for width in widths]
    for step in sorted({size * 2.0**power for size in sizes for power in COARSE_TO_FINE}):
        steps = _steps(step, sizes[0])
        ahead, behind = [f(t) - middle for t in steps], [middle - f(-t) for t in steps]
        rising, falling = (
            [move / t for move, t in zip(moves, steps, strict=True)] for moves in (ahead, behind)
        )
        central = [(one + other) / 2 for one, other in zip(rising, falling, strict=True)]
        slope, error = _extrapolated(central, _squares(steps))
        (right, above), (left, below) = (_extrapolated(s, steps) for s in (rising, falling))
        noise = 2 * epsilon * np.abs(middle) / steps[-1]
        error = error + noise
        bends = np.abs(right - left) > 10 * (above + below + 8 * noise) + 1e-7 * np.abs(right)
        differs = np.abs(slope - best) > 10 * (error + least) + 1e-7 * np.abs(slope)
        clear = bends | (np.abs(right - left) <= above + below + 8 * noise)
        better = clear & (error < least) & ~np.isnan(best)
        best = np.where(better, np.where(bends | differs, np.nan, slope), best)
        least = np.where(better, error, least)
    return np.where(np.isfinite(least), best, np.nan), least


def _steps(h: float, width: float) -> list[float]:
    """A step and two parts of it, which can be added to numbers of a size without rounding."""
    least = width * _EXACTLY
    many = h / least > 2.0**53  # so many that rounding to them changes nothing
    return [h, *(h * part if many else max(round(h * part / least), 1) * least for part in _PARTS)]


def _power_of_two(width: float) -> float:
    """Nearly the same width; steps of a power of two are added without rounding."""
    return float(2.0 ** round(np.log2(min(max(width, _LEAST_WIDTH), _LARGEST_WIDTH))))


def typical_size(value: Array) -> float:
    """The root mean square of what is finite and not zero; 1 where nothing is."""
    numbers = np.abs(value[np.isfinite(value) & (value != 0)])
    if not numbers.size:
        return 1.0
    largest = float(np.max(numbers))
    return largest * float(np.sqrt(np.mean(np.square(numbers / largest))))
