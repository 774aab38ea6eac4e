"""The front door of the movie: from a record to a report that can be saved and shown."""

import math
import os
from html import escape
from pathlib import Path
from typing import Any

from ...errors import ArgumentError
from ...verify import GradcheckReport
from ..diagram import Diagram
from ..output import write_file
from .page import training_page
from .record import TrainingRecord

__all__ = ["TrainingReport", "training_report"]


class TrainingReport:
    """A page about a run of training, which shows itself in Jupyter.

    Attributes:
        html: the page, one file that needs nothing from anywhere else.
    """

    def __init__(self, html: str) -> None:
        self.html = html

    def __repr__(self) -> str:
        return f"<TrainingReport, {len(self.html)} characters; .save('training.html') writes it>"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file; one that is there is replaced when the new one is complete.

        Raises:
            ArgumentError: the name ends neither in ``.html`` nor in ``.htm``.
            OutputError: the file cannot be written.
        """
        if Path(path).suffix.lower() not in (".html", ".htm"):
            raise ArgumentError(
                f"save: expected a name ending in .html; got {path}; the report is a page"
            )
        return write_file(path, self.html)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What Jupyter shows: the page in a frame of its own, apart from the notebook."""
        frame = (
            '<iframe sandbox="allow-scripts" width="100%" height="800" style="border:0" '
            f'title="training" srcdoc="{escape(self.html)}"></iframe>'
        )
        return {"text/html": frame, "text/plain": repr(self)}


def training_report(
    record: TrainingRecord,
    *,
    check: GradcheckReport | None = None,
    diagram: Diagram | None = None,
    title: str = "Training",
    theme: str | None = None,
    seconds: float | None = None,
) -> TrainingReport:
    """Show a run of training as a page with a slider for the epoch.

    The page has the curves of the loss and of the metrics, decision regions where inputs have two
    features, the confusion matrix, the weights and gradients of each parameter, and notes on what
    stands out: dead units, vanishing and exploding gradients, a loss that does not fall.
    Without its script it shows the last epoch. The same run gives the same page.

    Args:
        record: of the run. The model is measured once more, if it was not at the last epoch.
        check: the report of a gradient check, to be shown as a table.
        diagram: the graph, as `draw` draws it.
        title: what stands at the top.
        theme: "light" or "dark"; by default what the reader's system says.
        seconds: how long training took, if that is to be shown.

    Raises:
        ArgumentError: the record is empty, or something is not what it should be.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> X, y = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0, 1])
        >>> model = tnn.nn.Dense(2, 2, rng=0, name="scores")
        >>> def loss_of(y, scores):
        ...     return tnn.losses.sparse_categorical_cross_entropy(y, scores, from_logits=True)
        >>> record = tnn.diagrams.TrainingRecord(model, X, y, loss_of)
        >>> optimizer = tnn.optim.SGD(model.parameters(), learning_rate=1.0)
        >>> for epoch in range(10):
        ...     loss = loss_of(y, model(X))
        ...     optimizer.zero_grad()
        ...     loss.backward()
        ...     optimizer.step()
        ...     record.add(loss, accuracy=tnn.metrics.accuracy(y, model(X)))
        >>> report = tnn.diagrams.training_report(record, title="Two points")
        >>> "epoch 10 of 10" in report.html
        True
    """
    expected: tuple[tuple[str, Any, type], ...] = (
        ("a TrainingRecord", record, TrainingRecord),
        ("check= as a GradcheckReport", check, GradcheckReport),
        ("diagram= as a Diagram", diagram, Diagram),
        ("title= as a string", title, str),
    )
    for what, value, kind in expected:
        if not isinstance(value, kind) and (value is not None or kind in (TrainingRecord, str)):
            raise ArgumentError(
                f"training_report: expected {what}; got {type(value).__name__}; leave out what "
                f"there is not"
            )
    if theme not in (None, "light", "dark"):
        raise ArgumentError(
            f"training_report: expected theme 'light', 'dark' or None; got {theme!r}; None follows "
            f"the reader's system"
        )
    if seconds is not None and not (isinstance(seconds, int | float) and math.isfinite(seconds)):
        raise ArgumentError(
            f"training_report: expected seconds as a number; got {seconds!r}; leave it out"
        )
    if not record.losses:
        raise ArgumentError(
            "training_report: expected a record of at least 1 epoch; got none; call record.add("
            "loss) after each epoch"
        )
    return TrainingReport(
        training_page(
            record, check=check, diagram=diagram, title=title, theme=theme, seconds=seconds
        )
    )
