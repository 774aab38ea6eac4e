"""The page about a run: one file of HTML, which needs nothing from anywhere else."""

from collections.abc import Sequence

from ...errors import OutputError
from ...verify import GradcheckReport
from ...verify.report import COLUMNS
from ..diagram import Diagram
from ..inlined import file_text
from ..labels import number
from .confusion import confusion, is_large, right
from .curves import curves
from .frames import Frames, whole
from .inline import inline_svg
from .notes import Note, find_notes
from .panels import activation_table, layer_panels
from .plane import level_colours, plane
from .record import TrainingRecord
from .snapshot import Snapshot
from .tables import wide_table

__all__ = ["training_page"]


def training_page(
    record: TrainingRecord,
    *,
    check: GradcheckReport | None,
    diagram: Diagram | None,
    title: str,
    theme: str | None,
    seconds: float | None,
) -> str:
    """The whole page, as it is at the last epoch."""
    snapshots = record.finish()
    frames = Frames(len(snapshots))
    matrix = confusion(record, snapshots, frames)
    epochs = [f"epoch {s.epoch} of {snapshots[-1].epoch}" for s in snapshots]
    parts = {
        "title": whole(title),
        "theme": "" if theme is None else f' data-theme="{theme}"',
        "outcome": _outcome(record, snapshots, seconds),
        "last": str(len(snapshots) - 1),
        "slider": frames.element(
            "input",
            {
                **{"id": "epoch", "type": "range", "min": "0", "max": str(len(snapshots) - 1)},
                **{"step": "1", "value": str(len(snapshots) - 1), "aria-label": "epoch"},
                "autocomplete": "off",
                "aria-valuetext": epochs,
            },
        ),
        "told": _told(record, snapshots, epochs, frames),
        "curves": curves(record, snapshots, frames),
        "plane": plane(record, snapshots, frames),
        "beside": "" if is_large(record) else matrix,
        "below": matrix if is_large(record) else "",
        "notes": _notes(find_notes(record, snapshots)),
        "layers": layer_panels(record, snapshots, frames),
        "activations": activation_table(record, snapshots, frames),
        "graph": _graph(diagram),
        "check": _check(check),
        "numbers": _numbers(record, snapshots),
        "style": _source("page.css") + level_colours(),
        "script": _source("page.js"),
    }
    return _source("page.html").format(**parts, frames=frames.json())


def _source(name: str) -> str:
    return file_text(__package__, name)


def _outcome(record: TrainingRecord, snapshots: Sequence[Snapshot], seconds: float | None) -> str:
    """One line: what the run came to."""
    last = snapshots[-1]
    told = {name: values[-1] for name, values in record.told.items()} | dict(last.metrics)
    facts = [f"loss {number(last.loss)}"]
    facts += [f"<bdi>{whole(name)}</bdi> {number(value)}" for name, value in told.items()]
    facts.append(f"{last.epoch} epoch{'s' * (last.epoch != 1)}")
    if seconds is not None:
        facts.append(f"{seconds:.1f} s")
    return " · ".join(facts)


def _told(
    record: TrainingRecord, snapshots: Sequence[Snapshot], epochs: Sequence[str], frames: Frames
) -> str:
    """What is known of the frame's epoch, beside the slider."""
    parts = [
        frames.element("strong", {"id": "now"}, epochs),
        frames.element("span", {}, [f"loss {number(s.loss)}" for s in snapshots]),
    ]
    for name, values in _metrics(record, snapshots).items():
        shown = frames.element("span", {}, [number(value) for value in values])
        parts.append(f"<span><bdi>{whole(name)}</bdi> {shown}</span>")
    counts = right(record, snapshots)
    if counts is not None:
        parts.append(frames.element("span", {}, counts))
    return "".join(parts)


def _metrics(record: TrainingRecord, snapshots: Sequence[Snapshot]) -> dict[str, list[float]]:
    """Each metric at the snapshots: as measured there, or else as the loop told it."""
    nan = float("nan")
    found = {
        name: [values[s.epoch - 1] if 0 < s.epoch <= len(values) else nan for s in snapshots]
        for name, values in record.told.items()
    }
    measured = {name: [s.metrics[name] for s in snapshots] for name in snapshots[0].metrics}
    return found | measured


def _notes(notes: Sequence[Note]) -> str:
    if not notes:
        return (
            "<p>Nothing stands out: all losses and gradients are finite, no gradient vanishes or "
            "explodes, and no units are dead or saturated.</p>"
        )
    items = []
    for note in notes:
        where = f" in <bdi>{whole(note.where)}</bdi>" if note.where else ""
        items.append(
            f"<li><strong>{note.kind}{where}</strong>: {whole(note.seen)}. "
            f'<span class="dim">What usually helps: {whole(note.remedy)}.</span></li>'
        )
    return f"<ul>{''.join(items)}</ul>"


def _graph(diagram: Diagram | None) -> str:
    if diagram is None:
        return ""
    try:
        picture = inline_svg(diagram.render("svg").decode(), "graph-")
    except OutputError as error:
        shown = f"<p>{whole(str(error))}</p><pre>{whole(diagram.source)}</pre>"
    else:
        shown = (
            '<p id="zoom" hidden><button type="button" data-zoom="0.8">smaller</button>'
            '<button type="button" data-zoom="1.25">larger</button>'
            '<button type="button" data-zoom="0">fit</button></p>'
            f'<div class="paper" tabindex="0" role="region" aria-label="graph">{picture}</div>'
        )
    return f"<section><h2>Computation graph</h2>{shown}</section>"


def _check(check: GradcheckReport | None) -> str:
    """The table of a gradient check, with a mark beside each colour."""
    if check is None:
        return ""
    rows = []
    for finding, (name, *cells, verdict) in zip(check.findings, check.rows, strict=True):
        kind, mark = ("right", "✓") if finding.right else ("wrong", "✗")
        rows.append(
            [
                f'<th scope="row"><bdi>{whole(name)}</bdi></th>',
                *(f"<td>{whole(cell)}</td>" for cell in cells),
                f'<td class="{kind}">{mark} {whole(verdict)}</td>',
            ]
        )
    return (
        f"<section><h2>Gradient check: {'all right' if check else 'not all right'}</h2>"
        '<p class="dim">By finite differences in float64.</p>'
        f"{wide_table('gradient check', COLUMNS, rows)}</section>"
    )


def _numbers(record: TrainingRecord, snapshots: Sequence[Snapshot]) -> str:
    """The numbers of all frames as a table, for those who read rather than look."""
    metrics = _metrics(record, snapshots)
    columns = [f"<bdi>{whole(name)}</bdi>" for name in ("epoch", "loss", *metrics)]
    rows = []
    for i, s in enumerate(snapshots):
        cells = [str(s.epoch), number(s.loss), *(number(v[i]) for v in metrics.values())]
        rows.append([f"<td>{cell}</td>" for cell in cells])
    return wide_table("numbers", columns, rows)
