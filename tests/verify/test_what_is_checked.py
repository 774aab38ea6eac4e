"""Orders, Jacobians, parameters, containers, names, and large inputs."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.primitives import Derivative, Primitive, Trait
from tinygrad_nn.verify import Verdict

X = np.array([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]])


def of(function, slope):
    rule = Derivative("f′", lambda g, y, a: g * slope(a))
    return Primitive(function, "f", Trait.NONE, rule, name="test.row")


def fixed(a):
    return a.detach() if isinstance(a, tnn.Tensor) else a


def names(report):
    return [finding.name for finding in report.findings]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_each_order_has_its_findings(order):
    report = tnn.gradcheck(lambda x, y: np.sin(x) * np.exp(y), X[0], X[1], order=order)
    assert report
    assert [f.order for f in report.findings] == [k for k in range(1, order + 1) for _ in "xy"]


def test_a_mistake_in_the_third_order_alone_is_found_there():
    second = of(np.cos, lambda a: -np.sin(fixed(a)))
    third = of(np.sin, second)
    assert tnn.gradcheck(third, X, order=2)
    report = tnn.gradcheck(third, X, order=3)
    assert [f.verdict.value for f in report.findings] == ["PASS", "PASS", "WRONG"]


def test_the_whole_jacobian_tells_of_which_output():
    def rule(g, y, a):
        return np.array([g[0], g[1] + g[2] * a[2] * 1.01, g[2] * a[1]])

    row = Primitive(
        lambda a: np.stack([a[0], a[1], a[1] * a[2]]),
        *("f", Trait.NONE, Derivative("f′", rule)),
        name="test.row",
    )
    (finding,) = tnn.gradcheck(row, X[0], jacobian=True).findings
    assert (finding.worst.index, finding.worst.output) == ((1,), (2,))
    assert finding.worst.numeric == pytest.approx(0.7)
    assert len(finding.elements) == 9
    assert sum(e.verdict is Verdict.WRONG for e in finding.elements) == 1


def test_mistakes_that_cancel_in_a_sum_show_in_the_jacobian():
    row = of(lambda a: np.concatenate([a, a]), lambda a: 0)
    swapped = Primitive(
        row.function,
        *("f", Trait.NONE, Derivative("f′", lambda g, y, a: 1.5 * g[:3] + 0.5 * g[3:])),
        name="test.row",
    )
    for jacobian in (False, True):
        assert not tnn.gradcheck(swapped, X[0], jacobian=jacobian)


class Failing(tnn.nn.Module):
    """Raises after some calls."""

    def __init__(self):
        self.inner = tnn.nn.Dense(3, 2, rng=0, dtype=np.float32)
        self.left = 5

    def forward(self, x):
        self.left -= 1
        if self.left == 0:
            raise ZeroDivisionError
        return self.inner(x)


def kept(parameters):
    return [(p, p._node, p.data.copy(), p.dtype) for p in parameters]


def assert_same(before):
    for p, node, copy, dtype in before:
        assert p._node is node
        assert p.dtype == dtype
        np.testing.assert_array_equal(p.data, copy)


def test_parameters_come_back_exactly_also_when_the_function_raises():
    model = Failing()
    before = kept(model.parameters())
    with pytest.raises(ZeroDivisionError):
        tnn.gradcheck(model, X, parameters=model)
    assert_same(before)
    model.left = 10**9
    report = tnn.gradcheck(model, X, parameters=model)
    assert report
    assert report.largest_error < 1e-8
    assert_same(before)
    assert all(p.grad is None for p in model.parameters())


def test_parameters_may_be_a_dict_or_a_list():
    w = tnn.Tensor(np.float32([0.3, 0.1, -0.7]), requires_grad=True)
    b = tnn.Tensor(0.5, requires_grad=True, name="bias")
    before = kept([w, b])

    def f(x):
        return np.tanh(x @ w + b)

    assert names(tnn.gradcheck(f, X, parameters={"w": w, "b": b})) == ["x", "w", "b"]
    assert names(tnn.gradcheck(f, X, parameters=[w, b])) == ["x", "parameter 0", "bias"]
    assert_same(before)
    off = of(np.sin, lambda a: 1.01 * np.cos(a))
    report = tnn.gradcheck(lambda x: x @ off(w) + b, X, parameters={"w": w, "b": b})
    assert [f.name for f in report.findings if not f.right] == ["w"]


def test_parameters_of_one_name_are_counted():
    model = tnn.nn.Sequential(tnn.nn.Dense(3, 2, rng=0), tnn.nn.Dense(2, 1, rng=1))
    report = tnn.gradcheck(model, X, parameters=model.parameters())
    assert names(report) == ["x", "weights", "biases", "weights (2)", "biases (2)"]
    assert report.step_curve("biases (2)").name == "biases (2) (0,)"


def test_an_input_of_no_elements_says_that_nothing_was_checked():
    report = tnn.gradcheck(np.sum, np.ones((0, 4)))
    assert report
    assert "nothing to check in" in str(report)
    assert "of shape (0, 4)" in str(report)


def test_containers_are_named_by_their_paths_and_may_be_returned():
    p = {"w": X[0], "more": [X[1], (np.float64(2.0), 3)]}

    def f(p, scale):
        return {"y": p["w"] * scale, "z": (np.sin(p["more"][0]), [p["more"][1][0] ** 2])}

    report = tnn.gradcheck(f, p, 1.5)
    assert report
    assert names(report) == ["p['w']", "p['more'][0]", "p['more'][1][0]", "scale"]
    off = of(np.sin, lambda a: np.cos(a) + 0.01 * (np.arange(3) == 1))
    report = tnn.gradcheck(lambda p: (p["w"], {"s": off(p["more"][0])}), p)
    (wrong,) = (f for f in report.findings if not f.right)
    assert (wrong.name, wrong.worst.index) == ("p['more'][0]", (1,))


def test_other_dtypes_are_passed_on_and_floats_are_lifted():
    def f(i, mask, x, h):
        assert i.dtype.kind == "i"
        assert mask.dtype == bool
        assert x.dtype == h.dtype == np.float64
        return np.where(mask, x, h)[i]

    mask = np.array([True, False, True])
    report = tnn.gradcheck(f, np.array([2, 0, 0]), mask, np.float32(X[0]), np.float16(X[1]))
    assert report
    assert names(report) == ["x", "h"]


def test_one_wrong_element_of_a_large_input_is_found_by_few_evaluations():
    place = 99_998
    weights = np.random.default_rng(0).normal(size=100_000)

    def slope(a):
        return np.cos(a) + 0.5 * (np.arange(a.size) == place)

    calls = []

    def counted(a):
        calls.append(a.size)
        return np.sin(a)

    assert tnn.gradcheck(of(counted, np.cos), weights)
    assert len(calls) < 200  # at most eight directions
    (finding,) = tnn.gradcheck(of(counted, slope), weights).findings
    assert len(calls) < 1000
    assert finding.verdict is Verdict.WRONG
    assert finding.worst.index == (place,)


def test_a_slight_mistake_in_all_of_a_large_input_is_found():
    weights = np.random.default_rng(0).normal(size=(100, 50))
    for factor in (1.001, -1.0, 0.0):
        row = of(lambda a: np.sum(a**2), lambda a, f=factor: 2 * f * a)
        assert tnn.gradcheck(row, weights).verdict is Verdict.WRONG
    assert tnn.gradcheck(lambda a: np.sum(a**2), weights)


def test_a_table_is_printed_also_for_what_is_not_finite():
    for bad in (np.inf, -np.inf, np.nan):
        report = tnn.gradcheck(of(np.sin, lambda a, b=bad: np.full_like(a, b)), X)
        assert "input" in str(report)
        assert repr(report)
        assert np.isnan(report.largest_error) or report.largest_error == np.inf


def test_a_gradient_of_shape_nothing_for_one_element_is_no_mistake():
    row = Primitive(np.sum, "f", Trait.NONE, Derivative("f′", lambda g, y, a: g), name="test.row")
    assert tnn.gradcheck(row, np.array([2.0]))
    assert tnn.gradcheck(lambda a: np.sum(a), np.array([2.0]))


@pytest.mark.parametrize(
    "error", [AssertionError, RuntimeError, KeyError, TypeError, StopIteration]
)
def test_a_guard_that_raises_beside_the_point_is_no_crash(error):
    def guarded(x):
        if np.any(x.numpy() <= 0):
            raise error("positive numbers alone")
        return np.log(x)

    assert tnn.gradcheck(guarded, np.array([0.01, 2.0]))


def test_a_parameter_given_twice_is_checked_once_and_integers_are_passed_on():
    w, places = tnn.Tensor([1.0, 2.0]), tnn.Tensor([1, 0])
    report = tnn.gradcheck(lambda x: x[places] * w, np.ones(2), parameters=[w, places, w])
    assert report
    assert names(report) == ["x", "parameter 0"]


def test_names_are_those_of_positional_arguments():
    def f(a, *xs, axis=None):
        return np.sum(a * xs[0], axis=axis)

    assert names(tnn.gradcheck(f, 1.0, 2.0)) == ["a", "input 1"]


def test_what_gives_other_numbers_each_time_is_not_blamed_as_wrong():
    random = np.random.default_rng(0)
    noisy = of(lambda a: a + random.normal(), lambda a: 1.0 + 0 * a)
    report = tnn.gradcheck(noisy, np.ones(2))
    assert report.verdict is Verdict.NONDETERMINISTIC
    assert report.blame is None
