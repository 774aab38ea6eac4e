"""Scenes of recordings: nodes, values and gradients, and the walk backward beside them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from ..._scope import Scope, scope
from ..._typing import Array
from ...autograd import Graph, Node, Tensor
from ...autograd.backward import gradients, plan, walk
from ...autograd.recording import enable_grad
from ...verify.nodes import NodeCheck
from ..labels import shape_text, shortened, static_text
from .scene import NOT_RUN, Box, Details, Kind, Link, Scene, innermost_common

__all__ = ["recorded_scene", "with_backward"]


def recorded_scene(
    graph: Graph,
    seeds: Mapping[Node, Array],
    checks: Mapping[Node, NodeCheck],
    forward: Graph | None = None,
) -> Scene:
    """The scene of a recording.

    Args:
        graph: what to draw.
        seeds: the cotangents of the outputs that gradients start from.
        checks: verdicts on gradients.
        forward: the part of the graph that is the forward pass, where both passes are drawn.
    """
    arrived = gradients(plan(list(seeds)), list(seeds.items()))
    boxes: list[Box] = []
    links: list[Link] = []
    of: dict[Node, Box] = {}
    places = _places(graph)
    first_pass = set(forward.nodes) if forward else None
    for node in graph.nodes:
        box = Box(
            _kind(node, graph), _title(node), places[node], shape_text(node.value), node.site, node
        )
        of[node] = box
        for i in node.inputs:
            if isinstance(i, Node):
                crosses = first_pass is not None and i in first_pass and node not in first_pass
                links.append(Link(of[i], box, crosses))
            else:
                constant = Box(Kind.CONSTANT, "", places[node], shape_text(i), node.site, i)
                boxes.append(constant)
                links.append(Link(constant, box))
        boxes.append(box)

    def details(box: Box) -> Details:
        if not isinstance(box.item, Node):
            return Details(notes=("None",)) if box.item is None else Details(value=box.item)
        both = first_pass is None or box.item in first_pass  # d a has no gradient of its own
        return _details(box.item, box.kind, arrived if both else None, checks.get(box.item))

    return Scene(boxes, links, details, {of[node]: check for node, check in checks.items()})


def with_backward(graph: Graph, seeds: Mapping[Node, Array]) -> Graph:
    """A recording with the walk backward recorded as well, each gradient made by its rules."""
    starts = [(root, _seed(root, seed)) for root, seed in seeds.items()]
    visit = plan(list(seeds))
    newest = graph.nodes[-1].number
    with enable_grad(), np.errstate(all="ignore"):
        found = list(_recorded_walk(visit, starts))
        if not all(np.all(np.isfinite(g.numpy())) for _, g in found):
            with scope("backward"):  # with the guard, as `backward` itself walks then
                found = list(gradients(visit, starts, wrap=Tensor._of).items())
    ends = []
    for node, g in found:
        if g._node.name is None and g._node.number > newest:
            g._node.name = f"d {_title(node)}"
        if node.primitive is None:
            ends.append(g._node)
    return Graph([*graph.outputs, *dict.fromkeys(ends)])


def _recorded_walk(
    visit: Sequence[Node], starts: Sequence[tuple[Node, Any]]
) -> Iterator[tuple[Node, Any]]:
    """Walk back on Tensors, and let each rule's operations belong to its node's scope."""
    steps = walk(visit, starts, wrap=Tensor._of)
    around: Scope = ()
    while True:
        # What is recorded until the next node comes is what the last one sends back.
        with ExitStack() as scopes:
            for name in ("backward", *around):
                scopes.enter_context(scope(name))
            step = next(steps, None)
        if step is None:
            return
        yield step
        around = step[0].scope


def _seed(root: Node, seed: Array) -> Tensor:
    """A cotangent to start from, which is an input of the backward pass."""
    start = Tensor(seed)
    node = Node(start._node.value, tracked=True, scope=("backward",))
    node.name = f"d {_title(root)}"
    return Tensor._of(node)


def _kind(node: Node, graph: Graph) -> Kind:
    if node in graph.outputs:
        return Kind.OUTPUT
    if node.primitive is not None:
        return Kind.OPERATION
    return Kind.PARAMETER if node.leaf is not None else Kind.INPUT


def _title(node: Node) -> str:
    if node.name:
        return str(node.name)
    if node.primitive is not None:
        return node.primitive.name
    return "parameter" if node.leaf is not None else "input"


def _places(graph: Graph) -> dict[Node, Scope]:
    """The scope that each node is drawn in; a leaf stands where all its users are."""
    users: dict[Node, list[Scope]] = {}
    for node in graph.nodes:
        for parent in node.parents:
            users.setdefault(parent, []).append(node.scope)
    return {
        node: node.scope
        if node.primitive is not None or node.scope or node not in users
        else innermost_common(users[node])
        for node in graph.nodes
    }


def _details(
    node: Node, kind: Kind, arrived: Mapping[Node, Array] | None, check: NodeCheck | None
) -> Details:
    notes = []
    if node.primitive is not None:
        named = [node.primitive.name] if node.name else []
        call = ", ".join([*named, *filter(None, [static_text(node.static)])])
        notes += [shortened(call)] if call else []
    elif node.name:
        notes.append(kind.value)
    dtype = node.value.dtype
    notes.append(shape_text(node.value) + ("" if dtype == np.float64 else f" {dtype}"))
    if arrived is None:
        return Details(tuple(notes), node.value)
    gradient = arrived.get(node)
    collected = node.leaf.grad if node.leaf is not None else None
    return Details(
        tuple(notes),
        node.value,
        NOT_RUN if gradient is None else gradient,
        collected if _differs(collected, gradient) else None,
        check,
    )


def _differs(collected: Array | None, gradient: Array | None) -> bool:
    """Whether a leaf has collected something else than this graph alone would give it."""
    if collected is None or gradient is None:
        return False
    return not np.allclose(collected, gradient, rtol=1e-5, atol=0, equal_nan=True)
