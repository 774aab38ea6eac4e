"""Results for other programs and for people: each is read back by a parser of its own."""

import json
import math
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.verify import Element, Finding, GradcheckReport, Result, Results, Verdict, checked
from tinygrad_nn.verify.command.page import as_html
from tinygrad_nn.verify.command.writers import as_json, as_junit, error_text

X = np.array([-1.5, 0.5, 2.0])
HOSTILE = "<script>alert('ü')</script> & \"x\" \x00\x1b]\udcff"


def wrong_cube(x):
    cube = tnn.primitive(lambda x: x**3, derivatives={"x": lambda g, y, x: g * 2 * x**2})
    return cube(x)


def fails(x):
    raise ValueError("two\nlines \x07")


def report_of(*elements, name="x", order=1):
    return GradcheckReport([Finding(name, (len(elements),), tuple(elements), order)])


def element(index=0, verdict=Verdict.PASS, analytic=1.0, numeric=1.0, **more):
    return Element((index,), verdict, analytic, numeric, 1e-12, **more)


@pytest.fixture
def results():
    return Results(
        [
            checked("right", lambda: tnn.gradcheck(np.sin, X, order=2)),
            checked("kink", lambda: tnn.gradcheck(np.abs, np.array([0.0, 1.0]))),
            checked("cube", lambda: tnn.gradcheck(wrong_cube, X)),
            checked(HOSTILE, lambda: tnn.gradcheck(fails, X)),
        ]
    )


# --- JSON -------------------------------------------------------------------------------------


def read(text):
    def refuse(constant):
        raise AssertionError(constant)

    text.encode("utf-8")
    return json.loads(text, parse_constant=refuse)


def test_json_holds_everything(results):
    found = read(as_json(results, "1.2"))
    assert (found["format"], found["version"], found["checks"]) == (1, "1.2", 4)
    assert found["right"] is False
    assert found["verdicts"] == {"PASS": 1, "KINK": 1, "WRONG": 1, "ERROR": 1}
    assert found["seconds"] == pytest.approx(sum(r["seconds"] for r in found["results"]))
    right, kink, cube, error = found["results"]
    assert [f["order"] for f in right["findings"]] == [1, 2]
    assert right["error"] is right["blame"] is None
    first = right["findings"][0]
    assert first["counts"] == {"PASS": 3}
    assert first["shape"] == [3]
    assert [e["index"] for e in first["elements"]] == [[0], [1], [2]]
    assert kink["right"] is True
    assert kink["findings"][0]["worst"]["slopes"][0] is not None
    assert cube["blame"].startswith("the derivative of ")
    assert cube["findings"][0]["worst"]["right"] is False
    assert error["findings"] == []
    assert error["error"].startswith("ValueError: two lines")
    assert f"{__file__}:" in error["error"]


def test_json_writes_numbers_that_it_does_not_know_as_strings():
    sides = (math.inf, 1.0)
    strange = element(np.int64(3), Verdict.WRONG, np.float64(np.nan), -math.inf, slopes=sides)
    report = report_of(strange)
    (result,) = read(as_json(Results([Result("f", report, None, 0.1)]), "1"))["results"]
    worst = result["findings"][0]["worst"]
    assert (worst["analytic"], worst["numeric"]) == ("NaN", "-Infinity")
    assert worst["slopes"] == ["Infinity", 1.0]
    assert worst["index"] == [3]


def test_json_of_many_elements_keeps_what_is_not_right_and_the_worst():
    many = [element(i) for i in range(1024)]
    (small,) = read(as_json(Results([Result("f", report_of(*many), None, 0.1)]), "1"))["results"]
    assert len(small["findings"][0]["elements"]) == 1024
    many += [element(5000, Verdict.WRONG, 2.0), element(5001, Verdict.WRONG, 3.0)]
    (large,) = read(as_json(Results([Result("f", report_of(*many), None, 0.1)]), "1"))["results"]
    assert [e["index"] for e in large["findings"][0]["elements"]] == [[5000], [5001]]
    assert large["findings"][0]["counts"] == {"PASS": 1024, "WRONG": 2}
    assert large["findings"][0]["worst"]["index"] == [5001]


def test_json_of_nothing_is_right():
    empty = Results([Result("f", report_of(), None, 0.1)])
    (result,) = read(as_json(empty, "1"))["results"]
    assert result["findings"][0]["worst"] is None
    assert read(as_json(Results([]), "1"))["right"] is True


def test_an_errors_text_survives_errors_that_cannot_be_told():
    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError

    assert error_text(MuteError()) == "MuteError"
    assert len(error_text(ValueError("x" * 10_000))) < 400


# --- JUnit ------------------------------------------------------------------------------------


def test_junit_counts_what_fails_and_what_ended_with_an_error(results):
    root = ElementTree.fromstring(as_junit(results).encode("utf-8"))
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    for counted in (root, suite):
        assert counted.get("tests") == "4"
        assert (counted.get("failures"), counted.get("errors")) == ("1", "1")
    right, kink, cube, error = suite
    assert [len(case) for case in suite] == [0, 0, 1, 1]
    assert float(right.get("time")) >= 0.0
    assert right.get("classname")
    assert kink.get("name") == "kink"
    assert cube[0].tag == "failure"
    assert cube[0].get("type") == "WRONG"
    assert "analytic" in cube[0].text
    assert "blame" in cube[0].text
    assert error[0].tag == "error"
    assert error[0].get("type") == "ValueError"
    assert "two lines" in error[0].get("message")


def test_junit_replaces_what_xml_forbids(results):
    name = ElementTree.fromstring(as_junit(results).encode("utf-8"))[0][3].get("name")
    assert name == "<script>alert('ü')</script> & \"x\" \ufffd\ufffd]\\udcff"


def test_junit_fails_on_what_is_asked_for(results):
    suite = ElementTree.fromstring(as_junit(results, {Verdict.KINK}).encode("utf-8"))[0]
    assert [case[0].tag if len(case) else None for case in suite] == [
        None,
        "failure",
        None,
        "error",
    ]


def test_a_kink_that_is_not_right_says_so_wherever_people_look():
    sides = {"slopes": (0.0, 1.0), "interval": (0.0, 1.0)}
    kinks = [element(i, Verdict.KINK, value, 0.5, **sides) for i, value in enumerate((3.0, 0.5))]
    results = Results([Result(str(n), report_of(*kinks[n:]), None, 0.1) for n in range(2)])
    wrong, right = results.results
    assert wrong.report.rows[0][-1] == "KINK, NOT RIGHT (1 of 2)"
    assert right.report.rows[0][-1] == "KINK"
    assert [line.split("  ")[-1] for line in str(results).splitlines()[2:]] == [
        *("KINK, NOT RIGHT", "KINK")
    ]
    case = ElementTree.fromstring(as_junit(results).encode("utf-8"))[0][0]
    assert (case[0].get("type"), case[0].get("message")) == ("KINK", "0: KINK, NOT RIGHT")
    spans = Page(as_html(results, "1")).texts_in("span")
    assert "✗ KINK, NOT RIGHT" in spans
    assert "✓ KINK" in spans
    assert [r["verdict"] for r in read(as_json(results, "1"))["results"]] == ["KINK", "KINK"]


def test_junit_tells_checks_of_one_name_apart():
    results = Results([Result("f", report_of(element()), None, 0.1)] * 3)
    suite = ElementTree.fromstring(as_junit(results).encode("utf-8"))[0]
    assert [case.get("name") for case in suite] == ["f", "f (2)", "f (3)"]


# --- HTML -------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The tags, attributes and texts of a page; it refuses tags that do not match."""

    EMPTY = frozenset({"meta", "input", "br", "line", "path", "circle", "rect", "polyline"})

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def texts_in(self, tag):
        return [data for where, data in self.texts if where == tag]


def test_html_is_one_whole_page_with_a_line_for_each_check(results):
    text = as_html(results, "1.2")
    text.encode("utf-8")
    page = Page(text)
    assert page.texts_in("title")[0] == "Gradient check: 2 not right"
    rows = [
        attributes for tag, attributes in page.tags if tag == "li" and "data-name" in attributes
    ]
    assert [row["data-verdict"] for row in rows] == ["PASS", "KINK", "WRONG", "ERROR"]
    assert [row["data-right"] for row in rows] == ["yes", "yes", "no", "no"]
    assert float(rows[3]["data-badness"]) > float(rows[2]["data-badness"])
    assert len([tag for tag, _ in page.tags if tag == "details"]) == 4
    orders, kink, blame, error = page.texts_in("pre")
    assert orders.startswith("∂1 is the gradient; ∂2 is the gradient of that")
    assert "a kink, with slope" in kink
    assert blame.startswith("blame: ")
    assert error.startswith("ValueError: two lines")
    for mark in ("✓ PASS", "✓ KINK", "✗ WRONG", "✗ ERROR"):  # not by colour alone
        assert mark in page.texts_in("span")


def test_html_needs_nothing_from_elsewhere(results):
    text = as_html(results, "1.2")
    page = Page(text)
    assert not [a for _, a in page.tags if {"src", "href"} & {*a} - {"xlink:href"}]
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text


def test_html_draws_names_as_text(results):
    page = Page(as_html(results, "<b>1</b>"))
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 1
    assert "b" not in [tag for tag, _ in page.tags]
    assert any(data.startswith("<script>alert('ü')") for data in page.texts_in("span"))


class Curve:
    """Stands for the curve of a difference's error."""

    name = "y <0>"

    def svg(self):
        return '<?xml version="1.0"?>\n<svg class="curve"><path d="M0 0"/></svg>'


def test_html_shows_the_curve_of_what_is_not_right_only(monkeypatch):
    asked = []

    def step_curve(report, of, order):
        asked.append((of, order))
        return Curve()

    monkeypatch.setattr(GradcheckReport, "step_curve", step_curve)
    right = report_of(element(), name="right")
    both = GradcheckReport(
        [
            Finding("x", (1,), (element(),)),
            Finding("y", (1,), (element(0, Verdict.WRONG, 2.0),), order=2),
        ]
    )
    text = as_html(Results([Result("f", right, None, 0.1), Result("g", both, None, 0.1)]), "1")
    assert asked == [("y", 2)]
    page = Page(text)
    assert len([tag for tag, a in page.tags if tag == "svg"]) == 1
    assert page.texts_in("figcaption")[0].startswith("y <0>: ")
    assert "<?xml" not in text


def test_html_does_without_a_curve_that_cannot_be_computed(monkeypatch):
    def step_curve(report, of, order):
        raise ValueError("a function may fail elsewhere")

    monkeypatch.setattr(GradcheckReport, "step_curve", step_curve)
    text = as_html(Results([Result("f", report_of(element(0, Verdict.WRONG)), None, 0.1)]), "1")
    assert "<figure>" not in text
    Page(text)


@pytest.mark.parametrize(
    ("verdict", "mark"), [(Verdict.UNSTABLE, "? UNSTABLE"), (Verdict.JUMP, "? JUMP")]
)
def test_html_tells_the_undecided_from_the_wrong(verdict, mark):
    report = report_of(element(0, verdict, math.nan, math.nan))
    page = Page(as_html(Results([Result("f", report, None, 0.1)]), "1"))
    assert mark in page.texts_in("span")


def test_html_of_all_right_says_so():
    page = Page(as_html(Results([Result("f", report_of(element()), None, 0.1)]), "1"))
    assert page.texts_in("title") == ["Gradient check: all right"]
    assert any("1 check, 0.1 s" in data for data in page.texts_in("p"))


def test_html_says_what_its_verdicts_mean_and_no_others():
    jump = report_of(element(0, Verdict.JUMP, math.nan, math.nan, jump=0.5), element(1))
    results = Results([Result("f", jump, None, 0.1), Result("g", report_of(element()), None, 0.1)])
    page = Page(as_html(results, "1"))
    assert page.texts_in("dt") == ["PASS", "JUMP"]
    assert page.texts_in("pre") == ["x (0,): the function jumps here, by 0.5"]


def test_html_tells_checks_of_one_name_apart_by_their_shapes():
    reports = [report_of(*[element(i) for i in range(n)]) for n in (1, 3)]
    page = Page(as_html(Results([Result("f", r, None, 0.1) for r in reports]), "1"))
    assert [text for text in page.texts_in("span") if text.startswith("(")] == ["(1,)", "(3,)"]


# --- the curve of a difference's error --------------------------------------------------------


def test_a_curve_is_of_the_worst_element_that_was_found():
    def off_at_7(x):
        wrong = tnn.primitive(
            lambda x: x * x,
            derivatives={"x": lambda g, y, x: g * x * (2 + (np.arange(x.size) == 7))},
        )
        return wrong(x)

    report = tnn.gradcheck(off_at_7, np.linspace(-1.0, 2.0, 2000))
    curve = report.step_curve("x")
    assert curve.name == "x (7,)"
    assert curve.gradient_error == pytest.approx(abs(curve.numeric) / 2, rel=1e-3)


def test_a_difference_without_an_error_is_drawn_too():
    curve = tnn.gradcheck(lambda x: x * x, 1.0).step_curve()._replace(central=np.zeros(53))
    assert curve.best_step == curve.steps[-1]
    picture = curve.svg()
    assert "central difference, exact" in picture
    assert all(line.split('"')[1] for line in picture.split("\n") if line.startswith("<polyline"))
    assert "all digits lost" in curve._replace(trusted=False).svg()


def lines_of(picture):
    """The heights of the points of each curve."""
    lines = [line for line in picture.split("\n") if line.startswith("<polyline")]
    points = [line.split('points="')[1].split('"')[0].split() for line in lines]
    return [[float(point.split(",")[1]) for point in line] for line in points]


def test_what_is_exact_is_not_drawn_upon_what_is_not():
    curve = tnn.gradcheck(np.abs, np.array([0.0, 1.0])).step_curve("x", (1,))
    zeros = np.zeros_like(curve.central)
    curve = curve._replace(central=zeros, forward=zeros + 1.0, analytic=curve.numeric)
    (forward,) = lines_of(curve.svg())
    edge = min(lines_of(curve._replace(forward=zeros + 10.0 ** -np.arange(53)).svg())[0])
    assert edge < forward[0] == forward[-1] < 300  # within, and on no edge
    assert lines_of(curve._replace(forward=zeros).svg()) == []
    some = zeros.copy()
    some[0] = 1.0
    central = lines_of(curve._replace(central=some).svg())[1]
    assert central[1] > central[0]  # zeros lie below all others


def test_a_curve_is_short_as_a_text():
    curve = tnn.gradcheck(np.sin, 1.0).step_curve()
    assert repr(curve).startswith("<StepCurve x (): best step ")
    assert len(repr(curve)) < 100


def test_a_curve_of_an_order_that_was_not_checked_says_so():
    report = tnn.gradcheck(np.sin, 1.0)
    with pytest.raises(tnn.errors.ArgumentError, match="an order that was checked, at most 1; got"):
        report.step_curve(order=2)
    with pytest.raises(tnn.errors.ArgumentError, match="input that was checked, x; got 'y'"):
        report.step_curve("y")


@pytest.mark.parametrize(
    ("f", "why"),
    [
        (np.floor, "JUMP"),
        (lambda x: x * np.random.default_rng().random(), "gives the same twice"),
    ],
)
def test_there_is_no_curve_without_a_derivative(f, why):
    with pytest.raises(tnn.errors.ArgumentError, match=why):
        tnn.gradcheck(f, 1.0).step_curve()
