"""The chain rule of one gradient: its paths, their sum, and the finite difference beside it."""

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
from ..places import places_in
from .display import displayed
from .elements import Elements, with_arrays
from .explanation import Explanation
from .gradient_markdown import gradient_markdown
from .gradient_text import gradient_text
from .notes import collected, disagreement, lost_digits, uncertainty
from .page import gradient_page
from .paths import Path
from .search import Search
from .suspects import suspects
from .titles import chosen_index, chosen_value, titles
from .wording import at, printable

__all__ = ["GradientExplanation", "explain_gradient"]


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
    shown = displayed(elements, search, flat, paths)
    numeric, trouble = _difference(root, seed, start, place)
    total = elements.total(flat)
    found = float(gradient[place])
    products = sum(abs(path.product) for path in shown.paths)
    return GradientExplanation(
        loss=shown.loss,
        parameter=shown.parameter,
        scope="/".join(places_in(original.nodes).get(node, ())),
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
            *disagreement(total, found, products, gradient.dtype, len(elements.nodes)),
            *collected(node, found, place),
            *trouble,
            *uncertainty(numeric),
            *lost_digits(numeric, found, gradient.dtype),
            *(suspects(shown.hops, shown.called) if _is_wrong(numeric) else ()),
        ),
    )


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


def _is_wrong(found: Element | None) -> bool:
    """Whether a derivative is mistaken, and not only in doubt."""
    return found is not None and not found.right and found.verdict in (Verdict.WRONG, Verdict.KINK)
