"""One training step of the demo's network, beside a hand-written NumPy step.

    python tests/benchmarks/spiral_step.py

300x2 -> 64 -> 3, relu, softmax cross entropy, Adam, float32. The hand-written step has manual
backpropagation and plain temporaries. PyTorch takes part where it is installed.
"""

import math

import numpy as np
from interleaved import interleaved, show

import tinygrad_nn as tnn
from tinygrad_nn.data import spiral

RATE, BETA1, BETA2, EPSILON = 0.02, 0.9, 0.999, 1e-8


def parameters():
    rng = np.random.default_rng(0)
    return [
        tnn.initializers.he((2, 64), rng, np.float32),
        np.zeros(64, dtype=np.float32),
        tnn.initializers.he((64, 3), rng, np.float32),
        np.zeros(3, dtype=np.float32),
    ]


def hand_written(X, y):
    w1, b1, w2, b2 = parameters()
    values = [w1, b1, w2, b2]
    first = [np.zeros_like(v) for v in values]
    second = [np.zeros_like(v) for v in values]
    rows = np.arange(len(X))
    count = 0

    def step():
        nonlocal count
        count += 1
        w1, b1, w2, b2 = values
        z1 = X @ w1 + b1
        a1 = np.maximum(z1, 0)
        z2 = a1 @ w2 + b2
        shifted = z2 - z2.max(axis=1, keepdims=True)
        e = np.exp(shifted)
        total = e.sum(axis=1, keepdims=True)
        loss = -(shifted[rows, y] - np.log(total[:, 0])).mean()
        dz2 = e / total
        dz2[rows, y] -= 1
        dz2 /= len(X)
        dw2 = a1.T @ dz2
        db2 = dz2.sum(axis=0)
        dz1 = (dz2 @ w2.T) * (z1 > 0)
        dw1 = X.T @ dz1
        db1 = dz1.sum(axis=0)
        rate = RATE / (1 - BETA1**count)
        scale = 1 / math.sqrt(1 - BETA2**count)
        for i, g in enumerate((dw1, db1, dw2, db2)):
            first[i] = BETA1 * first[i] + (1 - BETA1) * g
            second[i] = BETA2 * second[i] + (1 - BETA2) * (g * g)
            values[i] = values[i] - rate * first[i] / (np.sqrt(second[i]) * scale + EPSILON)
        return float(loss)

    return step


def eager(X, y):
    model = tnn.nn.Sequential(
        tnn.nn.Dense(2, 64, dtype=np.float32),
        tnn.activations.relu,
        tnn.nn.Dense(64, 3, dtype=np.float32),
    )
    for tensor, value in zip(model.parameters(), parameters(), strict=True):
        tensor.data = value
    optimizer = tnn.optim.Adam(model.parameters(), RATE, BETA1, BETA2, EPSILON)
    inputs = tnn.Tensor(X)

    def step():
        logits = model(inputs)
        loss = tnn.losses.sparse_categorical_cross_entropy(y, logits, from_logits=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_eager(X, y, torch):
    torch.set_num_threads(2)
    w1, b1, w2, b2 = (torch.tensor(p, requires_grad=True) for p in parameters())
    inputs, labels = torch.tensor(X), torch.tensor(y)
    optimizer = torch.optim.Adam([w1, b1, w2, b2], lr=RATE, betas=(BETA1, BETA2), eps=EPSILON)

    def step():
        logits = torch.relu(inputs @ w1 + b1) @ w2 + b2
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def main():
    X, y = spiral(100, 3)
    steps = {"NumPy by hand": hand_written(X, y), "tinygrad_nn": eager(X, y)}
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: it takes no part")
    else:
        steps["PyTorch"] = torch_eager(X, y, torch)
    curves = {name: [step() for _ in range(20)] for name, step in steps.items()}
    for name, curve in curves.items():
        np.testing.assert_allclose(curve, curves["NumPy by hand"], rtol=1e-3, err_msg=name)
    show(interleaved(steps), "step")


if __name__ == "__main__":
    main()
