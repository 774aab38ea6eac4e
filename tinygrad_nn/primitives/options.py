"""Functions with options that their rows do not know, as calls without them.

A row's rules know the axis and the like. What else NumPy offers (a dtype, a mask, an initial value)
is spelled out here, and used only where a gradient is needed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._typing import Array, Axis
from ..errors import ArgumentError, MissingDerivativeError
from .arrays import as_array

__all__ = [
    "widened_extreme",
    "widened_join",
    "widened_mean",
    "widened_running",
    "widened_spread",
    "widened_sum",
]


def _selected(a: Array, where: Array, neutral: float) -> Array:
    """The array with what is left out made neutral."""
    return a if where is None or where is True else np.where(where, a, neutral)


def _prepared(name: str, a: Array, dtype: Any, out: Array) -> Array:
    """An array in a dtype; into a given array there is no derivative."""
    if out is not None:
        raise MissingDerivativeError(
            f"numpy.{name}: there is no derivative with out=; use the returned array"
        )
    return as_array(a, dtype)


def widened_sum(name: str, neutral: float, combine: Callable[..., Array]) -> Callable[..., Array]:
    """A sum or product of chosen elements, in a dtype, from an initial value."""

    def widened(
        a: Array,
        axis: Axis = None,
        dtype: Any = None,
        out: Array = None,
        keepdims: bool = False,
        initial: Any = np._NoValue,
        where: Array = None,
    ) -> Array:
        a = _prepared(name, a, dtype, out)
        y = getattr(np, name)(_selected(a, where, neutral), axis=axis, keepdims=bool(keepdims))
        return y if initial is np._NoValue else combine(y, initial)

    return widened


def widened_extreme(
    name: str, neutral: float, combine: Callable[..., Array]
) -> Callable[..., Array]:
    """The largest or smallest of chosen elements, and of an initial value."""

    def widened(
        a: Array,
        axis: Axis = None,
        out: Array = None,
        keepdims: bool = False,
        initial: Any = np._NoValue,
        where: Array = None,
    ) -> Array:
        a = _prepared(name, a, None, out)
        if where is not None and initial is np._NoValue:
            raise ArgumentError(f"numpy.{name}: where= needs initial=, as in NumPy")
        chosen = _selected(a, where, neutral)
        y = getattr(np, name)(chosen, axis=axis, keepdims=bool(keepdims))
        return y if initial is np._NoValue else combine(y, initial)

    return widened


def widened_mean(
    a: Array,
    axis: Axis = None,
    dtype: Any = None,
    out: Array = None,
    keepdims: bool = False,
    *,
    where: Array = None,
) -> Array:
    """The mean of chosen elements, in a dtype."""
    a = _prepared("mean", a, dtype, out)
    if where is None:
        return np.mean(a, axis=axis, keepdims=bool(keepdims))
    counted = np.broadcast_to(where, a.shape)
    total = np.sum(_selected(a, where, 0), axis=axis, keepdims=bool(keepdims))
    return total / np.sum(counted, axis=axis, keepdims=bool(keepdims)).astype(a.dtype)


def widened_spread(name: str) -> Callable[..., Array]:
    """The variance or deviation in a dtype, or with ddof under its other name."""

    def widened(
        a: Array,
        axis: Axis = None,
        dtype: Any = None,
        out: Array = None,
        ddof: float = 0,
        keepdims: bool = False,
        *,
        where: Array = None,
        mean: Array = None,
        correction: Any = np._NoValue,
    ) -> Array:
        a = _prepared(name, a, dtype, out)
        for option, value in (("where", where), ("mean", mean)):
            if value is not None:
                raise MissingDerivativeError(
                    f"numpy.{name}: there is no derivative with {option}=; leave it out"
                )
        ddof = ddof if correction is np._NoValue else correction
        return getattr(np, name)(a, axis=axis, ddof=ddof, keepdims=bool(keepdims))

    return widened


def widened_running(name: str) -> Callable[..., Array]:
    """A running sum or product in a dtype."""

    def widened(a: Array, axis: int | None = None, dtype: Any = None, out: Array = None) -> Array:
        return getattr(np, name)(_prepared(name, a, dtype, out), axis=axis)

    return widened


def widened_join(name: str) -> Callable[..., Array]:
    """Joining into an array of another dtype."""

    def widened(
        arrays: Sequence[Array],
        axis: Any = 0,
        out: Array = None,
        *,
        dtype: Any = None,
        casting: str = "same_kind",
    ) -> Array:
        return _prepared(name, getattr(np, name)(arrays, axis=axis), dtype, out)

    return widened
