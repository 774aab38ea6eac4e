"""The plane of two features: what the model says everywhere, and the samples on it."""

from collections.abc import Sequence

import numpy as np

from ..._typing import Array
from ..regions import Box, outlines
from ..scales import ticks
from .frames import Frames, number, whole
from .outputs import Classes
from .record import GRID, TrainingRecord
from .snapshot import Snapshot

__all__ = ["marker", "plane"]

_SIDE = 300
# Classes beyond the colours share one, with another marker: 6 colours, 4 markers, 12 pairs.
_COLOURS = 6
_MARKERS = (
    "M{0} {1}m-2.7 0a2.7 2.7 0 1 0 5.4 0a2.7 2.7 0 1 0-5.4 0",
    "M{0} {1}m-2.4-2.4h4.8v4.8h-4.8z",
    "M{0} {1}m0-3.2l3 5.2h-6z",
    "M{0} {1}m0-3.3l3.3 3.3-3.3 3.3-3.3-3.3z",
)
_LEVELS = 12
_COLD, _MIDDLE, _HOT = (0, 60, 112), (146, 146, 134), (247, 219, 72)


def plane(record: TrainingRecord, snapshots: Sequence[Snapshot], frames: Frames) -> str:
    """A figure with the regions, or values, in each frame, and a legend; "" without a plane."""
    if record.box is None:
        return ""
    kind = record.kind
    if isinstance(kind, Classes):
        truth = kind.truth[record.shown]
        count, colours = kind.count, [f"region-{c % _COLOURS}" for c in range(kind.count)]
        legend, title = _legend(record.classes), "Decision regions"
        grids = [outlines(grid, count) for grid in _grids(snapshots)]
    else:
        scale = _Scale(kind.truth)
        truth, count = scale.levels(kind.truth.reshape(-1)[record.shown]), _LEVELS
        colours = [f"level-{i}" for i in range(_LEVELS)]
        legend, title = scale.legend(), "Values"
        grids = [outlines(scale.levels(grid), count) for grid in _grids(snapshots)]
    parts = [
        f'<svg class="plane" viewBox="-38 -6 348 346" role="img" aria-label="{title.lower()}: '
        f'what the model says of each point, and the samples">'
        f'<g transform="scale({_SIDE // GRID})" shape-rendering="crispEdges">'
    ]
    for i, colour in enumerate(colours):
        parts.append(frames.element("path", {"class": colour, "d": [grid[i] for grid in grids]}))
    parts.append("</g>")
    places = [_placed(record.box, point) for point in record.X[record.shown]]
    if isinstance(kind, Classes):
        wrong = [_rings(places, s.points != truth) for s in snapshots]
        parts.append(frames.element("path", {"class": "ring", "d": wrong}))
    for i, colour in enumerate(colours):
        marks = (_mark(i if isinstance(kind, Classes) else 0, *at)
                 for at, own in zip(places, truth, strict=True) if own == i)  # fmt: skip
        parts.append(
            f'<path class="point {colour.replace("region", "class")}" d="{"".join(marks)}"/>'
        )
    parts += [*_axes(record.box), "</svg>"]
    left_out = len(record.X) - len(record.shown)
    shown = f'<p class="dim">{len(record.shown)} of {len(record.X)} samples are shown</p>'
    return (
        f'<section class="regions"><h2>{title}</h2>{"".join(parts)}'
        f"{legend}{shown if left_out else ''}</section>"
    )


def marker(kind: int) -> str:
    """The marker of a class, as a small picture for a legend."""
    return (
        f'<svg class="key" viewBox="0 0 14 14" aria-hidden="true"><rect class="region-'
        f'{kind % _COLOURS}" width="14" height="14"/><path class="point class-{kind % _COLOURS}" '
        f'd="{_mark(kind, 7, 7)}"/></svg>'
    )


def _grids(snapshots: Sequence[Snapshot]) -> list[Array]:
    """What was decided on the plane, in rows from the top."""
    return [np.reshape(s.grid, (GRID, GRID)) for s in snapshots if s.grid is not None]


class _Scale:
    """Levels of values between the least and the largest true one."""

    def __init__(self, truth: Array) -> None:
        finite = truth[np.isfinite(truth)].astype(np.float64)
        self.low = float(finite.min()) if finite.size else 0.0
        self.high = float(finite.max()) if finite.size else 1.0
        self.width = (self.high - self.low) or 1.0

    def levels(self, values: Array) -> Array:
        """From 0 to 11; what is beyond the ends is at the ends, and −1 is NaN."""
        at = (values.astype(np.float64) - self.low) / self.width * _LEVELS
        level = np.clip(np.nan_to_num(np.floor(at), posinf=_LEVELS), 0, _LEVELS - 1)
        return np.where(np.isnan(at), -1, level.astype(np.int64))

    def legend(self) -> str:
        """The colours of the levels, with the values at the ends."""
        keys = "".join(
            f'<rect class="level-{i}" x="{i * 14}" width="14" height="14"/>' for i in range(_LEVELS)
        )
        return (
            f'<p class="legend"><span>{number(self.low)}</span>'
            f'<svg class="ramp" viewBox="0 0 {14 * _LEVELS} 14" aria-label="from the least to the '
            f'largest value" role="img">{keys}</svg><span>{number(self.high)}</span></p>'
        )


def level_colours() -> str:
    """The colours of values as CSS: from blue over grey to yellow, ever lighter."""
    rules = []
    for i in range(_LEVELS):
        at = 2 * i / (_LEVELS - 1)
        low, high = (_COLD, _MIDDLE) if at < 1 else (_MIDDLE, _HOT)
        part = at % 1 if at < 2 else 1.0
        mixed = [round(a + (b - a) * part) for a, b in zip(low, high, strict=True)]
        rules.append(f".level-{i}{{fill:rgb({mixed[0]} {mixed[1]} {mixed[2]})}}")
    return "".join(rules)


def _legend(names: Sequence[str]) -> str:
    keys = "".join(f"<li>{marker(i)} <bdi>{whole(name)}</bdi></li>" for i, name in enumerate(names))
    ring = (
        '<li><svg class="key" viewBox="0 0 14 14" aria-hidden="true"><path class="ring" '
        f'd="M7 7h0"/><path class="point" d="{_mark(0, 7, 7)}"/></svg> misclassified</li>'
    )
    return f'<ul class="legend">{keys}{ring}</ul>'


def _placed(box: Box, point: Array) -> tuple[str, str]:
    """Where a point is in the picture; what is not finite is far outside."""
    x, y = box.place(*map(float, point))
    return tuple(f"{v * _SIDE:.1f}" if np.isfinite(v) else "-999" for v in (x, y))  # type: ignore[return-value]


def _mark(kind: int, x: object, y: object) -> str:
    return _MARKERS[kind % len(_MARKERS)].format(x, y)


def _rings(places: Sequence[tuple[str, str]], wrong: Array) -> str:
    """What stands out around points: a dot behind each, drawn by the round cap of no line."""
    return "".join(
        f"M{x} {y}h0" for (x, y), is_wrong in zip(places, wrong, strict=True) if is_wrong
    )


def _axes(box: Box) -> list[str]:
    parts = [f'<rect class="frame" width="{_SIDE}" height="{_SIDE}"/>']
    for v in ticks(box.left, box.right):
        x = box.place(v, 0)[0] * _SIDE
        if 0 <= x <= _SIDE:
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{_SIDE + 16}" text-anchor="middle">'
                f"{number(round(v, 12))}</text>"
            )
    for v in ticks(box.bottom, box.top):
        y = box.place(0, v)[1] * _SIDE
        if 0 <= y <= _SIDE:
            parts.append(
                f'<text class="tick" x="-5" y="{y + 4:.1f}" text-anchor="end">'
                f"{number(round(v, 12))}</text>"
            )
    parts.append(
        f'<text class="tick" x="{_SIDE / 2:g}" y="{_SIDE + 32}" text-anchor="middle">x₁</text>'
        f'<text class="tick" transform="translate(-30 {_SIDE / 2:g}) rotate(-90)" '
        f'text-anchor="middle">x₂</text>'
    )
    return parts
