"""Groups of elementwise equations on one shape, which can be computed together, part by part.

The equations of a group need not stand next to each other. What depends on a group as a whole, a
sum of its values for example, comes after it, and so do those that depend on that; these may form
another group. So groups are numbered, and an equation may join one if everything that it needs is
in that group, or there before it.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..._typing import Shape
from ..known import path_of
from ..operations import astype, copy
from ..program import Equation, Program, Value

__all__ = [
    "Group",
    "can_join",
    "grouped",
    "is_sum",
    "reduced_axes",
    "with_groups",
    "without_broadcasts",
]

_SUMS = {np.sum, np.add.reduce, np.mean}
_EXTREMES = {np.max, np.amax, np.maximum.reduce, np.min, np.amin, np.minimum.reduce}
_MOVED = {astype, copy, np.copy}  # one operand, element by element
_KINDS = "fiub"
_WIDEST = 8  # bytes of an element: longer floats have no counterpart everywhere


@dataclass
class Group:
    """Equations that are computed together."""

    number: int
    shape: Shape
    equations: list[Equation] = field(default_factory=list)
    made: set[Value] = field(default_factory=set)  # element by element; not what is reduced


def can_join(equation: Equation) -> bool:
    """Whether a call can be computed with others in one loop: by elements, in dtypes that fit."""
    function, kwargs = equation.function, equation.kwargs
    if len(equation.outputs) != 1 or equation.effect or equation.output.weak:
        return False
    if not all(_is_plain(v) for v in (equation.output, *equation.inputs)):
        return False
    if isinstance(function, np.ufunc):
        known = not function.signature and function.nout == 1 and function.nin <= 3
        return known and kwargs.keys() <= {"dtype"} and path_of(function) is not None
    if function is np.where:
        return len(equation.args) == 3 and not kwargs
    if function is np.clip:
        return len(equation.args) == 3 and not kwargs
    return function in _MOVED and not kwargs and isinstance(equation.args[0], Value)


def is_sum(equation: Equation) -> bool:
    """Whether a reduction can be made of reductions of the parts."""
    function, args, kwargs = equation.function, equation.args, equation.kwargs
    if function not in _SUMS and function not in _EXTREMES:
        return False
    if len(args) not in (1, 2) or not isinstance(args[0], Value) or args[0].weak:
        return False
    if not kwargs.keys() <= {"axis", "keepdims"} or not _is_plain(args[0]):
        return False
    operand, output = args[0].dtype, equation.output.dtype
    if function in _EXTREMES:
        return bool(args[0].size)
    if output.kind == "f":  # sums of halves are made in single precision, and rounded once
        return output.itemsize in (4, 8) and output == operand
    return output.itemsize == 8 and function is not np.mean


def reduced_axes(equation: Equation) -> frozenset[int]:
    """The axes that a reduction sums over."""
    operand = equation.args[0]
    default = (
        None if equation.function in (np.sum, np.mean, np.max, np.min, np.amax, np.amin) else 0
    )
    axis = equation.args[1] if len(equation.args) > 1 else equation.kwargs.get("axis", default)
    n = len(operand.shape)
    if axis is None:
        return frozenset(range(n))
    return frozenset(a % n for a in (axis if isinstance(axis, tuple) else (axis,)))


def _is_plain(value: Value) -> bool:
    return value.dtype.kind in _KINDS and value.dtype.itemsize <= _WIDEST


def grouped(program: Program, least: int, accepted: Callable[[Equation], bool]) -> list[Group]:
    """The groups of elementwise equations on shapes of at least so many elements.

    Args:
        program: what is computed.
        least: how many elements an array has to have.
        accepted: which of the equations that could be in a group may be.
    """
    grouping = _Grouping(least, accepted)
    for equation in program.equations:
        grouping.visit(equation)
    return grouping.groups


class _Grouping:
    def __init__(self, least: int, accepted: Callable[[Equation], bool]) -> None:
        self.least = max(least, 1)
        self.accepted = accepted
        self.groups: list[Group] = []
        self._latest: dict[Shape, Group] = {}
        self._ready: dict[Value, int] = {}  # the last group that has to be over for a value
        self._effects = -1  # the same, for what is drawn and checked

    def visit(self, equation: Equation) -> None:
        """Let an equation join a group, or begin one, or stay by itself."""
        group = self._group_for(equation)
        if group is None:
            ready = max((self._ready.get(v, -1) for v in equation.inputs), default=-1)
            if equation.effect or equation.origin.phase == "update":
                ready = max(ready, self._effects)
            if equation.effect:
                self._effects = ready
        else:
            group.equations.append(equation)
            ready = group.number
            if can_join(equation):
                group.made.add(equation.output)
        self._ready.update(dict.fromkeys(equation.outputs, ready))

    def _group_for(self, equation: Equation) -> Group | None:
        if is_sum(equation):
            group = self._latest.get(equation.args[0].shape)
            known = group is not None and equation.args[0] in group.made
            return group if known and self.accepted(equation) else None
        shape = equation.output.shape if equation.outputs else ()
        if not shape or not can_join(equation) or equation.output.size < self.least:
            return None
        if not self.accepted(equation):
            return None
        group = self._latest.get(shape)
        if group is None or not self._may_join(equation, group):
            group = self._latest[shape] = Group(len(self.groups), shape)
            self.groups.append(group)
        return group

    def _may_join(self, equation: Equation, group: Group) -> bool:
        # What updates the state waits for the checks before it.
        if equation.origin.phase == "update" and self._effects >= group.number:
            return False
        return all(
            v in group.made or self._ready.get(v, -1) < group.number for v in equation.inputs
        )


def with_groups(program: Program, calls: Mapping[int, tuple[Group, Equation]]) -> Program:
    """The program with one call in the place of each group; the order is kept where it can be.

    Args:
        calls: for the number of each group, the group and what takes its place.
    """
    home = {e: number for number, (group, _) in calls.items() for e in group.equations}
    items: dict[Any, int] = {}  # each equation or number of a group, with where it stood first
    for i, equation in enumerate(program.equations):
        items.setdefault(home.get(equation, equation), i)
    waiting = _dependencies(program, lambda equation: home.get(equation, equation))
    users: dict[Any, list[Any]] = {}
    for item, needed in waiting.items():
        for other in needed:
            users.setdefault(other, []).append(item)
    counts = {item: len(needed) for item, needed in waiting.items()}
    by_place = {place: item for item, place in items.items()}
    ready = [place for item, place in items.items() if not counts[item]]
    heapq.heapify(ready)
    ordered: list[Equation] = []
    while ready:
        item = by_place[heapq.heappop(ready)]
        ordered.append(calls[item][1] if isinstance(item, int) else item)
        for user in users.get(item, ()):
            counts[user] -= 1
            if not counts[user]:
                heapq.heappush(ready, items[user])
    return replace(program, equations=tuple(ordered))


def _dependencies(program: Program, item_of: Callable[[Equation], Any]) -> dict[Any, set[Any]]:
    """For each item, those that have to come before it."""
    makers: dict[Value, Any] = {}
    found: dict[Any, set[Any]] = {}
    last: Equation | None = None
    for equation in program.equations:
        item = item_of(equation)
        needed = found.setdefault(item, set())
        needed.update(makers[v] for v in equation.inputs if v in makers)
        if last is not None and (equation.effect or equation.origin.phase == "update"):
            needed.add(last)
        needed.discard(item)
        makers.update(dict.fromkeys(equation.outputs, item))
        if equation.effect:
            last = equation
    return found


def without_broadcasts(program: Program) -> Program:
    """Let elementwise equations take what is broadcast as it is, where the shape stays the same."""
    narrow: dict[Value, Value] = {}
    kept = []
    for equation in program.equations:
        if equation.function is np.broadcast_to and isinstance(equation.args[0], Value):
            narrow[equation.output] = equation.args[0]
        elif can_join(equation):
            equation = equation.with_inputs(dict(_narrowed(equation, narrow)))
        kept.append(equation)
    return replace(program, equations=tuple(kept))


def _narrowed(equation: Equation, narrow: Mapping[Value, Value]) -> Iterator[tuple[Value, Value]]:
    candidates = [v for v in dict.fromkeys(equation.inputs) if v in narrow]
    shapes = [(narrow.get(v) or v).shape for v in equation.inputs]
    if candidates and np.broadcast_shapes(*shapes) == equation.output.shape:
        yield from ((v, narrow[v]) for v in candidates)
