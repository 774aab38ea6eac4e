"""The chain rule of a gradient as Markdown, with formulas in LaTeX."""

import re
from typing import TYPE_CHECKING

from ..labels import number
from .formulas import latex, latex_number, latex_text
from .gradient_text import abbreviated, factors, summary_of_paths
from .paths import Path, Step, heading
from .wording import printable

if TYPE_CHECKING:
    from .gradient import GradientExplanation

__all__ = ["escaped_markdown", "gradient_markdown"]

# What is markup anywhere, at the start of a line, and within what might become a link.
_MARKUP = re.compile(r"([\\`*_\[\]|~$#^{}]|^[-+=]|^\d+[.)]|(?<=[^\W\d])[.:@](?=\S))")


def gradient_markdown(e: "GradientExplanation") -> str:
    """An explanation in Markdown, with LaTeX between dollar signs."""
    target = _partial(e.loss, (), e.parameter, e.index)
    lines = [
        f"### {escaped_markdown(f'The gradient of {printable(e.loss)} by {e.element}')}",
        "",
        f"$${target} = {latex_number(number(e.gradient, 6))}$$",
        "",
        escaped_markdown(
            f"Along each path from {printable(e.loss)} back to {e.target}, multiply the local "
            f"derivatives; then add up the paths. {summary_of_paths(e)}"
        ),
    ]
    for i, path in enumerate(e.paths):
        lines += ["", *_path(path, i + 1, len(e.paths))]
    lines += ["", *_sums(e)]
    for note in e.notes:
        lines += ["", f"> **Note.** {escaped_markdown(note)}"]
    if e.shapes:
        lines += ["", "**Shapes**", "", *(f"- {escaped_markdown(line)}" for line in e.shapes)]
    return "\n".join(lines) + "\n"


def escaped_markdown(text: str) -> str:
    r"""Text that Markdown shows as it is.

    Example:
        >>> from tinygrad_nn.diagrams.explain.gradient_markdown import escaped_markdown
        >>> escaped_markdown("<b>*")
        '&lt;b&gt;\\*'
    """
    marked = _MARKUP.sub(lambda m: f"{m.group()[:-1]}\\{m.group()[-1]}", text)
    return re.sub(r"&", "&amp;", marked).replace("<", "&lt;").replace(">", "&gt;")


def _path(path: Path, count: int, of: int) -> list[str]:
    closed = " (closed)" if path.closed else ""
    lines = [
        f"**Path {count} of {of}{closed}:** {escaped_markdown(heading(path, 20))}",
        "",
        "| local derivative | formula | numbers | value |",
        "| :-- | :-- | :-- | --: |",
    ]
    for step in abbreviated(path.steps):
        lines.append(f"| {escaped_markdown(step)} | | | |" if isinstance(step, str) else _row(step))
    values, product = factors(path)
    left = r" \cdot ".join(r"\dots" if v == "…" else _factor(v) for v in values)
    lines += ["", f"$${left} = {latex_number(product)}$$"]
    notes = dict.fromkeys(note for step in path.steps for note in step.notes)
    return [*lines, *(f"\n> **Note.** {escaped_markdown(note)}" for note in list(notes)[:20])]


def _row(step: Step) -> str:
    """A step as a row of a table; no bar may be in it."""
    derivative = _partial(step.result, step.result_index, step.operand, step.operand_index)
    pairs = sorted(step.numbers, key=lambda pair: pair[0] == "g")
    if [name for name, _ in pairs] == ["g"]:
        pairs = []
    numbers = ", ".join(f"{_letter(name)} = {latex_number(number(v))}" for name, v in pairs)
    cells = (derivative, latex(step.formula), numbers, latex_number(number(step.value)))
    return f"| {' | '.join(f'${cell}$' if cell else '' for cell in cells)} |"


def _factor(value: str) -> str:
    """A factor of a product, in brackets where it has a sign."""
    return f"({latex_number(value)})" if value.startswith("-") else latex_number(value)


def _letter(name: str) -> str:
    letter, bracket, index = name.partition("[")
    if len(letter) == 1 and letter.isascii() and letter.isalpha():
        return f"{letter}_{{{index[:-1].replace(' ', '')}}}" if bracket else letter
    return latex_text(printable(name))


def _partial(above: str, above_index: tuple[int, ...], below: str, index: tuple[int, ...]) -> str:
    return rf"\frac{{\partial {_element(above, above_index)}}}{{\partial {_element(below, index)}}}"


def _element(title: str, index: tuple[int, ...]) -> str:
    name = "L" if title == "loss" else latex_text(printable(title))
    return f"{name}_{{{','.join(map(str, index))}}}" if index else name


def _sums(e: "GradientExplanation") -> list[str]:
    rows = [("sum over paths", e.total)]
    if not e.complete or e.left_out:
        rows = [("the paths above", e.listed),
                ("the remaining paths together", e.total - e.listed), *rows]  # fmt: skip
    rows.append(("gradient by backward", e.gradient))
    lines = ["| | |", "| :-- | --: |"]
    lines += [f"| {name} | ${latex_number(number(value, 6))}$ |" for name, value in rows]
    if e.numeric is not None and e.error is not None:
        value = rf"{latex_number(number(e.numeric, 6))} \pm {latex_number(number(e.error, 2))}"
        lines.append(f"| finite difference, in float64: **{e.told}** | ${value}$ |")
    return lines
