"""Which step of a path is wrong: its derivative beside a difference of its operation alone."""

from collections.abc import Iterable, Mapping

import numpy as np

from ..._typing import Array
from ...autograd import Node
from ...autograd.graph import NO_OPTIONS
from ...verify.differences import Line, typical_size
from ...verify.judge import judge
from ...verify.replay import lifted
from ...verify.verdicts import Verdict
from ..labels import number
from .search import Hop
from .wording import at, printable

__all__ = ["suspects"]

_CHECKED, _TOLD = 100, 3  # steps


def suspects(hops: Iterable[tuple[Hop, int]], called: Mapping[Node, str]) -> tuple[str, ...]:
    """The steps whose local derivative is not what a finite difference of the operation says.

    Args:
        hops: steps, each with the element of its operand, counted flat.
        called: what each node is called.
    """
    told = []
    for hop, start in list(dict.fromkeys(hops))[:_CHECKED]:
        if hop.edge is None:
            continue
        node, position = hop.edge
        found = _difference(node, position, start, hop)
        if found is not None:
            operand = node.inputs[position]
            above = at(printable(called[node]), _index(node.value, hop.element))
            below = at(printable(called[operand]), _index(operand.value, start))
            told.append(
                f"∂{above}/∂{below} is wrong: the rule of {printable(node.primitive.name)} says "
                f"{number(hop.derivative)}, a finite difference of it alone {number(found)}."
                if node.primitive
                else ""
            )
    return tuple(told[:_TOLD])


def _difference(node: Node, position: int, start: int, hop: Hop) -> float | None:
    """The slope of one output element by one input element, where the rule's is wrong."""
    row = node.primitive
    if row is None:
        return None
    operands = [lifted(value) for value in node.operands]
    x = np.asarray(operands[position], dtype=np.float64)
    direction, weights = np.zeros_like(x), np.zeros(node.value.shape, dtype=np.float64)
    direction.flat[start], weights.flat[hop.element] = 1.0, 1.0

    def outputs(t: float) -> Array:
        moved = [x + t * direction if k == position else v for k, v in enumerate(operands)]
        return np.asarray(row.evaluate(moved, node.static or NO_OPTIONS))

    size = abs(float(x.flat[start]))
    try:
        with np.errstate(all="ignore"):
            line = Line(outputs, weights, size if 0 < size < np.inf else typical_size(x))
            found = judge(line, hop.derivative)
    except Exception:  # an operation that cannot be computed on other numbers
        return None
    # Of float32 a derivative is rounded; what is wrong is wrong by more.
    near = 1e-3 * max(abs(found.numeric), abs(hop.derivative))
    wrong = found.verdict is Verdict.WRONG and abs(found.numeric - hop.derivative) > near
    return found.numeric if wrong else None


def _index(value: Array, flat: int) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, value.shape))
