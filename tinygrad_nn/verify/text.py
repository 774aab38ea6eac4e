"""Plain text for a terminal: tables, and errors in one line."""

from collections.abc import Iterable, Iterator, Sequence

__all__ = ["a_type", "distinct", "one_line", "table"]

_LONGEST = 300  # characters of a message, which one line can show


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a head, in columns as wide as their widest cell. Drawn in ASCII, for any terminal.

    Example:
        >>> from tinygrad_nn.verify.text import table
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


def one_line(error: BaseException) -> str:
    """An exception's type and message, in one line that is not too long."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # a user's own exception may fail at this too
        text = ""
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def a_type(x: object) -> str:
    """The type of a value with its article, as a sentence has it.

    Example:
        >>> from tinygrad_nn.verify.text import a_type
        >>> a_type(3), a_type([])
        ('an int', 'a list')
    """
    name = type(x).__name__
    return f"{'an' if name[0].lower() in 'aeiou' or name == 'ndarray' else 'a'} {name}"


def distinct(names: Iterable[str]) -> Iterator[str]:
    """The names, numbered where several share one, as the weights of two layers do.

    Example:
        >>> from tinygrad_nn.verify.text import distinct
        >>> list(distinct(["w", "b", "w"]))
        ['w', 'b', 'w (2)']
    """
    all_names = list(names)
    taken = set(all_names)
    seen: set[str] = set()
    for name in all_names:
        shown, number = name, 1
        while shown in seen or (shown != name and shown in taken):
            number += 1
            shown = f"{name} ({number})"
        seen.add(shown)
        yield shown
