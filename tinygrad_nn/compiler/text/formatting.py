"""Lines of a program as a formatter would set them: no wider than most people allow."""

import textwrap
from collections.abc import Iterator

__all__ = ["WIDTH", "comment_lines", "statement_lines"]

WIDTH = 88

_RETURN = "return "
_OPERATORS = "+-*/@<>"
_OPEN, _CLOSE = "([{", ")]}"


def comment_lines(text: str, indent: str = "") -> list[str]:
    """A comment, broken between words."""
    lines = textwrap.wrap(text, WIDTH - len(indent) - 2, break_long_words=False)
    return [f"{indent}# {line}" for line in lines]


def statement_lines(text: str, comment: str = "", indent: str = "") -> list[str]:
    """A statement with its comment, behind it or above it, broken at the commas of its call."""
    whole = f"{indent}{text}  # {comment}" if comment else f"{indent}{text}"
    if len(whole) <= WIDTH:
        return [whole]
    above = comment_lines(comment, indent) if comment else []
    if len(indent) + len(text) <= WIDTH:
        return [*above, f"{indent}{text}"]
    return [*above, *_broken(text, indent)]


def _broken(text: str, indent: str) -> list[str]:
    """A call over several lines: its arguments in one of their own, or in one each."""
    items = list(_split(text.removeprefix(_RETURN)))
    if text.startswith(_RETURN) and len(items) > 1:
        parts = (
            line for item in items for line in statement_lines(f"{item},", "", f"{indent}    ")
        )
        return [f"{indent}{_RETURN}(", *parts, f"{indent})"]
    start = _last_call(text)
    target, equals, expression = text.partition(" = ")
    fits = len(indent) + 4 + len(expression) <= WIDTH
    head_fits = start is not None and len(indent) + start < WIDTH
    if equals and fits and (_stands_whole(expression) or not head_fits):
        return [f"{indent}{target} = (", f"{indent}    {expression}", f"{indent})"]
    if start is None:
        return [f"{indent}{text}"]
    end = _closing(text, start)
    head, inner, tail = text[: start + 1], text[start + 1 : end], text[end:]
    deeper = f"{indent}    "
    arguments = list(_split(inner))
    is_call = head[-1] == "(" and head[-2:-1].isidentifier()
    if len(deeper) + len(inner) <= WIDTH and is_call:
        middle = [f"{deeper}{inner}"]
    elif len(arguments) == 1 and not inner.endswith(","):
        middle = statement_lines(inner, "", deeper)
    else:
        middle = [line for a in arguments for line in statement_lines(f"{a},", "", deeper)]
    return [f"{indent}{head}", *middle, f"{indent}{tail}"]


def _outside(text: str) -> Iterator[tuple[int, str, int]]:
    """Each character outside of quotes, with its place, and how many brackets it is in."""
    depth, quote, escaped = 0, "", False
    for i, c in enumerate(text):
        if quote:
            quote = "" if c == quote and not escaped else quote
            escaped = c == "\\" and not escaped
        elif c in "\"'":
            quote = c
        else:
            depth -= c in _CLOSE
            yield i, c, depth
            depth += c in _OPEN


def _last_call(text: str) -> int | None:
    """Where the last bracket opens that is inside no other, and has something in it."""
    opening = [i for i, c, depth in _outside(text) if c in _OPEN and depth == 0]
    filled = [i for i in opening if text[i + 1 : i + 2] not in _CLOSE]
    return filled[-1] if filled else None


def _stands_whole(expression: str) -> bool:
    """Whether brackets around all of it read better than its last bracket broken up."""
    outside = [
        c
        for i, c, depth in _outside(expression)
        if depth == 0 and c in _OPERATORS and expression[i - 1 : i + 2] == f" {c} "
    ]
    weakest = [c for c in outside if c in "+-"] or outside
    return len(weakest) > 1 or (bool(outside) and expression[-1] not in _CLOSE)


def _closing(text: str, start: int) -> int:
    """Where a bracket that is inside no other is closed again."""
    return next(i for i, c, depth in _outside(text) if i > start and c in _CLOSE and depth == 0)


def _split(text: str) -> Iterator[str]:
    """Arguments apart from one another, at the commas that are inside no bracket."""
    start = 0
    for i, c, depth in _outside(text):
        if c == "," and depth == 0:
            yield text[start:i].strip()
            start = i + 1
    if text[start:].strip():
        yield text[start:].strip()
