"""Make the pictures of the README and the docs.

python docs/make_pictures.py

The pages are photographed by Debian's chromium, which playwright drives: pip install '.[browser]'.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np

import tinygrad_nn as tnn

FOLDER = Path(__file__).with_name("images")


def small_loss() -> tnn.Tensor:
    """The loss of a small layer."""
    x = tnn.Tensor([[0.5, -1.0], [1.5, 2.0]], name="x")
    layer = tnn.nn.Dense(2, 2, rng=0, name="layer")
    y_pred = tnn.activations.tanh(layer(x))
    loss = tnn.losses.mean_squared_error(np.array([[0.0, 1.0], [1.0, 0.0]]), y_pred)
    loss.name = "loss"
    loss.backward()
    return loss


def diagrams() -> dict[str, tnn.diagrams.Diagram]:
    """What is drawn, by the name of its file."""
    x = tnn.Tensor([0.5, 1.5], requires_grad=True, name="x")
    w = tnn.Tensor([2.0, -1.0], requires_grad=True, name="w")
    loss = np.square(np.tanh(x * w)).sum()
    loss.name = "loss"
    return {
        "verified_graph": tnn.draw(small_loss(), check=True),
        "both_passes": tnn.draw(loss, backward=True),
    }


def network_loss() -> tnn.Tensor:
    """The loss of a small network, of which a page shows one step."""
    x = tnn.Tensor([[0.5, -1.0], [1.5, 2.0], [-0.5, 1.0]], name="x")
    model = tnn.nn.Sequential(
        tnn.nn.Dense(2, 3, rng=0, name="hidden"),
        tnn.activations.tanh,
        tnn.nn.Dense(3, 2, rng=1, name="output"),
        name="network",
    )
    loss = tnn.losses.sparse_categorical_cross_entropy([0, 1, 1], model(x), from_logits=True)
    loss.name = "loss"
    return loss


def training_page() -> str:
    """The page about a run on the spiral data."""
    X, y = tnn.data.spiral(100, 3, seed=0)
    model = tnn.nn.Sequential(
        tnn.nn.Dense(2, 64, rng=0, name="hidden"), tnn.activations.relu, tnn.nn.Dense(64, 3, rng=1)
    )
    optimizer = tnn.optim.Adam(model.parameters(), learning_rate=0.02)
    record = tnn.diagrams.TrainingRecord(
        model, X, y, cross_entropy, metrics={"accuracy": tnn.metrics.accuracy}
    )
    for _ in range(1000):
        loss = cross_entropy(y, model(X))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        record.add(loss)
    return tnn.diagrams.training_report(record, title="A spiral").html


def cross_entropy(y: np.ndarray, logits: tnn.Tensor) -> tnn.Tensor:
    """The loss of the network on the spiral data."""
    return tnn.losses.sparse_categorical_cross_entropy(y, logits, from_logits=True)


def photograph() -> None:
    """Take a picture of each page, at a step that shows what it is for."""
    from playwright.sync_api import sync_playwright

    pages = {  # with the height of the window, and the keys that are pressed
        "explorer": (tnn.draw(network_loss(), check=True).html, 900, ["End", *["ArrowLeft"] * 6]),
        "training": (training_page(), 1260, ["ArrowLeft"] * 8),
    }
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, (text, height, keys) in pages.items():
            file = Path(folder, f"{name}.html")
            file.write_text(text, encoding="utf-8")
            window = {"width": 1280, "height": height}
            page = chromium.new_page(viewport=window, reduced_motion="reduce")
            page.goto(file.as_uri())
            for key in keys:
                page.keyboard.press(key)
            page.screenshot(path=FOLDER / f"{name}.png")
            print("wrote", FOLDER / f"{name}.png")
        chromium.close()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, diagram in diagrams().items():
        print("wrote", diagram.save(FOLDER / f"{name}.svg"))
    photograph()
