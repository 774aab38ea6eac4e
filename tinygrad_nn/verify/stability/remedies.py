"""What to write instead, for each way in which an operation makes an infinity or NaN of numbers."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ...autograd import Graph, Node
from .patterns import called, find
from .unstable import matching

__all__ = ["remedy"]

# The rows it is about, when it is true of their operands, and what to do.
Remedy: TypeAlias = tuple[str, Callable[[float, float], bool], str]

_MOST = 100  # of the nodes around it, so many are looked at
_NEAR = 4  # so many steps up from an operation, a formula that it is part of is looked for
_LOGARITHMS = "log log2 log10"
_FRACTIONS = "divide floor_divide remainder fmod"

# Where one operation alone has no finite value, ...
_VALUES: tuple[Remedy, ...] = (
    (_LOGARITHMS, lambda a, b: a == 0,
     "the logarithm of 0 is −∞: keep the argument above 0, with x + eps or np.maximum(x, eps)"),
    (_LOGARITHMS, lambda a, b: a < 0,
     "a negative number has no logarithm: take np.abs(x), or keep the argument above 0"),
    ("log1p", lambda a, b: a <= -1, "ln(1 + a) needs a above −1: clip it there"),
    ("sqrt", lambda a, b: a < 0,
     "a negative number has no square root: rounding may do this to a difference; "
     "np.sqrt(np.maximum(x, 0))"),
    (_FRACTIONS, lambda a, b: a == 0 == b,
     "0 / 0 has no value: add eps to the denominator, or divide by np.where(b != 0, b, 1)"),
    (_FRACTIONS, lambda a, b: b == 0,
     "a division by zero: add eps to the denominator, or divide by np.where(b != 0, b, 1)"),
    (_FRACTIONS, lambda a, b: abs(b) < 1,
     "the quotient overflows {dtype}: add eps to so small a denominator"),
    ("reciprocal", lambda a, b: True, "1 / a overflows near 0: keep a away from it"),
    ("power float_power", lambda a, b: a < 0 and b != math.floor(b),
     "a negative number to a fraction is NaN: take np.abs(x), or a whole exponent"),
    ("power float_power", lambda a, b: a == 0 and b < 0,
     "0 to a negative power is a division by zero: keep the base away from 0"),
    ("arcsin arccos", lambda a, b: abs(a) > 1,
     "it is defined from −1 to 1, and rounding may pass them: np.clip(x, -1, 1)"),
    ("arctanh", lambda a, b: True,
     "it is finite between −1 and 1 alone: np.clip(x, -1 + eps, 1 - eps)"),
    ("arccosh", lambda a, b: a < 1, "it is defined from 1 upwards: np.maximum(x, 1)"),
    ("exp expm1", lambda a, b: True,
     "eᵃ overflows {dtype} above {exp:.2f}: take the largest exponent away first, or use "
     "activations.softmax, activations.softplus or np.logaddexp, which do"),
    ("exp2", lambda a, b: True, "2ᵃ overflows {dtype} from {exp2:.0f} on: bound the exponent"),
    ("sinh cosh", lambda a, b: True, "it overflows {dtype} above {sinh:.2f}: bound the argument"),
    ("astype", lambda a, b: True,
     "the largest {dtype} is {max:.6g}: keep the wider dtype, or scale the numbers down"),
    ("log_det", lambda a, b: True, "the matrix is singular: add eps to its diagonal"),
)  # fmt: skip

# ... and where it has one, but no finite derivative.
_SLOPES: tuple[Remedy, ...] = (
    ("sqrt", lambda a, b: a == 0,
     "the slope of √a is infinite at 0: np.sqrt(x + eps), or np.linalg.norm for a length, whose "
     "gradient is 0 there"),
    ("cbrt", lambda a, b: a == 0, "the slope of ∛a is infinite at 0: keep a away from it"),
    ("power float_power", lambda a, b: a == 0,
     "the slope of aᵇ is infinite at 0 for b < 1: (x + eps) ** p"),
    ("power float_power", lambda a, b: a < 0,
     "the slope by an exponent is aᵇ·ln a, which needs a above 0"),
    ("arcsin arccos", lambda a, b: abs(a) == 1,
     "its slope is infinite at −1 and 1: np.clip(x, -1 + eps, 1 - eps)"),
    ("arccosh", lambda a, b: a == 1, "its slope is infinite at 1: np.maximum(x, 1 + eps)"),
    ("arctanh", lambda a, b: True, "its slope is infinite at −1 and 1: clip it inside them"),
    (_LOGARITHMS + " log1p", lambda a, b: True,
     "its slope overflows {dtype} so near its end: np.maximum(x, eps)"),
    (_FRACTIONS + " reciprocal", lambda a, b: True,
     "the slope of a / b is a / b², which overflows {dtype}: add eps to the denominator"),
)  # fmt: skip

# How an argument is kept where a function is regular, in what np.where does not select.
_SAFE = {
    **dict.fromkeys(("log", "log2", "log10", "sqrt", "cbrt"), "np.{row}(np.where(x > 0, x, 1))"),
    "log1p": "np.log1p(np.where(x > -1, x, 0))",
    "divide": "a / np.where(b != 0, b, 1)",
    "reciprocal": "1 / np.where(x != 0, x, 1)",
    "power": "np.where(x > 0, x, 1) ** p",
    **dict.fromkeys(("arcsin", "arccos", "arctanh"), "np.{row}(np.where(np.abs(x) < 1, x, 0))"),
    "exp": "np.exp(np.where(x < limit, x, 0))",
}
_LIBRARY = {
    "softmax": "activations.softmax(x), which takes the largest away first",
    "sigmoid": "activations.sigmoid(x), which never overflows",
}


def remedy(
    graph: Graph, node: Node, numbers: Sequence[float | None], *, backward: bool = False
) -> str:
    """What to do about a node that makes numbers which are not finite; "" if nothing is known.

    Args:
        graph: the recording, whose formulas around the node say what was meant.
        node: the operation, or what came in not finite.
        numbers: the elements that it failed at, as far as they are known.
        backward: whether its derivative failed, and not itself.
    """
    if node.primitive is None:
        return "clean or mask the data first; np.isfinite(x) shows which are numbers"
    near = _near(graph, node)
    for candidate in near:
        for rule, match in matching(candidate):
            inside = candidate is node or node in match.nodes
            if inside and (rule.where is None or np.any(rule.where(match))):
                return f"{rule.message}; write {rule.advice}"
    for form, instead in _LIBRARY.items():
        made_of = [laid.x for n in near if (laid := find(f"{form}(x)", n)) is not None]
        if any(type(x) is Node and node.number > x.number for x in made_of):
            return f"write {instead}"
    row = called(node)
    if row in _SAFE and _is_branch(near, backward):
        safe = _SAFE[row].format(row=row)
        return f"np.where computes both branches: make the argument safe inside it, as in {safe}"
    return _said(row, node, numbers, backward)


def _said(row: str, node: Node, numbers: Sequence[float | None], backward: bool) -> str:
    a, b = (*(math.nan if n is None else n for n in numbers), math.nan, math.nan)[:2]
    about = _about(node.value.dtype)
    for rows, holds, text in _SLOPES if backward else _VALUES:
        if row in rows.split() and holds(a, b):
            return text.format(**about)
    sizes = [np.size(v) for v in node.operands]
    if 0 in sizes:
        return "an empty array has no such number: skip empty batches"
    if row in ("var", "std") and not backward and (node.static or {}).get("ddof"):
        return "there are no more elements than ddof: use ddof=0, or more of them"
    if about["dtype"] == "float64":
        return "it overflows float64: scale the numbers down, or compute with their logarithms"
    return (
        f"it overflows {about['dtype']}, whose largest number is {about['max']:.4g}: "
        f"compute in float64, or scale the numbers down"
    )


def _about(dtype: Any) -> dict[str, Any]:
    largest = np.finfo(dtype).max.astype(np.longdouble)
    return {
        "dtype": str(dtype),
        "max": float(largest),
        "exp": float(np.log(largest)),
        "exp2": float(np.log2(largest)),
        "sinh": float(np.log(largest) + math.log(2)),
    }


def _near(graph: Graph, node: Node) -> list[Node]:
    """A node and what is made of it within a few steps, in order."""
    steps = {node: 0}
    for user in graph.nodes:
        before = [steps[i] for i in user.parents if i in steps]
        if before and min(before) < _NEAR:
            steps[user] = min(before) + 1
    return list(steps)[:_MOST]


def _is_branch(near: Sequence[Node], backward: bool) -> bool:
    """Whether it is in a branch of np.where, of which nothing that is not finite was selected."""
    finite = {n for n in near if np.all(np.isfinite(n.value))}
    selections = [n for n in near if called(n) == "where" and n in finite]
    branches = {i for n in selections for i in n.inputs[1:] if type(i) is Node and i in near}
    return bool(branches if backward else branches - finite)
