"""Programs as they were when somebody last read them. After a change, write them anew, and read:

python tests/compiler/test_golden.py
"""

import difflib
from pathlib import Path

import pytest
from models import MODELS, source

FOLDER = Path(__file__).parent / "programs"
CASES = [(make, target) for make in MODELS for target in ("numpy", "teaching")]


def kept(make, target):
    return FOLDER / f"{make.__name__}_{target}.txt"


@pytest.mark.parametrize(("make", "target"), CASES, ids=[kept(*case).stem for case in CASES])
def test_a_program_is_the_one_that_was_read(make, target):
    before = kept(make, target).read_text(encoding="utf-8")
    now = source(make, target)
    lines = (before.splitlines(), now.splitlines())
    difference = "\n".join(difflib.unified_diff(*lines, "as it was", "as it is", lineterm=""))
    assert not difference, f"{difference}\n\nIf this is meant: python {Path(__file__)}"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for case in CASES:
        kept(*case).write_text(source(*case), encoding="utf-8")
