"""Loss functions, each one plain function of NumPy calls: how far a prediction is from the truth.

All take the truth first. ``reduction="mean"`` averages the losses, ``"sum"`` adds them, and
``"none"`` returns them: one an element for the elementwise losses, one a sample for those over
classes or vectors, which take the last axis.
"""

import math

import numpy as np

from ._typing import Array
from .activations import log_softmax
from .errors import ArgumentError, DtypeError, ShapeError, ValueRangeError
from .primitives import as_array, relu, stop_gradient

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


# --- regression -------------------------------------------------------------------------------


def mean_squared_error(y_true: Array, y_pred: Array, reduction: str = "mean") -> Array:
    """The squared error, (ŷ − y)², with gradient 2·(ŷ − y).

    Shape: y_true (...), y_pred (...) -> () or, with "none", (...)

    Raises:
        ShapeError: the shapes differ, or there are no elements.
        ArgumentError: an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import mean_squared_error
        >>> float(mean_squared_error([1.0, 2.0], [1.0, 4.0]))
        2.0

    Reference: [Goodfellow2016] section 5.1.4.
    """
    y_true, y_pred = _alike("mean_squared_error", y_true, y_pred)
    return _reduce(np.square(y_pred - y_true), reduction)


def mean_absolute_error(y_true: Array, y_pred: Array, reduction: str = "mean") -> Array:
    """The absolute error, |ŷ − y|, with gradient sign(ŷ − y), which is 0 where they agree.

    Shape: y_true (...), y_pred (...) -> () or, with "none", (...)

    Raises:
        ShapeError: the shapes differ, or there are no elements.
        ArgumentError: an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import mean_absolute_error
        >>> float(mean_absolute_error([1.0, 2.0], [1.0, 4.0]))
        1.0

    Reference: [Goodfellow2016] section 6.2.1.2.
    """
    y_true, y_pred = _alike("mean_absolute_error", y_true, y_pred)
    return _reduce(np.absolute(y_pred - y_true), reduction)


def huber(y_true: Array, y_pred: Array, delta: float = 1.0, reduction: str = "mean") -> Array:
    """The Huber loss: ½e² for |e| ≤ δ, else δ·(|e| − ½δ), where e = ŷ − y.

    Its gradient is e, clipped to ±δ. Written as c·(e − ½c) with c = clip(e, −δ, δ), it needs no
    branch, and no absolute value whose kink would spoil second derivatives.

    Shape: y_true (...), y_pred (...) -> () or, with "none", (...)

    Args:
        delta: δ > 0, where the parabola becomes a line; in the units of y.

    Raises:
        ShapeError: the shapes differ, or there are no elements.
        ArgumentError: δ is not positive and finite, or an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import huber
        >>> float(huber([0.0], [3.0], delta=1.0))
        2.5

    Reference: [Huber1964].
    """
    if not (delta > 0 and math.isfinite(delta)):
        raise ArgumentError(f"huber: expected a positive, finite delta; got {delta!r}")
    y_true, y_pred = _alike("huber", y_true, y_pred)
    error = y_pred - y_true
    clipped = np.clip(error, -delta, delta)
    return _reduce(clipped * (error - 0.5 * clipped), reduction)


# --- classification ---------------------------------------------------------------------------


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
    y_true, y_pred = _alike("binary_cross_entropy", y_true, y_pred)
    _check_unit_interval("binary_cross_entropy: y_true", y_true, "targets in [0, 1]")
    if not from_logits:
        _check_probabilities("binary_cross_entropy", y_pred)
        return _reduce(-(y_true * _log(y_pred) + (1 - y_true) * _log(1 - y_pred)), reduction)
    # ln(1 + eᶻ) − y·z with z split off, so that a right and certain logit leaves no rounding:
    # ([z ≥ 0] − y)·z + ln(1 + e^−|z|). Each branch is the whole function, as in softplus.
    positive = y_pred >= 0
    weight = positive.astype(y_pred.dtype) - y_true
    certain = (weight == 0) & np.isinf(y_pred)  # 0·∞ = 0: an infinite logit that is right
    e = np.exp(np.where(positive, -y_pred, y_pred))
    return _reduce(weight * np.where(certain, 0, y_pred) + np.log1p(e), reduction)


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
    y_true, y_pred = _alike(where, y_true, y_pred, last="classes")
    _check_unit_interval(f"{where}: y_true", y_true, "one-hot targets")
    if not from_logits:
        _check_probabilities(where, y_pred)
        return _reduce(-np.sum(y_true * _log(y_pred), axis=-1), reduction)
    log_p = log_softmax(y_pred)
    impossible = (y_true == 0) & np.isinf(log_p)  # 0·∞ = 0: a class that nobody asks for
    return _reduce(-np.sum(y_true * np.where(impossible, 0, log_p), axis=-1), reduction)


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
    _check_not_empty(where, y_pred)
    classes = y_pred.shape[-1]
    _check_labels(where, labels, classes)
    if not from_logits:
        _check_probabilities(where, y_pred)
    # (..., classes) -> (n, classes) -> (n,) -> (...): the entry of each sample's own label
    rows = np.reshape(log_softmax(y_pred) if from_logits else y_pred, (-1, classes))
    own = rows[np.arange(rows.shape[0]), np.reshape(labels, -1)]
    log_p = np.reshape(own if from_logits else _log(own), labels.shape)
    return _reduce(-log_p, reduction)


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
    y_true, y_pred = _alike("kl_divergence", y_true, y_pred, last="probabilities")
    _check_unit_interval("kl_divergence: y_true", y_true, "probabilities in [0, 1]")
    _check_unit_interval("kl_divergence: y_pred", y_pred, "probabilities in [0, 1]")
    return _reduce(np.sum(y_true * (_log(y_true) - _log(y_pred)), axis=-1), reduction)


# --- embeddings -------------------------------------------------------------------------------


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
    left, right = _alike("contrastive", left, right, last="features")
    y_true = as_array(y_true)
    if y_true.shape != left.shape[:-1]:
        raise ShapeError(
            f"contrastive: expected one label for each pair, of shape {left.shape[:-1]}; got "
            f"{y_true.shape}"
        )
    y_true = y_true.astype(left.dtype)
    _check_unit_interval("contrastive: y_true", y_true, "1 for similar and 0 for other pairs")
    distance = _distance(left, right)
    apart = relu(margin - distance)
    return _reduce(y_true * np.square(distance) + (1 - y_true) * np.square(apart), reduction)


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
    anchor, positive = _alike("triplet", anchor, positive, last="features")
    anchor, negative = _alike("triplet", anchor, negative, last="features")
    gap = _distance(anchor, positive) - _distance(anchor, negative) + margin
    return _reduce(relu(gap), reduction)


# --- what they share --------------------------------------------------------------------------


def _reduce(losses: Array, reduction: str) -> Array:
    if reduction == "mean":
        return np.mean(losses)
    if reduction == "sum":
        return np.sum(losses)
    if reduction == "none":
        return losses
    raise ArgumentError(f"reduction: expected 'mean', 'sum' or 'none'; got {reduction!r}")


def _distance(a: Array, b: Array) -> Array:
    return np.linalg.norm(a - b, axis=-1)  # (..., features) -> (...)


def _log(p: Array) -> Array:
    """The logarithm of a probability, finite at p = 0, with a slope that stays finite too.

    Below the floor the value stands still, while the slope remains that of ln at the floor, so
    a probability of 0 is still pushed up. The floor leaves room above its reciprocal for the
    factors that a gradient meets.
    """
    info = np.finfo(np.result_type(p, np.float16))
    constant = stop_gradient(p)
    return np.log(np.maximum(constant, float(info.tiny / info.eps)) + (p - constant))


def _alike(where: str, a: Array, b: Array, last: str = "") -> tuple[Array, Array]:
    """Both as arrays of one shape, with elements; `last` names a last axis that must be there."""
    a, b = as_array(a), as_array(b)
    if a.shape != b.shape:
        remedy = "give both the same shape"
        if a.size == b.size:
            remedy = f"they would broadcast and mix samples; use .reshape{b.shape} on the first"
        raise ShapeError(
            f"{where}: expected two equal shapes; got {a.shape} and {b.shape}; {remedy}"
        )
    if last and a.ndim == 0:
        raise ShapeError(f"{where}: expected a last axis of {last}; got shape ()")
    _check_not_empty(where, a)
    if np.result_type(a).kind in "iub" and np.result_type(b).kind == "f":
        a = a.astype(b.dtype)  # integer targets would turn a float32 loss into float64
    return a, b


def _check_not_empty(where: str, array: Array) -> None:
    if 0 in array.shape:
        raise ShapeError(f"{where}: expected at least one element; got the empty {array.shape}")


def _check_margin(where: str, margin: float) -> None:
    if not (margin >= 0 and math.isfinite(margin)):
        raise ArgumentError(f"{where}: expected a finite margin of at least 0; got {margin!r}")


def _check_labels(where: str, labels: Array, classes: int) -> None:
    if np.result_type(labels).kind not in "iu":
        raise DtypeError(f"{where}: expected integer labels; got {np.result_type(labels)}")
    values = _concrete(labels)
    if values is not None and not (values.min() >= 0 and values.max() < classes):
        raise ValueRangeError(
            f"{where}: expected labels from 0 to {classes - 1}; "
            f"got {values.min()} to {values.max()}"
        )


def _check_probabilities(where: str, y_pred: Array) -> None:
    expected = "probabilities in [0, 1]; for logits pass from_logits=True"
    _check_unit_interval(f"{where}: y_pred", y_pred, expected)


def _check_unit_interval(where: str, array: Array, expected: str) -> None:
    values = _concrete(array)
    # A sum of rounded probabilities may pass 1 by a little; NaN fails both comparisons.
    if values is not None and not (values.min() >= -1e-6 and values.max() <= 1 + 1e-6):
        raise ValueRangeError(f"{where}: expected {expected}; got {values.min()} to {values.max()}")


def _concrete(array: Array) -> Array | None:
    """The values, where they are there to be looked at; None for another library's lazy array."""
    values = array.numpy() if hasattr(array, "numpy") else array
    return values if isinstance(values, np.ndarray) else None
