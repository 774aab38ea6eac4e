"""Small parameters side by side: one update of a long array in place of many of short ones.

An optimiser does the same to every parameter. For a small network nearly all of that time goes
into calling NumPy. So where the updates of several small parameters are alike, the parameters, the
parts of the optimiser's state, and the gradients are each laid out in one array, of which theirs
are pieces, and the update is written once. Element by element, the result is the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .kinds import is_elementwise
from .operations import ARITHMETIC, expect_finite, piece, side_by_side
from .program import Equation, Origin, Program, Value, substitute
from .state import Pack, State, starts

__all__ = ["packed"]

_STATE = Origin(phase="")  # the pieces of the state belong to no phase
_LARGEST = 2**14  # elements of a parameter whose update costs more in calls than in arithmetic


def packed(program: Program, state: State, now: Callable[[str], Any]) -> tuple[Program, State]:
    """Lay out side by side what is updated alike.

    Args:
        program: what is computed.
        state: the keys of what it reads and makes.
        now: what a number of the state is now: counters that differ cannot be one.
    """
    for group in _groups(program, state):
        found = _Packing(program, state, group, now)
        if found.is_possible():
            program, state = found.apply()
    return program, state


@dataclass(frozen=True)
class _Update:
    """The equations that update one parameter and its part of the optimiser's state."""

    equations: tuple[Equation, ...]
    outputs: tuple[tuple[str, Value], ...]  # of the state, by their keys
    arrays: tuple[Value, ...]  # what comes in, in the order in which it is met
    numbers: tuple[Value, ...]
    form: Any  # equal for updates that are alike


def _groups(program: Program, state: State) -> Iterator[list[_Update]]:
    """Updates that are alike, in groups of at least two."""
    alike: dict[Any, list[_Update]] = {}
    for update in _updates(program, state):
        alike.setdefault(update.form, []).append(update)
    yield from (group for group in alike.values() if len(group) > 1)


def _updates(program: Program, state: State) -> Iterator[_Update]:
    """The updates of a program: connected equations between the old state and the new."""
    makers = {e.output: e for e in program.equations if _belongs(e)}
    shared = _shared_numbers(state, makers)
    makers = {v: e for v, e in makers.items() if e not in shared}
    users = program.users()
    outputs = [(key, v) for key, v in state.new if isinstance(v, Value) and v in makers]
    owner = _connected([v for _, v in outputs], makers)
    parts: dict[int, list[Equation]] = {}
    for equation in program.equations:
        if equation in owner:
            parts.setdefault(owner[equation], []).append(equation)
    for root, equations in parts.items():
        own = tuple((key, v) for key, v in outputs if owner[makers[v]] == root)
        inside = {e.output for e in equations}
        leaving = {v for v in inside if any(u not in owner for u in users.get(v, []))}
        leaving |= inside & state.returned
        if not leaving:
            update = _as_update(equations, own, state)
            if update is not None:
                yield update


def _connected(outputs: Sequence[Value], makers: Mapping[Value, Equation]) -> dict[Equation, int]:
    """The equations between some values and the old state, with the number of their part."""
    owner: dict[Equation, int] = {}  # which output's part an equation is of
    same = list(range(len(outputs)))
    for i, value in enumerate(outputs):
        waiting = [value]
        while waiting:
            equation = makers.get(waiting.pop())
            if equation is None:
                continue
            if equation in owner:
                _unite(same, owner[equation], i)
                continue
            owner[equation] = i
            waiting += equation.inputs
    return {equation: _root(same, i) for equation, i in owner.items()}


def _shared_numbers(state: State, makers: Mapping[Value, Equation]) -> set[Equation]:
    """Numbers that several updates need, such as a learning rate that the step computes."""
    arrays = {v: e for v, e in makers.items() if not v.weak}
    owner = _connected([v for _, v in state.new if isinstance(v, Value) and v in arrays], arrays)
    needed_by: dict[Equation, set[int]] = {}
    for equation, part in owner.items():
        waiting = list(equation.inputs)
        while waiting:
            number = makers.get(waiting.pop())
            if number is None or number in owner or part in needed_by.get(number, ()):
                continue
            needed_by.setdefault(number, set()).add(part)
            waiting += number.inputs
    return {number for number, parts in needed_by.items() if len(parts) > 1}


def _belongs(equation: Equation) -> bool:
    """Whether an equation may be part of an update: numbers, and arrays element by element."""
    if len(equation.outputs) != 1 or equation.kwargs or equation.effect:
        return False
    if equation.origin.phase != "update":
        return False
    if equation.function in ARITHMETIC:
        return True
    output = equation.output  # a single number, such as a norm, is for all parameters
    return is_elementwise(equation) and output.shape != () and 0 < output.size <= _LARGEST


def _root(same: list[int], i: int) -> int:
    while same[i] != i:
        i = same[i]
    return i


def _unite(same: list[int], i: int, j: int) -> None:
    same[_root(same, j)] = _root(same, i)


def _as_update(
    equations: Sequence[Equation], outputs: tuple[tuple[str, Value], ...], state: State
) -> _Update | None:
    """An update with its form; None if it does not go element by element through one shape."""
    shapes = {e.output.shape for e in equations if not e.output.weak}
    if len(shapes) != 1 or () in shapes:
        return None
    (shape,) = shapes
    inside: dict[Value, int] = {}
    arrays: dict[Value, int] = {}
    numbers: dict[Value, int] = {}

    def encoded(operand: Any) -> Any:
        if not isinstance(operand, Value):
            return type(operand), repr(operand)
        if operand in inside:
            return "made", inside[operand]
        if operand.shape == shape and not operand.weak:
            return "array", arrays.setdefault(operand, len(arrays)), operand.dtype
        if operand in state.old and operand.weak:
            return "number", numbers.setdefault(operand, len(numbers)), operand.dtype
        return "shared", id(operand)

    form = []
    for i, equation in enumerate(equations):
        operands = tuple(map(encoded, equation.args))
        if any(o[0] == "shared" and v.shape for o, v in _pairs(operands, equation.args)):
            return None
        inside[equation.output] = i
        form.append((equation.function, operands, equation.output.dtype))
    made = tuple(inside[v] for _, v in outputs)
    return _Update(tuple(equations), outputs, tuple(arrays), tuple(numbers), (tuple(form), made))


def _pairs(operands: Sequence[Any], args: Sequence[Any]) -> Iterator[tuple[Any, Value]]:
    return ((o, a) for o, a in zip(operands, args, strict=True) if isinstance(a, Value))


class _Packing:
    """One group of updates, laid side by side."""

    def __init__(
        self, program: Program, state: State, group: Sequence[_Update], now: Callable[[str], Any]
    ) -> None:
        self.program, self.state, self.group, self.now = program, state, group, now
        self.first = group[0]
        self.taken = set(state.old.values()) | {key for key, _ in state.new}
        self.keys_of = {v: key for key, v in state.new if isinstance(v, Value)}
        self.size = sum(update.arrays[0].size for update in group)
        self.removed = {e for update in group for e in update.equations}
        self.users = program.users()

    def is_possible(self) -> bool:
        """Whether what comes in can be read, and what goes out be kept, as one."""
        if any(not update.arrays for update in self.group):
            return False
        outputs = list(zip(*(update.outputs for update in self.group), strict=True))
        keys = [key for role in outputs for key, _ in role]
        self.made = {tuple(key for key, _ in role) for role in outputs}
        arrays = list(zip(*(update.arrays for update in self.group), strict=True))
        numbers = list(zip(*(update.numbers for update in self.group), strict=True))
        read = [v for role in (*arrays, *numbers) if self._is_own(role) for v in role]
        return (
            len(set(keys)) == len(keys)
            and len(set(read)) == len(read)
            and all(map(self._can_be_one, arrays))
            and all(map(self._is_one_number, numbers))
        )

    def _is_own(self, role: Sequence[Value]) -> bool:
        """Whether each of the updates has a part of the state of its own here."""
        return len(set(role)) > 1 and all(v in self.state.old for v in role)

    def _is_replaced(self, role: Sequence[Value]) -> bool:
        """Whether the updates give all of these parts anew.

        What they only read stays with whoever holds it, who may write into it unseen.
        """
        return tuple(self.state.old[v] for v in role) in self.made

    def _can_be_one(self, role: Sequence[Value]) -> bool:
        """Whether arrays are all parts of the state, or all computed."""
        if len(set(role)) != len(role):
            return False
        if self._is_own(role):
            return self._is_replaced(role)
        given = {*self.program.inputs, *self.program.constants}
        return given.isdisjoint(role)

    def _is_one_number(self, role: Sequence[Value]) -> bool:
        """Whether numbers agree, and serve nothing but these updates if they are several."""
        if len(set(role)) == 1:
            return True
        if len({self.now(self.state.old[n]) for n in role}) != 1 or not self._is_replaced(role):
            return False
        results = {*self.program.results, *self.state.returned}
        used = {user for n in role for user in self.users.get(n, [])}
        return used <= self.removed and results.isdisjoint(role)

    def apply(self) -> tuple[Program, State]:
        """The program with one update, and the state that goes with it."""
        self.old = dict(self.state.old)
        self.packs: list[Pack] = []
        self.views: list[Equation] = []
        self.joins: list[Equation] = []
        whole: dict[Value, Any] = {}
        for role in zip(*(update.arrays for update in self.group), strict=True):
            whole[role[0]] = self._old_pack(role) if role[0] in self.old else self._joined(role)
        for numbers in zip(*(update.numbers for update in self.group), strict=True):
            self._number_pack(numbers)
        update = [self._whole(e, whole) for e in self.first.equations]
        new = self._new(whole)
        program = self._rebuilt(update, new)
        packs = (*self.state.packs, *self.packs)
        return program, replace(self.state, old=self.old, new=new, packs=packs)

    # --- what comes in --------------------------------------------------------------------------

    def _flat(self, role: Sequence[Value]) -> Value:
        return Value((self.size,), role[0].dtype)

    def _key(self, parts: Sequence[str], otherwise: str) -> str:
        """What all have in common at the end of their names."""
        if all(part.startswith("d_") for part in parts):
            return self._free("gradients")
        words = [part.split("_") for part in parts]
        common: list[str] = []
        for ends in zip(*(reversed(w) for w in words), strict=False):
            if len(set(ends)) != 1:
                break
            common.insert(0, ends[0])
        return self._free("_".join(common) or otherwise)

    def _free(self, key: str) -> str:
        name, number = key, 1
        while name in self.taken:
            number += 1
            name = f"{key}_{number}"
        self.taken.add(name)
        return name

    def _old_pack(self, role: Sequence[Value]) -> Value:
        flat = self._flat(role)
        parts = tuple(self.old.pop(v) for v in role)
        pack = Pack(self._key(parts, "parameters"), parts, tuple(role))
        self.packs.append(pack)
        self.old[flat] = pack.key
        for start, value in starts(role):
            args = (flat, start, value.shape)
            self.views.append(Equation(piece, args, {}, (value,), _STATE, view=flat))
        return flat

    def _joined(self, role: Sequence[Value]) -> Value:
        flat = self._flat(role)
        flat.name = "gradients"  # that is what arrays are that only updates have in common
        makers = {o: e for e in self.program.equations for o in e.outputs}
        origin = makers[role[-1]].origin
        self.joins.append(Equation(side_by_side, tuple(role), {}, (flat,), origin))
        return flat

    def _number_pack(self, numbers: Sequence[Value]) -> None:
        if len(set(numbers)) == 1:
            return
        parts = tuple(self.old.pop(n) for n in numbers)
        pack = Pack(self._key(parts, "number"), parts, tuple(numbers))
        self.packs.append(pack)
        self.old[numbers[0]] = pack.key

    # --- the update, and what comes out ----------------------------------------------------

    def _whole(self, equation: Equation, whole: dict[Value, Any]) -> Equation:
        """An equation of the first update, for all of them."""
        output = equation.output
        if not output.weak:
            whole[output] = Value((self.size,), output.dtype)
        args = tuple(substitute(tree, whole) for tree in equation.args)
        return replace(equation, args=args, outputs=(whole.get(output, output),), view=None)

    def _new(self, whole: Mapping[Value, Any]) -> list[tuple[str, Any]]:
        """The parts of the new state, with those of the group in one."""
        new: list[tuple[str, Any]] = []
        gone: set[str] = set()
        by_parts = {pack.parts: pack.key for pack in self.packs}
        for outputs in zip(*(update.outputs for update in self.group), strict=True):
            parts = tuple(key for key, _ in outputs)
            values = tuple(value for _, value in outputs)
            key = by_parts.get(parts)
            if key is None:
                key = self._key(parts, "results")
                self.packs.append(Pack(key, parts, values))
            new.append((key, whole.get(values[0], values[0])))
            gone.update(parts)
        for join in self.joins:
            parts = tuple(self.keys_of.get(v, "") for v in join.args)
            if all(parts):  # the gradients are kept as well
                pack = Pack(self._key(parts, "gradients"), parts, join.args)
                self.packs.append(pack)
                new.append((pack.key, join.output))
                gone.update(parts)
        return [*((k, v) for k, v in self.state.new if k not in gone), *new]

    def _rebuilt(self, update: Sequence[Equation], new: Sequence[tuple[str, Any]]) -> Program:
        last = max(i for i, e in enumerate(self.program.equations) if e in self.removed)
        joins = {self._last_made(join): join for join in reversed(self.joins)}
        equations: list[Equation] = list(self.views)
        for i, equation in enumerate(self.program.equations):
            if equation not in self.removed:
                equations.append(self._with_whole_check(equation))
            if i in joins:
                equations += [j for j in self.joins if self._last_made(j) == i]
            if i == last:
                equations += update
        gone = {e.output for e in self.removed}
        kept = [v for v in self.program.outputs if not (isinstance(v, Value) and v in gone)]
        return replace(
            self.program,
            inputs=tuple(dict.fromkeys([*self._inputs(), *self.old])),
            equations=tuple(equations),
            outputs=tuple(dict.fromkeys([*kept, *(v for _, v in new if isinstance(v, Value))])),
        )

    def _inputs(self) -> Iterator[Value]:
        return (v for v in self.program.inputs if v not in self.state.old)

    def _last_made(self, join: Equation) -> int:
        parts = set(join.args)
        return max(i for i, e in enumerate(self.program.equations) if parts & set(e.outputs))

    def _with_whole_check(self, equation: Equation) -> Equation:
        """A check of all gradients looks at them all at once."""
        if equation.function is not expect_finite:
            return equation
        args = list(equation.args)
        for join in self.joins:
            if set(join.args) <= set(args):
                args = [a for a in args if a not in join.args]
                args.append(join.output)
        return replace(equation, args=tuple(args))
