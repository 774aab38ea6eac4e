"""What stands out in a run, in words: what was seen, where, since when, and what usually helps."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..labels import number
from .record import TrainingRecord
from .snapshot import Snapshot

__all__ = ["Note", "find_notes"]

_VANISHING = 1e-4  # of the largest gradient of any layer
_EXPLODING = 1e3  # times the weights: a step at a usual learning rate would replace them
_SATURATED = 0.5  # of all values
_EPOCHS = 10  # fewer say nothing of where a loss is going


class Note(NamedTuple):
    """One thing that stands out.

    Attributes:
        kind: what it is called.
        where: the layer, or layers; "" for the run as a whole.
        seen: what was seen, and since which epoch.
        remedy: what usually helps.
    """

    kind: str
    where: str
    seen: str
    remedy: str


def find_notes(record: TrainingRecord, snapshots: Sequence[Snapshot]) -> list[Note]:
    """Look for what goes wrong in training: in the losses, the gradients and the activations."""
    strange = _data(record)
    if strange:
        return strange  # all else follows from that
    return [
        *_losses(record.losses),
        *_unused(record, snapshots),
        *_gradients(record, snapshots),
        *_activations(snapshots),
    ]


def _data(record: TrainingRecord) -> list[Note]:
    """What is wrong with the data themselves."""
    named = {"inputs": record.X, "truth": record.y}
    return [
        Note(
            "The data are not finite",
            name,
            f"{int(np.sum(~np.isfinite(array))):,} of {array.size:,} numbers are infinite or NaN",
            "to leave such samples out, or to fill in what is missing",
        )
        for name, array in named.items()
        if array.dtype.kind == "f" and not np.isfinite(array).all()
    ]


def _losses(losses: Sequence[float]) -> Iterator[Note]:
    bad = next((i for i, loss in enumerate(losses, start=1) if not math.isfinite(loss)), None)
    if bad is not None:
        yield Note(
            "The loss is not finite",
            "",
            f"first at epoch {bad}, where it is {number(losses[bad - 1])}",
            "a smaller learning rate, clipped gradients, and tinygrad_nn.trace_nonfinite, which "
            "finds the operation that made it",
        )
        return
    if len(losses) < _EPOCHS:
        return
    first, last, best = losses[0], losses[-1], min(losses)
    if first - best < 0.01 * abs(first):
        yield Note(
            "The loss does not fall",
            "",
            f"from {number(first)} at epoch 1 it came to {number(best)} at best",
            "look at the gradients below, and try another learning rate",
        )
    elif last - best > 0.5 * (first - best):
        yield Note(
            "The loss rose again",
            "",
            f"it was {number(best)} at epoch {losses.index(best) + 1}, and ended at {number(last)}",
            "a learning rate that is smaller, or shrinks with time",
        )


def _unused(record: TrainingRecord, snapshots: Sequence[Snapshot]) -> Iterator[Note]:
    measured = [s for s in snapshots if any(spread.gradient for spread in s.spreads)]
    for i, parameter in enumerate(record.parameters):
        if measured and not any(s.spreads[i].gradient for s in measured):
            yield Note(
                "No gradient",
                parameter.name,
                "the loss does not depend on it",
                "use it in the model, or leave it out; .detach() and .numpy() cut a gradient off",
            )


def _gradients(record: TrainingRecord, snapshots: Sequence[Snapshot]) -> Iterator[Note]:
    layers = list(dict.fromkeys(p.layer for p in record.parameters))
    measured = {
        layer: [_norms(record, s, layer) for s in snapshots] for layer in layers
    }  # for each layer and snapshot: the norms of its gradient and of its weights
    broken = {
        la: [g is not None and not math.isfinite(g) for g, _ in measured[la]] for la in layers
    }
    if any(map(any, broken.values())):
        first = min(flags.index(True) for flags in broken.values() if any(flags))
        yield Note(
            "Exploding gradient",
            _listed([layer for layer in layers if broken[layer][first]]),
            f"the gradient is not finite, first seen at epoch {snapshots[first].epoch}",
            "a smaller learning rate, smaller initial weights or clipped gradients",
        )
    yield from _exploding(layers, measured, snapshots)
    yield from _vanishing(layers, measured, snapshots)


Norms = tuple[float | None, float]


def _norms(record: TrainingRecord, snapshot: Snapshot, layer: str) -> Norms:
    """The norms of a layer's gradient, infinite where not all of it is finite, and weights."""
    spreads = [
        s for p, s in zip(record.parameters, snapshot.spreads, strict=True) if p.layer == layer
    ]
    found = [s.gradient for s in spreads if s.gradient is not None]
    size = math.hypot(*(s.values.norm for s in spreads))
    if not found:
        return None, size
    if any(h.nonfinite for h in found):
        return math.inf, size
    return math.hypot(*(h.norm for h in found)), size


def _exploding(
    layers: Sequence[str], measured: dict[str, list[Norms]], snapshots: Sequence[Snapshot]
) -> Iterator[Note]:
    def explodes(layer: str, i: int) -> bool:
        gradient, size = measured[layer][i]
        return gradient is not None and _EXPLODING * size < gradient < math.inf and size > 0

    found, when = _where(layers, snapshots, explodes)
    if found:
        factor = max(
            g / size
            for layer in found
            for i, (g, size) in enumerate(measured[layer])
            if g is not None and explodes(layer, i)
        )
        yield Note(
            "Exploding gradient",
            _listed(found),
            f"its norm is up to {number(factor)} times that of the weights, {when}",
            "a smaller learning rate, smaller initial weights or clipped gradients",
        )


def _vanishing(
    layers: Sequence[str], measured: dict[str, list[Norms]], snapshots: Sequence[Snapshot]
) -> Iterator[Note]:
    largest = [
        max((g for g in (measured[la][i][0] for la in layers) if g is not None), default=0.0)
        for i in range(len(snapshots))
    ]

    def vanishes(layer: str, i: int) -> bool:
        gradient = measured[layer][i][0]
        finite = gradient is not None and math.isfinite(largest[i])
        return gradient is not None and finite and gradient < _VANISHING * largest[i]

    found, when = _where(layers, snapshots, vanishes)
    if found:
        least = min(
            (measured[layer][i][0] or 0.0) / largest[i]
            for layer in found
            for i in range(len(snapshots))
            if vanishes(layer, i)
        )
        yield Note(
            "Vanishing gradient",
            _listed(found),
            f"its norm is down to {number(least)} of the largest of any layer, {when}",
            "relu or tanh in place of sigmoid, initial weights of another size, or fewer layers",
        )


def _activations(snapshots: Sequence[Snapshot]) -> Iterator[Note]:
    known = [s for s in snapshots if s.activations]
    if not known:
        return
    for k, last in enumerate(known[-1].activations):
        run = [s.activations[k] for s in known if k < len(s.activations)]
        if not last.bounded and last.resting:
            since = known[_since([a.resting > 0 for a in run])].epoch
            yield Note(
                "Dead units",
                last.name,
                f"{last.resting} of {last.units} units are 0 for every sample at the end; some "
                f"have been since epoch {since}",
                "a smaller learning rate, or leaky_relu",
            )
        if last.bounded and last.share > _SATURATED:
            since = known[_since([a.share > _SATURATED for a in run])].epoch
            yield Note(
                "Saturated activations",
                last.name,
                f"{last.share:.0%} of its values are within 0.01 of an end, where the slope is "
                f"nearly 0; more than half since epoch {since}",
                "smaller initial weights, inputs of a common scale, or relu",
            )


def _where(
    layers: Sequence[str], snapshots: Sequence[Snapshot], happens: Callable[[str, int], bool]
) -> tuple[list[str], str]:
    """The layers where something happens at half of the snapshots or at the last, and when."""
    flags = {layer: [happens(layer, i) for i in range(len(snapshots))] for layer in layers}
    found = [la for la in layers if flags[la][-1] or 2 * sum(flags[la]) >= len(snapshots)]
    if not found:
        return [], ""
    ever = [any(flags[layer][i] for layer in found) for i in range(len(snapshots))]
    epochs = [s.epoch for s, flag in zip(snapshots, ever, strict=True) if flag]
    return found, f"between epochs {epochs[0]} and {epochs[-1]}"


def _since(flags: Sequence[bool]) -> int:
    """The place from which on all flags are set; the last one is."""
    return max((i + 1 for i, flag in enumerate(flags) if not flag), default=0)


def _listed(layers: Sequence[str]) -> str:
    return ", ".join(layers)
