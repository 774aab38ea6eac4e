"""The chain rule of a gradient as text for the terminal."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...verify.verdicts import Verdict
from ..labels import number
from .paths import Path, Step, heading
from .wording import at, printable

if TYPE_CHECKING:
    from .gradient import GradientExplanation

__all__ = [
    "abbreviated",
    "difference",
    "factors",
    "gradient_text",
    "numbers_text",
    "summary_of_paths",
]

WIDTH = 100
_SHOWN_STEPS = 20  # of a path; longer ones are abbreviated
_ENDS = 10  # steps at either end of a long path


def gradient_text(e: "GradientExplanation") -> str:
    """An explanation, at most 100 columns wide."""
    target = f"∂{printable(e.loss)}/∂{e.element}"
    lines = [
        *_wrapped(f"{target} = {number(e.gradient, 6)}"),
        "",
        *_wrapped(
            f"The chain rule: along each path from {printable(e.loss)} back to {e.target}, "
            f"multiply the local derivatives; then add up the paths. {summary_of_paths(e)}"
        ),
    ]
    for i, path in enumerate(e.paths):
        lines += ["", *_path(path, i + 1, len(e.paths))]
    lines += ["", *_sums(e)]
    for note in e.notes:
        lines += ["", *_wrapped(f"note: {note}", "      ")]
    if e.shapes:
        lines += ["", "shapes"]
        for line in e.shapes:
            lines += _wrapped(f"  {line}", "    ")
    return "\n".join(line.rstrip() for line in lines)


def summary_of_paths(e: "GradientExplanation") -> str:
    """How many paths there are, and which of them are shown."""
    open_ = sum(not path.closed for path in e.paths)
    shown_closed = len(e.paths) - open_
    if not e.complete:
        said = f"Below are the {open_} largest paths found" if open_ else "No open path was found"
    elif e.left_out:
        them = f"are the {open_}" if open_ > 1 else "is the"
        said = f"Below {them} largest of {e.found:,} paths"
    elif e.found:
        said = f"Below are all {e.found} paths" if e.found > 1 else "There is one path"
    else:
        said = "No path carries a gradient"
    if not e.closed:
        return f"{said}."
    more = e.closed > shown_closed
    told = f", {'some of them' if more else 'shown as well'}" if shown_closed else ""
    more_than_these = " more" if e.found else ""
    many = f"One{more_than_these} is" if e.closed == 1 else f"{e.closed:,}{more_than_these} are"
    told = told if e.closed > 1 or not told else ", shown as well"
    return f"{said}. {many} closed by a local derivative of 0{told}."


def _path(path: Path, count: int, of: int) -> list[str]:
    closed = " (closed)" if path.closed else ""
    lines = _wrapped(f"path {count} of {of}{closed}: {heading(path, _SHOWN_STEPS)}", "  ")
    rows = [
        step if isinstance(step, str) else (_derivative(step), _formula(step), number(step.value))
        for step in abbreviated(path.steps)
    ]
    full = [row for row in rows if not isinstance(row, str)]
    left = min(max((len(row[0]) for row in full), default=0), 46)
    middle = min(max((len(row[1]) for row in full), default=0), WIDTH - left - 18)
    notes = dict.fromkeys(note for step in path.steps for note in step.notes)
    for row in rows:
        lines += [f"  {row}"] if isinstance(row, str) else _row(row, left, middle)
    values, product = factors(path)
    lines += _wrapped(f"  product  {' · '.join(values)} = {product}", "           ")
    for note in list(notes)[:_SHOWN_STEPS]:
        lines += _wrapped(f"  note: {note}", "        ")
    return lines


def _row(row: tuple[str, str, str], left: int, middle: int) -> list[str]:
    """A step in three columns; what is too long for its column gets a line of its own."""
    name, formula, value = row
    lines = []
    if len(name) > left:
        lines, name = [*_wrapped(f"  {name}", "    ")], ""
    first, *others = textwrap.wrap(formula, middle) or [""]
    lines.append(f"  {name:<{left}}  {first:<{middle}}  = {value}")
    return [*lines, *(f"  {'':<{left}}  {other}" for other in others)]


def abbreviated(steps: Sequence[Step]) -> list[Step | str]:
    """The steps of a path; of a long one the first and the last, and what is between together."""
    if len(steps) <= _SHOWN_STEPS + 1:
        return list(steps)
    together = 1.0
    for step in steps[_ENDS:-_ENDS]:
        together *= step.value
    count = len(steps) - 2 * _ENDS
    line = f"… {count:,} more steps, together × {number(together)}"
    return [*steps[:_ENDS], line, *steps[-_ENDS:]]


def factors(path: Path) -> tuple[list[str], str]:
    """The factors of a path, of many the first and the last, and their product."""
    values = [number(step.value) for step in path.steps]
    if len(values) > _SHOWN_STEPS + 1:
        values = [*values[:_ENDS], "…", *values[-_ENDS:]]
    return values or ["1"], number(path.product)


def _derivative(step: Step) -> str:
    above = at(printable(step.result), step.result_index)
    return f"∂{above}/∂{at(printable(step.operand), step.operand_index)}"


def _formula(step: Step) -> str:
    numbers = numbers_text(step)
    formula = printable(step.formula, 200)
    named = not step.result.startswith(step.operation) and step.operation != "backward"
    operation = f"{printable(step.operation)}: " if named else ""
    return f"{operation}{formula}" + (f"  ({numbers})" if numbers else "")


def numbers_text(step: Step) -> str:
    """What the letters of a formula stand for, the cotangent last."""
    if [name for name, _ in step.numbers] == ["g"]:
        return ""  # a formula of g alone says all by itself
    ordered = sorted(step.numbers, key=lambda pair: pair[0] == "g")
    return ", ".join(f"{printable(name)} = {number(value)}" for name, value in ordered)


def _sums(e: "GradientExplanation") -> list[str]:
    rows = [("sum over paths", number(e.total, 6), _which(e))]
    if not e.complete or e.left_out:
        rows.insert(0, ("the paths above", number(e.listed, 6), ""))
        rest = number(e.total - e.listed, 6)
        rows.insert(1, ("… and the remaining paths together", rest, "total − listed"))
    rows.append(("gradient by backward", number(e.gradient, 6), ""))
    if e.numeric is not None and e.error is not None:
        rows.append(("finite difference, in float64", *difference(e)))
    first = max(len(row[0]) for row in rows)
    second = max(len(row[1]) for row in rows)
    return [f"{a:<{first}}  {b:>{second}}  {c}".rstrip() for a, b, c in rows]


def difference(e: "GradientExplanation") -> tuple[str, str]:
    """The finite difference, with its error and the verdict; or that there is none to trust."""
    if e.numeric is None or e.error is None or (e.verdict is Verdict.UNSTABLE and not e.error):
        return "none", e.told  # no step gave a number
    return number(e.numeric, 6), f"± {number(e.error, 2)}   {e.told}"


def _which(e: "GradientExplanation") -> str:
    if not e.complete:
        return "all paths, by one sweep forward"
    return f"all {e.found:,} paths" if e.found > 1 else ""


def _wrapped(line: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        line, WIDTH, subsequent_indent=indent, break_long_words=True, break_on_hyphens=False,
        replace_whitespace=False,
    ) or [""]  # fmt: skip
