"""A check of every gradient inside a recording.

What arrives at a node is right if its users' gradients are, and each of them passes the right part
on. So each node is moved alone, and only its users are computed again: that takes as long as a few
backward passes. Only behind a mistake everything up to the output is.

The recording is lifted to float64 first. A value that stop_gradient holds constant stays where
it is, because that is what the gradient is told.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array
from ..autograd import Graph, Node, no_grad
from ..autograd.backward import gradients, plan
from ..autograd.graph import NO_OPTIONS
from ..autograd.run import Run
from ..primitives import ASTYPE, Trait
from .crosscheck import Crosscheck
from .differences import Line, typical_size
from .judge import judge
from .replay import lifted, replayed
from .verdicts import Element, Verdict

__all__ = ["NodeCheck", "check_element", "check_nodes"]

_DIRECTIONS = 3


class NodeCheck(NamedTuple):
    """The verdict on the gradient of one node, along the worst of a few random directions.

    The one element of a scalar is its own direction: there the numbers are its gradient.
    """

    verdict: Verdict
    analytic: float
    numeric: float
    right: bool = True
    made_by: tuple[str, ...] = ()  # where the mistake begins: the users, which received the right


def check_nodes(graph: Graph, seed: Array, rng: Any = 0) -> dict[Node, NodeCheck]:
    """Check the gradient of a graph's one output by each value inside it.

    Args:
        graph: a recording with one output.
        seed: the cotangent of that output.
        rng: the seed or source of the random directions.

    Returns:
        A verdict for each node that a gradient reaches, the output apart.
    """
    lifted = _Lifted(graph, seed, np.random.default_rng(rng))
    checks: dict[Node, NodeCheck] = {}
    for node in reversed(graph.nodes):  # users first
        if node in graph.outputs or lifted.twins[node] not in lifted.arrived:
            continue
        behind = any(not checks[user].right for user in lifted.users[node] if user in checks)
        found = lifted.judged(node, lifted.everything if behind else lifted.nearby)
        if found.verdict is Verdict.WRONG and not behind:
            found = found._replace(made_by=lifted.names_of_users(node))
        checks[node] = found
    return checks


def check_element(graph: Graph, seed: Array, node: Node, index: tuple[int, ...]) -> Element:
    """Check the gradient of a graph's one output by one element of a value inside it.

    The element alone is moved, and everything behind it is computed again.

    Args:
        graph: a recording with one output.
        seed: the cotangent of that output.
        node: the value.
        index: which of its elements.
    """
    random = np.random.default_rng(0)
    lifted = _Lifted(graph, seed, random)
    twin = lifted.twins[node]
    f, weights = lifted.everything(node)
    direction = np.zeros_like(twin.value)
    direction[index] = 1.0
    size = abs(float(twin.value[index]))
    width = size if 0 < size < np.inf else typical_size(twin.value)
    line = Line(lambda t: f(twin.value + t * direction), weights, width)
    arrived = lifted.arrived.get(twin)
    analytic = 0.0 if arrived is None else float(arrived[index])
    found = judge(line, analytic, abs(analytic))
    if not found.right:  # tangents may tell, where differences cannot
        run = lifted.recorded(node)
        found = Crosscheck(run, lambda xs: f(xs[0]), random).settled(found, {0: direction}, line)
    return replace(found, index=index)


Moved = Callable[[Node], tuple[Callable[[Array], Array], Array]]


class _Lifted:
    """A recording in float64, node for node, and the gradients that arrive in it."""

    def __init__(self, graph: Graph, seed: Array, random: "np.random.Generator") -> None:
        self.graph = graph
        self.random = random
        self.twins = _lifted(graph)
        (root,) = graph.outputs
        self.cotangent = np.asarray(seed, dtype=np.float64)
        self.top = self.twins[root]
        self.arrived = gradients(plan([self.top]), [(self.top, self.cotangent)])
        self.arrived[self.top] = self.cotangent
        self.users: dict[Node, list[Node]] = {node: [] for node in graph.nodes}
        for node in graph.nodes:
            for parent in dict.fromkeys(node.parents):
                self.users[parent].append(node)

    def judged(self, node: Node, moved: Moved) -> NodeCheck:
        """Judge a node along random directions, by what moving it moves."""
        twin = self.twins[node]
        worst = Element((), Verdict.PASS, 0.0, 0.0, 0.0)
        if twin.value.size:
            f, weights = moved(node)

            def outputs(direction: Array, t: float) -> Array:
                return f(twin.value + t * direction)

            for _ in range(_DIRECTIONS if twin.value.size > 1 else 1):
                direction = self._direction(twin.value)
                line = Line(partial(outputs, direction), weights, typical_size(twin.value))
                found = judge(line, float(np.sum(self.arrived[twin] * direction)))
                worst = max(found, worst, key=lambda e: (not e.right, e.verdict.badness))
        return NodeCheck(worst.verdict, worst.analytic, worst.numeric, worst.right)

    def names_of_users(self, node: Node) -> tuple[str, ...]:
        """What sends a gradient back to a node."""
        users = [u for u in self.users[node] if self.twins[u] in self.arrived]
        return tuple(dict.fromkeys(u.primitive.name for u in users if u.primitive is not None))

    def _direction(self, value: Array) -> Array:
        if value.size == 1:
            return np.ones_like(value)
        # What is infinite already stays where it is.
        return np.where(np.isfinite(value), self.random.standard_normal(value.shape), 0)

    def nearby(self, node: Node) -> tuple[Callable[[Array], Array], Array]:
        """The users of a node as a function of its value, and the cotangents they received."""
        twin = self.twins[node]
        users = [self.twins[u] for u in self.users[node] if not _is_opaque(u)]
        users = [user for user in users if user in self.arrived]

        def f(value: Array) -> Array:
            # Each by itself: where one user is an input of another, that one stays where it is.
            moved = [replayed([user], {twin: value})[user] for user in users]
            return np.concatenate([np.ravel(y) for y in moved])

        return f, np.concatenate([np.ravel(self.arrived[user]) for user in users])

    def everything(self, node: Node) -> tuple[Callable[[Array], Array], Array]:
        """The output of the recording as a function of a node's value."""
        twin = self.twins[node]
        downstream = [self.twins[n] for n in _downstream(self.graph, node)]
        return lambda value: replayed(downstream, {twin: value})[self.top], self.cotangent

    def recorded(self, node: Node) -> Run:
        """The same function, recorded again from this value alone."""
        twin = self.twins[node]
        downstream = [self.twins[n] for n in _downstream(self.graph, node)]

        def f(x: Any) -> Any:
            values = {twin: x}
            for n in downstream:
                operands = [values.get(i, i.value) if isinstance(i, Node) else i for i in n.inputs]
                if n.primitive is not None:
                    values[n] = n.primitive(*operands, **(n.static or NO_OPTIONS))
            return values[self.top]

        with no_grad():
            return Run(f, [twin.value], {}, 0)


def _lifted(graph: Graph) -> dict[Node, Node]:
    """The same recording in float64, node for node."""
    twins: dict[Node, Node] = {}
    for node in graph.nodes:
        if node.primitive is None:
            twin = Node(lifted(node.value), tracked=node.tracked)
        else:
            inputs = tuple(twins[i] if isinstance(i, Node) else lifted(i) for i in node.inputs)
            values = [i.value if isinstance(i, Node) else i for i in inputs]
            static = _lifted_static(node)
            value = node.primitive.evaluate(values, static)
            twin = Node(np.asarray(value), node.primitive, inputs, static, node.tracked)
        twins[node] = twin
    return twins


def _lifted_static(node: Node) -> dict[str, Any]:
    return {"dtype": np.float64} if node.primitive is ASTYPE else node.static or {}


def _is_opaque(node: Node) -> bool:
    return node.primitive is not None and Trait.OPAQUE in node.primitive.traits


def _downstream(graph: Graph, start: Node) -> Sequence[Node]:
    """What has to be computed again when one value moves, in order."""
    moved = {start}
    for node in graph.nodes:
        if not _is_opaque(node) and any(parent in moved for parent in node.parents):
            moved.add(node)
    return [node for node in graph.nodes if node in moved and node is not start]
