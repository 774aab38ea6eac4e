"""Algebra that keeps every floating-point result, and the constants that follow from it.

A derivative is full of ones: the cotangent of the loss, broadcast, negated, divided by a count. An
array that holds one number everywhere is *uniform*: it is known while compiling, and only its
number is written into the program. A product by one is left out, and so are steps back and forth.
"""

import operator
from dataclasses import replace
from typing import Any

import numpy as np

from ..operations import add_at, astype, copy, set_item
from ..program import Equation, Program, Value, substitute

__all__ = ["simplified"]

_FILLED = {np.ones_like: 1, np.zeros_like: 0}
_MOVING = {np.broadcast_to, np.reshape, np.transpose, np.swapaxes, np.expand_dims, np.squeeze,
           np.ravel, np.moveaxis, copy, np.copy}  # fmt: skip
_LARGEST = 64  # elements of a constant that is looked at
_REDUCING = {np.sum, np.add.reduce, np.mean, np.max, np.min, np.prod}


def simplified(program: Program) -> Program:
    """Replace what is known, and leave out what changes nothing."""
    known = _Known(program)
    for equation in program.equations:
        known.visit(equation.with_inputs(known.same))
    outputs = tuple(substitute(v, known.same) for v in program.outputs)
    for value in outputs:
        if value in known.uniform:
            known.materialise(value)
    return replace(program, equations=tuple(known.kept), outputs=outputs, constants=known.constants)


class _Known:
    """What is known so far of the values of a program, while its equations are gone through."""

    def __init__(self, program: Program) -> None:
        self.same: dict[Value, Value] = {}  # what a value is just another name of
        self.uniform: dict[Value, Any] = {}  # the one number that a value holds everywhere
        self.makers: dict[Value, Equation] = {}
        self.constants = dict(program.constants)
        self.kept: list[Equation] = []
        for value, array in self.constants.items():
            if array.size and array.dtype.kind in "fiub" and array.size <= _LARGEST:
                first = array.flat[0]
                if (array == first).all() and not (first == 0 and np.signbit(array).any()):
                    self.uniform[value] = first

    def visit(self, equation: Equation) -> None:
        """Keep an equation, or know what it gives without it."""
        if equation.effect or len(equation.outputs) != 1:
            self._keep(equation)
            return
        output = equation.output
        number = self._number(equation)
        if number is not None and not output.weak:
            self.uniform[output] = number
            return
        operand = self._unchanged(equation)
        if operand is not None:
            self.same[output] = operand
            return
        self._keep(self._respelled(equation))

    # --- uniform arrays -----------------------------------------------------------------------

    def _number(self, equation: Equation) -> Any:
        """The one number that an equation's output holds everywhere; None if there is none."""
        function, args, output = equation.function, equation.args, equation.output
        if function in _FILLED:
            return output.dtype.type(_FILLED[function])
        if function is np.full_like and not isinstance(args[1], Value):
            return np.asarray(args[1]).astype(output.dtype)[()] if np.ndim(args[1]) == 0 else None
        inputs = equation.inputs
        if function in _REDUCING and args and self._is_one_each(equation):
            return self.uniform[self.makers[args[0]].args[2]]
        if not inputs or any(v not in self.uniform for v in inputs):
            return None
        if function in _MOVING:
            return self.uniform[inputs[0]]
        if function is astype:
            return self.uniform[inputs[0]].astype(output.dtype)
        if isinstance(function, np.ufunc) and not equation.kwargs and output.dtype.kind in "fiub":
            with np.errstate(all="ignore"):
                found = function(*(substitute(a, self.uniform) for a in args))
            return found if found.dtype == output.dtype else None
        return None

    def _is_one_each(self, equation: Equation) -> bool:
        """Whether this is a sum along the last axis over zeros with one number put in each row.

        That is how the cotangent of a label's own score comes back from the loss.
        """
        summed, axis = equation.args[0], equation.kwargs.get("axis")
        maker = self.makers.get(summed)
        if equation.function not in (np.sum, np.add.reduce) or maker is None:
            return False
        if maker.function not in (set_item, add_at) or axis not in (-1, len(summed.shape) - 1):
            return False
        target, index, put = maker.args
        zeros = self.makers.get(target)
        return (
            isinstance(put, Value) and put in self.uniform and put.dtype == summed.dtype
            and zeros is not None and zeros.function is np.full and not zeros.args[1]
            and self._goes_through_rows(index, summed)
        )  # fmt: skip

    def _goes_through_rows(self, index: Any, target: Value) -> bool:
        """Whether an index names one element in each row: (0, 1, 2, …) and something."""
        if type(index) is not tuple or len(index) != len(target.shape):
            return False
        for axis, part in enumerate(index[:-1]):
            rows = self.constants.get(part) if isinstance(part, Value) else None
            n = target.shape[axis]
            if rows is None or rows.size != n or not np.array_equal(rows.ravel(), np.arange(n)):
                return False
            if rows.shape != (n,) + (1,) * (len(index) - 2 - axis):
                return False
        return isinstance(index[-1], Value) and index[-1].shape == target.shape[:-1]

    def materialise(self, value: Value) -> None:
        """Make an array of a uniform value after all, since one is needed here."""
        number = self.uniform.pop(value)
        if value in self.constants:
            return
        filled = Equation(np.full, (value.shape, number.item()), {"dtype": value.dtype}, (value,))
        self.makers[value] = filled
        self.kept.append(filled)

    # --- what changes nothing -----------------------------------------------------------------

    def _unchanged(self, equation: Equation) -> Value | None:
        """The operand that an equation hands on as it is."""
        function, args, output = equation.function, equation.args, equation.output
        first = args[0] if args else None
        if function is set_item and _is_whole(args[1]):
            return self._as_good(args[2], output)
        if function is operator.getitem and _is_whole(args[1]):
            return self._as_good(first, output)
        if function is np.negative:
            maker = self.makers.get(first) if isinstance(first, Value) else None
            if maker is not None and maker.function is np.negative:
                return self._as_good(maker.args[0], output)
        if function is np.multiply and len(args) == 2:
            for one, other in (args, args[::-1]):
                if self._is_one(one):
                    return self._as_good(other, output)
        if function is np.bitwise_and and len(args) == 2 and output.dtype.kind == "b":
            for every, other in (args, args[::-1]):
                if every is True or (isinstance(every, Value) and self.uniform.get(every, False)):
                    return self._as_good(other, output)
        if function is np.divide and len(args) == 2 and self._is_one(args[1]):
            return self._as_good(first, output)
        if function in {np.positive, np.broadcast_to, astype, copy, np.copy}:
            return self._as_good(first, output)
        if function is np.reshape and len(args) == 2 and not equation.kwargs.get("order"):
            return self._as_good(first, output)
        return None

    def _is_one(self, operand: Any) -> bool:
        number = self.uniform.get(operand) if isinstance(operand, Value) else operand
        return isinstance(number, (int, float, np.floating)) and number == 1

    def _as_good(self, operand: Any, output: Value) -> Value | None:
        """An operand, if it has the shape and dtype of the output."""
        if not isinstance(operand, Value) or operand.weak != output.weak:
            return None
        alike = operand.shape == output.shape and operand.dtype == output.dtype
        return operand if alike else None

    # --- what is kept -------------------------------------------------------------------------

    def _respelled(self, equation: Equation) -> Equation:
        """Adding to zeros at places that are all different is putting there; |−x| is |x|."""
        maker = self.makers.get(equation.args[0]) if _is_one_value(equation.args[:1]) else None
        if equation.function is np.absolute and maker and maker.function is np.negative:
            return replace(equation, args=maker.args)
        if equation.function is add_at:
            target, index, _ = equation.args
            if self.uniform.get(target) == 0 and self._goes_through_rows(index, target):
                return replace(equation, function=set_item)
        return equation

    def _keep(self, equation: Equation) -> None:
        """Keep an equation, with numbers in the places of uniform arrays where they serve."""
        scalars: dict[Value, Any] = {}
        for value in dict.fromkeys(equation.inputs):
            if value not in self.uniform:
                continue
            if self._takes_number(equation, value):
                scalars[value] = self._scalar(equation, value)
            else:
                self.materialise(value)
        if equation.function in (set_item, add_at) and equation.args[2] in scalars:
            original = equation
            equation = replace(
                equation,
                args=(*equation.args[:2], scalars[equation.args[2]]),
            )
            self.makers.update(dict.fromkeys(equation.outputs, original))
        else:
            equation = equation.with_inputs(scalars)
            self.makers.update(dict.fromkeys(equation.outputs, equation))
        self.kept.append(equation)

    def _takes_number(self, equation: Equation, value: Value) -> bool:
        """Whether a function gives the same for a number as for an array full of it."""
        if equation.function in (set_item, add_at):
            return equation.args[2] is value and equation.args[0] is not value
        if not isinstance(equation.function, np.ufunc) or equation.function.signature:
            return False
        others = [v.shape for v in equation.inputs if v not in self.uniform]
        return bool(others) and np.broadcast_shapes(*others) == equation.output.shape

    def _scalar(self, equation: Equation, value: Value) -> Any:
        """A uniform value as a number: a Python number where that does not change the dtype."""
        number, function = self.uniform[value], equation.function
        others = {v.dtype for v in equation.inputs if v is not value and not v.weak}
        if function is set_item:
            others = {equation.output.dtype}  # and not that of the index
        if number.dtype.kind == "f" and others == {value.dtype}:
            return float(str(number))  # the fewest digits that give it in its own dtype
        return number.item() if function in (set_item, add_at) else number


def _is_one_value(operands: tuple[Any, ...]) -> bool:
    return len(operands) == 1 and isinstance(operands[0], Value)


def _is_whole(index: Any) -> bool:
    """Whether an index takes everything."""
    parts = index if type(index) is tuple else (index,)
    return all(part is Ellipsis or (type(part) is slice and part == slice(None)) for part in parts)


def with_maxima(program: Program) -> Program:
    """Spell a clip that has no upper bound as max(x, 0): slower, but what is in every textbook."""
    return replace(program, equations=tuple(map(_as_maximum, program.equations)))


def _as_maximum(equation: Equation) -> Equation:
    if equation.function is np.clip and len(equation.args) == 3 and not equation.kwargs:
        x, low, high = equation.args
        numbers = isinstance(low, np.generic) and isinstance(high, np.generic)
        if numbers and low == 0 and high == np.inf and isinstance(x, Value):
            return replace(equation, function=np.maximum, args=(x, 0))
    return equation
