"""How a drawing looks: an outline and a colour for each kind of box, on white or on black.

Colours are Okabe and Ito's, made lighter or darker, which colour-blind readers can tell apart. In
print, where there may be none, the outlines still differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import ArgumentError
from .scene import Kind

__all__ = ["THEMES", "Theme", "theme_named"]

_OUTLINES = {
    Kind.PARAMETER: {"shape": "folder", "style": "filled"},
    Kind.INPUT: {"shape": "note", "style": "filled"},
    Kind.CONSTANT: {"shape": "box", "style": "filled,dashed"},
    Kind.OPERATION: {"shape": "box", "style": "filled,rounded"},
    Kind.OUTPUT: {"shape": "box", "style": "filled,rounded", "peripheries": "2"},
    Kind.GROUP: {"shape": "box3d", "style": "filled", "margin": "0.34,0.14"},
}


@dataclass(frozen=True)
class Theme:
    """The colours of a drawing."""

    paper: str
    ink: str
    dim: str
    line: str
    frames: tuple[str, str]  # what alternates as frames lie within one another
    bars: str
    right: str
    doubtful: str
    wrong: str
    highlight: str
    fills: Mapping[Kind, str]
    borders: Mapping[Kind, str]

    def box(self, kind: Kind) -> dict[str, str]:
        """The attributes of a box of this kind."""
        colours = {"fillcolor": self.fills[kind], "color": self.borders[kind]}
        return _OUTLINES[kind] | colours


THEMES = {
    "light": Theme(
        paper="#ffffff",
        ink="#111111",
        dim="#555555",
        line="#666666",
        frames=("#fafafa", "#f1f1f1"),
        bars="#7f8c99",
        right="#00664f",
        doubtful="#8a5a00",
        wrong="#a83200",
        highlight="#ffe94d",
        fills={
            Kind.PARAMETER: "#cfe8f7",
            Kind.INPUT: "#d9f2e6",
            Kind.CONSTANT: "#f2f2f2",
            Kind.OPERATION: "#ffffff",
            Kind.OUTPUT: "#fff0cc",
            Kind.GROUP: "#f6e6ef",
        },
        borders={
            Kind.PARAMETER: "#0072b2",
            Kind.INPUT: "#007a5a",
            Kind.CONSTANT: "#777777",
            Kind.OPERATION: "#444444",
            Kind.OUTPUT: "#b36b00",
            Kind.GROUP: "#9c4f7a",
        },
    ),
    "dark": Theme(
        paper="#15181d",
        ink="#eceff4",
        dim="#b4bcc8",
        line="#9aa3b0",
        frames=("#1b1f26", "#242a33"),
        bars="#8d99a8",
        right="#4fd1a5",
        doubtful="#f0c340",
        wrong="#ff8a5c",
        highlight="#6b5b00",
        fills={
            Kind.PARAMETER: "#123a52",
            Kind.INPUT: "#10402f",
            Kind.CONSTANT: "#2a2f37",
            Kind.OPERATION: "#20252d",
            Kind.OUTPUT: "#4a3608",
            Kind.GROUP: "#43283a",
        },
        borders={
            Kind.PARAMETER: "#56b4e9",
            Kind.INPUT: "#3fc79a",
            Kind.CONSTANT: "#9aa3b0",
            Kind.OPERATION: "#c3cad4",
            Kind.OUTPUT: "#e69f00",
            Kind.GROUP: "#d98fb8",
        },
    ),
}


def theme_named(name: str) -> Theme:
    """The theme of a name.

    Raises:
        ArgumentError: there is none.
    """
    if name not in THEMES:
        raise ArgumentError(f"draw: expected theme {' or '.join(map(repr, THEMES))}; got {name!r}")
    return THEMES[name]
