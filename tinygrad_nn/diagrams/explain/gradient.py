"""The chain rule of one gradient: its paths, their sum, and the finite difference beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._typing import Array
from ...autograd import Graph, Node, Tensor
from ...autograd.backward import plan, starting_gradient
from ...errors import ArgumentError
from ...verify.nodes import check_element
from ...verify.text import one_line
from ...verify.verdicts import Element, Verdict, told_verdict
from .elements import Elements, with_arrays
from .explanation import Explanation
from .gradient_markdown import gradient_markdown
from .gradient_text import gradient_text
from .page import gradient_page
from .paths import Path, Step, described
from .search import Search
from .shapes import shape_text_of
from .titles import chosen_index, chosen_value, places, titles
from .wording import at, joined, number, printable

__all__ = ["GradientExplanation", "explain_gradient"]

_MOST_SHAPES = 40  # lines
_NAMED = 4  # operations that share a line


@dataclass(frozen=True, slots=True)
class GradientExplanation(Explanation):
    """The derivative of a loss by one element of a parameter, taken apart by the chain rule.

    Attributes:
        loss: what the loss is called.
        parameter: what the parameter is called.
        scope: the layer that it belongs to, as ``network/hidden``; "" where it is in none.
        index: which of its elements.
        paths: those that are shown, the largest product first, then some that are closed.
        found: how many paths were found that are open.
        complete: whether these are all; otherwise those shown are the largest found.
        closed: how many paths end because an elementwise derivative on them is 0.
        total: the sum over all paths, shown or not.
        gradient: what backward computes.
        numeric: the finite difference, in float64; None where there is none.
        error: how far that can be trusted.
        verdict: what gradcheck says of the gradient; None where there is no difference.
        right: whether the gradient is confirmed: at a kink, whether it is a subgradient.
        shapes: what each operation on the paths does to shapes.
        notes: what else has to be known.
    """

    loss: str
    parameter: str
    scope: str
    index: tuple[int, ...]
    paths: tuple[Path, ...]
    found: int
    complete: bool
    closed: int
    total: float
    gradient: float
    numeric: float | None
    error: float | None
    verdict: Verdict | None
    right: bool
    shapes: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def element(self) -> str:
        """The element of the parameter, as ``weights[0, 1]``."""
        return at(printable(self.parameter), self.index)

    @property
    def target(self) -> str:
        """The element, and the layer that it belongs to."""
        return f"{self.element} of {printable(self.scope, 60)}" if self.scope else self.element

    @property
    def listed(self) -> float:
        """The sum over the paths that are shown."""
        return float(sum(path.product for path in self.paths))

    @property
    def left_out(self) -> int:
        """How many of the open paths that were found are not shown."""
        return self.found - sum(not path.closed for path in self.paths)

    @property
    def told(self) -> str:
        """The verdict for people."""
        return "" if self.verdict is None else told_verdict(self.verdict, self.right)

    @property
    def text(self) -> str:
        """Text for the terminal, at most 100 columns wide."""
        return gradient_text(self)

    def markdown(self) -> str:
        """Markdown, with formulas in LaTeX."""
        return gradient_markdown(self)

    def html(self) -> str:
        """A page that needs nothing else."""
        return gradient_page(self)


def explain_gradient(of: Tensor, parameter: Any, index: Any, paths: int) -> GradientExplanation:
    """Take the gradient of a Tensor by an element of a parameter apart.

    Raises:
        ArgumentError: there is no such parameter, or no such element.
        GradientError: no gradient flows, or backward has to be given one first.
    """
    seed = np.asarray(starting_gradient("explain", of._node))
    original = Graph([of])
    node = chosen_value(original.nodes, parameter)
    copies = with_arrays(of._node)
    root, start = copies[of._node], copies[node]
    if start not in plan([root]):
        raise ArgumentError(
            f"explain: parameter: no gradient flows from the loss to {printable(node.described)}; "
            f"name a value that it was computed from"
        )
    elements = Elements(root, seed, start)
    gradient = elements.gradients.get(start, np.zeros_like(start.value))
    title = printable(titles(copies.values())[start])
    place = chosen_index(index, gradient, title)
    flat = int(np.ravel_multi_index(place, start.value.shape)) if place else 0
    search = Search(elements, flat, paths)
    shown = _shown(elements, search, flat, paths)
    numeric, trouble = _difference(root, seed, start, place)
    total = elements.total(flat)
    found = float(gradient[place])
    products = sum(abs(path.product) for path in shown.paths)
    return GradientExplanation(
        loss=shown.loss,
        parameter=shown.parameter,
        scope="/".join(places(original.nodes).get(node, ())),
        index=place,
        paths=shown.paths,
        found=len(search.ends),
        complete=search.complete,
        closed=search.closed,
        total=total,
        gradient=found,
        numeric=None if numeric is None else numeric.numeric,
        error=None if numeric is None else numeric.error_bar,
        verdict=None if numeric is None else numeric.verdict,
        right=numeric is not None and numeric.right,
        shapes=shown.shapes,
        notes=(
            *_disagreement(total, found, products, gradient.dtype, len(elements.nodes)),
            *_collected(node, found, place),
            *trouble,
            *_kink(numeric),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    """The paths to be shown, and what is on them."""

    paths: tuple[Path, ...]
    loss: str
    parameter: str
    shapes: tuple[str, ...]


def _shown(elements: Elements, search: Search, flat: int, wanted: int) -> _Shown:
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
    return _Shown(tuple(paths), loss, called[elements.start], _shapes(nodes, elements, called))


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


def _difference(
    root: Node, seed: Array, start: Node, place: tuple[int, ...]
) -> tuple[Element | None, tuple[str, ...]]:
    """The finite difference, or why there is none."""
    try:
        with np.errstate(all="ignore"):
            found = check_element(Graph([root]), seed, start, place)
        if np.isnan(found.numeric) and not found.jump:
            return found, (
                "there is no finite difference: beside this point the loss is not defined, or an "
                "operation on the way, such as a checkpoint, cannot be computed again there.",
            )
        return found, ()
    except Exception as error:  # what a row raises that cannot be computed again on other numbers
        return None, (f"there is no finite difference: {one_line(error)}",)


def _disagreement(
    total: float, gradient: float, products: float, dtype: Any, nodes: int
) -> tuple[str, ...]:
    """What to say where the sum over paths is not what backward computed."""
    size = max(abs(total), abs(gradient), products)
    near = float(np.finfo(dtype).eps) * (1e4 + 10 * nodes) * size
    same = total == gradient or (np.isnan(total) and np.isnan(gradient))
    if same or abs(total - gradient) <= near:
        return ()
    if np.isfinite(gradient) and not np.isfinite(total):
        return (
            f"the sum over paths is {number(total)}, and backward says {number(gradient)}: a "
            f"derivative on a path is not finite. Backward leaves out what the program did not "
            f"select, as in an unselected branch of np.where, and 0·∞ at singular points.",
        )
    return (
        f"the sum over paths, {number(total, 6)}, is not what backward says, "
        f"{number(gradient, 6)}: a derivative on the way is not linear in its cotangent.",
    )


def _collected(node: Node, found: float, place: tuple[int, ...]) -> tuple[str, ...]:
    """What a leaf has collected, if that is something else than this graph gives."""
    collected = None if node.leaf is None else node.leaf.grad
    if collected is None:
        return ()
    value = float(np.asarray(collected)[place])
    if value == found or abs(value - found) <= 1e-5 * max(abs(value), abs(found)):
        return ()
    return (f".grad holds {number(value)}: it adds up what every call of backward brought.",)


def _kink(found: Element | None) -> tuple[str, ...]:
    if found is None or found.slopes is None:
        return ()
    left, right = found.slopes
    return (f"there is a kink: the slope is {number(left)} to the left, {number(right)} to the "
            f"right, and any number in between is a subgradient.",)  # fmt: skip
