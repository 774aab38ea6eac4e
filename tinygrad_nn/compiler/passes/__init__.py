"""Passes: small pure functions from a program to one that computes the same with less."""

from ..program import Program, check
from .algebra import simplified
from .dead import without_dead_code
from .faster import faster
from .places import by_places
from .repetition import without_repetition

__all__ = ["improved", "without_dead_code"]

PASSES = (
    without_dead_code,
    without_repetition,
    simplified,
    faster,
    by_places,
    without_repetition,
    without_dead_code,
)


def improved(program: Program, *, textbook: bool = False) -> Program:
    """Run the passes, and check the program after each; for a textbook, those that shorten it."""
    check(program, "the trace")
    for improve in PASSES:
        if not textbook or improve not in (faster, by_places):
            program = check(improve(program), improve.__name__)
    return program
