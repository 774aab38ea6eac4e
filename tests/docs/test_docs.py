"""The README's code runs as it stands, and generated pages are fresh."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SEEING = (ROOT / "docs" / "seeing.md").read_text(encoding="utf-8")


def blocks(language, text=README):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def run(code, folder):
    """What a program prints that no warning stops."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.split("\n")[0])
def test_each_python_block_of_the_readme_runs(code, tmp_path):
    printed = run(code, tmp_path)
    assert printed
    assert "WRONG" not in printed


@pytest.mark.parametrize("code", blocks("python", SEEING), ids=["diagram", "report"])
def test_what_the_page_on_seeing_shows_runs(code, tmp_path):
    run(code, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1  # it writes what it says


def test_the_readmes_training_example_is_short_learns_and_draws(tmp_path):
    code = blocks("python")[0]
    assert len(code.strip().splitlines()) <= 16
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    accuracy = float(re.search(r"accuracy ([\d.]+)", done.stdout).group(1))
    assert accuracy > 0.8
    assert "PASS" in (tmp_path / "graph.svg").read_text()


def test_the_readme_fits_a_screen_and_its_commands_are_single_lines():
    assert len(README.splitlines()) <= 80
    commands = blocks("sh")
    assert len(commands) == 2
    assert all(len(command.strip().splitlines()) == 1 for command in commands)


def test_the_page_of_derivatives_is_what_the_table_says(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    from make_derivatives import PAGE, page

    assert PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_examples_in_the_docs_give_what_they_show(path):
    results = doctest.testfile(
        str(path), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert results.failed == 0
