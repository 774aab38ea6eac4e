"""Checkpoints whose function cannot be repeated, and what pictures and checks say of one."""

import copy
import threading

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Graph, Tensor
from tinygrad_nn.errors import GradientError
from tinygrad_nn.verify import Verdict, check_nodes


def leaf(data=(0.3, 0.7, -1.2)):
    return Tensor(np.array(data, dtype=np.float64), requires_grad=True)


# --- what cannot be repeated ------------------------------------------------------------------


def test_random_numbers_inside_are_found_out(rng):
    x = leaf()
    y = tnn.checkpoint(lambda x: x * (rng.random(3) < 0.5))(x) + tnn.checkpoint(np.sin)(x)
    z = tnn.checkpoint(lambda x: x * rng.normal(size=3))(x)
    with pytest.raises(GradientError, match="random"):
        (y + z).sum().backward()
    assert x.grad is None
    mask = rng.random(3) < 0.5
    tnn.checkpoint(lambda x, mask: x * mask)(x, mask).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), mask)


def change_in_place(w):
    with tnn.no_grad():
        w -= 1.0


CHANGES = {
    "data": lambda w: setattr(w, "data", w.numpy() + 1),
    "in place": change_in_place,
    "optimiser": lambda w: tnn.optim.SGD([w], learning_rate=0.1).step(),
    "same value": lambda w: setattr(w, "data", w.numpy()),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("at", [[0.0, 0.0], [1.0, 2.0]])
def test_a_parameter_changed_between_forward_and_backward_is_found_out(name, at):
    x, w = leaf(at), leaf([3.0, 4.0])
    w.grad = [1.0, 1.0]
    y = tnn.checkpoint(lambda x: x * w)(x)  # at zero the value is the same for every w
    CHANGES[name](w)
    with pytest.raises(GradientError, match="parameters"):
        y.sum().backward()
    assert x.grad is None


def test_a_parameter_changed_after_backward_harms_nothing():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    layer = tnn.checkpoint(lambda x: np.tanh(x * w))
    for _ in range(3):
        x.grad = w.grad = None
        layer(layer(x)).sum().backward()
        found = w.grad.numpy()
        w.grad = None
        np.tanh(np.tanh(x * w) * w).sum().backward()
        np.testing.assert_allclose(found, w.grad.numpy(), rtol=1e-13)
        with tnn.no_grad():
            w -= 0.1 * w.grad


ARGUMENTS = {
    "operand": (lambda x, a: x * a, np.array([2.0, 3.0]), lambda a: a.fill(5.0)),
    "operand in a list": (lambda x, a: x * a[0], [np.array([2.0, 3.0])], lambda a: a[0].fill(5.0)),
    "list": (lambda x, a: x * a, [2.0, 3.0], lambda a: a.reverse()),
    "dict": (lambda x, a: x * a["k"], {"k": 2.0}, lambda a: a.update(k=5.0)),
    "index": (lambda x, a: x[a], np.array([0, 0]), lambda a: a.fill(1)),
    "mask": (lambda x, a: np.where(a, x, 2 * x), np.array([True, False]), lambda a: a.fill(True)),
}


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("at", [[0.0, 0.0], [1.0, 2.0]])
def test_an_argument_overwritten_after_the_forward_pass_raises_or_does_no_harm(name, at):
    f, argument, overwrite = ARGUMENTS[name]
    expected = tnn.vjp(lambda x: f(x, argument), np.array(at))[1](np.ones(2))[0]
    x = leaf(at)
    argument = copy.deepcopy(argument)
    y = tnn.checkpoint(f)(x, argument)
    overwrite(argument)
    try:
        y.backward(np.ones(2))
    except GradientError:
        return
    np.testing.assert_array_equal(x.grad.numpy(), expected)


def closed_array():
    a = np.array([2.0, 3.0])
    return (lambda x: x * a), lambda: a.fill(5.0)


def closed_number():
    state = {"slope": 2.0}
    return (lambda x: x * state["slope"]), lambda: state.update(slope=5.0)


def closed_branch():
    calls = []
    return (lambda x: x * x if calls.append(1) or len(calls) == 1 else x), lambda: None


@pytest.mark.parametrize("make", [closed_array, closed_number, closed_branch])
@pytest.mark.parametrize("at", [[0.0, 0.0], [0.0, 1.0], [3.0, 2.0]])
def test_what_is_closed_over_and_changed_raises_or_does_no_harm(make, at):
    x = leaf(at)
    f, change = make()
    y = tnn.checkpoint(f)(x)
    expected = tnn.vjp(make()[0], np.array(at))[1](np.ones(2))[0]
    change()
    try:
        y.backward(np.ones(2))
    except GradientError:
        return
    np.testing.assert_array_equal(x.grad.numpy(), expected)


def test_checkpoints_in_several_threads_do_not_meet(rng):
    data, found = rng.normal(size=(4, 3)), {}

    def work(i):
        w = leaf(data[i])
        for _ in range(30):
            w.grad = None
            block = tnn.checkpoint(lambda x, w=w: np.tanh(x * w))
            block(block(w)).sum().backward()
        found[i] = w.grad.numpy()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, x in enumerate(data):
        expected = tnn.grad(lambda w: np.tanh(np.tanh(w * w) * w).sum())(x)
        np.testing.assert_allclose(found[i], expected, rtol=1e-12)


# --- pictures and checks ----------------------------------------------------------------------


def verdicts(y):
    return {node: check.verdict for node, check in check_nodes(Graph([y]), 1.0).items()}


def test_gradients_through_a_checkpoint_are_checked():
    block = tnn.checkpoint(lambda x: (np.tanh(x * 3), np.sum(x)))
    assert tnn.gradcheck(lambda x: block(x)[0] * block(x)[1], np.array([0.3, -0.7]))
    x = leaf()
    h = x * 1.5
    a, b = block(h)
    found = verdicts(np.sum(a * b))
    assert len(found) >= 3
    assert set(found.values()) == {Verdict.PASS}
    assert "checkpoint" in tnn.draw(np.sum(a * b), check=True).source


def test_a_gradient_that_is_wrong_inside_a_checkpoint_is_called_wrong():
    bad = tnn.primitive(lambda x: x**3, derivatives={"x": lambda g, y, x: g * x**2})
    x = leaf()
    h = x * 2
    y = np.sum(tnn.checkpoint(lambda x: bad(x) * 2)(h))
    assert verdicts(y)[h._node] is Verdict.WRONG
    assert not tnn.gradcheck(lambda x: tnn.checkpoint(bad)(x), np.array([0.3, -0.7]))


def test_what_is_closed_over_is_never_called_wrong_nor_confirmed_without_being_moved():
    # Such a value cannot be moved, because the function takes it from where it is.
    x, w = leaf(), leaf([2.0, -1.0, 0.5])
    between = w * 3
    y = np.sum(tnn.checkpoint(lambda x: np.tanh(x * between))(x))
    found = verdicts(y)
    assert found[x._node] is Verdict.PASS
    for node in (w._node, between._node):
        assert found[node] is Verdict.UNSTABLE
    assert "UNSTABLE" in tnn.draw(y, check=True).source


def test_a_picture_of_what_cannot_be_repeated_raises_and_shows_no_numbers(rng):
    y = tnn.checkpoint(lambda x: np.sum(x * rng.normal(size=3)))(leaf())
    with pytest.raises(GradientError, match="random"):
        tnn.draw(y, check=True)
    w = leaf()
    z = tnn.checkpoint(lambda x: np.sum(x * w))(leaf())
    w.data = w.numpy() * 2
    with pytest.raises(GradientError, match="parameters"):
        tnn.draw(z, check=True)
