"""One element of each row, by its place in memory.

A loss takes from each row of scores the one of the true class, by the index (0, 1, 2, …), labels,
and its derivative puts something there. NumPy takes several times longer for two index arrays than
for one that counts through the whole array. The labels have been checked by then, so that none of
them counts from the end.
"""

import operator
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..._typing import Array
from ..kinds import can_write
from ..operations import expect_within, set_flat, set_item
from ..program import Equation, Program, Value

__all__ = ["by_places"]


def by_places(program: Program) -> Program:
    """Index matrices by rows and checked labels through places in memory."""
    constants, known = dict(program.constants), _Places()
    equations: list[Equation] = []
    for equation in program.equations:
        if equation.function is expect_within and equation.args[1] == 0:
            known.largest[equation.args[0]] = equation.args[2]
        if can_write(equation) and equation.view is None:
            known.made.update(equation.outputs)
        index = known.index_of(equation, constants)
        if index is None:
            equations.append(equation)
            continue
        key = (equation.args[0].shape, index)
        if key not in known.places:
            offsets, made = _places(equation, index)
            columns = equation.args[0].shape[1]
            constants[offsets] = np.arange(0, columns * offsets.size, columns)
            known.places[key] = made.output
            equations.append(made)
        equations.append(_by_place(equation, known.places[key]))
    return replace(program, equations=tuple(equations), constants=constants)


class _Places:
    """What is known of the values so far."""

    def __init__(self) -> None:
        self.largest: dict[Value, Any] = {}  # of values that are known to begin at 0
        self.made: set[Value] = set()  # arrays that lie in memory row by row
        self.places: dict[Any, Value] = {}

    def index_of(self, equation: Equation, constants: Mapping[Value, Array]) -> Value | None:
        """The labels that an equation indexes a matrix by; None if it does something else."""
        if equation.function not in (operator.getitem, set_item):
            return None
        matrix, index = equation.args[:2]
        if not isinstance(matrix, Value) or matrix not in self.made or len(matrix.shape) != 2:
            return None
        if type(index) is not tuple or len(index) != 2 or not all(map(_is_value, index)):
            return None
        rows, labels = index
        every = np.arange(matrix.shape[0])
        fits = rows in constants and np.array_equal(constants[rows], every)
        fits = fits and labels.shape == rows.shape and labels.dtype.char in "lqihb"
        fits = fits and self.largest.get(labels, np.inf) < matrix.shape[1]
        return labels if fits else None


def _is_value(part: Any) -> bool:
    return isinstance(part, Value)


def _places(equation: Equation, labels: Value) -> tuple[Value, Equation]:
    """The place of each row's beginning, and the equation that adds the labels to them."""
    offsets = Value(labels.shape, np.dtype(np.int64), "beginnings")
    places = Value(labels.shape, np.dtype(np.int64), "places")
    return offsets, Equation(np.add, (offsets, labels), {}, (places,), equation.origin)


def _by_place(equation: Equation, places: Value) -> Equation:
    if equation.function is set_item:
        return replace(
            equation, function=set_flat, args=(equation.args[0], places, equation.args[2])
        )
    # They are within bounds, and with this mode NumPy needs no memory of its own.
    options = {"mode": "clip"}
    return replace(equation, function=np.take, args=(equation.args[0], places), kwargs=options)
