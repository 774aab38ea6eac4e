"""The commands that show what a script computes."""

import subprocess
import sys

import pytest

from tinygrad_nn.cli import main

SCRIPT = """\
import numpy as np
import tinygrad_nn as tnn

from beside import data

layer = tnn.nn.Dense(2, 3, rng=0, name="hidden")
predicted = np.tanh(layer(data))
loss = predicted.sum()
loss.backward()
later = loss * 2.0
several = [predicted, loss]
number = 3


@tnn.compile
def step(x):
    return np.tanh(layer(x)).sum()


step(data)


class model:
    loss = later


def make():
    from beside import data  # an import that works only from the script's folder

    return layer(data)


def fails():
    raise ValueError("no such thing")
"""


@pytest.fixture
def script(tmp_path, monkeypatch):
    (tmp_path / "beside.py").write_text("import numpy as np\n\ndata = np.ones((4, 2))\n")
    (tmp_path / "train.py").write_text(SCRIPT)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return tmp_path / "train.py"


def test_draw_writes_the_loss_beside_where_it_is_called(script, capsys):
    assert main(["draw", str(script)]) == 0
    assert capsys.readouterr().out == "wrote train.svg\n"
    assert "hidden" in (script.parent / "elsewhere" / "train.svg").read_text()
    assert [p.name for p in script.parent.iterdir() if p.suffix == ".svg"] == []


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf", "dot", "html"])
def test_draw_writes_each_format(script, suffix, tmp_path):
    assert main(["draw", str(script), "-o", str(tmp_path / f"graph.{suffix}")]) == 0
    assert (tmp_path / f"graph.{suffix}").stat().st_size > 500


@pytest.mark.parametrize(
    "name", ["loss", "later", "several", "step", "model.loss", "make", ":loss"]
)
def test_a_name_stands_for_whatever_can_be_drawn(script, name, tmp_path):
    assert main(["draw", f"{script}:{name}", "-o", str(tmp_path / "graph.dot")]) == 0


def test_the_options_of_draw_reach_the_drawing(script, tmp_path):
    out = tmp_path / "graph.dot"
    options = "--check --backward --direction LR --theme dark --highlight hidden --max-nodes 9"
    assert main(["draw", str(script), "-o", str(out), *options.split()]) == 0
    text = out.read_text()
    for word in ("rankdir=LR", "#15181d", "PASS", "backward", "highlighted", "folded"):
        assert word in text
    assert main(["draw", str(script), "-o", str(out), "--collapse", "hid*", "--depth", "0"]) == 0
    assert "folded group" in out.read_text()


def test_without_loss_it_is_what_was_computed_last(tmp_path, capsys):
    script = tmp_path / "other.py"
    script.write_text(
        "import tinygrad_nn as tnn\n"
        "x = tnn.Tensor(2.0, requires_grad=True)\n"
        "last = x * x * x\nfirst = x * x\nfirst, last = last, first\n"
    )
    assert main(["draw", str(script), "-o", str(tmp_path / "g.dot")]) == 0
    assert (tmp_path / "g.dot").read_text().count("multiply") == 1  # x * x


def test_explain_prints_and_writes(script, tmp_path, capsys):
    assert main(["explain", f"{script}:later", "--parameter", "weights", "--index", "1,2"]) == 0
    out = capsys.readouterr().out
    assert "weights" in out
    assert "[1, 2]" in out
    assert main(["explain", str(script), "-o", str(tmp_path / "told.md")]) == 0
    assert "frac" in (tmp_path / "told.md").read_text()


@pytest.mark.parametrize("name", ["numpy.tanh", "np.tanh", "tanh", "losses.huber", "relu"])
def test_explain_tells_of_functions(name, capsys):
    assert main(["explain", name]) == 0
    assert name.rpartition(".")[2] in capsys.readouterr().out


def test_explore_writes_a_page_that_needs_nothing_else(script, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["explore", str(script), "-o", str(out)]) == 0
    page = out.read_text()
    assert "PASS" in page
    assert main(["explore", str(script), "-o", str(out), "--no-check"]) == 0
    assert main(["explore", f"{script}:several", "-o", str(out)]) == 0
    assert main(["explore", str(script)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "wrote train.html"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["draw", "{script}:los"], "write loss"),
        (["draw", "{script}:model.nothing"], "to have 'nothing'"),
        (["draw", "{script}:number"], "got int"),
        (["draw", "{script}:fails"], "no such thing, at "),
        (["draw", "{folder}/none.py"], "there is none"),
        (["draw", "{folder}"], "expected SCRIPT.py"),
        (["draw", "{folder}/beside.py"], "expected a Tensor among its variables"),
        (["draw", "{script}", "-o", "graph.bmp"], "expected a name ending in"),
        (["draw", "{script}", "-o", "{folder}/none/graph.svg"], "cannot be written"),
        (["draw", "{script}:predicted", "--check"], "expected a scalar"),
        (["explain", "{script}", "--index", "a"], "expected integers"),
        (["explain", "{script}", "--parameter", "nothing"], "weights"),
        (["explain", "numpy.tahn"], "or tanh"),
        (["explain", "tanh", "--index", "1"], "leave them out"),
        (["explore", "{script}", "-o", "x.svg"], "ending in .html"),
        (["explore", "{script}:step"], "compiled program"),
    ],
)
def test_what_cannot_be_shown_is_one_line_and_status_2(script, arguments, said, capsys):
    filled = [a.format(script=script, folder=script.parent) for a in arguments]
    assert main(filled) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"tinygrad-nn {arguments[0]}: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err


def test_a_script_that_fails_is_told_with_its_line(tmp_path, capsys):
    script = tmp_path / "broken.py"
    script.write_text("x = 1\ny = x / 0\n")
    assert main(["draw", str(script)]) == 2
    assert "broken.py:2" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["draw", "explain", "explore"])
def test_help_tells_what_to_write(command):
    done = subprocess.run(
        [sys.executable, "-m", "tinygrad_nn", command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for word in ("SCRIPT.py", "examples:", "--out FILE", "variable `loss`"):
        assert word in done.stdout
