"""What a model's outputs mean: scores of classes, yes or no, or values."""

from collections.abc import Callable

import numpy as np

from ..._typing import Array

__all__ = ["Classes", "Values", "YesOrNo", "find_outputs", "plain"]


class Classes:
    """One score for each class; the largest decides.

    Attributes:
        truth: the class of each sample.
        count: how many classes there are.
    """

    def __init__(self, truth: Array, count: int) -> None:
        self.truth = truth
        self.count = count

    def decided(self, outputs: Array) -> Array:
        """The class of each sample; −1 where a score is NaN."""
        classes = np.argmax(outputs, axis=-1)
        return np.where(np.any(np.isnan(outputs), axis=-1), -1, classes)


class YesOrNo(Classes):
    """One output for each sample: class 1 above a threshold, class 0 below it."""

    def __init__(self, truth: Array, threshold: float) -> None:
        super().__init__(truth, 2)
        self.threshold = threshold

    def decided(self, outputs: Array) -> Array:
        """The class of each sample; −1 where the output is NaN."""
        flat = outputs.reshape(-1)
        return np.where(np.isnan(flat), -1, flat > self.threshold)


class Values:
    """Numbers that are to be near the true ones.

    Attributes:
        truth: the true values.
    """

    count = 0

    def __init__(self, truth: Array) -> None:
        self.truth = truth

    def decided(self, outputs: Array) -> Array:
        """The values themselves, in one row if there is one for each sample."""
        return outputs.reshape(-1) if outputs.size == len(outputs) else outputs


def find_outputs(
    y: Array, outputs: Array, loss: Callable[[Array, Array], Array]
) -> Classes | Values:
    """What outputs mean, by the truth that they are compared with.

    Integer labels or one-hot rows beside several scores are classes. Zeros and ones beside single
    outputs are yes or no. Everything else is values.
    """
    several = outputs.ndim == 2 and outputs.shape[1] > 1
    if several and y.shape == outputs.shape[:1] and y.dtype.kind in "iub":
        return Classes(y.astype(np.int64), outputs.shape[1])
    only_bits = bool(np.all((y == 0) | (y == 1)))
    if several and y.shape == outputs.shape and only_bits and np.all(np.sum(y, axis=1) == 1):
        return Classes(np.argmax(y, axis=1), outputs.shape[1])
    if outputs.ndim and outputs.size == len(outputs) == y.size and only_bits:
        return YesOrNo(y.reshape(-1).astype(np.int64), _threshold(y, outputs, loss))
    return Values(y)


def _threshold(y: Array, outputs: Array, loss: Callable[[Array, Array], Array]) -> float:
    """Where yes and no cost the same: at 0 for logits, and at one half for probabilities."""

    def preference(at: float) -> float:
        here = np.full_like(outputs, at)
        return abs(float(plain(loss(np.ones_like(y), here)) - plain(loss(np.zeros_like(y), here))))

    return min((0.5, 0.0), key=preference)


def plain(data: Array) -> Array:
    """The value of a Tensor, or an array, as an ndarray."""
    return np.asarray(data.numpy() if hasattr(data, "numpy") else data)
