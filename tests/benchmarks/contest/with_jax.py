"""JAX: the whole step under jit, with parameters and state donated."""

import jax
import jax.numpy as jnp

from .works import BETA1, BETA2, EPSILON, Network


def contestant(work):
    """A function that does the work once and gives the loss, or the gradients."""
    return network(work) if isinstance(work, Network) else gradients(work)


def network(work):
    init, update = {"adam": adam, "sgd": sgd}[work.rule](work.rate)
    values = [jnp.array(v) for v in work.parameters()]
    state = init(values)
    X, y = map(jnp.asarray, work.data())

    def both(values, state, X, y):
        loss, found = jax.value_and_grad(cross_entropy)(values, X, y)
        return loss, *update(values, found, state)

    jitted = jax.jit(both, donate_argnums=(0, 1))

    def step():
        nonlocal values, state
        loss, values, state = jax.block_until_ready(jitted(values, state, X, y))
        return float(loss)

    return step


def cross_entropy(values, X, y):
    for w, b in zip(values[:-2:2], values[1:-2:2], strict=True):
        X = jax.nn.relu(X @ w + b)
    logs = jax.nn.log_softmax(X @ values[-2] + values[-1])
    return -jnp.take_along_axis(logs, y[:, None], axis=1).mean()


def sgd(rate):
    def update(values, found, state):
        return [v - rate * g for v, g in zip(values, found, strict=True)], state

    return lambda values: (), update


def adam(learning_rate):
    def init(values):
        return [jnp.zeros_like(v) for v in values], [jnp.zeros_like(v) for v in values], 0.0

    def update(values, found, state):
        first, second, count = state
        count = count + 1
        rate = learning_rate / (1 - BETA1**count)
        scale = 1 / jnp.sqrt(1 - BETA2**count)
        first = [BETA1 * m + (1 - BETA1) * g for m, g in zip(first, found, strict=True)]
        second = [BETA2 * s + (1 - BETA2) * g * g for s, g in zip(second, found, strict=True)]
        values = [
            v - rate * m / (jnp.sqrt(s) * scale + EPSILON)
            for v, m, s in zip(values, first, second, strict=True)
        ]
        return values, (first, second, count)

    return init, update


def gradients(work):
    f = work.function(jnp.tanh, jax.nn.sigmoid, jax.nn.softplus)
    jitted = jax.jit(jax.grad(f, argnums=(0, 1, 2)))
    arguments = [jnp.asarray(value) for value in work.arguments()]
    return lambda: jax.block_until_ready(jitted(*arguments))
