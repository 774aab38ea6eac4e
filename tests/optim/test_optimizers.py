"""Optimisers: their trajectories, the purity of their rules, and what they refuse."""

import json
import math
from pathlib import Path

import mpmath
import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Tensor, optim
from tinygrad_nn.errors import ArgumentError, GradientError
from tinygrad_nn.optim import SGD, Adam, AdamRule, Optimizer, SGDRule

DATA = Path(__file__).parents[1] / "data" / "torch_reference.json"
REFERENCE = json.loads(DATA.read_text())["optimizers"]

RULES = {
    "sgd": SGDRule(0.1),
    "decay": SGDRule(0.1, weight_decay=0.05),
    "momentum": SGDRule(0.1, momentum=0.9),
    "nesterov": SGDRule(0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": AdamRule(0.05),
}
each_rule = pytest.mark.parametrize("name", RULES)


def parameter(value, dtype=np.float64):
    return Tensor(np.array(value, dtype), requires_grad=True)


def test_every_rule_is_tested_here():
    kinds = {getattr(optim, n) for n in optim.__all__ if n.endswith("Rule") and n != "Rule"}
    assert kinds == {type(rule) for rule in RULES.values()}


# --- trajectories -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", REFERENCE, ids=lambda c: f"{c['name']} {c['options']}")
def test_trajectories_are_those_of_pytorch(case):
    w = parameter(case["start"])
    optimizer = getattr(optim, case["name"])([w], **case["options"])
    assert len(case["gradients"]) == 10
    for gradient, expected in zip(case["gradients"], case["path"], strict=True):
        w.grad = gradient
        optimizer.step()
        np.testing.assert_allclose(w.numpy(), expected, rtol=1e-12, atol=1e-14)


def test_adam_follows_the_formula_of_its_docstring():
    rate, b1, b2, eps = 0.05, 0.9, 0.999, 1e-8
    w, m, v = mpmath.mpf("0.7"), mpmath.mpf(0), mpmath.mpf(0)
    ours = parameter(0.7)
    optimizer = Adam([ours], rate, b1, b2, eps)
    for t, g in enumerate(np.random.default_rng(0).normal(size=20), start=1):
        ours.grad = g
        optimizer.step()
        m = mpmath.mpf(b1) * m + (1 - mpmath.mpf(b1)) * g
        v = mpmath.mpf(b2) * v + (1 - mpmath.mpf(b2)) * g * g
        corrected = m / (1 - mpmath.mpf(b1) ** t), v / (1 - mpmath.mpf(b2) ** t)
        w -= mpmath.mpf(rate) * corrected[0] / (mpmath.sqrt(corrected[1]) + eps)
        assert ours.item() == pytest.approx(float(w), rel=1e-12)


@pytest.mark.parametrize("g", [1e-6, 1.0, 1e6])
def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_scale_of_the_loss(g):
    w = parameter([3.0, 3.0])
    w.grad = [g, -g]
    Adam([w], 0.01, epsilon=1e-30).step()
    np.testing.assert_allclose(w.numpy(), [2.99, 3.01], rtol=1e-12)


@each_rule
def test_every_rule_finds_the_bottom_of_a_bowl(name):
    target, decay = np.array([1.0, -2.0]), getattr(RULES[name], "weight_decay", 0.0)
    w = parameter([4.0, 4.0])
    optimizer = Optimizer([w], RULES[name])
    for _ in range(2000):
        optimizer.zero_grad()
        (0.5 * np.square(w - target)).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(w.numpy(), target / (1 + decay), rtol=1e-5)


# --- rules are pure functions -----------------------------------------------------------------


def frozen(value):
    array = np.array(value)
    array.flags.writeable = False
    return array


@each_rule
def test_rules_write_into_nothing_and_answer_alike_when_asked_again(name):
    rule, rng = RULES[name], np.random.default_rng(1)
    w, state = frozen(rng.normal(size=(2, 3))), rule.init(np.ones((2, 3)))
    for _ in range(3):
        g = frozen(rng.normal(size=(2, 3)))
        state = {k: frozen(v) if isinstance(v, np.ndarray) else v for k, v in state.items()}
        before = {k: np.copy(v) for k, v in state.items()}
        first, again = rule.update(w, g, state), rule.update(w, g, state)
        np.testing.assert_array_equal(first[0], again[0])
        assert first[1].keys() == again[1].keys() == state.keys()
        for key, old in before.items():
            np.testing.assert_array_equal(state[key], old)
            np.testing.assert_array_equal(first[1][key], again[1][key])
        assert not any(np.shares_memory(first[0], a) for a in (w, g))
        w, state = frozen(first[0]), first[1]


@each_rule
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_parameters_and_states_keep_their_dtype(name, dtype):
    w = parameter([1.0, -2.0], dtype)
    optimizer = Optimizer([w], RULES[name])
    for _ in range(3):
        optimizer.zero_grad()
        (w * w).sum().backward()
        optimizer.step()
    assert w.dtype == dtype
    arrays = [v for v in optimizer.states[0].values() if isinstance(v, np.ndarray)]
    assert {a.dtype for a in arrays} <= {np.dtype(dtype)}


@pytest.mark.parametrize("rate", [np.float64(0.1), np.array(0.1), 1])
@pytest.mark.parametrize("kind", [SGD, Adam])
def test_a_numpy_learning_rate_does_not_change_the_dtype(kind, rate):
    w = parameter([1.0, -2.0], np.float32)
    w.grad = [0.5, 0.5]
    kind([w], rate).step()
    assert w.dtype == np.float32


@each_rule
def test_a_scalar_parameter_stays_an_array(name):
    w = parameter(2.0)
    optimizer = Optimizer([w], RULES[name])
    for _ in range(2):
        optimizer.zero_grad()
        (w * w).backward()
        optimizer.step()
    assert type(w.data) is np.ndarray
    assert w.shape == ()
    assert not w.data.flags.writeable
    assert "float64" not in repr(w)


# --- steps ------------------------------------------------------------------------------------


@each_rule
def test_a_step_changes_no_recorded_graph_and_no_array_seen_before(name):
    w = parameter([1.0, -2.0])
    loss = (w * w * w).sum()
    loss.backward()
    seen, gradient = w.numpy(), w.grad.numpy()
    Optimizer([w], RULES[name]).step()
    assert seen.tolist() == [1.0, -2.0]
    assert not np.array_equal(w.numpy(), seen)
    w.grad = None
    loss.backward()  # the graph remembers the value it was recorded with
    np.testing.assert_array_equal(w.grad.numpy(), gradient)


def test_parameters_without_a_gradient_are_left_as_they_are():
    used, unused = parameter([1.0]), parameter([1.0])
    optimizer = SGD([used, unused], 0.5, momentum=0.9, weight_decay=0.1)
    (3 * used).sum().backward()
    before = optimizer.states[1]
    optimizer.step()
    assert used.item() == pytest.approx(1 - 0.5 * 3.1, rel=1e-14)
    assert unused.item() == 1.0
    assert optimizer.states[1] is before


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_a_step_without_gradients_is_refused(kind):
    w = parameter([1.0])
    optimizer = kind([w])
    with pytest.raises(
        GradientError, match=rf"^{kind.__name__}.step: expected .*backward\(\)"
    ) as e:
        optimizer.step()
    assert isinstance(e.value, RuntimeError)
    (w * w).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    with pytest.raises(GradientError):
        optimizer.step()


class FailsOnTheSecond:
    """A rule that raises in the middle of a step."""

    def init(self, parameter):
        return {"count": 0}

    def update(self, parameter, gradient, state):
        if parameter.size == 2:
            raise FloatingPointError("in the middle")
        return parameter - gradient, {"count": state["count"] + 1}


def test_an_error_in_the_middle_of_a_step_leaves_everything_as_it_was():
    parameters = [parameter([1.0]), parameter([1.0, 2.0]), parameter([3.0, 4.0, 5.0])]
    optimizer = Optimizer(parameters, FailsOnTheSecond())
    for p in parameters:
        p.grad = np.ones(p.shape)
    with pytest.raises(FloatingPointError):
        optimizer.step()
    assert [p.tolist() for p in parameters] == [[1.0], [1.0, 2.0], [3.0, 4.0, 5.0]]
    assert [s["count"] for s in optimizer.states] == [0, 0, 0]
    assert [p.grad.tolist() for p in parameters] == [[1.0], [1.0, 1.0], [1.0, 1.0, 1.0]]


def test_zero_grad_forgets_and_step_does_not():
    w = parameter([1.0])
    optimizer = SGD([w], 0.1)
    (2 * w).sum().backward()
    optimizer.step()
    assert w.grad.tolist() == [2.0]
    optimizer.zero_grad()
    assert w.grad is None


def test_a_step_needs_no_recording_and_records_nothing():
    w = parameter([1.0, 2.0])
    (w * w).sum().backward()
    with tnn.no_grad():
        SGD([w], 0.25).step()
    assert w.tolist() == [0.5, 1.0]
    assert w.requires_grad
    assert w._node.primitive is None
    (3 * w).sum().backward()
    assert w.grad.tolist() == [5.0, 7.0]  # it still collects, in the same place


# --- what is refused --------------------------------------------------------------------------

W = parameter([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("kind", [SGD, Adam])
@pytest.mark.parametrize(
    "parameters",
    [[], [np.ones(2)], [Tensor([1.0])], [2.0], [W * 2], W, parameter(1.0), [W, "b"], [[W]]],
    ids=["none", "array", "constant", "number", "computed", "matrix", "scalar", "text", "nested"],
)
def test_what_is_no_list_of_parameters_is_refused(kind, parameters):
    with pytest.raises(ArgumentError, match=rf"^{kind.__name__}: expected ") as caught:
        kind(parameters)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("kind", "option", "values"),
    [
        (SGD, "learning_rate", [-0.1, math.nan, math.inf, None, "fast"]),
        (SGD, "momentum", [-0.1, 1.0, math.nan]),
        (SGD, "weight_decay", [-0.1, math.inf, math.nan]),
        (Adam, "learning_rate", [-0.1, math.nan, math.inf, None, "fast"]),
        (Adam, "beta1", [-0.1, 1.0, math.nan]),
        (Adam, "beta2", [-0.1, 1.0, math.nan]),
        (Adam, "epsilon", [-1e-8, math.inf, math.nan]),
    ],
)
def test_hyperparameters_out_of_range_are_refused(kind, option, values):
    for value in values:
        with pytest.raises(ArgumentError, match=rf"^{kind.__name__}: expected .*{option}.*; got "):
            kind([W], **{option: value})


def test_nesterov_needs_momentum():
    with pytest.raises(ArgumentError, match=r"^SGD: .*momentum"):
        SGD([W], nesterov=True)
    SGD([W], momentum=0.5, nesterov=True)
