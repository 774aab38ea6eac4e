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
        closed: how many paths end because an elementwise derivative on them is 0, such as that of
            a relu that is off.
        shut: where the first of them end.
        complete: whether these are all.
    """

    def __init__(self, elements: Elements, element: int, wanted: int) -> None:
        self._elements = elements
        self._hops = [Hop(None, element, 1.0, 1.0, -1)]
        self._waiting: list[tuple[float, int]] = [(0.0, 0)]
        self._taken = 0
        self._wanted = wanted
        self.closed, self.shut = 0, list[int]()
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
        self.ends = sorted(ends, key=self._rank)

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
            ways = self._ways(end, closing=False)
            if not ways:
                return None
            end = self._added(ways[0][1])
        return end

    def _is_spent(self, times: int) -> bool:
        hops, work = times * _MOST_HOPS, times * _MOST_WORK
        return self._taken > hops or self._elements.work > work

    def _rank(self, end: int) -> float:
        """What to sort by: the largest first, and first of all what is not finite."""
        product = self.product(end)
        return -math.inf if math.isnan(product) else -abs(product)

    def _node(self, end: int) -> object:
        edge = self._hops[end].edge
        return self._elements.start if edge is None else edge[0]

    def _dive(self, end: int) -> int | None:
        """Follow a partial path to the output; None where it leads nowhere."""
        while self._node(end) is not self._elements.root:
            ways = self._ways(end, closing=True)
            if not ways:
                return None
            for key, hop in ways[1:]:
                heapq.heappush(self._waiting, (key, self._added(hop)))
            end = self._added(ways[0][1])
        # An output that backward was given 0 for counts for nothing.
        return None if self.product(end) == 0 == self._elements.seed.ravel()[self._at(end)] else end

    def _at(self, end: int) -> int:
        return self._hops[end].element

    def _added(self, hop: Hop) -> int:
        self._hops.append(hop)
        return len(self._hops) - 1

    def _ways(self, end: int, closing: bool) -> list[tuple[float, Hop]]:
        """Where a path goes on, what carries the most first; what a zero closes is counted."""
        self._taken += 1
        here = self._hops[end]
        node = self._elements.start if here.edge is None else here.edge[0]
        ways: list[tuple[float, Hop]] = []
        for edge in self._elements.users[node]:
            places, derivatives = self._elements.column(edge, here.element)
            with np.errstate(all="ignore"):
                products = here.product * derivatives.astype(np.float64)
                carried = products if closing else derivatives  # of a closed path all are 0
                carried = carried * self._elements.gradients[edge[0]].ravel()[places]
            keys = np.where(np.isnan(carried), -np.inf, -np.abs(carried))
            if closing and is_elementwise(edge[0]) and math.isfinite(here.product):
                shut = np.flatnonzero(derivatives == 0)
                self.closed += len(shut)
                for at in shut[: self._wanted - len(self.shut)].tolist():
                    self.shut.append(self._added(Hop(edge, int(places[at]), 0.0, 0.0, end)))
                keys[shut] = np.nan  # these come last
            order = np.argsort(keys, kind="stable")[: int(np.sum(~np.isnan(keys)))]
            if len(order) > _MOST_PATHS:
                self.complete, order = False, order[:_MOST_PATHS]
            columns = (array[order].tolist() for array in (keys, places, derivatives, products))
            for key, place, derivative, product in zip(*columns, strict=True):
                ways.append((key, Hop(edge, place, derivative, product, end)))
        return sorted(ways, key=lambda way: way[0])
