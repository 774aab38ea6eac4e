"""How numbers, names, places and lists are written, for people."""

from collections.abc import Iterable, Sequence

from ..._typing import Shape

__all__ = ["at", "joined", "ordinal", "printable", "shape_text", "times"]

_LONGEST = 40  # characters of a name
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def printable(name: object, longest: int = _LONGEST) -> str:
    r"""A name of the user's as it is, what cannot be printed as its escape, cut where it is long.

    Control characters, and those that turn the direction of writing, would act on the terminal.

    Example:
        >>> from tinygrad_nn.diagrams.explain.wording import printable
        >>> printable("a" + chr(27) + "b")
        'a\\x1bb'
    """
    text = str(name)
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: longest + 1])
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def at(title: str, index: tuple[int, ...]) -> str:
    """An element of a value, as ``weights[0, 1]``; a scalar is its own element."""
    return f"{title}[{', '.join(map(str, index))}]" if index else title


def shape_text(shape: Shape) -> str:
    """A shape as Python writes it."""
    return str(tuple(int(n) for n in shape))


def times(shape: Shape) -> str:
    """How many elements, by axis: ``2 × 4``."""
    return " × ".join(map(str, shape)) or "1"


def ordinal(position: int) -> str:
    """The name of a position, counted from 0."""
    return _ORDINALS[position] if position < len(_ORDINALS) else f"{position + 1}th"


def joined(parts: Iterable[object]) -> str:
    """Several things as a sentence lists them: ``a, b and c``."""
    texts: Sequence[str] = [str(part) for part in parts]
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} and {texts[-1]}"
