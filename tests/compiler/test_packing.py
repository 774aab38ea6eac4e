"""Parameters that lie side by side in a program, beside steps that know nothing of it."""

import itertools
import pickle
import sys

import numpy as np
import pytest
from random_steps import array, meddle, training
from test_blocks import SMALL

import tinygrad_nn as tnn
from tinygrad_nn.autograd.containers import leaves
from tinygrad_nn.compiler import build
from tinygrad_nn.compiler.blocks.target import Target
from tinygrad_nn.compiler.step import CompiledStep

TARGETS = {
    "numpy": lambda: Target("numpy", 1),
    "blocks": lambda: Target("numpy", 2, **SMALL),
    "teaching": lambda: Target("teaching", 1),
}


def arrays(tree):
    return [array(leaf) for leaf in leaves(tree)]


def compare(expected, found):
    """Closely: the program adds up in another order, and Adam divides by what is nearly nothing."""
    single = any(a.dtype == np.float32 for a in expected)
    tolerance = {"rtol": 5e-3, "atol": 1e-4} if single else {"rtol": 1e-9, "atol": 1e-12}
    for a, b in zip(expected, found, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(b, a, **tolerance)


def both(make, calls, between=lambda i, *handles: None):
    """A step run eagerly and compiled, with the same done to both in between."""
    (step, state, *handles), (other, other_state, *others) = make(), make()
    compiled = tnn.compile(other)
    for i in range(calls):
        between(i, *handles)
        between(i, *others)
        x = np.arange(1.0, 4.0) + i
        expected, found = step(x), compiled(x)
        compare(arrays((expected, state())), arrays((found, other_state())))
    assert compiled.stats.eager_calls == 0
    return compiled


# --- at random --------------------------------------------------------------------------------


def batches(rng, calls):
    """Batches of several sizes, each with what kind of a step it is."""
    for _ in range(calls):
        n = int(rng.integers(1, 5))
        x, y = rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
        yield x, y, bool(rng.random() < 0.75), bool(rng.random() < 0.6)


@pytest.mark.parametrize(
    ("target", "seed"),
    [*(("numpy", s) for s in range(9)), *(("blocks", s) for s in range(9, 14)),
     *(("teaching", s) for s in range(14, 18))],
)  # fmt: skip
def test_random_trainings_go_as_they_go_eagerly(target, seed):
    rng, eager, run = np.random.default_rng([seed, 1]), training(seed), training(seed)
    step = CompiledStep(run.step, ("update", "rare"), TARGETS[target]())
    held = []
    for x, y, update, rare in batches(rng, 7):
        number = int(rng.integers(2**30))
        for one in (eager, run):
            meddle(one, np.random.default_rng(number))
        held = [*held[-2:], [(a, a.copy()) for a in run.state()]]
        call = run.step if rng.random() < 0.2 else step
        expected, found = eager.step(x, y, update, rare), call(x, y, update, rare)
        compare(arrays(expected) + eager.state(), arrays(found) + run.state())
        for a, before in (pair for pairs in held for pair in pairs):
            np.testing.assert_array_equal(a, before)
    assert step.stats.eager_calls == 0


@pytest.mark.parametrize("seed", [30, 31, 32, 34, 35])
def test_packing_changes_no_bit(seed, monkeypatch):
    together, apart = training(seed), training(seed)
    packed = CompiledStep(together.step, ("update", "rare"), Target("numpy", 1))
    plain = CompiledStep(apart.step, ("update", "rare"), Target("numpy", 1))
    for x, y, update, rare in batches(np.random.default_rng(seed), 5):
        found = arrays(packed(x, y, update, rare)) + together.state()
        with monkeypatch.context() as patch:
            patch.setattr(build, "packed", lambda program, state, now: (program, state))
            expected = arrays(plain(x, y, update, rare)) + apart.state()
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(b, a)


# --- what cannot lie side by side, or only with care -------------------------------------------


def parameters(*shapes):
    return [tnn.Tensor(np.full(shape, 1.0 + i), requires_grad=True)
            for i, shape in enumerate(shapes)]  # fmt: skip


def descent(ps, update):
    """A step that goes down a bowl as it is told, after the gradients are there."""

    def step(x):
        for p in ps:
            p.grad = None
        loss = sum(((p * x.sum() * 0.1 - 1) ** 2).sum() for p in ps)
        loss.backward()
        with tnn.no_grad():
            update()
        return loss

    return step


def anchored():
    ps, anchors = parameters(3, (2, 2)), [np.zeros(3), np.full((2, 2), 0.5)]

    def update():
        for p, anchor in zip(ps, anchors, strict=True):
            p -= 0.01 * (p.grad + 0.1 * (p - anchor))

    return descent(ps, update), lambda: (ps, anchors), anchors


def test_arrays_that_are_only_read_may_be_written_into_between_calls():
    def between(i, anchors):
        anchors[0][...] = i

    both(anchored, 5, between)


def momentum_of_values():
    ps, before = parameters(3, (2, 2)), [np.ones(3), np.ones((2, 2))]

    def update():
        for i, p in enumerate(ps):
            now = p.detach()
            p += 0.5 * (p.detach() - before[i]) - 0.01 * p.grad
            before[i] = now

    return descent(ps, update), lambda: (ps, before)


def drawn_together():
    ps = parameters(3, 3)

    def update():
        a, b = (p.detach() for p in ps)
        for p, other in zip(ps, (b, a), strict=True):
            p -= 0.01 * p.grad + 0.1 * (p.detach() - other)

    return descent(ps, update), lambda: ps


def averages_that_lag():
    ps = parameters(3, (2, 2))
    optimizer, means = tnn.optim.Adam(ps, 0.01), [np.zeros(3), np.zeros((2, 2))]

    def update():
        means[:] = [0.9 * mean + 0.1 * p.detach() for mean, p in zip(means, ps, strict=True)]
        optimizer.step()

    return descent(ps, update), lambda: (ps, optimizer.states, means)


@pytest.mark.parametrize("make", [momentum_of_values, drawn_together, averages_that_lag])
def test_what_is_read_in_several_places(make):
    both(make, 5)


def with_rates(*numbers, dtypes=(np.float64,), shrink=False):
    """Descent with a rate for each parameter, by its number in a list."""

    def make():
        ps = [
            tnn.Tensor(np.ones(2 + i, dtypes[i // 2 % len(dtypes)]), requires_grad=True)
            for i in range(len(numbers))
        ]
        rates = [0.01] * (max(numbers) + 1)

        def update():
            for p, number in zip(ps, numbers, strict=True):
                p -= rates[number] * p.grad
            for i in range(len(rates)) if shrink else ():
                rates[i] *= 0.5

        return descent(ps, update), lambda: (ps, rates), rates

    return make


@pytest.mark.parametrize("dtypes", [(np.float64,), (np.float64, np.float32)])
@pytest.mark.parametrize("numbers", [(0, 1, 2), (0, 1, 1), (0, 1, 0, 1), (0, 0, 0)])
@pytest.mark.parametrize("shrink", [True, False])
def test_numbers_of_each_parameter_and_of_several(numbers, dtypes, shrink):
    def between(i, rates):
        rates[:] = [rate * 0.9 for rate in rates]

    both(with_rates(*numbers, dtypes=dtypes, shrink=shrink), 5, between)


@pytest.mark.parametrize("when", ["before", "after"])
def test_counters_that_the_step_looks_at(when):
    def make():
        ps = parameters(3, (2, 2))
        optimizer = tnn.optim.Adam(ps, 0.01)

        def step(x):
            optimizer.zero_grad()
            weight = 1 + optimizer.states[1]["step"] if when == "before" else 1
            loss = sum(((p * x.sum() * 0.1 - 1) ** 2).sum() for p in ps) * weight
            loss.backward()
            optimizer.step()
            return loss, optimizer.states[1]["step"] * 1.0

        return step, lambda: (ps, optimizer.states)

    both(make, 5)


@pytest.mark.parametrize("seed", [61, 62, 64, 66, 67])
def test_large_batches_go_in_blocks_beside_what_is_packed(seed):
    rng, eager, run = np.random.default_rng(seed), training(seed), training(seed)
    sizes = dict.fromkeys(("least", "least_plain", "least_work", "least_shared"), 4096)
    step = CompiledStep(run.step, ("update", "rare"), Target("numpy", 2, **sizes))
    for i in range(5):
        x, y = rng.normal(size=(10_000, 3)), rng.normal(size=(10_000, 2))
        expected, found = eager.step(x, y, i != 2, True), step(x, y, i != 2, True)
        compare(arrays(expected) + eager.state(), arrays(found) + run.state())
    assert "in_blocks" in step.source
    assert step.stats.eager_calls == 0


# --- what happens in the middle, and in between -------------------------------------------------


def adam():
    ps = parameters(3, (2, 2), 1, ())
    optimizer = tnn.optim.Adam(ps, 0.01)

    def step(x):
        optimizer.zero_grad()
        loss = sum(((p * x.sum() * 0.1 - 1) ** 2).sum() for p in ps)
        loss.backward()
        optimizer.step()
        return loss

    return step, lambda: (ps, optimizer.states), ps, optimizer


def interrupted_at(number):
    """A tracer that interrupts a program at one of its lines."""
    lines = itertools.count()

    def tracer(frame, event, argument):
        if "compiled>" not in frame.f_code.co_filename:
            return None
        if event == "line" and next(lines) == number:
            raise KeyboardInterrupt
        return tracer

    return tracer


def test_a_step_that_is_interrupted_anywhere_can_be_taken_again():
    (step, state, *_), (other, other_state, *_) = adam(), adam()
    compiled, x = tnn.compile(other), np.arange(1.0, 4.0)
    step(x), compiled(x)
    interruptions = 0
    for number in range(0, 100, 7):
        before = [a.copy() for a in arrays(other_state())]
        watching = sys.gettrace()
        sys.settrace(interrupted_at(number))
        try:
            found = compiled(x)
        except KeyboardInterrupt:
            found = None
        finally:
            sys.settrace(watching)
        if found is None:
            interruptions += 1
            for a, b in zip(before, arrays(other_state()), strict=True):
                np.testing.assert_array_equal(b, a)
            found = compiled(x)
        compare(arrays((step(x), state())), arrays((found, other_state())))
    assert interruptions > 3


def test_two_compiled_steps_and_the_step_itself_take_turns():
    (step, state, ps, optimizer), (other, other_state, qs, others) = adam(), adam()

    def linear(parameters, optimizer):
        def second(x):
            optimizer.zero_grad()
            loss = sum((p * x.sum()).sum() for p in parameters[1:])
            loss.backward()
            optimizer.step()
            return loss

        return second

    first, second = tnn.compile(other), tnn.compile(linear(qs, others))
    turns = [(step, first), (linear(ps, optimizer), second), (step, other)]
    held = []
    for i in range(12):
        grads = [q.grad for q in qs if q.grad is not None]
        held.append([(a, a.copy()) for a in arrays((qs, grads, others.states))])
        x = np.arange(1.0, 4.0) + i
        expected, found = (call(x) for call in turns[i % 3])
        compare(arrays((expected, state())), arrays((found, other_state())))
    for a, before in (pair for pairs in held for pair in pairs):
        np.testing.assert_array_equal(a, before)
    assert first.stats.eager_calls == second.stats.eager_calls == 0


def test_states_and_values_change_places_between_calls():
    def between(i, ps, optimizer):
        states = optimizer.states
        if i % 3 == 0:
            states[0]["first"] = states[0]["first"] * 0.5
        elif i % 3 == 1:
            states[1]["second"][...] *= 2.0  # in place, into what the step has made
        else:
            optimizer.states = pickle.loads(pickle.dumps(states))
            ps[1].data = ps[1].data.T

    both(adam, 9, between)


def test_pieces_of_what_lies_together_are_left_to_who_holds_them():
    step, _, ps, optimizer = adam()
    compiled, held = tnn.compile(step), []
    for i in range(8):
        compiled(np.arange(1.0, 4.0) + i)
        state = optimizer.states[1]["first"].reshape(-1)[1:]
        looks = [ps[1].data[0], ps[0].data[:1].T, ps[0].grad.numpy(), state][i % 4 :]
        looks.append(np.asarray(memoryview(optimizer.states[0]["second"])))
        held += [(look, look.copy()) for look in looks]
    for look, before in held:
        np.testing.assert_array_equal(look, before)
