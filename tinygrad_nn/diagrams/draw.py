"""`draw`: pictures of recordings and of compiled programs."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from .._typing import Array
from ..autograd import Graph, Node, Tensor
from ..autograd.backward import starting_gradient
from ..compiler import CompiledStep
from ..errors import ArgumentError
from ..verify.nodes import NodeCheck, check_nodes
from .diagram import Diagram
from .drawing.compiled import program_scene
from .drawing.dot import Options, as_dot
from .drawing.folding import Cluster, folded, matches
from .drawing.recorded import both_passes, gradients_in, recorded_scene
from .drawing.scene import Box, Kind, Scene
from .drawing.subjects import recording_of
from .drawing.theme import theme_named

__all__ = ["draw"]

_READABLE = 400  # boxes: beyond, a picture on one page cannot be read


def draw(
    of: Any,
    *more: Any,
    depth: int | None = None,
    values: bool = True,
    gradients: bool = True,
    check: bool = False,
    backward: bool = False,
    direction: str = "TB",
    theme: str = "light",
    max_nodes: int | None = 150,
    collapse: bool | str | Sequence[str] | None = (),
    highlight: Any = (),
) -> Diagram:
    """Draw a computation: what was computed, from what, with which values and gradients.

    Each operation is a box, and so is each parameter, input and constant; a legend tells them
    apart. Layers and functions are frames around their operations. Small arrays show their
    numbers, large ones what is to be said of them and a histogram. After `backward` gradients
    stand beside the values; one that was not computed reads "not run".

    Where there are more than `max_nodes` boxes, scopes are drawn folded, as one box each, and
    those that repeat as one with ×N.

    Args:
        of: a Tensor, usually a loss; a Graph; a Module or another function; a compiled step.
        more: further outputs, or the inputs of the Module.
        depth: how many scopes within one another are drawn open; deeper ones are folded.
        values: whether to show numbers.
        gradients: whether to show gradients.
        check: whether to compare the gradient of each node with finite differences. The outline
            and a line of text show the verdict on what arrives there, with the analytic derivative
            beside the numeric one: a wrong rule shows in the nodes before it.
        backward: whether to draw what the backward pass computes as well; dashed arrows are the
            values of the forward pass that it uses.
        direction: "TB" draws from top to bottom, "LR" from left to right.
        theme: "light" or "dark". A page is light or dark as its reader's system is, unless it is
            made dark here.
        max_nodes: how many boxes are drawn at most; None for any number.
        collapse: names, paths or patterns of scopes to fold, such as "encoder/*"; True folds all,
            False none, whatever their number.
        highlight: Tensors, or names of Tensors or scopes, to be marked.

    Returns:
        A diagram; ``.save("graph.svg")`` writes it, ``.save("graph.html")`` writes a page to step
        through it, and Jupyter shows it.

    Raises:
        ArgumentError: something that cannot be drawn, or an option that is none of these.
        GradientError: a check or the backward pass was asked for, but `backward` has not run and
            the output is no scalar, so there is no gradient to start from.

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
    look = theme_named(theme)
    page = None
    if isinstance(of, CompiledStep):
        if check or backward or more:
            raise ArgumentError(
                "draw: expected a compiled step without check, backward or inputs, since it has no "
                "values and holds both passes; got one of these; draw the loss that it computes"
            )
        scene = program_scene(of)
    else:
        graph = recording_of("draw", of, more)
        seeds = {out: out.seed for out in graph.outputs if out.seed is not None and out.tracked}
        if check or backward:
            seeds |= _starts(graph, check)
        checks = check_nodes(graph, seeds[graph.outputs[0]]) if check else {}
        checks = {n: found for n, found in checks.items() if n.value.size}  # or nothing was checked
        if backward:
            scene = both_passes(graph, seeds, checks)
        else:
            scene = recorded_scene(graph, gradients_in(graph, seeds), checks)
        page = partial(_page, graph, seeds, checks, theme)
    patterns, limit = _folding(collapse, max_nodes)
    if not isinstance(collapse, bool):
        _ensure_scopes(scene, patterns)
    root = folded(scene, _depth(depth), patterns, limit)
    notes = tuple(_notes(scene, root, limit))
    options = Options(look, direction, values, gradients, notes)
    return Diagram(as_dot(scene, root, _marked(scene, highlight), options), page, notes)


def _starts(graph: Graph, check: bool) -> dict[Node, Array]:
    if check and len(graph.outputs) != 1:
        raise ArgumentError(
            f"draw: expected one output to check; got {len(graph.outputs)}; draw one after the "
            f"other, or their sum"
        )
    return {root: starting_gradient("draw", root) for root in graph.outputs}


def _page(
    graph: Graph, seeds: Mapping[Node, Array], checks: Mapping[Node, NodeCheck], theme: str
) -> str:
    from .explorer import explorer_page

    names = [str(output.name) for output in graph.outputs if output.name]
    title = ", ".join(names) or "computation"
    scalars = [out for out in graph.outputs if out.tracked and out.value.size == 1]
    # A page steps backward whether `backward` has run or not, where it can start by itself.
    seeds = seeds or {out: np.ones_like(out.value) for out in scalars}
    # A light picture is the usual one; a page is then as light as its reader's system.
    fixed = None if theme == "light" else theme
    return explorer_page(graph, seeds, checks=checks, theme=fixed, title=title)


def _folding(
    collapse: bool | str | Sequence[str] | None, max_nodes: int | None
) -> tuple[Sequence[str], int | None]:
    """What to fold by name, and how many boxes to leave."""
    if max_nodes is not None and (not isinstance(max_nodes, int) or max_nodes < 1):
        raise ArgumentError(f"draw: expected max_nodes of at least 1, or None; got {max_nodes!r}")
    if isinstance(collapse, bool):
        return (["*"], max_nodes) if collapse else ((), None)
    patterns = [collapse] if isinstance(collapse, str) else _listed(collapse)
    if not all(isinstance(pattern, str) for pattern in patterns):
        raise ArgumentError(
            f"draw: expected names of scopes, True or False to collapse; got {collapse!r}"
        )
    return patterns, max_nodes


def _listed(wanted: Any) -> list[Any]:
    """What was asked for as a list, of which it may be the only member; None is nothing."""
    if wanted is None:
        return []
    return list(wanted) if isinstance(wanted, Iterable) else [wanted]


def _depth(depth: int | None) -> int | None:
    if depth is not None and (not isinstance(depth, int) or depth < 0):
        raise ArgumentError(f"draw: expected a depth of at least 0, or None; got {depth!r}")
    return depth


def _ensure_scopes(scene: Scene, patterns: Sequence[str]) -> None:
    """Refuse names of scopes that are none."""
    paths = {box.scope[:end] for box in scene.boxes for end in range(1, len(box.scope) + 1)}
    unknown = [p for p in patterns if not any(matches(path, [p]) for path in paths)]
    if unknown:
        known = ", ".join(sorted({repr("/".join(path)) for path in paths})[:8]) or "there are none"
        raise ArgumentError(
            f"draw: expected names of scopes to collapse; got {', '.join(map(repr, unknown))}; the "
            f"scopes are {known}"
        )


def _notes(scene: Scene, root: Cluster, limit: int | None) -> Iterable[str]:
    """What the reader is told of the drawing as a whole."""
    outputs = [box.item for box in scene.boxes if box.kind is Kind.OUTPUT]
    if all(isinstance(n, Node) and not n.tracked and n.name is None for n in outputs):
        yield "nothing was recorded, since nothing that goes in here requires a gradient"
    drawn = sum(not isinstance(item, Cluster) for c in root.open_clusters() for item in c.items)
    total = len(scene.boxes)
    if limit is not None and drawn < total and total > limit:
        yield f"{total:,} nodes, folded to {drawn:,}; draw(…, max_nodes={total}) shows all"
    if drawn > _READABLE:
        yield f"{drawn:,} boxes are too many to read; draw(…, max_nodes=150) folds them"


def _marked(scene: Scene, highlight: Any) -> set[Box]:
    """The boxes to be marked."""
    wanted = [highlight] if isinstance(highlight, (str, Tensor)) else _listed(highlight)
    nodes = {t._node for t in wanted if isinstance(t, Tensor)}
    names = {t for t in wanted if isinstance(t, str)}
    marked = {
        box
        for box in scene.boxes
        if (isinstance(box.item, Node) and box.item in nodes)
        or not names.isdisjoint(_names_of(box))
    }
    known = {name for box in marked for name in _names_of(box)}
    strange = [repr(t) for t in wanted if not isinstance(t, (str, Tensor))]
    strange += sorted(repr(name) for name in names - known)
    strange += [n.described for n in nodes if n not in {box.item for box in marked}]
    if strange:
        raise ArgumentError(
            f"draw: expected Tensors of the computation, or names in it, to highlight; got "
            f"{', '.join(strange)}; see the names in the picture"
        )
    return marked


def _names_of(box: Box) -> Iterable[str]:
    """What a box may be called: its title, its path, and the scopes that it is in."""
    yield box.title
    yield "/".join((*box.scope, box.title))
    for end in range(1, len(box.scope) + 1):
        yield "/".join(box.scope[:end])
        yield box.scope[end - 1]
