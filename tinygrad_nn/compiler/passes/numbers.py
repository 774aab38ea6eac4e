"""Numbers in operations on small arrays: an array full of the number is faster to compute with.

NumPy makes an array of a Python number in each call. On a few elements that takes three times as
long as the operation itself.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from ..program import Equation, Program, Value

__all__ = ["with_filled_numbers"]

_LARGEST = 256  # elements
# Computed in another way where the exponent is a number, or taking integers alone for it.
_BY_NUMBER = {np.power, np.float_power, np.ldexp}


def with_filled_numbers(program: Program) -> Program:
    """Let elementwise operations on small arrays take arrays in the places of numbers."""
    filled = _Filled(program)
    equations = tuple(map(filled.visit, program.equations))
    return replace(program, equations=equations, constants=filled.constants)


class _Filled:
    def __init__(self, program: Program) -> None:
        self.constants = dict(program.constants)
        self._known: dict[Any, Value] = {}

    def visit(self, equation: Equation) -> Equation:
        """The same operation, with arrays in the places of numbers where that serves."""
        function, args = equation.function, equation.args
        if not isinstance(function, np.ufunc) or function.signature or function in _BY_NUMBER:
            return equation
        if not any(type(a) in (int, float) for a in args) or len(equation.outputs) != 1:
            return equation
        size, dtypes = equation.output.size, {v.dtype for v in equation.inputs}
        weak = any(v.weak for v in equation.inputs)
        if weak or not equation.output.shape or size > _LARGEST or len(dtypes) != 1:
            return equation
        (dtype,) = dtypes
        if dtype.kind != "f" or equation.kwargs:
            return equation
        shape = equation.output.shape
        return replace(equation, args=tuple(self._array(a, shape, dtype) for a in args))

    def _array(self, argument: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        if type(argument) not in (int, float):
            return argument
        key = repr(dtype.type(argument)), shape
        if key not in self._known:
            value = self._known[key] = Value(shape, dtype)
            self.constants[value] = np.full(shape, argument, dtype=dtype)
        return self._known[key]
