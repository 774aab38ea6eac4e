"""Tangents: how fast each value of a recording moves, found without any derivative rule.

They are carried forward through the recorded rows, as y + i·h·y′. An analytic row takes the complex
number itself, f(x + ihx′) = y + i·h·y′: nothing is subtracted, so h can be tiny and nothing is
lost. Any other row is differenced alone, where its own numbers are of one size. So the tangents
stay exact where the rounding of large values, or saturation, hides a slope of the whole.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array
from ..autograd import Node
from ..autograd.run import Run
from ..primitives import Primitive, Trait
from .differences import elementwise_slopes, typical_size
from .replay import replayed, rounded

__all__ = ["Tangent", "Tangents"]

_STEP = 1e-30  # of the size of x: whose square vanishes beside it
_PART = 0.35  # of the usual steps, no power of two: so that other digits are rounded
_EXACT = 1e-10  # of a slope: what may be expected of it

Moves = Mapping[int, Array]


class Tangent(NamedTuple):
    """A slope by tangents, and what is known of its error."""

    slope: float
    error: float = np.inf
    doubt: float = 0.0  # the largest error of a row that was differenced, relative to its tangent


class Tangents:
    """The tangents of a recording at its point.

    Args:
        run: the recording. `of` says whether it tells all that f computes.
        random: the source of other roundings.

    Reference: [Squire1998].
    """

    def __init__(self, run: Run, random: "np.random.Generator") -> None:
        self._random = random
        self._inputs = run.inputs
        self._output = run.y
        visited = reversed(run.visit)
        self._nodes = [n for n in visited if n.primitive is not None and n not in run.own]
        # Whether every row is analytic, so that nothing is differenced at all.
        self.are_exact = all(map(_is_analytic, self._nodes))

    @staticmethod
    def of(
        run: Run, f: Callable[[Sequence[Array]], Array], random: "np.random.Generator"
    ) -> "Tangents | None":
        """The tangents of a recording, if it tells all.

        What f computes besides, on detached values say, no row shows. So the recording must give
        what f does at another point too.
        """
        tangents = Tangents(run, random)
        if run.y not in run.visit:
            return None
        with np.errstate(all="ignore"):
            moved = [node.value * 1.125 + 0.0625 for node in run.inputs]
            try:
                again = replayed(tangents._nodes, dict(zip(run.inputs, moved, strict=True)))
                # Up to rounding: what a softmax subtracts first is constant to the recording.
                same = np.allclose(again[run.y], f(moved), rtol=1e-10, atol=0, equal_nan=True)
            except (ValueError, TypeError, ArithmeticError, IndexError):
                return None  # f is not made for such numbers
        return tangents if same else None

    @np.errstate(all="ignore")
    def slope(self, moves: Moves, width: float, weights: Array) -> float:
        """The slope of Σ weights·f where inputs move along directions.

        Args:
            moves: for the number of an input, its direction; the others stay.
            width: the size of the numbers that move.
            weights: what the outputs are multiplied by.

        Returns:
            NaN at a kink, or where a row is not defined.
        """
        return self._along(moves, width, weights, 1.0, lambda y: y).slope

    @np.errstate(all="ignore")
    def measured(self, moves: Moves, width: float, weights: Array) -> Tangent:
        """The same, with its error: what shows by other steps, and rounded otherwise."""
        found = self._along(moves, width, weights, 1.0, lambda y: y)
        again = self._along(moves, width, weights, _PART, lambda y: rounded(y, self._random))
        error = 3 * abs(again.slope - found.slope) + _EXACT * abs(found.slope)
        return Tangent(found.slope, error, max(found.doubt, again.doubt))

    def _along(
        self,
        moves: Moves,
        width: float,
        weights: Array,
        part: float,
        finish: Callable[[Array], Array],
    ) -> Tangent:
        h = _STEP * part * width
        inputs = self._inputs
        point = {inputs[i]: inputs[i].value + 1j * h * move for i, move in moves.items()}
        doubts = [0.0]

        def moved(row: Primitive, operands: Sequence[Any], static: dict[str, Any]) -> Array:
            if Trait.ANALYTIC in row.traits or not any(map(np.iscomplexobj, operands)):
                return finish(np.asarray(row.evaluate(operands, static)))
            y, tangent, doubt = _differenced(row, operands, static, h, part)
            doubts.append(doubt)
            return y + 1j * h * tangent

        try:
            values = replayed(self._nodes, point, moved)
        except (ValueError, TypeError, ArithmeticError, IndexError):
            return Tangent(np.nan)  # a row is not made for such numbers
        total = float(np.sum(weights * np.imag(values[self._output])))
        return Tangent(total / h if h else np.nan, doubt=max(doubts))  # nothing is that small


def _is_analytic(node: Node) -> bool:
    return node.primitive is not None and Trait.ANALYTIC in node.primitive.traits


def _differenced(
    row: Primitive, operands: Sequence[Any], static: dict[str, Any], h: float, part: float
) -> tuple[Array, Array, float]:
    """A row that takes no complex numbers: its value, its tangent, and the error of that.

    The error is relative to the largest element.
    """
    values = [np.real(o) if np.iscomplexobj(o) else o for o in operands]
    moves = [np.imag(o) / h if np.iscomplexobj(o) else None for o in operands]

    def outputs(t: float) -> Array:
        moved = [v if m is None else v + t * m for v, m in zip(values, moves, strict=True)]
        return np.asarray(row.evaluate(moved, static))

    speeds = [
        (typical_size(v[m != 0]), float(np.max(np.abs(m))))
        for v, m in zip(values, moves, strict=True)
        if m is not None and m.any()
    ]
    y = outputs(0.0)
    if not speeds or y.dtype.kind != "f":
        return y, np.zeros_like(y), 0.0
    width = min(size / speed for size, speed in speeds)
    widest = min(1 / speed for _, speed in speeds)
    slopes, errors = elementwise_slopes(outputs, part * width, part * widest)
    largest = float(np.max(np.abs(slopes), initial=0.0))
    return y, slopes, float(np.max(errors, initial=0.0)) / largest if largest else 0.0
