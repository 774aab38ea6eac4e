"""Titles for the parts of a program: a layer, or a loss, activation or rule with its formula."""

import inspect
from collections.abc import Callable
from typing import Any

from ..program import Equation

__all__ = ["title_of"]


def title_of(equation: Equation) -> str:
    """What an equation is part of, for the comment above it; "" where there is nothing to say."""
    function = equation.origin.function
    if function is not None:
        return _told(function)
    return "/".join(equation.origin.scope)


def _told(function: Callable[..., Any]) -> str:
    """The name of a function, or of the rule that it belongs to, and its first sentences."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    summary = " ".join(paragraphs[0].split())
    if isinstance(function, type):  # an update rule: its formula stands below its summary
        formula = " ".join(paragraphs[1].split()) if len(paragraphs) > 1 else ""
        return f"{summary} {formula}".rstrip()
    return f"{function.__name__}: {summary}" if summary else function.__name__
