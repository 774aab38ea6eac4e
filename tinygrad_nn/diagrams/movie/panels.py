"""The layers of a model over a run: their weights, their gradients, and units that rest."""

import math
from collections.abc import Sequence

from ..labels import number
from .frames import Frames, whole
from .histograms import Histogram
from .record import TrainingRecord
from .snapshot import Snapshot
from .tables import wide_table

__all__ = ["activation_table", "layer_panels"]

_MOST = 32  # parameters; a page about more would not be read
_WIDTH, _HEIGHT = 240, 80
_SHADES = 5
_NOTHING = Histogram(0.0, 0.0, (), 0, 0, 0, math.nan, 0.0)


def layer_panels(record: TrainingRecord, snapshots: Sequence[Snapshot], frames: Frames) -> str:
    """For each parameter, how its values and its gradient are spread, in a frame and over all."""
    gradients = [
        [s.spreads[i].gradient or _NOTHING for s in snapshots]
        for i in range(len(record.parameters))
    ]
    common = _range([h for one in gradients for h in one])  # one scale, to compare layers by
    ends = (snapshots[0].epoch, snapshots[-1].epoch)
    parts = []
    for i, parameter in list(enumerate(record.parameters))[:_MOST]:
        values = [s.spreads[i].values for s in snapshots]
        title = f"<bdi>{whole(parameter.name)}</bdi>"
        parts.append(
            f'<section class="layer"><h3>{title} <span class="dim">{parameter.tensor.shape}</span>'
            f"</h3>{_spread('values', values, _range(values), ends, frames)}"
            f"{_spread('gradient', gradients[i], common, ends, frames)}</section>"
        )
    left_out = len(record.parameters) - _MOST
    if left_out > 0:
        parts.append(f'<p class="dim">and {left_out} parameters more</p>')
    return "".join(parts)


def activation_table(record: TrainingRecord, snapshots: Sequence[Snapshot], frames: Frames) -> str:
    """A table of the activation functions: how many units have no slope; "" if there are none."""
    rows = []
    for k, activation in enumerate(snapshots[0].activations):
        found = [s.activations[k] if k < len(s.activations) else None for s in snapshots]
        resting = ["-" if a is None else str(a.resting) for a in found]
        shares = ["-" if a is None else f"{a.share:.1%}" for a in found]
        rows.append(
            (
                f'<th scope="row"><bdi>{whole(activation.name)}</bdi></th>',
                f"<td>{activation.units}</td>",
                frames.element("td", {}, resting),
                frames.element("td", {}, shares),
                f"<td>{'within 0.01 of an end' if activation.bounded else '0'}</td>",
            )
        )
    if not rows:
        return ""
    columns = ("function", "units", "dead units", "values without a slope", "which are")
    return (
        '<section><h2>Activations</h2><p class="dim">A unit is dead if its value has no slope for '
        f"any sample.</p>{wide_table('activations', columns, rows)}</section>"
    )


def _range(histograms: Sequence[Histogram]) -> tuple[float, float]:
    """From where to where all of them reach."""
    filled = [h for h in histograms if h.counts]
    low = min((h.low for h in filled), default=0.0)
    high = max((h.high for h in filled), default=1.0)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _spread(
    what: str,
    histograms: Sequence[Histogram],
    scale: tuple[float, float],
    epochs: tuple[int, int],
    frames: Frames,
) -> str:
    """A histogram that moves, and the strip of all of them, with the frame's column marked."""
    small = what == "gradient"
    low, high = (f"{10.0**v:.1g}" if small else number(v) for v in scale)
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img"'
    bars = frames.element("path", {"class": what, "d": [_bars(h, scale) for h in histograms]})
    width = _WIDTH / len(histograms)
    marked = [f"{i * width:.2f}" for i in range(len(histograms))]
    cursor = frames.element(
        "rect",
        {"class": "column", "x": marked, "y": "0", "width": f"{width:.2f}", "height": "80"},
    )
    title = "size of the gradient, |g|" if small else "values"
    told = frames.element("p", {"class": "told"}, [_told(h, small) for h in histograms])
    return (
        f'<div class="pair"><figure><figcaption>{title}</figcaption>'
        f'<svg {size} aria-label="histogram of the {what}">'
        f'{bars}</svg><p class="ends"><span>{low}</span><span>{high}</span></p>{told}</figure>'
        f'<figure class="strip"><figcaption>over the run</figcaption><svg {size} aria-label="'
        f'histograms of the {what} over the run">{_strip(histograms, scale)}{cursor}</svg>'
        f'<p class="ends"><span>epoch {epochs[0]}</span><span>{epochs[1]}</span></p>'
        f'<p class="told">{low} … {high}, upwards</p></figure></div>'
    )


def _told(h: Histogram, small: bool) -> str:
    if not h.size:
        return "no gradient"
    if h.nonfinite == h.size:
        return f"all {h.size} not finite"
    rest = f", {h.nonfinite} not finite" if h.nonfinite else ""
    zeros = f", {h.zeros} zeros" if h.zeros else ""
    first = f"norm {number(h.norm)}" if small else f"mean {number(h.mean)}, norm {number(h.norm)}"
    return first + zeros + rest


def _bars(h: Histogram, scale: tuple[float, float]) -> str:
    """The outline of a histogram; its tallest bin fills the height."""
    if not h.counts:
        return ""
    unit = max(_bin(h, scale) * _WIDTH, 1.0)
    left = min(_at(h.low, scale) * _WIDTH, _WIDTH - unit)
    tallest = max(h.counts)
    path = [f"M{left:.1f} {_HEIGHT}"]
    for i, count in enumerate(h.counts, start=1):
        path.append(f"V{_HEIGHT - count / tallest * (_HEIGHT - 2):.1f}H{left + i * unit:.1f}")
    return "".join([*path, f"V{_HEIGHT}z"])


def _strip(histograms: Sequence[Histogram], scale: tuple[float, float]) -> str:
    """A column for each histogram, darker where there are more: five shades."""
    shades: list[list[str]] = [[] for _ in range(_SHADES)]
    width = _WIDTH / len(histograms)
    for i, h in enumerate(histograms):
        if not h.counts:
            continue
        bottom, unit = _at(h.low, scale), _bin(h, scale)
        tallest = max(h.counts)
        for k, count in enumerate(h.counts):
            if count:
                shade = min(_SHADES - 1, _SHADES * count // tallest)
                y = _HEIGHT * (1 - bottom - (k + 1) * unit)
                shades[shade].append(
                    f"M{i * width:.1f} {y:.1f}h{width:.1f}v{max(unit * _HEIGHT, 0.8):.1f}"
                    f"h-{width:.1f}z"
                )
    return "".join(
        f'<path class="shade-{i}" d="{"".join(path)}"/>' for i, path in enumerate(shades)
    )


def _at(value: float, scale: tuple[float, float]) -> float:
    return (value - scale[0]) / (scale[1] - scale[0])


def _bin(h: Histogram, scale: tuple[float, float]) -> float:
    """How wide a bin is, as a share of the scale."""
    return (h.high - h.low) / len(h.counts) / (scale[1] - scale[0])
