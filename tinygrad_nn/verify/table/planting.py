"""Planting a fault in the derivative table, and the places where the library's checks look at it.

The checks run as they always do: only the table is wrong for a moment. No other thread should
differentiate then.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import cached_property
from typing import TypeAlias

import numpy as np

from ..._typing import Array
from ...autograd import vjp
from ...primitives import Primitive
from ..check import Check
from ..results import Result, checked
from ..verdicts import Verdict
from .catalogue import LibraryCheck
from .faults import Fault, spoiled

__all__ = ["Bench", "Change", "Checks", "Place", "planted"]

Checks: TypeAlias = Callable[[int, int], Iterable[LibraryCheck]]  # for a seed and an order
Gradients: TypeAlias = tuple[Array, ...]


class Change(Enum):
    """What a fault changes at a place."""

    NOTHING = "nothing"
    KINKS = "at kinks alone"  # where rules may choose any subgradient
    SLOPES = "slopes"


@contextmanager
def planted(fault: Fault, row: Primitive, argument: int) -> Iterator[None]:
    """The table has a fault in one rule; whatever happens, it is right again afterwards.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> from tinygrad_nn.primitives import TABLE
        >>> from tinygrad_nn.verify.table.faults import FAULTS
        >>> from tinygrad_nn.verify.table.planting import planted
        >>> [sign] = [fault for fault in FAULTS if fault.name == "sign"]
        >>> with planted(sign, TABLE["numpy.exp"], 0):
        ...     print(tnn.grad(np.exp)(0.0))
        -1.0
        >>> print(tnn.grad(np.exp)(0.0))
        1.0
    """
    right = row.derivatives
    rule = spoiled(fault, row, argument)
    cells = [
        cell._replace(rule=rule) if cell is not None and k == argument else cell
        for k, cell in enumerate(right)
    ]
    try:
        row.derivatives = tuple(cells)
        yield
    finally:
        row.derivatives = right


class Place:
    """Where one check of the library looks, and the gradients there without a fault.

    Args:
        first: the check of gradients.
        second: the same check, of gradients of gradients too.
    """

    def __init__(self, first: LibraryCheck, second: LibraryCheck) -> None:
        self.row = first.row
        self._checks = {1: first, 2: second}
        self._clean: dict[int, Result] = {}

    def run(self, order: int) -> Result:
        """Run the check, on the table as it is now."""
        check = self._checks[order]
        return checked(check.name, check.run)

    def is_right(self, order: int) -> bool:
        """Whether the check says so without a fault: else it cannot tell of one."""
        return self._without(order).right

    def _without(self, order: int) -> Result:
        if order not in self._clean:
            self._clean[order] = self.run(order)
        return self._clean[order]

    @cached_property
    def point(self) -> Check | None:
        """The function and its inputs; None if the check ends with an error."""
        report = self._without(1).report
        return report.checks[0] if report is not None and report.checks else None

    @property
    def size(self) -> int:
        """How many elements are checked."""
        return sum(value.size for value in self.point.values) if self.point else 0

    def runs_through(self, row: Primitive) -> bool:
        """Whether a row is part of what is checked."""
        return self.point is not None and any(n.primitive is row for n in self.point.run.visit)

    def change(self, fault: Fault, row: Primitive, argument: int) -> Change:
        """What a fault changes here: bit by bit, or by ending with an error."""
        if self.point is None:
            return Change.NOTHING
        right = self._second if fault.order == 2 else self.point.gradients  # nothing is planted yet
        with planted(fault, row, argument):
            try:
                found = _pulled(self.point, fault.order)
            except Exception:  # whatever a rule raises when it gets what it is not made for
                return Change.SLOPES
        differ = [_differ(one, other) for one, other in zip(right, found, strict=True)]
        if not any(map(np.any, differ)):
            return Change.NOTHING
        return Change.SLOPES if fault.order == 2 or self._is_smooth(differ) else Change.KINKS

    @cached_property
    def _second(self) -> Gradients:
        return () if self.point is None else _pulled(self.point, 2)

    def _is_smooth(self, chosen: Sequence[Array]) -> bool:
        """Whether any of the chosen elements is at no kink that the check found."""
        report = self._without(1).report
        findings = () if report is None else report.findings
        for finding, here in zip(findings, chosen, strict=False):
            for element in () if finding.directions else finding.elements:
                here[element.index] &= element.verdict is not Verdict.KINK
        return any(map(np.any, chosen))


def _pulled(point: Check, order: int) -> Gradients:
    if order == 1:
        return point.pull(point.cotangent)
    _, pullback = vjp(point.gradient, *point.values)
    size = sum(value.size for value in point.values)
    return pullback(np.random.default_rng(size).standard_normal(size))


def _differ(one: Array, other: Array) -> Array:
    return np.asarray((one != other) & ~(np.isnan(one) & np.isnan(other)))


class Bench:
    """The checks under test. Each runs without a fault once, when it is first needed."""

    def __init__(self, checks: Checks, seed: int) -> None:
        pairs = zip(checks(seed, 1), checks(seed, 2), strict=True)
        self._places = [Place(first, second) for first, second in pairs]
        self._own: dict[str, list[Place]] = {}

    def own(self, row: Primitive) -> list[Place]:
        """The checks of a row, smallest first: they are the fastest."""
        name = row.qualified_name
        if name not in self._own:
            own = [place for place in self._places if place.row == name]
            self._own[name] = sorted(own, key=lambda place: place.size)
        return self._own[name]

    def others(self, row: Primitive) -> Iterator[Place]:
        """The checks of other things that run through a row."""
        for place in self._places:
            if place.row != row.qualified_name and place.runs_through(row):
                yield place
