"""Random compositions: right ones pass, and with one planted fault they do not."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinygrad_nn as tnn
from tinygrad_nn.primitives import Derivative, Primitive, Trait
from tinygrad_nn.verify import Verdict

UNARY = {
    "sin": (np.sin, lambda y, a: np.cos(a)),
    "exp": (np.exp, lambda y, a: y),
    "tanh": (np.tanh, lambda y, a: 1 - y**2),
    "square": (lambda a: a * a, lambda y, a: 2 * a),
    "root": (lambda a: np.sqrt(a * a + 1), lambda y, a: a / y),
}
FAULTS = {
    "factor": lambda slope: 1.01 * slope,
    "slight": lambda slope: 1.0001 * slope,
    "sign": lambda slope: -slope,
    "zero": lambda slope: 0 * slope,
    "added": lambda slope: slope + 0.01,
}
W = np.random.default_rng(3).normal(size=(5, 5))


def mixed(z):
    return z @ W[: z.shape[-1], : z.shape[-1]] if z.ndim and z.shape[-1] else z


JOINTS = {
    "matmul": mixed,
    "product": lambda z: z * np.cos(z),
    "sums": lambda z: z + np.sum(z * z),
    "softmax": lambda z: tnn.activations.softmax(z) * z if z.ndim and z.shape[-1] else z,
    "transpose": lambda z: np.transpose(z) + 1.0,
    "cumsum": lambda z: np.cumsum(z, axis=-1) if z.ndim else z,
}
SHAPES = st.sampled_from([(), (1,), (3,), (2, 3), (3, 3), (1, 4), (2, 1, 2), (0,), (2, 0)])
STEPS = st.lists(
    st.tuples(st.sampled_from([*UNARY]), st.sampled_from([*JOINTS])), min_size=1, max_size=4
)
SCALES = st.sampled_from([1e-9, 1e-4, 1.0, 1.0, 1e3, 1e8])


def step(name, fault):
    function, slope = UNARY[name]
    rule = Derivative("f′", lambda g, y, a: g * fault(slope(y, a)))
    return Primitive(function, "f", Trait.NONE, rule, name="test.row")


def composed(steps, of_x, of_f, place=-1, fault=None):
    """A chain of functions, with a fault in one of them."""

    def function(x):
        z = x / of_x
        for i, (unary, joint) in enumerate(steps):
            z = 1.5 * np.tanh(z)  # keeps exp and squares within bounds
            z = JOINTS[joint](step(unary, fault if i == place else lambda slope: slope)(z))
        return of_f * z

    return function


def drawn(shape, seed):
    return np.random.default_rng(seed).normal(size=shape)


def assert_right(report, unit):
    """All is confirmed, but for slopes that vanish in the rounding of the function."""
    for element in (e for finding in report.findings for e in finding.elements):
        vanishing = abs(element.analytic) < 1e-8 * unit
        assert element.right or (element.verdict is Verdict.UNSTABLE and vanishing), report


@settings(max_examples=25, deadline=None, derandomize=True)
@given(SHAPES, STEPS, SCALES, SCALES, st.integers(0, 99))
def test_right_compositions_pass(shape, steps, of_x, of_f, seed):
    x = of_x * drawn(shape, seed)
    report = tnn.gradcheck(composed(steps, of_x, of_f), x, rng=seed)
    assert_right(report, of_f / of_x)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(SHAPES, STEPS, SCALES, SCALES, st.integers(0, 99), st.sampled_from([*FAULTS]), st.data())
def test_one_planted_fault_is_found(shape, steps, of_x, of_f, seed, fault, data):
    x = of_x * drawn(shape, seed)
    place = data.draw(st.integers(0, len(steps) - 1))
    faulty = composed(steps, of_x, of_f, place, FAULTS[fault])
    assume(x.size and _differ(composed(steps, of_x, of_f), faulty, x, 1e-8 * of_f / of_x))
    assert not tnn.gradcheck(faulty, x, rng=seed)


def _differ(right, wrong, x, vanishing):
    """Whether the fault shows in the gradient by some element, by what can be measured."""
    v = np.ones(np.shape(right(x)))
    one, other = (tnn.vjp(f, x)[1](v)[0] for f in (right, wrong))
    size = np.max(np.abs(one))
    return size > vanishing and np.max(np.abs(one - other)) > 1e-5 * size


@settings(max_examples=25, deadline=None, derandomize=True)
@given(STEPS, st.integers(0, 99))
def test_right_compositions_pass_in_the_second_order(steps, seed):
    report = tnn.gradcheck(composed(steps, 1.0, 1.0), drawn((2, 2), seed), order=2, rng=seed)
    assert_right(report, 1.0)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(STEPS, SCALES, SCALES, st.integers(0, 99))
def test_right_compositions_pass_by_each_output(steps, of_x, of_f, seed):
    x = of_x * drawn((3,), seed)
    report = tnn.gradcheck(composed(steps, of_x, of_f), x, jacobian=True, rng=seed)
    assert_right(report, of_f / of_x)
