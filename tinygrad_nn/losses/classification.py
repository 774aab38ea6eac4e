"""Losses for classification: how far probabilities are from what happened."""

import numpy as np

from .._typing import Array
from ..activations import log_softmax
from ..errors import DtypeError, ShapeError, ValueRangeError
from ..primitives import as_array, stop_gradient
from .checks import (
    alike,
    check_not_empty,
    check_probabilities,
    check_unit_interval,
    concrete,
    reduced,
)

__all__ = [
    "binary_cross_entropy",
    "categorical_cross_entropy",
    "kl_divergence",
    "sparse_categorical_cross_entropy",
]


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
        ArgumentError: an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import binary_cross_entropy
        >>> round(float(binary_cross_entropy([1.0], [0.5])), 4)
        0.6931

    Reference: [Goodfellow2016] section 6.2.2.2.
    """
    y_true, y_pred = alike("binary_cross_entropy", y_true, y_pred)
    check_unit_interval("binary_cross_entropy: y_true", y_true, "targets in [0, 1]")
    if not from_logits:
        check_probabilities("binary_cross_entropy", y_pred)
        return reduced(-(y_true * _log(y_pred) + (1 - y_true) * _log(1 - y_pred)), reduction)
    # ln(1 + eᶻ) − y·z with z split off, so that a right and certain logit leaves no rounding:
    # ([z ≥ 0] − y)·z + ln(1 + e^−|z|). Each branch is the whole function, as in softplus.
    positive = y_pred >= 0
    weight = positive.astype(y_pred.dtype) - y_true
    certain = (weight == 0) & np.isinf(y_pred)  # 0·∞ = 0: an infinite logit that is right
    e = np.exp(np.where(positive, -y_pred, y_pred))
    return reduced(weight * np.where(certain, 0, y_pred) + np.log1p(e), reduction)


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
        ArgumentError: an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import categorical_cross_entropy
        >>> round(float(categorical_cross_entropy([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931

    Reference: [Goodfellow2016] section 6.2.2.3.
    """
    where = "categorical_cross_entropy"
    y_true, y_pred = alike(where, y_true, y_pred, last="classes")
    check_unit_interval(f"{where}: y_true", y_true, "one-hot targets")
    if not from_logits:
        check_probabilities(where, y_pred)
        return reduced(-np.sum(y_true * _log(y_pred), axis=-1), reduction)
    log_p = log_softmax(y_pred)
    impossible = (y_true == 0) & np.isinf(log_p)  # 0·∞ = 0: a class that nobody asks for
    return reduced(-np.sum(y_true * np.where(impossible, 0, log_p), axis=-1), reduction)


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
        DtypeError: labels that are not integers.
        ValueRangeError: labels outside 0 … classes − 1, or probabilities outside [0, 1].
        ArgumentError: an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import sparse_categorical_cross_entropy
        >>> round(float(sparse_categorical_cross_entropy([1], [[0.5, 0.5]])), 4)
        0.6931

    Reference: [Goodfellow2016] section 6.2.2.3.
    """
    where = "sparse_categorical_cross_entropy"
    labels, y_pred = as_array(y_true), as_array(y_pred)
    if y_pred.ndim == 0 or labels.shape != y_pred.shape[:-1]:
        raise ShapeError(
            f"{where}: expected labels (n,) and predictions (n, classes); got {labels.shape} and "
            f"{y_pred.shape}"
            + (
                "; for one-hot targets use categorical_cross_entropy"
                if labels.shape == y_pred.shape
                else "; give one integer label for each sample"
            )
        )
    check_not_empty(where, y_pred)
    classes = y_pred.shape[-1]
    _check_labels(where, labels, classes)
    if not from_logits:
        check_probabilities(where, y_pred)
    table = log_softmax(y_pred) if from_logits else y_pred
    # (..., classes) -> (...): for each sample, the entry of its own label
    places = [
        np.arange(n).reshape(-1, *(1,) * (labels.ndim - 1 - i)) for i, n in enumerate(labels.shape)
    ]
    own = table[(*places, labels)]
    return reduced(-(own if from_logits else _log(own)), reduction)


def kl_divergence(y_true: Array, y_pred: Array, reduction: str = "mean") -> Array:
    """The Kullback–Leibler divergence, Σᵢ yᵢ·ln(yᵢ / pᵢ) over the last axis.

    Its gradient is −y / p by the prediction. Terms with y = 0 are 0, and p = 0 gives a finite
    loss and gradient.

    Shape: y_true (..., n), y_pred (..., n) -> () or, with "none", (...)

    Raises:
        ShapeError: the shapes differ, there is no last axis, or there are no elements.
        ValueRangeError: probabilities outside [0, 1], or NaN.
        ArgumentError: an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import kl_divergence
        >>> round(float(kl_divergence([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931

    Reference: [Kullback1951].
    """
    y_true, y_pred = alike("kl_divergence", y_true, y_pred, last="probabilities")
    check_unit_interval("kl_divergence: y_true", y_true, "probabilities in [0, 1]")
    check_unit_interval("kl_divergence: y_pred", y_pred, "probabilities in [0, 1]")
    return reduced(np.sum(y_true * (_log(y_true) - _log(y_pred)), axis=-1), reduction)


def _log(p: Array) -> Array:
    """The logarithm of a probability, finite at p = 0, with a slope that stays finite too.

    Below the floor the value stands still, while the slope remains that of ln at the floor, so
    a probability of 0 is still pushed up. The floor leaves room above its reciprocal for the
    factors that a gradient meets.
    """
    info = np.finfo(np.result_type(p, np.float16))
    constant = stop_gradient(p)
    return np.log(np.maximum(constant, float(info.tiny / info.eps)) + (p - constant))


def _check_labels(where: str, labels: Array, classes: int) -> None:
    if np.result_type(labels).kind not in "iu":
        raise DtypeError(f"{where}: expected integer labels; got {np.result_type(labels)}")
    values = concrete(labels)
    if values is not None and not (values.min() >= 0 and values.max() < classes):
        raise ValueRangeError(
            f"{where}: expected labels from 0 to {classes - 1}; "
            f"got {values.min()} to {values.max()}"
        )
