"""A check of every gradient inside a recording: move one value, replay what depends on it.

The recording is lifted to float64 first. A value that stop_gradient holds constant stays where
it is, because that is what the gradient is told.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array
from ..autograd import Graph, Node
from ..autograd.backward import gradients, plan
from ..primitives import ASTYPE, Trait
from .differences import Line
from .gradcheck import Verdict, compare, typical_size

__all__ = ["NodeCheck", "check_nodes"]

_DIRECTIONS = 3


class NodeCheck(NamedTuple):
    """The verdict on the gradient of one node, along the worst of a few random directions."""

    verdict: Verdict
    analytic: float
    numeric: float


def check_nodes(graph: Graph, seed: Array, rng: Any = 0) -> dict[Node, NodeCheck]:
    """Check the gradient of a graph's one output by each value inside it.

    Args:
        graph: a recording with one output.
        seed: the cotangent of that output.
        rng: the seed or source of the random directions.

    Returns:
        A verdict for each node that a gradient reaches, the output apart.
    """
    random = np.random.default_rng(rng)
    (root,) = graph.outputs
    twins = _lifted(graph)
    cotangent = np.asarray(seed, dtype=np.float64)
    top = twins[root]
    arrived = gradients(plan([top]), [(top, cotangent)])
    checks = {}
    for node in graph.nodes:
        twin = twins[node]
        if node is root or twin not in arrived:
            continue
        checks[node] = _check_node(graph, twins, node, arrived[twin], cotangent, random)
    return checks


def _check_node(
    graph: Graph,
    twins: Mapping[Node, Node],
    node: Node,
    gradient: Array,
    cotangent: Array,
    random: "np.random.Generator",
) -> NodeCheck:
    value = twins[node].value
    downstream = _downstream(graph, node)
    worst = NodeCheck(Verdict.PASS, 0.0, 0.0)
    if value.size == 0:
        return worst
    scale = float(np.linalg.norm(np.where(np.isfinite(gradient), gradient, 0)))
    for _ in range(_DIRECTIONS):
        # What is infinite already stays where it is.
        direction = np.where(np.isfinite(value), random.standard_normal(value.shape), 0)
        along = partial(_replayed, graph, twins, downstream, node, direction)
        line = Line(along, cotangent, typical_size(value))
        analytic = float(np.sum(gradient * direction))
        verdict, numeric, _ = compare(line, analytic, scale, 1e-9 * scale)
        if verdict.badness >= worst.verdict.badness:
            worst = NodeCheck(verdict, analytic, numeric)
    return worst


def _lifted(graph: Graph) -> dict[Node, Node]:
    """The same recording in float64, node for node."""
    twins: dict[Node, Node] = {}
    for node in graph.nodes:
        if node.primitive is None:
            twin = Node(_lift(node.value))
        else:
            inputs = tuple(twins[i] if isinstance(i, Node) else _lift(i) for i in node.inputs)
            values = [i.value if isinstance(i, Node) else i for i in inputs]
            static = _lifted_static(node)
            value = node.primitive.evaluate(values, static)
            twin = Node(np.asarray(value), node.primitive, inputs, static)
        twin.tracked = node.tracked
        twins[node] = twin
    return twins


def _lift(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(np.float64)
    return value


def _lifted_static(node: Node) -> dict[str, Any]:
    return {"dtype": np.float64} if node.primitive is ASTYPE else node.static or {}


def _downstream(graph: Graph, start: Node) -> Sequence[Node]:
    """What has to be computed again when one value moves, in order."""
    moved = {start}
    for node in graph.nodes:
        opaque = node.primitive is not None and Trait.OPAQUE in node.primitive.traits
        if not opaque and any(parent in moved for parent in node.parents):
            moved.add(node)
    return [node for node in graph.nodes if node in moved and node is not start]


def _replayed(
    graph: Graph,
    twins: Mapping[Node, Node],
    downstream: Sequence[Node],
    start: Node,
    direction: Array,
    t: float,
) -> Array:
    """The output with one value moved along a direction."""
    fresh = {start: twins[start].value + t * direction}
    for node in downstream:
        twin = twins[node]
        values = [
            fresh.get(i, twins[i].value) if isinstance(i, Node) else twin.inputs[position]
            for position, i in enumerate(node.inputs)
        ]
        if twin.primitive is not None:  # what lies downstream was computed
            fresh[node] = twin.primitive.evaluate(values, twin.static or {})
    return np.asarray(fresh[graph.outputs[0]])
