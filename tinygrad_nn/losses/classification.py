"""Losses for classification: how far probabilities are from what happened."""

import numpy as np

from .._scope import scoped
from .._typing import Array
from ..activations import log_softmax
from ..errors import DtypeError, ShapeError
from ..primitives import as_numbers, as_real, ensure_within, stop_gradient
from .checks import (
    alike,
    check_filled,
    check_flag,
    check_probabilities,
    check_targets,
    reduced,
)

__all__ = [
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "kl_divergence",
    "sparse_categorical_cross_entropy",
]


@scoped
def binary_cross_entropy(
    y_true: Array, y_pred: Array, from_logits: bool = False, reduction: str = "mean"
) -> Array:
    """The cross entropy of yes or no, −[y·ln p + (1 − y)·ln(1 − p)].

    Its gradient is (p − y) / (p·(1 − p)) by the probability p, and σ(z) − y by the logit z.
    Probabilities of exactly 0 and 1 give a finite loss and a finite gradient that points the
    right way; from logits it is exact however large they are.

    Shape: y_true (...), y_pred (...) -> () or, with "none", (...)

    Args:
        y_true: targets in [0, 1].
        y_pred: probabilities p, or logits z with p = σ(z).
        from_logits: whether y_pred are logits.

    Raises:
        ShapeError: the shapes differ, or there are no elements.
        ValueRangeError: targets or probabilities outside [0, 1], or NaN.
        DtypeError: data that are not real numbers.
        ArgumentError: an unknown reduction, or from_logits that is no truth value.

    Example:
        >>> from tinygrad_nn.losses import binary_cross_entropy
        >>> round(float(binary_cross_entropy([1.0], [0.5])), 4)
        0.6931

    Reference: [Goodfellow2016] section 6.2.2.2.
    """
    where = "binary_cross_entropy"
    check_flag(where, from_logits)
    y_true, y_pred = alike(where, y_true, y_pred)
    check_targets(where, y_true, "targets")
    if not from_logits:
        check_probabilities(where, y_pred)
        losses = -(y_true * _log(y_pred) + (1 - y_true) * _log_of_complement(y_pred))
        return reduced(where, losses, reduction)
    # ln(1 + eᶻ) − y·z with z split off, so that a right and certain logit leaves no rounding:
    # ([z ≥ 0] − y)·z + ln(1 + e^−|z|). Each branch is the whole function, as in softplus.
    positive = y_pred >= 0
    weight = positive.astype(y_pred.dtype) - y_true
    certain = (weight == 0) & np.isinf(y_pred)  # 0·∞ = 0: an infinite logit that is right
    e = np.exp(np.where(positive, -y_pred, y_pred))
    return reduced(where, weight * np.where(certain, 0, y_pred) + np.log1p(e), reduction)


@scoped
def categorical_cross_entropy(
    y_true: Array, y_pred: Array, from_logits: bool = False, reduction: str = "mean"
) -> Array:
    """The cross entropy of one class of many, −Σᵢ yᵢ·ln pᵢ over the last axis.

    Its gradient is −y / p by the probabilities, and softmax(z)·Σ y − y by the logits. Classes
    with y = 0 count for nothing, even at p = 0 or z = −∞.

    Shape: y_true (..., classes), y_pred (..., classes) -> () or, with "none", (...)

    Args:
        y_true: one-hot targets, or a distribution over the classes.
        y_pred: probabilities p, or logits z with p = softmax(z).
        from_logits: whether y_pred are logits.

    Raises:
        ShapeError: the shapes differ, there is no class axis, or there are no elements.
        ValueRangeError: targets or probabilities outside [0, 1], or NaN.
        DtypeError: data that are not real numbers.
        ArgumentError: an unknown reduction, or from_logits that is no truth value.

    Example:
        >>> from tinygrad_nn.losses import categorical_cross_entropy
        >>> round(float(categorical_cross_entropy([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931

    Reference: [Goodfellow2016] section 6.2.2.3.
    """
    where = "categorical_cross_entropy"
    check_flag(where, from_logits)
    remedy = "for integer labels use sparse_categorical_cross_entropy"
    y_true, y_pred = alike(where, y_true, y_pred, last="classes", remedy=remedy)
    check_targets(where, y_true, "one-hot targets")
    if not from_logits:
        check_probabilities(where, y_pred)
        return reduced(where, -np.sum(y_true * _log(y_pred), axis=-1), reduction)
    log_p = log_softmax(y_pred)
    impossible = (y_true == 0) & np.isinf(log_p)  # 0·∞ = 0: a class that nobody asks for
    losses = -np.sum(y_true * np.where(impossible, 0, log_p), axis=-1)
    return reduced(where, losses, reduction)


@scoped
def sparse_categorical_cross_entropy(
    y_true: Array, y_pred: Array, from_logits: bool = False, reduction: str = "mean"
) -> Array:
    """The categorical cross entropy for integer labels: −ln p of the true class.

    Shape: y_true (...), y_pred (..., classes) -> () or, with "none", (...)

    Args:
        y_true: integer labels, 0 ≤ label < classes.
        y_pred: probabilities p, or logits z with p = softmax(z).
        from_logits: whether y_pred are logits.

    Raises:
        ShapeError: the labels' shape is not y_pred's without its last axis, or is empty.
        DtypeError: labels that are not integers, or predictions that are not numbers.
        ValueRangeError: labels outside 0 … classes − 1, or probabilities outside [0, 1].
        ArgumentError: an unknown reduction, or from_logits that is no truth value.

    Example:
        >>> from tinygrad_nn.losses import sparse_categorical_cross_entropy
        >>> round(float(sparse_categorical_cross_entropy([1], [[0.5, 0.5]])), 4)
        0.6931

    Reference: [Goodfellow2016] section 6.2.2.3.
    """
    where = "sparse_categorical_cross_entropy"
    check_flag(where, from_logits)
    y_pred = as_real(where, y_pred)
    labels = _labels(where, y_true, y_pred)
    if not from_logits:
        check_probabilities(where, y_pred)
    table = log_softmax(y_pred) if from_logits else y_pred
    places = [
        np.arange(n).reshape(-1, *(1,) * (labels.ndim - 1 - i)) for i, n in enumerate(labels.shape)
    ]
    own = table[(*places, labels)]  # (..., classes) -> (...): the entry of each sample's own label
    return reduced(where, -(own if from_logits else _log(own)), reduction)


@scoped
def kl_divergence(y_true: Array, y_pred: Array, reduction: str = "mean") -> Array:
    """The Kullback–Leibler divergence, Σᵢ yᵢ·ln(yᵢ / pᵢ) over the last axis.

    Its gradient is −y / p by the prediction. Terms with y = 0 are 0, and p = 0 gives a finite
    loss and gradient.

    Shape: y_true (..., n), y_pred (..., n) -> () or, with "none", (...)

    Raises:
        ShapeError: the shapes differ, there is no last axis, or there are no elements.
        ValueRangeError: probabilities outside [0, 1], or NaN.
        DtypeError: data that are not real numbers.
        ArgumentError: an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import kl_divergence
        >>> round(float(kl_divergence([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931

    Reference: [Kullback1951].
    """
    where = "kl_divergence"
    y_true, y_pred = alike(where, y_true, y_pred, last="probabilities")
    check_targets(where, y_true, "probabilities")
    check_probabilities(where, y_pred, remedy="apply softmax first")
    return reduced(where, np.sum(y_true * (_log(y_true) - _log(y_pred)), axis=-1), reduction)


def _log(p: Array) -> Array:
    """The logarithm of a probability, finite at p = 0.

    Any p that is a normal number is taken as it is. The floor below leaves room above its
    reciprocal for the factors that a gradient meets; float16 has no such room.
    """
    info = np.finfo(p.dtype)
    return _floored_log(p, info.tiny if info.bits < 32 else info.tiny / info.eps)


def _log_of_complement(p: Array) -> Array:
    """ln(1 − p), finite at p = 1.

    No number lies between 1 − ε/2 and 1, so p = 1 is taken for the least that rounds to it. A
    lower floor would answer the slope of a saturated sigmoid with an enormous gradient.
    """
    return _floored_log(1 - p, np.finfo(p.dtype).eps / 2)


def _floored_log(p: Array, floor: float) -> Array:
    """ln(max(p, floor)), with the slope at the floor below it: p is still pushed up from there."""
    constant = stop_gradient(p)
    return np.log(np.maximum(constant, float(floor)) + (p - constant))


def _labels(where: str, y_true: Array, y_pred: Array) -> Array:
    """The labels of predictions, as an array of integers in range."""
    labels = as_numbers(where, y_true)
    if y_pred.ndim == 0 or labels.shape != y_pred.shape[:-1]:
        raise ShapeError(
            f"{where}: expected labels (n,) for predictions (n, classes), the truth first; got "
            f"{labels.shape} for {y_pred.shape}; for one-hot targets use "
            f"categorical_cross_entropy, for a column of labels .ravel()"
        )
    check_filled(where, y_pred)
    if labels.dtype.kind not in "iu":
        raise DtypeError(
            f"{where}: expected integer labels; got dtype {labels.dtype}; use .astype(int)"
        )
    classes = y_pred.shape[-1]
    expected = f"{where}: expected labels from 0 to {classes - 1}"
    ensure_within(labels, 0, classes - 1, expected, "count classes from 0")
    return labels
