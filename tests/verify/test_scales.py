"""Right gradients pass and wrong ones do not, whatever the sizes of x, of f, and of both."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.primitives import Derivative, Primitive, Trait
from tinygrad_nn.verify import Verdict

EXPONENTS = range(-10, 11, 4)
FUNCTIONS = {
    "sin": (np.sin, np.cos),
    "tanh": (np.tanh, lambda a: 1 / np.cosh(a) ** 2),
    "square": (lambda a: a**2, lambda a: 2 * a),
    "reciprocal": (lambda a: 1 / a, lambda a: -1 / a**2),
    "root": (lambda a: np.sqrt(1 + a * a), lambda a: a / np.sqrt(1 + a * a)),
    "exp": (np.exp, np.exp),
}
FAULTS = (1.01, 3.5, -1.0, 0.0)
X = np.array([0.7, -1.3, 2.1])


def scaled(name, of_x, of_f, factor=1.0, offset=0.0):
    """f(x) = of_f · h(x / of_x) + offset, and a gradient that is wrong by a factor."""
    h, slope = FUNCTIONS[name]
    rule = Derivative("f′", lambda g, y, a: factor * g * of_f / of_x * slope(a / of_x))
    return Primitive(lambda a: of_f * h(a / of_x) + offset, "f", Trait.NONE, rule, name="test.row")


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("of_x", EXPONENTS)
def test_no_scale_of_x_or_f_makes_false_alarms_or_misses(name, of_x):
    size = 10.0**of_x
    for of_f in EXPONENTS:
        sizes = (size, 10.0**of_f)
        report = tnn.gradcheck(scaled(name, *sizes), X * size, rng=of_f + 10)
        assert report.verdict is Verdict.PASS, report
        for factor in FAULTS:
            report = tnn.gradcheck(scaled(name, *sizes, factor), X * size, rng=of_f + 10)
            assert report.verdict is Verdict.WRONG, report


@pytest.mark.parametrize("size", [1e-7, 1e-12, 1e-30, 1e-100, 1e30, 1e100])
def test_a_tiny_or_huge_function_hides_nothing(size):
    assert tnn.gradcheck(scaled("square", 1.0, size), X)
    for factor in FAULTS:
        assert tnn.gradcheck(scaled("square", 1.0, size, factor), X).verdict is Verdict.WRONG


def test_elements_of_many_sizes_are_each_judged_by_their_own():
    x = np.array([1e-9, -3e-5, 0.2, 40.0, -7e6, 2e10])
    rule = Derivative("f′", lambda g, y, a: g * 3 * a**2)
    cube = Primitive(lambda a: a**3, "f", Trait.NONE, rule, name="test.row")
    assert tnn.gradcheck(cube, x)
    for place in range(len(x)):
        off = 1 + 0.01 * (np.arange(len(x)) == place)
        rule = Derivative("f′", lambda g, y, a, off=off: g * 3 * a**2 * off)
        wrong = Primitive(lambda a: a**3, "f", Trait.NONE, rule, name="test.row")
        (finding,) = tnn.gradcheck(wrong, x).findings
        assert finding.worst.verdict is Verdict.WRONG
        assert finding.worst.index == (place,)


@pytest.mark.parametrize("offset", [1e3, -1e6, 1e8, 1e10])
@pytest.mark.parametrize("name", ["sin", "square", "exp"])
def test_large_offsets_neither_alarm_nor_hide(name, offset):
    for seed in range(3):
        assert tnn.gradcheck(scaled(name, 1.0, 1.0, offset=offset), X, rng=seed)
        for factor in FAULTS:
            wrong = scaled(name, 1.0, 1.0, factor, offset)
            assert not tnn.gradcheck(wrong, X, rng=seed)


@pytest.mark.parametrize("offset", [1e12, 1e14, 1e16])
def test_where_an_offset_swallows_the_function_nothing_is_claimed(offset):
    for seed in range(3):
        right = scaled("sin", 1.0, 1.0, offset=offset)
        assert tnn.gradcheck(right, X, rng=seed).verdict is not Verdict.WRONG
        for factor in (3.5, -1.0):
            assert not tnn.gradcheck(scaled("sin", 1.0, 1.0, factor, offset), X, rng=seed)


@pytest.mark.parametrize("x", [1e-310, 5e-324, 1e-200, 1e300, 1.7e308])
def test_the_ends_of_the_floating_point_numbers(x):
    assert tnn.gradcheck(lambda a: a / 2, np.array([x]))
