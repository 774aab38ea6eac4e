"""The curves of a run: loss and metrics over the epochs, with a cursor at the frame's epoch."""

import math
from collections.abc import Callable, Sequence

from ..scales import decades, thinned, ticks
from .frames import Frames, number, whole
from .record import TrainingRecord
from .snapshot import Snapshot

__all__ = ["curves"]

Points = Sequence[tuple[int, float]]  # epochs and values

_WIDTH, _HEIGHT = 400, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 388, 12, 200
_PARTS = 300


def curves(record: TrainingRecord, snapshots: Sequence[Snapshot], frames: Frames) -> str:
    """A figure of the loss, linear and logarithmic, and one for each metric."""
    losses = list(enumerate(record.losses, start=1))
    figures = [_loss(losses, [s.epoch for s in snapshots], frames)]
    for name in dict.fromkeys([*record.told, *snapshots[0].metrics]):
        told = record.told.get(name)
        points = (
            [(s.epoch, s.metrics[name]) for s in snapshots]
            if told is None
            else list(enumerate(told, start=1))
        )
        chart = _linear(points, [s.epoch for s in snapshots], frames, name)
        figures.append(
            f'<figure class="curve second"><figcaption><bdi>{whole(name)}</bdi></figcaption>'
            f"{chart}</figure>"
        )
    return "".join(figures)


def _loss(points: Points, epochs: Sequence[int], frames: Frames) -> str:
    linear = _linear(points, epochs, frames, "loss")
    if not any(0 < value < math.inf for _, value in points):
        return f'<figure class="curve"><figcaption>loss</figcaption>{linear}</figure>'
    logarithmic = _logarithmic(points, epochs, frames)
    return (
        '<figure class="curve"><figcaption>loss</figcaption>'
        '<input type="checkbox" id="log" autocomplete="off">'
        '<label for="log">logarithmic</label>'
        f'<div class="linear">{linear}</div><div class="log">{logarithmic}</div></figure>'
    )


def _linear(points: Points, epochs: Sequence[int], frames: Frames, name: str) -> str:
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

    shown = [(number(round(v, 12)), height(v)) for v in marks]
    return _chart(points, epochs, frames, name, height, shown)


def _logarithmic(points: Points, epochs: Sequence[int], frames: Frames) -> str:
    positive = [value for _, value in points if 0 < value < math.inf]
    marks = decades(min(positive), max(positive))
    bottom, top = marks[0], marks[-1]

    def height(value: float) -> float:
        inside = 0 < value < math.inf
        return (math.log10(value) - bottom) / (top - bottom) if inside else math.nan

    shown = [(f"1e{k}" if abs(k) > 3 else f"{10.0**k:g}", height(10.0**k)) for k in marks]
    return _chart(points, epochs, frames, "loss, logarithmic", height, shown)


def _chart(
    points: Points,
    epochs: Sequence[int],
    frames: Frames,
    name: str,
    height: Callable[[float], float],
    marks: Sequence[tuple[str, float]],
) -> str:
    """An SVG of one curve: broken, with a cross, where there is no height."""
    last = max(epochs[-1], 1)
    heights = [height(value) for _, value in points]
    kept = [(points[i][0], heights[i]) for i in thinned(heights, _PARTS)]
    across = sorted({0, last // 2, last})
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{whole(name)} over {last} epochs">'
    ]
    for text, at in marks:
        y = _y(at)
        parts.append(
            f'<path class="rule" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>'
            f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        )
    for epoch in across:
        parts.append(
            f'<text class="tick" x="{_x(epoch, last):.1f}" y="{_BOTTOM + 18}" '
            f'text-anchor="{"end" if epoch == last else "middle"}">{epoch}</text>'
        )
    parts += [
        f'<path class="line" d="{_line(kept, last)}"/>',
        f'<path class="gap" d="{_gaps(kept, last)}"/>',
        frames.element(
            "path",
            {
                "class": "cursor",
                "d": [f"M{_x(epoch, last):.1f} {_TOP}V{_BOTTOM}" for epoch in epochs],
            },
        ),
        "</svg>",
    ]
    if any(math.isnan(at) for at in heights):
        parts.append('<p class="dim">× not finite, or not above 0 on a logarithmic scale</p>')
    return "".join(parts)


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
        alone = i + 1 == len(points) or math.isnan(points[i + 1][1])
        if alone and not joined:
            parts.append("h0")
        joined = True
    return "".join(parts)


def _gaps(points: Points, last: int) -> str:
    """Crosses at the bottom, where there is no height; the first of each gap, and few at most."""
    missing = [epoch for epoch, height in points if math.isnan(height)]
    crosses = missing[:: max(1, len(missing) // 20)]
    return "".join(f"M{_x(e, last) - 3:.1f} {_BOTTOM - 8}l6 6m0-6l-6 6" for e in crosses)
