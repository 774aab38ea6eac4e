"""Arrays that stand for others, while a reader writes down what is done to them.

The compiler runs a function on such arrays instead of on values. They pass through the same rows
as any other library's arrays. Only what would look at a value needs to know of them, and this is
all that it knows.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

import numpy as np

from .._typing import Array, Shape
from ..errors import ValueRangeError

__all__ = ["Deferred", "ensure_within"]


class Deferred(ABC):
    """An array that writes down what is done to it."""

    __slots__ = ()

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """The length of each axis."""

    @property
    @abstractmethod
    def dtype(self) -> Any:
        """The dtype of the elements."""

    @property
    @abstractmethod
    def is_number(self) -> bool:
        """Whether it stands for a Python number, which has no dtype of its own."""

    @abstractmethod
    def private(self) -> "Deferred":
        """The same value, where nobody who holds this array can write into it."""

    @abstractmethod
    def refuse(self, how: str) -> NoReturn:
        """Raise: a value is wanted, as `how` says, and there is none to be looked at."""

    @abstractmethod
    def __ensure_within__(self, low: float, high: float, where: str, remedy: str) -> None:
        """Have the values checked, as `ensure_within` does, where there are some."""

    @abstractmethod
    def select_from(self, array: Array, index: Any) -> Array:
        """Elements of a plain array, by an index that this one is, or is part of."""

    @property
    @abstractmethod
    def guarded(self) -> bool:
        """Whether walks backward are to be made with the guard from the start."""

    @abstractmethod
    def follow(self, walk: Iterator[Any]) -> Iterator[Any]:
        """Take note of a walk backward from here, while it is made."""

    @abstractmethod
    def expect_finite(self, arrays: Iterable[Array]) -> None:
        """Have it noticed if any of these is not finite: then they were computed too simply."""

    @abstractmethod
    def call(self, name: str, function: Callable[..., Any], *arrays: Any, **static: Any) -> Array:
        """Write down a call of a function that cannot be looked into. It may have effects."""


def ensure_within(array: Array, low: float, high: float, where: str, remedy: str) -> None:
    """Refuse numbers outside [low, high], and NaN, where there are values to be looked at.

    Args:
        array: a plain array, a Tensor, or another library's array, whose values are let pass.
        low: the least number allowed.
        high: the largest number allowed.
        where: the beginning of the message: where this is, and what was expected.
        remedy: the end of it: what to do.

    Raises:
        ValueRangeError: there are such numbers.
    """
    check = getattr(array, "__ensure_within__", None)
    if check is not None:
        check(low, high, where, remedy)
    elif isinstance(array, np.ndarray) and not (array.min() >= low and array.max() <= high):
        raise ValueRangeError(f"{where}; got {array.min()} to {array.max()}; {remedy}")
