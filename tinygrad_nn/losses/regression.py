"""Losses for regression: how far numbers are from numbers."""

import numpy as np

from .._scope import scoped
from .._typing import Array
from .checks import alike, number, reduced

__all__ = ["huber", "mean_absolute_error", "mean_squared_error"]


@scoped
def mean_squared_error(y_true: Array, y_pred: Array, reduction: str = "mean") -> Array:
    """The squared error, (ŷ − y)², with gradient 2·(ŷ − y).

    Shape: y_true (...), y_pred (...) -> () or, with "none", (...)

    Raises:
        ShapeError: the shapes differ, or there are no elements.
        DtypeError: data that are not real numbers.
        ArgumentError: an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import mean_squared_error
        >>> float(mean_squared_error([1.0, 2.0], [1.0, 4.0]))
        2.0

    Reference: [Goodfellow2016] section 5.1.4.
    """
    y_true, y_pred = alike("mean_squared_error", y_true, y_pred)
    return reduced("mean_squared_error", np.square(y_pred - y_true), reduction)


@scoped
def mean_absolute_error(y_true: Array, y_pred: Array, reduction: str = "mean") -> Array:
    """The absolute error, |ŷ − y|, with gradient sign(ŷ − y), which is 0 where they agree.

    Shape: y_true (...), y_pred (...) -> () or, with "none", (...)

    Raises:
        ShapeError: the shapes differ, or there are no elements.
        DtypeError: data that are not real numbers.
        ArgumentError: an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import mean_absolute_error
        >>> float(mean_absolute_error([1.0, 2.0], [1.0, 4.0]))
        1.0

    Reference: [Goodfellow2016] section 6.2.1.2.
    """
    y_true, y_pred = alike("mean_absolute_error", y_true, y_pred)
    return reduced("mean_absolute_error", np.absolute(y_pred - y_true), reduction)


@scoped
def huber(y_true: Array, y_pred: Array, delta: float = 1.0, reduction: str = "mean") -> Array:
    """The Huber loss: ½e² for |e| ≤ δ, else δ·(|e| − ½δ), where e = ŷ − y.

    Its gradient is e, clipped to ±δ. Written as c·(e − ½c) with c = clip(e, −δ, δ), it needs no
    branch, and no absolute value whose kink would spoil second derivatives.

    Shape: y_true (...), y_pred (...) -> () or, with "none", (...)

    Args:
        delta: δ > 0, where the parabola becomes a line; in the units of y.

    Raises:
        ShapeError: the shapes differ, or there are no elements.
        DtypeError: data that are not real numbers.
        ArgumentError: δ is not positive and finite, or an unknown reduction.

    Example:
        >>> from tinygrad_nn.losses import huber
        >>> float(huber([0.0], [3.0], delta=1.0))
        2.5

    Reference: [Huber1964].
    """
    delta = number("huber", "delta", delta, positive=True)
    y_true, y_pred = alike("huber", y_true, y_pred)
    error = y_pred - y_true
    clipped = np.clip(error, -delta, delta)
    return reduced("huber", clipped * (error - 0.5 * clipped), reduction)
