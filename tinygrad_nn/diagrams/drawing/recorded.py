"""Scenes of recordings: nodes, values and gradients, and the walk backward beside them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, TypeAlias

import numpy as np

from ..._scope import Scope, scope
from ..._typing import Array
from ...autograd import Graph, Node, Tensor
from ...autograd.backward import gradients, plan, walk
from ...autograd.recording import enable_grad
from ...verify.nodes import NodeCheck
from ..labels import shape_text, shortened, static_text
from ..places import places_in, title_of
from .scene import NOT_RUN, Box, Details, Kind, Link, Scene

__all__ = ["both_passes", "gradients_in", "recorded_scene"]


Gradients: TypeAlias = Mapping[Node, Array | None]


def gradients_in(graph: Graph, seeds: Mapping[Node, Array]) -> Gradients:
    """The gradient of each node that can have one; None where nothing was sent back to it."""
    arrived = gradients(plan(list(seeds)), list(seeds.items()))
    return {node: arrived.get(node) for node in graph.nodes if node.tracked}


def recorded_scene(
    graph: Graph,
    arrived: Gradients,
    checks: Mapping[Node, NodeCheck],
    forward: Collection[Node] | None = None,
) -> Scene:
    """The scene of a recording.

    Args:
        graph: what to draw.
        arrived: the gradient of each node that can have one.
        checks: verdicts on gradients.
        forward: the nodes of the forward pass, where both passes are drawn.
    """
    boxes: list[Box] = []
    links: list[Link] = []
    of: dict[Node, Box] = {}
    places = places_in(graph.nodes)
    for node in graph.nodes:
        box = Box(
            _kind(node, graph),
            title_of(node),
            places[node],
            shape_text(node.value),
            node.site,
            node,
        )
        of[node] = box
        for i in node.inputs:
            if isinstance(i, Node):
                crosses = forward is not None and i in forward and node not in forward
                links.append(Link(of[i], box, crosses))
            else:
                constant = Box(Kind.CONSTANT, "", places[node], shape_text(i), node.site, i)
                boxes.append(constant)
                links.append(Link(constant, box))
        boxes.append(box)

    def details(box: Box) -> Details:
        if not isinstance(box.item, Node):
            return Details(notes=("None",)) if box.item is None else Details(value=box.item)
        return _details(box.item, box.kind, arrived, checks.get(box.item))

    return Scene(boxes, links, details, {of[node]: check for node, check in checks.items()})


def both_passes(
    graph: Graph, seeds: Mapping[Node, Array], checks: Mapping[Node, NodeCheck]
) -> Scene:
    """The scene of a recording with the walk backward, each gradient made by its rules.

    The recording is copied, with its inputs as if they needed gradients: only so is it recorded
    where the backward pass uses them. What they would receive themselves is not drawn.
    """
    twins: dict[Node, Node] = {}
    for node in graph.nodes:
        twins[node] = _twin(node, twins)
    starts = [(twins[root], _seed(root, seed)) for root, seed in seeds.items()]
    visit, newest = plan([root for root, _ in starts]), max(t.number for t in twins.values())
    with enable_grad(), np.errstate(all="ignore"):
        found = list(_recorded_walk(visit, starts))
        if not all(np.all(np.isfinite(_node(g).value)) for _, g in found):
            with scope("backward"):  # with the guard, as `backward` itself walks then
                found = list(gradients(visit, starts, wrap=Tensor._of).items())
    wanted = {twin for node, twin in twins.items() if node.tracked}
    ends: dict[Node, None] = {}
    for node, g in found:
        gradient = _node(g)
        if gradient.name is None and gradient.number > newest:
            gradient.name = f"d {title_of(node)}"
        if node.primitive is None and node in wanted:
            ends[gradient] = None
    drawn = Graph([*(twins[root] for root in graph.outputs), *ends])
    arrived = {twins[node]: g for node, g in gradients_in(graph, seeds).items()}
    verdicts = {twins[node]: check for node, check in checks.items()}
    return recorded_scene(drawn, arrived, verdicts, set(twins.values()))


def _twin(node: Node, twins: Mapping[Node, Node]) -> Node:
    """A copy of a node, which can have a gradient if its numbers can."""
    inputs = tuple(twins[i] if isinstance(i, Node) else i for i in node.inputs)
    tracked = node.tracked or (node.primitive is None and node.value.dtype.kind == "f")
    return node.remade(node.value, inputs, tracked)


def _node(g: Any) -> Node:
    return g._node if isinstance(g, Tensor) else Node(np.asarray(g))


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
    node.name = f"d {title_of(root)}"
    return Tensor._of(node)


def _kind(node: Node, graph: Graph) -> Kind:
    if node in graph.outputs:
        return Kind.OUTPUT
    if node.primitive is not None:
        return Kind.OPERATION
    return Kind.PARAMETER if node.leaf is not None else Kind.INPUT


def _details(node: Node, kind: Kind, arrived: Gradients, check: NodeCheck | None) -> Details:
    notes = []
    if node.primitive is not None:
        named = [node.primitive.name] if node.name else []
        call = ", ".join([*named, *filter(None, [static_text(node.static)])])
        notes += [shortened(call)] if call else []
    elif node.name:
        notes.append(kind.value)
    dtype = node.value.dtype
    notes.append(shape_text(node.value) + ("" if dtype == np.float64 else f" {dtype}"))
    if node not in arrived:  # it can have no gradient
        return Details(tuple(notes), node.value)
    gradient = arrived[node]
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
