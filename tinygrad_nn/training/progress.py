"""A progress line while something takes its time: rich's where it is installed, else plain.

Nothing is shown where nobody watches: when the stream is no terminal.
"""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, TypeVar

__all__ = ["progress"]

T = TypeVar("T")

_WIDTH = 30


def progress(
    items: Iterable[T], total: int, label: str, stream: TextIO | None = None
) -> Iterator[T]:
    """Yield the items, and show on the stream how many of them are done.

    Args:
        items: what to go through.
        total: how many there are.
        label: what is being done.
        stream: where to show it, by default the standard error.
    """
    stream = stream or sys.stderr
    if not stream.isatty():
        return iter(items)
    try:
        import rich.console
        import rich.progress
    except ImportError:
        return _plain(items, total, label, stream)
    bar: Any = rich.progress.track(
        items, description=label, total=total, console=rich.console.Console(file=stream)
    )
    return iter(bar)


def _plain(items: Iterable[T], total: int, label: str, stream: TextIO) -> Iterator[T]:
    shown = -1
    try:
        shown = _drawn(0, total, label, stream, shown)  # before the first, which may take long
        for done, item in enumerate(items, start=1):
            yield item
            shown = _drawn(done, total, label, stream, shown)
    finally:
        stream.write("\n")  # whatever is printed next starts on a line of its own


def _drawn(done: int, total: int, label: str, stream: TextIO, shown: int) -> int:
    """Draw the line, unless this percentage is shown already: a hundred updates, not more."""
    percent = 100 * done // max(total, 1)
    if percent != shown:
        filled = _WIDTH * done // max(total, 1)
        bar = "#" * filled + "." * (_WIDTH - filled)
        stream.write(f"\r{label} [{bar}] {percent:3d} %")
        stream.flush()
    return percent
