"""How long pictures, explanations and pages of large recordings take.

    python tests/benchmarks/pictures.py

Of a model of 7,200 nodes, a chain of 5,000 operations, and the spiral's network:
the median seconds of three runs, and the size of what is written.
"""

import statistics
import time

import numpy as np

import tinygrad_nn as tnn

REPEATS = 3


def deep_model():
    """1,200 blocks of a layer and an activation each."""
    blocks = [
        tnn.nn.Sequential(tnn.nn.Dense(3, 3, rng=i), tnn.activations.tanh, name=f"block_{i}")
        for i in range(1200)
    ]
    return tnn.nn.Sequential(*blocks, name="model")(np.ones((4, 3))).sum()


def chain():
    """Operations of one line."""
    x = tnn.Tensor(0.5, requires_grad=True, name="x")
    for _ in range(5000):
        x = x * 1.0001
    return x


def spiral():
    """The loss of the demo's network."""
    X, y = tnn.data.spiral(100, 3, 0)
    model = tnn.nn.Sequential(
        tnn.nn.Dense(2, 64, rng=0), tnn.activations.relu, tnn.nn.Dense(64, 3, rng=1)
    )
    return tnn.losses.sparse_categorical_cross_entropy(y, model(X), from_logits=True)


WORKS = {
    "draw, as SVG": lambda loss: tnn.draw(loss).svg,
    "draw with checks": lambda loss: tnn.draw(loss, check=True).source,
    "explain": lambda loss: str(tnn.explain(loss)),
    "explorer": lambda loss: tnn.draw(loss).html,
}


def main():
    """Print a line for each model and each work."""
    print(f"{'':28}{'nodes':>8}{'seconds':>10}{'bytes':>12}")
    for make in (deep_model, chain, spiral):
        loss = make()
        loss.backward()
        for name, work in WORKS.items():
            found = []
            for _ in range(REPEATS):
                start = time.perf_counter()
                written = work(loss)
                found.append(time.perf_counter() - start)
            size = len(written.encode())
            told = f"{make.__name__}: {name}"
            print(f"{told:28}{len(tnn.Graph([loss])):8,}{statistics.median(found):10.2f}{size:12,}")


if __name__ == "__main__":
    main()
