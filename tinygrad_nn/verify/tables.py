"""Plain-text tables, for reports that people read in a terminal."""

from collections.abc import Sequence

__all__ = ["table"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a head, in columns as wide as their widest cell. In ASCII, for any terminal.

    Example:
        >>> from tinygrad_nn.verify.tables import table
        >>> print(table(("name", "n"), [("add", "2")]))
        name  n
        ----  -
        add   2
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * w for w in widths], *rows]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
