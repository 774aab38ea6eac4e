"""The card of a function: what it says, and that what it says is so."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.diagrams import Card
from tinygrad_nn.diagrams.explain.facts import true_domain
from tinygrad_nn.errors import ArgumentError, ShapeError
from tinygrad_nn.primitives import REWRITES, TABLE


def said(card):
    return " ".join((*card.kinks, *card.conventions))


@pytest.mark.parametrize("name", sorted(TABLE))
def test_every_row_has_a_card(name):
    row = TABLE[name]
    card = tnn.explain(row)
    assert isinstance(card, Card)
    assert card.kind == "row"
    assert card.formula == row.formula
    assert [f for _, f in card.derivatives] == [c and c.formula for c in row.derivatives]
    for written in (card.text, card.markdown(), card.html()):
        assert name.rpartition(".")[2] in written.replace("\\", "")
    assert max(map(len, card.text.splitlines())) <= 100


@pytest.mark.parametrize("name", sorted(REWRITES))
def test_every_composed_function_has_a_card(name):
    card = tnn.explain(REWRITES[name])
    assert card.kind == "composed"
    assert card.formula in card.text.replace("\n" + " " * 16, " ")
    assert card.markdown()
    assert card.html()


@pytest.mark.parametrize("name", tnn.activations.__all__)
def test_every_activation_has_a_card(name):
    f = getattr(tnn.activations, name)
    card = tnn.explain(f)
    assert card.about == f.__doc__.splitlines()[0]
    assert card.parts
    assert (card.plot is None) == (name in ("softmax", "log_softmax"))


@pytest.mark.parametrize("name", tnn.losses.__all__)
def test_every_loss_has_a_card(name):
    f = getattr(tnn.losses, name)
    card = tnn.explain(f)
    assert card.about == f.__doc__.splitlines()[0]
    assert "numpy.mean" in [part.name for part in card.parts]
    assert card.plot is None


def test_a_composed_function_lists_the_rows_that_it_records():
    assert [p.name for p in tnn.explain(np.dot).parts] == ["numpy.matmul"]
    parts = [p.name for p in tnn.explain(tnn.losses.mean_squared_error).parts]
    assert parts == ["numpy.subtract", "numpy.square", "numpy.mean"]
    assert "Composed of rows: matmul." in tnn.explain(np.dot).text
    assert [p.name for p in tnn.explain(np.linalg.norm).parts] == ["the row norm"]


# --- domains, kinks and conventions -----------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "domain"),
    [
        (np.tanh, ("all real a",)),
        (np.log, ("a > 0",)),
        (np.sqrt, ("a ≥ 0",)),
        (np.log1p, ("a > -1",)),
        (np.reciprocal, ("a ≠ 0",)),  # sampled where a > 0, and defined below as well
        (np.divide, ("all real a", "b ≠ 0")),
        (np.arcsin, ("-1 ≤ a ≤ 1",)),
        (np.arctanh, ("-1 < a < 1",)),
        (np.arccosh, ("a ≥ 1",)),
        (np.cbrt, ("all real a",)),
        (np.tan, ("all real a, apart from its poles",)),
        (np.add, ("all real a and b",)),
    ],
)
def test_domains_are_those_of_the_functions(f, domain):
    assert tnn.explain(f).domain == domain


@pytest.mark.parametrize("name", [n for n, r in TABLE.items() if r.arrays == 1])
def test_a_function_is_finite_in_its_domain_and_not_outside(name):
    row = TABLE[name]
    if not isinstance(row.function, np.ufunc) or not any(row.derivatives):
        return
    domain, at_low, at_high = true_domain(row, 0)
    inside = np.linspace(max(domain.low, -3.0), min(domain.high, 3.0), 11)[1:-1]
    inside = inside[inside != 0] if not domain.zero else inside
    with np.errstate(all="ignore"):
        assert np.all(np.isfinite(row.function(inside)))
        for end, belongs, beyond in ((domain.low, at_low, -1), (domain.high, at_high, 1)):
            if np.isfinite(end):
                assert np.isfinite(row.function(end)) == belongs
                assert not np.isfinite(row.function(end + 0.5 * beyond))


@pytest.mark.parametrize(
    ("f", "told"),
    [
        (np.abs, "a kink at a = 0: slope -1 to the left, 1 to the right; at a = 0 the derivative "
                 "is taken to be 0"),
        (np.floor, "a jump at every whole a; the derivative there is taken to be 0"),
        (np.rint, "halfway between whole numbers"),
        (np.sign, "a jump at a = 0; at a = 0 the derivative is taken to be 0"),
        (np.maximum, "a kink where a = b; the derivative there is taken to be 0.5 for a and 0.5 "
                     "for b"),
        (np.remainder, "a jump where a / b is a whole number"),
        (tnn.activations.relu, "a kink at x = 0: slope 0 to the left, 1 to the right; at x = 0 "
                               "the derivative is taken to be 0"),
        (tnn.activations.leaky_relu, "at x = 0 the derivative is taken to be 0.01"),
        (np.sqrt, "at a = 0 the derivative by a is ∞"),
        (np.log, "at a = 0 the derivative by a is ∞"),
        (np.max, "at a = (3, 3, 1) the gradient is (0.5, 0.5, 0)"),
        (np.std, "at a = (2, 2, 2) the gradient is (0, 0, 0)"),
        (np.prod, "at a = (2, 0, 3) the gradient is (0, 6, 0)"),
        (np.linalg.norm, "at x = (0, 0) the gradient is (0, 0)"),
        (np.power, "at a = 0 and b = 0 the derivative is 0 for a and 0 for b"),
    ],
)  # fmt: skip
def test_kinks_and_conventions_are_told(f, told):
    assert told in said(tnn.explain(f))


@pytest.mark.parametrize(
    "f", [np.tanh, np.exp, np.add, tnn.activations.sigmoid, tnn.activations.softplus]
)
def test_what_has_no_kink_is_not_said_to_have_one(f):
    assert tnn.explain(f).kinks == ()


def test_a_changed_convention_changes_what_is_told(monkeypatch):
    from tinygrad_nn.primitives import RELU, Derivative

    row = Derivative("g·[a ≥ 0]", lambda g, y, a: g * (a >= 0))
    monkeypatch.setattr(RELU, "derivatives", (row,))
    assert "at x = 0 the derivative is taken to be 1" in said(tnn.explain(tnn.activations.relu))


# --- plots ------------------------------------------------------------------------------------


def test_a_plot_shows_the_function_and_its_derivative():
    plot = tnn.explain(np.tanh).plot
    xs = np.array(plot.xs)
    np.testing.assert_allclose(plot.values, np.tanh(xs))
    np.testing.assert_allclose(plot.slopes, 1 - np.tanh(xs) ** 2, atol=1e-15)
    assert (plot.low, plot.high, plot.bottom, plot.top) == (-4.0, 4.0, -1.0, 1.0)
    assert plot.text().isascii()
    rows = plot.text().splitlines()
    assert rows[0].rstrip().endswith("*")  # tanh(4) is at the top right
    assert rows[16].split()[1].startswith("*")  # and tanh(−4) at the bottom left
    assert "*" not in rows[0][: len(rows[0]) // 2]


@pytest.mark.parametrize("f", [np.log, np.sqrt, np.tan, np.floor, np.arcsin, np.reciprocal, np.exp])
def test_a_plot_leaves_out_what_is_not_there(f):
    card = tnn.explain(f)
    ET.fromstring(card.plot.svg())
    assert "nan" not in card.plot.svg().lower()
    assert "inf" not in card.plot.svg().lower()
    assert card.plot.text().isascii()


def test_jumps_part_a_curve():
    svg = tnn.explain(np.floor).plot.svg()
    curves = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}polyline")
    solid = [e for e in curves if "stroke-dasharray" not in e.attrib]
    assert len(solid) == 8  # one for each whole number from −4 to 3
    for line in solid:
        assert len({point.split(",")[1] for point in line.attrib["points"].split()}) == 1


# --- other functions --------------------------------------------------------------------------


def test_functions_through_which_no_gradient_flows():
    for f in (np.argmax, np.isnan, np.greater):
        assert tnn.explain(f).kind == "constant"
    assert tnn.explain(np.argmax, [1.0, 3.0, 2.0]).shapes == ("(3,) → ()",)


def test_a_function_without_a_derivative_says_so_and_what_is_near():
    card = tnn.explain(np.fft.fft)
    assert card.kind == "none"
    assert "no derivative in the table" in card.text
    suggested = tnn.explain(np.bitwise_or.reduce).suggestions
    assert suggested
    assert all(name in TABLE or name in REWRITES for name in suggested)


def test_functions_of_the_users_own():
    @tnn.primitive(derivatives={"q": ("g·3q²", lambda g, y, q: g * (3 * q**2))},
                   formula="q³", elementwise=True)  # fmt: skip
    def cube(q):
        return q * q * q

    card = tnn.explain(cube)
    assert (card.formula, card.derivatives) == ("q³", (("q", "g·3q²"),))
    assert card.plot.values == pytest.approx(np.array(card.plot.xs) ** 3)

    def f(x, y):
        raise AssertionError  # not called: it was given no arguments

    assert "composed" in tnn.explain(f).text
    made = tnn.explain(lambda x, w: np.tanh(x @ w), np.ones((2, 3)), np.ones((3, 1)))
    assert [p.name for p in made.parts] == ["numpy.matmul", "numpy.tanh"]
    assert len(made.shapes) == 2
    layer = tnn.explain(tnn.nn.Dense(3, 2, rng=0, name="hidden"), np.ones((4, 3)))
    assert [p.name for p in layer.parts] == ["numpy.matmul", "numpy.add"]
    assert layer.name == "Dense 'hidden'"


def test_arguments_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError):
        tnn.explain(np.matmul, np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(ArgumentError, match="give its arrays"):
        tnn.explain(tnn.losses.huber, np.ones(2))
    with pytest.raises(ArgumentError, match="are for Tensors"):
        tnn.explain(np.tanh, parameter="x")


@pytest.mark.parametrize("function", [np.divide, np.power])
def test_what_depends_on_the_other_argument_is_not_told_as_one_number(function):
    told = " ".join(tnn.explain(function).conventions)
    assert "may have no finite value" in told
    assert "∞" not in told.split("may have")[0]


def test_a_power_has_a_value_for_negative_bases_too():
    assert "any a where b is a whole number" in tnn.explain(np.power).domain[0]
    assert "whole" not in tnn.explain(np.divide).domain[0]


@pytest.mark.parametrize("arguments", [("abc",), (1.0, 2.0)])
def test_arguments_that_a_function_does_not_take_are_refused(arguments):
    with pytest.raises(ArgumentError, match=r"explain: expected .* of numpy\.tanh after it"):
        tnn.explain(np.tanh, *arguments)


def test_only_functions_that_can_be_called_are_suggested():
    for name in tnn.explain(np.linalg.eig).suggestions:
        assert name.startswith("numpy.")
