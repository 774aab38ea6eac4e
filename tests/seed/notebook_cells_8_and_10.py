"""Cells 8 and 10 of the notebook, one after the other in a process of their own, as it ran them.

nnfs.init() replaces NumPy functions for the whole process, and both cells draw from one stream of
random numbers, so neither can run beside other tests. The argument says whether init() comes
before this package is imported, or after.
"""

import sys

import nnfs
import numpy as np
from nnfs.datasets import spiral_data


class LayerDense:
    """The notebook's own layer, to compare every row with and not only the five it prints."""

    def __init__(self, n_inputs, n_neurons):
        self.weights = 0.10 * np.random.randn(n_inputs, n_neurons)
        self.biases = np.zeros((1, n_neurons))

    def forward(self, inputs):
        return np.dot(inputs, self.weights) + self.biases


def main(order):
    if order == "init-first":
        nnfs.init()
    import tinygrad_nn as tnn

    if order == "import-first":
        nnfs.init()
    # NumPy's global stream, which nnfs seeded and spiral_data draws from, as a source of our own.
    stream = np.random.RandomState(np.random.get_bit_generator())

    def ours_and_theirs(*sizes):
        """Our layers and the notebook's, made from the same stretch of the stream."""
        before = np.random.get_state()
        theirs = [LayerDense(*size) for size in sizes]
        np.random.set_state(before)
        about = {"initializer": "notebook", "rng": stream, "dtype": np.float32}
        return [tnn.nn.Dense(*size, **about) for size in sizes], theirs

    # cell 8
    x, _ = spiral_data(100, 3)
    (dense1,), (layer1,) = ours_and_theirs((2, 3))
    output = dense1(x)
    print(output.numpy()[:5])
    np.testing.assert_allclose(output.numpy(), layer1.forward(x), rtol=0, atol=3e-8)

    # cell 10
    x, _ = spiral_data(100, 3)
    (dense1, dense2), (layer1, layer2) = ours_and_theirs((2, 3), (3, 3))
    output = tnn.activations.softmax(dense2(tnn.activations.relu(dense1(x))))
    print(output.numpy()[:5])
    logits = layer2.forward(np.maximum(0, layer1.forward(x)))
    e = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    expected = e / np.sum(e, axis=1, keepdims=True)
    np.testing.assert_allclose(output.numpy(), expected, rtol=0, atol=2e-7)
    assert np.ptp(expected, axis=0).min() > 1e-3, "the rows must differ, or they check nothing"


if __name__ == "__main__":
    main(sys.argv[1])
