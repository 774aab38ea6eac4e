"""A function of one number and its derivative, as a picture and in characters."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..._svg import SIDE, TEXT, bottom_axis, curve, document, left_axis, title
from ..._typing import Array
from .wording import printable

__all__ = ["Plot", "plotted"]

_POINTS = 801
_WIDE, _HIGH = 65, 17  # characters
_VALUE, _SLOPE = "#0072b2", "#d55e00"  # of Okabe and Ito's palette; the second is dashed
_TALL = 8.0  # up to here a curve is shown whole
_LEFT, _TOP = 70, 60


@dataclass(frozen=True, slots=True)
class Plot:
    """A function f and its derivative f′ over a range, with what is outside the picture cut off.

    Attributes:
        name: of the function.
        low, high: the range of the argument.
        bottom, top: the range shown of the values.
        xs: the arguments.
        values: f there, NaN where it is not defined.
        slopes: f′ there.
    """

    name: str
    low: float
    high: float
    bottom: float
    top: float
    xs: tuple[float, ...]
    values: tuple[float, ...]
    slopes: tuple[float, ...]

    def text(self) -> str:
        """In ASCII characters: ``*`` for f and ``+`` for its derivative."""
        grid = [[" "] * _WIDE for _ in range(_HIGH)]
        for column in range(_WIDE):
            if self.bottom <= 0 <= self.top:
                grid[self._row(0.0)][column] = "-"
        if self.low <= 0 <= self.high:
            for line in grid:
                line[self._column(0.0)] = "|"
        for ys, mark in ((self.slopes, "+"), (self.values, "*")):
            for x, y in zip(self.xs, ys, strict=True):
                if self.bottom <= y <= self.top:
                    grid[self._row(y)][self._column(x)] = mark
        room = max(len(f"{v:g}") for v in (self.bottom, self.top))
        labels = {0: f"{self.top:g}", _HIGH - 1: f"{self.bottom:g}"}
        if self.bottom < 0 < self.top:
            labels.setdefault(self._row(0.0), "0")
        lines = [
            f"{labels.get(i, ''):>{room}} {''.join(line)}".rstrip() for i, line in enumerate(grid)
        ]
        low, high = f"{self.low:g}", f"{self.high:g}"
        lines.append(f"{'':>{room}} {low}{high:>{_WIDE - len(low)}}")
        return "\n".join([*lines, f"{'':>{room}} * the function    + its derivative"])

    def svg(self) -> str:
        """As an SVG picture."""
        xs = [(x - self.low) / (self.high - self.low) for x in self.xs]
        parts = [f'<g transform="translate({_LEFT},{_TOP})">', title(printable(self.name))]
        if self.bottom < 0 < self.top:
            y = SIDE * self.top / (self.top - self.bottom)
            parts.append(f'<line x2="{SIDE}" y1="{y:.1f}" y2="{y:.1f}" stroke="#bbb"/>')
        if self.low < 0 < self.high:
            x = -SIDE * self.low / (self.high - self.low)
            parts.append(f'<line y2="{SIDE}" x1="{x:.1f}" x2="{x:.1f}" stroke="#bbb"/>')
        for ys, colour, dashes in ((self.slopes, _SLOPE, "6 4"), (self.values, _VALUE, "")):
            parts += [curve(run, colour, dashes) for run in self._runs(xs, ys)]
        parts += bottom_axis("argument", self._marks(self.low, self.high))
        parts += left_axis("", self._marks(self.bottom, self.top))
        for x, said, colour, dashes in (
            (0, "the function", _VALUE, ""),
            (180, "its derivative", _SLOPE, "6 4"),
        ):
            y = SIDE + 66
            parts.append(
                f'<line x1="{x}" x2="{x + 30}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" '
                f'stroke-width="2" stroke-dasharray="{dashes or "none"}"/>'
                f'<text x="{x + 38}" y="{y}" font-size="13" {TEXT}>{said}</text>'
            )
        about = f"{printable(self.name)} and its derivative"
        return document(_LEFT + SIDE + 30, _TOP + SIDE + 86, about, [*parts, "</g>"])

    def _row(self, y: float) -> int:
        return round((self.top - y) / (self.top - self.bottom) * (_HIGH - 1))

    def _column(self, x: float) -> int:
        return round((x - self.low) / (self.high - self.low) * (_WIDE - 1))

    def _marks(self, low: float, high: float) -> list[tuple[str, float]]:
        """Round numbers along an axis, and where they are."""
        step = _round_step((high - low) / 4)
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        return [(f"{i * step + 0.0:g}", (i * step - low) / (high - low))
                for i in range(first, last + 1)]  # fmt: skip

    def _runs(self, xs: Sequence[float], ys: Sequence[float]) -> list[list[tuple[float, float]]]:
        """The parts of a curve: what is not defined, or cut off, or a jump, parts it."""
        runs: list[list[tuple[float, float]]] = [[]]
        height = self.top - self.bottom
        moves = [abs(b - a) for a, b in pairwise(ys)]
        for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
            inside = self.bottom <= y <= self.top
            if not inside or (i and self._jumps(moves, i - 1)):
                runs.append([])
            if inside:
                runs[-1].append((x, (y - self.bottom) / height))
        return [run for run in runs if len(run) > 1]

    def _jumps(self, moves: Sequence[float], i: int) -> bool:
        """Whether a curve moves far from one point to the next, and does not beside them."""
        beside = [
            m for m in (*moves[max(i - 1, 0) : i], *moves[i + 1 : i + 2]) if not math.isnan(m)
        ]
        least = 0.01 * (self.top - self.bottom)
        return bool(beside) and moves[i] > max(8 * min(beside), least)


def plotted(
    name: str,
    f: Callable[[Array], Array],
    slope: Callable[[Array], Array],
    low: float = -4.0,
    high: float = 4.0,
) -> Plot | None:
    """The plot of a function over a range; None where nothing of it is finite there."""
    xs = np.linspace(low, high, _POINTS)
    with np.errstate(all="ignore"):
        values, slopes = (np.broadcast_to(np.asarray(part(xs)), xs.shape) for part in (f, slope))
    shown = np.concatenate([values, slopes]).astype(np.float64)
    finite = shown[np.isfinite(shown)]
    if not finite.size:
        return None
    bottom, top = _range(finite)
    kept = (np.where(np.isfinite(v), v, np.nan).astype(np.float64).tolist()
            for v in (values, slopes))  # fmt: skip
    ys, dys = (tuple(v) for v in kept)
    return Plot(name, low, high, bottom, top, tuple(xs.tolist()), ys, dys)


def _range(finite: Array) -> tuple[float, float]:
    """The range of values to show: all of them, unless a few are far away."""
    limit = float(np.max(np.abs(finite)))
    if limit > _TALL:
        limit = min(limit, max(4 * float(np.median(np.abs(finite))), 2.0))
    bottom, top = (float(np.clip(v, -limit, limit)) for v in (finite.min(), finite.max()))
    if top - bottom < 1e-6 * max(limit, 1.0):
        bottom, top = bottom - 1.0, top + 1.0
    step = _round_step((top - bottom) / 8)
    return step * math.floor(bottom / step + 1e-9), step * math.ceil(top / step - 1e-9)


def _round_step(rough: float) -> float:
    """The least of 1, 2, 5, 10, … times a power of ten that is not below."""
    unit = 10.0 ** math.floor(math.log10(rough))
    return next(m * unit for m in (1, 2, 5, 10) if rough <= m * unit * (1 + 1e-9))
