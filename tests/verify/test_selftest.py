"""The self-test: what it plants, that it tidies up, and that it can fail."""

from functools import partial

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.errors import ArgumentError, MissingDerivativeError
from tinygrad_nn.primitives import TABLE
from tinygrad_nn.verify import GradcheckReport, LibraryCheck, gradcheck, library_checks
from tinygrad_nn.verify.table.faults import FAULTS, TIES, spoiled
from tinygrad_nn.verify.table.planting import Change, Place, planted
from tinygrad_nn.verify.table.selftest import Outcome, SelfTestReport, self_test

BY_NAME = {fault.name: fault for fault in FAULTS}
# Rows in which every fault changes something: they reduce, broadcast, read y, and have kinks.
TELLING = ("numpy.divide", "numpy.std", "numpy.max", "numpy.absolute", "numpy.matmul")


def rules():
    return {name: [cell and cell.rule for cell in r.derivatives] for name, r in TABLE.items()}


@pytest.fixture(scope="module")
def reports():
    return {name: self_test(name) for name in TELLING}


# --- planting ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_is_described(fault):
    assert fault.about.endswith(".")
    assert fault.idle
    assert fault.order in (1, 2)


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_whatever_happens_the_table_is_as_before(error):
    before = rules()
    row = TABLE["numpy.multiply"]
    try:
        with planted(BY_NAME["zero"], row, 1):
            assert rules() != before
            assert row.derivatives[0].rule is before["numpy.multiply"][0]
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert rules() == before


@pytest.mark.parametrize("f", [np.abs, lambda x: np.abs(x) + np.rint(x)])
def test_a_kink_is_known_for_one_though_the_function_jumps_elsewhere(f):
    check = LibraryCheck("f", partial(gradcheck, f, np.array([0.0, 0.5])))
    assert Place(check, check).change(TIES, TABLE["numpy.absolute"], 0) is Change.KINKS


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_self_test_that_is_broken_off_leaves_the_table_as_before(error):
    before = rules()
    caught = []

    def checks(seed, order):
        for check in library_checks(seed, order):

            def run(check=check, run=check.run):
                if rules() != before:
                    caught.append(check)
                    raise error
                return run()

            if check.row == "numpy.sin":
                yield check._replace(run=run)

    if error is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            self_test("numpy.sin", checks=checks)
    else:  # a check that ends with an error has noticed the fault
        assert {o.state for o in self_test("numpy.sin", checks=checks).outcomes} > {"killed"}
    assert caught
    assert rules() == before


def test_what_has_no_derivative_cannot_be_spoiled():
    with pytest.raises(MissingDerivativeError, match="where: argument 0"):
        spoiled(FAULTS[0], TABLE["numpy.where"], 0)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("name", ["numpy.divide", "numpy.concatenate", "numpy.max"])
def test_spoiled_rules_can_be_recorded(fault, name):
    row = TABLE[name]
    x = np.array([[0.5, 1.5], [2.5, 2.5]])

    def total(x):
        given = (x,) if row.arrays == 1 and not row.variadic else (x, x * x + 1)
        return np.sum(np.square(row(*given)))

    with planted(fault, row, row.arrays - 1):
        assert tnn.grad(lambda x: np.sum(tnn.grad(total)(x) * x))(x).shape == x.shape


# --- what each fault does ---------------------------------------------------------------------


def pulled(name, row, f, *xs, cotangent=None, argument=0):
    with planted(BY_NAME[name], TABLE[row], argument):
        y, pullback = tnn.vjp(f, *xs)
        return pullback(np.ones_like(y) if cotangent is None else cotangent)[argument]


def test_a_transposed_part_and_a_lost_sum():
    g = np.arange(6.0).reshape(2, 3)
    transposed = pulled("transposed", "numpy.negative", np.negative, g, cotangent=g)
    np.testing.assert_array_equal(transposed, -np.array([[0, 3, 1], [4, 2, 5]]))
    lost = pulled("lost reduction", "numpy.add", np.add, np.ones(3), g, cotangent=g)
    np.testing.assert_array_equal(lost, g[0])


def test_the_last_contribution_overwrites_the_others():
    found = pulled("overwritten", "numpy.cumsum", np.cumsum, np.ones(3), cotangent=[1.0, 2.0, 4.0])
    np.testing.assert_array_equal(found, [4, 4, 4])  # and not 7, 6, 4


def test_ties_are_not_shared():
    found = pulled("wrong at ties", "numpy.max", np.max, np.array([1.0, 3.0, 3.0]))
    np.testing.assert_array_equal(found, [0, 1, 1])
    found = pulled("wrong at ties", "numpy.maximum", np.maximum, np.ones(2), np.array([1.0, 2.0]))
    np.testing.assert_array_equal(found, [1, 0])


def test_a_fault_of_second_order_leaves_the_gradient_right():
    square = tnn.grad(lambda x: np.sum(np.square(x)))
    with planted(BY_NAME["second order"], TABLE["numpy.square"], 0):
        np.testing.assert_array_equal(square(np.ones(2)), [2, 2])
        np.testing.assert_array_equal(tnn.grad(lambda x: np.sum(square(x)))(np.ones(2)), [0, 0])


# --- outcomes ---------------------------------------------------------------------------------


def test_every_fault_changes_something_and_is_killed(reports):
    outcomes = [outcome for report in reports.values() for outcome in report.outcomes]
    killed = {outcome.fault for outcome in outcomes if outcome.state == "killed"}
    assert killed == set(BY_NAME)
    assert not [outcome for outcome in outcomes if outcome.state == "survived"]
    assert all(reports.values())


def test_each_rule_gets_every_fault(reports):
    outcomes = reports["numpy.matmul"].outcomes
    assert [(o.row, o.argument, o.fault) for o in outcomes] == [
        ("numpy.matmul", argument, fault) for argument in ("x1", "x2") for fault in BY_NAME
    ]


def test_what_changes_nothing_says_why():
    report = self_test("numpy.floor") or pytest.fail("a fault survived")
    why = {o.fault: o.why for o in report.outcomes if o.state == "unchanged"}
    assert why["sign"] == "the derivative is zero everywhere"
    assert why["wrong at ties"] == "it jumps at its kinks: there is no slope"
    why = {o.fault: o.why for o in self_test("numpy.sum").outcomes if o.state == "unchanged"}
    assert why["stale output"] == "the rule does not read y"
    assert why["lost reduction"] == "nothing is broadcast"
    assert "no second derivative" in why["second order"]
    assert why["wrong at ties"] == "no kinks"


def test_another_subgradient_at_a_kink_is_no_fault():
    [found] = [
        outcome
        for outcome in self_test("numpy.copysign").outcomes
        if (outcome.fault, outcome.argument) == ("wrong operand", "x1")
    ]
    assert found.state == "unchanged"
    assert found.why.startswith("another subgradient at a kink")


def test_rows_are_chosen_by_a_part_of_the_name_or_a_pattern():
    def chosen(only):
        return {outcome.row for outcome in self_test(only).outcomes}

    assert chosen("Numpy.Neg") == chosen("negative") == {"numpy.negative"}
    assert chosen("sin") == {"numpy.sin"}  # and not all that contain it
    assert chosen("log1") == {"numpy.log10", "numpy.log1p"}
    assert chosen("numpy.arc???") == {"numpy.arcsin", "numpy.arccos", "numpy.arctan"}
    with pytest.raises(ArgumentError, match="got 'no_such_row'"):
        self_test("no_such_row")


def test_the_same_seed_gives_the_same_outcomes():
    assert self_test("numpy.tanh", seed=3).outcomes == self_test("numpy.tanh", seed=3).outcomes


def test_progress_is_told_of_the_faults():
    told = []

    def progress(faults, total, label):
        told.append((len(faults), total, label))
        yield from faults

    report = self_test("numpy.log1", progress=progress)
    assert report
    assert told == [(len(report.outcomes),) * 2 + ("planting faults",)]


# --- weakened checks --------------------------------------------------------------------------


def only_sin(seed, order):
    return (check for check in library_checks(seed, order) if check.row == "numpy.sin")


def test_without_any_checks_of_a_row_all_its_faults_survive():
    report = self_test("numpy.cos", checks=only_sin)
    assert not report
    assert {o.why for o in report.outcomes} == {"no check runs through the row"}
    assert len(report.survivors) == len(FAULTS)


def test_checks_that_say_right_to_everything_let_faults_survive():
    def trusting(seed, order):
        for check in only_sin(seed, order):
            yield check._replace(run=lambda run=check.run: GradcheckReport((), run().checks))

    report = self_test("numpy.sin", checks=trusting)
    assert not report
    assert {o.fault for o in report.survivors} >= {"zero", "sign", "factor 1.01", "second order"}
    assert all("right in spite of it, say numpy.sin" in o.why for o in report.survivors)
    assert "survived" in str(report)


def test_a_check_that_is_never_right_kills_nothing():
    def failing(seed, order):
        for check in only_sin(seed, order):
            yield check._replace(run=partial(gradcheck, np.rint, np.array([0.5]), order=order))

    assert not [o for o in self_test("numpy.sin", checks=failing).outcomes if o.state == "killed"]


def test_a_kink_that_no_check_lies_on_is_a_survivor():
    def away(seed, order):
        for check in library_checks(seed, order):
            if check.row == "numpy.absolute" and not check.name.endswith("at kinks"):
                yield check

    [survivor] = self_test("numpy.absolute", checks=away).survivors
    assert (survivor.fault, survivor.why) == ("wrong at ties", "no check lies on its kinks")


# --- the report -------------------------------------------------------------------------------


def test_the_report_counts_faults_rows_and_reasons():
    report = SelfTestReport(
        [
            Outcome("zero", "numpy.sin", "x1", "killed", "", "numpy.sin: WRONG"),
            Outcome("zero", "numpy.cos", "x1", "survived", "nobody looks"),
            Outcome("lost reduction", "numpy.cos", "x1", "unchanged", "nothing is broadcast"),
        ]
    )
    assert not report
    assert str(report).splitlines() == [
        "fault           planted  changed something  killed  kill rate  survivors",
        "--------------  -------  -----------------  ------  ---------  ---------",
        "zero            2        2                  1       50%        1",
        "lost reduction  1        0                  0       -          0",
        "",
        "row        killed  rate  row        killed  rate  row  killed  rate",
        "---------  ------  ----  ---------  ------  ----  ---  ------  ----",
        "numpy.sin  1/1     100%  numpy.cos  0/1     0%",
        "",
        "fault           changes nothing  because",
        "--------------  ---------------  --------------------",
        "lost reduction  1                nothing is broadcast",
        "",
        "survived  in         argument  why",
        "--------  ---------  --------  ------------",
        "zero      numpy.cos  x1        nobody looks",
        "",
        "3 faults planted: 1 killed, 1 survived, 1 change no gradient",
    ]
    assert repr(report) == (
        "<SelfTestReport 3 faults planted: 1 killed, 1 survived, 1 change no gradient>"
    )
