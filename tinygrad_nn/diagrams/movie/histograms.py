"""Histograms: what a snapshot keeps of an array, however large it is."""

from typing import NamedTuple

import numpy as np

from ..._typing import Array

__all__ = ["BINS", "Histogram", "histogram", "magnitudes"]

BINS = 24
_HUGE = 1e300  # beyond it a range has no width that is a number


class Histogram(NamedTuple):
    """How numbers are spread.

    Attributes:
        low: where the first bin begins.
        high: where the last one ends.
        counts: how many numbers are in each bin, all of one width. There is one bin, without any
            width, if all numbers are equal, and none if there are no numbers.
        size: how many numbers there are, with those that are in no bin.
        zeros: how many of them are 0.
        nonfinite: how many are infinite or NaN.
        mean: of those that are finite.
        norm: the square root of the sum of their squares.
    """

    low: float
    high: float
    counts: tuple[int, ...]
    size: int
    zeros: int
    nonfinite: int
    mean: float
    norm: float


def histogram(values: Array) -> Histogram:
    """The histogram of the finite numbers in an array, from the least to the largest."""
    numbers = np.asarray(values, dtype=np.float64).ravel()
    return _histogram(numbers, numbers)


def magnitudes(values: Array) -> Histogram:
    """The same of log₁₀ |v|, for numbers of very different sizes; a zero is in no bin.

    The mean and the norm are those of the numbers themselves.
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    return _histogram(numbers, np.log10(np.abs(numbers[numbers != 0])))


def _histogram(numbers: Array, placed: Array) -> Histogram:
    finite = numbers[np.isfinite(numbers)]
    placed = np.clip(placed[np.isfinite(placed)], -_HUGE, _HUGE)
    low, high = (float(placed.min()), float(placed.max())) if placed.size else (0.0, 0.0)
    try:
        counts = np.histogram(placed, BINS)[0].tolist() if low < high else [placed.size]
    except ValueError:  # there are not so many numbers between these two
        counts = [placed.size]
    return Histogram(
        low=low,
        high=high,
        counts=tuple(counts) if placed.size else (),
        size=numbers.size,
        zeros=int(np.count_nonzero(numbers == 0)),
        nonfinite=numbers.size - finite.size,
        mean=float(np.mean(finite)) if finite.size else float("nan"),
        norm=float(np.linalg.norm(finite)),
    )
