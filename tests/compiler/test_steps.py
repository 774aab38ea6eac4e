"""Compiled steps beside the same steps run eagerly: the same results, the same state after each."""

import dataclasses

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.errors import ArgumentError, TraceError

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(10, 3)), RNG.normal(size=(10, 2))


def network(seed=0, inputs=3, outputs=2):
    return tnn.nn.Sequential(
        tnn.nn.Dense(inputs, 8, rng=seed, name="hidden"),
        tnn.activations.tanh,
        tnn.nn.Dense(8, outputs, rng=seed + 1, name="output"),
    )


def training(model, optimizer):
    def step(x, y):
        loss = tnn.losses.mean_squared_error(y, model(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, lambda: [*model.parameters(), *(p.grad for p in model.parameters())]


def plain_sgd():
    model = network()
    return training(model, tnn.optim.SGD(model.parameters(), 0.1))


def nesterov():
    model = network()
    return training(model, tnn.optim.SGD(model.parameters(), 0.1, 0.9, True, 0.01))


def adam():
    model = network()
    return training(model, tnn.optim.Adam(model.parameters(), 0.01))


def frozen_layer():
    model = network()
    model.layers[0].weights.requires_grad = False
    return training(model, tnn.optim.Adam(model.parameters(), 0.01))


class Dropout(tnn.nn.Module):
    def __init__(self, rate, seed):
        self.rate, self.rng = rate, np.random.default_rng(seed)

    def forward(self, x):
        return x * (self.rng.random(x.shape) >= self.rate) / (1 - self.rate)


def dropout():
    noise = Dropout(0.5, 3)
    model = tnn.nn.Sequential(tnn.nn.Dense(3, 8, rng=0), noise, tnn.nn.Dense(8, 2, rng=1))
    step, _ = training(model, tnn.optim.Adam(model.parameters(), 0.01))
    drawn = lambda: noise.rng.bit_generator.state["state"]["state"] % 1_000_003
    return step, lambda: [*model.parameters(), drawn()]


class BatchNorm(tnn.nn.Module):
    def __init__(self, n):
        self.gain = tnn.Tensor(np.ones(n), requires_grad=True)
        self.mean, self.count = tnn.Tensor(np.zeros(n)), 0

    def forward(self, x):
        mean, variance = x.mean(axis=0), x.var(axis=0)
        self.mean = 0.9 * self.mean + 0.1 * mean.detach()
        self.count += 1
        return (x - mean) / np.sqrt(variance + 1e-5) * self.gain


def running_statistics():
    norm = BatchNorm(8)
    model = tnn.nn.Sequential(tnn.nn.Dense(3, 8, rng=0), norm, tnn.nn.Dense(8, 2, rng=1))
    step, _ = training(model, tnn.optim.SGD(model.parameters(), 0.01))
    return step, lambda: [*model.parameters(), norm.mean, norm.count]


def accumulated_gradients():
    model = network()

    def step(x, y):
        loss = tnn.losses.mean_squared_error(y, model(x))
        loss.backward()
        return loss

    return step, lambda: [p.grad for p in model.parameters()]


def update_in_place():
    w = tnn.Tensor(np.ones((3, 2)), requires_grad=True)

    def step(x, y):
        nonlocal w
        loss = tnn.losses.mean_squared_error(y, x @ w)
        w.grad = None
        loss.backward()
        with tnn.no_grad():
            w -= 0.1 * w.grad
        return loss

    return step, lambda: [w]


def by_hand():
    parameters = [np.ones((3, 2)), np.zeros(2)]

    def step(x, y):
        z = x @ parameters[0] + parameters[1]
        dz = 2 * (z - y) / z.size
        for p, g in zip(parameters, [x.T @ dz, dz.sum(axis=0)], strict=True):
            p -= 0.1 * g
        return ((z - y) ** 2).mean()

    return step, lambda: parameters


def schedule():
    model, count = network(), [0]

    def step(x, y):
        count[0] += 1
        loss = tnn.losses.mean_squared_error(y, model(x))
        model.zero_grad()
        loss.backward()
        with tnn.no_grad():
            for p in model.parameters():
                p -= 0.1 / (1 + count[0]) ** 0.5 * p.grad
        return loss

    return step, lambda: [*model.parameters(), count[0]]


def clipping():
    model = network()
    optimizer = tnn.optim.Adam(model.parameters(), 0.01)

    def step(x, y):
        loss = tnn.losses.mean_squared_error(y, model(x))
        optimizer.zero_grad()
        loss.backward()
        norm = sum((p.grad**2).sum() for p in model.parameters()) ** 0.5
        for p in model.parameters():
            p.grad = p.grad * np.minimum(1.0, 0.1 / (norm + 1e-6))
        optimizer.step()
        return loss, {"norm": norm}

    return step, model.parameters


def several_models():
    one, two = network(0), network(5, 2)
    optimizer = tnn.optim.Adam([*one.parameters(), *two.parameters()], 0.01)

    def step(x, y):
        hidden = one(x)
        first, second = tnn.losses.mean_squared_error(y, hidden), tnn.losses.huber(y, two(hidden))
        optimizer.zero_grad()
        (first + 0.5 * second).backward()
        optimizer.step()
        return {"first": first, "second": second, "hidden": hidden}

    return step, lambda: [*one.parameters(), *two.parameters()]


STEPS = [
    plain_sgd, nesterov, adam, frozen_layer, dropout, running_statistics, accumulated_gradients,
    update_in_place, by_hand, schedule, clipping, several_models,
]  # fmt: skip


def values(tree):
    for leaf in tnn.autograd.containers.leaves(tree):
        yield leaf.numpy() if hasattr(leaf, "numpy") else np.asarray(leaf)


@pytest.mark.parametrize("make", STEPS, ids=lambda make: make.__name__)
def test_a_compiled_step_does_what_the_step_does(make):
    (step, state), (other, other_state) = make(), make()
    compiled = tnn.compile(other)
    for _ in range(6):
        pairs = [(step(X, Y), compiled(X, Y)), (state(), other_state())]
        for expected, found in pairs:
            for a, b in zip(values(expected), values(found), strict=True):
                assert a.dtype == b.dtype
                np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-15)
    assert compiled.stats.eager_calls == 0


def test_a_result_that_is_a_view_in_the_program_alone_is_handed_out_as_a_copy():
    def step(x, k):
        y, pull = tnn.vjp(lambda x, k: np.kron(np.linalg.diagonal(x), k), x, k)
        return y, pull(0.7 * np.cos(y) + 1.5)

    x, k = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(3, 2))
    for expected, found in zip(values(step(x, k)), values(tnn.compile(step)(x, k)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_guarded_branch_stays_silent():
    w = tnn.Tensor([0.0, 1.0, 2.0], requires_grad=True)

    @tnn.compile
    def step():
        loss = np.where(w > 0.5, np.log(np.maximum(w, 0)), 0).sum()
        w.grad = None
        loss.backward()
        return loss

    for _ in range(3):
        with np.errstate(divide="ignore"):
            step()
        np.testing.assert_array_equal(w.grad.numpy(), [0, 1, 0.5])
    assert step.stats.eager_calls == 1  # then it is compiled with care


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x.sum().item(),
        lambda x: float(x.sum()),
        lambda x: tnn.Tensor(x).data,
        lambda x: tnn.Tensor(x).numpy(),
        lambda x: x[x > 0],
        lambda x: np.nonzero(x),
        lambda x: x * np.random.rand(),
    ],
)
def test_what_looks_at_values_is_refused_with_its_line(function):
    with pytest.raises(TraceError, match=r"test_steps\.py"):
        tnn.compile(function)(np.ones(3))


@pytest.mark.parametrize("adapt", ["learning_rate", "rule"])
def test_a_schedule_of_the_learning_rate_needs_no_new_program(adapt):
    def make():
        model = network()
        optimizer = tnn.optim.Adam(model.parameters(), 0.1)
        return *training(model, optimizer), optimizer

    (step, state, eager), (other, other_state, compiled) = make(), make()
    program = tnn.compile(other)
    for i in range(20):
        rate = 0.1 * 0.8**i
        for optimizer in (eager, compiled):
            if adapt == "rule":
                optimizer.rule = tnn.optim.AdamRule(rate, beta1=0.9)
            else:
                optimizer.learning_rate = rate
        assert optimizer.learning_rate == rate
        np.testing.assert_allclose(program(X, Y).item(), step(X, Y).item(), rtol=1e-12)
    for a, b in zip(values(state()), values(other_state()), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-15)
    assert program.stats.traces == 2  # one more when it is seen that the rate changes
    compiled.rule = tnn.optim.SGDRule(0.1)
    eager.rule = tnn.optim.SGDRule(0.1)
    np.testing.assert_allclose(program(X, Y).item(), step(X, Y).item(), rtol=1e-12)
    np.testing.assert_allclose(program(X, Y).item(), step(X, Y).item(), rtol=1e-12)


def test_a_long_program_keeps_integers_where_a_function_takes_nothing_else():
    def step(x):
        for _ in range(400):
            x = np.ldexp(np.sin(x), 1) - 0.5
        return np.maximum(x, -0.0)

    compiled = tnn.compile(step)
    np.testing.assert_array_equal(compiled(X), step(X))
    assert compiled.stats.eager_calls == 0


def test_a_maximum_keeps_the_sign_of_the_zero_that_it_is_taken_with():
    step = lambda x: np.signbit(np.maximum(x, -0.0))
    np.testing.assert_array_equal(tnn.compile(step)(X), step(X))


SCHEDULES = {
    "halved": lambda o, counts, epoch: setattr(o, "learning_rate", o.learning_rate * 0.5),
    "of an argument": lambda o, counts, epoch: setattr(o, "learning_rate", 0.1 / (1 + epoch)),
    "of a count": lambda o, counts, epoch: setattr(o, "learning_rate", 0.9 ** counts["steps"]),
    "rule": lambda o, counts, epoch: setattr(
        o, "rule", dataclasses.replace(o.rule, learning_rate=o.rule.learning_rate * 0.5)
    ),
}


@pytest.mark.parametrize("optimizer", [tnn.optim.SGD, tnn.optim.Adam])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_within_the_step(name, optimizer):
    def run(compiling):
        model, counts = tnn.nn.Dense(3, 2, rng=0), {"steps": 0}
        optimizing = optimizer(model.parameters(), 0.1)

        def step(x, y, epoch):
            loss = tnn.losses.mean_squared_error(y, model(x))
            optimizing.zero_grad()
            loss.backward()
            counts["steps"] += 1
            SCHEDULES[name](optimizing, counts, epoch)
            optimizing.step()
            return loss

        step = tnn.compile(step) if compiling else step
        losses = [step(X, Y, epoch).item() for epoch in range(6)]
        assert type(optimizing.learning_rate) is float
        if compiling:
            assert step.stats.eager_calls == 0
            assert step.stats.traces == (2 if name == "of an argument" else 1)
            assert step.source.count("np.sqrt") == (optimizer is tnn.optim.Adam)  # one update
        return [*losses, optimizing.learning_rate]

    np.testing.assert_allclose(run(True), run(False), rtol=1e-12)


def test_a_schedule_that_leaves_its_range_raises_the_errors_of_the_rule():
    model = tnn.nn.Dense(3, 2, rng=0)
    optimizer = tnn.optim.SGD(model.parameters(), 0.1)

    @tnn.compile
    def step(x, epoch):
        optimizer.learning_rate = 0.1 * (2 - epoch)
        return model(x)

    step(X, 0)
    step(X, 1)
    with pytest.raises(ArgumentError, match=r"0 <= learning_rate < inf; got -0\.1"):
        step(X, 3)
    assert optimizer.learning_rate == 0.1


def test_a_plain_table_is_looked_up_as_a_tensor():
    @tnn.compile
    def chosen(labels, x):
        return (tnn.Tensor(np.eye(4))[labels] * x).sum(), tnn.Tensor(np.arange(4.0))[1, ..., None]

    for labels in (np.array([1, 2]), np.array([3, -4])):
        x = RNG.normal(size=(2, 4))
        total, one = chosen(labels, x)
        assert total.item() == (np.eye(4)[labels] * x).sum()
        assert one.numpy() == [1.0]
    assert chosen.stats.traces == 1
    with pytest.raises(TraceError, match=r"tinygrad_nn\.Tensor\(a\)\[i\]"):
        tnn.compile(lambda labels: np.eye(4)[labels])(np.array([1, 2]))


def test_results_without_axes_are_arrays_where_they_were():
    def step(x):
        loss, gradient = tnn.value_and_grad(lambda x: (x**2).sum())(x)
        return loss, x.sum(), {"pair": (loss, gradient)}

    expected, found = step(np.ones(3)), tnn.compile(step)(np.ones(3))
    kinds = [[type(v) for v in (r[0], r[1], *r[2]["pair"])] for r in (expected, found)]
    assert kinds[0] == kinds[1] == [np.ndarray, np.float64, np.ndarray, np.ndarray]


def test_data_that_are_not_finite_leave_the_program_as_it_is():
    w = tnn.Tensor(np.ones((3, 4)), requires_grad=True, name="w")
    optimizer = tnn.optim.SGD([w])

    @tnn.compile
    def step(x, y):
        loss = tnn.losses.sparse_categorical_cross_entropy(y, x @ w, from_logits=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x, y = RNG.normal(size=(5, 3)), np.arange(5) % 4
    step(x, y)
    source, before = step.source, w.numpy().copy()
    step(x * np.nan, y)
    assert np.isnan(w.numpy()).all()
    w.data = before
    step(x, y)
    assert step.source == source
    for _ in range(3):  # where that goes on, it has a program too
        step(x * np.nan, y)
        w.data = before
    assert step.stats.eager_calls == 3
    assert step.source != source
