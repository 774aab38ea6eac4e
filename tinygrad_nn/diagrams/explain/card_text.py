"""The card of a function as text for the terminal, and as Markdown."""

import textwrap
from typing import TYPE_CHECKING

from .formulas import latex
from .gradient_markdown import escaped_markdown
from .wording import printable

if TYPE_CHECKING:
    from .card import Card, Part

__all__ = ["card_markdown", "card_text", "facts_of"]

WIDTH = 100
_LONGEST = 300  # characters of a formula of the user's


def facts_of(card: "Card") -> list[tuple[str, tuple[str, ...]]]:
    """What a card says beside the formulas: headings, and the lines below them."""
    facts = [
        ("domain", card.domain),
        ("kinks", card.kinks),
        ("conventions", card.conventions),
        ("traits", card.traits),
        ("did you mean", card.suggestions),
        ("shapes", card.shapes),
    ]
    return [(heading, lines) for heading, lines in facts if lines]


def card_text(card: "Card") -> str:
    """A card, at most 100 columns wide."""
    lines = _wrapped(printable(card.name, 90))
    if card.about:
        lines += _wrapped(card.about)
    lines += ["", *_wrapped(card.said)]
    if card.formula:
        lines += ["", *_field("y", printable(card.formula, _LONGEST))]
    lines += _derivatives(card.derivatives, "" if card.formula else "\n")
    for part in card.parts:
        lines += ["", *_wrapped(f"{printable(part.name, 90)}")]
        lines += _field("  y", printable(part.formula, _LONGEST))
        lines += _derivatives(part.derivatives, indent="  ")
    for heading, told in facts_of(card):
        lines += ["", heading]
        for line in told:
            lines += _wrapped(f"  {line}", "    ")
    if card.plot is not None:
        lines += ["", *(f"  {line}".rstrip() for line in card.plot.text().split("\n"))]
    return "\n".join(line.rstrip() for line in lines)


def _derivatives(
    derivatives: tuple[tuple[str, str | None], ...], before: str = "", indent: str = ""
) -> list[str]:
    lines = [before] * bool(before and derivatives)
    for name, formula in derivatives:
        said = "no derivative" if formula is None else printable(formula, _LONGEST)
        lines += _field(f"{indent}{printable(name)} receives", said)
    return [line.strip("\n") for line in lines]


def _field(name: str, value: str) -> list[str]:
    return _wrapped(f"{name:<16}{value}" if len(name) < 16 else f"{name}  {value}", " " * 16)


def _wrapped(line: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=indent, break_on_hyphens=False, replace_whitespace=False
    ) or [""]


def card_markdown(card: "Card") -> str:
    """A card in Markdown, with formulas in LaTeX between dollar signs."""
    lines = [f"### {escaped_markdown(printable(card.name, 90))}", ""]
    if card.about:
        lines += [escaped_markdown(card.about), ""]
    lines.append(escaped_markdown(card.said))
    if card.formula:
        lines += ["", f"$$y = {latex(card.formula)}$$"]
    lines += _table(card.derivatives)
    for part in card.parts:
        lines += ["", *_part(part)]
    for heading, told in facts_of(card):
        lines += ["", f"**{heading.capitalize()}**", ""]
        lines += [f"- {escaped_markdown(line)}" for line in told]
    if card.plot is not None:
        lines += ["", "```text", *card.plot.text().split("\n"), "```"]
    return "\n".join(lines) + "\n"


def _part(part: "Part") -> list[str]:
    return [f"**{escaped_markdown(printable(part.name, 90))}:** ${latex(part.formula)}$",
            *_table(part.derivatives)]  # fmt: skip


def _table(derivatives: tuple[tuple[str, str | None], ...]) -> list[str]:
    if not derivatives:
        return []
    lines = ["", "| argument | receives, for a cotangent g |", "| :-- | :-- |"]
    for name, formula in derivatives:
        said = "no derivative" if formula is None else f"${latex(formula)}$"
        lines.append(f"| ${latex(name)}$ | {said} |")
    return lines
