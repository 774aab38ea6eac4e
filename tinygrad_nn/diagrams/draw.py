"""From a recording to DOT: operations, values, gradients and verdicts, layers as clusters."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .._svg import escaped
from .._typing import Array
from ..autograd import Graph, Node, Tensor
from ..autograd.backward import gradients, plan, starting_gradient
from ..errors import ArgumentError
from ..verify.nodes import NodeCheck, check_nodes
from ..verify.verdicts import Verdict
from .diagram import Diagram
from .labels import static_text, summary

if TYPE_CHECKING:
    from graphviz import Digraph

__all__ = ["draw"]

# Colours of Okabe and Ito's palette, lightened, which colour-blind readers can tell apart. Kinds of
# node differ in outline as well, for print.
_STYLES = {
    "parameter": {"fillcolor": "#cfe8f7", "color": "#0072b2"},
    "input": {"fillcolor": "#f2f2f2", "color": "#666666", "style": "filled,dashed"},
    "constant": {"fillcolor": "#f2f2f2", "color": "#666666", "style": "filled,dashed"},
    "operation": {"fillcolor": "#ffffff", "color": "#444444", "style": "filled,rounded"},
    "output": {"fillcolor": "#fff3d6", "color": "#b36b00", "style": "filled,rounded"},
}
_RIGHT, _DOUBTFUL, _WRONG = "#00664f", "#8a5a00", "#a83200"
_FONT = "Helvetica"


def draw(of: Tensor | Graph, *, check: bool = False, direction: str = "TB") -> Diagram:
    """Draw the computation graph of a Tensor: what was computed, from what, with which gradients.

    Each node shows its operation, its shape and its value: small arrays whole, large ones as
    their range and mean. After `backward` it shows its gradient too; a gradient that was not
    computed reads "not run". Layers are drawn as clusters.

    Args:
        of: the Tensor, usually a loss, or a Graph.
        check: whether to compare the gradient of each node with finite differences. The outline
            and a line of text show the verdict on what arrives there, with the analytic derivative
            beside the numeric one: a wrong rule shows in the nodes before it.
        direction: "TB" draws from top to bottom, "LR" from left to right.

    Returns:
        A diagram; ``.save("graph.svg")`` writes it, and Jupyter shows it.

    Raises:
        ArgumentError: something that is no Tensor or Graph, or an unknown direction.
        GradientError: a check was asked for, but `backward` has not run and the output is no
            scalar, so there is no gradient to check.

    Example:
        >>> import tinygrad_nn as tnn
        >>> x = tnn.Tensor(3.0, requires_grad=True, name="x")
        >>> y = x * x
        >>> "not run" in tnn.draw(y).source
        True
        >>> y.backward()
        >>> "gradient 6" in tnn.draw(y).source
        True
    """
    if direction not in ("TB", "LR"):
        raise ArgumentError(f"draw: expected direction 'TB' or 'LR'; got {direction!r}")
    if isinstance(of, Tensor):
        of = Graph([of])
    if not isinstance(of, Graph):
        raise ArgumentError(f"draw: expected a Tensor or a Graph; got {type(of).__name__}")
    seeds = {out: out.seed for out in of.outputs if out.seed is not None and out.tracked}
    checks: Mapping[Node, NodeCheck] = {}
    if check:
        if len(of.outputs) != 1:
            raise ArgumentError(f"draw: expected one output to check; got {len(of.outputs)}")
        root = of.outputs[0]
        seeds[root] = starting_gradient("draw", root)
        checks = check_nodes(of, seeds[root])
    arrived = gradients(plan(list(seeds)), list(seeds.items()))
    return Diagram(_Drawing(of, arrived, checks).dot(direction))


class _Drawing:
    """One graph on its way to DOT: names for its nodes, and a place for each."""

    def __init__(
        self, graph: Graph, gradients: Mapping[Node, Array], checks: Mapping[Node, NodeCheck]
    ) -> None:
        self.graph = graph
        self.gradients = gradients
        self.checks = checks
        self.names = {node: f"n{i}" for i, node in enumerate(graph.nodes)}
        self.users: dict[Node, list[Node]] = {node: [] for node in graph.nodes}
        for node in graph.nodes:
            for parent in node.parents:
                self.users[parent].append(node)

    def dot(self, direction: str) -> str:
        """The whole drawing as DOT text."""
        from graphviz import Digraph  # on use: importing the package imports NumPy alone

        drawing = Digraph(
            "computation",
            graph_attr={
                "rankdir": direction,
                "fontname": _FONT,
                "nodesep": "0.3",
                "ranksep": "0.4",
                # Bounds on the layout's search: many long edges would take it minutes.
                "nslimit": "2",
                "nslimit1": "2",
            },
            node_attr={
                "shape": "box",
                "margin": "0.15,0.07",
                "fontname": _FONT,
                "fontsize": "11",
                "style": "filled",
            },
            edge_attr={"color": "#666666", "arrowsize": "0.7"},
        )
        self._add_scope(drawing, (), self.graph.nodes)
        for node in self.graph.nodes:
            for position, parent in enumerate(node.inputs):
                drawing.edge(self._source(drawing, node, position, parent), self.names[node])
        return str(drawing.source)

    def _add_scope(self, drawing: "Digraph", scope: tuple[str, ...], nodes: Iterable[Node]) -> None:
        """Draw the nodes of a scope, and the scopes within it as clusters."""
        depth = len(scope)
        inner: dict[str, list[Node]] = {}
        for node in nodes:
            place = self._place(node)
            if len(place) > depth:
                inner.setdefault(place[depth], []).append(node)
            else:
                self._add_node(drawing, node)
        for name, members in inner.items():
            # Named by its first node, which is in no other cluster of this depth.
            with drawing.subgraph(name=f"cluster_{self.names[members[0]]}_{depth}") as cluster:
                cluster.attr(
                    label=f"<{escaped(name)}>",
                    style="rounded,filled",
                    color="#bbbbbb",
                    fillcolor="#fafafa",
                    labeljust="l",
                    fontsize="12",
                )
                self._add_scope(cluster, (*scope, name), members)

    def _place(self, node: Node) -> tuple[str, ...]:
        """The scope a node is drawn in; a leaf belongs where all its users are."""
        if node.primitive is not None or not self.users[node]:
            return node.scope
        places = [user.scope for user in self.users[node]]
        shared = 0
        while all(len(p) > shared and p[shared] == places[0][shared] for p in places):
            shared += 1
        return places[0][:shared]

    def _kind(self, node: Node) -> str:
        if node in self.graph.outputs:
            return "output"
        if node.primitive is not None:
            return "operation"
        return "parameter" if node.tracked else "input"

    def _add_node(self, drawing: "Digraph", node: Node) -> None:
        kind = self._kind(node)
        style = dict(_STYLES[kind])
        if kind == "output":
            style["peripheries"] = "2"
        if node in self.checks:  # the outline shows the verdict
            check = self.checks[node]
            style |= {"color": _colour(check), "penwidth": "1.5" if check.right else "4"}
        drawing.node(self.names[node], label=self._label(node, kind), **style)

    def _label(self, node: Node, kind: str) -> str:
        title = str(node.name or "") or (node.primitive.name if node.primitive else kind)
        rows = [f"<B>{escaped(title)}</B>"]
        if node.primitive is not None:
            call = static_text(node.static)
            if node.name:
                call = ", ".join(filter(None, (node.primitive.name, call)))
            if call:
                rows.append(_small(escaped(call)))
        elif node.name:
            rows.append(_small(kind))
        dtype = node.value.dtype
        shape = f"{node.value.shape}" + ("" if dtype == np.float64 else f" {dtype}")
        rows.append(_small(escaped(shape)))
        gradient = summary(self.gradients[node]) if node in self.gradients else "not run"
        rows += [_numbers(f"value {summary(node.value)}"), _numbers(f"gradient {gradient}")]
        if node.leaf is not None and _differs(node.leaf.grad, self.gradients.get(node)):
            rows.append(_numbers(f".grad {summary(node.leaf.grad)}"))  # of more than one backward
        if node in self.checks:
            rows.append(_verdict(self.checks[node], node.value.size))
        return f"<{'<BR/>'.join(rows)}>"

    def _source(self, drawing: "Digraph", node: Node, position: int, parent: Any) -> str:
        """The name of an edge's start; a plain constant gets a node of its own there."""
        if isinstance(parent, Node):
            return self.names[parent]
        name = f"{self.names[node]}_{position}"
        text = "None" if parent is None else summary(parent)
        shape = np.shape(parent)
        rows = [_numbers(text)] + ([_small(escaped(str(shape)))] if shape else [])
        drawing.node(name, label=f"<{'<BR/>'.join(rows)}>", **_STYLES["constant"])
        return name


def _differs(collected: Array | None, gradient: Array | None) -> bool:
    """Whether a leaf has collected something else than this graph alone would give it."""
    if collected is None or gradient is None:
        return False
    return not np.allclose(collected, gradient, rtol=1e-5, atol=0, equal_nan=True)


def _verdict(check: NodeCheck, size: int) -> str:
    """The verdict on a gradient, and analytic beside numeric."""
    along = " in a random direction" if size > 1 else ""
    made_by = f", made by {' or '.join(check.made_by)}" if check.made_by else ""
    lines = (
        _numbers(check.verdict.value + made_by, bold=True),
        _numbers(f"analytic {check.analytic:.4g}{along}"),
        _numbers(f"numeric  {check.numeric:.4g}"),
    )
    return f'<FONT COLOR="{_colour(check)}">{"<BR/>".join(lines)}</FONT>'


def _colour(check: NodeCheck) -> str:
    if check.right:
        return _RIGHT
    return _WRONG if check.verdict in (Verdict.WRONG, Verdict.KINK) else _DOUBTFUL


def _numbers(text: str, bold: bool = False) -> str:
    # Of fixed width: wherever the picture is shown, another font's digits still fit the box.
    content = f"<B>{escaped(text)}</B>" if bold else escaped(text)
    return f'<FONT FACE="Courier" POINT-SIZE="10">{content}</FONT>'


def _small(text: str) -> str:
    return f'<FONT POINT-SIZE="10" COLOR="#555555">{text}</FONT>'
