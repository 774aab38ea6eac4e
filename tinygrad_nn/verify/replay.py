"""Running a recording again on other numbers: on what moved, or on complex ones."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .._typing import Array
from ..autograd import Node
from ..autograd.graph import NO_OPTIONS
from ..autograd.run import Run
from ..primitives import Trait

__all__ = ["ComplexStep", "replayed"]


def replayed(nodes: Sequence[Node], known: Mapping[Node, Array]) -> dict[Node, Array]:
    """The values of computed nodes, in order, where those of some others are as given."""
    values = dict(known)
    for node in nodes:
        if node.primitive is not None and node not in values:
            operands = [values.get(i, i.value) if isinstance(i, Node) else i for i in node.inputs]
            found = node.primitive.evaluate(operands, node.static or NO_OPTIONS)
            values[node] = np.asarray(found)
    return values


class ComplexStep:
    """Derivatives of a recording by a complex step, f′(x) = Im f(x + ih) / h.

    Nothing is subtracted, so h can be tiny and nothing is lost. It needs functions that continue
    to the complex plane, so `of` gives None where a recorded row does not.

    Reference: [Squire1998].
    """

    def __init__(self, run: Run) -> None:
        self._inputs = run.inputs
        self._output = run.y
        visited = reversed(run.visit)
        self._nodes = [n for n in visited if n.primitive is not None and n not in run.own]

    @staticmethod
    def of(run: Run, f: Callable[[Sequence[Array]], Array]) -> "ComplexStep | None":
        """A complex step for a recording, if each of its rows is analytic, and it tells all.

        What f computes besides, on detached values say, no row shows. So the recording must give
        what f does at another point too.
        """
        step = ComplexStep(run)
        if run.y not in run.visit or not all(map(_is_analytic, step._nodes)):
            return None
        direction = {0: np.ones_like(run.inputs[0].value)}
        with np.errstate(all="ignore"):
            moved = [node.value * 1.125 + 0.0625 for node in run.inputs]
            try:
                again = step._output_at(dict(zip(run.inputs, moved, strict=True)))
                same = np.array_equal(again, f(moved), equal_nan=True)
                step.slope(direction, np.ones_like(run.y.value))
            except (ValueError, TypeError, ArithmeticError, IndexError):
                return None  # f, or a row, is not made for such numbers
        return step if same else None

    def slope(self, moves: Mapping[int, Array], weights: Array, width: float = 1.0) -> float:
        """The slope of Σ weights·f where inputs move along directions."""
        h = 1e-30 * width
        if h == 0:  # nothing is that small
            return np.nan
        inputs = self._inputs
        point = {inputs[i]: inputs[i].value + 1j * h * move for i, move in moves.items()}
        with np.errstate(all="ignore"):
            return float(np.sum(weights * np.imag(self._output_at(point)))) / h

    def _output_at(self, point: Mapping[Node, Array]) -> Array:
        values: Mapping[Node, Array] = replayed(self._nodes, point)
        return values.get(self._output, self._output.value)


def _is_analytic(node: Node) -> bool:
    return node.primitive is not None and Trait.ANALYTIC in node.primitive.traits
