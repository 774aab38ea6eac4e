"""The five works: their shapes, their data and their mathematics, all in float32."""

from dataclasses import dataclass

import numpy as np

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's
THREADS = 2
OPERATIONS = 1000  # of the chain


@dataclass(frozen=True)
class Network:
    """Training a stack of dense layers with relu between them, by softmax cross entropy.

    A step takes all of the batch, updates the parameters and gives the loss before the update.
    """

    sizes: tuple[int, ...]
    batch: int
    rule: str  # "adam" or "sgd"
    rate: float
    spiral: bool = False  # or inputs and labels drawn at random

    def parameters(self):
        """He's weights, and biases of zero: [w1, b1, w2, b2, ...]."""
        rng = np.random.default_rng(0)
        values = []
        for before, after in zip(self.sizes, self.sizes[1:], strict=False):
            w = rng.standard_normal((before, after), dtype=np.float32)
            values += [w * np.float32(np.sqrt(2 / before)), np.zeros(after, dtype=np.float32)]
        return values

    def data(self):
        """The inputs (batch, features) and the labels (batch,)."""
        if self.spiral:
            from tinygrad_nn.data import spiral

            return spiral(self.batch // self.sizes[-1], self.sizes[-1])
        rng = np.random.default_rng(1)
        X = rng.standard_normal((self.batch, self.sizes[0]), dtype=np.float32)
        return X, rng.integers(0, self.sizes[-1], self.batch)


@dataclass(frozen=True)
class Chain:
    """The gradients by x, a and b of the sum of x·a, + b, tanh, ·a, + b, tanh, and so on."""

    operations: int = OPERATIONS

    def arguments(self):
        """x, a and b, which keep the gradient by x far from underflow through the tanh's."""
        x = np.linspace(-0.5, 0.5, 4, dtype=np.float32)
        a = np.linspace(0.99, 1.01, 4, dtype=np.float32)
        return x, a, np.linspace(0.001, 0.002, 4, dtype=np.float32)

    def function(self, tanh, sigmoid, softplus):
        """The function of x, a and b to differentiate, written in a library's own operations."""

        def f(x, a, b):
            for i in range(self.operations):
                x = x * a if i % 3 == 0 else x + b if i % 3 == 1 else tanh(x)
            return x.sum()

        return f


@dataclass(frozen=True)
class Elementwise:
    """The gradients by x, w and b of mean(tanh(x·w + b)² + sigmoid(x)·softplus(x))."""

    count: int = 10**6

    def arguments(self):
        """Many values x, and the scalars w and b."""
        x = np.random.default_rng(0).standard_normal(self.count, dtype=np.float32)
        return x, np.asarray(0.7, np.float32), np.asarray(0.1, np.float32)

    def function(self, tanh, sigmoid, softplus):
        """The function of x, w and b to differentiate, written in a library's own operations."""
        return lambda x, w, b: (tanh(x * w + b) ** 2 + sigmoid(x) * softplus(x)).mean()


WORKS = {
    "spiral": Network((2, 64, 3), 300, "adam", 0.02, spiral=True),
    "digits": Network((784, 128, 64, 10), 128, "adam", 0.001),
    "wide": Network((2048, 2048, 2048, 10), 512, "sgd", 0.01),
    "chain": Chain(),
    "elementwise": Elementwise(),
}
