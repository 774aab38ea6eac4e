"""Losses for embeddings: how far apart vectors are that should, or should not, be close."""

import math

import numpy as np

from .._typing import Array
from ..errors import ArgumentError, ShapeError
from ..primitives import as_array, relu
from .checks import alike, check_unit_interval, reduced

__all__ = ["contrastive", "triplet"]


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
    _check_margin("contrastive", margin)
    left, right = alike("contrastive", left, right, last="features")
    y_true = as_array(y_true)
    if y_true.shape != left.shape[:-1]:
        raise ShapeError(
            f"contrastive: expected one label for each pair, of shape {left.shape[:-1]}; got "
            f"{y_true.shape}"
        )
    y_true = y_true.astype(left.dtype)
    check_unit_interval("contrastive: y_true", y_true, "1 for similar and 0 for other pairs")
    distance = _distance(left, right)
    apart = relu(margin - distance)
    return reduced(y_true * np.square(distance) + (1 - y_true) * np.square(apart), reduction)


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
    _check_margin("triplet", margin)
    anchor, positive = alike("triplet", anchor, positive, last="features")
    anchor, negative = alike("triplet", anchor, negative, last="features")
    gap = _distance(anchor, positive) - _distance(anchor, negative) + margin
    return reduced(relu(gap), reduction)


def _distance(a: Array, b: Array) -> Array:
    return np.linalg.norm(a - b, axis=-1)  # (..., features) -> (...)


def _check_margin(where: str, margin: float) -> None:
    if not (margin >= 0 and math.isfinite(margin)):
        raise ArgumentError(f"{where}: expected a finite margin of at least 0; got {margin!r}")
