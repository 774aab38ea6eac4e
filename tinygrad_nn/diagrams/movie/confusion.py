"""The confusion matrix: which class each sample has, and which one the model gives it."""

from collections.abc import Sequence

import numpy as np

from ..._typing import Array
from .frames import Frames, whole
from .outputs import Classes
from .plane import marker
from .record import TrainingRecord
from .snapshot import Snapshot
from .tables import wide_table

__all__ = ["confusion", "is_large", "right"]

_MOST = 20
_NARROW = 6  # classes; with more there is no room beside the plane


def right(record: TrainingRecord, snapshots: Sequence[Snapshot]) -> list[str] | None:
    """How many samples have their class, in each frame; None without classes."""
    if not isinstance(record.kind, Classes):
        return None
    total = len(record.kind.truth)
    matrices = [s.confusion for s in snapshots if s.confusion is not None]
    return [_told(int(np.trace(matrix)), int(matrix.sum()), total) for matrix in matrices]


def _told(right: int, known: int, total: int) -> str:
    rest = f"; {total - known} have no class, as their outputs are not numbers"
    return f"{right} of {total} right ({right / total:.1%}){rest if known < total else ''}"


def confusion(record: TrainingRecord, snapshots: Sequence[Snapshot], frames: Frames) -> str:
    """A table with the true classes as rows, counts, and shares of each row; "" without classes."""
    kind = record.kind
    if not isinstance(kind, Classes):
        return ""
    large = " large" if is_large(record) else ""
    head = f'<section class="confusion{large}"><h2>Confusion matrix</h2>'
    if kind.count > _MOST:
        return f'{head}<p class="dim">It is shown for up to {_MOST} classes.</p></section>'
    matrices = [s.confusion for s in snapshots if s.confusion is not None]
    totals = np.bincount(kind.truth, minlength=kind.count)
    names = [
        f'<span class="name">{marker(i)} <bdi>{whole(name)}</bdi></span>'
        for i, name in enumerate(record.classes)
    ]
    rows = []
    for i, name in enumerate(names):
        cells = [_cell([m[i, k] for m in matrices], totals[i], frames) for k in range(kind.count)]
        rows.append([f'<th scope="row">{name}</th>', *cells])
    look = f' class="matrix" style="--longest:{max(map(len, record.classes))}"'
    return (
        f'{head}<p class="dim">Rows are the true class, columns what the model says; shares are of '
        f"the row.</p>{wide_table('confusion matrix', ['', *names], rows, look)}</section>"
    )


def is_large(record: TrainingRecord) -> bool:
    """Whether the matrix needs the whole width of a page."""
    return record.kind.count > _NARROW


def _cell(counts: Sequence[Array], total: int, frames: Frames) -> str:
    shares = [float(count) / total if total else 0.0 for count in counts]
    number = frames.element("b", {}, [str(int(count)) for count in counts])
    share = frames.element("span", {}, [f"{share:.0%}" for share in shares])
    shades = {"style": [f"--share:{share:.2f}" for share in shares]}
    return frames.element("td", shades, "").replace("</td>", f"{number} {share}</td>")
