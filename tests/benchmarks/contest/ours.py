"""tinygrad_nn, as it is and compiled: the step function is the same."""

import numpy as np

import tinygrad_nn as tnn

from .works import BETA1, BETA2, EPSILON, Network


def contestant(work):
    """A function that does the work once and gives the loss, or the gradients."""
    if isinstance(work, Network):
        step, arguments = training_step(work), work.data()
        return lambda: step(*arguments).item()
    step, arguments = gradient_step(work), work.arguments()
    return lambda: step(*arguments)


def compiled(work, **options):
    """The same, compiled with options: the step is traced when it is first called."""
    if isinstance(work, Network):
        step, arguments = tnn.compile(training_step(work), **options), work.data()
        return lambda: step(*arguments).item()
    step, arguments = tnn.compile(gradient_step(work), **options), work.arguments()
    return lambda: step(*arguments)


def training_step(work):
    layers = []
    for before, after in zip(work.sizes, work.sizes[1:], strict=False):
        layers += [tnn.nn.Dense(before, after, dtype=np.float32), tnn.activations.relu]
    model = tnn.nn.Sequential(*layers[:-1])
    for tensor, value in zip(model.parameters(), work.parameters(), strict=True):
        tensor.data = value
    if work.rule == "adam":
        optimizer = tnn.optim.Adam(model.parameters(), work.rate, BETA1, BETA2, EPSILON)
    else:
        optimizer = tnn.optim.SGD(model.parameters(), work.rate)

    def step(X, y):
        loss = tnn.losses.sparse_categorical_cross_entropy(y, model(X), from_logits=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def gradient_step(work):
    f = work.function(np.tanh, tnn.activations.sigmoid, tnn.activations.softplus)

    def step(x, w, b):
        return tnn.grad(f, argnums=(0, 1, 2))(x, w, b)

    return step
