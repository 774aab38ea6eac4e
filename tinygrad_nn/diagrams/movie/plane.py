"""The plane of two features: what the model says everywhere, and the samples on it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..._typing import Array
from ..labels import number
from ..regions import Box, outlines
from ..scales import ticks
from .frames import Frames, whole
from .outputs import Classes, Values
from .record import GRID, TrainingRecord
from .snapshot import Snapshot

__all__ = ["level_colours", "marker", "plane"]

_SIDE = 300
# Classes beyond the colours share one, with another marker: 6 colours, 4 markers, 12 pairs.
_COLOURS = 6
_MARKERS = (
    "M{:.1f} {:.1f}m-2.7 0a2.7 2.7 0 1 0 5.4 0a2.7 2.7 0 1 0-5.4 0",
    "M{:.1f} {:.1f}m-2.4-2.4h4.8v4.8h-4.8z",
    "M{:.1f} {:.1f}m0-3.2l3 5.2h-6z",
    "M{:.1f} {:.1f}m0-3.3l3.3 3.3-3.3 3.3-3.3-3.3z",
)
_LEVELS = 12

Place = tuple[float, float]
_COLD, _MIDDLE, _HOT = (0, 60, 112), (146, 146, 134), (247, 219, 72)


class _Look(NamedTuple):
    """How the plane is shown: kinds of cells and of samples, which have colours in common.

    Attributes:
        title: above the picture.
        grids: the kind of each cell, in each frame.
        samples: the kind of each sample that is shown.
        cells: the class in CSS of each kind of cell.
        points: the same of each kind of sample.
        markers: the number of the marker of each kind.
        wrong: which samples are misclassified, in each frame; None where nothing can be.
        legend: below the picture.
    """

    title: str
    grids: Sequence[Array]
    samples: Array
    cells: Sequence[str]
    points: Sequence[str]
    markers: Sequence[int]
    wrong: Sequence[Array] | None
    legend: str


def plane(record: TrainingRecord, snapshots: Sequence[Snapshot], frames: Frames) -> str:
    """The regions, or values, in each frame, with samples and a legend; "" without a plane."""
    if record.box is None:
        return ""
    grids = [np.reshape(s.grid, (GRID, GRID)) for s in snapshots if s.grid is not None]
    kind = record.kind
    look = (
        _classes(record, kind, snapshots, grids)
        if isinstance(kind, Classes)
        else _values(record, kind, grids)
    )
    places = [_placed(record.box, point) for point in record.X[record.shown]]
    parts = [
        f'<svg class="plane" viewBox="-38 -6 348 346" role="img" aria-label="{look.title.lower()}: '
        f'what the model says of each point, and the samples">'
        f'<g transform="scale({_SIDE / GRID:g})" shape-rendering="crispEdges">'
    ]
    paths = [outlines(grid, len(look.cells)) for grid in look.grids]
    for i, cell in enumerate(look.cells):
        parts.append(frames.element("path", {"class": cell, "d": [path[i] for path in paths]}))
    parts.append("</g>")
    if look.wrong is not None:
        rings = [_rings(places, wrong) for wrong in look.wrong]
        parts.append(frames.element("path", {"class": "ring", "d": rings}))
    for i, (point, number_of_marker) in enumerate(zip(look.points, look.markers, strict=True)):
        own = [places[k] for k in np.flatnonzero(look.samples == i)]
        marks = "".join(_mark(number_of_marker, x, y) for x, y in own)
        parts.append(f'<path class="point {point}" d="{marks}"/>')
    parts += [*_axes(record.box), "</svg>", look.legend]
    if len(record.shown) < len(record.X):
        shown = f"{len(record.shown)} of {len(record.X)} samples are shown"
        parts.append(f'<p class="dim">{shown}</p>')
    return f'<section class="regions"><h2>{look.title}</h2>{"".join(parts)}</section>'


def _classes(
    record: TrainingRecord, kind: Classes, snapshots: Sequence[Snapshot], grids: Sequence[Array]
) -> _Look:
    truth, numbers = kind.truth[record.shown], range(kind.count)
    return _Look(
        title="Decision regions",
        grids=grids,
        samples=truth,
        cells=[f"region-{i % _COLOURS}" for i in numbers],
        points=[f"class-{i % _COLOURS}" for i in numbers],
        markers=numbers,
        wrong=[s.points != truth for s in snapshots],
        legend=_legend(record.classes),
    )


def _values(record: TrainingRecord, kind: Values, grids: Sequence[Array]) -> _Look:
    scale = _Scale(kind.truth)
    colours = [f"level-{i}" for i in range(_LEVELS)]
    return _Look(
        title="Values",
        grids=[scale.levels(grid) for grid in grids],
        samples=scale.levels(kind.truth.reshape(-1)[record.shown]),
        cells=colours,
        points=colours,
        markers=[0] * _LEVELS,
        wrong=None,
        legend=scale.legend(),
    )


def marker(kind: int) -> str:
    """The marker of a class, as a small picture for a legend."""
    return (
        f'<svg class="key" viewBox="0 0 14 14" aria-hidden="true"><rect class="region-'
        f'{kind % _COLOURS}" width="14" height="14"/><path class="point class-{kind % _COLOURS}" '
        f'd="{_mark(kind, 7, 7)}"/></svg>'
    )


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
            f'largest value" role="img">{keys}</svg><span>{number(self.high)}</span>'
            '<span class="dim">in the dots the true value, around them the model\'s</span></p>'
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


def _placed(box: Box, point: Array) -> Place:
    """Where a point is in the picture; one that is not finite is far outside."""
    x, y = box.place(*map(float, point))
    return (x * _SIDE, y * _SIDE) if math.isfinite(x + y) else (-999.0, -999.0)


def _mark(kind: int, x: float, y: float) -> str:
    return _MARKERS[kind % len(_MARKERS)].format(x, y)


def _rings(places: Sequence[Place], wrong: Array) -> str:
    """What stands out around points: a dot behind each, drawn by the round cap of no line."""
    return "".join("M{:.1f} {:.1f}h0".format(*places[k]) for k in np.flatnonzero(wrong).tolist())


def _axes(box: Box) -> list[str]:
    parts = [f'<rect class="frame" width="{_SIDE}" height="{_SIDE}"/>']
    for v in ticks(box.left, box.right):
        x = box.place(v, 0)[0] * _SIDE
        if 0 <= x <= _SIDE:
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{_SIDE + 16}" text-anchor="middle">'
                f"{v:.6g}</text>"
            )
    for v in ticks(box.bottom, box.top):
        y = box.place(0, v)[1] * _SIDE
        if 0 <= y <= _SIDE:
            parts.append(
                f'<text class="tick" x="-5" y="{y + 4:.1f}" text-anchor="end">{v:.6g}</text>'
            )
    parts.append(
        f'<text class="tick" x="{_SIDE / 2:g}" y="{_SIDE + 32}" text-anchor="middle">x₁</text>'
        f'<text class="tick" transform="translate(-30 {_SIDE / 2:g}) rotate(-90)" '
        f'text-anchor="middle">x₂</text>'
    )
    return parts
