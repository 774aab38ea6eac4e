"""The reference: manual backpropagation in NumPy with plain temporaries.

A gradient that is asked for without the value is computed without the value.
"""

import math

import numpy as np

from .works import BETA1, BETA2, EPSILON, OPERATIONS, Chain, Network


def contestant(work):
    """A function that does the work once and gives the loss, or the gradients."""
    if isinstance(work, Network):
        return network(work)
    gradients, arguments = chain if isinstance(work, Chain) else elementwise, work.arguments()
    return lambda: gradients(*arguments)


def network(work):
    values, (X, y) = work.parameters(), work.data()
    rows = np.arange(len(X))
    update = {"adam": adam, "sgd": sgd}[work.rule](values, work.rate)

    def step():
        loss, gradients = backpropagate(values, X, y, rows)
        update(gradients)
        return float(loss)

    return step


def backpropagate(values, X, y, rows):
    weights, biases = values[::2], values[1::2]
    inputs = [X]  # of each layer
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        inputs.append(np.maximum(inputs[-1] @ w + b, 0))
    z = inputs[-1] @ weights[-1] + biases[-1]
    shifted = z - z.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=1, keepdims=True)
    loss = -(shifted[rows, y] - np.log(total[:, 0])).mean()
    dz = e / total
    dz[rows, y] -= 1
    dz /= len(X)
    gradients = []
    for i in reversed(range(len(weights))):
        gradients += [dz.sum(axis=0), inputs[i].T @ dz]
        if i:
            dz = (dz @ weights[i].T) * (inputs[i] > 0)
    return loss, gradients[::-1]


def sgd(values, rate):
    def update(gradients):
        for i, g in enumerate(gradients):
            values[i] = values[i] - rate * g

    return update


def adam(values, learning_rate):
    first = [np.zeros_like(v) for v in values]
    second = [np.zeros_like(v) for v in values]
    count = 0

    def update(gradients):
        nonlocal count
        count += 1
        rate = learning_rate / (1 - BETA1**count)
        scale = 1 / math.sqrt(1 - BETA2**count)
        for i, g in enumerate(gradients):
            first[i] = BETA1 * first[i] + (1 - BETA1) * g
            second[i] = BETA2 * second[i] + (1 - BETA2) * (g * g)
            values[i] = values[i] - rate * first[i] / (np.sqrt(second[i]) * scale + EPSILON)

    return update


def chain(x, a, b, operations=OPERATIONS):
    factors, tanhs = [], []  # what the derivatives need
    for i in range(operations):
        if i % 3 == 0:
            factors.append(x)
            x = x * a
        elif i % 3 == 1:
            x = x + b
        else:
            x = np.tanh(x)
            tanhs.append(x)
    g, da, db = np.ones_like(x), np.zeros_like(a), np.zeros_like(b)
    for i in reversed(range(operations)):
        if i % 3 == 0:
            da = da + g * factors[i // 3]
            g = g * a
        elif i % 3 == 1:
            db = db + g
        else:
            t = tanhs[i // 3]
            g = g * (1 - t * t)
    return g, da, db


def elementwise(x, w, b):
    t = np.tanh(x * w + b)
    e = np.exp(-np.abs(x))  # of which neither sigmoid nor softplus overflows
    sigmoid = np.where(x >= 0, 1, e) / (1 + e)
    softplus = np.maximum(x, 0) + np.log1p(e)
    dz = 2 * t * (1 - t * t) / len(x)
    dx = dz * w + sigmoid * ((1 - sigmoid) * softplus + sigmoid) / len(x)
    return dx, (dz * x).sum(), dz.sum()
