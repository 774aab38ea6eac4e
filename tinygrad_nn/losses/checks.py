"""What every loss does before and after its formula: check what came, and reduce.

Shapes are always checked. Values are checked where they are there to be looked at, and not in
another library's lazy arrays. A loss has the dtype of its prediction.
"""

import math
from typing import Any

import numpy as np

from .._typing import Array
from ..errors import ArgumentError, ShapeError
from ..primitives import as_real, ensure_within

__all__ = [
    "alike",
    "check_filled",
    "check_flag",
    "check_probabilities",
    "check_targets",
    "number",
    "reduced",
]


def reduced(where: str, losses: Array, reduction: str) -> Array:
    """The losses, averaged, added, or as they are."""
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        raise ArgumentError(
            f"{where}: expected reduction='mean', 'sum' or 'none'; got {reduction!r}; "
            f"name one of the three"
        )
    if reduction == "none":
        return losses
    return np.mean(losses) if reduction == "mean" else np.sum(losses)


def alike(where: str, *data: Any, last: str = "", remedy: str = "") -> list[Array]:
    """All as arrays of the last one's dtype and of one shape, with elements.

    `last` names a last axis that must be there, and `remedy` what to do where shapes differ.
    """
    arrays = [as_real(where, item) for item in data]
    like = arrays[-1]
    for array in arrays:
        if array.shape != like.shape:
            remedy = remedy or "give one prediction for each target"
            if _squeezed(array) == _squeezed(like):
                remedy = f"they would mix samples: use .reshape{like.shape} on the first"
            raise ShapeError(
                f"{where}: expected equal shapes; got {array.shape} and {like.shape}; {remedy}"
            )
    check_filled(where, like, last)
    return [a if a.dtype == like.dtype else a.astype(like.dtype) for a in arrays]


def check_filled(where: str, array: Array, last: str = "") -> None:
    """Refuse arrays without elements, whose mean has no value, or without a last axis."""
    if last and array.ndim == 0:
        raise ShapeError(
            f"{where}: expected a last axis of {last}; got shape (); use .reshape(1, -1)"
        )
    if 0 in array.shape:
        raise ShapeError(
            f"{where}: expected at least one element; got shape {array.shape}; skip empty batches"
        )


def check_flag(where: str, from_logits: bool) -> None:
    """Refuse what is no truth value, such as a reduction given in the place of from_logits."""
    if not isinstance(from_logits, (bool, np.bool_)):
        raise ArgumentError(
            f"{where}: expected from_logits=True or False; got {from_logits!r}; "
            f"give reduction= by name"
        )


def check_targets(where: str, y_true: Array, what: str) -> None:
    """Refuse targets outside [0, 1], and NaN."""
    _check_unit_interval(f"{where}: y_true", y_true, what, "scale or encode them")


def check_probabilities(where: str, y_pred: Array, remedy: str = "pass from_logits=True") -> None:
    """Refuse predictions that cannot be probabilities, such as logits."""
    remedy = f"for logits, {remedy}"
    _check_unit_interval(f"{where}: y_pred", y_pred, "probabilities", remedy)


def number(where: str, name: str, value: Any, *, positive: bool) -> float:
    """An option as a Python float, finite and positive, or not negative.

    A NumPy float64 would turn a float32 loss into float64.
    """
    least = "above 0" if positive else "of at least 0"
    try:
        result = math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        result = math.nan
    if not (math.isfinite(result) and result >= 0 and (result or not positive)):
        raise ArgumentError(
            f"{where}: expected a finite {name} {least}; got {value!r}; give it in the units of "
            f"the data"
        )
    return result


def _check_unit_interval(where: str, array: Array, what: str, remedy: str) -> None:
    # A sum of rounded probabilities may pass 1 by a little; NaN fails both comparisons.
    ensure_within(array, -1e-6, 1 + 1e-6, f"{where}: expected {what} in [0, 1]", remedy)


def _squeezed(array: Array) -> list[int]:
    return [n for n in array.shape if n != 1]
