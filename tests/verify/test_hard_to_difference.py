"""Functions that are easily misread: overflow far away, slight kinks, mixed precision, tiny x."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.primitives import Derivative, Primitive, Trait
from tinygrad_nn.verify import Verdict

U = np.random.default_rng(0).uniform(0.2, 2.0, 30)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def of(function, slope):
    """A function with a slope f′(x)."""
    rule = Derivative("f′", lambda g, y, a: g * slope(a) * np.ones_like(a))
    return Primitive(function, "f", Trait.NONE, rule, name="test.row")


def check(function, slope, x, seed=0):
    return tnn.gradcheck(of(function, slope), np.atleast_1d(x), rng=seed)


# Each overflows, or ends, within the steps that fit numbers around 1 — on both sides.
STEEP = {
    "sinh": (np.sinh, np.cosh),
    "cosh": (np.cosh, np.sinh),
    "log-cosh": (lambda a: np.log(np.cosh(a)), np.tanh),
    "arcsin": (lambda a: np.arcsin(a / 4), lambda a: 1 / np.sqrt(16 - a * a)),
    "within a circle": (lambda a: np.sqrt(9 - a * a), lambda a: -a / np.sqrt(9 - a * a)),
}


@pytest.mark.parametrize("scale", [1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize("name", STEEP)
def test_an_overflow_on_both_sides_does_not_confirm_a_wrong_gradient(name, scale):
    function, slope = STEEP[name]
    for seed, u in enumerate(U[:6]):
        for factor in (1.0, 1.01, 3.5, -1.0, 0.0):
            report = check(
                lambda a: function(a / scale),
                lambda a, f=factor: f * slope(a / scale) / scale,
                *(u * scale, seed),
            )
            assert bool(report) is (factor == 1.0), (u, factor, str(report))


@pytest.mark.parametrize("part", [1e-2, 1e-3, 1e-4, 1e-5, 3e-6, 1e-6, 1e-7])
def test_a_slight_kink_on_a_slope_takes_what_lies_between_or_close(part):
    def bent(a):
        return np.sin(a) + part * np.maximum(a - 1, 0)

    for seed in range(4):
        for share in (0.0, 0.5, 1.0):
            report = check(bent, lambda a, s=share: np.cos(a) + s * part, 1.0, seed)
            assert report, report
        assert not check(bent, lambda a: 1.01 * np.cos(a) + 1.01 * part, 1.0, seed)


@pytest.mark.parametrize("part", [1e-2, 1e-4, 1e-5, 3e-6, 1e-6, 1e-7])
@pytest.mark.parametrize("distance", [1e-9, 1e-7, 1e-5, -1e-9, -1e-7, -1e-5])
def test_a_slight_kink_close_by_is_no_false_alarm(part, distance):
    kink = 1 + distance

    def bent(a):
        return np.sin(a) + part * np.maximum(a - kink, 0)

    assert check(bent, lambda a: np.cos(a) + part * (a > kink), 1.0)
    assert not check(bent, lambda a: 1.05 * (np.cos(a) + part * (a > kink)), 1.0)


def single(a):
    """Through float32, as a part of a network may be."""
    return a.astype(np.float32).astype(np.float64)


MIXED = {
    **{
        f"{w} of a sine": (
            lambda a, w=w: w * np.sin(single(a)) + np.sin(a),
            lambda a, w=w: (1 + w) * np.cos(a),
        )
        for w in (1.0, 0.3, 0.1, 0.01)
    },
    "a steep part": (
        lambda a: 0.3 * np.tanh(3 * single(a)) + np.tanh(3 * a),
        lambda a: 3.9 / np.cosh(3 * a) ** 2,
    ),
    "one factor": (
        lambda a: np.tanh(single(a)) * a,
        lambda a: np.tanh(a) + a / np.cosh(a) ** 2,
    ),
}


@pytest.mark.parametrize("name", MIXED)
def test_a_part_in_single_precision_is_no_false_alarm(name):
    function, slope = MIXED[name]
    for seed, u in enumerate(U):
        assert check(function, slope, u, seed).verdict is not Verdict.WRONG, u
        assert not check(function, lambda a: 3.5 * slope(a), u, seed)


@pytest.mark.parametrize("scale", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("offset", [0.0, 1e4, 1e8])
def test_a_tiny_x_beside_a_large_offset_is_not_read_from_steps_around_1(scale, offset):
    for seed, u in enumerate(U[:12]):
        for function, slope in (
            (np.tanh, lambda a: 1 / np.cosh(a) ** 2),
            (lambda a: np.sin(100 * a), lambda a: 100 * np.cos(100 * a)),
        ):
            x = u * scale
            y = lambda a, f=function: f(a / scale) + offset
            slopes = [
                lambda a, s=slope, k=k: k * s(a / scale) / scale for k in (1.0, 3.5, -1.0, 0.0)
            ]
            right, *wrong = (check(y, s, x, seed) for s in slopes)
            assert right.verdict is not Verdict.WRONG, right
            assert not any(wrong)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-6, 1e-8])
def test_a_slope_that_cancels_is_not_confirmed_when_it_is_several_times_too_large(scale):
    def hinge(a):
        return 0.5 * (a / scale + np.sqrt((a / scale) ** 2 + 1e-4))

    def slope(a):
        return (0.5 + 0.5 * (a / scale) / np.sqrt((a / scale) ** 2 + 1e-4)) / scale

    for seed, u in enumerate(U):
        x = -18 * scale * u
        assert check(hinge, slope, x, seed).verdict is not Verdict.WRONG
        assert not check(hinge, lambda a: 3.5 * slope(a), x, seed)


@pytest.mark.parametrize("grid", [1e-4, 1e-6, 1e-9])
def test_rounding_to_a_grid_is_never_called_wrong_by_chance(grid):
    for seed, u in enumerate(np.random.default_rng(1).uniform(0.2, 2.0, 60)):
        rounded = lambda a: np.round(a * a / grid) * grid
        assert check(rounded, lambda a: 2 * a, u, seed).verdict is not Verdict.WRONG, u
        assert not check(rounded, lambda a: 7 * a, u, seed)


@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1.0, 1e4])
def test_a_gradient_that_is_zero_but_for_rounding_is_right_at_every_scale(scale):
    softmax = tnn.activations.softmax
    for seed in range(10):
        x = np.random.default_rng(seed).normal(size=3)  # the first shifts all the logits
        assert tnn.gradcheck(lambda x: softmax(np.cumsum(np.sin(x / scale))), scale * x, rng=seed)
        assert tnn.gradcheck(lambda b, z: softmax(np.sin(b) + z), 0.3 + seed, x, rng=seed)
