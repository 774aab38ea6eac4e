"""The spiral of the notebook: classes wound around one another, which no line can separate."""

import numpy as np

from .._typing import Array
from ..errors import ArgumentError

__all__ = ["spiral"]


def spiral(samples: int = 100, classes: int = 3, seed: int = 0) -> tuple[Array, Array]:
    """Points on arms of a spiral, from `nnfs.datasets.spiral_data`.

    Shape: -> X (samples·classes, 2) in float32, y (samples·classes,) integer labels

    Args:
        samples: points on each arm.
        classes: arms.
        seed: for NumPy's legacy generator, which nnfs draws from; its state is put back after.

    Raises:
        ArgumentError: samples or classes below 1, or a seed NumPy does not take.

    Example:
        >>> from tinygrad_nn.data import spiral
        >>> X, y = spiral(100, 3)
        >>> X.shape, y.shape, sorted(set(y.tolist()))
        ((300, 2), (300,), [0, 1, 2])

    Reference: [nnfs].
    """
    from nnfs.datasets import spiral_data  # on use: only this needs the package

    if samples < 1 or classes < 1:
        raise ArgumentError(f"spiral: expected at least 1 of each; got {samples} and {classes}")
    before = np.random.get_state()
    try:
        np.random.seed(seed)
        X, y = spiral_data(samples, classes)
    except ValueError as error:
        raise ArgumentError(f"spiral: expected a seed from 0 to 2³² − 1; got {seed}") from error
    finally:
        np.random.set_state(before)
    return X.astype(np.float32), y.astype(np.int64)
