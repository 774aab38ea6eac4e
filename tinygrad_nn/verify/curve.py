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
from .verdicts import Finding, Verdict

__all__ = ["StepCurve", "step_curve"]

_POWERS = np.arange(-50, 3, dtype=np.float64)  # of two: the steps, relative to the element
_LEFT, _TOP, _RIGHT, _BOTTOM = 80, 60, 24, 110
_BLUE, _ORANGE, _RED = "#0072b2", "#b36b00", "#a83200"


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
        trusted: whether rounding leaves enough of the differences to take their errors for errors.
    """

    name: str
    steps: Array
    central: Array
    forward: Array
    numeric: float
    analytic: float
    trusted: bool = True

    def __repr__(self) -> str:
        return (
            f"<StepCurve {self.name}: best step {self.best_step:.1e}, "
            f"error of the gradient {self.gradient_error:.1e}>"
        )

    @property
    def best_step(self) -> float:
        """The step of the central difference with the least error: of several, the largest.

        NaN where f is not defined to both sides.
        """
        errors = np.where(np.isfinite(self.central), self.central, np.inf)
        best = np.flatnonzero(errors == np.min(errors))[-1]
        return float(self.steps[best]) if np.isfinite(errors[best]) else math.nan

    @property
    def gradient_error(self) -> float:
        """How far the gradient is from the derivative."""
        return abs(self.analytic - self.numeric)

    def svg(self) -> str:
        """The curve as a picture, with logarithmic axes.

        Errors of 0 lie on the lower edge, below all others. What has no others is not drawn.
        """
        x0, x1 = _decades(self.steps)
        height = np.full_like(self.steps, self.gradient_error)
        kinds = ((self.forward, _ORANGE, "6,3"), (self.central, _BLUE, ""), (height, _RED, "2,3"))
        drawn = [kind for kind in kinds if np.any(kind[0] > 0)]
        y0, y1 = _decades(np.concatenate([[0.0], *(errors for errors, _, _ in drawn)]))
        y0 -= any(np.any(errors == 0) for errors, _, _ in drawn)

        def placed(errors: Array) -> Iterator[tuple[float, float]]:
            for h, error in zip(self.steps, errors, strict=True):
                if error >= 0:
                    height = (math.log10(error) - y0) / (y1 - y0) if error else 0.0
                    yield (math.log10(h) - x0) / (x1 - x0), height

        parts = [
            f'<g transform="translate({_LEFT},{_TOP})">',
            title(f"Differences for {self.name}"),
            *bottom_axis("step h: rounding to the left, truncation to the right", _marks(x0, x1)),
            *left_axis("error of the difference", _marks(y0, y1), room=58),
            *(curve(placed(errors), colour, dashes) for errors, colour, dashes in drawn),
            *_legend(self),
            "</g>",
        ]
        return document(
            _LEFT + SIDE + _RIGHT, _TOP + SIDE + _BOTTOM, "Error against step size", parts
        )

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
        ArgumentError: there is no such input or element, or no derivative by it.
    """
    if finding.name not in check.names:
        raise ArgumentError(f"step_curve: expected one input; got {finding.name}")
    if not check.gradients:
        raise ArgumentError(
            "step_curve: expected a function that gives the same twice; got one that does not"
        )
    number = check.names.index(finding.name)
    gradient = check.gradients[number]
    if index is None:
        index = _worst(finding, gradient, check.unit)
    try:
        analytic = float(gradient[index])
    except (IndexError, TypeError):
        raise ArgumentError(
            f"step_curve: expected an element of an input of shape {gradient.shape}; got {index}"
        ) from None
    way, unit = check.axis(number, index), check.unit
    line = Line(way.outputs, check.cotangent, way.width)
    judged = check.judged(way)
    numeric = judged.numeric
    if not math.isfinite(numeric):
        raise ArgumentError(
            f"step_curve: expected an element by which there is a derivative; got "
            f"{finding.name} {index}: {judged.verdict.value}; choose another by index="
        )
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
        judged.verdict is not Verdict.UNSTABLE,
    )


def _worst(finding: Finding, gradient: Array, unit: float) -> tuple[int, ...]:
    """The worst element; where a direction was the worst, the one with the largest gradient."""
    index = finding.worst.index
    if len(index) == gradient.ndim:
        found = finding.worst.analytic
        # The number of a direction may look like an index of an element.
        if not finding.directions or float(gradient[index]) / unit == found:
            return index
    if not gradient.size:
        raise ArgumentError(f"step_curve: expected an element; got {finding.name} of none")
    largest = int(np.argmax(np.abs(gradient)))
    return tuple(map(int, np.unravel_index(largest, gradient.shape)))


def _decades(numbers: Array) -> tuple[int, int]:
    """The powers of ten around positive numbers."""
    logs = np.log10(numbers[np.isfinite(numbers) & (numbers > 0)])
    if not logs.size:
        return -16, 0
    low, high = math.floor(np.min(logs)), math.ceil(np.max(logs))
    return (low, high) if low < high else (low - 1, high + 1)


def _marks(low: int, high: int) -> list[tuple[str, float]]:
    every = max(1, (high - low) // 6)
    return [
        (f'10<tspan dy="-5" font-size="9">{power}</tspan>', (power - low) / (high - low))
        for power in range(low, high + 1, every)
    ]


def _legend(shown: StepCurve) -> list[str]:
    """Below the axis, in two columns."""
    lost = "exact" if shown.trusted else "all digits lost"
    central, forward = (
        "" if np.any(errors) else f", {lost}" for errors in (shown.central, shown.forward)
    )
    known = not central and np.isfinite(shown.best_step)
    rows = (
        (_BLUE, "", f"central difference{central}"),
        (_ORANGE, "6,3", f"forward difference{forward}"),
        (_RED, "2,3", f"error of the gradient: {shown.gradient_error:.1e}"),
        (None, "", f"best step: {shown.best_step:.1e}" if known else ""),
    )
    parts = []
    for i, (colour, dashes, text) in enumerate(rows):
        x, y = 195 * (i // 2), SIDE + 66 + 22 * (i % 2)
        if colour is not None:
            parts.append(
                f'<line x1="{x}" x2="{x + 26}" y1="{y}" y2="{y}" stroke="{colour}" '
                f'stroke-width="1.5" stroke-dasharray="{dashes}"/>'
            )
        parts.append(f'<text x="{x + 32}" y="{y + 4}" font-size="12" {TEXT}>{escaped(text)}</text>')
    return parts
