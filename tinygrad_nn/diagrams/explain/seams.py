"""Kinks of a function that nothing declares: where the slopes to either side differ.

The derivative is compared from point to point. Where it jumps, the place is narrowed down by
halving, and what the derivative is taken to be there is evaluated.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ...autograd import elementwise_grad
from ..labels import number

__all__ = ["seams_in_words"]

_REACH, _CELLS = 4.0, 320  # an even number, so that 0 is a point
_NEAR = 1e-7
_STEEP = 0.05  # a jump of the slope that no bend makes within a cell
_MOST = 4


def seams_in_words(f: Callable[..., Any], name: str) -> tuple[str, ...]:
    """Where an elementwise function has kinks near zero, and what is taken there.

    Args:
        f: the function.
        name: what its argument is called.
    """
    slope = elementwise_grad(f)
    xs = np.linspace(-_REACH, _REACH, _CELLS + 1)
    with np.errstate(all="ignore"):
        cells = zip(pairwise(xs.tolist()), pairwise(slope(xs).tolist()), strict=True)
        near = [(a, b) for (a, b), (one, other) in cells if _differ(one, other)]
        places = [place for a, b in near if (place := _seam(slope, a, b)) is not None]
        distinct = sorted({round(p, 6) + 0.0 for p in places})
        told = [_told(f, slope, p, f"{name} = {number(p)}") for p in distinct[:_MOST]]
    return (*told, *(["…"] if len(distinct) > _MOST else []))


def _differ(one: float, other: float) -> bool:
    """Whether two slopes differ by more than a bend makes within a cell."""
    return abs(one - other) > _STEEP * max(abs(one), abs(other), 0.1)


def _seam(slope: Callable[[Any], Any], low: float, high: float) -> float | None:
    """Where the slope jumps between two points; None where it only bends."""
    while high - low > _NEAR:
        middle = (low + high) / 2
        left, here, right = slope(np.array([low, middle, high])).tolist()
        if _differ(left, here):
            high = middle
        elif _differ(here, right):
            low = middle
        else:
            return None
    return (low + high) / 2


def _told(f: Callable[..., Any], slope: Callable[[Any], Any], place: float, where: str) -> str:
    points = np.array([place - 1e-6, place, place + 1e-6])
    left, here, right = (float(v) for v in slope(points))
    values = np.asarray(f(points), dtype=np.float64)
    taken = f"at {where} the derivative is taken to be {number(here)}"
    if abs(values[2] - values[0]) > 1e-3:
        return f"a jump at {where}; {taken}"
    return (f"a kink at {where}: slope {number(left)} to the left, {number(right)} to the "
            f"right; {taken}")  # fmt: skip
