"""The demo's run: it learns, its gradients are right, its files are what they say."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tinygrad_nn.data import spiral
from tinygrad_nn.diagrams.plots import training_picture
from tinygrad_nn.errors import ArgumentError, OutputError
from tinygrad_nn.training import run_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return run_demo(tmp_path_factory.mktemp("demo"))


def test_it_reaches_ninety_per_cent_with_right_gradients(demo):
    assert demo.accuracy >= 0.90
    assert demo.check
    assert [f.shape for f in demo.check.findings] == [(2, 64), (64,), (64, 3), (3,)]


def test_the_graph_shows_layers_values_gradients_and_verdicts(demo):
    svg = demo.files[0].read_text()
    for text in ("hidden", "output", "matmul", "relu", "loss", "PASS", "gradient", "value"):
        assert text in svg
    assert "WRONG" not in svg


def test_the_picture_shows_every_point_and_both_curves(demo):
    root = ElementTree.fromstring(demo.files[1].read_text())
    tags = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert tags.count("circle") == 300
    assert tags.count("polyline") == 2


def test_the_page_shows_the_run_its_check_and_its_graph(demo):
    page = demo.files[2].read_text(encoding="utf-8")
    assert demo.files[2].name == "training.html"
    assert len(page.encode()) < 2_000_000
    assert "epoch 2000 of 2000" in page
    assert f"loss {demo.loss:.4g}" in page
    assert f"{round(300 * demo.accuracy)} of 300 right" in page
    for name in ("hidden weights", "hidden biases", "output weights", "output biases"):
        assert page.count(f"<bdi>{name}</bdi>") == 2  # of the layer, and in the check
    assert page.count("✓ PASS") == 4
    assert "log_softmax" in page  # in the graph
    # Dead units, if there are any, are noted.
    assert ("Dead units" in page) == (dead_units(demo.model) > 0)


def dead_units(model):
    X, _ = spiral(100, 3, 0)
    hidden = np.maximum(model.layers[0](X).numpy(), 0)
    return int(np.sum(np.all(hidden == 0, axis=0)))


def test_the_report_says_what_was_done(demo):
    report = demo.files[3].read_text()
    assert report == demo.report
    assert f"accuracy    {demo.accuracy:.4f}" in report
    assert "gradients   right" in report
    assert "hidden weights" in report
    assert "1 program made" in report


def test_the_program_that_trained_runs_by_itself(demo):
    file = demo.files[4]
    assert file.name == "train_step.py"
    ran = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)
    last = ran.stdout.splitlines()[-1].split()
    assert float(last[1]) <= demo.loss * 1.1


def test_the_recorded_step_trains_the_same(tmp_path):
    eager = run_demo(tmp_path / "eager", epochs=50, eager=True)
    compiled = run_demo(tmp_path / "compiled", epochs=50)
    assert eager.loss == pytest.approx(compiled.loss, rel=1e-3)
    assert not (tmp_path / "eager" / "train_step.py").exists()


def test_the_same_seed_gives_the_same_run(demo, tmp_path):
    again = run_demo(tmp_path)
    assert again.loss == demo.loss
    for name in ("graph.svg", "training.svg"):
        assert (tmp_path / name).read_bytes() == (demo.files[0].parent / name).read_bytes()
    # Where the machine is busy, the check looks at fewer elements.
    pages = [f / "training.html" for f in (tmp_path, demo.files[0].parent)]
    first, second = (re.sub("<h2>Gradient check.*?</table>", "", p.read_text()) for p in pages)
    assert first == second


def test_a_bad_folder_or_epoch_count_raises_before_any_work(tmp_path):
    with pytest.raises(ArgumentError):
        run_demo(tmp_path, epochs=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        run_demo(tmp_path / "file", epochs=10**9)


def test_spiral_leaves_numpys_global_generator_alone():
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    X, y = spiral(10, 2, seed=3)
    assert np.random.random() == expected
    assert X.shape == (20, 2)
    assert y.tolist() == [0] * 10 + [1] * 10
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X, spiral(10, 2, seed=3)[0])
    with pytest.raises(ArgumentError):
        spiral(0, 3)
    with pytest.raises(ArgumentError, match="seed"):
        spiral(10, 3, seed=-1)


def test_a_picture_of_one_epoch_is_valid_too():
    X = np.array([[0.0, 1.0], [1.0, 0.0]])
    svg = training_picture(X, np.array([0, 1]), lambda points: points, [0.0], [1.0])
    ElementTree.fromstring(svg)
    assert "nan" not in svg
    diverged = training_picture(
        X,
        np.array([0, 1]),
        lambda points: points,
        [1.19, 2.0, np.inf, np.nan],
        [1.0, 0.5, 0.5, 0.5],
    )
    ElementTree.fromstring(diverged)
    assert "nan" not in diverged
    assert "inf" not in diverged
    for tick in (">0.5<", ">1<", ">1.5<", ">2<"):
        assert tick in diverged
