"""Whole layers and losses with a hand-written derivative: right, and with one classic mistake."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.primitives import Derivative, Primitive, Trait
from tinygrad_nn.verify import Verdict

draw = np.random.default_rng(5)
Z = draw.normal(size=(3, 4))
W = draw.normal(size=(4, 4))
B = draw.normal(size=4)
T = np.eye(4)[[2, 0, 3]]  # one-hot targets
Q, K, V = draw.normal(size=(3, 4, 4))
SIGNAL, KERNEL = draw.normal(size=8), draw.normal(size=3)
C = draw.normal(size=4)
P = draw.uniform(0.1, 0.9, size=4)


def row(function, *rules):
    """A row of one's own, with one derivative for each input."""
    cells = [Derivative("f′", rule) for rule in rules]
    return Primitive(function, "f", Trait.NONE, *cells, name="test.row")


def softmax(z):
    e = np.exp(z - np.max(z, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def through_softmax(g, y):
    return y * (g - np.sum(g * y, axis=-1, keepdims=True))


def normalised(z, axis):
    d = np.sqrt(np.var(z, axis=axis, keepdims=True) + 1e-2)
    return (z - np.mean(z, axis=axis, keepdims=True)) / d, d


def through_norm(axis, bad):
    """The gradient of normalisation, and what is often left out of it."""

    def rule(g, y, z):
        _, d = normalised(z, axis)
        centred = 0 if bad == "mean" else np.mean(g, axis=axis, keepdims=True)
        projected = 0 if bad == "variance" else y * np.mean(g * y, axis=axis, keepdims=True)
        wide = np.sqrt(np.var(z, axis=axis, keepdims=True)) + 1e-2
        return (g - centred - projected) / (wide if bad == "eps" else 1 if bad == "scale" else d)

    return row(lambda z: normalised(z, axis)[0], rule)


def dense(x, w, b):
    return np.tanh(x @ w + b)


def of_dense(bad):
    def before(g, y, x):
        return g * (1 - (x @ np.ones((4, 4)) if bad == "input" else y) ** 2)

    return row(
        dense,
        lambda g, y, x, w, b: before(g, y, x) @ (w if bad == "transpose" else w.T),
        lambda g, y, x, w, b: x.T @ before(g, y, x) / (3 if bad == "1/n" else 1),
        lambda g, y, x, w, b: before(g, y, x)[0] if bad == "batch" else before(g, y, x).sum(0),
    )


def attention(q, k, v):
    return softmax(q @ k.T / 2) @ v


def of_attention(bad):
    def scores(g, q, k, v):
        a = softmax(q @ k.T / 2)
        back = a * (g @ v.T) if bad == "softmax" else through_softmax(g @ v.T, a)
        return back / (1 if bad == "scale" else 2)

    def values(g, y, q, k, v):
        a = softmax(q @ k.T / 2)
        return a @ g if bad == "transpose" else a.T @ g

    return row(
        attention,
        lambda g, y, q, k, v: scores(g, q, k, v) @ (q if bad == "keys" else k),
        lambda g, y, q, k, v: scores(g, q, k, v).T @ q,
        values,
    )


def of_convolution(bad):
    """Correlation without padding; its gradient by the signal is a full convolution."""
    return row(
        lambda x, w: np.correlate(x, w, "valid"),
        lambda g, y, x, w: np.convolve(g, w[::-1] if bad == "flip" else w, "full"),
        lambda g, y, x, w: np.correlate(np.roll(x, 1) if bad == "shift" else x, g, "valid"),
    )


def pooled(x):
    return np.max(x.reshape(4, 2), axis=1)


def of_pooling(bad):
    def rule(g, y, x):
        chosen = np.ones((4, 2)) if bad else x.reshape(4, 2) == y[:, np.newaxis]
        return (g[:, np.newaxis] * chosen).ravel()

    return row(pooled, rule)


def lstm_cell(z, c):
    i, f, o, n = sigmoid(z[0]), sigmoid(z[1]), sigmoid(z[2]), np.tanh(z[3])
    return o * np.tanh(f * c + i * n)


def of_lstm(bad):
    def cell(g, z, c):
        i, f, o, n = sigmoid(z[0]), sigmoid(z[1]), sigmoid(z[2]), np.tanh(z[3])
        state = f * c + i * n
        return i, f, o, n, state, g * o * (1 if bad == "tanh" else 1 - np.tanh(state) ** 2)

    def gates(g, y, z, c):
        i, f, o, n, state, dc = cell(g, z, c)
        past = state if bad == "updated" else c
        return np.stack([
            dc * n * i * (1 - i),
            (0 if bad == "forget" else 1) * dc * past * f * (1 - f),
            g * np.tanh(state) * o * (1 - o),
            dc * i * (1 - n**2),
        ])  # fmt: skip

    def carried(g, y, z, c):
        i, f, _, _, _, dc = cell(g, z, c)
        return dc * (i if bad == "carry" else f)

    return row(lstm_cell, gates, carried)


def cross_entropy(z):
    return -np.mean(np.sum(T * np.log(softmax(z)), axis=1))


def of_cross_entropy(bad):
    def rule(g, y, z):
        p = softmax(z)
        n = 1 if bad == "1/n" else z.size if bad == "all" else len(z)
        return g * (p + T if bad == "sign" else p if bad == "target" else p - T) / n

    return row(cross_entropy, rule)


def of_log_softmax(bad):
    def rule(g, y, z):
        return g - np.exp(y) * (1 if bad else np.sum(g, axis=-1, keepdims=True))

    return row(lambda z: np.log(softmax(z)), rule)


def of_softmax(bad):
    def rule(g, y, z):
        inner = np.sum(g * y, axis=0 if bad == "axis" else -1, keepdims=True)
        return y * (g + inner if bad == "sign" else g if bad == "sum" else g - inner)

    return row(softmax, rule)


def of_normal_log_likelihood(bad):
    """Of B, with mean m and the logarithm of the deviation, s."""

    def by_scale(g, y, m, s):
        r2 = (B - m) ** 2 / np.exp(s if bad == "square" else 2 * s)
        return g * (r2 - (0 if bad == "log" else 1))

    return row(
        lambda m, s: np.sum(-0.5 * (B - m) ** 2 * np.exp(-2 * s) - s),
        lambda g, y, m, s: g * (m - B if bad == "sign" else B - m) * np.exp(-2 * s),
        by_scale,
    )


def of_loss(function, slope, x):
    """A loss that is summed, whose derivative by each element is slope(x)."""
    return row(lambda a: np.sum(function(a)), lambda g, y, a: g * slope(a)), x


def of_cosine(bad):
    def rule(g, y, a):
        n, m = np.linalg.norm(a), np.linalg.norm(B)
        return g * (B / (n * m) - (0 if bad else y * a / n**2))

    return row(lambda a: a @ B / np.linalg.norm(a) / np.linalg.norm(B), rule)


def of_embedding(bad):
    def rule(g, y, table):
        into = np.zeros_like(table)
        if bad:
            into[[1, 3, 1]] = g
        else:
            np.add.at(into, [1, 3, 1], g)
        return into

    return row(lambda table: table[[1, 3, 1]], rule)


# What makes the row, what may be wrong with it, and its inputs.
LAYERS = {
    "dense": (of_dense, ("transpose", "1/n", "batch", "input"), (Z, W, B)),
    "softmax": (of_softmax, ("sum", "sign", "axis"), (Z,)),
    "log-softmax": (of_log_softmax, ("sum",), (Z,)),
    "layer norm": (
        lambda bad: through_norm(-1, bad),
        ("mean", "variance", "eps", "scale"),
        (Z,),
    ),
    "batch norm": (lambda bad: through_norm(0, bad), ("mean", "variance", "eps", "scale"), (Z,)),
    "attention": (of_attention, ("softmax", "scale", "transpose", "keys"), (Q, K, V)),
    "convolution": (of_convolution, ("flip", "shift"), (SIGNAL, KERNEL)),
    "pooling": (of_pooling, ("all",), (SIGNAL,)),
    "LSTM cell": (of_lstm, ("tanh", "forget", "updated", "carry"), (W, C)),
    "cross entropy": (of_cross_entropy, ("1/n", "all", "sign", "target"), (Z,)),
    "normal log-likelihood": (of_normal_log_likelihood, ("square", "log", "sign"), (C, P)),
    "cosine similarity": (of_cosine, ("projection",), (C,)),
    "embedding": (of_embedding, ("overwritten",), (W,)),
}
BAD = [(name, bad) for name, (_, mistakes, _) in LAYERS.items() for bad in mistakes]

LOSSES = {
    "squares without 2": lambda bad: of_loss(
        lambda a: (a - C) ** 2, lambda a: (1 if bad else 2) * (a - C), B
    ),
    "squares, mean for sum": lambda bad: of_loss(
        lambda a: (a - C) ** 2, lambda a: 2 * (a - C) / (4 if bad else 1), B
    ),
    "binary, one term": lambda bad: of_loss(
        lambda p: -(0.3 * np.log(p) + 0.7 * np.log(1 - p)),
        lambda p: -0.3 / p + (0 if bad else 0.7 / (1 - p)),
        P,
    ),
    "binary from logits": lambda bad: of_loss(
        lambda z: np.logaddexp(0, z) - 0.3 * z,
        lambda z: (sigmoid(-z) if bad else sigmoid(z)) - 0.3,
        B,
    ),
    "divergence without its 1": lambda bad: of_loss(
        lambda p: p * np.log(p / 0.25), lambda p: np.log(p / 0.25) + (0 if bad else 1), P
    ),
    "Huber, unbounded": lambda bad: of_loss(
        lambda a: np.where(np.abs(a) < 1, a * a / 2, np.abs(a) - 0.5),
        lambda a: a if bad else np.clip(a, -1, 1),
        3 * B,
    ),
    "Poisson without exp": lambda bad: of_loss(
        lambda s: np.exp(s) - 2 * s, lambda s: (s if bad else np.exp(s)) - 2, B
    ),
    "focal, one factor": lambda bad: of_loss(
        lambda p: -((1 - p) ** 2) * np.log(p),
        lambda p: (0 if bad else 2 * (1 - p) * np.log(p)) - (1 - p) ** 2 / p,
        P,
    ),
    "log-cosh": lambda bad: of_loss(
        lambda a: np.log(np.cosh(a)), lambda a: np.sinh(a) if bad else np.tanh(a), B
    ),
    "hinge, squared": lambda bad: of_loss(
        lambda a: np.maximum(1 - a, 0) ** 2,
        lambda a: -2 * (1 - a if bad else np.maximum(1 - a, 0)),
        -3 * B,
    ),
}


@pytest.mark.parametrize(("name", "bad"), BAD)
def test_a_layer_with_one_mistake_is_wrong(name, bad):
    make, _, inputs = LAYERS[name]
    for seed in range(2):
        report = tnn.gradcheck(make(bad), *inputs, rng=seed)
        assert not report
        assert report.verdict is Verdict.WRONG


@pytest.mark.parametrize("name", LAYERS)
def test_the_layer_without_a_mistake_passes(name):
    make, _, inputs = LAYERS[name]
    for seed in range(2):
        report = tnn.gradcheck(make(""), *inputs, rng=seed)
        assert report, report


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_with_one_mistake_is_wrong_and_its_twin_passes(name):
    for seed in range(2):
        assert tnn.gradcheck(*LOSSES[name](True), rng=seed).verdict is Verdict.WRONG
        assert tnn.gradcheck(*LOSSES[name](False), rng=seed)


def test_only_the_input_with_the_mistake_is_wrong():
    report = tnn.gradcheck(of_attention("transpose"), Q, K, V)
    assert [f.verdict.value for f in report.findings] == ["PASS", "PASS", "WRONG"]
    report = tnn.gradcheck(of_lstm("forget"), W, C)
    (gates, carried) = report.findings
    wrong = {e.index[0] for e in gates.elements if e.verdict is Verdict.WRONG}
    assert wrong == {1}  # the row of the forget gate
    assert carried.right


def test_a_mistake_deep_inside_a_network_is_found_by_every_input_above_it():
    hidden = of_dense("transpose")

    def network(x, w, v):
        return tnn.activations.softmax(hidden(np.sin(x), w, B) @ v)

    report = tnn.gradcheck(network, Z, W, K)
    assert [f.name for f in report.findings if not f.right] == ["x"]
