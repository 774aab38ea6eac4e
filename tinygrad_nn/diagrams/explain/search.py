"""Paths from an element to the output, the largest first as far as can be told.

What flows through a partial path, over all of its continuations, is its product so far times the
gradient that arrives where it ends. So the partial path that carries the most is followed all the
way to the output, always by what carries the most, and what it passes by waits its turn. That takes
no recursion, and finds a path at once however deep the graph is.
"""

import heapq
import math
from typing import NamedTuple

import numpy as np

from .elements import Edge, Elements, is_elementwise

__all__ = ["Hop", "Search"]

_MOST_PATHS = 1024
_MOST_HOPS = 20_000
_MOST_WORK = 20_000_000  # numbers computed for columns
_PATIENCE = 4  # times as much where fewer paths were found than wanted


class Hop(NamedTuple):
    """A step of a path away from the parameter: where it leads, and the product so far."""

    edge: Edge | None  # None for the start
    element: int  # counted flat
    derivative: float
    product: float
    before: int  # the number of the hop before


class Search:
    """The paths from an element of a value to the output.

    Args:
        elements: what leads from the value to the output.
        element: which element, counted flat.
        wanted: how many paths are to be found, if there are as many.

    Attributes:
        ends: the last hop of each path found, the largest product first.
        closed: where a path ends because an elementwise derivative is 0, such as that of a relu
            that is off.
        complete: whether these are all.
    """

    def __init__(self, elements: Elements, element: int, wanted: int) -> None:
        self._elements = elements
        self._hops = [Hop(None, element, 1.0, 1.0, -1)]
        self._waiting: list[tuple[float, int]] = [(0.0, 0)]
        self._taken = 0
        self.closed: list[int] = []
        self.complete = True
        ends: list[int] = []
        while self._waiting:
            few = len(ends) < wanted
            if len(ends) >= _MOST_PATHS or self._is_spent(_PATIENCE if few else 1):
                self.complete = False
                break
            last = self._dive(heapq.heappop(self._waiting)[1])
            if last is not None:
                ends.append(last)
        self.ends = sorted(ends, key=self._size)

    def hops(self, end: int) -> list[Hop]:
        """The hops of a path, from the output back."""
        path = []
        while end:
            path.append(self._hops[end])
            end = path[-1].before
        return path

    def product(self, end: int) -> float:
        """What a path to the output contributes: the product of all derivatives along it."""
        hop = self._hops[end]
        with np.errstate(all="ignore"):
            return float(hop.product * self._elements.seed.ravel()[hop.element])

    def completed(self, end: int) -> int | None:
        """A path that a zero closes, followed to the output all the same; None if it cannot be."""
        while self._node(end) is not self._elements.root:
            ways, _ = self._ways(end, closing=False)
            if not ways:
                return None
            end = self._added(min(ways, key=lambda way: way[0])[1])
        return end

    def _is_spent(self, times: int) -> bool:
        hops, work = times * _MOST_HOPS, times * _MOST_WORK
        return self._taken > hops or self._elements.work > work

    def _size(self, end: int) -> float:
        return _key(self.product(end))

    def _node(self, end: int) -> object:
        edge = self._hops[end].edge
        return self._elements.start if edge is None else edge[0]

    def _dive(self, end: int) -> int | None:
        """Follow a partial path to the output; None where it leads nowhere."""
        while self._node(end) is not self._elements.root:
            ways, closed = self._ways(end, closing=True)
            self.closed += [self._added(hop) for hop in closed]
            if not ways:
                return None
            ways.sort(key=lambda way: way[0])
            if len(ways) > _MOST_PATHS:
                self.complete = False
            for key, hop in ways[1:_MOST_PATHS]:
                heapq.heappush(self._waiting, (key, self._added(hop)))
            end = self._added(ways[0][1])
        # An output that backward was given 0 for counts for nothing.
        return None if self.product(end) == 0 == self._elements.seed.ravel()[self._at(end)] else end

    def _at(self, end: int) -> int:
        return self._hops[end].element

    def _added(self, hop: Hop) -> int:
        self._hops.append(hop)
        return len(self._hops) - 1

    def _ways(self, end: int, closing: bool) -> tuple[list[tuple[float, Hop]], list[Hop]]:
        """Where a path goes on, each with its rank; and where a zero derivative closes it."""
        self._taken += 1
        here = self._hops[end]
        node = self._elements.start if here.edge is None else here.edge[0]
        ways: list[tuple[float, Hop]] = []
        closed: list[Hop] = []
        for edge in self._elements.users[node]:
            places, derivatives = self._elements.column(edge, here.element)
            with np.errstate(all="ignore"):
                products = here.product * derivatives.astype(np.float64)
                carried = products if closing else derivatives  # of a closed path all are 0
                carried = carried * self._elements.gradients[edge[0]].ravel()[places]
            stops = closing and is_elementwise(edge[0]) and math.isfinite(here.product)
            for place, derivative, product, carries in zip(
                places.tolist(), derivatives.tolist(), products.tolist(), carried.tolist(),
                strict=True,
            ):  # fmt: skip
                hop = Hop(edge, place, derivative, product, end)
                if derivative == 0 and stops:
                    closed.append(hop)
                else:
                    ways.append((_key(carries), hop))
        return ways, closed


def _key(carries: float) -> float:
    """What to sort by, the largest first, and first of all what is not finite."""
    return -math.inf if math.isnan(carries) else -abs(carries)
