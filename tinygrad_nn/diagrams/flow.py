"""What flows through a recording: gradients back to each value, and the part along each edge.

The walker adds up what arrives at a node, so what a single user of it sent cannot be read off
afterwards. Here the recording is copied with a node of its own on each edge, which passes on what
it gets; the same walker then leaves each part there.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from .._typing import Array
from ..autograd import Graph, Node
from ..autograd.backward import gradients, plan
from ..primitives import IDENTITY

__all__ = ["Edge", "Flow", "order_of_arrival"]

Edge: TypeAlias = tuple[Node, int]  # a node, and the position of one of its inputs


class Flow:
    """The gradients in a recording, node by node and edge by edge.

    What an edge carries is what its node sends to that input, broadcasting undone; over the edges
    that start at a value these parts add up to its gradient.

    Args:
        graph: a recording.
        seeds: the cotangents to start from, by output.
        order: in which order to visit the nodes. By default users come before their inputs, as
            they must. In any other order a node passes on what has arrived by then, and what
            comes later is never passed on: the classic mistake.

    Attributes:
        seeds: the cotangents to start from, by output.
        gradients: what each node had when it was visited: in the right order, its gradient.
        parts: what each edge carried.
    """

    def __init__(
        self, graph: Graph, seeds: Mapping[Node, Array], order: Sequence[Node] | None = None
    ) -> None:
        self.seeds = dict(seeds)
        copies: dict[Node, Node] = {}
        edges: dict[Edge, Node] = {}
        for node in graph.nodes:
            inputs = list(node.inputs)
            for k, i in enumerate(inputs):
                if isinstance(i, Node):
                    inputs[k] = edges[node, k] = Node(
                        i.value, IDENTITY, (copies[i],), None, i.tracked
                    )
            copies[node] = Node(
                node.value, node.primitive, tuple(inputs), node.static, node.tracked
            )
        roots = [copies[root] for root in seeds]
        visit = plan(roots)
        if order is not None:
            chosen, visit = set(visit), []
            for node in order:
                sent = (edges[node, k] for k, i in enumerate(node.inputs) if isinstance(i, Node))
                visit += [n for n in (copies[node], *sent) if n in chosen]
        arrived = gradients(visit, list(zip(roots, seeds.values(), strict=True)))
        self.gradients = {n: arrived[c] for n, c in copies.items() if c in arrived}
        self.parts = {e: arrived[n] for e, n in edges.items() if n in arrived}


def order_of_arrival(roots: Sequence[Node]) -> list[Node]:
    """The nodes that a gradient visits, in the order in which it first reaches them.

    It is not the right order: a value that is used along a short way and along a long one is
    reached by the short one first, and would be visited before the long one has brought its part.
    """
    waiting = deque(root for root in roots if root.tracked)
    order = dict.fromkeys(waiting)
    while waiting:
        for parent in waiting.popleft().parents:
            if parent.tracked and parent not in order:
                order[parent] = None
                waiting.append(parent)
    return list(order)
