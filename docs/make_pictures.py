"""Draw the pictures of the README and the docs.

python docs/make_pictures.py
"""

from pathlib import Path

import numpy as np

import tinygrad_nn as tnn

FOLDER = Path(__file__).with_name("images")


def verified_graph() -> tnn.diagrams.Diagram:
    """A small layer and its loss, each gradient checked by finite differences."""
    x = tnn.Tensor([[0.5, -1.0], [1.5, 2.0]], name="x")
    layer = tnn.nn.Dense(2, 2, rng=0, name="layer")
    y_pred = tnn.activations.tanh(layer(x))
    loss = tnn.losses.mean_squared_error(np.array([[0.0, 1.0], [1.0, 0.0]]), y_pred)
    loss.name = "loss"
    loss.backward()
    return tnn.draw(loss, check=True)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    print("wrote", verified_graph().save(FOLDER / "verified_graph.svg"))
