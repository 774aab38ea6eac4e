"""Running a program: what it reads is gathered, what it makes is put where it belongs.

The new state is written into spare arrays, and takes the place of the old one at the end, all at
once: whatever happens in the middle of a step, the state stays as it was before. The old arrays are
the spares of the next step, except where somebody still looks at one; those are left to them.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import TraceError
from ..build import Built
from ..program import Value
from ..tracing.aliasing import overlap_check
from ..tracing.places import Size
from ..tracing.run import Recipe, is_number
from ..tracing.slots import ArgumentSource, GradientSink, PlaceSink, Sink, TensorSink, owned
from ..tracing.surroundings import Edge
from .banks import Bank
from .glue import commit_function, guard_function, read_function

__all__ = ["Runner", "Unfinished", "changed_numbers"]

_PLAIN = (int, float, str, bool, complex, bytes, np.generic)


class Unfinished(Exception):  # noqa: N818  not an error: the step itself says what is wrong
    """A program came upon something that it leaves to the step itself."""


class Runner:
    """A program, with the memory that it writes the new state into."""

    def __init__(self, built: Built, recipe: Recipe) -> None:
        self.built = built
        self.edges = recipe.guards
        self._flags = recipe.aliases, recipe.tracked, recipe.collected
        self._unchanged = guard_function(self.edges, *self._flags)
        self._read = read_function(built.reads.values())
        self._commit = commit_function(built.writes, built.returned)
        self._kinds = list(built.kinds.values())
        self._keys = list(built.reads)
        self._constant = [key for key in self._keys if key not in built.state_parts]
        self._scalars = [k for k, v in built.makes.items() if not v.shape and not v.weak]
        self._counters = [p for p in built.packs if p.is_number]
        self._overlaps = overlap_check(
            [sink for sink, _ in built.writes],
            [*built.reads.values(), *map(ArgumentSource, built.positions)],
        )
        self._generators = [i for i, v in enumerate(self._kinds) if v.dtype == object]
        self._published, self._spare = self._bank(), self._bank()
        self._expected: list[Any] = []  # what the last step has put where the state is read
        self._state: dict[str, Any] = {}
        self._values: Sequence[Any] = ()

    def _bank(self) -> Bank:
        return Bank(self.built.makes, self.built.packs, self.built.source.parts)

    # --- before -------------------------------------------------------------------------------

    def fits(self, arguments: Sequence[Any]) -> bool:
        """Whether everything around the step is as it was when it was traced."""
        try:
            if not self._unchanged(arguments) and not self._is_equal(arguments):
                return False
            self._values = values = self._read(arguments)
        except (KeyError, IndexError, AttributeError, TypeError):
            return False
        if self._expected and all(map(operator.is_, values, self._expected)):
            self._state = self._published.state
            return True
        return self._takes(values)

    def _takes(self, values: Sequence[Any]) -> bool:
        """Whether a state that somebody else has put there is one for this program."""
        if not all(map(_is_of, self._kinds, values)):
            return False
        state = dict(zip(self._keys, values, strict=True))
        for pack in self.built.packs:
            if pack.parts[0] in state:
                parts = [state[part] for part in pack.parts]
                if pack.is_number and not all(_is_same_number(p, parts[0]) for p in parts):
                    return False  # counters that are one in the program
                state[pack.key] = parts[0] if pack.is_number else _joined(parts)
        self._state = state
        return True

    def _is_equal(self, arguments: Sequence[Any]) -> bool:
        """The same with numbers that are equal, but other objects."""
        found = [Edge(edge.place, edge.place.get()) for edge in self.edges]
        for now, before in zip(found, self.edges, strict=True):
            if now.value is not before.value and not _is_same_number(now.value, before.value):
                return False
        self.edges = found
        self._unchanged = guard_function(found, *self._flags)
        return self._unchanged(arguments)

    # --- the run ------------------------------------------------------------------------------

    def run(self, arguments: Sequence[Any]) -> Any:
        """Run the program, and put the new state in the place of the old one.

        Raises:
            Unfinished: something went wrong, and the state is as it was.
        """
        if self._overlaps is not None and self._overlaps(arguments):
            raise Unfinished
        bank = self._spare
        if not bank.is_free():
            bank = self._bank()  # somebody holds an array of it: that is left to them
        bank.open()
        new = bank.state
        drawn = [(self._values[i], _state_of(self._values[i])) for i in self._generators]
        try:
            result = self.built.call(arguments, self._state, new)
        except BaseException as error:
            for generator, before in drawn:
                _restore(generator, before)
            if isinstance(error, Exception):
                raise Unfinished from error
            raise
        for key in self._scalars:
            new[key] = np.asarray(new[key])
        for pack in self._counters:
            new.update(dict.fromkeys(pack.parts, new[pack.key]))
        for key in self._constant:
            new[key] = self._state[key]
        returned = self._commit(arguments, new, result)
        # What the last step wrote is free now, if nobody holds it.
        self._spare, self._published = self._published, bank
        self._expected = [new[key] for key in self._keys]
        return returned

    def state_now(self, arguments: Sequence[Any]) -> dict[str, Any]:
        """The state that the program would read now, by its keys.

        Raises:
            TraceError: something around the step has changed since the program was made.
        """
        if not self.fits(arguments):
            raise TraceError(
                "save: expected everything that the step uses to be as it was in the last call; "
                "got a change; call the step once more"
            )
        return {key: self._state[key] for key in self.built.layout.state.values()}

    # --- when the program does not finish -----------------------------------------------------

    def takes_finite(self, arguments: Sequence[Any]) -> bool:
        """Whether all that the program computes with is finite."""
        values = (*self.built.passed(arguments), *self._values)
        numbers = (v for v in values if np.asarray(v).dtype.kind == "f")
        return all(bool(np.isfinite(v).all()) for v in numbers)

    def run_eagerly(self, step: Callable[[], Any], arguments: Sequence[Any]) -> Any:
        """Run the step itself; if it raises, leave the state as it was before."""
        before = [_look(sink, arguments) for sink, _ in self.built.writes]
        generators = [(g, _state_of(g)) for g in self._read_generators(arguments)]
        try:
            return step()
        except BaseException:
            for restore in before:
                restore()
            for generator, state in generators:
                _restore(generator, state)
            raise

    def _read_generators(self, arguments: Sequence[Any]) -> list[Any]:
        values = self._read(arguments)
        return [values[i] for i in self._generators]


def changed_numbers(edges: Sequence[Edge]) -> set[str]:
    """The paths of Python numbers that are others now."""
    found = set()
    for place, before in edges:
        now = None if isinstance(place, Size) else place.get()
        if is_number(now) and type(before) is type(now) and now != before:
            found.add(place.path)
    return found


def _look(sink: Sink, arguments: Sequence[Any]) -> Callable[[], None]:
    """What puts back what is there now."""
    if isinstance(sink, TensorSink):
        tensor = owned(sink.owner, arguments)
        node = tensor._node
        return lambda: setattr(tensor, "_node", node)
    if isinstance(sink, GradientSink):
        leaf = owned(sink.owner, arguments)._node.leaf
        grad = None if leaf is None else leaf.grad
        return lambda: setattr(leaf, "grad", grad)
    if isinstance(sink, PlaceSink):
        value = sink.place.get()
        return lambda: sink.place.set(value)
    array = sink.source.read(arguments)
    content = np.array(array)
    return lambda: np.copyto(array, content)


def _joined(parts: Sequence[Any]) -> Any:
    return np.concatenate([np.ravel(part) for part in parts])


def _is_of(kind: Value, value: Any) -> bool:
    """Whether what was read is what the program was made for."""
    if kind.dtype == object:
        return isinstance(value, (np.random.Generator, np.random.RandomState))
    if kind.weak:
        return type(value) is kind.dtype.type or np.dtype(type(value)) == kind.dtype
    known = type(value) is np.ndarray or isinstance(value, (np.memmap, np.generic))
    return known and value.shape == kind.shape and value.dtype == kind.dtype


def _is_same_number(a: Any, b: Any) -> bool:
    """Whether two plain values are one to a program: 0.0 is not -0.0, and NaN is NaN."""
    if type(a) is not type(b):
        return False
    if type(a) is tuple:
        return len(a) == len(b) and all(map(_is_same_number, a, b))
    if type(a) is frozenset:
        return bool(a == b)
    return isinstance(a, _PLAIN) and repr(a) == repr(b)


def _state_of(generator: Any) -> Any:
    if isinstance(generator, np.random.RandomState):
        return generator.get_state()
    return generator.bit_generator.state


def _restore(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.bit_generator.state = state
