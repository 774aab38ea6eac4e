"""Memory is shared with nobody: what users hold stays, and two names of one array are noticed."""

import types

import numpy as np
import pytest
from programs import assert_same

import tinygrad_nn as tnn
from tinygrad_nn.errors import GradientError, TraceError

X = np.arange(1.0, 4.0)


# --- what the user holds ----------------------------------------------------------------------


def test_what_the_user_holds_stays_what_it_is():
    w = tnn.Tensor(np.ones(3), requires_grad=True, name="w")
    optimizer = tnn.optim.SGD([w], 0.1, 0.9)

    def step(x):
        loss = (w * x).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, w.detach(), w * 1.0

    compiled, held = tnn.compile(step), []
    for i in range(8):
        value, grad = w.numpy().copy(), None if w.grad is None else w.grad.numpy().copy()
        held.append((value, grad, [w.data, w.numpy(), w.detach(), memoryview(w.data)], w.grad,
                     (w * w).sum()))  # fmt: skip
        returned = compiled(X + i)
        held.append((w.numpy().copy(), w.grad.numpy().copy(), returned[1:], w.grad, (w * w).sum()))
    for value, grad, values, gradient, loss in held:
        for other in values:
            assert_same(value, np.asarray(other) if isinstance(other, memoryview) else other)
        assert grad is None or np.array_equal(grad, gradient.numpy())
        w.grad = None
        loss.backward()  # recorded before later steps
        assert_same(2 * value, w.grad)


def test_what_is_returned_is_ones_own():
    step = tnn.compile(lambda x: (x * 1.0, x + 0, x + 1, x + 1, np.array([1.0, 2.0, 5.0]), x.T))
    first = [a.copy() for a in step(X)]
    given = X.copy()
    for a in step(given):
        a[...] = -1
    assert_same(first, list(step(X)))
    results = step(given)
    given[:] = 0
    assert_same(first[2], results[3])


def test_a_gradient_through_a_compiled_step_is_never_lost_in_silence():
    w = tnn.Tensor(X, requires_grad=True)
    step = tnn.compile(lambda x: (w * x).sum())
    loss = step(X) + (w**2).sum()
    assert loss.requires_grad
    with pytest.raises(GradientError, match="compiled step"):
        loss.backward()
    assert_same(X, tnn.grad(step)(X))
    with tnn.no_grad():
        assert not step(X).requires_grad
    assert not tnn.compile(lambda x: (w * x).sum().detach())(X).requires_grad


def test_state_that_keeps_its_history_is_refused_when_a_gradient_goes_back():
    w, memory = tnn.Tensor(X, requires_grad=True), types.SimpleNamespace(h=None)

    def step(x):
        memory.h = np.tanh(w * x + (0 if memory.h is None else memory.h))
        loss = memory.h.sum()
        w.grad = None
        loss.backward()
        return loss

    compiled = tnn.compile(step)
    compiled(X)
    with pytest.raises(GradientError, match="detach"):
        compiled(X)


# --- one array under several names ------------------------------------------------------------


def moved(a, b):
    a[:] = a + b
    return b * 1.0


def test_two_views_of_one_array():
    step, base = tnn.compile(moved), np.ones(4)
    step(np.ones(3), np.ones(3))
    expected = base.copy()
    result = moved(expected[1:], expected[:3])
    assert_same(result, step(base[1:], base[:3]))
    assert_same(expected, base)


def test_one_array_given_twice():
    step, a = tnn.compile(moved), np.ones(3)
    step(np.ones(3), np.ones(3))
    assert_same(np.full(3, 2.0), step(a, a))
    assert_same(np.full(3, 2.0), a)


@pytest.mark.parametrize("first", [True, False])
def test_an_argument_that_is_around_the_step_as_well(first):
    inside, other = np.ones(3), np.ones(3)

    def step(a):
        a += 1
        return inside * 1.0

    compiled = tnn.compile(step)
    for array in (inside, other, inside) if first else (other, inside, other):
        before = inside.copy()
        expected = before + 1 if array is inside else before
        assert_same(expected, compiled(array))
        assert_same(expected, inside)


def test_views_around_a_step():
    base = np.zeros(4)
    low, high = base[:3], base[1:]

    def step(x):
        low[:] = low + x
        return high * 1.0

    assert_same(np.array([2.0, 3.0, 0.0]), tnn.compile(step)(X))
    assert_same(np.array([1.0, 2.0, 3.0, 0.0]), base)


def test_one_tensor_as_argument_and_around():
    w, other = (tnn.Tensor(np.ones(3), requires_grad=True) for _ in range(2))

    def step(t):
        with tnn.no_grad():
            t *= 2
        return (w * 1.0).sum().detach()

    compiled = tnn.compile(step)
    assert [compiled(t).item() for t in (other, w, other, w)] == [3, 6, 6, 12]


def test_one_tensor_in_two_layers():
    def make():
        one, two = tnn.nn.Dense(3, 3, rng=0), tnn.nn.Dense(3, 3, rng=1)
        two.weights = one.weights
        parameters = list({id(p): p for p in [*one.parameters(), *two.parameters()]}.values())
        optimizer = tnn.optim.Adam(parameters, 0.1)

        def step(x):
            loss = (two(np.tanh(one(x))) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step, parameters

    (step, parameters), (other, others) = make(), make()
    compiled = tnn.compile(other)
    for _ in range(4):
        assert_same(step(X[None]), compiled(X[None]))
        assert_same(parameters, others)


def test_what_is_written_into_and_replaced_is_refused():
    state = {"a": np.ones(3), "b": np.zeros(3)}

    def step(x):
        state["b"][:] = state["a"]
        state["a"], state["b"] = state["b"], 2 * state["a"]
        return state["a"] * x

    with pytest.raises(TraceError, match="does both"):
        tnn.compile(step)(X)
    assert_same({"a": np.ones(3), "b": np.zeros(3)}, state)


@pytest.mark.parametrize("swaps", [True, False])
def test_a_tensor_that_moves_on_to_another_place(swaps):
    def make():
        w = tnn.Tensor(X, requires_grad=True)
        kept = types.SimpleNamespace(before=tnn.Tensor(0 * X), now=tnn.Tensor(X))

        def step(x):
            nonlocal w
            kept.before, kept.now = kept.now, kept.before if swaps else w.detach() * 1.0
            with tnn.no_grad():
                w += x
            return kept.before * 1.0, kept.now

        return step, kept

    (step, kept), (other, others) = make(), make()
    compiled = tnn.compile(other)
    for i in range(5):
        assert_same(list(step(X + i)), list(compiled(X + i)))
        assert_same([kept.before, kept.now], [others.before, others.now])


def test_layers_that_change_places():
    def make():
        kept = types.SimpleNamespace(a=tnn.nn.Dense(3, 1, rng=0), b=tnn.nn.Dense(3, 1, rng=1))

        def step(x):
            result = kept.a(x[None])
            kept.a, kept.b = kept.b, kept.a
            return result

        return step

    step, compiled = make(), tnn.compile(make())
    for i in range(5):
        assert_same(step(X + i), compiled(X + i))
