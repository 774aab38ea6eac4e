"""Computations for the explorer: functions of named arrays, which Python can run again."""

import numpy as np

import tinygrad_nn as tnn
from tinygrad_nn import activations, losses

ONE_HOT = np.eye(4)[[0, 2, 1]]
WEIGHTS = np.linspace(-1.0, 1.3, 12).reshape(3, 4)


def neuron(weights, bias):
    inputs = tnn.Tensor([1.2, 2.3, 3.1], name="inputs")
    return inputs @ weights + bias  # the notebook's first cell


def scalars(w0, w1, w2, bias):
    return 1.2 * w0 + 2.3 * w1 + 3.1 * w2 + bias


def network(w1, b1, w2, b2):
    X = np.linspace(-1.0, 2.0, 6).reshape(3, 2)
    with tnn.scope("hidden"):
        h = activations.relu(X @ w1 + b1)
    with tnn.scope("output"):
        z = h @ w2 + b2
    with tnn.scope("loss"):
        return losses.sparse_categorical_cross_entropy(
            np.array([0, 2, 1]), z.astype(np.float64), from_logits=True
        )


def diamond(x):
    a = np.tanh(x)
    b = a * a + np.sin(a) * x
    return np.sum(b * a)


def chain(x):
    return np.sum(np.exp(np.tanh(x)))


def selecting(x):
    return np.sum(x[:, [0, 0, 2]] * x[1, ::-1]) + np.sum(x.T[::-1, None, 1] ** 3)


def unselected(x):
    with np.errstate(all="ignore"):
        logarithms = np.where(x > 0, np.log(x), 0.0)
        return np.sum(logarithms * x) + np.mean(np.where(x > 0, np.sqrt(x), -x))


def shapes(x, y):
    joined = np.concatenate([np.reshape(x, (4, 3)), y.T], axis=1)
    stacked = np.stack([joined, 2.0 * joined], axis=-1)
    return np.sum(np.einsum("ijk,ij->k", stacked, joined)) + np.max(np.mean(stacked, axis=1))


def _of(activation):
    return lambda x: np.sum(activation(x) * WEIGHTS)


def _loss(loss, target=ONE_HOT, prediction=lambda x: x, **options):
    return lambda x: loss(target, prediction(x), **options)


X = np.linspace(-1.7, 2.1, 12).reshape(3, 4)
RIGHT, NEGATIVE = X[:, ::-1] * 0.7, np.cos(X)
DISTRIBUTION = np.abs(WEIGHTS) / np.sum(np.abs(WEIGHTS), axis=-1, keepdims=True)

# Each with the arrays that it starts from, by name.
RECORDINGS = {
    "neuron": (neuron, {"weights": [3.1, 2.1, 8.7], "bias": 3.0}),
    "scalars": (scalars, {"w0": 3.1, "w1": 2.1, "w2": 8.7, "bias": 3.0}),
    "network": (network, {"w1": X.reshape(2, 6)[:, :4], "b1": X[0], "w2": X.T, "b2": X[1, :3]}),
    "diamond": (diamond, {"x": [1.5, -0.5]}),
    "chain": (chain, {"x": [1.5, -0.5]}),
    "selecting": (selecting, {"x": X[:, :3]}),
    "unselected": (unselected, {"x": [-1.5, 0.0, 2.0]}),
    "shapes": (shapes, {"x": X, "y": X}),
    **{n: (_of(getattr(activations, n)), {"x": X}) for n in activations.__all__},
    "mean_squared_error": (_loss(losses.mean_squared_error), {"x": X}),
    "mean_absolute_error": (_loss(losses.mean_absolute_error), {"x": X}),
    "huber": (_loss(losses.huber), {"x": X}),
    "binary": (
        _loss(losses.binary_cross_entropy, prediction=activations.sigmoid),
        {"x": X},
    ),
    "binary of logits": (_loss(losses.binary_cross_entropy, from_logits=True), {"x": X}),
    "categorical": (
        _loss(losses.categorical_cross_entropy, prediction=activations.softmax),
        {"x": X},
    ),
    "categorical of logits": (
        _loss(losses.categorical_cross_entropy, from_logits=True),
        {"x": X},
    ),
    "sparse": (
        _loss(
            losses.sparse_categorical_cross_entropy,
            np.array([3, 0, 1]),
            activations.softmax,
        ),
        {"x": X},
    ),
    "sparse of logits": (
        _loss(losses.sparse_categorical_cross_entropy, np.array([3, 0, 1]), from_logits=True),
        {"x": X},
    ),
    "kl_divergence": (_loss(losses.kl_divergence, DISTRIBUTION, activations.softmax), {"x": X}),
    "contrastive": (
        lambda left, right: losses.contrastive(np.array([0.0, 1.0, 1.0]), left, right, margin=3.0),
        {"left": X, "right": RIGHT},
    ),
    "triplet": (
        lambda anchor, positive, negative: losses.triplet(anchor, positive, negative),
        {"anchor": X, "positive": RIGHT, "negative": NEGATIVE},
    ),
}


def recorded(name, values=None, dtype=np.float64):
    """A graph, its seeds and its leaves, with the values given or those it starts from."""
    function, start = RECORDINGS[name]
    values = start if values is None else values
    leaves = {
        key: tnn.Tensor(np.asarray(value, dtype), requires_grad=True, name=key)
        for key, value in values.items()
    }
    graph = tnn.Graph([function(**leaves)])
    return graph, {graph.outputs[0]: np.ones_like(graph.outputs[0].value)}, leaves


def gradients_at(name, values, dtype=np.float64):
    """The loss and its gradients by Python, at these values."""
    graph, _, leaves = recorded(name, values, dtype)
    loss = tnn.Tensor._of(graph.outputs[0])
    loss.backward()
    return loss.item(), {key: leaf.grad.numpy() for key, leaf in leaves.items()}
