"""The card of a function: what it computes, its derivatives, where it has kinks, and its plot."""

import difflib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...autograd import Node, elementwise_grad
from ...autograd.backward import plan
from ...errors import ArgumentError, TinygradNNError
from ...primitives import REWRITES, TABLE, Constant, Primitive, Rewrite, Trait, find, name_of
from .card_text import card_markdown, card_text
from .explanation import Explanation
from .facts import conventions, domains_in_words, kinks_in_words, true_domain
from .letters import arguments
from .made_of import recorded, recorded_rewrite, recorded_sample
from .page import card_fragment, card_page
from .plot import Plot, plotted
from .seams import seams_in_words
from .shapes import shape_text_of
from .wording import joined, printable

__all__ = ["Card", "Part", "explain_function"]

_PACKAGE = __name__.partition(".")[0]
# The functions that are tried on a sample of arguments.
_OURS = tuple(f"{_PACKAGE}.{room}." for room in ("activations", "losses", "primitives"))
_ROW = (
    "A row of the table: below is what it computes, y, and what each argument receives for an "
    "incoming gradient g."
)
_NOT_CALLED = (
    "It is not in the table itself. With its arguments after it, as in explain(f, x), this card "
    "shows which rows of the table it is composed of."
)
_NOTHING_RECORDED = (
    "It is not in the table, and no gradient flows from these arguments to its result."
)
_TRAITS = {
    Trait.ELEMENTWISE: "acts on each element by itself",
    Trait.LINEAR: "linear: its derivative is the same everywhere",
    Trait.SELECTS: "passes each gradient on to one argument, or to none",
    Trait.VIEW: "moves numbers without changing them, and may share memory with its argument",
    Trait.VARIADIC: "takes several arrays at once",
    Trait.OPAQUE: "no gradient flows through: its argument is held constant",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A row of the table: a function beside its derivatives.

    Attributes:
        name: qualified, as in ``numpy.tanh``.
        formula: what it computes.
        derivatives: for each argument its letter, and what it receives for a cotangent g; None
            where it has no derivative.
    """

    name: str
    formula: str
    derivatives: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Card(Explanation):
    """What is known of a function.

    Attributes:
        name: qualified, as in ``numpy.tanh``.
        kind: "row" of the table, "composed" of rows, "constant" (no gradient flows through its
            result), or "none" where there is no derivative.
        said: what that means, in a sentence.
        formula: what it computes; "" where only its docstring tells.
        about: the first sentence of its docstring, for this package's own functions.
        derivatives: for each argument its letter, and what it receives for a cotangent g.
        parts: the rows that a composed function is made of.
        domain: where each argument is defined.
        kinks: where the derivative jumps, and what is taken there.
        conventions: what happens at other points where there is no derivative.
        traits: what else is true of it.
        shapes: what becomes of the shapes of the arguments given.
        suggestions: functions of a similar name that have a derivative.
        plot: the function and its derivative, where it has one argument and is elementwise.
    """

    name: str
    kind: str
    said: str
    formula: str = ""
    about: str = ""
    derivatives: tuple[tuple[str, str | None], ...] = ()
    parts: tuple[Part, ...] = ()
    domain: tuple[str, ...] = ()
    kinks: tuple[str, ...] = ()
    conventions: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    plot: Plot | None = None

    @property
    def text(self) -> str:
        """Text for the terminal, at most 100 columns wide."""
        return card_text(self)

    def markdown(self) -> str:
        """Markdown, with formulas in LaTeX."""
        return card_markdown(self)

    def html(self) -> str:
        """A page that needs nothing else."""
        return card_page(self)

    def _shown(self) -> dict[str, str]:
        return {
            "text/plain": self.text,
            "text/markdown": self.markdown(),
            "text/html": card_fragment(self),
        }


def explain_function(of: Callable[..., Any], values: Sequence[Any]) -> Card:
    """The card of a function, and what becomes of the shapes of arguments, if there are any.

    Raises:
        ShapeError: the shapes of the arguments do not fit together.
        ArgumentError: there are more or fewer arguments than the function takes.
    """
    entry = _entry(of)
    if isinstance(entry, Primitive):
        return _of_row(entry, _call(of, values))
    if isinstance(entry, Rewrite):
        return _composed(of, entry, _call(of, values) or recorded_rewrite(entry), bool(values))
    if isinstance(entry, Constant):
        return Card(
            f"numpy.{entry.name}", "constant",
            "No gradient flows through its result: a small change of the argument does not "
            "change it, or makes it jump.",
            shapes=_shapes_in_and_out(of, values),
        )  # fmt: skip
    return _unknown(of, values)


def _entry(of: Callable[..., Any]) -> Any:
    """What the table says of a function; also of a row itself, and of one of the user's own."""
    if isinstance(of, (Primitive, Rewrite)):
        return of
    row = getattr(of, "row", None)
    if isinstance(row, Primitive):
        return row
    return find(of) if hasattr(of, "__name__") else None


def _call(of: Callable[..., Any], values: Sequence[Any]) -> tuple[Node, ...]:
    if not values:
        return ()
    if isinstance(of, np.ufunc) and len(values) > of.nin:
        raise ArgumentError(
            f"explain: expected at most {of.nin} arguments of {printable(_name(of))} after it; got "
            f"{len(values)}; give its arrays alone"
        )
    try:
        return recorded(of, values)
    except TypeError as error:
        if not isinstance(error, TinygradNNError):
            raise ArgumentError(
                f"explain: expected the arguments of {printable(_name(of))} after it; got "
                f"{len(values)}: {error}; give its arrays, as in explain(np.matmul, a, b)"
            ) from error
        raise


def _of_row(row: Primitive, made: Sequence[Node]) -> Card:
    part = _part(row)
    return Card(
        part.name, "row", _ROW,
        formula=part.formula,
        derivatives=part.derivatives,
        domain=domains_in_words(row),
        kinks=kinks_in_words(row),
        conventions=conventions(row),
        traits=tuple(said for trait, said in _TRAITS.items() if trait in row.traits),
        shapes=_shapes(made),
        plot=_row_plot(row),
    )  # fmt: skip


def _part(row: Primitive) -> Part:
    cells = zip(arguments(row), row.derivatives, strict=False)
    return Part(
        # Rows of this package's own are met by way of NumPy, and have no name to call them by.
        row.qualified_name.replace(f"{_PACKAGE}.", "the row "),
        row.formula,
        tuple((name, None if cell is None else cell.formula) for name, cell in cells),
    )


def _row_plot(row: Primitive) -> Plot | None:
    if row.arrays != 1 or Trait.ELEMENTWISE not in row.traits or row.variadic:
        return None
    static = row.calls[0].static
    low, high = true_domain(row, 0)[0][:2]
    low, high = (low if np.isfinite(low) else -4.0), (high if np.isfinite(high) else 4.0)
    high = max(high, low + 4.0) if low > -4.0 and high == 4.0 else high
    if not any(row.derivatives):
        return None

    def slope(x: Any) -> Any:
        return row.pull(0, [np.ones_like(x), row.evaluate([x], static), x], static)

    try:
        return plotted(row.qualified_name, lambda x: row.evaluate([x], static), slope, low, high)
    except Exception:  # a row of the user's own that takes other numbers
        return None


def _composed(
    of: Callable[..., Any], entry: Rewrite | None, made: Sequence[Node], given: bool
) -> Card:
    rows = tuple({node.primitive: None for node in made if node.primitive is not None})
    name = entry.qualified_name if entry is not None else _name(of)
    said = "Composed of rows of the table; give its arguments after it to see of which."
    if rows:
        names = joined(dict.fromkeys(printable(row.name) for row in rows))
        said = f"Composed of rows: {names}. It is differentiated through them."
    if entry is not None and "refused" in entry.formula:
        said = (
            "It writes in place, which a recording cannot follow: refused where a gradient flows."
        )
    whole = all(Trait.ELEMENTWISE in row.traits for row in rows)
    needed = _needed(of if entry is None else entry.public)
    elementwise = bool(rows) and whole and len(needed) == 1
    plot = _function_plot(name, of) if elementwise else None
    return Card(
        name, "composed", said,
        formula="" if entry is None else entry.formula,
        about=_about(of) if entry is None else "",
        parts=tuple(map(_part, rows)),
        kinks=seams_in_words(of, needed[0]) if plot is not None else (),
        conventions=_of_parts(made),
        traits=("acts on each element by itself",) if elementwise else (),
        shapes=_shapes(made) if given else (),
        plot=plot,
    )  # fmt: skip


def _of_parts(made: Sequence[Node]) -> tuple[str, ...]:
    """The conventions of the rows that a gradient passes through."""
    used = {parent for node in made for parent in node.parents}
    passed = plan([node for node in made if node not in used])
    rows = tuple({node.primitive: None for node in reversed(passed) if node.primitive is not None})
    return tuple(f"{printable(row.name)}: {said}" for row in rows for said in conventions(row))


def _needed(of: Callable[..., Any]) -> list[str]:
    """The arguments that a function needs."""
    try:
        parameters = inspect.signature(of).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.default is p.empty]


def _function_plot(name: str, of: Callable[..., Any]) -> Plot | None:
    try:
        return plotted(name, lambda x: np.asarray(of(x)), elementwise_grad(of))
    except Exception:  # it takes other arguments than a row of numbers
        return None


def _about(of: Callable[..., Any]) -> str:
    """The first sentence of the docstring of one of this package's functions."""
    if not str(getattr(of, "__module__", "")).startswith(_PACKAGE):
        return ""
    return (inspect.getdoc(of) or "").partition("\n")[0]


def _unknown(of: Callable[..., Any], values: Sequence[Any]) -> Card:
    """A function that the table does not know: plain Python over NumPy, or without derivative."""
    name = _name(of)
    foreign = isinstance(of, np.ufunc) or name.startswith("numpy.")
    if not foreign:
        ours = name.startswith(_OURS)
        made = _call(of, values) if values else recorded_sample(of) if ours else ()
        if made:
            return _composed(of, None, made, bool(values))
        if not ours:
            return Card(name, "composed", _NOTHING_RECORDED if values else _NOT_CALLED)
    public = [n for n in (*TABLE, *REWRITES) if not n.startswith(f"{_PACKAGE}.")]
    known = {n.rpartition(".")[2]: n for n in public}
    near = difflib.get_close_matches(name.rpartition(".")[2], known, n=3)
    return Card(
        name, "none",
        "It has no derivative in the table. A call that needs a gradient raises "
        "MissingDerivativeError; tinygrad_nn.primitive adds a row of your own.",
        suggestions=tuple(known[n] for n in near),
    )  # fmt: skip


def _name(of: Any) -> str:
    if hasattr(of, "qualified_name"):
        return str(of.qualified_name)
    if hasattr(of, "__name__"):
        return str(name_of(of))
    called = getattr(of, "name", None)
    return f"{type(of).__name__} {called!r}" if isinstance(called, str) else type(of).__name__


def _shapes(made: Sequence[Node]) -> tuple[str, ...]:
    lines = []
    for node in made:
        if node.primitive is not None:
            tracked = [isinstance(i, Node) and i.tracked for i in node.inputs]
            told = shape_text_of(
                node.primitive, node.operands, node.value.shape, node.static or {}, tracked
            )
            lines.append(f"{printable(node.primitive.name)}: {told}")
    return tuple(dict.fromkeys(lines))


def _shapes_in_and_out(of: Callable[..., Any], values: Sequence[Any]) -> tuple[str, ...]:
    if not values:
        return ()
    result = of(*(np.asarray(v) for v in values))
    shapes = ", ".join(str(np.shape(v)) for v in values)
    return (f"{shapes} → {np.shape(result)}",)
