"""What can be drawn, with which looks: functions, several outputs, programs, both passes."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.autograd.backward import gradients, plan
from tinygrad_nn.diagrams.labels import histogram, static_text, statistics
from tinygrad_nn.errors import ArgumentError, OutputError, TraceError


def svg_nodes(diagram):
    """The names of the nodes in the picture, the legend's apart."""
    space = "{http://www.w3.org/2000/svg}"
    found = set()
    for group in ElementTree.fromstring(diagram.svg).iter(f"{space}g"):
        if group.get("class") == "node":
            found.add(group.find(f"{space}title").text)
    return {name for name in found if not name.startswith("legend")}


def svg_edges(diagram):
    space = "{http://www.w3.org/2000/svg}"
    groups = ElementTree.fromstring(diagram.svg).iter(f"{space}g")
    return [g.find(f"{space}title").text for g in groups if g.get("class") == "edge"]


def some_loss():
    x = tnn.Tensor(np.arange(6.0).reshape(3, 2), name="x")
    layer = tnn.nn.Dense(2, 4, rng=0, name="hidden")
    loss = tnn.losses.mean_squared_error(np.ones((3, 4)), tnn.activations.sigmoid(layer(x)))
    loss.name = "loss"
    return loss


def test_each_node_and_each_edge_of_the_graph_is_in_the_picture():
    loss = some_loss()
    graph = tnn.Graph([loss])
    constants = [i for n in graph for i in n.inputs if not hasattr(i, "inputs")]
    assert len(svg_nodes(tnn.draw(loss))) == len(graph) + len(constants)
    assert len(svg_edges(tnn.draw(loss))) == sum(len(n.inputs) for n in graph)


def test_several_outputs_are_drawn_together():
    x = tnn.Tensor([1.0, 2.0], requires_grad=True, name="x")
    y, z = np.sin(x), np.cos(x)
    for diagram in (tnn.draw(y, z), tnn.draw([y, z]), tnn.draw(tnn.Graph([y, z]))):
        assert len(svg_nodes(diagram)) == 3
        assert diagram.source.count("peripheries=2") >= 2
    with pytest.raises(ArgumentError, match="one output to check; got 2"):
        tnn.draw(y, z, check=True)


def test_a_module_is_drawn_with_its_input():
    model = tnn.nn.Sequential(tnn.nn.Dense(2, 3, rng=0, name="a"), tnn.activations.relu, name="m")
    source = tnn.draw(model, np.ones((5, 2))).source
    assert "<B>x</B>" in source  # called as forward calls it
    assert "label=<m>" in source
    assert "(5, 2)" in source


def test_a_function_is_drawn_with_its_inputs():
    source = tnn.draw(lambda left, right: np.maximum(left, right), tnn.Tensor(1.0), 2.0).source
    assert "<B>right</B>" in source
    with pytest.raises(ArgumentError, match="the input of Dense"):
        tnn.draw(tnn.nn.Dense(2, 3))
    with pytest.raises(ArgumentError, match="to return Tensors; got ndarray"):
        tnn.draw(lambda x: np.ones(3), 1.0)


@pytest.mark.parametrize("strange", [np.ones(3), "loss", None, [], [tnn.Tensor(1.0), 3]])
def test_anything_else_is_refused(strange):
    with pytest.raises(ArgumentError, match="draw: expected"):
        tnn.draw(strange)


@pytest.fixture
def compiled():
    layer = tnn.nn.Dense(2, 3, rng=0, name="layer")
    optimizer = tnn.optim.Adam(layer.parameters())

    @tnn.compile(target="teaching")
    def step(X, y):
        loss = tnn.losses.mean_squared_error(y, np.tanh(layer(X)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_compiled_step_is_drawn_in_its_phases(compiled):
    with pytest.raises(TraceError, match="call it once"):
        tnn.draw(compiled)
    compiled(np.ones((4, 2)), np.ones((4, 3)))
    diagram = tnn.draw(compiled)
    for scope in ("forward", "backward", "update", "layer", "mean_squared_error"):
        assert f"label=<{scope}>" in diagram.source
    program = compiled.built.program
    drawn = len(program.inputs) + len(program.constants) + len(program.equations)
    assert len(svg_nodes(diagram)) == drawn
    assert "layer_weights" in diagram.source
    assert "label=<>" not in diagram.source
    with pytest.raises(ArgumentError, match="a compiled step without check"):
        tnn.draw(compiled, check=True)
    with pytest.raises(ArgumentError, match="compiled program"):
        diagram.save("never.html")


def test_a_step_with_packed_parameters_is_drawn_without_empty_frames():
    layer = tnn.nn.Dense(2, 3, rng=0, name="layer")
    optimizer = tnn.optim.Adam(layer.parameters())

    @tnn.compile
    def step(X):
        loss = layer(X).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    step(np.ones((4, 2)))
    source = tnn.draw(step, collapse="update").source
    assert "label=<>" not in source
    assert "<B>update</B>" in source


def test_the_backward_pass_is_drawn_beside_the_forward_pass():
    loss = some_loss()
    diagram = tnn.draw(loss, backward=True)
    assert "label=<backward>" in diagram.source
    for name in ("d loss", "d weights", "d biases"):
        assert f"<B>{name}</B>" in diagram.source
    assert "style=dashed" in diagram.source  # values of the forward pass that it uses
    seed = {loss._node: np.ones(())}
    weights = next(n for n in tnn.Graph([loss]) if n.name == "weights")
    expected = gradients(plan(list(seed)), list(seed.items()))[weights]
    smallest = f"{expected.min():.3g}"
    assert smallest in diagram.source


def test_what_the_backward_pass_takes_from_the_inputs_is_an_arrow_from_there():
    x = tnn.Tensor([1.0, 2.0], name="x")
    w = tnn.Tensor([3.0, 4.0], requires_grad=True, name="w")
    diagram = tnn.draw((x * w).sum(), backward=True)
    number = re.search(r"(n\d+) \[label=<<TABLE[^>]*><TR><TD[^>]*><FONT[^>]*><B>x<", diagram.source)
    assert f"{number[1]} -> " in diagram.source
    assert len(re.findall(rf"{number[1]} -> .*style=dashed", diagram.source)) == 1


def test_arrays_that_are_not_finite_are_drawn_beside_gradients_that_are():
    data = np.arange(30.0)
    data[[1, 2]] = np.nan, np.inf
    x = tnn.Tensor(data, requires_grad=True)
    loss = (x * 2.0).sum()
    loss.backward()
    assert "NaN" in tnn.draw(loss).svg


def test_a_computation_that_nobody_recorded_says_so():
    diagram = tnn.draw(np.sum(tnn.Tensor([1, 2, 3], name="i") * 2))
    assert "nothing was recorded" in diagram.notes[0]
    assert not tnn.draw(tnn.Tensor(1.0, name="alone")).notes


def test_the_backward_pass_keeps_silent_where_backward_does():
    x = tnn.Tensor([0.0, 4.0], requires_grad=True, name="x")
    with np.errstate(divide="ignore"):
        y = np.where(x.data > 0, np.log(x), 0.0).sum()
    assert "value [0, 0.25]" in tnn.draw(y, backward=True).source


def test_numbers_and_gradients_can_be_left_out():
    loss = some_loss()
    loss.backward()
    whole, plain = tnn.draw(loss).source, tnn.draw(loss, values=False, gradients=False).source
    assert "gradient" in whole
    assert "gradient" not in plain
    assert "value" not in plain
    assert "gradient" not in tnn.draw(loss, gradients=False).source


def test_a_page_steps_backward_whether_backward_has_run_or_not():
    def steps(page):
        return re.search(r'"orders":\{"right":\[([^\]]*)\]', page)[1]

    loss = some_loss()
    before = steps(tnn.draw(loss).html)
    loss.backward()
    assert before == steps(tnn.draw(loss).html) != ""
    x = tnn.Tensor([1.0, 2.0], requires_grad=True)
    assert steps(tnn.draw(x * x).html) == ""  # no scalar, and nobody said what to start from


def test_large_arrays_are_told_by_statistics_and_a_histogram():
    data = np.concatenate([np.zeros(30), np.linspace(-1, 1, 60), [np.nan] * 5, [np.inf] * 5])
    source = tnn.draw(tnn.Tensor(data, name="data")).source
    for text in ("min", "mean", "max", "zero", "30%", "NaN", "±inf"):
        assert f">{text}<" in source
    assert source.count("FIXEDSIZE") > 12
    facts = dict(statistics(data))
    assert facts["min"] == "-1"
    assert facts["NaN"] == "5"


def test_a_histogram_counts_finite_numbers_of_any_size(rng):
    data = rng.standard_normal(1000)
    counts, _ = np.histogram(data, 12)
    np.testing.assert_allclose(histogram(data), counts / counts.max())
    assert histogram(np.full(10, 3.0)) == [*[0.0] * 6, 1.0, *[0.0] * 5]
    assert max(histogram(np.full(10, np.nan))) == 0.0
    assert max(histogram(np.array([1e308, -1e308, 0.0]))) == 1.0


def test_kinds_differ_in_outline_and_colour_and_stand_in_the_legend():
    loss = some_loss()
    for theme in ("light", "dark"):
        source = tnn.draw(loss, theme=theme, highlight="hidden").source
        legend = source[source.index("cluster_legend") :]
        for kind in ("parameter", "input", "constant", "operation", "output", "highlighted"):
            assert kind in legend
        looks = re.findall(r'label=\w+ margin="[^"]*" (.*)\]', legend)
        assert len(set(looks)) == len(looks)
    assert tnn.draw(loss, theme="dark").source != tnn.draw(loss).source
    with pytest.raises(ArgumentError, match="theme 'light' or 'dark'"):
        tnn.draw(loss, theme="blue")


def test_what_is_highlighted_is_marked_and_has_to_be_there():
    loss = some_loss()
    assert tnn.draw(loss, highlight=None, collapse=None).source == tnn.draw(loss).source
    assert tnn.draw(loss, highlight=loss).source.count("penwidth=4") == 2  # and in the legend
    assert tnn.draw(loss, highlight=["hidden/weights"]).source.count("penwidth=4") == 2
    assert tnn.draw(loss, highlight="hidden").source.count("penwidth=4") > 3
    with pytest.raises(ArgumentError, match="'nowhere'"):
        tnn.draw(loss, highlight="nowhere")
    with pytest.raises(ArgumentError, match="highlight"):
        tnn.draw(loss, highlight=[tnn.Tensor(1.0)])
    with pytest.raises(ArgumentError, match="to highlight; got 3"):
        tnn.draw(loss, highlight=3)


def test_arrows_tell_the_shapes_of_what_goes_along_them():
    source = tnn.draw(some_loss()).source
    for shape in ("(3, 2)", "(2, 4)", "(3, 4)", "(4,)"):
        assert f'label="{shape}"' in source


def test_losses_and_activations_are_scopes():
    source = tnn.draw(some_loss()).source
    assert "label=<mean_squared_error>" in source
    assert "label=<sigmoid>" not in source  # a frame around one operation says nothing


def test_the_bundled_renderer_draws_a_page_as_well(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    pdf = tnn.draw(some_loss()).pdf
    assert pdf.startswith(b"%PDF-1.4")
    width, height = map(float, re.search(rb"MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf).groups())
    size = re.search(r'width="(\d+)pt" height="(\d+)pt"', tnn.draw(some_loss()).svg)
    assert width == pytest.approx(float(size[1]), abs=2)
    assert height == pytest.approx(float(size[2]), abs=2)
    places = [int(line[:10]) for line in pdf.split(b"xref\n")[1].splitlines()[2:7]]
    for number, place in enumerate(places, 1):
        assert pdf[place:].startswith(b"%d 0 obj" % number)


@pytest.mark.skipif(shutil.which("dot") is None, reason="the system has no Graphviz")
def test_both_renderers_draw_the_same():
    diagram = tnn.draw(some_loss(), check=True)
    ours, theirs = (_texts(diagram.source, program) for program in ("graphviz-pure", "dot"))
    assert ours == theirs
    assert "PASS" in ours


def _texts(source, program):
    """What is written in a picture, and which nodes and edges there are."""
    drawn = subprocess.run(
        [program, "-Tsvg"], input=source.encode(), capture_output=True, check=True
    ).stdout
    found = [element.text for element in ElementTree.fromstring(drawn).iter() if element.text]
    return sorted(text.strip() for text in found if text.strip() not in ("", "%3"))


def test_what_is_no_jpeg_is_no_page():
    from tinygrad_nn.diagrams.pdf import pdf_of_jpeg

    for broken in (b"", b"\xff\xd8\xff\xe0\x00\x02", b"GIF89a" * 9):
        with pytest.raises(OutputError, match="expected a JPEG"):
            pdf_of_jpeg(broken, 72)


def test_jupyter_is_never_stopped_by_a_picture(monkeypatch):
    diagram = tnn.draw(some_loss())
    monkeypatch.setattr(type(diagram), "svg", property(lambda self: 1 / 0))
    shown = diagram._repr_mimebundle_()
    assert "division by zero" in shown["text/plain"]


def test_where_an_object_happens_to_lie_is_not_in_the_text():
    class How:
        pass

    assert static_text({"how": [How(), 1]}) == static_text({"how": [How(), 1]})
    assert "0x" not in static_text({"how": [How()]})
    assert static_text({"how": np.tanh, "f": svg_nodes}) == "how=tanh, f=svg_nodes"
