"""How the error of a finite difference depends on its step: truncation, then rounding."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .._svg import SIDE, TEXT, bottom_axis, curve, document, escaped, left_axis, title
from .._typing import Array
from ..errors import ArgumentError
from .check import Check
from .differences import Line
from .verdicts import Finding

__all__ = ["StepCurve", "step_curve"]

_POWERS = np.arange(-50, 3, dtype=np.float64)  # of two: the steps, relative to the element
_LEFT, _TOP, _RIGHT = 80, 60, 230
_BLUE, _ORANGE, _GREY, _RED = "#0072b2", "#b36b00", "#666666", "#a83200"


class StepCurve(NamedTuple):
    """The error of differences of one derivative against their step.

    Large steps err by truncation, in proportion to h for a difference to one side and to h² for a
    central one; small steps by rounding, in proportion to 1/h. The best step lies between. A
    gradient that is wrong lies far from the derivative that all good steps find.

    Attributes:
        name: of the input, with the element.
        steps: (n,).
        central: the error of (f(x+h) − f(x−h)) / 2h (n,).
        forward: the error of (f(x+h) − f(x)) / h (n,).
        numeric: the derivative, extrapolated from several steps: what errors are taken from.
        analytic: the gradient.
    """

    name: str
    steps: Array
    central: Array
    forward: Array
    numeric: float
    analytic: float

    @property
    def best_step(self) -> float:
        """The step of the central difference with the least error."""
        return float(self.steps[int(np.nanargmin(self.central))])

    @property
    def gradient_error(self) -> float:
        """How far the gradient is from the derivative."""
        return abs(self.analytic - self.numeric)

    def svg(self) -> str:
        """The curve as a picture, with logarithmic axes."""
        x0, x1 = _decades(self.steps)
        y0, y1 = _decades(np.concatenate([self.central, self.forward, [self.gradient_error]]))

        def placed(errors: Array) -> Iterator[tuple[float, float]]:
            for h, error in zip(self.steps, errors, strict=True):
                if error > 0:
                    yield (math.log10(h) - x0) / (x1 - x0), (math.log10(error) - y0) / (y1 - y0)

        height = np.full_like(self.steps, self.gradient_error)
        parts = [
            f'<g transform="translate({_LEFT},{_TOP})">',
            title(f"Differences for {self.name}"),
            *bottom_axis("step h: rounding to the left, truncation to the right", _marks(x0, x1)),
            *left_axis("error of the difference", _marks(y0, y1), room=58),
            curve(placed(self.forward), _ORANGE, "6,3"),
            curve(placed(self.central), _BLUE),
            curve(placed(height), _RED, "2,3"),
            *_legend(self),
            "</g>",
        ]
        return document(_LEFT + SIDE + _RIGHT, _TOP + SIDE + 60, "Error against step size", parts)

    def save(self, path: str | Path) -> Path:
        """Write the picture into a file."""
        path = Path(path)
        path.write_text(self.svg(), encoding="utf-8")
        return path

    def _repr_svg_(self) -> str:
        return self.svg()


def step_curve(check: Check, finding: Finding, index: tuple[int, ...] | None = None) -> StepCurve:
    """Measure the errors of differences by one element of an input, for many steps.

    Args:
        check: what the finding comes from.
        finding: the input.
        index: the element; by default the worst.

    Raises:
        ArgumentError: there is no such input or element.
    """
    if finding.name not in check.names:
        raise ArgumentError(f"step_curve: expected one input; got {finding.name}")
    number = check.names.index(finding.name)
    gradient = check.gradients[number]
    if index is None:
        index = finding.worst.index
        if len(index) != gradient.ndim or finding.directions:  # a direction, and no element
            largest = int(np.argmax(np.abs(gradient)))
            index = tuple(map(int, np.unravel_index(largest, gradient.shape)))
    try:
        analytic = float(gradient[index])
    except (IndexError, TypeError):
        raise ArgumentError(
            f"step_curve: expected an element of an input of shape {gradient.shape}; got {index}"
        ) from None
    way, unit = check.axis(number, index), check.unit
    line = Line(way.outputs, check.cotangent, way.width)
    numeric = check.judged(way).numeric
    steps = line.width * 2.0**_POWERS
    above = np.array([line.move(h, 0.0) / h for h in steps])
    both = np.array([line.move(h, -h) / (2 * h) for h in steps])
    return StepCurve(
        f"{finding.name} {index}",
        steps,
        np.abs(both - numeric) / abs(unit),
        np.abs(above - numeric) / abs(unit),
        numeric / unit,
        analytic / unit,
    )


def _decades(numbers: Array) -> tuple[int, int]:
    """The powers of ten around positive numbers."""
    logs = np.log10(numbers[np.isfinite(numbers) & (numbers > 0)])
    if not logs.size:
        return -16, 0
    low, high = math.floor(np.min(logs)), math.ceil(np.max(logs))
    return low, max(high, low + 1)


def _marks(low: int, high: int) -> list[tuple[str, float]]:
    every = max(1, (high - low) // 6)
    return [
        (f'10<tspan dy="-5" font-size="9">{power}</tspan>', (power - low) / (high - low))
        for power in range(low, high + 1, every)
    ]


def _legend(shown: StepCurve) -> list[str]:
    rows = (
        (_BLUE, "", "central difference"),
        (_ORANGE, "6,3", "forward difference"),
        (_RED, "2,3", f"error of the gradient: {shown.gradient_error:.1e}"),
        (_GREY, "", f"best step: {shown.best_step:.1e}"),
    )
    parts = []
    for i, (colour, dashes, text) in enumerate(rows):
        y = 14 + 22 * i
        parts.append(
            f'<line x1="{SIDE + 14}" x2="{SIDE + 40}" y1="{y}" y2="{y}" stroke="{colour}" '
            f'stroke-width="{1.5 if i < 3 else 0}" stroke-dasharray="{dashes}"/>'
            f'<text x="{SIDE + 46}" y="{y + 4}" font-size="12" {TEXT}>{escaped(text)}</text>'
        )
    return parts
