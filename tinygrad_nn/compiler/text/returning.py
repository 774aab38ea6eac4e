"""What a program returns, as text: the tree that the step returns, with arrays in it."""

from collections.abc import Callable
from typing import Any

from ...errors import TraceError
from ..program import Value
from .literals import literal

__all__ = ["returned_text"]


def returned_text(tree: Any, text: Callable[[Value], str], *, inside: bool = False) -> str:
    """The expression of a tree; `text` gives that of a value."""
    if isinstance(tree, Value):
        return text(tree)
    if isinstance(tree, list):
        return f"[{', '.join(returned_text(item, text, inside=True) for item in tree)}]"
    if isinstance(tree, tuple):
        items = ", ".join(returned_text(item, text, inside=True) for item in tree)
        items += "," * (len(tree) == 1)
        return f"({items})" if inside or len(tree) < 2 else items
    if type(tree) is dict:
        pairs = (f"{literal(k)}: {returned_text(v, text, inside=True)}" for k, v in tree.items())
        return f"{{{', '.join(pairs)}}}"
    try:
        return literal(tree)
    except TraceError:  # something that is no array, which the step itself puts there
        return "None"
