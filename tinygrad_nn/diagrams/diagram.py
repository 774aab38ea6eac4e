"""A diagram: DOT text that can be saved as a picture and shows itself in Jupyter."""

import os
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, TinygradNNError
from .output import write_file
from .render import INSTALL, render

__all__ = ["Diagram"]


class Diagram:
    """A picture of a computation graph.

    Attributes:
        source: the DOT text.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def __repr__(self) -> str:
        return f"<Diagram, {len(self.source)} characters of DOT; .save('graph.svg') draws it>"

    def render(self, kind: str) -> bytes:
        """The picture as "svg" or "png".

        Raises:
            OutputError: no renderer works here.
        """
        return render(self.source, kind)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the diagram to a file, in the format that its suffix names.

        Args:
            path: ends in ``.svg``, ``.png``, ``.dot`` or ``.gv``. A file that is there is replaced
                only when the new one is complete.

        Raises:
            ArgumentError: another suffix.
            OutputError: the file cannot be written, or no renderer works here.
        """
        kind = Path(path).suffix.lower().lstrip(".")
        if kind in ("dot", "gv"):
            return write_file(path, self.source)
        if kind in ("svg", "png"):
            return write_file(path, self.render(kind))
        raise ArgumentError(f"save: expected a name ending in .svg, .png, .dot or .gv; got {path}")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What Jupyter shows: the picture, or where nothing renders, the DOT text and a remedy."""
        try:
            return {"image/svg+xml": self.render("svg").decode(), "text/plain": repr(self)}
        except TinygradNNError:
            return {"text/plain": f"{INSTALL}\n\n{self.source}"}
