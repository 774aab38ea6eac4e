"""Rows that slide: windows over an array, and the convolutions that are built from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from .._typing import Array, Axis, Shape
from .arrays import as_array
from .primitive import Primitive, Trait, call, d
from .shaping import MOVES
from .table import define, rewrite

__all__ = ["OVERLAP_ADD", "WINDOWS"]


def _overlap_add(a: Array, shape: Shape, axes: Sequence[int]) -> Array:
    """Put windows back where they came from, and add what overlaps."""
    out = np.zeros_like(a, shape=shape)
    places = a.ndim - len(axes)
    expected = list(shape)
    for axis, length in zip(axes, a.shape[places:], strict=True):
        expected[axis] += 1 - length
    if a.shape[:places] != tuple(expected):
        raise ValueError(f"windows of {a.shape[places:]} over {shape} stand at {tuple(expected)}")
    for offset in np.ndindex(a.shape[places:]):
        where = [slice(None)] * places
        for axis, start in zip(axes, offset, strict=True):
            # The number of windows along an axis that is windowed twice shrinks twice.
            begin = where[axis].start or 0
            where[axis] = slice(begin + start, begin + start + a.shape[axis])
        out[tuple(where)] += a[(..., *offset)]
    return out


def _convolve(a: Array, v: Array, full: bool = True) -> Array:
    return np.convolve(a, v, "full" if full else "valid")


def _convolve_left(g: Array, y: Array, a: Array, v: Array, full: bool = True) -> Array:
    return CONVOLVE(g, np.flip(v), full=not full)


def _convolve_right(g: Array, y: Array, a: Array, v: Array, full: bool = True) -> Array:
    if full:
        return CONVOLVE(g, np.flip(a), full=False)
    return np.flip(CONVOLVE(a, np.flip(g), full=False))


# A row is a line of mathematics: see elementwise.py.
# fmt: off

WINDOWS = define(sliding_window_view, "a, seen through each window", MOVES | Trait.VIEW,
       d("each window of g back in its place, overlaps added",
         lambda g, y, x, *, window_shape, axis=None: OVERLAP_ADD(g, shape=x.shape, axes=axis)),
       name="tinygrad_nn.windows", parameters="x window_shape axis",
       calls=(call((7,), window_shape=(3,), axis=(0,)),
              call((4, 5), window_shape=(2, 3), axis=(0, 1)),
              call((2, 3, 6), window_shape=(4,), axis=(2,)),
              call((7,), window_shape=(2, 3), axis=(0, 0))))
OVERLAP_ADD: Primitive = define(_overlap_add, "the windows a in their places, added", MOVES,
       d("g, seen through each window",
         lambda g, y, a, *, shape, axes: WINDOWS(
             g, window_shape=a.shape[len(shape):], axis=axes)),
       name="tinygrad_nn.overlap_add", parameters="a shape axes",
       calls=(call((5, 3), shape=(7,), axes=(0,)), call((3, 3, 2, 3), shape=(4, 5), axes=(0, 1))))
# Valid: only where both overlap entirely, which takes a to be the longer one.
CONVOLVE: Primitive = define(_convolve, "Σₖ aₖ·vₙ₋ₖ", Trait.ANALYTIC,
       d("Σₖ gₙ₊ₖ·vₖ", _convolve_left),
       d("Σₖ gₙ₊ₖ·aₖ", _convolve_right),
       name="tinygrad_nn.convolve", parameters="a v full",
       calls=(call((5,), (3,)), call((2,), (4,)), call((1,), (1,)),
              call((5,), (3,), full=False), call((3,), (3,), full=False)))

# fmt: on


@rewrite(
    "numpy.lib.stride_tricks.sliding_window_view",
    "a, seen through each window",
    call((7,), window_shape=3),
    call((4, 5), window_shape=(2, 3)),
    call((3, 6), window_shape=4, axis=1),
)
def _windows(
    x: Array, window_shape: int | Shape, axis: Axis = None, *, subok: bool = False
) -> Array:
    shape = (window_shape,) if isinstance(window_shape, (int, np.integer)) else window_shape
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim, "axis", True)
    return WINDOWS(x, window_shape=tuple(map(int, shape)), axis=axes)


_MODES: dict[Any, str] = {0: "valid", 1: "same", 2: "full"}  # as NumPy numbers them


def _lines(a: Array, v: Array) -> tuple[Array, Array]:
    a, v = np.atleast_1d(as_array(a)), np.atleast_1d(as_array(v))
    if a.ndim > 1 or v.ndim > 1:
        raise ValueError("convolutions are of one-dimensional arrays; use sliding_window_view")
    return a, v


def _trimmed(full: Array, n: int, m: int, mode: str) -> Array:
    """What a mode keeps of a full convolution of lengths n and m."""
    if mode == "full":
        return full
    long, short = max(n, m), min(n, m)
    if mode == "same":
        start = (short - 1) // 2
        return full[start : start + long]
    if mode == "valid":
        return full[short - 1 : long]
    raise ValueError(f"mode must be 'full', 'same' or 'valid', not {mode!r}")


@rewrite(
    "numpy.convolve",
    "Σₖ aₖ·vₙ₋ₖ",
    *(call((5,), (3,), mode=mode) for mode in ("full", "same", "valid")),
    call((2,), (5,), mode="same"),
)
def _convolve_mode(a: Array, v: Array, mode: Any = "full") -> Array:
    a, v = _lines(a, v)
    mode = _MODES.get(mode, mode)
    return _trimmed(CONVOLVE(a, v), a.shape[0], v.shape[0], mode)


@rewrite(
    "numpy.correlate",
    "Σₖ aₙ₊ₖ·vₖ",
    *(call((5,), (3,), mode=mode) for mode in ("full", "same", "valid")),
    call((2,), (5,), mode="same"),
    call((2,), (5,), mode="valid"),
)
def _correlate(a: Array, v: Array, mode: str = "valid") -> Array:
    a, v = _lines(a, v)
    n, m = a.shape[0], v.shape[0]
    full = CONVOLVE(a, np.flip(v))
    if mode == "same" and m > n:  # NumPy swaps the two, and counts from the other end
        start = n + m - 1 - (min(n, m) - 1) // 2 - max(n, m)
        return full[start : start + max(n, m)]
    return _trimmed(full, n, m, mode)
