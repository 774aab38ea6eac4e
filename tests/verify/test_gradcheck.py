"""The checker against derivatives known to be right, wrong, kinked, noisy, or badly scaled."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.errors import ArgumentError
from tinygrad_nn.primitives import TABLE, Derivative, Primitive, Trait
from tinygrad_nn.verify import (
    Verdict,
    check_library,
    library_checks,
)
from tinygrad_nn.verify.table.sampling import on_kinks, sample

X = np.array([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]])


def row_with(rule, function=np.sin):
    """A row for a function of one argument, with a derivative of one's own."""
    return Primitive(function, "f", Trait.ELEMENTWISE, Derivative("f′", rule), name="test.row")


def off_at_one_element(g, y, a):
    right = g * np.cos(a)
    return right + 0.01 * (np.arange(a.size).reshape(a.shape) == 3)


WRONG_RULES = {
    "zero": lambda g, y, a: np.zeros_like(g),
    "sign": lambda g, y, a: -g * np.cos(a),
    "factor 1.01": lambda g, y, a: 1.01 * g * np.cos(a),
    "factor 1.00001": lambda g, y, a: 1.00001 * g * np.cos(a),
    "no cotangent": lambda g, y, a: np.cos(a),
    "output for input": lambda g, y, a: g * np.cos(y),
    "another function": lambda g, y, a: g * np.sin(a),
    "reversed": lambda g, y, a: (g * np.cos(a))[::-1],
    "summed": lambda g, y, a: np.sum(g * np.cos(a)),
    "off at one element": off_at_one_element,
    "added constant": lambda g, y, a: g * np.cos(a) + 1e-6,
}


@pytest.mark.parametrize("rule", WRONG_RULES.values(), ids=WRONG_RULES)
def test_a_wrong_derivative_is_called_wrong(rule):
    report = tnn.gradcheck(row_with(rule), X)
    assert not report
    assert report.verdict is Verdict.WRONG


def test_the_right_derivative_passes_with_an_error_far_below_what_would_be_wrong():
    report = tnn.gradcheck(row_with(lambda g, y, a: g * np.cos(a)), X)
    assert report
    assert report.largest_error < 1e-9


@pytest.mark.parametrize("exponent", range(-12, 13, 3))
def test_scale_makes_neither_false_alarms_nor_misses(exponent):
    scale = 10.0**exponent
    x = np.array([0.7, -1.3, 2.1])
    assert tnn.gradcheck(lambda x: scale * x**2, x)
    assert tnn.gradcheck(lambda x: np.sin(x / scale), scale * x)

    wrong = row_with(lambda g, y, a: 3.5 * g * scale * 2 * a, lambda a: scale * a**2)
    assert tnn.gradcheck(wrong, x).verdict is Verdict.WRONG


def test_a_large_offset_does_not_hide_a_small_gradient():
    assert tnn.gradcheck(lambda x: x + 1e8, X)
    wrong = row_with(lambda g, y, a: 1.01 * g, lambda a: a + 1e8)
    assert not tnn.gradcheck(wrong, X)


def test_a_kink_is_reported_and_right_when_the_gradient_lies_between_the_slopes():
    report = tnn.gradcheck(tnn.activations.relu, np.array([-1.0, 0.0, 1.0]))
    assert report
    assert report.verdict is Verdict.KINK

    outside = row_with(lambda g, y, a: g * np.where(a == 0, 3.0, a > 0), lambda a: np.maximum(a, 0))
    assert not tnn.gradcheck(outside, np.array([-1.0, 0.0, 1.0]))


@pytest.mark.parametrize("distance", [1e-9, 1e-7, 1e-6, 3e-5, 1e-4, 3e-4, 1e-3, 1e-2])
def test_a_kink_close_by_is_neither_a_false_alarm_nor_an_excuse(distance):
    x = np.array([1.0, 0.5])

    def bent(x):
        return np.sum(np.sin(x) * x) + tnn.activations.relu(x[0] - 1.0 - distance)

    assert tnn.gradcheck(bent, x)
    wrong = row_with(lambda g, y, a: g * 1.001 * np.cos(a))
    assert not tnn.gradcheck(lambda x: np.sum(wrong(x)) + bent(x), x)


def test_a_function_that_changes_from_call_to_call_is_nondeterministic():
    rng = np.random.default_rng(0)
    report = tnn.gradcheck(lambda x: x * rng.normal(), X)
    assert not report
    assert report.verdict is Verdict.NONDETERMINISTIC


def test_noise_that_would_hide_a_wrong_derivative_is_not_a_pass():
    # Rounded to six digits, the function is a staircase: no difference of it means anything.
    def staircase(a):
        return np.round(a * 1e3) / 1e3

    report = tnn.gradcheck(row_with(lambda g, y, a: 1.02 * g, staircase), X)
    assert not report


def test_a_function_undefined_around_the_input_is_unstable():
    with np.errstate(invalid="ignore", divide="ignore"):
        report = tnn.gradcheck(np.log, np.array([-1.0]))
    assert not report
    assert report.verdict is Verdict.UNSTABLE


def test_inputs_of_other_dtypes_are_passed_on_and_float32_is_lifted():
    labels = np.array([0, 2])
    report = tnn.gradcheck(
        lambda labels, z: tnn.losses.sparse_categorical_cross_entropy(labels, z, from_logits=True),
        labels,
        X.astype(np.float32),
    )
    assert report
    assert len(report.findings) == 1
    assert report.largest_error < 1e-8


def test_a_large_input_is_checked_along_directions_and_says_so():
    weights = np.random.default_rng(0).normal(size=(50, 40))
    report = tnn.gradcheck(lambda w: np.tanh(X[:, :1] @ w[:1]) + np.sum(w**2), weights)
    assert report
    assert "direction" in str(report)
    wrong = row_with(lambda g, y, a: 1.01 * g * np.cos(a))
    assert not tnn.gradcheck(wrong, weights)


def test_an_input_that_the_output_does_not_depend_on_passes_with_zero():
    assert tnn.gradcheck(lambda a, b: a * 2.0, X, X)


def test_a_function_that_closes_over_parameters_is_checked_by_its_input():
    layer = tnn.nn.Dense(3, 2, rng=0)
    assert tnn.gradcheck(layer, X)


def test_the_report_is_a_table_with_the_worst_element():
    x = tnn.Tensor(X, name="x")
    text = str(tnn.gradcheck(row_with(off_at_one_element), x))
    assert text.splitlines()[0].split() == [
        *("input", "shape", "worst", "at", "analytic", "numeric", "error", "bar", "verdict")
    ]
    assert "(1, 0)" in text
    assert text.splitlines()[2].startswith("x ")
    assert text.splitlines()[2].endswith("WRONG (1 of 6)")


def test_bad_arguments_raise():
    with pytest.raises(ArgumentError, match="floating-point"):
        tnn.gradcheck(lambda x: x, np.array([1, 2]))
    with pytest.raises(ArgumentError, match="order"):
        tnn.gradcheck(np.sin, X, order=0)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.array([1, 2]), "got integers; write 1.0 for 1"),
        ((1, True), "got integers and booleans"),
        (1j, "got complex numbers; give an array of floats"),
        ("x", "got strings; give"),
        (None, "got none; give"),
        (object(), "got objects; give"),
    ],
)
def test_what_cannot_be_checked_is_named(x, said):
    with pytest.raises(ArgumentError, match=said):
        tnn.gradcheck(lambda x: x, x)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ([np.ones(2)], "expected Tensors as parameters; got an ndarray for 0; give"),
        ({"w": 1.0}, "got a float for 'w'"),
        (tnn.Tensor(1.0), "a list of them as parameters; got a Tensor; write"),
        (3, "got an int; write"),
    ],
)
def test_parameters_that_are_none_are_named(parameters, said):
    with pytest.raises(ArgumentError, match=said):
        tnn.gradcheck(np.sin, 1.0, parameters=parameters)


def test_what_cannot_be_called_is_refused():
    with pytest.raises(ArgumentError, match="expected a function to check; got an int; write"):
        tnn.gradcheck(3, X)


def test_parameters_are_lifted_and_restored_exactly():
    model = tnn.nn.Sequential(
        tnn.nn.Dense(3, 4, rng=0, dtype=np.float32), tnn.activations.tanh, tnn.nn.Dense(4, 1, rng=1)
    )
    nodes = [p._node for p in model.parameters()]
    report = tnn.gradcheck(lambda: model(X), parameters=model)
    assert report
    assert report.largest_error < 1e-8  # far below what float32 could show
    assert all(p._node is node for p, node in zip(model.parameters(), nodes, strict=True))

    with pytest.raises(ZeroDivisionError):
        tnn.gradcheck(lambda: 1 / 0, parameters=model)
    assert all(p._node is node for p, node in zip(model.parameters(), nodes, strict=True))


def test_the_whole_library_is_right_for_other_seeds_too():
    for seed in (1, 2):
        report = check_library(seed)
        assert report, report.wrong


@pytest.mark.parametrize("name", sorted(n for n, row in TABLE.items() if any(row.derivatives)))
def test_a_planted_fault_in_any_row_is_found_by_the_library_check(name, monkeypatch):
    row = TABLE[name]
    faulty = tuple(
        cell and Derivative(cell.formula, _off_by_one_percent(cell.rule))
        for cell in row.derivatives
    )
    monkeypatch.setattr(row, "derivatives", faulty)
    reports = [check.run() for check in library_checks() if check.name == name]
    assert reports
    assert not all(reports)  # at ties a little more than a share is a subgradient too


def _off_by_one_percent(rule):
    """One per cent too much; for a derivative that is zero, one per cent of the cotangent."""

    def planted(g, *args, **static):
        right = rule(g, *args, **static)
        if isinstance(right, list):  # one part for each of several pieces
            return [1.01 * part for part in right]
        everywhere_zero = isinstance(right, np.ndarray) and not np.any(right)
        return 0.01 * g if everywhere_zero else 1.01 * right

    return planted


@pytest.mark.parametrize("name", sorted(n for n, row in TABLE.items() if row.kinks))
def test_samples_keep_clear_of_kinks_and_can_be_moved_onto_them(name):
    row = TABLE[name]
    rng = np.random.default_rng(0)
    for call in row.calls:
        arrays = sample(row, call, rng)
        assert np.all(np.abs(row.kinks(*arrays)) > 0.01)
        np.testing.assert_allclose(row.kinks(*on_kinks(row, arrays)), 0, atol=1e-12)
