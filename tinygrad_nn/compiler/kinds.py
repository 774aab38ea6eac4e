"""What kind of call an equation is: a view, elementwise, or one that writes where it is told."""

import operator

import numpy as np

from .operations import add_at, astype, copy, set_flat, set_item, side_by_side
from .program import Equation

__all__ = ["can_write", "is_elementwise", "is_view"]

_VIEWS = {np.reshape, np.transpose, np.swapaxes, np.expand_dims, np.squeeze, np.broadcast_to,
          np.moveaxis, np.ravel, np.matrix_transpose, operator.getitem, np.diagonal}  # fmt: skip
_REDUCTIONS = {np.sum, np.max, np.min, np.prod, np.add.reduce, np.maximum.reduce,
               np.minimum.reduce, np.amax, np.amin}  # fmt: skip
_WRITING = {set_item, set_flat, add_at, np.full, side_by_side, copy, astype}


def is_view(equation: Equation) -> bool:
    """Whether the output is another look at the memory of an input."""
    return equation.view is not None and equation.function in _VIEWS


def is_elementwise(equation: Equation) -> bool:
    """Whether each element of the output needs the elements at its own place alone."""
    function = equation.function
    if function is np.clip:
        return len(equation.args) == 3 and not equation.kwargs
    return isinstance(function, np.ufunc) and not function.signature and function.nout == 1


def can_write(equation: Equation) -> bool:
    """Whether the output can be written into memory that is there."""
    if len(equation.outputs) != 1 or not equation.output.shape or not equation.output.size:
        return False
    function = equation.function
    if function is np.take:  # without this mode, NumPy writes elsewhere first
        return dict(equation.kwargs) == {"mode": "clip"}
    if function in _WRITING or function in _REDUCTIONS or function is np.matmul:
        return True
    return is_elementwise(equation)
