"""The confusion matrix: which class each sample has, and which one the model gives it."""

from collections.abc import Sequence

import numpy as np

from ..._typing import Array
from .frames import Frames, whole
from .outputs import Classes
from .plane import marker
from .record import TrainingRecord
from .snapshot import Snapshot

__all__ = ["confusion", "right"]

_MOST = 20


def right(record: TrainingRecord, snapshots: Sequence[Snapshot]) -> list[str] | None:
    """How many samples have their class, in each frame; None without classes."""
    if not isinstance(record.kind, Classes):
        return None
    total = len(record.kind.truth)
    counts = [int(np.trace(s.confusion)) for s in snapshots if s.confusion is not None]
    return [f"{count} of {total} right ({count / total:.1%})" for count in counts]


def confusion(record: TrainingRecord, snapshots: Sequence[Snapshot], frames: Frames) -> str:
    """A table with the true classes as rows, counts, and shares of each row; "" without classes."""
    kind = record.kind
    if not isinstance(kind, Classes):
        return ""
    head = '<section class="confusion"><h2>Confusion matrix</h2>'
    if kind.count > _MOST:
        return f'{head}<p class="dim">It is shown for up to {_MOST} classes.</p></section>'
    matrices = [s.confusion for s in snapshots if s.confusion is not None]
    totals = np.bincount(kind.truth, minlength=kind.count)
    names = [f"{marker(i)} <bdi>{whole(name)}</bdi>" for i, name in enumerate(record.classes)]
    rows = []
    for i, name in enumerate(names):
        cells = [_cell([m[i, k] for m in matrices], totals[i], frames) for k in range(kind.count)]
        rows.append(f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>')
    columns = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f'{head}<div class="wide"><table class="matrix"><caption class="dim">Rows are the true '
        f"class, columns what the model says; shares are of the row.</caption>"
        f"<thead><tr><th></th>{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f"</section>"
    )


def _cell(counts: Sequence[Array], total: int, frames: Frames) -> str:
    shares = [float(count) / total if total else 0.0 for count in counts]
    number = frames.element("b", {}, [str(int(count)) for count in counts])
    share = frames.element("span", {}, [f"{share:.0%}" for share in shares])
    shades = {"style": [f"--share:{share:.2f}" for share in shares]}
    return frames.element("td", shades, "").replace("</td>", f"{number} {share}</td>")
