"""A second opinion on a derivative, where differences of the whole function cannot tell.

Tangents say what it is, whatever large value or saturation hides it. And the gradient of the same
recording, its values rounded otherwise, says how many digits of the gradient are worth anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from .._typing import Array
from ..autograd import Node, no_grad
from ..autograd.backward import gradients
from ..autograd.run import Run, pull
from ..primitives import Primitive, Trait
from .differences import UNDEFINED, UNDERFLOW, Line
from .replay import Evaluate, copied, replayed, rounded
from .tangents import Tangent, Tangents
from .verdicts import Element, Verdict

__all__ = ["Crosscheck", "along", "parts_along"]

_TRUSTED = 1e-4  # of a slope: with a larger error it does not settle anything
_EXACT = 1e-9  # the same, where nothing but rounding is left of it
_NOISE = 0.5  # of a gradient: with more of it rounding, it is none
_SEEN = 1e3  # times what rounding of f hides
_ROUNDED = 1e-6  # of a gradient: what rounding may make of it where something saturates
_VANISHING = 1e-16  # of what rounding leaves of a slope of that size: in a saturated output, say
_CANCELLED = 1e-15  # of what was added up: less is but its rounding
_SHAKES = 4  # how often a recording is rounded otherwise

Moves = Mapping[int, Array]


class Crosscheck:
    """What a recording says of derivatives that differences have judged.

    Args:
        run: the recording.
        f: the function itself, of arrays: to see whether the recording tells all.
        random: the source of other roundings.
    """

    def __init__(
        self, run: Run, f: Callable[[Sequence[Array]], Array], random: "np.random.Generator"
    ) -> None:
        self._run = run
        self._f = f
        self._random = random

    @cached_property
    def _tangents(self) -> Tangents | None:
        return Tangents.of(self._run, self._f, self._random)

    def settled(self, element: Element, moves: Moves, line: Line) -> Element:
        """Confirm a verdict along a line, or overrule it.

        Args:
            element: what differences say.
            moves: for the number of an input, its direction.
            line: the function along these moves.
        """
        tangents = self._tangents_for(element, line)
        if tangents is None:
            return element
        slope = tangents.slope(moves, line.weights)
        off, size = abs(element.analytic - slope), max(abs(element.analytic), abs(slope))
        if element.right and off <= _ROUNDED * size:
            return element
        rounding = 4 * self._rounding(moves, line.weights)
        if rounding > _NOISE * size and size > _SEEN * line.hidden:
            return replace(element, verdict=Verdict.UNSTABLE)
        if element.verdict is Verdict.WRONG:
            if abs(element.analytic - element.numeric) <= 10 * element.error_bar + rounding:
                return replace(element, verdict=Verdict.PASS)
            if element.numeric == 0 and abs(element.analytic) <= 10 * self._hidden(line):
                return replace(element, verdict=Verdict.UNSTABLE)
            if abs(slope - element.numeric) <= 0.5 * off:
                return element  # both say so
        found = tangents.measured(moves, line.weights)
        return _weighed(element, found, rounding, line, tangents.are_exact)

    def _tangents_for(self, element: Element, line: Line) -> Tangents | None:
        """The tangents, where they can tell more than differences did.

        Kinks and jumps are for differences to tell, and so is where f is not defined.
        """
        if element.verdict in (Verdict.KINK, Verdict.JUMP):
            return None
        if not (np.isfinite(element.numeric) and np.isfinite(element.analytic)):
            return None
        if not np.all(np.isfinite(self._run.y.value[line.weights != 0])):
            return None
        tangents = self._tangents
        certain = tangents is not None and element.is_exact and not tangents.are_exact
        return None if certain else tangents

    def _hidden(self, line: Line) -> float:
        """A slope that the rounding of values inside may hide, though what comes out is small."""
        with no_grad():
            arrived = gradients(self._run.visit, [(self._run.y, line.weights)])
        sizes = (float(np.sum(np.abs(g * node.value))) for node, g in arrived.items())
        return line.epsilon * max(filter(np.isfinite, sizes), default=0.0) / line.width

    def _rounding(self, moves: Moves, weights: Array) -> float:
        """By how much the gradient along moves changes when values are rounded otherwise.

        Where something saturates or cancels, a right rule may keep few digits, or none.
        """
        run = self._run
        itself = {node: node for node in (*run.visit, *run.inputs)}
        found = []
        for twins in (itself, *self._shaken):
            found.append(self._pulled(twins, rounded(weights, self._random), moves))
        spread = max(found) - min(found)
        if not self._longer:
            return spread
        longer = self._pulled(self._longer, weights.astype(np.longdouble), moves)
        return max(spread, abs(longer - self._pulled(itself, weights, moves)))

    def _pulled(self, twins: Mapping[Node, Node], weights: Array, moves: Moves) -> float:
        """The gradient along moves that a copy of the recording gives."""
        run = self._run
        visit, ends = [twins[n] for n in run.visit], [twins[n] for n in run.inputs]
        with no_grad():
            pulled = pull(visit, [(twins[run.y], weights)], ends, recorded=False)
        return along([node.value for node in pulled], moves)

    @cached_property
    def _shaken(self) -> list[dict[Node, Node]]:
        """The recording, with its values rounded otherwise."""

        def shaken(row: Primitive, operands: Sequence[Any], static: dict[str, Any]) -> Array:
            y = np.asarray(row.evaluate(operands, static))
            # Other rows may select, and their rules look for what is equal.
            return rounded(y, self._random) if Trait.ANALYTIC in row.traits else y

        def near() -> dict[Node, Array]:
            return {node: rounded(node.value, self._random) for node in self._run.inputs}

        with np.errstate(all="ignore"):
            return [self._copied(near(), shaken) for _ in range(_SHAKES)]

    @cached_property
    def _longer(self) -> dict[Node, Node]:
        """The recording in longer numbers; nothing where a row takes none, or there are none."""
        try:
            with np.errstate(all="ignore"):
                known = {n: n.value.astype(np.longdouble) for n in self._run.inputs}
                return self._copied(known, Primitive.evaluate)
        except UNDEFINED:
            return {}

    def _copied(self, known: Mapping[Node, Array], evaluate: Evaluate) -> dict[Node, Node]:
        run = self._run
        nodes = [*run.inputs, *(n for n in reversed(run.visit) if n not in run.own)]
        return copied(nodes, replayed(nodes, known, evaluate))


def _weighed(
    element: Element, found: Tangent, rounding: float, line: Line, are_exact: bool
) -> Element:
    """A verdict beside what tangents say, as far as they can be trusted.

    Args:
        element: what differences say.
        found: what tangents say.
        rounding: what rounding leaves open of the gradient.
        line: the function.
        are_exact: whether nothing was differenced to find the tangents.
    """
    slope, error, doubt = found
    if not np.isfinite(error):
        return element
    off, size = abs(element.analytic - slope), max(abs(element.analytic), abs(slope))
    if doubt > _EXACT and error > max(_TRUSTED * abs(slope), rounding):
        cannot_tell = element.verdict is Verdict.WRONG and off <= 10 * error
        return replace(element, verdict=Verdict.UNSTABLE) if cannot_tell else element
    rounding_of_f = line.epsilon * line.size / line.width
    near = 10 * error + rounding + _VANISHING * rounding_of_f + UNDERFLOW
    saturated = _ROUNDED * size
    if element.verdict is Verdict.WRONG:  # nearer by far than the difference is
        saturated = min(saturated, 1e-3 * abs(slope - element.numeric))
    if off <= near + saturated:
        if element.right:
            return element
        return replace(element, verdict=Verdict.PASS, numeric=slope, error_bar=max(error, off))
    if are_exact:
        return replace(element, verdict=Verdict.WRONG, numeric=slope, error_bar=error)
    return replace(element, verdict=Verdict.UNSTABLE) if element.right else element


def along(gradients: Sequence[Array], moves: Moves) -> float:
    """The derivative along moves, 0 where parts that are rounded cancel.

    What does not move does not count, whatever its gradient.
    """
    total, size = parts_along(gradients, moves)
    return 0.0 if abs(total) < _CANCELLED * size else total


@np.errstate(invalid="ignore")
def parts_along(gradients: Sequence[Array], moves: Moves) -> tuple[float, float]:
    """The sum of the parts of a derivative along moves, and of their sizes."""
    parts = np.concatenate([gradients[i][m != 0] * m[m != 0] for i, m in moves.items()])
    return float(np.sum(parts)), float(np.sum(np.abs(parts)))
