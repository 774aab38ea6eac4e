"""Plots as SVG: decision regions of a classifier, and curves over epochs."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from .._svg import SIDE, TEXT, bottom_axis, curve, document, left_axis, title
from .._typing import Array
from .regions import box_around, grid_points, outlines
from .scales import thinned, ticks

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
    box = box_around(X)
    scores = predict(grid_points(box, _CELLS).astype(X.dtype))
    classes = np.argmax(scores, axis=1).reshape(_CELLS, _CELLS)
    parts = [title("Decision regions")]
    for kind, path in enumerate(outlines(classes, scores.shape[1])):
        parts.append(
            f'<path d="{path}" transform="scale({SIDE / _CELLS:.6g})" '
            f'fill="{_REGIONS[kind % len(_REGIONS)]}" shape-rendering="crispEdges"/>'
        )
    for point, label in zip(X, y, strict=True):
        cx, cy = box.place(*point)
        colour = _POINTS[int(label) % len(_POINTS)]
        parts.append(
            f'<circle cx="{cx * SIDE:.1f}" cy="{cy * SIDE:.1f}" r="3" fill="{colour}" '
            f'stroke="#fff" stroke-width="0.6"/>'
        )
    across = [(f"{v:g}", box.place(v, 0)[0]) for v in ticks(box.left, box.right)]
    up = [(f"{v:g}", 1 - box.place(0, v)[1]) for v in ticks(box.bottom, box.top)]
    return [*parts, *bottom_axis("x₁", _inside(across)), *left_axis("x₂", _inside(up))]


def _inside(marks: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    return [(text, at) for text, at in marks if 0 <= at <= 1]


def _curves(losses: Sequence[float], accuracies: Sequence[float]) -> list[str]:
    heights = ticks(0.0, max((v for v in losses if math.isfinite(v)), default=1.0) or 1.0)
    top = heights[-1]
    blue, orange = _POINTS[0], _POINTS[1]
    return [
        title("Learning"),
        curve(_over_epochs([v / top for v in losses]), blue),
        curve(_over_epochs(accuracies), orange),
        *bottom_axis("epoch", [(f"{f * len(losses):g}", f) for f in (0.0, 0.5, 1.0)]),
        *left_axis("loss", [(f"{v:g}", v / top) for v in heights], blue),
        *(
            f'<text x="{SIDE + 6}" y="{(1 - f) * SIDE + 4}" font-size="12" {TEXT}>{f:g}</text>'
            for f in (0.0, 0.25, 0.5, 0.75, 1.0)
        ),
        f'<text transform="translate({SIDE + 44},{SIDE / 2}) rotate(90)" text-anchor="middle" '
        f'font-size="13" font-family="Helvetica, Arial, sans-serif" fill="{orange}">'
        "accuracy</text>",
    ]


def _over_epochs(heights: Sequence[float]) -> Iterator[tuple[float, float]]:
    """A curve over the panel's width; heights in [0, 1]. A few points a pixel at most."""
    last = max(1, len(heights) - 1)
    for i in thinned(heights, SIDE // 2):
        yield i / last, heights[i]
