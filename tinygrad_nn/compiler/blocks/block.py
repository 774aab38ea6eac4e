"""Blocks: a group of elementwise equations as one call, which computes them part by part.

The parts are so small that what is computed in between stays in the processor's cache, and several
threads share them. A part is a slice of the leading axis, or of all elements in a row where no
operand is broadcast.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..._typing import Shape
from ..passes.dead import without_dead_code
from ..program import Equation, Program, Value, check
from .groups import Group, can_join, grouped, reduced_axes, with_groups, without_broadcasts
from .scalar_text import can_be_scalar
from .target import Target

__all__ = ["Block", "blocked", "unblocked"]

_SHORTEST = 2  # equations that are worth a block
_LEAST_ROWS = 16  # in a part: fewer, and the sums of the parts take as much memory as the arrays
# What BLAS computes. Its threads wait for more work without giving up their processors, and so do
# Numba's: together they take ten times as long as either.
_MULTIPLYING = {np.matmul, np.dot, np.vdot, np.inner, np.outer, np.tensordot, np.einsum}
_WIDEST_ROW = 2  # in parts: more, and what is in between does not stay in the cache


@dataclass(frozen=True, eq=False)
class Block:
    """Elementwise equations on arrays of one shape, and sums of what they compute."""

    equations: tuple[Equation, ...]
    shape: Shape
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]  # arrays of the shape that are needed afterwards
    sums: tuple[Equation, ...]  # the reductions among the equations
    flat: bool  # whether all elements are taken in a row
    length: int  # elements of a part if flat, and rows otherwise
    threads: int
    scalar: bool = False  # whether it is a loop over single elements, for Numba

    __name__ = "in_blocks"

    @property
    def extent(self) -> int:
        """How many elements or rows there are."""
        return int(np.prod(self.shape)) if self.flat else self.shape[0]

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-self.extent // self.length)

    def is_cut(self, value: Value) -> bool:
        """Whether a part needs its own elements of a value alone, and not all of them."""
        if self.flat:
            return value.shape == self.shape
        return len(value.shape) == len(self.shape) and value.shape[0] == self.shape[0]

    def may_overwrite(self, operand: Value, output: Value) -> bool:
        """Whether an output may be written where an operand is: each part is read first."""
        reads = [i for i, e in enumerate(self.equations) if operand in e.inputs]
        (write,) = (i for i, e in enumerate(self.equations) if output in e.outputs)
        if not self.is_cut(operand) or operand.shape != output.shape:
            return False
        return max(reads, default=-1) < write or (
            reads[-1] == write and can_join(self.equations[write])
        )

    def __call__(self, *arrays: Any) -> Any:
        """Compute the whole arrays, equation by equation."""
        known: dict[Value, Any] = dict(zip(self.inputs, arrays, strict=True))
        for e in self.equations:
            args = [known[a] if isinstance(a, Value) else a for a in e.args]
            known[e.output] = e.function(*args, **e.kwargs)
        results = [known[v] for v in (*self.outputs, *(e.output for e in self.sums))]
        return tuple(results) if len(results) > 1 else results[0]


def blocked(program: Program, target: Target) -> Program:
    """Replace each group of elementwise equations that is worth it by one call."""
    program = check(without_dead_code(without_broadcasts(program)), "without_broadcasts")
    if target.scalar and not _MULTIPLYING.isdisjoint(e.function for e in program.equations):
        target = replace(target, threads=1)
    users = program.users()
    results = set(program.results)
    calls = {}
    for group in grouped(program, target.least, _accepted(target)):
        block = _block_of(group, users, results, target)
        if block is not None:
            calls[group.number] = group, _call(block)
    return check(with_groups(program, calls), "blocked") if calls else program


def _accepted(target: Target) -> Callable[[Equation], bool]:
    return can_be_scalar if target.scalar else lambda equation: True


def unblocked(program: Program) -> Program:
    """The program with the equations in the places of blocks."""
    kept: list[Equation] = []
    for equation in program.equations:
        function: Any = equation.function
        kept.extend(function.equations if isinstance(function, Block) else [equation])
    return replace(program, equations=tuple(kept))


def _needed_afterwards(
    group: Group, users: dict[Value, list[Equation]], results: set[Value]
) -> list[Value]:
    """The arrays that something else computes with, or that are results."""
    own = set(group.equations)
    return [
        v
        for v in (e.output for e in group.equations if can_join(e))
        if v in results or any(user not in own for user in users.get(v, ()))
    ]


def _block_of(
    group: Group, users: dict[Value, list[Equation]], results: set[Value], target: Target
) -> Block | None:
    """A block for a group, unless it would do no good."""
    size = int(np.prod(group.shape))
    widest = max(v.dtype.itemsize for e in group.equations for v in (*e.inputs, *e.outputs))
    length, threads = target.part(size, widest, len(group.equations))
    if not _is_flat(group):
        row = size // group.shape[0]
        if row > _WIDEST_ROW * length and not target.scalar:
            return None
        rows = max(length // row, 1)
        if rows < min(_LEAST_ROWS, group.shape[0]):
            group.equations = [e for e in group.equations if not _is_sum_of_rows(e)]
        length = length if _is_flat(group) else rows
    equations = tuple(group.equations)
    selects = any(e.function is np.where for e in equations)
    if len(equations) < _SHORTEST or not target.is_worth(size, len(equations), selects):
        return None
    sums = tuple(e for e in equations if not can_join(e))
    outputs = tuple(_needed_afterwards(group, users, results))
    inputs = _inputs(equations)
    flat = _is_flat(group)
    scalar = target.scalar
    return Block(equations, group.shape, inputs, outputs, sums, flat, length, threads, scalar)


def _is_sum_of_rows(equation: Equation) -> bool:
    """Whether the sums of the parts are arrays, which take memory if there are many parts."""
    is_sum = not can_join(equation)
    return is_sum and equation.output.size > 1 and 0 in reduced_axes(equation)


def _inputs(equations: Sequence[Equation]) -> tuple[Value, ...]:
    made = {v for e in equations for v in e.outputs}
    found = dict.fromkeys(v for e in equations for v in e.inputs if v not in made)
    return tuple(found)


def _is_flat(group: Group) -> bool:
    """Whether all operands are of the group's shape or scalars, and all sums over all axes."""
    every = frozenset(range(len(group.shape)))
    sums = [e for e in group.equations if not can_join(e)]
    return all(v.shape in ((), group.shape) for v in _inputs(group.equations)) and all(
        reduced_axes(e) == every for e in sums
    )


def _call(block: Block) -> Equation:
    outputs = (*block.outputs, *(e.output for e in block.sums))
    return Equation(block, block.inputs, {}, outputs, _origin(block))


def _origin(block: Block) -> Any:
    """That of the whole: a phase in which NumPy warns, if any of the equations is in one."""
    origins = [e.origin for e in block.equations]
    origin = next((o for o in origins if o.phase != "backward"), origins[0])
    return origin._replace(function=None, rules=None)
