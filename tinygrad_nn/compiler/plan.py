"""Which memory each value is written into: buffers that are made once, and shared by liveness.

A value whose last use is over leaves its buffer to the next value of the same shape and dtype. An
elementwise operation writes over an operand that nobody needs any more. What becomes a parameter's
new value is computed where the new value belongs.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from .blocks.block import Block
from .kinds import can_write, is_elementwise
from .operations import add_at, set_flat, set_item, side_by_side
from .program import Equation, Program, Value

__all__ = ["Memory", "Plan", "plan_memory"]


class Memory:
    """A buffer, a place that is given from outside, or a piece of one of these."""

    __slots__ = ("dtype", "shape", "slot", "start", "values", "whole")

    def __init__(
        self, value: Value, slot: str = "", whole: "Memory | None" = None, start: int = 0
    ) -> None:
        self.shape, self.dtype = value.shape, value.dtype
        self.slot = slot  # the key of the new state, where it is one
        self.whole, self.start = whole, start  # what it is a piece of, and where that begins
        self.values: list[Value] = []  # what is written into it, one after the other

    @property
    def is_given(self) -> bool:
        """Whether it belongs to the new state, so that it is there only while a step runs."""
        return bool(self.slot or (self.whole and self.whole.slot))


class Plan(NamedTuple):
    """The memory of each value that is written into some."""

    memory: Mapping[Value, Memory]
    bytes_without: int  # if each value had memory of its own
    bytes_with: int

    @property
    def buffers(self) -> list[Memory]:
        """The buffers to be made, in the order of their first use."""
        found: dict[Memory, None] = {}
        for memory in self.memory.values():
            for part in (memory.whole, memory):
                if part is not None and not part.is_given:
                    found[part] = None
        return list(found)


def _written(equation: Equation) -> list[Value]:
    """What an equation can write into memory that is there."""
    if isinstance(equation.function, Block):
        return list(equation.function.outputs)
    return [equation.output] if can_write(equation) else []


def plan_memory(
    program: Program,
    state: Mapping[Value, str],
    slots: Mapping[Value, str],
    returned: set[Value],
) -> Plan:
    """Give every value its memory.

    Args:
        program: what is computed.
        state: the inputs that are parts of the state, with the key each has there.
        slots: the values that become parts of the new state.
        returned: values that are handed out, and need memory that is new in each step.
    """
    return _Planner(program, state, slots, returned).plan()


class _Planner:
    def __init__(
        self,
        program: Program,
        state: Mapping[Value, str],
        slots: Mapping[Value, str],
        returned: set[Value],
    ) -> None:
        self.program = program
        self.old = {key: value for value, key in state.items()}
        self.slots = slots
        self.new = {key: Memory(value, key) for value, key in slots.items()}
        self.returned = returned
        self.base: dict[Value, Value] = {}  # whose memory a view looks at
        self.made: dict[Value, int] = {}
        self.last: dict[Value, float] = {}  # the last use of a value, or of a view of it
        self.memory: dict[Value, Memory] = {}
        self.pieces: dict[Value, Memory] = {}  # what is part of a longer array, and that
        self.free: dict[tuple[object, object], list[Memory]] = {}
        self._find_lives()

    def _find_lives(self) -> None:
        for i, equation in enumerate(self.program.equations):
            for value in equation.inputs:
                self.last[self._base(value)] = i
            for output in equation.outputs:
                self.made[output] = i
                self.last[output] = i
                if equation.view is not None:
                    self.base[output] = self._base(equation.view)
        for value in self.program.results:
            self.last[self._base(value)] = math.inf

    def _base(self, value: Value) -> Value:
        return self.base.get(value, value)

    def plan(self) -> Plan:
        """Give every value its memory, in the order in which they are made."""
        wanted = self._wanted_slots()
        self._lay_out_pieces(wanted)
        for i, equation in enumerate(self.program.equations):
            for value in _written(equation):
                if value in self.base:
                    continue
                slot = wanted.get(value)
                if value in self.pieces:
                    memory: Memory | None = self.pieces[value]
                elif slot is not None:
                    memory = self.new[slot]
                elif value in self.returned:
                    memory = None
                else:
                    memory = self._in_place(equation, value, i) or self._buffer(value)
                if memory is not None:
                    memory.values.append(value)
                    self.memory[value] = memory
            self._release(equation, i)
        without = sum(v.nbytes for v in self.memory)
        distinct = dict.fromkeys(m for m in self.memory.values() if not m.is_given and not m.whole)
        held = sum(m.values[0].nbytes for m in distinct)
        return Plan(self.memory, without, held)

    def _lay_out_pieces(self, wanted: Mapping[Value, str]) -> None:
        """Let what is put side by side be written there at once."""
        makers = {o: e for e in self.program.equations for o in e.outputs}
        for equation in self.program.equations:
            if equation.function is not side_by_side:
                continue
            flat, start = equation.output, 0
            slot = wanted.get(flat)
            whole = self.pieces[flat] = Memory(flat) if slot is None else self.new[slot]
            for part in equation.args:
                maker = makers.get(part)
                fits = maker is not None and can_write(maker) and part not in self.base
                if fits and part not in wanted and part not in self.returned:
                    self.pieces[part] = Memory(part, "", whole, start)
                start += part.size

    # --- the places of the state --------------------------------------------------------------

    def _wanted_slots(self) -> dict[Value, str]:
        """Which values are written where the new state is, going back along elementwise chains."""
        wanted: dict[Value, str] = {}
        for i in range(len(self.program.equations) - 1, -1, -1):
            equation = self.program.equations[i]
            if isinstance(equation.function, Block):
                for value in equation.function.outputs:
                    slot = self.slots.get(value)
                    if slot and value not in self.returned and self._is_over(slot, i, value):
                        wanted[value] = slot
                continue
            if not can_write(equation) or equation.output in self.base:
                continue
            value = equation.output
            slot = wanted.get(value) or self.slots.get(value)
            if slot is None or value in self.returned or not self._is_over(slot, i, value):
                continue
            wanted[value] = slot
            if not is_elementwise(equation):
                continue
            for operand in equation.inputs:
                if self._can_overwrite(operand, value, i) and operand not in self.slots:
                    j = self.made.get(operand, -1)
                    if j >= 0 and self._is_over(slot, j, operand) and self._may_wait(operand, j):
                        wanted[operand] = slot
                        break
        return wanted

    def _is_over(self, slot: str, i: int, new: Value) -> bool:
        """Whether an old part of the state is read for the last time by equation i, or before.

        The step may update the state in place, so the new part may only be written then.
        """
        value = self.old.get(slot)
        if value is None or self.last.get(value, -1) < i:
            return True
        equation = self.program.equations[i]
        if isinstance(equation.function, Block):
            return self.last[value] == i and self._may_overwrite(equation, value, new)
        return self.last[value] == i and is_elementwise(equation)

    def _may_overwrite(self, equation: Equation, operand: Value, value: Value) -> bool:
        """Whether a block reads each part of an operand before it writes that of an output."""
        views = any(self._base(v) is operand and v is not operand for v in equation.inputs)
        block = equation.function
        return not views and isinstance(block, Block) and block.may_overwrite(operand, value)

    def _may_wait(self, operand: Value, j: int) -> bool:
        return can_write(self.program.equations[j]) and is_elementwise(self.program.equations[j])

    # --- buffers ------------------------------------------------------------------------------

    def _can_overwrite(self, operand: Value, value: Value, i: int) -> bool:
        return (
            operand not in self.base
            and self.last.get(operand) == i
            and operand.shape == value.shape
            and operand.dtype == value.dtype
            and not operand.weak
        )

    def _in_place(self, equation: Equation, value: Value, i: int) -> Memory | None:
        """The memory of an operand that nobody needs any more."""
        if equation.function in (set_item, set_flat, add_at):
            operands = [equation.args[0]]
            if any(v is operands[0] for v in equation.inputs[1:]):
                return None
        elif is_elementwise(equation):
            operands = equation.inputs
        elif isinstance(equation.function, Block):
            operands = [v for v in equation.inputs if self._may_overwrite(equation, v, value)]
        else:
            return None
        for operand in operands:
            memory = self.memory.get(operand)
            shared = memory and not memory.is_given and operand not in self.pieces
            if memory and shared and self._can_overwrite(operand, value, i):
                self.last[operand] = -1  # its memory goes on
                return memory
        return None

    def _buffer(self, value: Value) -> Memory:
        waiting = self.free.get((value.shape, value.dtype.str), [])
        return waiting.pop() if waiting else Memory(value)

    def _release(self, equation: Equation, i: int) -> None:
        for value in dict.fromkeys(map(self._base, [*equation.inputs, *equation.outputs])):
            memory = self.memory.get(value)
            if memory is None or memory.is_given or value in self.pieces:
                continue
            if self.last[value] == i:
                self.free.setdefault((value.shape, value.dtype.str), []).append(memory)
