"""The parts of a plot as SVG: a square panel with its frame, axes, curves and title.

Written by hand, since a few rectangles, lines and texts need no plotting library.
"""

import html
import math
from collections.abc import Iterable, Sequence

__all__ = ["SIDE", "TEXT", "bottom_axis", "curve", "document", "escaped", "left_axis", "title"]

SIDE = 400  # of a panel, in pixels
TEXT = 'font-family="Helvetica, Arial, sans-serif" fill="#222"'

Marks = Sequence[tuple[str, float]]  # what is written at an axis, and where, from 0 to 1


_LONGEST = 64


def escaped(text: str, longest: int | None = _LONGEST) -> str:
    """Text for markup: a name can hold anything, and shows as exactly that.

    It is cut at so many characters, or, with None, whole.
    """
    printable = "".join(c if c.isprintable() else " " for c in text)
    if longest is not None and len(printable) > longest:
        printable = printable[: longest - 1] + "…"
    return html.escape(printable, quote=True)


def document(width: float, height: float, about: str, parts: Iterable[str]) -> str:
    """A whole picture on white, with a title for those who cannot see it."""
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escaped(about)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *parts,
        "</svg>",
    ))  # fmt: skip


def title(text: str) -> str:
    """What stands above a panel."""
    return f'<text y="-16" font-size="16" font-weight="bold" {TEXT}>{escaped(text)}</text>'


def bottom_axis(label: str, marks: Marks) -> list[str]:
    """The panel's border, and the axis below it."""
    return [
        f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="#888"/>',
        *(
            f'<text x="{at * SIDE:.1f}" y="{SIDE + 18}" text-anchor="middle" font-size="12" '
            f"{TEXT}>{text}</text>"
            for text, at in marks
        ),
        f'<text x="{SIDE / 2}" y="{SIDE + 40}" text-anchor="middle" font-size="13" {TEXT}>'
        f"{escaped(label)}</text>",
    ]


def left_axis(label: str, marks: Marks, colour: str = "#222", room: int = 42) -> list[str]:
    """The axis to the left of a panel; room is how far away its label stands."""
    return [
        *(
            f'<text x="-6" y="{(1 - at) * SIDE + 4:.1f}" text-anchor="end" font-size="12" '
            f"{TEXT}>{text}</text>"
            for text, at in marks
        ),
        f'<text transform="translate({-room},{SIDE / 2}) rotate(-90)" text-anchor="middle" '
        f'font-size="13" font-family="Helvetica, Arial, sans-serif" fill="{colour}">'
        f"{escaped(label)}</text>",
    ]


def curve(points: Iterable[tuple[float, float]], colour: str, dashes: str = "") -> str:
    """A line through points of the unit square; what is not finite is left out."""
    path = " ".join(
        f"{x * SIDE:.1f},{(1 - y) * SIDE:.1f}" for x, y in points if math.isfinite(x + y)
    )
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dashed}/>'
