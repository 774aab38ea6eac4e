"""Tangents: how fast each value of a recording moves, found without any derivative rule.

They are carried forward from row to row, beside the values that were recorded. An analytic row is
given complex numbers, f(x + ihx′) = y + i·h·y′ + O(h²): nothing is subtracted, so h can be tiny and
nothing is lost. Any other row is differenced alone, where its own numbers are of one size. So
tangents stay exact where the rounding of large values, or saturation, hides a slope of the whole.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array
from ..autograd import Node
from ..autograd.graph import NO_OPTIONS
from ..autograd.run import Run
from ..primitives import Primitive, Trait
from .differences import UNDEFINED, elementwise_slopes, typical_size
from .replay import replayed, rounded

__all__ = ["Tangent", "Tangents"]

_STEP, _LARGER_STEP = 1e-30, 1e-6  # of the size of x; the second for x that is itself tiny
_LEAST_MOVE = 1e-290  # below this, digits are lost
_PART = 0.35  # of the usual steps, no power of two: so that other digits are rounded
_EXACT = 1e-10  # of a slope: what may be expected of it

Moves = Mapping[int, Array]


class Tangent(NamedTuple):
    """A slope by tangents, and what is known of its error."""

    value: float
    error: float
    doubt: float  # the largest error of a row that was differenced, relative to its tangent


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
        self._moves: Moves = {}
        self._carried: dict[bool, tuple[Array, float]] = {}  # along the latest moves

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
            except UNDEFINED:
                return None  # f is not made for such numbers
        return tangents if same else None

    def slope(self, moves: Moves, weights: Array) -> float:
        """The slope of Σ weights·f where inputs move along directions.

        Args:
            moves: for the number of an input, its direction; the others stay.
            weights: what the outputs are multiplied by.

        Returns:
            NaN where a row is not defined, or where one that is differenced has a kink.
        """
        return float(np.sum(weights * self._along(moves, again=False)[0]))

    def measured(self, moves: Moves, weights: Array) -> Tangent:
        """The same, with its error: what shows by other steps, and rounded otherwise."""
        (tangent, doubt), (other, _) = (self._along(moves, again) for again in (False, True))
        slope, once_more = float(np.sum(weights * tangent)), float(np.sum(weights * other))
        return Tangent(slope, 3 * abs(once_more - slope) + _EXACT * abs(slope), doubt)

    def _along(self, moves: Moves, again: bool) -> tuple[Array, float]:
        """The tangent of the output, which serves the slopes for all weights, and its doubt."""
        if self._moves is not moves:
            self._moves, self._carried = moves, {}
        if again not in self._carried:
            try:
                with np.errstate(all="ignore"):
                    self._carried[again] = self._carry(moves, again)
            except UNDEFINED:  # a row takes no such
                self._carried[again] = np.full_like(self._output.value, np.nan), np.inf
        return self._carried[again]

    def _carry(self, moves: Moves, again: bool) -> tuple[Array, float]:
        tangents = {self._inputs[i]: move for i, move in moves.items()}
        doubts = [0.0]
        for node in self._nodes:
            if node.primitive is None or tangents.keys().isdisjoint(node.parents):
                continue
            operands = [
                (i.value, tangents.get(i)) if isinstance(i, Node) else (i, None)
                for i in node.inputs
            ]
            tangent, doubt = _row_tangent(
                node.primitive, operands, node.static or NO_OPTIONS, _PART if again else 1.0
            )
            tangents[node] = rounded(tangent, self._random) if again else tangent
            doubts.append(doubt)
        return tangents.get(self._output, np.zeros_like(self._output.value)), max(doubts)


def _is_analytic(node: Node) -> bool:
    return node.primitive is not None and Trait.ANALYTIC in node.primitive.traits


def _longer(value: Any) -> Any:
    real = isinstance(value, np.ndarray) and value.dtype == np.float64
    return value.astype(np.longdouble) if real else value


def _row_tangent(
    row: Primitive,
    operands: Sequence[tuple[Any, Array | None]],
    static: dict[str, Any],
    part: float,
) -> tuple[Array, float]:
    """The tangent of a row, and its error relative to the largest element.

    Args:
        row: what computes.
        operands: the value of each, and its tangent if it moves.
        static: the row's other arguments.
        part: of the usual steps.
    """

    def outputs(t: complex) -> Array:
        moved = [v if move is None else v + t * move for v, move in operands]
        return np.asarray(row.evaluate(moved, static))

    speeds = [
        (typical_size(v[move != 0]), float(np.max(np.abs(move))))
        for v, move in operands
        if move is not None and move.any()
    ]
    y = outputs(0.0)
    if not speeds or y.dtype.kind != "f":
        return np.zeros_like(y, dtype=np.float64), 0.0
    width = part * min(size / speed for size, speed in speeds)
    if Trait.ANALYTIC in row.traits:
        least = min(typical_size(y), *(size for size, _ in speeds))
        h = width * (_STEP if _STEP * least > _LEAST_MOVE else _LARGER_STEP)
        return np.imag(outputs(1j * h)) / h, 0.0
    # In longer numbers, where there are any: less of them is rounded away.
    operands = [(_longer(v), _longer(move)) for v, move in operands]
    slopes, errors = elementwise_slopes(
        outputs, width, part * min(1 / speed for _, speed in speeds)
    )
    largest = float(np.max(np.abs(slopes), initial=0.0))
    doubt = float(np.max(errors, initial=0.0)) / largest if largest else 0.0
    return slopes.astype(np.float64), doubt
