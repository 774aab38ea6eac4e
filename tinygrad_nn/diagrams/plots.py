"""Plots as SVG: decision regions of a classifier, and curves over epochs."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from .._svg import SIDE, TEXT, bottom_axis, curve, document, left_axis, title
from .._typing import Array

__all__ = ["training_picture"]

# Okabe and Ito's palette: a light tone for regions, a strong one for points.
_REGIONS = ("#d6eaf8", "#fdebd0", "#d5f0e3", "#f3dcea", "#f7f3cf", "#e0e0e0")
_POINTS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8a600", "#555555")
_GAP, _TOP, _LEFT = 90, 50, 60
_CELLS = 120


def training_picture(
    X: Array,
    y: Array,
    predict: Callable[[Array], Array],
    losses: Sequence[float],
    accuracies: Sequence[float],
) -> str:
    """An SVG of two panels: where a model puts each class, and how it learned.

    Args:
        X: points (n, 2).
        y: integer labels (n,).
        predict: from points (m, 2) to scores (m, classes).
        losses: the loss after each epoch.
        accuracies: the accuracy after each epoch, in [0, 1].
    """
    parts = [
        f'<g transform="translate({_LEFT},{_TOP})">',
        *_regions(X, y, predict),
        f'</g><g transform="translate({_LEFT + SIDE + _GAP},{_TOP})">',
        *_curves(losses, accuracies),
        "</g>",
    ]
    about = "Decision regions, and loss and accuracy over the epochs"
    return document(_LEFT + 2 * SIDE + _GAP + 60, _TOP + SIDE + 60, about, parts)


def _regions(X: Array, y: Array, predict: Callable[[Array], Array]) -> list[str]:
    reach = 1.1 * float(np.max(np.abs(X)))
    ticks = (np.arange(_CELLS) + 0.5) / _CELLS * 2 * reach - reach
    columns, rows = np.meshgrid(ticks, -ticks)  # the first row is at the top
    grid = np.stack([columns.ravel(), rows.ravel()], axis=1)  # (cells², 2)
    classes = np.argmax(predict(grid.astype(X.dtype)), axis=1).reshape(_CELLS, _CELLS)
    parts = [title("Decision regions")]
    cell = SIDE / _CELLS
    for row, line in enumerate(classes):
        for start, stop in _runs(line):
            parts.append(
                f'<rect x="{start * cell:.2f}" y="{row * cell:.2f}" '
                f'width="{(stop - start) * cell + 0.3:.2f}" height="{cell + 0.3:.2f}" '
                f'fill="{_REGIONS[line[start] % len(_REGIONS)]}"/>'
            )
    for (px, py), label in zip(X, y, strict=True):
        cx, cy = (px + reach) / (2 * reach) * SIDE, (reach - py) / (2 * reach) * SIDE
        colour = _POINTS[int(label) % len(_POINTS)]
        parts.append(
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="3" fill="{colour}" stroke="#fff" '
            f'stroke-width="0.6"/>'
        )
    marks = [(f"{v:g}", (v + reach) / (2 * reach)) for v in (-1.0, 0.0, 1.0) if abs(v) <= reach]
    return [*parts, *bottom_axis("x₁", marks), *left_axis("x₂", marks)]


def _runs(line: Array) -> list[tuple[int, int]]:
    """Where neighbours are equal: start and stop of each run, so that one rectangle serves."""
    edges = [0, *(np.flatnonzero(np.diff(line)) + 1).tolist(), len(line)]
    return list(pairwise(edges))


def _curves(losses: Sequence[float], accuracies: Sequence[float]) -> list[str]:
    top = _round_top(max((v for v in losses if math.isfinite(v)), default=1.0))
    blue, orange = _POINTS[0], _POINTS[1]
    fractions = (0.0, 0.25, 0.5, 0.75, 1.0)
    return [
        title("Learning"),
        curve(_over_epochs([v / top for v in losses]), blue),
        curve(_over_epochs(accuracies), orange),
        *bottom_axis("epoch", [(f"{f * len(losses):g}", f) for f in (0.0, 0.5, 1.0)]),
        *left_axis("loss", [(f"{f * top:.2g}", f) for f in fractions], blue),
        *(
            f'<text x="{SIDE + 6}" y="{(1 - f) * SIDE + 4}" font-size="12" {TEXT}>{f:g}</text>'
            for f in fractions
        ),
        f'<text transform="translate({SIDE + 44},{SIDE / 2}) rotate(90)" text-anchor="middle" '
        f'font-size="13" font-family="Helvetica, Arial, sans-serif" fill="{orange}">'
        "accuracy</text>",
    ]


def _round_top(value: float) -> float:
    """The least number at or above a value whose quarters are short to write."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(m * unit for m in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if value <= m * unit)


def _over_epochs(heights: Sequence[float]) -> Iterator[tuple[float, float]]:
    """A curve over the panel's width; heights in [0, 1]. At most two points a pixel."""
    step = max(1, len(heights) // (2 * SIDE))
    last = max(1, len(heights) - 1)
    for i in range(0, len(heights), step):
        yield i / last, heights[i]
