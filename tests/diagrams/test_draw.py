"""Diagrams: what is on them, how they are saved, and what happens without a renderer."""

import os
import re
import stat
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.diagrams import render as render_module
from tinygrad_nn.diagrams.labels import static_text, summary
from tinygrad_nn.errors import ArgumentError, GradientError, OutputError
from tinygrad_nn.primitives import TABLE, Derivative


def network_loss(name="layer"):
    x = tnn.Tensor([[0.5, -1.0], [1.5, 2.0]], name="x")
    layer = tnn.nn.Dense(2, 2, rng=0, name=name)
    loss = tnn.losses.mean_squared_error([[0.0, 1.0], [1.0, 0.0]], np.tanh(layer(x)))
    loss.name = "loss"
    return loss


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.text]


def test_each_operation_leaf_and_layer_is_drawn_with_shape_and_value():
    source = tnn.draw(network_loss()).source
    for word in ("matmul", "add", "tanh", "subtract", "square", "mean", "weights", "biases"):
        assert f"<B>{word}</B>" in source or f">{word}<" in source
    assert "cluster_" in source
    assert "label=<layer>" in source
    assert len(re.findall(r"n\d+ -> n\d+", source)) == 9  # 6 operations with 9 inputs
    written = re.findall(r">([-\d.]+)</FONT>", source)
    for number in ("0.5", "-1", "1.5", "2"):
        assert number in written


def test_gradients_read_not_run_until_backward_has_run_and_are_never_called_zero():
    loss = network_loss()
    before = tnn.draw(loss).source
    assert before.count("not run") == 8  # x asked for none
    assert "gradient 0" not in before
    loss.backward()
    after = tnn.draw(loss).source
    assert "not run" not in after
    assert "gradient 1<" in after


def test_interior_gradients_are_those_of_the_walk():
    x = tnn.Tensor(3.0, requires_grad=True)
    y = x * 2.0
    z = y * y
    z.backward()
    source = tnn.draw(z).source
    assert "gradient 12<" in source  # dz/dy
    assert "gradient 24<" in source  # dz/dx


def test_a_gradient_given_to_backward_is_the_one_that_is_drawn():
    x = tnn.Tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    y.backward(gradient=[10.0, 100.0])
    assert "gradient [20, 400]" in tnn.draw(y).source


def test_verdicts_are_drawn_on_request():
    loss = network_loss()
    assert "PASS" not in tnn.draw(loss).source
    checked = tnn.draw(loss, check=True).source
    assert checked.count("PASS") == 7  # every gradient but the output's own


def test_a_wrong_derivative_is_drawn_as_wrong_with_both_numbers(monkeypatch):
    loss = network_loss()
    wrong = (Derivative("g", lambda g, y, a: 2.0 * g),)
    monkeypatch.setattr(TABLE["numpy.tanh"], "derivatives", wrong)
    source = tnn.draw(loss, check=True).source
    assert "<B>WRONG, made by tanh</B>" in source
    assert "analytic" in source
    assert "numeric" in source


def test_a_check_needs_something_to_check():
    x = tnn.Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GradientError, match=r"call \.backward\(gradient\) first"):
        tnn.draw(x * x, check=True)
    with pytest.raises(GradientError):
        tnn.draw(tnn.Tensor(1.0), check=True)


def test_the_same_model_gives_the_same_text():
    assert tnn.draw(network_loss()).source == tnn.draw(network_loss()).source


def test_nested_scopes_are_nested_clusters_and_leaves_stand_with_their_users():
    w = tnn.Tensor(2.0, requires_grad=True, name="w")
    with tnn.scope("outer"), tnn.scope("inner"):
        y = w * 3.0
    source = tnn.draw(y + 1.0).source
    outer, inner = source.index("label=<outer>"), source.index("label=<inner>")
    assert outer < inner < source.index("<B>w</B>")
    assert source.count("subgraph cluster_n") == 2


HOSTILE = [
    '<b>&"',
    "</table><script>alert(1)</script>",
    "a\\n\x00\x1b[31m",
    "名前 ᾱ",
    "x" * 500,
    "}",
    r"\N \G \L \\ \n",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_draws_as_that_text(name):
    x = tnn.Tensor(1.0, requires_grad=True, name=name)
    with tnn.scope(name):
        y = x * 2.0
    svg = tnn.draw(y).render("svg").decode()
    root = ElementTree.fromstring(svg)
    assert not [e for e in root.iter() if e.tag.endswith("script")]
    printable = "".join(c if c.isprintable() else " " for c in name)
    shown = [re.sub("\xa0", " ", text).strip() for text in texts(svg)]
    assert any(text.startswith(printable.strip()[:40]) for text in shown)


def test_diagrams_are_saved_as_dot_svg_png_and_pdf(tmp_path):
    diagram = tnn.draw(network_loss())
    for suffix in ("dot", "gv", "svg", "png", "pdf"):
        path = diagram.save(tmp_path / f"graph.{suffix}")
        assert path.stat().st_size > 500
    assert (tmp_path / "graph.dot").read_text() == diagram.source
    assert "matmul" in texts((tmp_path / "graph.svg").read_text())
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "graph.pdf").read_bytes().startswith(b"%PDF")
    assert len(list(tmp_path.iterdir())) == 5
    assert (diagram.dot, diagram.svg.encode()) == (diagram.source, diagram.render("svg"))
    assert (diagram.png[:4], diagram.pdf[:4]) == (b"\x89PNG", b"%PDF")


def test_unknown_formats_and_places_raise_and_leave_nothing(tmp_path):
    diagram = tnn.draw(network_loss())
    with pytest.raises(ArgumentError, match=r"\.svg, \.png, \.pdf, \.html"):
        diagram.save(tmp_path / "graph.bmp")
    with pytest.raises(OutputError, match="cannot be written"):
        diagram.save(tmp_path / "missing" / "graph.dot")
    assert not list(tmp_path.iterdir())
    with pytest.raises(ArgumentError, match="a Tensor or a Graph"):
        tnn.draw(np.ones(3))
    with pytest.raises(ArgumentError, match="direction"):
        tnn.draw(network_loss(), direction="up")


def fake_dot(folder, script):
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    return program


def test_the_systems_dot_is_preferred(tmp_path, monkeypatch):
    fake_dot(tmp_path, "cat >/dev/null; echo '<svg>system</svg>'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert tnn.draw(network_loss()).render("svg") == b"<svg>system</svg>\n"


def test_a_dot_that_fails_gives_way_to_the_bundled_renderer(tmp_path, monkeypatch):
    fake_dot(tmp_path, "echo 'no plugins' >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert b"matmul" in tnn.draw(network_loss()).render("svg")


def test_the_bundled_renderer_is_found_without_any_path(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert b"matmul" in tnn.draw(network_loss()).render("svg")


@pytest.fixture
def _no_renderer(monkeypatch):
    monkeypatch.setattr(render_module, "_renderers", lambda: iter(()))


@pytest.mark.usefixtures("_no_renderer")
def test_without_a_renderer_saving_says_what_to_install_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "graph.svg"
    path.write_text("old")
    with pytest.raises(OutputError, match="pip install graphviz-pure") as caught:
        tnn.draw(network_loss()).save(path)
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"


@pytest.mark.usefixtures("_no_renderer")
def test_without_a_renderer_jupyter_gets_the_dot_text_and_the_remedy():
    shown = tnn.draw(network_loss())._repr_mimebundle_()
    assert shown.keys() == {"text/plain"}
    assert "pip install graphviz-pure" in shown["text/plain"].splitlines()[0]
    assert "digraph" in shown["text/plain"]


def test_jupyter_gets_a_picture():
    shown = tnn.draw(network_loss())._repr_mimebundle_(include=None, exclude=None)
    assert "<svg" in shown["image/svg+xml"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array(0.25), "0.25"),
        (np.array([[1.0, 2.0], [3.0, 4.0]]), "[[1, 2], [3, 4]]"),
        (np.arange(10.0), "0 … 9, mean 4.5"),
        (np.array([np.nan] * 9 + [1.0]), "1 … 1, mean 1, 9 not finite"),
        (np.full(7, np.inf), "nothing finite, 7 not finite"),
        (np.zeros((0, 3)), "empty"),
        (np.array([True] * 5 + [False] * 5), "5 of 10 true"),
        (3, "3"),
    ],
)
def test_values_are_summarised_so_that_they_fit(value, text):
    assert summary(value) == text


def test_static_arguments_are_written_as_people_write_them():
    index = (slice(None), slice(1, None, 2), Ellipsis, np.array([0, 1]), None, 3)
    assert static_text({"index": index}) == "index=(:, 1::2, …, array(2,), None, 3)"
    assert static_text({"axis": -1, "keepdims": True}) == "axis=-1, keepdims=True"
    assert static_text({"shape": (2,), "axes": ()}) == "shape=(2,), axes=()"
    assert static_text(None) == ""


def test_a_constant_with_no_history_is_drawn_alone():
    assert tnn.draw(tnn.Tensor([1.0], name="alone")).source.count("[label") == 1
