"""Metrics: what people read, as against what gradients need. Plain numbers in and out."""

import numpy as np

from ._typing import Array
from .errors import ShapeError
from .primitives import as_real

__all__ = ["accuracy"]


def accuracy(y_true: Array, y_pred: Array) -> float:
    """The share of samples whose largest score is at the true class.

    Shape: y_true (n,), y_pred (n, classes) -> one number in [0, 1]

    Args:
        y_true: integer labels.
        y_pred: scores of the classes: probabilities or logits.

    Raises:
        ShapeError: the shapes do not belong together, or there are no samples.

    Example:
        >>> from tinygrad_nn.metrics import accuracy
        >>> accuracy([0, 1], [[0.9, 0.1], [0.8, 0.2]])
        0.5
    """
    labels = as_real("accuracy", _values(y_true))
    scores = as_real("accuracy", _values(y_pred))
    if scores.ndim == 0 or labels.shape != scores.shape[:-1] or labels.size == 0:
        raise ShapeError(
            f"accuracy: expected labels (n,) and scores (n, classes) with n > 0; "
            f"got {labels.shape} and {scores.shape}; give one label for each row of scores"
        )
    if scores.shape[-1] < 2:
        raise ShapeError(
            f"accuracy: expected scores of at least 2 classes; got {scores.shape}; for one "
            f"probability p a sample, stack 1 - p and p"
        )
    return float(np.mean(np.argmax(scores, axis=-1) == labels))


def _values(data: Array) -> Array:
    return data.numpy() if hasattr(data, "numpy") else data
