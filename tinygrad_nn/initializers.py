"""Initializers: how weights start. Each draws from an explicit source of randomness.

The source may be a `numpy.random.Generator`, a `numpy.random.RandomState`, an integer seed for a
new Generator, or None for a Generator seeded by the operating system.
"""

import math
from typing import Any

import numpy as np

from ._typing import Array, Seed, Shape
from .errors import ArgumentError, ShapeError

__all__ = ["INITIALIZERS", "as_random", "glorot", "he", "notebook"]


def as_random(rng: Seed) -> "np.random.Generator | np.random.RandomState":
    """A source of randomness: itself, or a new Generator from a seed.

    Raises:
        ArgumentError: it is neither.

    Example:
        >>> from tinygrad_nn.initializers import as_random
        >>> int(as_random(0).integers(10))
        8
    """
    if isinstance(rng, (np.random.Generator, np.random.RandomState)):
        return rng
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"rng: expected a numpy.random.Generator, a RandomState, a non-negative integer or "
            f"None; got {rng!r}; pass rng=0, say"
        ) from error


def he(shape: Shape, rng: Seed = None, dtype: Any = np.float64) -> Array:
    """Normal values of variance 2 / fan_in, which keeps the variance of relu layers steady.

    Shape: (in, out), or more axes with fan_in = all but the last

    Example:
        >>> from tinygrad_nn.initializers import he
        >>> he((2, 3), rng=0).shape
        (2, 3)

    Reference: [He2015].
    """
    fan_in, _ = _fans(shape)
    return (math.sqrt(2 / fan_in) * as_random(rng).standard_normal(shape)).astype(dtype)


def glorot(shape: Shape, rng: Seed = None, dtype: Any = np.float64) -> Array:
    """Uniform values on ±√(6 / (fan_in + fan_out)), which suits tanh and sigmoid layers.

    Shape: (in, out), or more axes with fan_in = all but the last

    Example:
        >>> from tinygrad_nn.initializers import glorot
        >>> float(abs(glorot((3, 3), rng=0)).max()) <= 1.0
        True

    Reference: [Glorot2010].
    """
    limit = math.sqrt(6 / sum(_fans(shape)))
    return as_random(rng).uniform(-limit, limit, shape).astype(dtype)


def notebook(shape: Shape, rng: Seed = None, dtype: Any = np.float64) -> Array:
    """Normal values of standard deviation 0.10: ``0.10 * randn(*shape)``.

    Shape: any

    Example:
        >>> import numpy as np
        >>> from tinygrad_nn.initializers import notebook
        >>> notebook((1, 2), rng=np.random.RandomState(0))
        array([[0.17640523, 0.04001572]])
    """
    return (0.10 * as_random(rng).standard_normal(shape)).astype(dtype)


INITIALIZERS = {"he": he, "glorot": glorot, "notebook": notebook}


def _fans(shape: Shape) -> tuple[int, int]:
    sizes = shape if isinstance(shape, (tuple, list)) else ()
    if len(sizes) < 2 or not all(isinstance(n, (int, np.integer)) and n > 0 for n in sizes):
        raise ShapeError(
            f"initializer: expected a shape (in, out) of positive sizes; got {shape!r}; "
            f"give one size for each axis"
        )
    return math.prod(shape[:-1]), shape[-1]
