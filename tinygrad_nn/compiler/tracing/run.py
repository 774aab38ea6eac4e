"""One traced run of a step: what it uses is replaced, the step runs, and all is put back.

What comes out is a recipe: the equations; where each of their inputs is read from; and what becomes
of each output: a parameter's new value, a gradient, an attribute, what the step returns.
"""

import threading
from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...autograd import Node, Tensor
from ...errors import TraceError
from ..program import Program, Value
from .lifting import Lifting
from .places import ABSENT, Part, Place, Size, is_record
from .slots import (
    ArraySink,
    FreshArray,
    FreshTensor,
    GradientSink,
    GradientSource,
    Owner,
    PlaceSink,
    PlaceSource,
    Result,
    Sink,
    Source,
    TensorSink,
    TensorSource,
    Within,
)
from .surroundings import Edge, Surroundings
from .traced import Traced

__all__ = ["Recipe", "is_number", "is_tracing", "trace_step"]


class _Tracing(threading.local):
    depth = 0


_tracing = _Tracing()


def is_number(value: Any) -> bool:
    """Whether something is a number that a step may count with, and not choose by."""
    return type(value) in (int, float) or isinstance(value, np.number)


def is_tracing() -> bool:
    """Whether this thread is tracing a step now."""
    return _tracing.depth > 0


@dataclass
class Recipe:
    """A traced step: equations between what is read and what becomes of the results."""

    program: Program
    sources: list[Source]  # for each input of the program
    sinks: list[tuple[Sink, Any]]  # with a tree of outputs, in which places of values are numbers
    returned: Any  # the tree that the step returns
    guards: list[Edge]  # what must still stand where it stood
    gradients: dict[Value, Value] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)  # Python numbers it changed
    aliases: list[tuple[Source, Source]] = field(default_factory=list)  # which are one array
    tracked: list[tuple[Owner, bool]] = field(default_factory=list)  # which require a gradient
    collected: list[tuple[Owner, bool]] = field(default_factory=list)  # which have one, if asked


def trace_step(
    function: Callable[..., Any],
    arguments: Any,
    roots: Sequence[tuple[str, Any]],
    names: Sequence[str],
    static: Container[int],
    varying: set[str],
    *,
    absent_gradients: bool,
    guarded: bool,
) -> Recipe:
    """Run a step once on traced arrays.

    Args:
        function: the step.
        arguments: (args, kwargs) as in the call.
        roots: what else to walk through, besides the function: objects among the arguments.
        names: what to call each leaf of the arguments.
        static: the numbers of the leaves that stay what they are.
        varying: the Python numbers to trace, by their paths.
        absent_gradients: whether gradients that are None are None in the trace too; they are
            zeros otherwise, to see whether the step looks at them.
        guarded: whether gradients are computed with care for what is not selected.
    """
    run = Lifting(Surroundings(("", function), *roots), varying, absent_gradients, guarded)
    _tracing.depth += 1
    try:
        # Whatever is ignored within is ignored by the step itself.
        with np.errstate(all="warn"), run.lifted(arguments, names, static) as (args, kwargs):
            returned = function(*args, **kwargs)
            return _Outcome(run).recipe(returned)
    finally:
        run.trace.open = False
        _tracing.depth -= 1


class _Outcome:
    """What became of everything that was replaced, read off before it is put back."""

    def __init__(self, run: Lifting) -> None:
        self.run = run
        self.outputs: list[Any] = []
        self.sinks: list[tuple[Sink, Any]] = []
        self.replaced: list[tuple[Place, Any]] = []
        self.counted: set[str] = set()
        self.moving: set[Tensor] = set()  # those that another one stands for in the next call

    def recipe(self, returned: Any) -> Recipe:
        """The recipe of a run that is over, before all is put back."""
        self._check_handed_in()
        changes = list(self._changes())
        stored = _Stored([(place, before) for place, before, _ in changes])
        self.moving = {t for t in self.run.before if stored.is_all_of(t, self.run.around.edges)}
        for tensor, (_, stand_in) in self.run.before.items():
            self._finish_tensor(tensor, stand_in)
        for traced, value, source in self.run.arrays:
            if traced.value is not value:
                self.sinks.append((ArraySink(source), self._tree(traced, "")))
        for place, before, now in changes:
            self._finish_place(place, before, now)
        self._check_written()
        tree = self._tree(returned, "the returned value")
        program = Program(
            tuple(self.run.sources), tuple(self.run.trace.equations), tuple(self.outputs),
            self.run.trace.constants,
        )  # fmt: skip
        return Recipe(
            program=program,
            sources=[stored.rebased(source) for source in self.run.sources.values()],
            sinks=self.sinks,
            returned=tree,
            guards=[
                stored.guard(edge)
                for edge in (*self.run.around.edges, *self.run.around.sizes)
                if stored.is_guarded(edge)
                and edge.place.path not in self.run.varying
                and not is_record(edge.value)  # its fields are, in whatever object stands there
            ],
            gradients=self.run.trace.gradients,
            counted=self.counted,
            aliases=[
                *((stored.rebased(a), stored.rebased(b)) for a, b in self.run.aliases),
                *stored.doubled(self.run.around.edges),
            ],
            tracked=[
                (stored.owner(self.run.owners[t]), node.tracked)
                for t, (node, _) in self.run.before.items()
            ],
            collected=[
                (stored.owner(self.run.owners[tensor]), self.run.gradients[tensor] is not None)
                for tensor in self.run.gradients
                if self.run.absent_gradients
            ],
        )

    def _check_handed_in(self) -> None:
        """Refuse to change Tensors that are arguments, and data."""
        for tensor, node in self.run.handed_in:
            if tensor._node is not node:
                raise TraceError(
                    f"compile: expected a step that leaves its argument {node.described} as it "
                    f"is; got one that changes it; return the new value"
                )

    def _check_written(self) -> None:
        """Refuse to write into what is replaced as well: which of the two comes first?"""
        replaced = {place.identity for place, _ in self.replaced}
        for sink, _ in self.sinks:
            source = sink.source if isinstance(sink, ArraySink) else None
            if not isinstance(source, PlaceSource):
                continue
            if source.place.identity in replaced:
                raise TraceError(
                    f"compile: expected a step that writes into {source.place.path}, or replaces "
                    f"it; got one that does both; write x = x + y in place of x += y"
                )

    def _finish_tensor(self, tensor: Tensor, stand_in: Node) -> None:
        node, owner = tensor._node, self.run.owners[tensor]
        if node.tracked != stand_in.tracked or node.primitive is not stand_in.primitive:
            raise TraceError(
                f"compile: expected requires_grad of {stand_in.described} to stay as it is; got "
                f"a step that changes it; set it outside"
            )
        if node is not stand_in:
            self.sinks.append((TensorSink(owner), self._result(node.value)))
        leaf, before = node.leaf, self.run.gradients.get(tensor)
        if leaf is not None and leaf.grad is not before:
            grad = None if leaf.grad is None else self._result(leaf.grad)
            self.sinks.append((GradientSink(owner), grad))

    def _changes(self) -> Iterator[tuple[Place, Any, Any]]:
        """Every place whose content is another now, with what stood there and what does."""
        walked = {id(container.holder) for container, _ in self.run.copies}
        for container, copy in self.run.copies:
            holder = container.holder
            if isinstance(holder, (list, deque)):
                if len(holder) != len(copy):
                    raise TraceError(
                        f"compile: expected a step that leaves the length of {container.path} "
                        f"alone; got one that changes it; return what is to be kept, and append "
                        f"it outside"
                    )
                keys: Any = range(len(copy))
            else:
                keys = [*copy, *(key for key in holder if key not in copy)]
            for key in keys:
                place = container.place(key)
                before = copy.get(key, ABSENT) if isinstance(copy, dict) else copy[key]
                now = place.get()
                # Of a frozen object, the fields are places: those that the step changes follow.
                same_kind = is_record(before) and is_record(now) and type(now) is type(before)
                if now is not before and not same_kind:
                    yield place, before, now
        for place, before in self.run.edges:
            if id(place.holder) not in walked and not place.holds(before):
                yield place, before, place.get()

    def _finish_place(self, place: Place, before: Any, now: Any) -> None:
        self._count(before, now, place.path)
        self.replaced.append((place, before))
        self.sinks.append((PlaceSink(place), self._tree(now, place.path)))

    def _count(self, before: Any, now: Any, path: str) -> None:
        """Find the Python numbers that the step changes, alone and in containers it replaces."""
        if is_number(before) and is_number(now) and before != now:
            self.counted.add(path)
        elif type(before) is type(now) is dict:
            for key in before.keys() & now.keys():
                self._count(before[key], now[key], f"{path}[{key!r}]")
        elif type(before) is type(now) and type(now) in (list, tuple):
            for i, (old, new) in enumerate(zip(before, now, strict=False)):
                self._count(old, new, f"{path}[{i}]")

    def _tree(self, value: Any, path: str) -> Any:
        """What is stored or returned, with results in the places of what is traced."""
        if isinstance(value, Tensor):
            if value in self.run.before and value not in self.moving:
                return value
            node = value._node
            name = node.name
            if isinstance(node.value, (Traced, np.ndarray)):
                return FreshTensor(
                    self._result(node.value), node.leaf is not None, name, not value.is_leaf
                )
            return value
        if isinstance(value, (Traced, np.ndarray)):
            result, concrete = self._result(value), getattr(value, "concrete", value)
            bare = isinstance(concrete, np.ndarray) and not concrete.shape
            return FreshArray(result) if bare else result
        if type(value) in (list, tuple):
            return type(value)(self._tree(item, f"{path}[{i}]") for i, item in enumerate(value))
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*(self._tree(item, path) for item in value))
        if type(value) is dict:
            return {key: self._tree(item, f"{path}[{key!r}]") for key, item in value.items()}
        held = getattr(value, "__dict__", None)
        if type(held) is dict and any(isinstance(v, Traced) for v in held.values()):
            raise TraceError(
                f"compile: expected arrays, numbers, Tensors, and tuples, lists and dicts of them "
                f"for {path}; got a {type(value).__name__} that holds what was computed; return "
                f"its parts"
            )
        return value

    def _result(self, value: Any) -> Result:
        self.outputs.append(self.run.trace.tree(value))
        return Result(len(self.outputs) - 1)


# What a program reads anew in each call, wherever it stands by then.
_FOLLOWED = (Tensor, np.ndarray, dict, list, tuple, np.random.Generator, np.random.RandomState)


class _Stored:
    """The places that a step stores into, and the containers that were there before."""

    def __init__(self, replaced: Sequence[tuple[Place, Any]]) -> None:
        self._places = {place.identity for place, _ in replaced}
        self._within: dict[int, tuple[Place, tuple[Any, ...]]] = {}
        for place, before in replaced:
            self._enter(before, place, ())

    def _enter(self, value: Any, place: Place, keys: tuple[Any, ...]) -> None:
        if isinstance(value, Tensor):
            self._within[id(value)] = place, keys
        elif type(value) in (dict, list, tuple):
            self._within[id(value)] = place, keys
            for key, item in value.items() if type(value) is dict else enumerate(value):
                self._enter(item, place, (*keys, key))

    def rebased(self, source: Source) -> Source:
        """The same source, read by way of the place that will hold another container."""
        if isinstance(source, (TensorSource, GradientSource)):
            return source._replace(owner=self.owner(source.owner))
        if not isinstance(source, PlaceSource) or id(source.place.holder) not in self._within:
            return source
        place, keys = self._within[id(source.place.holder)]
        return PlaceSource(place, (*keys, source.place.key, *source.keys))

    def owner(self, owner: Owner) -> Owner:
        """The same Tensor, by way of the place that will hold another one."""
        known = self._within.get(id(owner))
        return owner if known is None else PlaceSource(*known)

    def is_all_of(self, tensor: Tensor, edges: Sequence[Edge]) -> bool:
        """Whether a Tensor stands in nothing but what the step replaces."""
        return id(tensor) in self._within and not any(
            edge.value is tensor and self.is_outside(edge) for edge in edges
        )

    def doubled(self, edges: Sequence[Edge]) -> Iterator[tuple[Source, Source]]:
        """Places outside that hold what a stored one holds as well, until the step has run."""
        for edge in edges:
            known = self._within.get(id(edge.value))
            if known is not None and self.is_outside(edge):
                yield PlaceSource(edge.place), PlaceSource(*known)

    def is_guarded(self, edge: Edge) -> bool:
        """Whether the program counts on what stands there, which no source reads."""
        if isinstance(edge.place, Size) or isinstance(edge.value, _FOLLOWED):
            return self.is_outside(edge)
        return True  # a number, or an object such as a layer, that the trace took for what it is

    def guard(self, edge: Edge) -> Edge:
        """An edge, by way of the place that will hold another container."""
        known = self._within.get(id(edge.place.holder))
        if known is None:
            return edge
        place, keys = known
        return Edge(Within(place, (*keys, edge.place.key), edge.place.path), edge.value)

    def is_outside(self, edge: Edge) -> bool:
        """Whether an edge stays where it is."""
        place = edge.place.whole if isinstance(edge.place, Part) else edge.place
        inside = id(place.holder) in self._within
        return not inside and not self._places & {place.identity, edge.place.identity}
