"""Python numbers of a step that is traced: counters, learning rates, numbers that are passed."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ...autograd import Tensor
from .traced import Traced

__all__ = ["Number"]


class Number(Traced):
    """A Python number of a step, such as a count of steps: it takes on the dtype of what it meets.

    Arithmetic with other Python numbers stays Python's own.
    """

    __slots__ = ()

    __hash__ = object.__hash__

    def __neg__(self) -> Any:
        return self.tape.call(operator.neg, (self,), {})


def _arithmetic(name: str, function: Callable[..., Any], ufunc: np.ufunc) -> None:
    """Give Number an operator and its reflection."""

    def forward(self: Any, other: Any) -> Any:
        if type(other) in (int, float, bool, Number):
            return self.tape.call(function, (self, other), {})
        return NotImplemented if isinstance(other, Tensor) else ufunc(self, other)

    def reflected(self: Any, other: Any) -> Any:
        if type(other) in (int, float, bool):
            return self.tape.call(function, (other, self), {})
        return NotImplemented if isinstance(other, Tensor) else ufunc(other, self)

    setattr(Number, f"__{name}__", forward)
    setattr(Number, f"__r{name}__", reflected)
    setattr(Number, f"__i{name}__", forward)


_arithmetic("add", operator.add, np.add)
_arithmetic("sub", operator.sub, np.subtract)
_arithmetic("mul", operator.mul, np.multiply)
_arithmetic("truediv", operator.truediv, np.divide)
_arithmetic("floordiv", operator.floordiv, np.floor_divide)
_arithmetic("mod", operator.mod, np.remainder)
_arithmetic("pow", operator.pow, np.power)
