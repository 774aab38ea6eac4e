"""The recorded computation as plain data: nodes that know their inputs, and nothing else.

A `Node` is a value and its recipe. It never refers to the Tensor that holds it, so a graph has
no cycles and reference counting alone frees it. Nodes are never changed once they are made.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CodeType
from typing import Any

from .._typing import Array
from ..primitives import Primitive
from .recording import Scope, SourceLine, source_line

__all__ = ["Graph", "Leaf", "Node", "topological_order", "tracked_inputs"]


class Leaf:
    """Where a gradient is collected: one for each Tensor that asked for its own.

    It outlives the node of its Tensor, which is replaced whenever the Tensor's data is.
    """

    __slots__ = ("grad",)

    def __init__(self) -> None:
        self.grad: Array | None = None


class Node:
    """One recorded value: how it was made, from what, and where in the user's program."""

    __slots__ = (
        "code",
        "inputs",
        "instruction",
        "leaf",
        "name",
        "primitive",
        "scope",
        "seed",
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
    ) -> None:
        self.value = value
        self.primitive = primitive
        self.inputs = inputs  # a Node for each recorded input, the plain value of each constant
        self.static = static
        self.tracked = False  # whether a gradient can flow through here
        self.scope: Scope = ()
        self.code: CodeType | None = None
        self.instruction = -1
        self.name: str | None = None
        self.leaf: Leaf | None = None
        self.seed: Array | None = None  # what backward() last started with here

    def __repr__(self) -> str:
        what = self.primitive.name if self.primitive else self.name or "leaf"
        return f"<node {what} {getattr(self.value, 'shape', ())}>"

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
        if self.code is None:
            return None
        return source_line(self.code, self.instruction)


def _recorded_inputs(node: Node) -> Iterable[Node]:
    return node.parents


def tracked_inputs(node: Node) -> Iterable[Node]:
    """The inputs that a gradient can flow back to."""
    return [i for i in node.inputs if type(i) is Node and i.tracked]


def topological_order(
    roots: Iterable[Node], inputs: Callable[[Node], Iterable[Node]] = _recorded_inputs
) -> list[Node]:
    """Every node that the roots are made of, inputs before what is made from them.

    Iterative, so the depth of a graph is bounded by memory and not by the recursion limit.
    """
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(root, False) for root in roots]
    while stack:
        node, inputs_done = stack.pop()
        if inputs_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((i, False) for i in inputs(node) if i not in seen)
    return order


class Graph:
    """A recording, ready to be read: nodes in topological order, and the outputs among them."""

    __slots__ = ("nodes", "outputs")

    def __init__(self, outputs: Sequence[Node]) -> None:
        self.outputs = tuple(outputs)
        self.nodes = tuple(topological_order(outputs))

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)
