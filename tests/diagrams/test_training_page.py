"""The page about a run: what is on it, in a browser too, and that names stay text."""

import functools
import json
import re

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.diagrams import TrainingRecord, TrainingReport, training_report
from tinygrad_nn.diagrams import render as render_module
from tinygrad_nn.diagrams.movie.inline import inline_svg
from tinygrad_nn.errors import ArgumentError, OutputError
from tinygrad_nn.primitives import TABLE, Derivative

cross_entropy = functools.partial(tnn.losses.sparse_categorical_cross_entropy, from_logits=True)
HOSTILE = [
    "</script><script>alert(1)</script>",
    '<img src=x onerror=alert(1)> & "quoted"',
    "a\x00b\x1b[31m\u202edne\ud800",
    "名前 ᾱ",
    "x" * 500,
    "{title} {0} %s",
    "]]>-->",
]


def network(names=("hidden", "output"), classes=2, features=2, dtype=np.float64):
    return tnn.nn.Sequential(
        tnn.nn.Dense(features, 8, rng=0, dtype=dtype, name=names[0]),
        tnn.activations.relu,
        tnn.nn.Dense(8, classes, rng=1, dtype=dtype, name=names[1]),
        name="network",
    )


def trained(epochs=30, *, model=None, loss=cross_entropy, X=None, y=None, eager=True, **options):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(50, 2)) if X is None else X
    y = (X[:, 0] * X[:, 1] > 0).astype(np.int64) if y is None else y
    model = model or network()
    record = TrainingRecord(model, X, y, loss, **options)
    optimizer = tnn.optim.Adam(model.parameters(), learning_rate=0.05)

    def step(X, y):
        value = loss(y, model(X))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    run = step if eager else tnn.compile(step)
    for _ in range(epochs):
        record.add(run(X, y), **{"<b>metric</b>": 0.5})
    return record


def frames_of(html):
    return json.loads(re.search(r'id="frames">(.*?)</script>', html, re.DOTALL)[1])


@pytest.fixture(scope="module")
def record():
    return trained(classes=["no", "yes"], snapshots=10)


@pytest.fixture(scope="module")
def report(record):
    model = record._model
    loss = cross_entropy(record.y, model(tnn.Tensor(record.X, name="X")))
    check = tnn.gradcheck(
        lambda: cross_entropy(record.y, model(record.X)),
        parameters={p.name: p.tensor for p in record.parameters},
    )
    return training_report(record, check=check, diagram=tnn.draw(loss), title="A run")


# --- what is written --------------------------------------------------------------------------


def test_the_page_needs_nothing_else_and_is_the_same_each_time(record, report):
    html = report.html
    assert not re.search(r'(src|href)="(?!#)|url\((?!#)|@import|https?://', html)
    again = training_report(trained(classes=["no", "yes"], snapshots=10))
    assert again.html == training_report(record).html


def test_the_last_epoch_is_there_without_the_script(record, report):
    html = re.sub(r"<script.*?</script>", "", report.html, flags=re.DOTALL)
    last = record.finish()[-1]
    assert f"loss {last.loss:.4g}" in html
    assert "epoch 30 of 30" in html
    assert f"{np.trace(last.confusion)} of 50 right" in html
    for row in last.confusion:
        for count in row:
            assert f">{count}</b>" in html


def test_seconds_are_shown_only_if_given(record):
    assert not re.search(r"\d s<", training_report(record).html)
    assert "30 epochs · 1.5 s" in training_report(record, seconds=1.54).html


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text(name):
    y = np.array([0, 1] * 25)
    record = trained(3, model=network((name, "b")), y=y, classes=[name, "yes"])
    record.add(1.0, **{name: 1.0})
    diagram = tnn.draw(cross_entropy(record.y, record._model(record.X)))
    html = training_report(record, title=name, diagram=diagram).html
    html.encode()  # no halves of characters
    assert html.count("<script") == html.count("</script>") == 2
    assert "<img" not in html
    assert "alert(1)</" not in html
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", html)


def test_frames_are_json_that_cannot_end_its_element():
    from tinygrad_nn.diagrams.movie.frames import Frames

    frames = Frames(2)
    shown = frames.element("p", {"title": "a<b"}, ["</script>&\u2028", "last"])
    assert shown == '<p title="a&lt;b" data-moves="text:0">last</p>'
    assert not set("<>&\u2028") & set(frames.json())
    assert json.loads(frames.json()) == [["</script>&\u2028", "last"]]
    assert frames.element("p", {}, ["same", "same"]) == "<p>same</p>"


@pytest.mark.parametrize("theme", ["light", "dark", None])
def test_a_theme_can_be_chosen(record, theme):
    html = training_report(record, theme=theme).html
    assert (f'<html lang="en" data-theme="{theme}">' in html) == (theme is not None)


def test_compiled_and_eager_steps_leave_the_same_kind_of_record():
    eager, compiled = (trained(60, eager=eager).finish() for eager in (True, False))
    assert [s.epoch for s in eager] == [s.epoch for s in compiled]
    np.testing.assert_allclose([s.loss for s in eager], [s.loss for s in compiled], rtol=1e-6)
    assert eager[-1].loss < 0.8 * eager[0].loss


@pytest.mark.parametrize("epochs", [1, 2])
def test_few_epochs_are_enough(epochs):
    html = training_report(trained(epochs)).html
    assert f"epoch {epochs} of {epochs}" in html
    assert len(frames_of(html)[0]) == epochs + 1


def test_float32_inputs_of_another_width_and_more_than_the_matrix_can_show(rng):
    X = rng.normal(size=(60, 5)).astype(np.float32)
    y = np.arange(60) % 30
    record = trained(2, model=network(classes=30, features=5, dtype=np.float32), X=X, y=y)
    html = training_report(record).html
    assert 'class="plane"' not in html
    assert 'class="matrix"' not in html
    assert "up to 20 classes" in html
    assert record.finish()[-1].confusion.shape == (30, 30)


def test_regression_has_values_on_the_plane_and_no_classes(rng):
    X = rng.normal(size=(40, 2))
    y = (X[:, :1] * 2).round(3)
    record = trained(5, model=network(classes=1), loss=tnn.losses.mean_squared_error, X=X, y=y)
    html = training_report(record).html
    assert "<h2>Values</h2>" in html
    assert "Confusion matrix" not in html
    assert f">{y.min():.4g}<" in html
    assert f">{y.max():.4g}<" in html


def test_losses_that_are_not_finite_are_marked_and_noted():
    record = trained(3)
    for loss in (np.nan, np.inf, -np.inf, 1.0):
        record.add(loss)
    html = training_report(record).html
    assert re.search(r'class="gap" d="M', html)
    assert "The loss is not finite" in html
    assert "first at epoch 4" in html
    line = re.search(r'class="line" d="([^"]*)"', html)[1]
    assert line.count("M") == 2
    assert "nan" not in line


def test_a_run_of_nothing_but_nan_is_shown():
    record = TrainingRecord(network(), np.ones((3, 2)), np.array([0, 1, 0]), cross_entropy)
    for parameter in record._model.parameters():
        parameter.data = np.full(parameter.shape, np.nan)
    record.add(np.nan, accuracy=np.nan)
    html = training_report(record).html
    assert "0 of 3 right" in html
    assert "not finite" in html


def test_many_samples_are_thinned_on_the_plane_but_counted_in_the_matrix(rng):
    X = rng.normal(size=(2500, 2))
    record = trained(1, X=X, y=(X[:, 0] > 0).astype(int))
    html = training_report(record).html
    assert "1000 of 2500 samples are shown" in html
    shown = re.findall(r'class="point class-\d" d="([^"]*)"', html)
    markers = [path for path in shown if path.count("M") > 1]
    assert sum(path.count("M") for path in markers) == 1000
    assert record.finish()[-1].confusion.sum() == 2500


def test_a_wrong_gradient_is_shown_as_wrong(record, monkeypatch):
    wrong = (Derivative("g", lambda g, y, a: 2.0 * g * (y > 0)),)
    monkeypatch.setattr(TABLE["tinygrad_nn.relu"], "derivatives", wrong)
    check = tnn.gradcheck(
        lambda: cross_entropy(record.y, record._model(record.X)),
        parameters={p.name: p.tensor for p in record.parameters},
    )
    html = training_report(record, check=check).html
    assert "Gradient check: not all right" in html
    assert '<td class="wrong">✗ WRONG' in html
    assert '<td class="right">✓ PASS' in html


def test_without_a_renderer_the_graph_is_its_text(record, monkeypatch):
    monkeypatch.setattr(render_module, "_renderers", lambda: iter(()))
    diagram = tnn.draw(tnn.Tensor([1.0], name="<alone>"))
    html = training_report(record, diagram=diagram).html
    assert "pip install graphviz-pure" in html
    assert "&quot;computation&quot;" in html or "digraph computation" in html


def test_pictures_are_taken_in_without_what_reaches_beyond_them():
    picture = (
        '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)" '
        'xmlns:xlink="http://www.w3.org/1999/xlink"><style>p{}</style><script>alert(1)</script>'
        '<a xlink:href="javascript:alert(1)"><text id="t">a &lt;b&gt;</text></a>'
        '<image href="x.png"/>'
        '<use xlink:href="#t" fill="url(#u)"/><foreignObject><p>no</p></foreignObject>'
        '<g class="wide" style="fill:url(x.png)"><title>n0</title>\n<text>1\xa0\xa0 2</text></g>'
        "</svg>"
    )
    assert inline_svg(picture, "g-") == (
        '<svg><g><text id="g-t">a &lt;b&gt;</text></g>'
        '<use href="#g-t" fill="url(#g-u)"></use><g><text>1\xa0\xa0 2</text></g></svg>'
    )


# --- the report as an object ------------------------------------------------------------------


def test_a_report_is_saved_and_shown(record, tmp_path):
    report = training_report(record)
    assert isinstance(report, TrainingReport)
    path = report.save(tmp_path / "run.html")
    assert path.read_text(encoding="utf-8") == report.html
    shown = report._repr_mimebundle_(include=None, exclude=None)
    assert shown["text/plain"] == repr(report)
    assert "&lt;!doctype html&gt;" in shown["text/html"]
    with pytest.raises(ArgumentError, match=r"\.html"):
        report.save(tmp_path / "run.pdf")
    with pytest.raises(OutputError):
        report.save(tmp_path / "missing" / "run.html")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"check": True}, "check= as a GradcheckReport; got bool"),
        ({"diagram": "digraph"}, "diagram= as a Diagram; got str"),
        ({"title": None}, "title= as a string; got NoneType"),
        ({"theme": "blue"}, "theme 'light', 'dark' or None"),
        ({"seconds": "long"}, "seconds as a number"),
        ({"seconds": float("nan")}, "seconds as a number"),
    ],
)
def test_what_is_no_part_of_a_report_is_refused(record, options, said):
    with pytest.raises(ArgumentError, match=re.escape(said)):
        training_report(record, **options)


def test_an_empty_record_and_something_else_are_refused():
    empty = TrainingRecord(network(), np.ones((2, 2)), np.array([0, 1]), cross_entropy)
    with pytest.raises(ArgumentError, match="at least 1 epoch; got none"):
        training_report(empty)
    with pytest.raises(ArgumentError, match="a TrainingRecord; got list"):
        training_report([])


# --- in a browser -----------------------------------------------------------------------------


@pytest.fixture
def opened(browser, tmp_path):
    """Open a report; whatever the page complains of or asks for fails the test."""
    pages = []

    def open_page(report, width=1000, **options):
        path = report.save(tmp_path / "run.html")
        page = browser.new_page(viewport={"width": width, "height": 800}, **options)
        troubles = []
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: (troubles.append("a dialog"), dialog.dismiss()))
        page.on("request", lambda asked: asked.url == path.as_uri() or troubles.append(asked.url))
        page.goto(path.as_uri())
        pages.append((page, troubles))
        return page

    yield open_page
    for page, troubles in pages:
        page.close()
        assert troubles == []


def now(page):
    return page.locator("#now").inner_text()


def test_the_slider_moves_all_parts_to_what_python_says(opened, record, report):
    page = opened(report)
    snapshots = record.finish()
    slider = page.locator("#epoch")
    looks = set()
    for i, s in enumerate(snapshots):
        slider.fill(str(i))
        assert now(page) == f"epoch {s.epoch} of 30"
        assert slider.get_attribute("aria-valuetext") == now(page)
        assert f"loss {s.loss:.4g}" in page.locator("#told").inner_text()
        counts = page.locator(".matrix td b").all_inner_texts()
        assert [int(count) for count in counts] == s.confusion.ravel().tolist()
        shares = (s.confusion / s.confusion.sum(axis=1, keepdims=True)).ravel()
        shown = page.locator(".matrix td span").all_inner_texts()
        assert shown == [f"{share:.0%}" for share in shares]
        shades = page.locator(".matrix td").evaluate_all(
            "cells => cells.map(cell => cell.getAttribute('style'))"
        )
        assert shades == [f"--share:{share:.2f}" for share in shares]
        wrong = np.sum(s.points != record.kind.truth)
        rings = page.locator(".plane .ring").get_attribute("d")
        assert rings.count("M") == wrong
        area = page.evaluate(
            """() => [...document.querySelectorAll(".plane [class^=region]")].map(path =>
                [...path.getAttribute("d").matchAll(/h(\\d+)v1/g)]
                .reduce((sum, run) => sum + Number(run[1]), 0))"""
        )
        assert area == np.bincount(s.grid, minlength=2).tolist()
        told = page.locator(".layer .told").all_inner_texts()
        assert f"norm {s.spreads[0].gradient.norm:.4g}" in told[2]
        cells = page.locator("section:has(> h2:text('Activations')) td").all_inner_texts()
        assert cells[1] == str(s.activations[0].resting)
        bars = page.locator(".layer path.values").first.get_attribute("d")
        cursor = page.locator(".linear .cursor").get_attribute("d")
        looks.add((rings, bars, cursor))
    assert len(looks) == len(snapshots)


def test_keys_and_the_play_button_step_through_the_epochs(opened, record, report):
    page = opened(report)
    epochs = [s.epoch for s in record.finish()]
    page.keyboard.press("ArrowLeft")
    assert now(page) == f"epoch {epochs[-2]} of 30"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")  # there is nothing after the last
    assert now(page) == "epoch 30 of 30"
    page.locator("#epoch").focus()
    page.keyboard.press("Home")
    assert now(page) == "epoch 0 of 30"
    page.keyboard.press("ArrowRight")
    assert now(page) == f"epoch {epochs[1]} of 30"
    page.locator("#play").click()
    assert page.locator("#play").inner_text() == "pause"
    page.wait_for_function("document.getElementById('now').textContent === 'epoch 30 of 30'")
    page.wait_for_function("document.getElementById('play').textContent === 'play'")


def test_the_loss_can_be_seen_on_a_logarithmic_scale(opened, report):
    page = opened(report)
    assert not page.locator("div.log svg").is_visible()
    page.locator("label[for=log]").click()
    assert page.locator("div.log svg").is_visible()
    assert not page.locator("div.linear svg").is_visible()


def test_each_class_is_told_from_the_others_by_more_than_colour(opened, report):
    page = opened(report)
    keys = page.locator(".regions .legend .point").evaluate_all(
        "paths => paths.map(path => path.getAttribute('d'))"
    )
    assert keys[0] != keys[1]


def test_it_fits_a_telephone_and_follows_the_system_until_told_otherwise(opened, report):
    page = opened(report, width=400, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(21, 24, 29)"
    page.locator("#theme").click()
    assert page.evaluate(paper) == "rgb(255, 255, 255)"
    page.locator("#theme").click()
    assert page.evaluate(paper) == "rgb(21, 24, 29)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_every_shade(opened, report, scheme):
    page = opened(report, color_scheme=scheme)
    colours = page.evaluate(
        """() => [...Array(11).keys()].map(level => {
          const cell = document.querySelector(".matrix td");
          cell.style = `--share: ${level / 10}`;
          const canvas = document.createElement("canvas")
            .getContext("2d", { willReadFrequently: true });
          return [getComputedStyle(cell).color, getComputedStyle(cell).backgroundColor].map(c => {
            canvas.fillStyle = c;
            canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
          });
        })"""
    )

    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
                  for c in (part / 255 for part in colour)]  # fmt: skip
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    for text, ground in colours:
        dark, light = sorted([luminance(text), luminance(ground)])
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_without_scripts_the_last_epoch_is_shown(opened, report):
    page = opened(report, java_script_enabled=False)
    assert now(page) == "epoch 30 of 30"
    assert not page.locator("#controls").is_visible()
    assert page.locator(".plane .ring").count() == 1


def test_on_paper_is_the_last_epoch_in_ink(opened, report):
    page = opened(report, color_scheme="dark")
    page.locator("#epoch").fill("0")
    page.evaluate("""() => addEventListener("beforeprint", () => {
        window.printed = document.getElementById("now").textContent; })""")
    assert page.pdf().startswith(b"%PDF")
    assert page.evaluate("window.printed") == "epoch 30 of 30"
    assert now(page) == "epoch 0 of 30"
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    assert not page.locator("#controls").is_visible()


def test_the_graph_can_be_made_larger_and_has_ids_of_its_own(opened, report):
    page = opened(report)
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    assert any(name.startswith("graph-") for name in ids)
    width = "document.querySelector('.paper svg').getBoundingClientRect().width"
    before = page.evaluate(width)
    page.locator("[data-zoom='1.25']").click()
    assert page.evaluate(width) == pytest.approx(1.25 * before, rel=0.01)


def test_hostile_names_show_as_themselves_in_a_browser(opened):
    y = np.array([0, 1] * 25)
    for name in HOSTILE[:2]:
        record = trained(2, model=network((name, "b")), y=y, classes=[name, "yes"])
        report = training_report(record, title=name)
        page = opened(report, width=400)
        assert page.title() == name
        assert page.locator("h1").inner_text() == name
        assert page.locator(".legend bdi").first.inner_text() == name
        assert page.locator(".layer h3 bdi").first.inner_text() == f"{name} weights"
        assert page.locator("img, script").count() == 2
        assert page.evaluate("document.documentElement.scrollWidth") == 400


def test_a_name_of_many_letters_fits_a_telephone(opened):
    y = np.array([0, 1] * 25)
    name = "x" * 500
    record = trained(2, model=network((name, "b")), y=y, classes=[name, "yes"])
    record.add(1.0, **{name: 2.0})
    page = opened(training_report(record, title=name), width=400)
    assert page.evaluate("document.documentElement.scrollWidth") == 400
