"""Every example runs as a reader would run it, and quietly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_nn

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_without_a_warning(example, tmp_path):
    path = str(Path(tinygrad_nn.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert not done.stderr


def test_the_first_example_shows_the_notebooks_numbers(tmp_path):
    (first,) = (e for e in EXAMPLES if e.name.startswith("01"))
    done = subprocess.run(
        [sys.executable, str(first)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    for printed in (
        "38.519999999999996",
        "[3.0, 2.4370000000000003, 0.17199999999999993]",
        "[1.74, 3.277, -1.046]",
        "4.8",
        "[ 8.9   -1.81   0.2  ]",
        "[-0.99314  1.41254 -0.35655]",
        "[0.10758131 1.03983522 0.24462411 0.31821498 0.18851053]",
    ):
        assert printed in done.stdout
