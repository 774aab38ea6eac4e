"""The letters of a row's formulas, and the numbers they stand for at one element."""

import re
import unicodedata
from collections.abc import Iterator

import numpy as np

from ...autograd import Node
from ...primitives import Derivative, Primitive
from ...primitives.primitive import parameters_of

__all__ = ["arguments", "names_in", "numbers_at"]

_OURS = __name__.partition(".")[0] + ".primitives."
_WORD = re.compile(r"[^\W\d_]+")


def arguments(row: Primitive) -> tuple[str, ...]:
    """What the formulas call the arguments: the names in the rules' own signatures."""
    if row.variadic:
        return ("aᵢ",)
    for cell in row.derivatives:
        named = _named(cell, row.arrays)
        if named:
            return named
    ours = all(cell is None or cell.rule.__module__.startswith(_OURS) for cell in row.derivatives)
    return (
        tuple("abc"[: row.arrays]) if ours or not row.parameters else row.parameters[: row.arrays]
    )


def _named(cell: Derivative | None, count: int) -> tuple[str, ...]:
    if cell is None or not hasattr(cell.rule, "__code__"):
        return ()
    names = parameters_of(cell.rule).positional[2 : 2 + count]
    return names if len(names) == count else ()


def names_in(formula: str) -> set[str]:
    """The names in a formula; a superscript counts as what it is a small form of.

    Example:
        >>> from tinygrad_nn.diagrams.explain.letters import names_in
        >>> sorted(names_in("g·b·aᵇ⁻¹"))
        ['a', 'b', 'g']
    """
    return set(_words(formula))


def _words(formula: str) -> Iterator[str]:
    spaced = []
    for c in formula:
        small = unicodedata.decomposition(c).startswith(("<super>", "<sub>"))
        spaced.append(f" {unicodedata.normalize('NFKD', c)} " if small else c)
    return (match.group() for match in _WORD.finditer("".join(spaced)))


def numbers_at(node: Node, place: int, formula: str) -> tuple[tuple[str, float], ...]:
    """The numbers of the letters in a formula of an elementwise row, at one output element.

    The cotangent g is 1, since the derivative is that of the row alone.
    """
    row = node.primitive
    if row is None or row.variadic:
        return ()
    wanted = names_in(formula)
    index = np.unravel_index(place, node.value.shape)
    numbers: list[tuple[str, float]] = []
    for name, value in zip(("y", *arguments(row)), (node.value, *node.operands), strict=False):
        if name in wanted and np.asarray(value).dtype.kind in "fiub":
            whole = np.broadcast_to(np.asarray(value), node.value.shape)
            numbers.append((name, float(whole[index])))
    return (*(("g", 1.0) for _ in range("g" in wanted)), *numbers)
