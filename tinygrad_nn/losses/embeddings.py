"""Losses for embeddings: how far apart vectors are that should, or should not, be close."""

import numpy as np

from .._scope import scoped
from .._typing import Array
from ..errors import ShapeError
from ..primitives import as_real, relu
from .checks import alike, check_targets, number, reduced

__all__ = ["contrastive", "triplet"]


@scoped
def contrastive(
    y_true: Array, left: Array, right: Array, margin: float = 1.0, reduction: str = "mean"
) -> Array:
    """The contrastive loss, y·d² + (1 − y)·max(m − d, 0)², of the distance d between two vectors.

    Similar pairs (y = 1) are pulled together; others are pushed apart until their distance is
    the margin. At d = 0 a pair that differs gets the subgradient 0.

    Shape: y_true (...), left (..., features), right (..., features) -> () or, with "none", (...)

    Args:
        y_true: 1 for similar pairs, 0 for others.
        margin: m ≥ 0, in the units of the distance.

    Raises:
        ShapeError: the shapes do not belong together, or there are no elements.
        ValueRangeError: y_true outside [0, 1].
        ArgumentError: a negative margin, or an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import contrastive
        >>> float(contrastive([0], [[0.0, 0.0]], [[0.0, 0.5]]))
        0.25

    Reference: [Hadsell2006], without its factors ½ and with y the other way round.
    """
    where = "contrastive"
    margin = number(where, "margin", margin, positive=False)
    left, right = alike(where, left, right, last="features", remedy="give pairs of vectors")
    y_true = as_real(where, y_true).astype(left.dtype)
    if y_true.shape != left.shape[:-1]:
        raise ShapeError(
            f"{where}: expected labels of shape {left.shape[:-1]}; got {y_true.shape}; "
            f"give one for each pair"
        )
    check_targets(where, y_true, "1 for similar pairs and 0 for others")
    difference = left - right
    squared = np.sum(np.square(difference), axis=-1)  # not the distance squared: it has a kink
    apart = relu(margin - np.linalg.norm(difference, axis=-1))
    return reduced(where, y_true * squared + (1 - y_true) * np.square(apart), reduction)


@scoped
def triplet(
    anchor: Array, positive: Array, negative: Array, margin: float = 1.0, reduction: str = "mean"
) -> Array:
    """The triplet loss, max(d(a, p) − d(a, n) + m, 0), with Euclidean distances d.

    It is zero once the negative is further from the anchor than the positive by the margin.

    Shape: anchor, positive, negative (..., features) -> () or, with "none", (...)

    Args:
        margin: m ≥ 0, in the units of the distance.

    Raises:
        ShapeError: the shapes differ, or there are no elements.
        ArgumentError: a negative margin, or an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import triplet
        >>> float(triplet([[0.0, 0.0]], [[0.0, 1.0]], [[0.0, 1.5]]))
        0.5

    Reference: [Schroff2015], with plain instead of squared distances.
    """
    where = "triplet"
    margin = number(where, "margin", margin, positive=False)
    remedy = "give three vectors for each sample"
    anchor, positive, negative = alike(
        where, anchor, positive, negative, last="features", remedy=remedy
    )
    near = np.linalg.norm(anchor - positive, axis=-1)  # (..., features) -> (...)
    far = np.linalg.norm(anchor - negative, axis=-1)
    return reduced(where, relu(near - far + margin), reduction)
