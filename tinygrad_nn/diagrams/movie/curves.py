"""The curves of a run: loss and metrics over the epochs, with a cursor at the frame's epoch."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..scales import decades, thinned, ticks
from .frames import Frames, whole
from .record import TrainingRecord
from .snapshot import Snapshot

__all__ = ["curves"]

Points = Sequence[tuple[int, float]]  # epochs and values

_WIDTH, _HEIGHT = 400, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 388, 12, 200
_PARTS = 300
_MOST_CROSSES = 20


class _Axis(NamedTuple):
    """The upright axis of a chart.

    Attributes:
        name: of what is drawn.
        height: from 0 to 1, of a value; NaN for one that cannot be drawn.
        marks: what is written at the axis, and at which height.
        missing: what cannot be drawn, in words.
    """

    name: str
    height: Callable[[float], float]
    marks: Sequence[tuple[str, float]]
    missing: str


def curves(record: TrainingRecord, snapshots: Sequence[Snapshot], frames: Frames) -> str:
    """A figure of the loss, linear and logarithmic, and one for each metric."""
    epochs = [s.epoch for s in snapshots]
    figures = [_loss(list(enumerate(record.losses, start=1)), epochs, frames)]
    for name in dict.fromkeys([*record.told, *snapshots[0].metrics]):
        points = (
            list(enumerate(record.told[name], start=1))
            if name in record.told
            else [(s.epoch, s.metrics[name]) for s in snapshots]
        )
        chart = _chart(points, epochs, frames, _linear(points, name))
        figures.append(
            f'<figure class="curve second"><figcaption><bdi>{whole(name)}</bdi></figcaption>'
            f"{chart}</figure>"
        )
    return "".join(figures)


def _loss(points: Points, epochs: Sequence[int], frames: Frames) -> str:
    linear = _chart(points, epochs, frames, _linear(points, "loss"))
    if not any(0 < value < math.inf for _, value in points):
        return f'<figure class="curve"><figcaption>loss</figcaption>{linear}</figure>'
    logarithmic = _chart(points, epochs, frames, _logarithmic(points))
    return (
        '<figure class="curve"><figcaption>loss</figcaption>'
        '<input type="checkbox" id="log" autocomplete="off">'
        '<label for="log">logarithmic</label>'
        f'<div class="linear">{linear}</div><div class="log">{logarithmic}</div></figure>'
    )


def _linear(points: Points, name: str) -> _Axis:
    finite = [value for _, value in points if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if high - low >= 0.2 * low:  # else it is far from 0, and would look flat
        low = min(low, 0.0)
    if name != "loss" and 0.5 < high < 1:  # most metrics are shares
        high = 1.0
    marks = ticks(low, high)
    bottom, top = marks[0], marks[-1]

    def height(value: float) -> float:
        return (value - bottom) / (top - bottom) if math.isfinite(value) else math.nan

    written = [(f"{v:.6g}".replace("e+", "e"), height(v)) for v in marks]
    return _Axis(name, height, written, "not finite")


def _logarithmic(points: Points) -> _Axis:
    positive = [value for _, value in points if 0 < value < math.inf]
    marks = decades(min(positive), max(positive))
    bottom, top = marks[0], marks[-1]

    def height(value: float) -> float:
        inside = 0 < value < math.inf
        return (math.log10(value) - bottom) / (top - bottom) if inside else math.nan

    written = [
        (f"1e{k}" if abs(k) > 3 else f"{10.0**k:g}", (k - bottom) / (top - bottom)) for k in marks
    ]
    return _Axis("loss, logarithmic", height, written, "not finite, or not above 0")


def _chart(points: Points, epochs: Sequence[int], frames: Frames, axis: _Axis) -> str:
    """An SVG of one curve: broken, with a cross, where there is no height."""
    last = max(epochs[-1], 1)
    heights = [axis.height(value) for _, value in points]
    kept = [(points[i][0], heights[i]) for i in thinned(heights, _PARTS)]
    cursor = [f"M{_x(epoch, last):.1f} {_TOP}V{_BOTTOM}" for epoch in epochs]
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{whole(axis.name)} over {last} epochs">',
        *_rules(axis, last),
        f'<path class="line" d="{_line(kept, last)}"/>',
        f'<path class="gap" d="{_crosses(kept, last)}"/>',
        frames.element("path", {"class": "cursor", "d": cursor}),
        "</svg>",
    ]
    if any(map(math.isnan, heights)):
        parts.append(f'<p class="dim">× {axis.missing}</p>')
    return "".join(parts)


def _rules(axis: _Axis, last: int) -> list[str]:
    """A line across for each mark, and epochs below."""
    parts = []
    for text, at in axis.marks:
        parts.append(
            f'<path class="rule" d="M{_LEFT} {_y(at):.1f}H{_RIGHT}"/>'
            f'<text class="tick" x="{_LEFT - 6}" y="{_y(at) + 4:.1f}" text-anchor="end">'
            f"{text}</text>"
        )
    for epoch in sorted({0, last // 2, last}):
        anchor = "end" if epoch == last else "middle"
        parts.append(
            f'<text class="tick" x="{_x(epoch, last):.1f}" y="{_BOTTOM + 18}" '
            f'text-anchor="{anchor}">{epoch}</text>'
        )
    return parts


def _x(epoch: int, last: int) -> float:
    return _LEFT + epoch / last * (_RIGHT - _LEFT)


def _y(height: float) -> float:
    return _BOTTOM - height * (_BOTTOM - _TOP)


def _line(points: Points, last: int) -> str:
    """A path through points; where one has no height, it is interrupted. A lone point is a dot."""
    parts, joined = [], False
    for i, (epoch, height) in enumerate(points):
        if math.isnan(height):
            joined = False
            continue
        parts.append(f"{'L' if joined else 'M'}{_x(epoch, last):.1f} {_y(height):.1f}")
        ends = i + 1 == len(points) or math.isnan(points[i + 1][1])
        if ends and not joined:
            parts.append("h0")
        joined = True
    return "".join(parts)


def _crosses(points: Points, last: int) -> str:
    """Crosses at the bottom, where there is no height; a few stand for many."""
    missing = [epoch for epoch, height in points if math.isnan(height)]
    shown = missing[:: -(-len(missing) // _MOST_CROSSES) or 1]
    return "".join(f"M{_x(e, last) - 3:.1f} {_BOTTOM - 8}l6 6m0-6l-6 6" for e in shown)
