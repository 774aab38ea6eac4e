"""Where the inputs of a program are read from before a call, and its outputs put after it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...autograd import Tensor
from .places import ABSENT, Place

__all__ = [
    "ArgumentSource",
    "ArraySink",
    "FreshArray",
    "FreshTensor",
    "GradientSink",
    "GradientSource",
    "Key",
    "Owner",
    "PlaceSink",
    "PlaceSource",
    "Result",
    "Sink",
    "Source",
    "TensorSink",
    "TensorSource",
    "Within",
    "identity",
    "owned",
]


class PlaceSource(NamedTuple):
    """What stands in an attribute, a variable or a container, or within what stands there."""

    place: Place
    keys: tuple[Any, ...] = ()

    def read(self, arguments: Sequence[Any]) -> Any:
        """What it is in this call."""
        found = self.place.get()
        for key in self.keys:
            found = found[key]
        return found


class Within(Place):
    """A place in a container that is replaced in each step: where that stands, and the keys."""

    __slots__ = ()

    @property
    def source(self) -> PlaceSource:
        """How to get there."""
        return PlaceSource(self.holder, self.key)

    def get(self) -> Any:
        """What stands there now."""
        try:
            return self.source.read(())
        except (KeyError, IndexError, TypeError):
            return ABSENT


# A Tensor that the step knows, the number of the argument that is one, or where it stands.
Owner = Tensor | int | PlaceSource


def owned(owner: Owner, arguments: Sequence[Any]) -> Tensor:
    """The Tensor in this call."""
    if isinstance(owner, PlaceSource):
        return owner.read(arguments)
    return arguments[owner] if isinstance(owner, int) else owner


class ArgumentSource(NamedTuple):
    """An array or number that is passed to the step."""

    position: int

    def read(self, arguments: Sequence[Any]) -> Any:
        """What it is in this call."""
        return arguments[self.position]


class TensorSource(NamedTuple):
    """The value of a Tensor."""

    owner: Owner

    def read(self, arguments: Sequence[Any]) -> Any:
        """What it is in this call."""
        return owned(self.owner, arguments)._node.value


class GradientSource(NamedTuple):
    """The gradient that a Tensor has collected before the call."""

    owner: Owner

    def read(self, arguments: Sequence[Any]) -> Any:
        """What it is in this call."""
        leaf = owned(self.owner, arguments)._node.leaf
        return None if leaf is None else leaf.grad


Source = ArgumentSource | TensorSource | GradientSource | PlaceSource


class Key(NamedTuple):
    """In a tree: what the new state has by this name."""

    name: str


def identity(origin: Any) -> Any:
    """What tells two sources apart: places by the holder that they are in."""
    if isinstance(origin, PlaceSource):
        return origin.place.identity, origin.keys
    if isinstance(origin, TensorSource) and isinstance(origin.owner, PlaceSource):
        return identity(origin.owner)  # the step puts another Tensor there
    if isinstance(origin, (TensorSource, GradientSource)):
        return type(origin), identity(origin.owner)
    return id(origin) if isinstance(origin, Tensor) else origin


class TensorSink(NamedTuple):
    """A Tensor is given another value."""

    owner: Owner


class GradientSink(NamedTuple):
    """A Tensor is left with a gradient."""

    owner: Owner


class ArraySink(NamedTuple):
    """An array is written into, by whoever holds it."""

    source: Source


class PlaceSink(NamedTuple):
    """Something is stored in an attribute, a variable or a container."""

    place: Place


Sink = TensorSink | GradientSink | ArraySink | PlaceSink


class Result(NamedTuple):
    """In a tree of outputs: the program's output of this number."""

    number: int


class FreshArray(NamedTuple):
    """In a tree of outputs: an array without axes, where a program gives a NumPy scalar."""

    value: Result


class FreshTensor(NamedTuple):
    """In a tree of outputs: a new Tensor of this value."""

    value: Result
    requires_grad: bool = False
    name: str | None = None
    spent: bool = False  # a gradient could flow through it, had the step run itself
