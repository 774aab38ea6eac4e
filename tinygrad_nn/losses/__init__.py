"""Loss functions, each one plain function of NumPy calls: how far a prediction is from the truth.

All take the truth first. ``reduction="mean"`` averages the losses, ``"sum"`` adds them, and
``"none"`` returns them: one an element for the elementwise losses, one a sample for those over
classes or vectors, which take the last axis.
"""

from .classification import (
    binary_cross_entropy,
    categorical_cross_entropy,
    kl_divergence,
    sparse_categorical_cross_entropy,
)
from .embeddings import contrastive, triplet
from .regression import huber, mean_absolute_error, mean_squared_error

__all__ = [
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "contrastive",
    "huber",
    "kl_divergence",
    "mean_absolute_error",
    "mean_squared_error",
    "sparse_categorical_cross_entropy",
    "triplet",
]
