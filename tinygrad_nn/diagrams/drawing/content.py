"""What stands in a box, as Graphviz's markup: title, shapes, numbers, histograms, verdicts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ..._svg import escaped
from ..._typing import Array
from ...autograd import Node
from ...verify.nodes import NodeCheck
from ...verify.verdicts import Verdict
from ..labels import histogram, numbers_of, shortened, statistics, summary
from .folding import Group
from .scene import Box, Details, Kind
from .theme import Theme

__all__ = ["FONT", "box_label", "group_label", "marked_up", "verdict_colour"]

FONT = "Helvetica"
# Of fixed width: wherever the picture is shown, another font's digits still fit the box.
_DIGITS = "Courier"
_LONGEST_TITLE = 40
_BAR, _TALLEST = 5, 16  # of a histogram, in points
_TABLE = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">'
_TIGHT = _TABLE.replace('"2"', '"0"')


def box_label(
    box: Box, details: Details, theme: Theme, *, values: bool = True, gradients: bool = True
) -> str:
    """The label of one box."""
    rows = [_title(box.title, theme)] if box.title else []
    rows += [_small(note, theme) for note in details.notes]
    columns = []
    if values and details.value is not None:
        columns.append(("value", details.value))
    if gradients and details.gradient is not None and details.value is not None:
        columns.append(("gradient", details.gradient))
    if box.kind is Kind.CONSTANT and not box.title:
        rows += _constant(details, theme)
    else:
        rows += _numbers(columns, theme)
    if details.collected is not None:
        rows.append(_digits(f".grad {summary(details.collected)}", theme))
    if details.check is not None:
        several = details.value is not None and np.size(details.value) > 1
        rows += ["", _verdict(details.check, several, theme)]
    return _table(rows)


def group_label(group: Group, checks: Mapping[Box, NodeCheck], theme: Theme) -> str:
    """The label of boxes that are drawn as one: how many they are, of what kinds."""
    title = group.title + (f" ×{group.count}" if group.count > 1 else "")
    rows = [_title(title, theme), *(_small(line, theme) for line in _contents(group))]
    found = [checks[box] for box in group.boxes if box in checks]
    if found:
        wrong = [check for check in found if not check.right]
        told = f"{len(wrong)} of {len(found)} gradients not right" if wrong else "PASS"
        worst = max(found, key=lambda c: (not c.right, c.verdict.badness))
        rows.append(_digits(told, theme, verdict_colour(worst, theme), bold=True))
    return _table(rows)


def marked_up(text: str) -> str:
    """Text for a label: a name can hold anything, and shows as exactly that.

    Graphviz puts names of its own in place of a backslash and a letter, in markup as well, so
    backslashes are doubled.
    """
    return escaped(text).replace("\\", "\\\\")


def verdict_colour(check: NodeCheck, theme: Theme) -> str:
    """The colour of a verdict, which its text says as well."""
    if check.right:
        return theme.right
    return theme.wrong if check.verdict in (Verdict.WRONG, Verdict.KINK) else theme.doubtful


def _contents(group: Group) -> Iterable[str]:
    operations = Counter(
        getattr(getattr(b.item, "primitive", None), "name", b.title)
        for b in group.boxes
        if b.kind in (Kind.OPERATION, Kind.OUTPUT)
    )
    count = operations.total()
    if count:
        yield f"{count:,} operation{'s' * (count != 1)}"
        common = operations.most_common(3)
        more = ", …" if len(operations) > len(common) else ""
        yield ", ".join(f"{name} {n:,}" if n > 1 else name for name, n in common) + more
    parameters = [b for b in group.boxes if b.kind is Kind.PARAMETER]
    if parameters:
        numbers = sum(int(np.size(b.item.value)) for b in parameters if isinstance(b.item, Node))
        of = f" of {numbers:,} number{'s' * (numbers != 1)}" if numbers else ""
        yield f"{len(parameters):,} parameter{'s' * (len(parameters) != 1)}{of}"


def _constant(details: Details, theme: Theme) -> list[str]:
    if details.value is None:
        return []
    shape = np.shape(details.value)
    text = summary(details.value)
    return [_digits(text, theme), *([_small(str(shape), theme)] if shape else [])]


def _numbers(columns: Sequence[tuple[str, Array | str]], theme: Theme) -> list[str]:
    """Values and gradients: on a line each where they are short, else beside one another."""
    written = [
        (name, [[value]] if isinstance(value, str) else numbers_of(value))
        for name, value in columns
    ]
    if all(rows is not None and len(rows) == 1 == len(rows[0]) for _, rows in written):
        return [_digits(f"{name} {rows[0][0]}", theme) for name, rows in written if rows]
    facts = [
        statistics(value) if rows is None and not isinstance(value, str) else []
        for (_, value), (_, rows) in zip(columns, written, strict=True)
    ]
    heads = "".join(f"<TD>{_small(name, theme)}</TD>" for name, _ in columns)
    cells = []
    for (_, value), (_, rows), told in zip(columns, written, facts, strict=True):
        blank = [("", "")] * (max(map(len, facts)) - len(told))  # so that both are as high
        cell = _grid(rows if rows is not None else [*told, *blank], theme, rows is None)
        if rows is None and not isinstance(value, str) and np.asarray(value).dtype.kind != "b":
            cell = _table([cell, _bars(histogram(value), theme)])
        cells.append(f'<TD VALIGN="TOP">{cell}</TD>')
    return [f"{_TABLE}<TR>{heads}</TR><TR>{''.join(cells)}</TR></TABLE>"]


def _grid(rows: Sequence[Sequence[str]], theme: Theme, named: bool) -> str:
    """Texts in columns that end below one another; names at the left begin so."""
    lines = (
        "".join(
            f'<TD ALIGN="{"LEFT" if named and i == 0 else "RIGHT"}">{_digits(text, theme)}</TD>'
            for i, text in enumerate(row)
        )
        for row in rows
    )
    return f"{_TABLE}{''.join(f'<TR>{line}</TR>' for line in lines)}</TABLE>"


def _bars(shares: Sequence[float], theme: Theme) -> str:
    """A histogram, drawn as cells: characters for bars are missing in many fonts."""
    return f"{_TIGHT}<TR>{''.join(_bar(share, theme) for share in shares)}</TR></TABLE>"


def _bar(share: float, theme: Theme) -> str:
    """A bar that stands on the ground: what is above it is a cell too."""
    height = round(share * _TALLEST) or (1 if share else 0)
    size = f'<TD FIXEDSIZE="TRUE" WIDTH="{_BAR}" HEIGHT='
    above = f'<TR>{size}"{_TALLEST - height}"></TD></TR>' if height < _TALLEST else ""
    bar = f'<TR>{size}"{height}" BGCOLOR="{theme.bars}"></TD></TR>' if height else ""
    column = f"{_TIGHT}{above}{bar}</TABLE>"
    return f'<TD FIXEDSIZE="TRUE" WIDTH="{_BAR + 1}" HEIGHT="{_TALLEST}">{column}</TD>'


def _verdict(check: NodeCheck, several: bool, theme: Theme) -> str:
    """The verdict on a gradient, and analytic beside numeric."""
    along = " in a random direction" if several else ""
    made_by = f", made by {' or '.join(check.made_by)}" if check.made_by else ""
    colour = verdict_colour(check, theme)
    return _table([
        _digits(check.verdict.value + made_by, theme, colour, bold=True),
        _digits(f"analytic {check.analytic:.4g}{along}", theme, colour),
        _digits(f"numeric {check.numeric:.4g}", theme, colour),
    ])  # fmt: skip


def _table(rows: Iterable[str]) -> str:
    """Rows below one another; an empty one is a gap."""
    cells = "".join(
        f'<TR><TD CELLPADDING="1">{row}</TD></TR>' if row else '<TR><TD HEIGHT="5"></TD></TR>'
        for row in rows
    )
    return f"{_TIGHT}{cells or '<TR><TD></TD></TR>'}</TABLE>"


def _title(text: str, theme: Theme) -> str:
    shown = marked_up(shortened(text, _LONGEST_TITLE))
    return f'<FONT COLOR="{theme.ink}"><B>{shown}</B></FONT>'


def _digits(text: str, theme: Theme, colour: str = "", bold: bool = False) -> str:
    if not text:
        return ""  # markup without content is none for Graphviz
    content = f"<B>{marked_up(text)}</B>" if bold else marked_up(text)
    return f'<FONT FACE="{_DIGITS}" POINT-SIZE="10" COLOR="{colour or theme.ink}">{content}</FONT>'


def _small(text: str, theme: Theme) -> str:
    return f'<FONT POINT-SIZE="10" COLOR="{theme.dim}">{marked_up(text)}</FONT>'
