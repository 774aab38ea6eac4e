"""The recorded computation as plain data: nodes that know their inputs, and nothing else.

A `Node` is a value and its recipe. It never refers to the Tensor that holds it, so a graph has
no cycles and reference counting alone frees it. Nodes are never changed once they are made.
"""

import itertools
from collections.abc import Container, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from .._scope import Scope
from .._typing import Array
from ..primitives import Primitive
from .recording import Site, SourceLine, source_line

__all__ = ["NO_OPTIONS", "Graph", "Leaf", "Node", "reachable"]


NO_OPTIONS: dict[str, Any] = {}  # the static arguments of most calls, never written into


class Leaf:
    """Where a gradient is collected: one for each Tensor that asked for its own.

    It outlives the node of its Tensor, which is replaced whenever the Tensor's data is.
    """

    __slots__ = ("grad",)

    def __init__(self) -> None:
        self.grad: Array | None = None


_numbers = itertools.count()


class Node:
    """One recorded value: how it was made, from what, and where in the user's program."""

    __slots__ = (
        "inputs",
        "leaf",
        "name",
        "number",
        "primitive",
        "scope",
        "seed",
        "site",
        "static",
        "tracked",
        "value",
    )

    def __init__(
        self,
        value: Array,
        primitive: Primitive | None = None,
        inputs: tuple[Any, ...] = (),
        static: dict[str, Any] | None = None,
        tracked: bool = False,
        scope: Scope = (),
        site: Site | None = None,
    ) -> None:
        self.number = next(_numbers)  # inputs are made first, so numbers order a graph
        self.value = value
        self.primitive = primitive
        self.inputs = inputs  # a Node for each recorded input, the plain value of each constant
        self.static = static
        self.tracked = tracked  # whether a gradient can flow through here
        self.scope = scope
        self.site = site
        self.name: str | None = None
        self.leaf: Leaf | None = None
        self.seed: Array | None = None  # what backward() last started with here

    def __repr__(self) -> str:
        what = self.primitive.name if self.primitive else self.name or "leaf"
        return f"<node {what} {getattr(self.value, 'shape', ())}>"

    def remade(self, value: Array, inputs: tuple[Any, ...], tracked: bool) -> "Node":
        """A node of the same operation, name and place on other inputs."""
        node = Node(value, self.primitive, inputs, self.static, tracked, self.scope, self.site)
        node.name, node.leaf = self.name, self.leaf
        return node

    @property
    def described(self) -> str:
        """How an error speaks of this value."""
        name = f" {self.name!r}" if self.name else ""
        return f"Tensor{name} of shape {self.value.shape}"

    @property
    def operands(self) -> list[Array]:
        """The values of the inputs, as the primitive saw them."""
        return [i.value if type(i) is Node else i for i in self.inputs]

    @property
    def parents(self) -> Iterator["Node"]:
        """The recorded inputs, without the plain constants."""
        return (i for i in self.inputs if type(i) is Node)

    @property
    def source(self) -> SourceLine | None:
        """The user's line, worked out only when somebody asks."""
        return None if self.site is None else source_line(self.site)


def reachable(
    roots: Iterable[Node], *, tracked: bool = False, until: Container[Node] = ()
) -> list[Node]:
    """Every node that the roots are made of, the latest first: users before their inputs.

    Nodes are numbered as they are made, so the order of their numbers is a topological order, and
    finding them takes no recursion.

    Args:
        roots: where to start.
        tracked: whether to keep to nodes that a gradient can flow through.
        until: nodes not to look behind.
    """
    found = [root for root in roots if root.tracked or not tracked]
    seen = set(found)
    for node in found:  # grows as it is read
        if node in until:
            continue
        for i in node.inputs:
            if type(i) is Node and i not in seen and (i.tracked or not tracked):
                seen.add(i)
                found.append(i)
    found.sort(key=_number, reverse=True)
    return found


_number = attrgetter("number")


class Graph:
    """A recording, ready to be read: nodes in topological order, and the outputs among them."""

    __slots__ = ("nodes", "outputs")

    def __init__(self, outputs: Sequence[Any]) -> None:
        # A Tensor stands for its node.
        self.outputs: tuple[Node, ...] = tuple(getattr(o, "_node", o) for o in outputs)
        self.nodes = tuple(reversed(reachable(self.outputs)))

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)
