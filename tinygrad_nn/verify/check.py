"""One check: a function of float64 arrays, its gradient from the recording, and its slopes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array
from ..autograd import Tensor, no_grad, plain_output, vjp
from ..autograd.containers import is_container, leaves
from ..autograd.run import Run
from .crosscheck import Crosscheck, along, parts_along
from .differences import Line, typical_size
from .judge import judge
from .verdicts import Element, Verdict

__all__ = ["Check", "Way"]

_STEP = 2.0**-13  # of the size of x: of a single difference, the usual best
_REPEATABLE = 1e-13  # threads that add up in another order differ by rounding alone


class Way(NamedTuple):
    """Where to go from the point of a check: how inputs move, and what the function does then."""

    moves: Mapping[int, Array]  # for the number of an input, its direction; others stay
    width: float  # the size of the numbers that are moved
    outputs: Callable[[float], Array]  # at so much of the way


class Check:
    """The derivatives of a function at a point, for a random cotangent.

    Args:
        f: takes Tensors, returns an array or a container of them.
        values: where, in float64.
        names: what the report calls the inputs.
        random: the source of the cotangent, and of directions.
        order: which derivative of the user's function f's gradient is.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        values: Sequence[Array],
        names: Sequence[str],
        random: "np.random.Generator",
        order: int = 1,
    ) -> None:
        self._f = f
        self.values = values
        self.names = names
        self.random = random
        self.order = order
        (y, first), (again, second) = self._timed(), self._timed()
        self.seconds = min(first, second)  # what one evaluation takes
        self.cotangent: Array = random.standard_normal(y.shape)
        self.run = self._run()
        self.gradients: tuple[Array, ...] = ()
        self.repeats = _alike(y, again) and _alike(y, self.run.y.value)
        if self.repeats:
            self.gradients = self.pull(self.cotangent)
            pulled = self._pulled_again()
            self.repeats = bool(pulled) and all(map(_alike, self.gradients, pulled))

    @property
    def unit(self) -> float:
        """A scalar's numbers are shown as its own gradient, not as the cotangent's."""
        return float(self.cotangent.item()) if self.cotangent.size == 1 else 1.0

    def evaluate(self, arrays: Sequence[Array]) -> Array:
        """The outputs as one array, without a recording."""
        with no_grad():
            return np.asarray(plain_output(self._joined(*map(Tensor, arrays))))

    def _timed(self) -> tuple[Array, float]:
        started = time.perf_counter()
        y = self.evaluate(self.values)
        return y, time.perf_counter() - started

    def pull(self, cotangent: Array) -> tuple[Array, ...]:
        """The gradient by each input that the recording gives."""
        with no_grad():
            return self.run.pull([(self.run.y, cotangent)])

    def gradient(self, *inputs: Any) -> Any:
        """The gradient as a function of the same inputs, as one row: what order 2 checks."""
        _, pullback = vjp(self._joined, *inputs)
        return np.concatenate([np.ravel(part) for part in pullback(self.cotangent)])

    def _joined(self, *inputs: Any) -> Any:
        """All that f returns, as one array."""
        y = self._f(*inputs)
        several = leaves(y) if is_container(y) else []
        return np.concatenate([np.ravel(leaf) for leaf in several]) if several else y

    def _run(self) -> Run:
        with no_grad():  # whatever f closes over is a constant here
            return Run(self._joined, self.values, {}, tuple(range(len(self.values))))

    def _pulled_again(self) -> tuple[Array, ...]:
        again = self._run()
        if again.y.value.shape != self.cotangent.shape:
            return ()
        with no_grad():
            return again.pull([(again.y, self.cotangent)])

    @cached_property
    def _crosscheck(self) -> Crosscheck:
        return Crosscheck(self.run, self.evaluate, self.random)

    def way(self, moves: Mapping[int, Array], width: float) -> Way:
        """A way from the point along one direction for each input that moves."""

        def outputs(t: float) -> Array:
            return self.evaluate(
                [v + t * moves[i] if i in moves else v for i, v in enumerate(self.values)]
            )

        return Way(moves, width, outputs)

    def axis(self, i: int, index: tuple[int, ...]) -> Way:
        """The way that moves one element of an input."""
        value = self.values[i]
        direction = np.zeros(value.shape, dtype=np.float64)
        direction[index] = 1.0
        size = abs(float(value[index]))
        return self.way({i: direction}, size if 0 < size < np.inf else typical_size(value))

    def off(self, way: Way) -> float:
        """By how much the gradient along a way is off a single difference: to compare places."""
        line = Line(way.outputs, self.cotangent, way.width)
        off = abs(along(self.gradients, way.moves) - line.slope(_STEP * line.width).value)
        return off if np.isfinite(off) else 0.0

    def _is_finite_along(self, way: Way) -> bool:
        return all(bool(np.all(np.isfinite(self.values[i][m != 0]))) for i, m in way.moves.items())

    def judged(
        self,
        way: Way,
        weights: Array | None = None,
        gradients: Sequence[Array] | None = None,
    ) -> Element:
        """The verdict on the derivative along a way, by the check's own cotangent or another."""
        weights = self.cotangent if weights is None else weights
        gradients = self.gradients if gradients is None else gradients
        line = Line(way.outputs, weights, way.width)
        _, cancelling = parts_along(gradients, way.moves)
        element = judge(line, along(gradients, way.moves), cancelling)
        if element.verdict is Verdict.WRONG and not self._is_finite_along(way):
            return replace(element, verdict=Verdict.UNSTABLE)  # infinity does not move
        element = self._crosscheck.settled(element, way.moves, line)
        if element.verdict is not Verdict.UNSTABLE:
            return element
        still = np.where(line.frozen(), weights, 0.0)
        if still.any() and np.any(weights - still) and along(self.pull(still), way.moves) == 0:
            # The rounding of large outputs that never move may hide the small ones that do.
            return self.judged(way, weights - still, gradients)
        return element


def _alike(one: Array, other: Array) -> bool:
    """Whether two runs gave the same, up to a rounding that threads may do in another order."""
    if one.shape != other.shape:
        return False
    size = float(np.max(np.abs(one[np.isfinite(one)]), initial=0.0))
    return np.allclose(one, other, rtol=_REPEATABLE, atol=_REPEATABLE * size, equal_nan=True)
