"""Running a program: what it reads is gathered, what it makes is put where it belongs.

The new state is written into spare arrays, and takes the place of the old one at the end, all at
once: whatever happens in the middle of a step, the state stays as it was before. The old arrays are
the spares of the next step, except where somebody still looks at one; those are left to them.
"""

from collections.abc import Callable, Mapping, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from .build import Built
from .glue import commit_function, guard_function, read_function
from .packing import Pack
from .program import Value
from .slots import GradientSink, PlaceSink, Sink, TensorSink, owned
from .surroundings import Edge
from .tracing import Recipe

__all__ = ["Runner", "Unfinished", "changed_numbers"]

_PLAIN = (int, float, str, bool, complex, bytes, np.generic)


class Unfinished(Exception):  # noqa: N818  not an error: the step itself says what is wrong
    """A program came upon something that it leaves to the step itself."""


class Runner:
    """A program, with the arrays that it writes the new state into."""

    def __init__(self, built: Built, recipe: Recipe) -> None:
        self.built = built
        self.edges = recipe.guards
        self._flags = recipe.aliases, recipe.tracked, recipe.collected
        self._unchanged = guard_function(self.edges, *self._flags)
        self._read = read_function(built.reads.values())
        self._commit = commit_function(built.writes, built.returned, built.result_count)
        self._kinds = list(built.kinds.values())
        self._keys = list(built.reads)
        self._values: tuple[Any, ...] = ()
        self._shared = [p.parts for p in built.packs if p.is_number and p.parts[0] in built.reads]
        self._generators = [i for i, v in enumerate(self._kinds) if v.dtype == object]
        self._names, self._alone = _counted(built)
        self._spares: list[Any] = self._fresh_arrays()
        self._published: list[Any] = self._fresh_arrays()
        self._current: dict[str, Any] = {}  # what the last step has put in its place

    def _fresh_arrays(self) -> list[Any]:
        """New arrays for all parts of the new state; pieces of one are views of it."""
        arrays = {key: _fresh(v) for key, v in self.built.makes.items() if v.shape and not v.weak}
        for pack in self.built.packs:
            if pack.key in arrays:
                arrays.update(zip(pack.parts, _pieces(arrays[pack.key], pack), strict=True))
        return [arrays[name] for name in self._names]

    # --- before -------------------------------------------------------------------------------

    def fits(self, arguments: Sequence[Any]) -> bool:
        """Whether everything around the step is as it was when it was traced."""
        try:
            if not self._unchanged(arguments) and not self._is_equal(arguments):
                return False
            values = self._read(arguments)
        except (KeyError, IndexError, AttributeError, TypeError):
            return False
        for i, value in enumerate(values):
            # What was looked at in the last call has not become something else.
            if value is not self._known(i) and not _is_of(self._kinds[i], value):
                return False
        self._values = values
        return self._numbers_agree(values)

    def _numbers_agree(self, values: Sequence[Any]) -> bool:
        """Whether counters that are one in the program are equal."""
        by_key = dict(zip(self._keys, values, strict=True)) if self._shared else {}
        return all(len({by_key[part] for part in parts}) == 1 for parts in self._shared)

    def _known(self, i: int) -> Any:
        return self._values[i] if self._values else None

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
        if [getrefcount(a) for a in self._spares] != self._alone:
            self._spares = self._fresh_arrays()  # somebody holds one of them: it is left to them
        spares = self._spares
        for array in spares:
            if not array.flags.writeable:  # somebody had a read-only view of it
                array.flags.writeable = True
        values, self._values = self._values, ()
        drawn = [(values[i], _state_of(values[i])) for i in self._generators]
        state = dict(zip(self._keys, values, strict=True))
        for pack in self.built.packs:
            if pack.parts[0] in state:
                state[pack.key] = self._whole(pack, state)
        new = dict(zip(self._names, spares, strict=True))
        try:
            result = self.built.call(arguments, state, new)
        except BaseException as error:
            for generator, before in drawn:
                _restore(generator, before)
            if isinstance(error, Exception):
                raise Unfinished from error
            raise
        for pack in self.built.packs:
            if pack.is_number and pack.key in new:
                new.update(dict.fromkeys(pack.parts, new[pack.key]))
        returned = self._commit(arguments, new, result)
        # What was published in the last step is free now, if nobody holds it.
        self._spares, self._published, self._current = self._published, spares, new
        return returned

    def _whole(self, pack: Pack, state: Mapping[str, Any]) -> Any:
        """The one array that parts of the state are pieces of; a new one, if they are not."""
        parts = [state[part] for part in pack.parts]
        if pack.is_number:
            return parts[0]
        current = self._current
        if pack.key in current and all(
            part is current[name] for name, part in zip(pack.parts, parts, strict=True)
        ):
            return current[pack.key]
        return np.concatenate([part.ravel() for part in parts])

    # --- when the program does not finish -----------------------------------------------------

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
        now = place.get()
        if type(now) in (int, float) and type(before) is type(now) and now != before:
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


def _fresh(value: Value) -> Any:
    return np.empty(value.shape, dtype=value.dtype)


def _pieces(whole: Any, pack: Pack) -> list[Any]:
    """The views of an array that are the parts of the state."""
    starts = np.cumsum([0, *(v.size for v in pack.values)]).tolist()
    return [
        whole[start : start + v.size].reshape(v.shape)
        for start, v in zip(starts, pack.values, strict=False)
    ]


def _counted(built: Built) -> tuple[list[str], list[int]]:
    """The keys of the arrays of the new state, and how often each is referred to by us alone."""
    counts = {key: _ALONE for key, v in built.makes.items() if v.shape and not v.weak}
    for pack in built.packs:
        if pack.key in counts:
            counts[pack.key] += len(pack.parts)  # each piece refers to the whole
            counts.update(dict.fromkeys(pack.parts, _ALONE))
    return list(counts), list(counts.values())


def _is_of(kind: Value, value: Any) -> bool:
    """Whether what was read is what the program was made for."""
    if kind.dtype == object:
        return isinstance(value, (np.random.Generator, np.random.RandomState))
    if kind.weak:
        return type(value) is kind.dtype.type or np.dtype(type(value)) == kind.dtype
    return type(value) is np.ndarray and value.shape == kind.shape and value.dtype == kind.dtype


def _is_same_number(a: Any, b: Any) -> bool:
    return type(a) is type(b) and isinstance(a, _PLAIN) and bool(a == b)


def _state_of(generator: Any) -> Any:
    if isinstance(generator, np.random.RandomState):
        return generator.get_state()
    return generator.bit_generator.state


def _restore(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.bit_generator.state = state


# How often an array is referred to that only a list holds, as it is counted here.
(_ALONE,) = [getrefcount(a) for a in [np.empty(1, dtype=np.float64)]]
