"""The demo: train a network on the spiral, check its gradients, and draw what happened."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import activations, compiler, losses, nn, optim
from .._typing import Array
from ..autograd import Tensor, no_grad
from ..data import spiral
from ..diagrams import (
    Diagram,
    TrainingRecord,
    draw,
    make_folder,
    training_report,
    write_file,
)
from ..diagrams.plots import training_picture
from ..errors import ArgumentError, OutputError
from ..metrics import accuracy
from ..verify import GradcheckReport, gradcheck
from .progress import progress

__all__ = ["Demo", "run_demo"]

LEARNING_RATE = 0.02


@dataclass(frozen=True)
class Demo:
    """What a run of the demo came to."""

    model: nn.Sequential
    loss: float
    accuracy: float
    check: GradcheckReport
    files: tuple[Path, ...]
    report: str


def run_demo(folder: str | Path, epochs: int = 2000, seed: int = 0, *, eager: bool = False) -> Demo:
    """Train a 2-64-3 network on the spiral with Adam, check it, and write pictures and a report.

    Args:
        folder: where graph.svg, training.svg, training.html, report.txt and, if the step was
            compiled, the program train_step.py are written; it is made if missing.
        epochs: steps over the whole data set.
        seed: of the data and of the weights.
        eager: train with the recorded step itself, and not with the NumPy program made of it.

    Raises:
        ArgumentError: fewer than one epoch.
        OutputError: the folder cannot be written into.
    """
    if epochs < 1:
        raise ArgumentError(f"demo: expected at least 1 epoch; got {epochs}")
    folder = make_folder(folder)  # before the work: a long run must not end in a typing error
    X, y = spiral(100, 3, seed)
    model = _network(seed)
    record = TrainingRecord(model, X, y, _loss, metrics={"accuracy": accuracy}, epochs=epochs)
    started = time.perf_counter()
    step = _training_step(model)
    compiled = None if eager else compiler.compile(step)
    _train(compiled or step, X, y, epochs, record)
    seconds = time.perf_counter() - started

    inputs = Tensor(X, name="X")

    def loss_of_model() -> Array:
        return _loss(y, model(inputs))

    check = gradcheck(loss_of_model, parameters={p.name: p.tensor for p in record.parameters})
    loss = loss_of_model()
    loss.name = "loss"
    model.zero_grad()  # of the last training step
    loss.backward()
    final = accuracy(y, model(inputs))
    diagram = draw(loss, check=True)
    files = [_draw(diagram, folder), _plot(model, X, y, record, folder)]
    page = training_report(record, check=check, diagram=diagram, title="The demo: a spiral")
    files.append(page.save(folder / "training.html"))
    report = _report(epochs, seconds, loss.item(), final, check, compiled)
    files.append(write_file(folder / "report.txt", report))
    if compiled is not None:
        files.append(compiled.save(folder / "train_step.py", batch=(X, y)))
    return Demo(model, loss.item(), final, check, tuple(files), report)


def _network(seed: int) -> nn.Sequential:
    rng = np.random.default_rng(seed)
    return nn.Sequential(
        nn.Dense(2, 64, rng=rng, dtype=np.float32, name="hidden"),
        activations.relu,
        nn.Dense(64, 3, rng=rng, dtype=np.float32, name="output"),
        name="network",
    )


def _loss(y: Array, logits: Array) -> Array:
    return losses.sparse_categorical_cross_entropy(y, logits, from_logits=True)


def _training_step(model: nn.Sequential) -> Callable[[Array, Array], tuple[Tensor, Tensor]]:
    """One step of Adam over a batch, which returns the loss and the logits."""
    optimizer = optim.Adam(model.parameters(), learning_rate=LEARNING_RATE)

    def train_step(X: Array, y: Array) -> Any:
        logits = model(X)
        loss = _loss(y, logits)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, logits

    return train_step


def _train(
    step: Callable[[Array, Array], tuple[Tensor, Tensor]],
    X: Array,
    y: Array,
    epochs: int,
    record: TrainingRecord,
) -> None:
    """Full-batch training; the record is told the loss and the accuracy of each epoch."""
    for _ in progress(range(epochs), epochs, "training"):
        loss, logits = step(X, y)
        record.add(loss, accuracy=accuracy(y, logits))


def _draw(diagram: Diagram, folder: Path) -> Path:
    """The graph as SVG; where nothing renders, its DOT text, and a line on what to install."""
    try:
        picture = diagram.render("svg")
    except OutputError as error:
        print(f"graph.svg was not drawn: {error}")
        return diagram.save(folder / "graph.dot")
    return write_file(folder / "graph.svg", picture)


def _plot(model: nn.Sequential, X: Array, y: Array, record: TrainingRecord, folder: Path) -> Path:
    def predict(points: Array) -> Array:
        with no_grad():
            return model(Tensor(points)).numpy()

    picture = training_picture(X, y, predict, record.losses, record.told["accuracy"])
    return write_file(folder / "training.svg", picture)


def _report(
    epochs: int,
    seconds: float,
    loss: float,
    final: float,
    check: GradcheckReport,
    compiled: compiler.CompiledStep | None,
) -> str:
    verdict = "right" if check else check.verdict.value
    how = "recorded in each step" if compiled is None else f"compiled: {compiled.stats}"
    return (
        "tinygrad_nn demo\n"
        "\n"
        "data        nnfs spiral, 3 classes of 100 points\n"
        "network     2-64-3, relu, softmax cross entropy, float32\n"
        f"training    {epochs} epochs of Adam, learning rate {LEARNING_RATE}, {seconds:.1f} s\n"
        f"step        {how}\n"
        f"loss        {loss:.4f}\n"
        f"accuracy    {final:.4f}\n"
        f"gradients   {verdict}, by finite differences in float64:\n"
        "\n"
        f"{check}\n"
    )
