"""Elementwise calls as expressions of single numbers, for Numba: what NumPy does, in its dtypes.

NumPy's own rules say in which dtype a call is computed; every operand is converted to that first.
What is not here, NumPy computes: halves, unsigned numbers, conversions to integers (what does not
fit is not defined), and integer powers, quotients and remainders (NumPy warns of a zero).
"""

from typing import Any

import numpy as np

from ..operations import astype, copy
from ..program import Equation, Value
from .groups import can_join, is_sum

__all__ = ["can_be_scalar", "loop_dtypes", "scalar_template"]

_NUMBERS = {np.dtype(name) for name in ("float32", "float64", "int32", "int64", "bool")}
_COMPARING: dict[Any, str] = {
    np.greater: "{0} > {1}", np.greater_equal: "{0} >= {1}", np.less: "{0} < {1}",
    np.less_equal: "{0} <= {1}", np.equal: "{0} == {1}", np.not_equal: "{0} != {1}",
}  # fmt: skip
_FLOAT: dict[Any, str] = {
    **_COMPARING,
    np.add: "{0} + {1}", np.subtract: "{0} - {1}", np.multiply: "{0} * {1}",
    np.divide: "{0} / {1}", np.negative: "-{0}", np.positive: "{0}", np.square: "{0} * {0}",
    np.absolute: "abs({0})", np.fabs: "abs({0})", np.sqrt: "math.sqrt({0})",
    np.reciprocal: "{1} / {0}",
    # NaN wins, as in NumPy; fmax and fmin let it lose. Of two zeros it is the second.
    np.maximum: "{0} if {0} > {1} or {0} != {0} else {1}",
    np.minimum: "{0} if {0} < {1} or {0} != {0} else {1}",
    np.fmax: "{0} if {0} > {1} or {1} != {1} else {1}",
    np.fmin: "{0} if {0} < {1} or {1} != {1} else {1}",
    np.clip: "{1} if {0} < {1} else {2} if {0} > {2} else {0}",
    np.isnan: "{0} != {0}", np.isfinite: "math.isfinite({0})", np.isinf: "math.isinf({0})",
    np.arctan2: "math.atan2({0}, {1})", np.hypot: "math.hypot({0}, {1})",
    np.copysign: "math.copysign({0}, {1})", np.power: "np.power({0}, {1})",
    np.logaddexp: "np.logaddexp({0}, {1})",
    np.sign: "np.{dtype}(({0} > 0) - ({0} < 0)) if {0} == {0} else {0}",
    np.arcsin: "math.asin({0})", np.arccos: "math.acos({0})", np.arctan: "math.atan({0})",
    np.arcsinh: "math.asinh({0})", np.arccosh: "math.acosh({0})", np.arctanh: "math.atanh({0})",
    **{f: f"np.{f.__name__}({{0}})" for f in (np.floor, np.ceil, np.trunc, np.rint)},
    **{f: f"math.{f.__name__}({{0}})" for f in (
        np.exp, np.expm1, np.log, np.log1p, np.log2, np.log10, np.sin, np.cos, np.tan, np.sinh,
        np.cosh, np.tanh)},
}  # fmt: skip
_SINGLE: dict[Any, str] = {  # float32: what the processor computes for many numbers at once
    np.exp: "exp_single({0})", np.log: "log_single({0})", np.log1p: "log1p_single({0})",
    np.expm1: "expm1_single({0})",
    np.tanh: "tanh_single({0})",
}  # fmt: skip
_INTEGER: dict[Any, str] = {
    **_COMPARING,
    np.add: "{0} + {1}", np.subtract: "{0} - {1}", np.multiply: "{0} * {1}",
    np.negative: "-{0}", np.positive: "{0}", np.square: "{0} * {0}", np.absolute: "abs({0})",
    np.maximum: "{0} if {0} >= {1} else {1}", np.minimum: "{0} if {0} <= {1} else {1}",
}  # fmt: skip
_BOOL: dict[Any, str] = {
    np.equal: "{0} == {1}", np.not_equal: "{0} != {1}", np.logical_not: "not {0}",
    np.logical_and: "{0} and {1}", np.logical_or: "{0} or {1}", np.logical_xor: "{0} != {1}",
}  # fmt: skip


def can_be_scalar(equation: Equation) -> bool:
    """Whether an elementwise call, or a sum of what such calls make, can be a scalar expression."""
    values = (*equation.inputs, *equation.outputs)
    if any(not v.weak and v.dtype not in _NUMBERS for v in values):
        return False
    if is_sum(equation):
        return equation.function in (np.sum, np.add.reduce, np.mean)
    return can_join(equation) and scalar_template(equation) is not None


def loop_dtypes(equation: Equation) -> tuple[np.dtype, ...] | None:
    """The dtype that each operand is converted to before the call is computed."""
    function, args, dtype = equation.function, equation.args, equation.output.dtype
    if function is np.where:
        condition = args[0].dtype if isinstance(args[0], Value) else np.dtype(bool)
        return condition, dtype, dtype
    if function in (astype, copy, np.copy):
        return (args[0].dtype,)
    if function is np.clip:
        return (dtype, dtype, dtype) if _clips_between_numbers(equation) else None
    if not isinstance(function, np.ufunc):
        return None
    kinds = [_kind(a) for a in args]
    try:
        found = function.resolve_dtypes((*kinds, None))
    except TypeError:
        return None
    return tuple(found[:-1]) if found[-1] == dtype else None


def _clips_between_numbers(equation: Equation) -> bool:
    """Whether the bounds are in order, so that it does not matter which is looked at first."""
    x, low, high = equation.args
    if not isinstance(x, Value) or x.dtype != equation.output.dtype:
        return False
    numbers = all(isinstance(bound, (int, float, np.number)) for bound in (low, high))
    return numbers and bool(low <= high)


def scalar_template(equation: Equation) -> str | None:
    """The call as text, with {0}, {1} in the places of its operands; None if it has none."""
    function, output = equation.function, equation.output
    if equation.kwargs:
        return None
    dtypes = loop_dtypes(equation)
    if dtypes is None or any(d not in _NUMBERS for d in dtypes):
        return None
    if function is np.where:
        return "{1} if {0} else {2}"
    if function in (astype, copy, np.copy):
        return _conversion(dtypes[0], output.dtype)
    known = {"f": _FLOAT, "i": _INTEGER, "b": _BOOL}[dtypes[0].kind]
    template = known.get(function)
    if dtypes[0] == np.float32:
        template = _SINGLE.get(function, template)
    if template is not None:
        template = template.replace("{dtype}", dtypes[0].name)
    if template is not None and output.dtype.kind == "i":  # Numba's integers grow, NumPy's do not
        template = f"np.{output.dtype.name}({template})"
    return template


def _conversion(old: np.dtype, new: np.dtype) -> str | None:
    if old == new:
        return "{0}"
    if new.kind == "b":
        return "{0} != 0"
    if old.kind == "f" and new.kind == "i":
        return None
    return f"np.{new.name}({{0}})"


def _kind(argument: Any) -> Any:
    """What NumPy's rules know an operand by: a dtype, or int and float for Python numbers."""
    if isinstance(argument, Value):
        return argument.dtype.type(0).item().__class__ if argument.weak else argument.dtype
    return type(argument) if type(argument) in (int, float) else np.asarray(argument).dtype
