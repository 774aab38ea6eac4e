"""What is shown of a search: the largest paths, what is on them, and what becomes of shapes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from ...autograd import Node
from .elements import Elements
from .paths import Path, Step, described
from .search import Hop, Search
from .shapes import shape_text_of
from .titles import titles
from .wording import joined, printable

__all__ = ["Display", "displayed"]

_MOST_SHAPES = 40  # lines
_NAMED = 4  # operations that share a line


@dataclass(frozen=True, slots=True)
class Display:
    """The paths to be shown, and what is on them.

    Attributes:
        paths: as plain data.
        loss: what the output is called.
        parameter: what the value is called that the gradient is by.
        shapes: what the operations do to shapes.
        hops: the steps, each with the element of its operand, counted flat.
        called: what the nodes are called.
    """

    paths: tuple[Path, ...]
    loss: str
    parameter: str
    shapes: tuple[str, ...]
    hops: tuple[tuple[Hop, int], ...]
    called: dict[Node, str]


def displayed(elements: Elements, search: Search, flat: int, wanted: int) -> Display:
    """Choose what to show.

    Args:
        elements: what the search went through.
        search: the paths that it found.
        flat: the element that it started from, counted flat.
        wanted: how many paths to show, at most.
    """
    closing = (search.completed(end) for end in search.shut)
    followed = [end for end in closing if end is not None]
    ends = search.ends[:wanted]
    routes = [(end, False) for end in ends]
    routes += [(end, True) for end in followed[: wanted - len(ends)]]
    hops = {end: search.hops(end) for end, _ in routes}
    on_display = {elements.root, elements.start}
    on_display |= {hop.edge[0] for path in hops.values() for hop in path if hop.edge}
    nodes = [node for node in elements.nodes if node in on_display]
    called = titles(nodes)
    root = elements.root
    loss = called[root] if root.name else ("loss" if root.value.size == 1 else "output")
    paths = []
    for end, closed in routes:
        steps = described(elements, hops[end], called, flat)
        top = hops[end][0].element if hops[end] else flat
        head = _seeded(elements, called[root], loss, top)
        names = [called[hop.edge[0]] for hop in hops[end] if hop.edge] + [called[elements.start]]
        if not root.name and (root is not elements.start):
            names = [loss, *names]
        paths.append(Path((*head, *steps), search.product(end), tuple(names), closed))
    pairs = tuple(
        (hop, below.element if below.edge else flat)
        for path in hops.values()
        for hop, below in zip_longest(path, path[1:], fillvalue=Hop(None, flat, 1.0, 1.0, -1))
    )
    lines = _shapes(nodes, elements, called)
    return Display(tuple(paths), loss, called[elements.start], lines, pairs, called)


def _seeded(elements: Elements, title: str, loss: str, element: int) -> tuple[Step, ...]:
    """The step that backward starts with, where that is not 1."""
    value = elements.root.value
    factor = float(elements.seed.ravel()[element])
    if value.size == 1 and factor == 1:
        return ()
    place = tuple(int(i) for i in np.unravel_index(element, value.shape))
    formula = "the gradient given to backward"
    return (Step(loss, (), title, place, "backward", formula, (), factor),)


def _shapes(nodes: Sequence[Node], elements: Elements, called: dict[Node, str]) -> tuple[str, ...]:
    """What the operations on display do to shapes; those that do the same share a line."""
    lines: dict[str, list[str]] = {}
    for node in nodes:
        if node.primitive is not None and node is not elements.start:
            tracked = [isinstance(i, Node) and i.tracked for i in node.inputs]
            told = shape_text_of(
                node.primitive, node.operands, node.value.shape, node.static or {}, tracked
            )
            lines.setdefault(told, []).append(printable(called[node]))
    told_of = [
        f"{joined(names) if len(names) <= _NAMED else _several(names)}: {line}"
        for line, names in lines.items()
    ]
    more = len(told_of) - _MOST_SHAPES
    return (*told_of[:_MOST_SHAPES], *([f"… and {more:,} more"] if more > 0 else []))


def _several(names: Sequence[str]) -> str:
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED:,} more"
