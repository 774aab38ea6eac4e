"""A model at one epoch, as numbers: measured without a trace in the model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..._typing import Array
from ...autograd import Node, Tensor, enable_grad, no_grad
from ...autograd.backward import gradients, plan
from ...errors import ArgumentError
from .histograms import Histogram, histogram, magnitudes
from .layers import Activation, Parameter, activations
from .outputs import Classes, Values, plain

__all__ = ["Run", "Snapshot", "Spread", "measure", "run"]

Model = Callable[[Any], Any]


class Spread(NamedTuple):
    """How a parameter's values are spread, and the sizes of its gradient, if it has one."""

    values: Histogram
    gradient: Histogram | None


@dataclass(frozen=True)
class Snapshot:
    """What is kept of one epoch.

    Attributes:
        epoch: after how many epochs; 0 is before the first.
        loss: of the model as it is then, NaN where it cannot be computed.
        metrics: of the model as it is then.
        spreads: of each parameter.
        activations: of each activation function.
        confusion: how many samples of each class (row) were given each class (column); None for
            outputs that are not classes.
        points: what was decided for each sample that is shown, a class or a value.
        grid: what was decided at each point of the grid over the plane; None where there is none.
    """

    epoch: int
    loss: float
    metrics: Mapping[str, float]
    spreads: tuple[Spread, ...]
    activations: tuple[Activation, ...]
    confusion: Array | None
    points: Array
    grid: Array | None


class Run(NamedTuple):
    """One recorded run of a model and its loss."""

    outputs: Node
    loss: Node


def run(model: Model, X: Tensor, y: Array, loss: Callable[[Array, Any], Any]) -> Run:
    """Run a model and a loss, recording, whatever surrounds this.

    Raises:
        ArgumentError: the model or the loss returned something else than Tensors, or the loss
            more than one number.
    """
    with enable_grad():
        outputs = model(X)
        value = loss(y, outputs)
    for what, result in (("model", outputs), ("loss", value)):
        if not isinstance(result, Tensor):
            raise ArgumentError(
                f"TrainingRecord: expected a {what} that returns a Tensor; got "
                f"{type(result).__name__}; compute it from the parameters by NumPy's functions"
            )
    if value.size != 1:
        raise ArgumentError(
            f"TrainingRecord: expected a loss that returns one number; got shape {value.shape}; "
            f"average it, as with reduction='mean'"
        )
    return Run(outputs._node, value._node)


def measure(
    epoch: int,
    model: Model,
    X: Tensor,
    y: Array,
    loss: Callable[[Array, Any], Any],
    *,
    parameters: Sequence[Parameter],
    metrics: Mapping[str, Callable[[Array, Any], float]],
    kind: Classes | Values,
    shown: Array,
    grid: Array | None,
) -> Snapshot:
    """Measure a model. Its parameters, and their gradients, stay what they are.

    Args:
        epoch: after how many epochs.
        model: from inputs to outputs.
        X: inputs.
        y: the truth.
        loss: of the truth and the outputs.
        parameters: those of the model.
        metrics: functions of the truth and the outputs.
        kind: what the outputs mean.
        shown: the numbers of the samples that are shown as points.
        grid: points of the plane.
    """
    # A model that has diverged gives what a loss or a metric may refuse; training goes on.
    excused = (ValueError, ArithmeticError) if epoch else ()
    with np.errstate(all="ignore"):  # training itself has warned
        try:
            made = run(model, X, y, loss)
        except excused:
            made = None
        with no_grad():
            outputs = model(X) if made is None else Tensor._of(made.outputs).detach()
            decided = kind.decided(plain(outputs))
            on_grid = None if grid is None else kind.decided(plain(model(Tensor(grid))))
        return Snapshot(
            epoch,
            float("nan") if made is None else float(made.loss.value.item()),
            {name: _number(metric, y, outputs, excused) for name, metric in metrics.items()},
            _spreads(made, parameters),
            () if made is None else tuple(activations(made.outputs, parameters, len(X))),
            _confusion(kind, decided),
            decided[shown],
            on_grid,
        )


def _number(
    metric: Callable[[Array, Any], float],
    y: Array,
    outputs: Tensor,
    excused: tuple[type[Exception], ...],
) -> float:
    try:
        return float(plain(metric(y, outputs)))
    except excused:
        return float("nan")


def _spreads(made: Run | None, parameters: Sequence[Parameter]) -> tuple[Spread, ...]:
    nodes = [parameter.tensor._node for parameter in parameters]
    arrived: Mapping[Node, Array] = {}
    if made is not None and made.loss.tracked:
        seeds = [(made.loss, np.ones_like(made.loss.value))]
        arrived = gradients(plan([made.loss]), seeds, keep=set(nodes))
    return tuple(
        Spread(histogram(node.value), magnitudes(arrived[node]) if node in arrived else None)
        for node in nodes
    )


def _confusion(kind: Classes | Values, decided: Array) -> Array | None:
    """Counts (classes, classes); a sample for which nothing was decided counts for nothing."""
    if not isinstance(kind, Classes):
        return None
    pairs = kind.truth * kind.count + decided
    counts = np.bincount(pairs[decided >= 0], minlength=kind.count**2)
    return counts.reshape(kind.count, kind.count)
