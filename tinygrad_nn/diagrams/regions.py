"""Decision regions: what a model says at each point of a grid over the plane."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .._typing import Array

__all__ = ["Box", "box_around", "grid_points", "outlines"]


class Box(NamedTuple):
    """A rectangle of the plane."""

    left: float
    right: float
    bottom: float
    top: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point is in it, each from 0 to 1; the second counts down from the top."""
        return (x - self.left) / (self.right - self.left), (self.top - y) / (self.top - self.bottom)


def box_around(points: Array) -> Box:
    """A box with some room around points (n, 2); those that are not finite count for nothing."""
    sides: list[float] = []
    for axis in np.asarray(points, dtype=np.float64).T:
        finite = axis[np.isfinite(axis)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        room = 0.06 * (high - low) or max(1.0, 0.06 * abs(low))
        sides += [low - room, high + room]
    return Box(*sides)


def grid_points(box: Box, cells: int) -> Array:
    """The centres of cells × cells squares, row by row from the top: (cells², 2)."""
    across = (np.arange(cells) + 0.5) / cells
    x, y = np.meshgrid(
        box.left + across * (box.right - box.left), box.top + across * (box.bottom - box.top)
    )
    return np.stack([x.ravel(), y.ravel()], axis=1)


def outlines(kinds: Array, count: int) -> list[str]:
    """For each kind from 0 to count − 1, the cells (rows, columns) of it as an SVG path.

    Cells have sides of 1. Neighbours in a row are one rectangle. A negative kind is on no path.
    """
    paths: list[list[str]] = [[] for _ in range(count)]
    for row, line in enumerate(kinds):
        for start, stop in _runs(line):
            if line[start] >= 0:
                width = stop - start
                paths[line[start]].append(f"M{start} {row}h{width}v1h-{width}z")
    return ["".join(path) for path in paths]


def _runs(line: Array) -> Sequence[tuple[int, int]]:
    """Where neighbours are equal: start and stop of each run, so that one rectangle serves."""
    edges = [0, *(np.flatnonzero(np.diff(line)) + 1).tolist(), len(line)]
    return list(pairwise(edges))
