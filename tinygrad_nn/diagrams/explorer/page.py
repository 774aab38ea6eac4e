"""The page itself: its data, style and script put into one file that needs nothing else."""

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType

from ..._typing import Array
from ...autograd import Graph, Node
from ...errors import ArgumentError
from ...verify.nodes import NodeCheck
from ..inlined import as_json, encodable, file_text
from .model import page_data

__all__ = ["explorer_page"]

_STYLES = ("page.css", "graph.css", "panel.css")
_SCRIPTS = (
    "arrays.js",
    "indexing.js",
    "numpy.js",
    "machine.js",
    "computation.js",
    "scopes.js",
    "layout.js",
    "picture.js",
    "matrix.js",
    "formula.js",
    "card.js",
    "panel.js",
    "mistake.js",
    "main.js",
)
_NOTHING: Mapping[Node, NodeCheck] = MappingProxyType({})


def explorer_page(
    graph: Graph,
    seeds: Mapping[Node, Array],
    *,
    checks: Mapping[Node, NodeCheck] = _NOTHING,
    theme: str | None = None,
    title: str = "computation",
) -> str:
    """One HTML file in which a person steps forward and backward through a recording.

    It shows each value, and each gradient with the parts that add up to it; what goes wrong when
    the nodes are visited in another order; and in small networks it lets weights be changed, and
    computes again what follows from them. It loads nothing, from the network or elsewhere.

    Args:
        graph: a recording.
        seeds: the cotangents to start from, by output; without any, the page has only the steps
            forward.
        checks: verdicts on the gradients, from `verify.nodes.check_nodes`.
        theme: "light" or "dark"; by default the page follows the reader's system.
        title: what the page is called.

    Raises:
        ArgumentError: an unknown theme.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> from tinygrad_nn.diagrams.explorer import explorer_page
        >>> x = tnn.Tensor(3.0, requires_grad=True, name="x")
        >>> graph = tnn.Graph([x * x])
        >>> page = explorer_page(graph, {graph.outputs[0]: np.ones(())}, title="a square")
        >>> "<title>a square</title>" in page
        True
    """
    if theme not in (None, "light", "dark"):
        raise ArgumentError(
            f"explorer_page: expected the theme 'light' or 'dark', or None; got {theme!r}; None "
            f"follows the reader's system"
        )
    data = page_data(graph, seeds, checks)
    page = {
        "THEME": "" if theme is None else f' data-theme="{theme}"',
        "TITLE": escape(" ".join(encodable(title).split()) or "computation"),
        "STYLE": _joined(_STYLES),
        "SCRIPT": _joined(_SCRIPTS),
        "DATA": as_json(data),
    }
    head, *parts = _joined(["page.html"]).split("{{")
    for part in parts:  # each place is filled once, so nothing in the data is taken for a place
        name, _, rest = part.partition("}}")
        head += page[name] + rest
    return head


def _joined(names: Sequence[str]) -> str:
    return "".join(file_text(__package__, name) for name in names)
