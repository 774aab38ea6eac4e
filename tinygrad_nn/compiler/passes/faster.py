"""The same sums, maxima and masks by the calls that NumPy is fast at.

NumPy takes longer to begin with a row than to reduce it, when rows are as short as those of a few
classes; and it adds rows in half the time of BLAS or less. Maxima come out the same; sums may
differ in the last bits, since the terms are added in another order. A mask that something is
multiplied by is converted as a whole: NumPy would make memory for its parts in each call.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..kinds import can_write
from ..operations import astype, copy
from ..program import Equation, Program, Value

__all__ = ["faster"]

_SUMS = {np.sum, np.add.reduce}
_MAXIMA = {np.max, np.amax}
_SHORT = 16  # elements of a row that is shorter than its beginning
_LEAST = 256  # elements of a mask that is worth a call


def faster(program: Program) -> Program:
    """Spell reductions of matrices, and products by masks, by faster calls."""
    made = {e.output for e in program.equations if can_write(e) and e.view is None}
    constants = dict(program.constants)
    ones: dict[Any, Value] = {}

    def ones_of(shape: Any, dtype: Any) -> Value:
        if (shape, dtype) not in ones:
            value = ones[shape, dtype] = Value(shape, dtype, "ones")
            constants[value] = np.ones(shape, dtype=dtype)
        return ones[shape, dtype]

    equations: list[Equation] = []
    for equation in program.equations:
        equations += _spelled(equation, made, ones_of) or _converted(equation)
    return replace(program, equations=tuple(equations), constants=constants)


def _spelled(
    equation: Equation, made: set[Value], ones_of: Callable[[Any, Any], Value]
) -> list[Equation]:
    """Faster equations for one; none, if it is fast as it is."""
    if equation.function not in _SUMS | _MAXIMA or len(equation.args) != 1:
        return []
    (x,) = equation.args
    options = dict(equation.kwargs)
    axis, keep = options.pop("axis", None), options.pop("keepdims", False)
    axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    if options or not isinstance(x, Value) or x not in made or len(x.shape) != 2:
        return []
    if x.dtype.char not in "fd" or 0 in x.shape or equation.output.dtype != x.dtype:
        return []
    rows, columns = x.shape
    if equation.function in _SUMS:
        if axis in (0, -2) and not keep:
            return [_product(equation, ones_of((rows,), x.dtype), x)]
        if axis in (1, -1) and columns <= _SHORT:
            shape = (columns, 1) if keep else (columns,)
            return [_product(equation, x, ones_of(shape, x.dtype))]
        return []
    return (
        list(_by_columns(equation, x, bool(keep))) if axis in (1, -1) and columns <= _SHORT else []
    )


def _converted(equation: Equation) -> list[Equation]:
    """A product by a mask with the mask in the dtype of the product; any other as it is."""
    output = equation.output if len(equation.outputs) == 1 else None
    if equation.function is not np.multiply or output is None or output.dtype.kind != "f":
        return [equation]
    masks = [v for v in equation.inputs if v.dtype.kind == "b" and v.size == output.size >= _LEAST]
    if len(masks) != 1 or equation.kwargs:
        return [equation]
    (mask,) = masks
    factor = Value(mask.shape, output.dtype, mask.name)
    conversion = Equation(astype, (mask, output.dtype), {}, (factor,), equation.origin)
    return [conversion, equation.with_inputs({mask: factor})]


def _product(equation: Equation, left: Value, right: Value) -> Equation:
    return replace(equation, function=np.matmul, args=(left, right), kwargs={}, view=None)


def _by_columns(equation: Equation, x: Value, keep: bool) -> Iterator[Equation]:
    """The maximum of each short row, column by column."""
    rows, columns = x.shape
    turned = Value((columns, rows), x.dtype)
    lines = Value((columns, rows), x.dtype, "columns")
    origin = equation.origin
    yield Equation(np.transpose, (x,), {}, (turned,), origin, view=x)
    yield Equation(copy, (turned,), {}, (lines,), origin)
    if not keep:
        yield replace(equation, args=(lines,), kwargs={"axis": 0})
        return
    row = Value((rows,), x.dtype, "largest")
    yield Equation(np.max, (lines,), {"axis": 0}, (row,), origin)
    yield Equation(np.reshape, (row, (rows, 1)), {}, (equation.output,), origin, view=row)
