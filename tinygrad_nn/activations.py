"""Activation functions, each one plain function of NumPy calls.

Given arrays they return arrays; given Tensors, Tensors, recorded. Several are a row of the table.
"""

import math

import numpy as np

from ._scope import scoped
from ._typing import Array, Axis
from .errors import ArgumentError, ShapeError
from .primitives import LOG_SOFTMAX, SIGMOID, SOFTPLUS, as_real, stop_gradient
from .primitives import relu as _relu

__all__ = [
    "leaky_relu",
    "log_softmax",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
    "tanh",
]


@scoped
def relu(x: Array) -> Array:
    """The rectified linear unit, relu(x) = max(x, 0), with gradient [x > 0], which is 0 at 0.

    Shape: x (...) -> (...)

    Example:
        >>> import numpy as np
        >>> from tinygrad_nn.activations import relu
        >>> relu(np.array([-1.0, 0.0, 2.0]))
        array([0., 0., 2.])

    Reference: [Goodfellow2016] section 6.3.1.
    """
    return _relu(as_real("relu", x))


@scoped
def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """The leaky rectifier: x for x > 0, else slope·x. Its gradient is 1 or slope; slope at 0.

    Shape: x (...) -> (...)

    Example:
        >>> import numpy as np
        >>> from tinygrad_nn.activations import leaky_relu
        >>> leaky_relu(np.array([-1.0, 2.0]), slope=0.1)
        array([-0.1,  2. ])

    Reference: [Maas2013].
    """
    x = as_real("leaky_relu", x)
    # As a Python number: a NumPy float64 would turn float32 into float64.
    factor = float(slope) if isinstance(slope, (int, float, np.number)) else math.nan
    if not math.isfinite(factor):
        raise ArgumentError(f"leaky_relu: expected a finite slope; got {slope!r}; 0.01 is usual")
    return np.where(x > 0, x, factor * x)


@scoped
def sigmoid(x: Array) -> Array:
    """The logistic function, σ(x) = 1 / (1 + e⁻ˣ), with gradient σ·(1 − σ).

    Never overflows, and keeps its relative precision in both tails.

    Shape: x (...) -> (...)

    Example:
        >>> import numpy as np
        >>> from tinygrad_nn.activations import sigmoid
        >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
        array([0. , 0.5, 1. ])

    Reference: [Goodfellow2016] section 3.10.
    """
    return SIGMOID(as_real("sigmoid", x))


@scoped
def tanh(x: Array) -> Array:
    """The hyperbolic tangent, with gradient 1 − tanh²(x).

    Shape: x (...) -> (...)

    Example:
        >>> from tinygrad_nn.activations import tanh
        >>> float(tanh(0.0))
        0.0

    Reference: [Goodfellow2016] section 6.3.2.
    """
    return np.tanh(as_real("tanh", x))


@scoped
def softplus(x: Array) -> Array:
    """The smooth rectifier, ln(1 + eˣ), with gradient σ(x).

    Never overflows, and keeps its relative precision for very negative x.

    Shape: x (...) -> (...)

    Example:
        >>> import numpy as np
        >>> from tinygrad_nn.activations import softplus
        >>> softplus(np.array([-1000.0, 1000.0]))
        array([   0., 1000.])

    Reference: [Dugas2001].
    """
    return SOFTPLUS(as_real("softplus", x))


@scoped
def softmax(x: Array, axis: Axis = -1) -> Array:
    """The normalised exponential, eˣⁱ / Σⱼ eˣʲ along an axis: positive, with sum 1.

    Its vector-Jacobian product is y·(g − Σ g·y). The largest entry is taken away first, as a
    constant, since adding one changes nothing: so nothing overflows.

    Shape: x (..., classes) -> (..., classes)

    Args:
        x: logits.
        axis: the axis, or axes, of the classes.

    Example:
        >>> import numpy as np
        >>> from tinygrad_nn.activations import softmax
        >>> softmax(np.array([1000.0, 1000.0]))
        array([0.5, 0.5])

    Reference: [Goodfellow2016] section 6.2.2.3.
    """
    x = _logits("softmax", x, axis)
    e = np.exp(x - stop_gradient(np.max(x, axis=axis, keepdims=True)))
    return e / np.sum(e, axis=axis, keepdims=True)


@scoped
def log_softmax(x: Array, axis: Axis = -1) -> Array:
    """The logarithm of softmax, xᵢ − ln Σⱼ eˣʲ, with vector-Jacobian product g − softmax·Σ g.

    Right where the logarithm of a computed softmax would be −∞.

    Shape: x (..., classes) -> (..., classes)

    Args:
        x: logits.
        axis: the axis, or axes, of the classes.

    Example:
        >>> import numpy as np
        >>> from tinygrad_nn.activations import log_softmax
        >>> log_softmax(np.array([0.0, -1000.0]))
        array([    0., -1000.])

    Reference: [Goodfellow2016] section 6.2.2.3.
    """
    return LOG_SOFTMAX(_logits("log_softmax", x, axis), axis=axis)


def _logits(where: str, x: Array, axis: Axis) -> Array:
    """Logits as an array that has the axes of its classes, and classes along them."""
    x = as_real(where, x)
    if type(axis) is int and axis == -1 and x.ndim and x.shape[-1]:
        return x  # at once, since nearly every call comes here
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if not all(isinstance(a, (int, np.integer)) for a in axes):
        raise ArgumentError(f"{where}: expected an integer axis; got {axis!r}; -1 is the last")
    if not all(-x.ndim <= a < x.ndim and x.shape[a] for a in axes):
        raise ShapeError(
            f"{where}: expected classes along axis {axis}; got shape {x.shape}; "
            f"name an axis that is there and not empty"
        )
    return x
