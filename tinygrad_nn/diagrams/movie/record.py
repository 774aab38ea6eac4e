"""The record of a training run: what a loop writes down as it goes, for the page to show."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..._typing import Array
from ...autograd import Tensor
from ...errors import ArgumentError
from ..regions import Box, box_around, grid_points
from .layers import Parameter, named_parameters
from .outputs import Classes, Values, find_outputs, plain
from .schedule import Schedule
from .snapshot import Snapshot, measure, run

__all__ = ["GRID", "TrainingRecord"]

GRID = 75  # cells along each side of the plane
_MOST_POINTS = 1000


class TrainingRecord:
    """What a run of training leaves behind. Any loop keeps one, by a call after each epoch.

    An epoch costs a number. Only at some epochs the model itself is measured, on all of X: its
    loss, how its parameters and their gradients are spread, which units rest, what it says of each
    sample, and, where inputs have two features, of each point of the plane. The first
    measurement is made at once, before training. Neither the parameters nor their ``.grad`` change;
    a model that draws random numbers draws some for each measurement, too.

    Outputs are taken as classes where the truth is integer labels, one-hot rows, or zeros and ones
    beside single outputs; else as values.

    Args:
        model: a function from inputs to outputs with ``parameters()``, as every Module is.
        X: inputs, a sample in each row: the data that the model is measured on.
        y: the truth.
        loss: a function of the truth and the outputs that returns one number.
        metrics: more functions of these two, by name, such as ``{"accuracy": accuracy}``.
        classes: the names of the classes; by default their numbers.
        snapshots: how many measurements to keep at most, beside those at the ends. Where more
            epochs come, some are left out again; early ones stay closer together.
        epochs: how many epochs there will be, if that is known.

    Attributes:
        losses: the loss of each epoch, as the loop told it.
        told: each metric of each epoch, as the loop told it; NaN where it did not.
        parameters: those of the model, in the order of their use, with their names.

    Raises:
        ArgumentError: something that is no model, data that do not belong together, a loss that is
            no number, or a count below 1.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> X, y = np.array([[0.0], [1.0]]), np.array([[1.0], [3.0]])
        >>> model = tnn.nn.Dense(1, 1, rng=0, name="line")
        >>> optimizer = tnn.optim.SGD(model.parameters(), learning_rate=0.3)
        >>> record = tnn.diagrams.TrainingRecord(model, X, y, tnn.losses.mean_squared_error)
        >>> for epoch in range(100):
        ...     loss = tnn.losses.mean_squared_error(y, model(X))
        ...     optimizer.zero_grad()
        ...     loss.backward()
        ...     optimizer.step()
        ...     record.add(loss)
        >>> [parameter.name for parameter in record.parameters]
        ['line weights', 'line biases']
        >>> snapshots = record.finish()
        >>> snapshots[0].epoch, snapshots[-1].epoch, snapshots[-1].loss < 1e-6
        (0, 100, True)
    """

    def __init__(
        self,
        model: Callable[[Any], Any],
        X: Array,
        y: Array,
        loss: Callable[[Array, Any], Any],
        *,
        metrics: Mapping[str, Callable[[Array, Any], float]] | None = None,
        classes: Sequence[str] | None = None,
        snapshots: int = 40,
        epochs: int | None = None,
    ) -> None:
        tensors, paths = _parameters_of(model)
        self._check(loss, metrics, snapshots, epochs)
        self.X, self.y = _data(X, y)
        self._model, self._loss, self._metrics = model, loss, dict(metrics or {})
        with np.errstate(all="ignore"):
            first = run(model, Tensor(self.X), self.y, loss)
            self.kind: Classes | Values = find_outputs(self.y, first.outputs.value, loss)
        self.classes = _class_names(self.kind, classes)
        self.parameters: list[Parameter] = named_parameters(tensors, paths, first.loss)
        self.losses: list[float] = []
        self.told: dict[str, list[float]] = {}
        count = min(len(self.X), _MOST_POINTS)
        self.shown = np.linspace(0, len(self.X) - 1, count).astype(np.int64)
        single = isinstance(self.kind, Classes) or first.outputs.value.size == len(self.X)
        flat = self.X.ndim == 2 and self.X.shape[1] == 2 and single
        self.box: Box | None = box_around(self.X) if flat else None
        self._schedule = Schedule(snapshots, epochs)
        self._kept = [self._measured()]
        self._last: Snapshot | None = None

    def add(self, loss: Any, **metrics: Any) -> None:
        """Write down one more epoch.

        Args:
            loss: of this epoch, as the loop has it; a Tensor or a number.
            metrics: what else the loop knows of it, each a number.

        Raises:
            ArgumentError: something that is no number.
        """
        number = _as_number("loss", loss)
        numbers = {name: _as_number(name, value) for name, value in metrics.items()}
        self.losses.append(number)
        for name, value in numbers.items():
            missing = len(self.losses) - 1 - len(self.told.setdefault(name, []))
            self.told[name] += [float("nan")] * missing + [value]
        self._last = None
        epoch = len(self.losses)
        if self._schedule.reach(epoch):
            self._kept = [kept for kept in self._kept if kept.epoch in self._schedule]
        if epoch in self._schedule:
            self._kept.append(self._measured())

    def finish(self) -> tuple[Snapshot, ...]:
        """The measurements, the last of them of the model as it is now.

        Training may go on afterwards.
        """
        if self._last is None and self._kept[-1].epoch != len(self.losses):
            self._last = self._measured()
        return (*self._kept, self._last) if self._last is not None else tuple(self._kept)

    def __repr__(self) -> str:
        return f"<TrainingRecord of {len(self.losses)} epochs, {len(self._kept)} snapshots>"

    def _measured(self) -> Snapshot:
        grid = None if self.box is None else self._on_plane(grid_points(self.box, GRID))
        return measure(
            len(self.losses),
            self._model,
            Tensor(self.X),
            self.y,
            self._loss,
            parameters=self.parameters,
            metrics=self._metrics,
            kind=self.kind,
            shown=self.shown,
            grid=grid,
        )

    def _on_plane(self, points: Array) -> Array:
        """Points of the plane as the model expects them; whole numbers there are none between."""
        return points.astype(self.X.dtype) if self.X.dtype.kind == "f" else points

    @staticmethod
    def _check(loss: Any, metrics: Any, snapshots: Any, epochs: Any) -> None:
        if not callable(loss):
            raise ArgumentError(
                f"TrainingRecord: expected a loss, a function of the truth and the outputs; got "
                f"{type(loss).__name__}; give tinygrad_nn.losses.mean_squared_error, for instance"
            )
        if metrics is not None and not (
            isinstance(metrics, Mapping) and all(map(callable, metrics.values()))
        ):
            raise ArgumentError(
                "TrainingRecord: expected metrics as a dict of functions; got something else; "
                "give {'accuracy': tinygrad_nn.metrics.accuracy}, for instance"
            )
        for name, count in (("snapshots", snapshots), ("epochs", epochs)):
            if count is not None and (not isinstance(count, int | np.integer) or count < 1):
                raise ArgumentError(f"TrainingRecord: expected {name} of at least 1; got {count!r}")


def _parameters_of(model: Any) -> tuple[list[Tensor], list[str]]:
    """The parameters of a model, and what to call those without a name."""
    tensors = list(model.parameters()) if hasattr(model, "parameters") else []
    if not callable(model) or not tensors or not all(isinstance(t, Tensor) for t in tensors):
        raise ArgumentError(
            f"TrainingRecord: expected a model, a function whose parameters() are Tensors; got "
            f"{type(model).__name__}; make it a subclass of tinygrad_nn.nn.Module"
        )
    paths = {id(t): path for path, t in getattr(model, "named_parameters", tuple)()}
    return tensors, [paths.get(id(t), f"parameter {i}") for i, t in enumerate(tensors)]


def _data(X: Any, y: Any) -> tuple[Array, Array]:
    """Private copies of the inputs and the truth."""
    inputs, truth = np.array(plain(X)), np.array(plain(y))
    if not inputs.ndim or not truth.ndim or len(inputs) != len(truth) or not len(inputs):
        raise ArgumentError(
            f"TrainingRecord: expected X and y with a row for each sample; got shapes "
            f"{inputs.shape} and {truth.shape}; give both the same length"
        )
    if truth.dtype.kind not in "biuf" or inputs.dtype.kind not in "biuf":
        raise ArgumentError(
            f"TrainingRecord: expected numbers; got {inputs.dtype} and {truth.dtype}; number the "
            f"classes from 0, and name them by classes="
        )
    return inputs, truth


def _class_names(kind: Classes | Values, names: Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return tuple(map(str, range(kind.count)))
    if isinstance(names, str) or len(names) != kind.count:
        raise ArgumentError(
            f"TrainingRecord: expected {kind.count} names of classes; got {names!r}; leave "
            f"classes= out to number them"
        )
    return tuple(map(str, names))


def _as_number(name: str, value: Any) -> float:
    try:
        return float(plain(value).reshape(()))
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"TrainingRecord.add: expected a number for {name}; got {type(value).__name__}; give "
            f"the loss of the epoch, and each metric as one number"
        ) from error
