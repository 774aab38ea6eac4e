"""Each verdict where it is due: kinks, jumps, unused inputs, chaos, noise, edges."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.primitives import Derivative, Primitive, Trait
from tinygrad_nn.verify import Verdict

X = np.array([0.3, -1.2, 0.7])
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def of(function, slope):
    """A function with a slope f′(x), elementwise or of a scalar sum."""
    rule = Derivative("f′", lambda g, y, a: g * slope(a) * np.ones_like(a))
    return Primitive(function, "f", Trait.NONE, rule, name="test.row")


def only(report):
    (finding,) = report.findings
    return finding.elements


def never_wrong_never_confirmed(function, slope, x, seed=0):
    """What holds even where float64 cannot show the derivative."""
    assert tnn.gradcheck(of(function, slope), x, rng=seed).verdict is not Verdict.WRONG
    for factor in (1.05, 3.5, -1.0):
        assert not tnn.gradcheck(of(function, lambda a, f=factor: f * slope(a)), x, rng=seed)


# --- kinks -------------------------------------------------------------------------------------

# A scalar function, where it has a kink, and its slopes to the left and to the right.
KINKS = {
    "relu": (lambda a: np.sum(np.maximum(a, 0)), 0.0, (0, 1)),
    "abs": (lambda a: np.sum(np.abs(a)), 0.0, (-1, 1)),
    "abs of a shift": (lambda a: np.sum(np.abs(a - 3)), 3.0, (-1, 1)),
    "hinge": (lambda a: np.sum(np.maximum(1 - a, 0)), 1.0, (-1, 0)),
    "upper bound of clip": (lambda a: np.sum(np.clip(a, -1, 2)), 2.0, (1, 0)),
    "lower bound of clip": (lambda a: np.sum(np.clip(a, -1, 2)), -1.0, (0, 1)),
    "maximum of two": (lambda a: np.sum(np.maximum(a * a, 2 - a)), 1.0, (-1, 2)),
    "steep": (lambda a: np.sum(1e6 * np.maximum(a, 0)), 0.0, (0, 1e6)),
    "flat": (lambda a: np.sum(1e-6 * np.maximum(a - 5, 0)), 5.0, (0, 1e-6)),
    "on a slope": (lambda a: np.sum(np.sin(a) + np.abs(a)), 0.0, (0, 2)),
    "slight, on a slope": (lambda a: np.sum(a + 1e-3 * np.abs(a - 2)), 2.0, (0.999, 1.001)),
    "very slight, on a slope": (
        lambda a: np.sum(np.sin(a) - 1e-6 * np.maximum(a - 1, 0)),
        1.0,
        (np.cos(1), np.cos(1) - 1e-6),
    ),
}


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_shows_its_slopes_and_takes_what_lies_between(name):
    function, x, (left, right) = KINKS[name]
    low, high = sorted((left, right))
    gap = high - low
    for seed in range(4):
        for share, inside in ((0, 1), (0.5, 1), (1, 1), (-0.1, 0), (1.1, 0), (-3, 0), (9, 0)):
            row = of(function, lambda a, v=low + share * gap: v)
            report = tnn.gradcheck(row, np.array([x]), rng=seed)
            assert bool(report) is bool(inside), (share, str(report))
            if inside:
                assert report.verdict is Verdict.KINK
                (element,) = only(report)
                np.testing.assert_allclose(element.slopes, (left, right), atol=0.01 * gap)
                np.testing.assert_allclose(element.interval, (low, high), atol=0.02 * gap)


@pytest.mark.parametrize("sized", [1e-8, 1.0, 1e8])
def test_the_zero_vector_is_a_kink_of_every_norm(sized):
    for function in (np.linalg.norm, lambda a: np.sum(np.abs(a)), lambda a: np.max(np.abs(a))):
        report = tnn.gradcheck(lambda a, f=function: sized * f(a), np.zeros(3))
        assert report
        assert report.verdict is Verdict.KINK


def test_ties_may_be_shared_in_any_way_but_not_given_twice():
    tied = np.array([1.0, 1.0, 0.0])
    for share in ([1, 0, 0], [0, 1, 0], [0.5, 0.5, 0], [0.3, 0.7, 0]):
        assert tnn.gradcheck(of(np.max, lambda a, s=share: np.array(s)), tied)
    for share in ([1, 1, 0], [0, 0, 0], [1.2, -0.2, 0], [1.1, 0, 0], [0.7, 0.7, 0]):
        for seed in range(12):
            row = of(np.max, lambda a, s=share: np.array(s))
            assert not tnn.gradcheck(row, tied, rng=seed), (share, seed)
    assert tnn.gradcheck(np.sort, tied)
    assert tnn.gradcheck(np.maximum, tied, tied)


def test_huber_has_no_kink_where_its_pieces_meet():
    for delta in (0.5, 1.0, 3.0):
        report = tnn.gradcheck(
            lambda p, d=delta: tnn.losses.huber(np.zeros(2), p, delta=d), np.array([delta, -delta])
        )
        assert report.verdict is Verdict.PASS


@pytest.mark.parametrize("distance", [1e-8, 1e-6, 1e-4, 1e-2, 1e-1])
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("size", [1e-4, 1.0, 1e3])
def test_a_kink_close_by_neither_alarms_nor_excuses(distance, side, size):
    kink = 0.5 + side * distance

    def slope(a):
        return np.cos(a) + size * (a > kink)

    near = of(lambda a: np.sin(a) + size * np.maximum(a - kink, 0), slope)
    report = tnn.gradcheck(near, np.array([0.5]))
    assert report.verdict is Verdict.PASS
    for factor in (1.01, 3.5, -1, 0):
        wrong = Derivative("f′", lambda g, y, a, f=factor: f * g * slope(a))
        row = Primitive(near.function, "f", Trait.NONE, wrong, name="test.row")
        assert not tnn.gradcheck(row, np.array([0.5]))


@pytest.mark.parametrize("distance", [0.0, 1e-14, 1e-12, 1e-10])
def test_a_kink_too_close_to_tell_is_one_or_is_passed(distance):
    report = tnn.gradcheck(lambda a: np.abs(a - (0.5 - distance)), np.array([0.5]))
    assert report
    too_much = of(lambda a: np.abs(a - (0.5 - distance)), lambda a: 1.2)
    assert not tnn.gradcheck(too_much, np.array([0.5]))


def test_a_kink_that_is_not_right_says_what_to_do():
    too_much = of(np.abs, lambda a: 3.0)
    text = str(tnn.gradcheck(too_much, np.zeros(1)))
    assert "KINK, NOT RIGHT\n" in text
    assert "NO subgradient; move the input off the kink to check the rest" in text
    assert "NOT RIGHT" not in str(tnn.gradcheck(np.abs, np.zeros(1)))


def test_directions_are_told_from_places():
    twice = Derivative("f′", lambda g, y, a, b: g * (a >= b))
    other = Derivative("f′", lambda g, y, a, b: g * (b >= a))
    row = Primitive(np.maximum, "ff", Trait.ELEMENTWISE, twice, other, name="test.row")
    text = str(tnn.gradcheck(row, X, X))
    assert "all together, direction " in text
    assert "all together (" not in text


# --- jumps -------------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [1e-3, 1.0, -1.0, 1e6])
@pytest.mark.parametrize("x", [0.0, 1.0, -2.5, 1e-3, 1e5])
def test_a_jump_shows_its_height(height, x):
    height *= max(1.0, abs(x))
    for function in (lambda a: height * (a > x), lambda a: height * (a >= x)):
        report = tnn.gradcheck(
            of(lambda a, f=function: np.sum(a + f(a)), lambda a: 1.0), np.array([x])
        )
        assert not report
        assert report.verdict is Verdict.JUMP
        assert only(report)[0].jump == pytest.approx(height, rel=1e-3)


@pytest.mark.parametrize("function", [np.floor, np.ceil, np.sign, np.trunc, np.round])
def test_steps_jump_where_they_are_and_are_level_elsewhere(function):
    at = 0.5 if function is np.round else 0.0 if function is np.sign else 1.0
    assert tnn.gradcheck(function, np.array([at])).verdict is Verdict.JUMP
    assert tnn.gradcheck(function, np.array([at + 0.3, at - 0.2]))
    assert not tnn.gradcheck(of(function, lambda a: 1.0), np.array([at + 0.3]))


def test_a_jump_in_one_output_alone_is_found():
    k = np.arange(50) * (np.arange(50) != 7)

    def function(a):
        return np.sum(np.sin(a * k)) + 10.0 * (a >= 1)

    row = of(function, lambda a: np.sum(k * np.cos(a * k)))
    assert tnn.gradcheck(row, np.array([1.0])).verdict is Verdict.JUMP
    assert tnn.gradcheck(row, np.array([1.1])).verdict is Verdict.PASS


@pytest.mark.parametrize("distance", [1e-7, 1e-5, 1e-3, 1e-1])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_jump_close_by_is_none_here(distance, side):
    def function(a):
        return np.tanh(a) + 5.0 * (a > 0.5 + side * distance)

    right = of(function, lambda a: 1 - np.tanh(a) ** 2)
    assert tnn.gradcheck(right, np.array([0.5])).verdict is Verdict.PASS
    assert not tnn.gradcheck(of(function, lambda a: 1.01 - np.tanh(a) ** 2), np.array([0.5]))


# --- unused inputs, and those that cancel ------------------------------------------------------


def test_unused_inputs_are_unused_and_a_gradient_for_them_is_wrong():
    first = of(lambda a: a[:1] * 2.0, lambda a: np.array([2.0, 0.0]))
    report = tnn.gradcheck(lambda a, b: first(a), X[:2], X)
    assert [e.verdict.value for f in report.findings for e in f.elements] == [
        *("PASS", "UNUSED", "UNUSED", "UNUSED", "UNUSED")
    ]
    assert report
    for extra in (1e-6, 1.0, np.nan, np.inf):
        report = tnn.gradcheck(
            of(lambda a: a[:1] * 2.0, lambda a, e=extra: np.array([2, e])), X[:2]
        )
        assert only(report)[1].verdict is Verdict.WRONG


def test_dead_relus_have_no_gradient():
    dead = X - 5
    assert tnn.gradcheck(tnn.activations.relu, dead)
    assert not tnn.gradcheck(of(lambda a: np.maximum(a, 0), lambda a: 0.01), dead)


SHIFT_INVARIANT = {
    "subtracted": lambda b: (X + b) - b,
    "squares that add up to 1": lambda b: np.sin(b) ** 2 + np.cos(b) ** 2,
    "softmax of a shift": lambda b: tnn.activations.softmax(X + b),
    "centred": lambda b: (X + b) - np.mean(X + b),
    "normalised": lambda b: (X + b - np.mean(X + b)) / np.sqrt(np.var(X + b) + 1e-5),
    "log-ratio": lambda b: np.log(P * np.exp(b)) - b,
}
P = np.array([0.2, 0.9, 1.7])


@pytest.mark.parametrize("name", SHIFT_INVARIANT)
def test_a_bias_that_cancels_has_a_gradient_of_nearly_zero_and_that_is_right(name):
    function = SHIFT_INVARIANT[name]
    for seed in range(5):
        b = np.random.default_rng(seed).normal()
        assert tnn.gradcheck(function, b, rng=seed)
        assert not tnn.gradcheck(lambda b: function(b) + of(np.zeros_like, lambda a: 0.01)(b), b)


def test_orders_are_explained_and_the_gradient_is_what_jumps():
    assert "∂" not in str(tnn.gradcheck(np.sin, X))
    text = str(tnn.gradcheck(lambda a: np.abs(a) * a + np.abs(a), np.zeros(1), order=2))
    assert "∂1 is the gradient; ∂2 is the gradient of that" in text
    text = str(tnn.gradcheck(tnn.activations.relu, np.zeros(1), order=2))
    assert "the gradient jumps here, by " in text
    assert "the function jumps here" not in text
    assert "and so on" in str(tnn.gradcheck(np.sin, 1.0, order=3))


# --- what no difference can show ---------------------------------------------------------------


def iterated(steps, rate=3.9):
    """The logistic map and its derivative."""

    def function(a):
        for _ in range(steps):
            a = rate * a * (1 - a)
        return a

    def slope(a):
        d = 1.0
        for _ in range(steps):
            a, d = rate * a * (1 - a), d * rate * (1 - 2 * a)
        return d

    return function, slope


@pytest.mark.parametrize("steps", [5, 10, 20, 30, 40, 60])
def test_chaos_is_never_called_wrong_and_never_confirmed_when_it_is(steps):
    for seed in range(6):
        x = np.random.default_rng(seed).uniform(0.1, 0.9, 2)
        never_wrong_never_confirmed(*iterated(steps), x, seed)
        if steps <= 10:
            assert tnn.gradcheck(of(*iterated(steps)), x, rng=seed)


NOISY = {
    **{f"rounded to {d} digits": (lambda a, d=d: np.round(np.sin(a), d)) for d in range(2, 13)},
    **{f"input rounded to {d} digits": (lambda a, d=d: np.sin(np.round(a, d))) for d in (3, 6, 9)},
    "float32 inside": lambda a: np.sin(a.astype(np.float32)).astype(np.float64),
    "float16 inside": lambda a: np.sin(a.astype(np.float16)).astype(np.float64),
    "float32 in one term": lambda a: (
        np.sin(a.astype(np.float32)).astype(np.float64) * 0.5 + np.sin(a) * 0.5
    ),
}


@pytest.mark.parametrize("name", NOISY)
def test_noise_is_never_called_wrong_and_never_confirms_what_is(name):
    for seed in range(20):
        x = np.random.default_rng(seed).uniform(0.2, 2.0, 1)
        if abs(np.cos(x[0])) > 0.1:
            never_wrong_never_confirmed(NOISY[name], np.cos, x, seed)


def scrambled(a):
    """Noise between −1 and 1 that depends on every bit of a number."""
    bits = np.ascontiguousarray(a).view(np.uint64)
    bits = (bits ^ (bits >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    bits = (bits ^ (bits >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return (bits ^ (bits >> np.uint64(33))).astype(np.float64) / 2.0**63 - 1


@pytest.mark.parametrize("amplitude", [1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-3])
def test_added_noise_is_never_called_wrong(amplitude):
    for seed in range(6):
        x = np.random.default_rng(seed).uniform(0.2, 1.2, 1)
        never_wrong_never_confirmed(lambda a: np.sin(a) + amplitude * scrambled(a), np.cos, x, seed)
        if amplitude <= 1e-10:
            assert tnn.gradcheck(
                of(lambda a: np.sin(a) + amplitude * scrambled(a), np.cos), x, rng=seed
            )


# --- edges, infinities, and what changes -------------------------------------------------------


def test_a_function_of_one_side_is_judged_from_there():
    def half(a):
        return np.where(a >= 1, a * a, np.nan)

    assert tnn.gradcheck(of(half, lambda a: 2 * a), np.array([1.0]))
    assert not tnn.gradcheck(of(half, lambda a: 2.1 * a), np.array([1.0]))


@pytest.mark.parametrize("function", [np.sqrt, np.cbrt, np.arcsin])
@pytest.mark.parametrize("returned", [0.0, 1.0, -np.inf, np.nan])
def test_no_finite_number_is_confirmed_where_the_slope_is_infinite(function, returned):
    x = np.array([1.0 if function is np.arcsin else 0.0])
    assert not tnn.gradcheck(of(function, lambda a: returned), x)


@pytest.mark.parametrize("returned", [np.inf, -np.inf, np.nan])
def test_what_is_not_finite_is_wrong_where_the_function_is_smooth(returned):
    for function in (np.sin, lambda a: 1e-9 * a, lambda a: np.sum(a**2), np.ones_like):
        report = tnn.gradcheck(of(function, lambda a: returned), X)
        assert not report
        assert report.verdict is Verdict.WRONG


@pytest.mark.parametrize("x", [np.inf, -np.inf, np.nan])
def test_a_point_that_is_no_number_is_never_called_wrong(x):
    assert tnn.gradcheck(lambda a: a * 2.0, np.array([x, 1.0])).verdict is not Verdict.WRONG


def test_what_overflows_at_the_point_is_never_called_wrong():
    assert tnn.gradcheck(lambda a: a**2, np.array([1e200])).verdict is not Verdict.WRONG


class Changing:
    """Functions that are not the same from call to call."""

    def __init__(self):
        self.rng = np.random.default_rng(0)
        self.calls = 0

    def noise(self, a):
        return a + 1e-6 * self.rng.normal()

    def counter(self, a):
        self.calls += 1
        return a * (1 + 1e-9 * (self.calls % 2))

    def dropout(self, a):
        return a * (self.rng.random(a.shape) > 0.5)

    def updated(self, a):
        self.calls += 1
        return a * 0.9**self.calls

    def shape(self, a):
        self.calls += 1
        return np.concatenate([a] * self.calls)


@pytest.mark.parametrize("name", ["noise", "counter", "dropout", "updated", "shape"])
def test_what_changes_from_call_to_call_is_nondeterministic(name):
    report = tnn.gradcheck(getattr(Changing(), name), np.ones(20))
    assert not report
    assert report.verdict is Verdict.NONDETERMINISTIC


def test_a_gradient_that_changes_is_nondeterministic_too():
    rng = np.random.default_rng(0)
    report = tnn.gradcheck(of(np.sin, lambda a: np.cos(a) * rng.normal(1, 1e-6)), X)
    assert report.verdict is Verdict.NONDETERMINISTIC


def test_what_is_not_confirmed_says_why_and_where_to_look():
    text = str(tnn.gradcheck(np.log, np.array([-1.0])))
    assert (
        "(0,): no step gives a difference that can be trusted: the function is not finite" in text
    )
    assert "tnn.trace_nonfinite" in text
    text = str(tnn.gradcheck(np.sqrt, np.zeros(1)))
    assert "the function or its slope is not finite here; see tnn.trace_nonfinite" in text
    report = tnn.gradcheck(of(*iterated(60)), np.array([0.3]))
    assert report.verdict is Verdict.UNSTABLE
    assert "rounding hides the slope; tnn.lint shows where digits are lost" in str(report)


def test_what_changes_says_so_once():
    rng = np.random.default_rng(0)
    text = str(tnn.gradcheck(lambda a, b: a + b * rng.normal(), X, X))
    assert text.count("two runs on the same inputs differ; seed what is random") == 1
