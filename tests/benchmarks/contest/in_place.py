"""The mathematics of by_hand.py, written into buffers that are made once.

The parameters of a network lie side by side in one vector, as do their gradients, so that an
update is a few calls for all of them together.
"""

import math

import numpy as np

from .works import BETA1, BETA2, EPSILON, Chain, Network


def contestant(work):
    """A function that does the work once and gives the loss, or the gradients."""
    if isinstance(work, Network):
        return network(work)
    if isinstance(work, Chain):
        return chain(*work.arguments(), work.operations)
    return elementwise(*work.arguments())


def products(work):
    """The matrix products of a step and nothing else, written into buffers."""
    X, _ = work.data()
    weights = work.parameters()[::2]
    outputs = [np.ones((len(X), w.shape[1]), dtype=np.float32) for w in weights]
    inputs = [X, *outputs[:-1]]
    calls = [*zip(inputs, weights, outputs, strict=True)]
    calls += [(a.T, z, np.empty_like(w)) for a, w, z in calls]
    calls += [(z, w.T, np.empty_like(a)) for a, w, z in calls[1 : len(weights)]]

    def run():
        for left, right, out in calls:
            np.matmul(left, right, out=out)

    return run


def network(work):
    values, gradients, update = {"adam": adam, "sgd": sgd}[work.rule](work)
    X, y = work.data()
    passes = Passes(X, y, values, gradients)

    def step():
        passes.forward()
        loss = passes.cross_entropy()
        passes.backward()
        update()
        return loss

    return step


class Passes:
    """Forward and backward through the layers, with a buffer for every value of the way."""

    def __init__(self, X, y, values, gradients):
        rows = len(X)
        self.weights, self.biases = values[::2], values[1::2]
        self.dw, self.db = gradients[::2], gradients[1::2]
        self.outputs = [np.empty((rows, b.size), dtype=np.float32) for b in self.biases]
        self.inputs = [X, *self.outputs[:-1]]
        self.deltas = [np.empty_like(z) for z in self.outputs]
        self.masks = [np.empty(z.shape, dtype=bool) for z in self.outputs]
        self.best = np.empty((rows, 1), dtype=np.float32)  # the largest logit of each row
        self.total = np.empty((rows, 1), dtype=np.float32)
        self.picked = np.empty(rows, dtype=np.float32)
        self.place = np.arange(rows) * self.outputs[-1].shape[1] + y  # of each label's logit

    def forward(self):
        last = len(self.weights) - 1
        for i, (a, z) in enumerate(zip(self.inputs, self.outputs, strict=True)):
            np.matmul(a, self.weights[i], out=z)
            np.add(z, self.biases[i], out=z)
            if i < last:
                np.maximum(z, 0, out=z)

    def cross_entropy(self):
        """The loss; it leaves its derivative by the logits in the last of the deltas."""
        z, dz, total, picked = self.outputs[-1], self.deltas[-1], self.total, self.picked
        np.max(z, axis=1, keepdims=True, out=self.best)
        np.subtract(z, self.best, out=z)
        np.exp(z, out=dz)
        np.sum(dz, axis=1, keepdims=True, out=total)
        np.divide(dz, total, out=dz)
        dz.reshape(-1)[self.place] -= 1
        np.divide(dz, len(z), out=dz)
        np.take(z, self.place, out=picked, mode="clip")  # "raise" would make a copy
        np.log(total, out=total)
        np.subtract(total[:, 0], picked, out=picked)
        return float(picked.mean())

    def backward(self):
        for i in reversed(range(len(self.weights))):
            a, dz = self.inputs[i], self.deltas[i]
            np.matmul(a.T, dz, out=self.dw[i])
            np.sum(dz, axis=0, out=self.db[i])
            if i:
                da, mask = self.deltas[i - 1], self.masks[i - 1]
                np.matmul(dz, self.weights[i].T, out=da)
                np.greater(a, 0, out=mask)
                np.multiply(da, mask, out=da)


def side_by_side(work):
    """One vector of all parameters, one for their gradients, and views of each in both."""
    arrays = work.parameters()
    whole = np.concatenate([array.ravel() for array in arrays])
    gradient = np.zeros_like(whole)
    ends = np.cumsum([array.size for array in arrays])[:-1]

    def views(vector):
        parts = zip(np.split(vector, ends), arrays, strict=True)
        return [part.reshape(array.shape) for part, array in parts]

    return whole, gradient, views(whole), views(gradient)


def sgd(work):
    whole, g, values, gradients = side_by_side(work)

    def update():
        np.multiply(g, work.rate, out=g)
        np.subtract(whole, g, out=whole)

    return values, gradients, update


def adam(work):
    whole, g, values, gradients = side_by_side(work)
    first, second, scratch = (np.zeros_like(whole) for _ in range(3))
    count = 0

    def update():
        nonlocal count
        count += 1
        np.multiply(g, 1 - BETA1, out=scratch)
        np.multiply(first, BETA1, out=first)
        np.add(first, scratch, out=first)
        np.multiply(g, g, out=scratch)
        np.multiply(scratch, 1 - BETA2, out=scratch)
        np.multiply(second, BETA2, out=second)
        np.add(second, scratch, out=second)
        np.sqrt(second, out=scratch)
        np.multiply(scratch, 1 / math.sqrt(1 - BETA2**count), out=scratch)
        np.add(scratch, EPSILON, out=scratch)
        np.divide(first, scratch, out=scratch)
        np.multiply(scratch, work.rate / (1 - BETA1**count), out=scratch)
        np.subtract(whole, scratch, out=whole)

    return values, gradients, update


def chain(x, a, b, operations):
    """On arrays as small as these an out= given by position costs less than a named one."""
    values = [x, *(np.empty_like(x) for _ in range(operations))]  # before and after each operation
    g, da, db, scratch = (np.empty_like(x) for _ in range(4))
    one = np.ones_like(x)

    def run():
        for i in range(operations):
            if i % 3 == 0:
                np.multiply(values[i], a, values[i + 1])
            elif i % 3 == 1:
                np.add(values[i], b, values[i + 1])
            else:
                np.tanh(values[i], values[i + 1])
        g[:], da[:], db[:] = 1, 0, 0
        for i in reversed(range(operations)):
            if i % 3 == 0:
                np.multiply(g, values[i], scratch)
                np.add(da, scratch, da)
                np.multiply(g, a, g)
            elif i % 3 == 1:
                np.add(db, g, db)
            else:
                np.multiply(values[i + 1], values[i + 1], scratch)
                np.subtract(one, scratch, scratch)
                np.multiply(g, scratch, g)
        return g, da, db

    return run


def elementwise(x, w, b):
    t, e, sigmoid, softplus, dx = (np.empty_like(x) for _ in range(5))
    positive = np.empty(x.shape, dtype=bool)

    def run():
        np.abs(x, out=e)
        np.negative(e, out=e)
        np.exp(e, out=e)
        np.log1p(e, out=softplus)
        np.maximum(x, 0, out=t)
        np.add(softplus, t, out=softplus)
        np.greater_equal(x, 0, out=positive)
        np.add(e, 1, out=sigmoid)
        np.copyto(e, 1, where=positive)
        np.divide(e, sigmoid, out=sigmoid)
        np.subtract(1, sigmoid, out=dx)
        np.multiply(dx, softplus, out=dx)
        np.add(dx, sigmoid, out=dx)
        np.multiply(dx, sigmoid, out=dx)
        np.divide(dx, len(x), out=dx)
        np.multiply(x, w, out=t)
        np.add(t, b, out=t)
        np.tanh(t, out=t)
        np.multiply(t, t, out=e)
        np.subtract(1, e, out=e)
        np.multiply(t, e, out=t)
        np.multiply(t, 2 / len(x), out=t)
        np.multiply(t, w, out=e)
        np.add(dx, e, out=dx)
        np.multiply(t, x, out=e)
        return dx, e.sum(), t.sum()

    return run
