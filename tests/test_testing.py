"""The assertion for tests of one's own gradients."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.errors import ArgumentError
from tinygrad_nn.testing import assert_gradients

X = np.array([[0.3, -1.2, 0.7]])


def wrong(x):
    cube = tnn.primitive(lambda x: x**3, derivatives={"x": lambda g, y, x: g * 2 * x**2})
    return cube(x)


def test_a_right_gradient_gives_its_report():
    layer = tnn.nn.Dense(3, 2, rng=0)
    report = assert_gradients(layer, X, parameters=layer, order=2, jacobian=True, rng=3)
    assert report
    assert {f.order for f in report.findings} == {1, 2}
    assert {f.name for f in report.findings} >= {"x", "weights", "biases"}


def test_a_wrong_gradient_fails_with_the_report():
    with pytest.raises(AssertionError) as caught:
        assert_gradients(wrong, X)
    said = str(caught.value)
    assert said.startswith("the gradient of wrong is not right:\ninput")
    assert "WRONG" in said
    assert "blame" in said


def test_what_cannot_be_called_by_name_is_named_by_its_type():
    class Cube:
        def __call__(self, x):
            return wrong(x)

    with pytest.raises(AssertionError, match="the gradient of Cube is not right"):
        assert_gradients(Cube(), X)


def test_an_unconfirmed_gradient_fails_too():
    with pytest.raises(AssertionError, match="JUMP"):
        assert_gradients(lambda x: np.where(x > 0, x + 1.0, x), np.array([0.0]))


def test_mistaken_calls_are_no_failed_gradients():
    with pytest.raises(ArgumentError):
        assert_gradients(np.sin, 1)
    with pytest.raises(TypeError):
        assert_gradients(np.sin, 1.0, tolerance=1e-3)


def test_it_is_at_the_front_door():
    assert tnn.testing.assert_gradients is assert_gradients


def test_pytest_points_at_the_test_itself():
    hidden = assert_gradients.__code__.co_varnames
    assert "__tracebackhide__" in hidden
    with pytest.raises(AssertionError) as caught:
        assert_gradients(wrong, X)
    assert caught.traceback.filter(caught)[-1].path.name == "test_testing.py"
