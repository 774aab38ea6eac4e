"""The command gradcheck: what it checks, prints and writes, and its exit status."""

import json
import os
import re
import subprocess
import sys
import textwrap
from html.parser import HTMLParser
from types import ModuleType
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_nn
from tinygrad_nn import __version__
from tinygrad_nn.cli import main
from tinygrad_nn.verify import LibraryCheck, Verdict, gradcheck

MODEL = """
import sys
import numpy as np
import tinygrad_nn as tnn

def right(x): return np.sin(x) * x

@tnn.primitive(derivatives={"x": lambda g, y, x: g * 2 * x**2})
def cube(x): return x ** 3

def wrong(x): return cube(x) + 1.0
def kink(x): return np.abs(x)
def kink_samples(): return [np.array([0.0, 1.0]), np.array([1.0, 2.0])]
def jump(x=np.zeros(1)): return np.where(x > 0, x + 1.0, x)
def fails(x):
    raise ValueError("two\\nlines")
def leaves(x): sys.exit(0)
def talks(x):
    print("word " * 100_000)
    return x * x
def interrupted(x): raise KeyboardInterrupt
def moves(x):
    import os
    os.chdir("/")
    return x * x
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(capsys):
    """Runs the command; gives its exit status and what it printed."""

    def run(*arguments):
        status = main(["gradcheck", *arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def library(monkeypatch):
    """Stands for the library, which takes seconds to check."""

    def checks(seed, order):
        for name in ("numpy.exp", "numpy.sin", "activations.softmax", "operator x ** 3"):
            yield LibraryCheck(name, lambda: gradcheck(np.sin, np.ones(2), order=order, rng=seed))

    monkeypatch.setattr("tinygrad_nn.verify.library_checks", checks)


def refused(outcome):
    status, out, err = outcome
    assert status == 2
    assert out == ""
    assert err.startswith("tinygrad-nn gradcheck: ")
    assert err.count("\n") == 1
    return err


# --- one's own functions ----------------------------------------------------------------------


def test_a_right_gradient_is_shown_in_full_and_succeeds(run):
    status, out, err = run("model.py::right", "--shape", "x=2,3")
    assert status == 0
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "model.py::right: PASS"
    assert lines[1].split()[:3] == ["input", "shape", "worst"]
    assert re.fullmatch(r"1 check, \d+\.\d s: all right", lines[-1])


def test_a_wrong_gradient_is_blamed_and_named(run, folder):
    status, out, _ = run("model.py::wrong", "--shape", "x=3")
    assert status == 1
    assert "blame: the derivative of model.cube is wrong" in out
    assert f"at {folder / 'model.py'}:11 in wrong: def wrong(x): return cube(x) + 1.0" in out
    assert re.search(r"1 check, \d+\.\d s: 1 NOT RIGHT\nnot right: model.py::wrong\n$", out)


def test_each_sample_is_a_check_with_its_notes(run):
    status, out, _ = run("model.py::kink")
    assert status == 0
    assert "model.py::kink, sample 1: KINK" in out
    assert "which lies between them" in out
    assert "model.py::kink, sample 2: PASS" in out


def test_a_file_alone_tells_what_it_leaves_out(run):
    status, out, _ = run("model.py")
    assert status == 1
    first = out.splitlines()[0]
    assert first.startswith("left out, since no inputs are known: right, cube, wrong")
    assert "not right: model.py::jump" in out


def test_the_order_and_a_module(run):
    status, out, _ = run("model:right", "--shape", "x=2", "--order", "2")
    assert status == 0
    assert "∂2 x" in out


def test_an_exception_in_a_function_is_an_error_with_its_line(run, folder):
    status, out, err = run("model.py::fails", "--shape", "x=3")
    assert status == 1
    at = f"at {folder / 'model.py'}:16 in fails: raise ValueError"
    assert f"model.py::fails: ERROR\nValueError: two lines, {at}" in out
    assert "Traceback" not in out + err
    status, out, _ = run("model.py::leaves", "--shape", "x=3")
    assert status == 1
    assert "SystemExit: 0" in out


def test_what_a_function_prints_is_counted_and_left_out(run):
    status, out, _ = run("model.py::talks", "--shape", "x=3")
    assert status == 0
    assert "word" not in out
    assert re.search(r"left out: [\d,]+ bytes that the functions printed", out)


def test_an_interrupt_is_one_line(run):
    status, _, err = run("model.py::interrupted", "--shape", "x=3")
    assert status == 130
    assert err == "tinygrad-nn gradcheck: interrupted\n"


# --- the library ------------------------------------------------------------------------------


def test_the_library_is_a_table(run, library):
    status, out, _ = run()
    assert status == 0
    assert out.splitlines()[0].split() == ["checked", "inputs", "largest", "error", "verdict"]
    assert re.fullmatch(r"4 checks, \d+\.\d s: all right", out.splitlines()[-1])


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("numpy", 2), ("NUMPY.*", 2), ("*max", 1), ("exp", 1), ("numpy.???", 2), ("x ** 3", 0)],
)
def test_only_is_a_part_of_a_name_or_a_pattern(run, library, pattern, count):
    status, out, _ = run("--only", pattern)
    if count:
        assert status == 0
        assert f"{count} check" in out
    else:
        assert status == 2  # a pattern, which no name is


def test_only_names_what_may_have_been_meant(run, library):
    assert "write softmax" in refused(run("--only", "sofmax"))
    assert "write numpy.exp" in refused(run("--only", "zzzzzz"))


def test_a_progress_line_is_for_long_runs_in_a_terminal(run, monkeypatch):
    monkeypatch.setattr("tinygrad_nn.gradcheck_command._LONG_RUN", 1)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    status, out, err = run("model.py::kink")
    assert status == 0
    assert "checking" in err
    assert "checking" not in out


# --- exit status ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "fail_on", "status"),
    [
        ("kink", "", 0),
        ("kink", "KINK", 1),
        ("kink", "kink, wrong", 1),
        ("kink", "WRONG", 0),
        ("jump", "", 1),
        ("jump", "wrong", 0),
        ("jump", "Jump", 1),
    ],
)
def test_what_fails_can_be_chosen(run, target, fail_on, status):
    arguments = ["--fail-on", fail_on] if fail_on else []
    assert run(f"model.py::{target}", *arguments)[0] == status


@pytest.mark.parametrize(
    ("target", "fail_on", "said"),
    [
        ("kink", "KINK", "1 FAILED\nfails on KINK: model.py::kink, sample 1"),
        ("kink", "WRONG", "none failed\nfails on WRONG: nothing does"),
        ("jump", "WRONG", "none failed, 1 not right\nnot right: model.py::jump\nfails on WRONG"),
        ("jump", "JUMP", "1 FAILED, 1 not right"),
    ],
)
def test_the_summary_agrees_with_the_exit_status(run, target, fail_on, said):
    status, out, _ = run(f"model.py::{target}", "--fail-on", fail_on)
    assert said in out
    assert "all right" not in out
    assert status == int("FAILED" in out)


def test_an_empty_shape_says_that_nothing_was_checked(run):
    status, out, _ = run("model.py::right", "--shape", "x=0,4")
    assert status == 0
    assert "nothing to check in x of shape (0, 4)" in out


def test_an_exception_fails_whatever_is_chosen(run):
    status, out, _ = run("model.py::fails", "--shape", "x=3", "--fail-on", "WRONG,JUMP")
    assert status == 1
    assert "fails on JUMP, WRONG: model.py::fails" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seed", "-1"], "--seed: expected a non-negative integer; got -1"),
        (["--order", "0"], "--order: expected an integer of at least 1; got 0"),
        (["--shape", "x=3"], "--shape: expected a TARGET"),
        (["model.py::right", "--shape", "x"], "--shape x: expected NAME=3,4"),
        (["model.py::right", "--shape", "z=3"], "one of x; got z"),
        (["model.py::right"], "--shape x=3,4"),
        (["model.py::rigth"], "did you mean right?"),
        (["modle.py"], "did you mean model.py?"),
        (["."], "got a folder"),
        (["nowhere:f"], "no module named 'nowhere'"),
        (["model.py::kink", "--only", "samples 1"], "sample 1"),
        (["--fail-on", "bad"], "expected some of UNUSED, PASS, KINK"),
        (["--fail-on", ","], "expected some of"),
        (["--fail-on", "ERROR"], "an exception fails in any case"),
        (["--self-test", "model.py"], "got target too"),
        (["--self-test", "--json", "x.json"], "got json too"),
        (["--self-test", "--fail-on", "WRONG"], "got fail-on too"),
        (["--self-test", "--order", "2"], "got order too"),
        (["--self-test", "--only", "zzz"], "gradcheck: --only: expected a part of the name of"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(run, arguments, said):
    assert said in refused(run(*arguments))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.py", b""),
        ("binary.py", bytes(range(256))),
        ("syntax.py", b"def f(:\n"),
        ("stops.py", b"import sys\nsys.exit(0)\n"),
        ("mein ding \u00e9.py", b"1 / 0\n"),
    ],
)
def test_hostile_files_are_one_line_and_status_2(run, folder, name, data):
    (folder / name).write_bytes(data)
    assert name in refused(run(name))
    assert name in refused(run(f"{name}::f", "--shape", "x=3"))


# --- files ------------------------------------------------------------------------------------


def test_every_kind_of_file_is_written(run, folder):
    status, out, _ = run(
        "model.py::moves", "--shape", "x=3",
        "--json", "r.json", "--html", "r.html", "--junit", "r.xml",
    )  # fmt: skip
    assert status == 0
    assert out.count("\nwrote ") == 3
    found = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    assert found["version"] == __version__
    assert found["verdicts"] == {"PASS": 1}
    assert ElementTree.parse(folder / "r.xml").getroot().get("tests") == "1"
    HTMLParser().feed((folder / "r.html").read_text(encoding="utf-8"))


def test_files_of_failures_are_written_too(run, folder):
    assert run("model.py", "--junit", "r.xml", "--fail-on", "kink")[0] == 1
    suite = ElementTree.parse(folder / "r.xml").getroot()[0]
    assert suite.get("failures") == "1"  # the kink, but not the jump


@pytest.mark.parametrize("option", ["--json", "--html", "--junit"])
@pytest.mark.parametrize("path", ["", "nowhere/x", "model.py/x", ".", "x" * 300, "a\0b"])
def test_a_file_that_cannot_be_written_is_told_before_the_work(run, monkeypatch, option, path):
    monkeypatch.setattr("tinygrad_nn.verify.command.targets.find_target", None)
    refused(run("model.py::right", option, path))


def test_a_device_is_written_into(run, folder):
    (folder / "device").symlink_to(os.devnull)  # what replaces it then does the machine no harm
    status, out, _ = run("model.py::right", "--shape", "x=3", "--json", "device")
    assert status == 0
    assert out.endswith("device\n")
    assert (folder / "device").is_char_device()


def test_a_file_is_not_asked_for_twice(run):
    assert "twice" in refused(run("model.py::jump", "--json", "x", "--html", "./x"))


def test_an_existing_file_is_kept_until_the_end(run, folder):
    (folder / "r.json").write_text("kept")
    assert run("model.py::interrupted", "--shape", "x=3", "--json", "r.json")[0] == 130
    assert (folder / "r.json").read_text() == "kept"
    assert sorted(p.name for p in folder.iterdir() if p.name[0] == ".") == []


# --- the self-test ----------------------------------------------------------------------------


class Report:
    def __init__(self, right):
        self._right = right

    def __bool__(self):
        return self._right

    def __str__(self):
        return "12 faults"


@pytest.mark.parametrize("right", [True, False])
def test_the_self_test_is_run_and_judged(run, monkeypatch, right):
    def self_test(only="", seed=0, progress=None):
        assert (only, seed) == ("exp", 3)
        assert list(progress(["a"], 1, "planting")) == ["a"]
        return Report(right)

    stub = ModuleType("selftest")
    stub.self_test = self_test
    monkeypatch.setitem(sys.modules, "tinygrad_nn.verify.table.selftest", stub)
    status, out, _ = run("--self-test", "--only", "exp", "--seed", "3")
    assert out == "12 faults\n"
    assert status == (0 if right else 1)


# --- as a program -----------------------------------------------------------------------------


def program(*arguments, **environment):
    root = os.path.dirname(os.path.dirname(tinygrad_nn.__file__))
    return subprocess.run(
        [sys.executable, "-m", "tinygrad_nn", "gradcheck", *arguments],
        env={**os.environ, "PYTHONPATH": root, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_it_runs_as_a_program(folder):
    done = program("model.py::right", "--shape", "x=2")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "all right" in done.stdout
    done = program("model.py::wrong", "--shape", "x=2")
    assert done.returncode == 1
    assert done.stderr == ""


def test_a_terminal_of_ascii_alone_is_enough(folder):
    text = textwrap.dedent("def größe(x): return x * x")
    (folder / "ding é.py").write_text(text, encoding="utf-8")
    arguments = ["ding é.py::größe", "--shape", "x=2", "--order", "2"]
    done = program(*arguments, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "gr\\xf6\\xdfe" in done.stdout
    assert program("--help", PYTHONIOENCODING="ascii").returncode == 0


def test_a_wrong_flag_shows_the_usage_of_the_command_itself(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["gradcheck", "model.py", "--tolerance", "1"])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("usage: tinygrad-nn gradcheck ")
    assert err.endswith("error: unrecognized arguments: --tolerance 1\n")


def test_help_says_what_each_verdict_means(capsys):
    with pytest.raises(SystemExit):
        main(["gradcheck", "--help"])
    lines = capsys.readouterr().out.splitlines()
    for verdict in Verdict:
        assert sum(line.startswith(f"  {verdict.value}  ") for line in lines) == 1


def test_help_shows_two_examples(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["gradcheck", "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.count("\n  tinygrad-nn gradcheck ") == 2
    for option in ("--shape", "--seed", "--order", "--only", "--json", "--html", "--junit",
                   "--fail-on", "--self-test", "NAME_samples()"):  # fmt: skip
        assert option in out
