"""What every loss does before and after its formula: check what came, and reduce.

Shapes are always checked. Values are checked where they are there to be looked at, and not in
another library's lazy arrays.
"""

import numpy as np

from .._typing import Array
from ..errors import ArgumentError, ShapeError, ValueRangeError
from ..primitives import as_array

__all__ = [
    "alike",
    "check_not_empty",
    "check_probabilities",
    "check_unit_interval",
    "concrete",
    "reduced",
]


def reduced(losses: Array, reduction: str) -> Array:
    """The losses, averaged, added, or as they are."""
    if reduction == "mean":
        return np.mean(losses)
    if reduction == "sum":
        return np.sum(losses)
    if reduction == "none":
        return losses
    raise ArgumentError(f"reduction: expected 'mean', 'sum' or 'none'; got {reduction!r}")


def alike(where: str, a: Array, b: Array, last: str = "") -> tuple[Array, Array]:
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
    check_not_empty(where, a)
    if np.result_type(a).kind in "iub" and np.result_type(b).kind == "f":
        a = a.astype(b.dtype)  # integer targets would turn a float32 loss into float64
    return a, b


def check_not_empty(where: str, array: Array) -> None:
    """Refuse arrays without elements: a mean over nothing has no value."""
    if 0 in array.shape:
        raise ShapeError(f"{where}: expected at least one element; got the empty {array.shape}")


def check_probabilities(where: str, y_pred: Array) -> None:
    """Refuse predictions that cannot be probabilities, such as logits."""
    expected = "probabilities in [0, 1]; for logits pass from_logits=True"
    check_unit_interval(f"{where}: y_pred", y_pred, expected)


def check_unit_interval(where: str, array: Array, expected: str) -> None:
    """Refuse values outside [0, 1], and NaN."""
    values = concrete(array)
    # A sum of rounded probabilities may pass 1 by a little; NaN fails both comparisons.
    if values is not None and not (values.min() >= -1e-6 and values.max() <= 1 + 1e-6):
        raise ValueRangeError(f"{where}: expected {expected}; got {values.min()} to {values.max()}")


def concrete(array: Array) -> Array | None:
    """The values, where they are there to be looked at; None for another library's lazy array."""
    values = array.numpy() if hasattr(array, "numpy") else array
    return values if isinstance(values, np.ndarray) else None
