"""What wide steps do not see, and what rounding hides: narrow features, kinks close by, ties."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.primitives import Derivative, Primitive, Trait
from tinygrad_nn.verify import Verdict

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
softmax, relu = tnn.activations.softmax, tnn.activations.relu


def of(function, slope):
    """A function with a slope f′(x)."""
    rule = Derivative("f′", lambda g, y, a: g * slope(a) * np.ones_like(a))
    return Primitive(function, "f", Trait.NONE, rule, name="test.row")


def times(c):
    """The identity, whose gradient is multiplied by c."""
    return of(lambda a: a * 1.0, lambda a: c)


def check(function, slope, x):
    return tnn.gradcheck(of(function, slope), np.array([x]))


# --- one function, by its values alone --------------------------------------------------------


@pytest.mark.parametrize("height", [1.0, 1e-2, 1e-4, 1e-6])
def test_a_bump_narrower_than_the_usual_step_is_seen(height):
    def bump(x):
        return height * np.exp(-((1e5 * (x - 1)) ** 2))

    def slope(a):
        return 1 - 2e10 * (a - 1) * bump(a)

    assert check(lambda x: x + bump(x), slope, 1.000005)
    assert not check(lambda x: x + bump(x), lambda a: 1.0, 1.000005)


NARROW = {
    "a peak": (lambda x: 1 / (1 + (1e5 * (x - 1)) ** 2), 1.000005),
    "beside a pole": (lambda x: x / (x - 1) ** 2, 1.000001),
    "a step beneath an overflow": (lambda x: np.exp(x / 1e-6) + 100.0 * (x > 1e-6), 1e-6),
    "a step of a tiny x": (lambda x: (x / 1e-9) ** 2 + 1e5 * (x >= 1e-9), 1e-9),
}


@pytest.mark.parametrize("name", NARROW)
def test_a_zero_is_not_confirmed_by_what_cancels_to_both_sides(name):
    function, x = NARROW[name]
    assert not check(function, lambda a: 0.0, x)


@pytest.mark.parametrize("distance", [1e-4, 1e-5, 1e-6, 1e-7, 1e-9])
def test_the_level_side_of_a_kink_close_by_is_level(distance):
    kink = 0.37
    assert check(lambda x: np.maximum(x - kink, 0), lambda a: 0.0, kink - distance)
    assert check(lambda x: abs(x - 1) + x, lambda a: 0.0, 1 - distance)
    for wrong in (0.5, 1.0):
        assert not check(lambda x: np.maximum(x - kink, 0), lambda a, w=wrong: w, kink - distance)
        assert not check(lambda x: abs(x - 1) + x, lambda a, w=wrong: 2 * w, 1 - distance)


@pytest.mark.parametrize("distance", [1e-10, 1.4e-9, 1e-8])
def test_the_mean_of_both_sides_is_not_confirmed_beside_a_kink(distance):
    assert check(lambda x: abs(x - 1) + x, lambda a: 2.0, 1 + distance)
    assert not check(lambda x: abs(x - 1) + x, lambda a: 1.0, 1 + distance)


@pytest.mark.parametrize("power", [3, 5, 7, 9])
def test_a_flat_inflexion_has_no_slope(power):
    assert check(lambda x: x**power, lambda a: 0.0, 0.0)
    assert not check(lambda x: x**power, lambda a: 1e-3, 0.0)


def test_the_ends_of_the_numbers_are_no_limit():
    assert check(lambda x: x, lambda a: 1.0, 1e300)
    assert not check(np.sqrt, lambda a: 1.75 / np.sqrt(a), 1e-300)
    assert not check(np.log, lambda a: 1.0001 / a, 1e-300)


@pytest.mark.parametrize("gap", [1.5e-7, 8e-8, 1e-8, 3e-9])
def test_the_slightest_kink_is_a_kink(gap):
    assert tnn.gradcheck(lambda x: x + gap * relu(x - 4.0), 4.0)


# --- compositions -----------------------------------------------------------------------------

RIGHT = {
    "log of an underflowing exp": (lambda x: np.log(np.exp(-x)), 690.0),
    "a Gaussian's log density": (lambda x: np.log(np.exp(-0.5 * x * x)), 37.0),
    "sqrt of a tiny square": (lambda x: np.sqrt(x * x), 1e-150),
    "log of a tiny product": (lambda x: np.log(np.prod(x)), np.full(5, 1e-60)),
    "log1p of a tiny x": (lambda x: np.log1p(x) ** 2, 1e-12),
    "softplus, squared": (lambda x: np.log1p(np.exp(x)) ** 2, -40.0),
    "var of what varies little": (np.var, np.array([-80991595.1, -80991596.8, -80991596.7])),
    "a kink at 0 and another close by": (lambda x: np.maximum(x * (1e-4 - x), 0.0), 0.0),
    "relu at an offset": (lambda x: relu(x - 1e6), 1e6 - 0.7),
    "sizes apart": (lambda x: softmax(relu(x * np.array([1, 1, 1e-12]))), np.array([0, 0, 1e12])),
    "tied at an offset": (lambda x: np.ptp(x) / 3, np.array([102.0, 100, 100, 100, 100])),
    "tied in pairs": (
        lambda x: softmax(np.maximum(x, x[::-1])),
        np.array([1000002, 1e6, 1e6, 1e6, 1000001]),
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_compositions_pass(name):
    function, x = RIGHT[name]
    for seed in range(3):
        report = tnn.gradcheck(function, x, rng=seed)
        assert report, report


def test_inputs_of_sizes_far_apart_may_be_tied_together():
    x, b = np.array(1e-3), np.array(1e12)
    assert tnn.gradcheck(lambda x, y, b: np.tanh(np.maximum(x, y)) * b, x, x, b)


@pytest.mark.parametrize("offset", [1e5, 1e7])
def test_what_rounding_leaves_of_a_gradient_neither_alarms_nor_hides(offset):
    for seed in range(4):
        x = offset + np.random.default_rng(seed + 100).normal(size=4)
        for function in (np.var, np.std, lambda x: (x - np.mean(x)) / np.std(x)):
            assert tnn.gradcheck(function, x, rng=seed)
            for wrong in (0.0, 1.01, -1.0):
                assert not tnn.gradcheck(lambda x, f=function, c=wrong: f(times(c)(x)), x, rng=seed)


def test_wrong_gradients_of_tiny_values_and_of_noise_are_not_confirmed():
    assert not tnn.gradcheck(lambda x: times(0.0)(np.log1p(x)) ** 3, 1e-20)
    for c in (3.5, -1.0, 1.01):
        assert not tnn.gradcheck(lambda x, c=c: np.sin(times(c)(x) * 1e18), 1.3)


def test_an_infinite_slope_is_never_confirmed_nor_called_wrong():
    for function, x in ((np.sqrt, 0.0), (np.arcsin, 1.0), (lambda x: np.arcsin(1 - x), 0.0)):
        assert tnn.gradcheck(function, x).verdict is Verdict.UNSTABLE


def test_what_is_lost_inside_is_not_called_wrong():
    report = tnn.gradcheck(lambda x: np.hypot(x, 7e11) - 7e11, -20.0)
    assert report.verdict is Verdict.UNSTABLE
    flat = of(np.floor, lambda a: 1.0)
    assert tnn.gradcheck(lambda x: flat(x) * 2.0, 1.5).verdict is Verdict.WRONG
