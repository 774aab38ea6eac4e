"""Putting traced arrays in the places of what a step uses, and putting everything back."""

from collections import deque
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...autograd import Node, Tensor
from ...autograd.containers import leaves, rebuilt
from ...autograd.graph import Leaf
from ...errors import TraceError
from ...primitives import without_scalar
from ..program import Value
from .draws import generator_value, traced_generator
from .number import Number
from .places import ABSENT
from .slots import (
    ArgumentSource,
    GradientSource,
    Owner,
    PlaceSource,
    Source,
    TensorSource,
)
from .spent import spent_node
from .surroundings import Edge, Surroundings
from .trace import Trace
from .traced import Traced

__all__ = ["Lifting"]


class Lifting:
    """The replacements of one traced run."""

    def __init__(
        self, surroundings: Surroundings, varying: set[str], absent_gradients: bool, guarded: bool
    ) -> None:
        self.around = surroundings
        self.varying = varying
        self.absent_gradients = absent_gradients
        self.trace = Trace(guarded)
        self.sources: dict[Value, Source] = {}
        self.owners: dict[Tensor, Owner] = {}
        self.handed_in: list[tuple[Tensor, Node]] = []  # Tensors among the arguments
        self.before: dict[
            Tensor, tuple[Node, Node]
        ] = {}  # each Tensor's own node, and its stand-in
        self.gradients: dict[Tensor, Any] = {}  # what each leaf had collected
        self.stand_ins: dict[int, Any] = {}  # by the id of the array or generator
        self.firsts: dict[int, Source] = {}  # where each stand-in was first met
        self.aliases: list[tuple[Source, Source]] = []  # where it was met again
        self.arrays: list[tuple[Traced, Value, Source]] = []  # to see what was written into

    # --- replacing, and putting back ----------------------------------------------------------

    @contextmanager
    def lifted(self, arguments: Any, names: Sequence[str], static: Container[int]) -> Iterator[Any]:
        """Within the block, everything that the step can reach is traced."""
        copies = [(c, c.holder.copy()) for c in self.around.containers]
        try:
            for tensor, path in self.around.tensors.items():
                self._lift_tensor(tensor, tensor, path)
            for edge in self.around.edges:
                stand_in = self._stand_in(edge)
                if stand_in is not edge.value:
                    edge.place.set(stand_in)
            self.copies = [(c, c.holder.copy()) for c in self.around.containers]
            self.edges = [Edge(e.place, e.place.get()) for e in self.around.edges]
            yield self._lift_arguments(arguments, names, static)
        finally:
            for tensor, (node, _) in self.before.items():
                tensor._node = node
            for edge in self.around.edges:
                if not edge.place.holds(edge.value):
                    edge.place.set(edge.value)
            for container, copy in copies:
                _restore(container.holder, copy)

    def _lift_tensor(self, tensor: Tensor, owner: Owner, path: str) -> None:
        node = tensor._node
        if tensor in self.before or not isinstance(node.value, np.ndarray):
            return
        name = path if not node.name or node.name in path else f"{path}.{node.name}"
        traced = self._traced(node.value, TensorSource(owner), name)
        stand_in = Node(traced) if node.primitive is None else spent_node(traced)
        stand_in.name, stand_in.tracked = node.name, node.tracked
        if node.leaf is not None:
            stand_in.leaf = Leaf()
            grad = node.leaf.grad
            if grad is None and not self.absent_gradients:
                grad = np.zeros_like(node.value)
            if grad is not None:
                source = GradientSource(owner)
                stand_in.leaf.grad = self._traced(grad, source, f"d {name}")
            self.gradients[tensor] = stand_in.leaf.grad
        self.before[tensor] = node, stand_in
        self.owners[tensor] = owner
        tensor._node = stand_in

    def _traced(self, array: Any, source: Source, name: str) -> Traced:
        array = without_scalar(array)
        value = Value(array.shape, array.dtype, name)
        self.sources[value] = source
        return Traced(self.trace, value, array)

    def _stand_in(self, edge: Edge) -> Any:
        """What to put in a place: something traced for what holds values."""
        value, place = edge.value, edge.place
        if place.path in self.varying and isinstance(value, np.generic):
            return self._traced(value, PlaceSource(place), place.path)
        if place.path in self.varying and type(value) in (int, float):
            number = Value((), np.dtype(type(value)), self.around.name_of(place.path), weak=True)
            self.sources[number] = PlaceSource(place)
            return Number(self.trace, number, value)
        return self._stand_in_for(value, PlaceSource(place), self.around.name_of(place.path))

    def _stand_in_for(self, value: Any, source: PlaceSource, path: str) -> Any:
        if isinstance(value, tuple) and type(value) is tuple:
            parts = tuple(
                self._stand_in_for(v, source._replace(keys=(*source.keys, i)), f"{path}[{i}]")
                for i, v in enumerate(value)
            )
            return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts
        is_generator = isinstance(value, (np.random.Generator, np.random.RandomState))
        if not isinstance(value, np.ndarray) and not is_generator:
            return value
        if id(value) in self.stand_ins:
            self.aliases.append((self.firsts[id(value)], source))
        else:
            self.firsts[id(value)] = source
            self.stand_ins[id(value)] = (
                self._generator(value, source, path) if is_generator
                else self._array(value, source, path)
            )  # fmt: skip
        return self.stand_ins[id(value)]

    def _array(self, value: Any, source: Source, path: str) -> Traced:
        if not is_plain(value):
            if not isinstance(source, ArgumentSource):
                return value
            raise TraceError(
                f"compile: expected plain arrays of numbers for {path}; got a "
                f"{type(value).__name__} of {value.dtype}; convert it with np.asarray, or do what "
                f"needs it outside"
            )
        traced = self._traced(value, source, path)
        self.arrays.append((traced, traced.value, source))
        return traced

    def _generator(self, value: Any, source: Source, path: str) -> Any:
        place = generator_value(path)
        self.sources[place] = source
        return traced_generator(self.trace, place, value)

    def _lift_arguments(self, arguments: Any, names: Sequence[str], static: Container[int]) -> Any:
        lifted = []
        for i, (leaf, name) in enumerate(zip(leaves(arguments), names, strict=True)):
            if i in static:
                lifted.append(leaf)
                continue
            source = ArgumentSource(i)
            known = self.stand_ins.get(id(leaf))
            if known is not None:
                if id(leaf) in self.firsts:  # it is around the step as well
                    self.aliases.append((self.firsts[id(leaf)], source))
                leaf = known
            elif isinstance(leaf, Tensor) and leaf.requires_grad:
                self._lift_tensor(leaf, i, name)
            elif isinstance(leaf, Tensor):  # data, which may be another Tensor in each call
                leaf = self._handed_in(leaf, source, name)
            elif isinstance(leaf, (np.ndarray, np.generic)):
                leaf = self.stand_ins[id(leaf)] = self._array(leaf, source, name)
            elif isinstance(leaf, (np.random.Generator, np.random.RandomState)):
                leaf = self.stand_ins[id(leaf)] = self._generator(leaf, source, name)
            elif type(leaf) in (int, float):
                number = Value((), np.dtype(type(leaf)), name, weak=True)
                self.sources[number] = source
                leaf = Number(self.trace, number, leaf)
            lifted.append(leaf)
        return rebuilt(arguments, iter(lifted))

    def _handed_in(self, tensor: Tensor, source: Source, name: str) -> Tensor:
        """A Tensor in the place of one that is an argument, and needs no gradient."""
        node = Node(self._traced(tensor._node.value, source, name))
        node.name = tensor._node.name
        stand_in = Tensor._of(node)
        self.handed_in.append((stand_in, node))
        return stand_in


def is_plain(array: Any) -> bool:
    """Whether an array holds numbers, and does with them what every array does."""
    kind = type(array)
    known = kind is np.ndarray or kind is np.memmap or issubclass(kind, np.generic)
    return known and array.dtype.kind in "fiubc"


def _restore(container: Any, copy: Any) -> None:
    """Give a dict or list its former items again, if it has others now."""
    if isinstance(container, (list, deque)):
        if len(container) != len(copy) or any(
            a is not b for a, b in zip(container, copy, strict=True)
        ):
            container.clear()
            container.extend(copy)
        return
    for key in [key for key in container if key not in copy]:
        del container[key]
    for key, value in copy.items():
        if dict.get(container, key, ABSENT) is not value:
            container[key] = value
