"""Checks of arguments before anything else, so that nothing has been done when one fails."""

from dataclasses import replace

from ..operations import expect_within
from ..program import Program

__all__ = ["checks_first"]


def checks_first(program: Program) -> Program:
    """Put checks of what comes in before all that is computed."""
    given = set(program.inputs)
    first = [e for e in program.equations if e.function is expect_within and e.args[0] in given]
    rest = [e for e in program.equations if e not in set(first)]
    return replace(program, equations=(*first, *rest))
