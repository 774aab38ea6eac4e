"""What a program may call besides NumPy: writing into a new array, conversions, and checks."""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .._typing import Array, Shape
from ..errors import TinygradNNError, TraceError, ValueRangeError

__all__ = [
    "ARITHMETIC",
    "MAY_VIEW",
    "Draw",
    "NotFiniteError",
    "Opaque",
    "UntraceableError",
    "add_at",
    "astype",
    "copy",
    "expect_finite",
    "expect_within",
    "piece",
    "set_flat",
    "set_item",
    "side_by_side",
]

ARITHMETIC: dict[Callable[..., Any], str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
    operator.mod: "%",
    operator.pow: "**",
    operator.neg: "-",
}


# These share memory with their operand where it lies as they need it, and copy it elsewhere.
MAY_VIEW = {np.reshape, np.ravel, np.ascontiguousarray, np.asfortranarray, np.require}


class Draw:
    """A draw from a generator, which goes on to its next state."""

    __slots__ = ("__name__",)

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, generator: Any, *args: Any, **kwargs: Any) -> Any:
        """Draw."""
        return getattr(generator, self.__name__)(*args, **kwargs)


class Opaque:
    """A function that is not looked into: it runs as it is, on arrays that it may keep."""

    __slots__ = ("__name__", "_expected", "_function", "_static")

    def __init__(self, name: str, function: Callable[..., Any], static: dict[str, Any]) -> None:
        self.__name__ = name
        self._function = function
        self._static = static
        self._expected: Any = None  # the shape and dtype of its first result

    def __call__(self, *arrays: Any) -> Any:
        """Call it."""
        copies = (np.array(a) if isinstance(a, (np.ndarray, np.generic)) else a for a in arrays)
        result = self._function(*copies, **self._static)
        kind = result.shape, result.dtype
        if self._expected not in (None, kind):
            raise TraceError(
                f"{self.__name__}: expected a result of shape and dtype {self._expected}, as in "
                f"the run that was traced; got {kind}"
            )
        self._expected = kind
        return result


class UntraceableError(TinygradNNError, RuntimeError):
    """A call that fails on the numbers of this run says nothing of what it does on others."""


class NotFiniteError(TinygradNNError, FloatingPointError):
    """A gradient is infinite or NaN, so it has to be computed with care for what is selected."""


def astype(x: Array, dtype: Any) -> Array:
    """The same numbers in another dtype, in an array of their own."""
    return np.asarray(x).astype(dtype)


def copy(x: Array) -> Array:
    """The same numbers in an array of their own."""
    return np.array(x)


def set_item(x: Array, index: Any, values: Array) -> Array:
    """X with some of its elements replaced."""
    new = np.array(x)
    new[index] = values
    return new


def set_flat(x: Array, places: Array, values: Array) -> Array:
    """X with some of its elements replaced, counted through all of it."""
    new = np.array(x, order="C")
    new.ravel()[places] = values
    return new


def add_at(x: Array, index: Any, values: Array) -> Array:
    """X with something added to some of its elements, once for each time that they are named."""
    new = np.array(x)
    np.add.at(new, index, values)
    return new


def side_by_side(*arrays: Array) -> Array:
    """All elements of several arrays in a row."""
    return np.concatenate([np.ravel(a) for a in arrays])


def piece(x: Array, start: int, shape: Shape) -> Array:
    """A part of a long array, in a shape of its own."""
    return x[start : start + math.prod(shape)].reshape(shape)


def expect_within(array: Array, low: float, high: float, where: str, remedy: str) -> None:
    """Refuse numbers outside [low, high], and NaN."""
    if not (array.min() >= low and array.max() <= high):
        raise ValueRangeError(f"{where}; got {array.min()} to {array.max()}; {remedy}")


def expect_finite(*arrays: Array) -> None:
    """Refuse infinite numbers and NaN."""
    if not np.isfinite(sum(np.vdot(a, a) for a in arrays)):
        raise NotFiniteError("a gradient is not finite")
