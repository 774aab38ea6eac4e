"""Explanations as HTML: pages that need nothing else, and the part of one that Jupyter shows."""

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..labels import number
from .card_text import facts_of
from .gradient_text import abbreviated, difference, factors, numbers_text, summary_of_paths
from .paths import Path, Step, heading
from .wording import at, printable

if TYPE_CHECKING:
    from .card import Card
    from .gradient import GradientExplanation

__all__ = ["card_fragment", "card_page", "gradient_page"]

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem; max-width: 60rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.2rem 0 .2rem; overflow-wrap: anywhere; }
p, li { overflow-wrap: anywhere; }
table { border-collapse: collapse; }
td, th { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
div.wide { overflow-x: auto; }
tr.sum td { border-top: 1px solid currentColor; }
.note { border-left: 3px solid #b36b00; padding-left: .7rem; }
svg { max-width: 100%; height: auto; }
@media (max-width: 40rem) {
  table.steps, table.steps tbody, table.steps tr, table.steps td { display: block; }
  table.steps tr { padding: .3rem 0; border-bottom: 1px solid #8884; }
  table.steps tr.head { display: none; }
  table.steps td { padding: 0 0 0 1rem; }
  table.steps td:first-child { padding: 0; }
  table.steps td.n { text-align: left; }
  table.steps td.n::before { content: "= "; }
  table.steps td:empty { display: none; }
  table.steps tr.sum td { border: 0; }
}
@media print { div.wide { overflow: visible; } h2 { break-after: avoid; } }
"""


def _text(text: str) -> str:
    """Text for markup; a name of any direction stays where it is."""
    return f"<bdi>{html.escape(text, quote=True)}</bdi>" if text else ""


def _page(title: str, parts: Iterable[str]) -> str:
    return "\n".join((
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{html.escape(title)}</title>",
        f"<style>{_STYLE}</style>\n</head>\n<body>",
        *parts,
        "</body>\n</html>\n",
    ))  # fmt: skip


def gradient_page(e: "GradientExplanation") -> str:
    """The chain rule of a gradient as a page."""
    target = f"∂{printable(e.loss)}/∂{e.element}"
    parts = [
        f"<h1>{_text(f'{target} = {number(e.gradient, 6)}')}</h1>",
        f"<p>Along each path from {_text(printable(e.loss))} back to {_text(e.target)}, multiply "
        f"the local derivatives; then add up the paths. {html.escape(summary_of_paths(e))}</p>",
    ]
    for i, path in enumerate(e.paths):
        closed = " (closed)" if path.closed else ""
        parts += [f"<h2>Path {i + 1} of {len(e.paths)}{closed}</h2>", *_path(path)]
    parts += ["<h2>Sum over paths</h2>", _rows(_sums(e))]
    parts += [f'<p class="note">{_text(note)}</p>' for note in e.notes]
    parts += _list("Shapes", e.shapes)
    return _page(target, parts)


def _path(path: Path) -> list[str]:
    heads = ("local derivative", "formula", "numbers", "value")
    rows = [f'<tr class="head">{"".join(f"<th>{head}</th>" for head in heads)}</tr>']
    for step in abbreviated(path.steps):
        if isinstance(step, str):
            rows.append(f'<tr><td colspan="4">{html.escape(step)}</td></tr>')
        else:
            cells = "".join(f"<td>{_text(cell)}</td>" for cell in _cells(step))
            rows.append(f'<tr>{cells}<td class="n">{number(step.value)}</td></tr>')
    values, product = factors(path)
    rows.append(
        f'<tr class="sum"><td>product</td><td colspan="2">{" · ".join(values)}</td>'
        f'<td class="n">{product}</td></tr>'
    )
    notes = dict.fromkeys(note for step in path.steps for note in step.notes)
    return [
        f"<p>{_text(heading(path, 20))}</p>",
        f'<div class="wide"><table class="steps">{"".join(rows)}</table></div>',
        *(f'<p class="note">{_text(note)}</p>' for note in list(notes)[:20]),
    ]


def _cells(step: Step) -> tuple[str, str, str]:
    above = at(printable(step.result), step.result_index)
    below = at(printable(step.operand), step.operand_index)
    return f"∂{above}/∂{below}", printable(step.formula, 200), numbers_text(step)


def _sums(e: "GradientExplanation") -> list[tuple[str, str, str]]:
    rows = [("sum over paths", number(e.total, 6), "")]
    if not e.complete or e.left_out:
        rest = number(e.total - e.listed, 6)
        rows = [("the paths above", number(e.listed, 6), ""),
                ("the remaining paths together", rest, ""), *rows]  # fmt: skip
    rows.append(("gradient by backward", number(e.gradient, 6), ""))
    if e.numeric is not None and e.error is not None:
        rows.append(("finite difference, in float64", *difference(e)))
    return rows


def _rows(rows: Iterable[tuple[str, str, str]]) -> str:
    lines = (
        f'<tr><td>{html.escape(name)}</td><td class="n">{value}</td><td>{told}</td></tr>'
        for name, value, told in rows
    )
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def _list(title: str, lines: Iterable[str]) -> list[str]:
    items = "".join(f"<li>{_text(line)}</li>" for line in lines)
    return [f"<h2>{title}</h2>", f"<ul>{items}</ul>"] if items else []


def card_fragment(card: "Card", level: int = 2) -> str:
    """A card as a part of a page, with its plot."""
    parts = [f"<h{level}>{_text(printable(card.name, 90))}</h{level}>"]
    parts += [f"<p>{_text(card.about)}</p>"] if card.about else []
    parts.append(f"<p>{_text(card.said)}</p>")
    parts.append(_formulas(card.formula, card.derivatives))
    for part in card.parts:
        parts.append(f"<h3>{_text(printable(part.name, 90))}</h3>")
        parts.append(_formulas(part.formula, part.derivatives))
    for title, lines in facts_of(card):
        parts += _list(title.capitalize(), lines)
    if card.plot is not None:
        parts.append(card.plot.svg())
    return "\n".join(part for part in parts if part)


def _formulas(formula: str, derivatives: tuple[tuple[str, str | None], ...]) -> str:
    rows = [("y", printable(formula, 300))] if formula else []
    rows += [
        (f"{printable(name)} receives", printable(found or "no derivative", 300))
        for name, found in derivatives
    ]
    lines = (f"<tr><td>{_text(name)}</td><td>{_text(value)}</td></tr>" for name, value in rows)
    return f'<div class="wide"><table>{"".join(lines)}</table></div>' if rows else ""


def card_page(card: "Card") -> str:
    """A card as a page."""
    return _page(printable(card.name, 90), [card_fragment(card, level=1)])
