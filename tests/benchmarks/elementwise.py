"""Elementwise steps: one large array, and a thousand operations on a tiny one.

Beside each compiled step stands a NumPy program as one writes it by hand, with derivatives by hand
and a new array in each line. Run: python tests/benchmarks/elementwise.py [numba]
"""

import sys

import numpy as np
from interleaved import interleaved, show

import tinygrad_nn as tnn

SIZE = 1_000_000
LINKS = 334  # of x·a, x + b and tanh(x): about a thousand operations


def large(size=SIZE, **options):
    """The mean of tanh²(x·w + b) + σ(x)·softplus(x), with the gradients by x, w and b."""
    values = np.random.default_rng(0).normal(size=size).astype(np.float32)
    x = tnn.Tensor(values, requires_grad=True, name="x")
    w = tnn.Tensor(np.float32(0.7), requires_grad=True, name="w")
    b = tnn.Tensor(np.float32(0.1), requires_grad=True, name="b")

    @tnn.compile(**options)
    def step():
        x.grad = w.grad = b.grad = None
        smooth = tnn.activations.sigmoid(x) * tnn.activations.softplus(x)
        loss = np.mean(np.tanh(x * w + b) ** 2 + smooth)
        loss.backward()
        return loss

    return step


def large_by_hand(size=SIZE):
    """The same formulas in NumPy."""
    x = np.random.default_rng(0).normal(size=size).astype(np.float32)
    w, b = np.float32(0.7), np.float32(0.1)

    def step():
        y = np.tanh(x * w + b)
        positive = x >= 0
        e = np.exp(np.where(positive, -x, x))
        s = np.where(positive, 1, e) / (1 + e)
        softplus = np.where(positive, x, 0) + np.log1p(e)
        loss = np.mean(y**2 + s * softplus)
        g = np.float32(1 / size)
        dz = g * 2 * y * (1 - y**2)
        dx = dz * w + g * (s * (1 - s) * softplus + s * s)
        return loss, dx, np.sum(dz * x), np.sum(dz)

    return step


def large_from_the_textbook(size=SIZE):
    """The same functions by formulas that overflow for large x."""
    x = np.random.default_rng(0).normal(size=size).astype(np.float32)
    w, b = np.float32(0.7), np.float32(0.1)

    def step():
        y = np.tanh(x * w + b)
        s = 1 / (1 + np.exp(-x))
        softplus = np.log1p(np.exp(x))
        loss = np.mean(y**2 + s * softplus)
        g = np.float32(1 / size)
        dz = g * 2 * y * (1 - y**2)
        dx = dz * w + g * (s * (1 - s) * softplus + s * s)
        return loss, dx, np.sum(dz * x), np.sum(dz)

    return step


def chain(links=LINKS, **options):
    """A chain of x·a, x + b and tanh(x) on four numbers, forward and backward."""
    x = tnn.Tensor(np.linspace(-1, 1, 4, dtype=np.float32), requires_grad=True, name="x")

    @tnn.compile(**options)
    def step():
        x.grad = None
        h = x
        for _ in range(links):
            h = np.tanh(h * 1.1 + 0.1)
        loss = h.sum()
        loss.backward()
        return loss

    return step


def chain_by_hand(links=LINKS):
    """The same in NumPy."""
    x = np.linspace(-1, 1, 4, dtype=np.float32)

    def step():
        h, outputs = x, []
        for _ in range(links):
            h = np.tanh(h * 1.1 + 0.1)
            outputs.append(h)
        g = np.ones_like(h)
        for y in reversed(outputs):
            g = g * (1 - y * y) * 1.1
        return h.sum(), g

    return step


if __name__ == "__main__":
    targets = {"NumPy": {}, "NumPy, one thread": {"threads": 1}}
    if "numba" in sys.argv:
        targets["Numba"] = {"target": "numba"}
    functions = {"by hand": large_by_hand(), "from the textbook": large_from_the_textbook()}
    functions |= {name: large(**options) for name, options in targets.items()}
    show(interleaved(functions, rounds=15, calls=3), "step on 10**6 elements")
    functions = {"by hand": chain_by_hand()}
    functions |= {name: chain(**options) for name, options in targets.items()}
    show(interleaved(functions, rounds=15, calls=10), "step of 1,000 operations")
