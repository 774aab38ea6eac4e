"""The command: what it prints, what it writes, and its exit status."""

import re
import subprocess
import sys

import pytest

from tinygrad_nn import __version__
from tinygrad_nn.cli import main
from tinygrad_nn.diagrams import render
from tinygrad_nn.primitives import TABLE, Derivative


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tinygrad_nn", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_gradcheck_prints_a_table_of_everything_and_succeeds(capsys):
    assert main(["gradcheck"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["checked", "inputs", "largest", "error", "verdict"]
    for name in (*TABLE, "activations.softmax", "losses.triplet", "nn.Dense, by its parameters"):
        assert name in out or name == "tinygrad_nn.stop_gradient"
    assert re.fullmatch(r"\d+ checks, \d+\.\d s: all right", out.splitlines()[-1])


def test_gradcheck_fails_on_a_wrong_derivative_and_names_it(capsys, monkeypatch):
    wrong = (Derivative("g", lambda g, y, a: 1.001 * g * y),)
    monkeypatch.setattr(TABLE["numpy.exp"], "derivatives", wrong)
    assert main(["gradcheck"]) == 1
    out = capsys.readouterr().out
    assert "NOT RIGHT" in out
    assert "not right: numpy.exp" in out
    assert "not right: activations.softmax" in out
    assert "not right: numpy.sin" not in out


def test_demo_writes_its_files_and_reports(tmp_path, capsys):
    folder = tmp_path / "new" / "folder"
    assert main(["demo", "--out", str(folder), "--epochs", "3"]) == 0
    program = ["train_step.npz", "train_step.py"]
    written = ["graph.svg", "report.txt", *program, "training.html", "training.svg"]
    assert sorted(p.name for p in folder.iterdir()) == written
    captured = capsys.readouterr()
    assert captured.out.startswith("accuracy 0.")
    assert "gradients of all parameters: PASS" in captured.out
    assert captured.err == ""  # no terminal, no progress


def test_demo_without_a_renderer_keeps_the_dot_text_and_says_what_to_install(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(render, "_renderers", lambda: iter(()))
    assert main(["demo", "--out", str(tmp_path), "--epochs", "1"]) == 0
    assert (tmp_path / "graph.dot").read_text().startswith("digraph")
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith("graph.svg was not drawn")
    assert "pip install graphviz-pure" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo", "--out", "{file}/folder"], "cannot be made"),
        (["demo", "--out", "{file}"], "cannot be made"),
        (["demo", "--out", "{folder}", "--epochs", "0"], "expected at least 1 epoch"),
        (["demo", "--out", "{folder}", "--seed", "-1"], "seed"),
        (["gradcheck", "--seed", "-1"], "seed"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(arguments, said, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("kept")
    arguments = [a.format(file=file, folder=tmp_path / "out") for a in arguments]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith(f"tinygrad-nn {arguments[0]}: ")
    assert said in captured.err
    assert file.read_text() == "kept"


@pytest.mark.parametrize(
    "arguments", [[], ["paint"], ["demo", "--epochs", "many"], ["gradcheck", "--nothing"]]
)
def test_bad_usage_exits_with_2_and_no_traceback(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "usage: tinygrad-nn" in done.stderr


def test_version_and_help():
    assert run("--version").stdout.strip() == f"tinygrad-nn {__version__}"
    out = run("--help").stdout
    assert "demo" in out
    assert "gradcheck" in out


def test_an_interrupt_is_no_traceback(capsys, monkeypatch):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygrad_nn.gradcheck_command._run", interrupted)
    assert main(["gradcheck"]) == 130
    assert "interrupted" in capsys.readouterr().err
