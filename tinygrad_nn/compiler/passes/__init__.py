"""Passes: small pure functions from a program to one that computes the same with less."""

from ..program import Program, check
from .algebra import simplified, with_maxima
from .dead import without_dead_code
from .faster import faster
from .order import checks_first
from .places import by_places
from .repetition import without_repetition

__all__ = ["improved", "without_dead_code"]

PASSES = (
    checks_first,
    without_dead_code,
    without_repetition,
    simplified,
    faster,
    by_places,
    with_maxima,
    without_repetition,
    without_dead_code,
)
_FOR_SPEED = (faster, by_places)
_FOR_READING = (with_maxima,)


def improved(program: Program, target: str) -> Program:
    """Run the passes for a target, and check the program after each."""
    left_out = _FOR_SPEED if target == "teaching" else _FOR_READING
    check(program, "the trace")
    for improve in PASSES:
        if improve not in left_out:
            program = check(improve(program), improve.__name__)
    return program
