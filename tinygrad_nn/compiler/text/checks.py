"""Checks as lines of a program: shapes, labels in range, gradients that are finite."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..operations import expect_finite
from ..program import Equation, Value
from .literals import literal

__all__ = ["Line", "argument_checks", "check_lines"]


class Line(NamedTuple):
    """A statement, and how much deeper it stands than those around."""

    depth: int
    text: str


def argument_checks(arguments: Mapping[Value, str]) -> list[Line]:
    """Refuse arrays of other shapes: numbers in the program may follow from these."""
    lines = []
    for value, name in arguments.items():
        if value.shape:
            error = f'f"expected {name} of shape {value.shape}; got {{{name}.shape}}"'
            lines += [Line(0, f"if {name}.shape != {value.shape}:")]
            lines += [Line(1, f"raise ValueError({error})")]
    return lines


def check_lines(equation: Equation, text: Callable[[Value], str]) -> list[Line]:
    """The lines of a check."""
    if equation.function is expect_finite:
        return _finite([text(v) for v in equation.inputs])
    value, low, high, where, remedy = equation.args
    name = text(value)
    error = Line(1, f"raise ValueError({literal(f'{where}; {remedy}')})")
    if value.shape and value.dtype.kind == "i" and low == 0:
        # One look is enough.
        remark = Line(0, "# Read without their signs, negative numbers are very large ones.")
        unsigned = f"np.uint{8 * value.dtype.itemsize}"
        return [remark, Line(0, f"if {name}.view({unsigned}).max() > {literal(high)}:"), error]
    if not value.shape:
        return [Line(0, f"if not {literal(low)} <= {name} <= {literal(high)}:"), error]
    within = f"{literal(low)} <= {name}.min() and {name}.max() <= {literal(high)}"
    return [Line(0, f"if not ({within}):"), error]


def _finite(names: list[str]) -> list[Line]:
    """Squares add up to a number, unless something is infinite, NaN, or very large."""
    error = 'raise FloatingPointError("a gradient is infinite or NaN")'
    if len(names) == 1:
        return [Line(0, f"if not math.isfinite(np.vdot({names[0]}, {names[0]})):"), Line(1, error)]
    return [
        Line(0, f"for gradient in ({', '.join(names)}):"),
        Line(1, "if not math.isfinite(np.vdot(gradient, gradient)):"),
        Line(2, error),
    ]
