"""A diagram: DOT text that can be saved as a picture or a page and shows itself in Jupyter."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from .output import write_file
from .render import INSTALL, render

__all__ = ["Diagram"]

_SUFFIXES = ("dot", "gv", "svg", "png", "pdf", "html")


class Diagram:
    """A picture of a computation.

    Attributes:
        source: the DOT text.
        notes: what the reader is told of the picture as a whole, such as that much is folded.

    Example:
        >>> import tinygrad_nn as tnn
        >>> x = tnn.Tensor(3.0, requires_grad=True, name="x")
        >>> tnn.draw(x * x).svg.startswith("<?xml")
        True
    """

    def __init__(
        self,
        source: str,
        page: Callable[[], str] | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.source = source
        self.notes = notes
        self._page = page

    def __repr__(self) -> str:
        told = "".join(f"; {note}" for note in self.notes)
        return f"<Diagram, {len(self.source)} characters of DOT; .save('graph.svg') draws it{told}>"

    def render(self, kind: str) -> bytes:
        """The picture as "svg", "png" or "pdf".

        Raises:
            OutputError: no renderer works here.
        """
        return render(self.source, kind)

    @property
    def dot(self) -> str:
        """The DOT text, as in `source`."""
        return self.source

    @property
    def svg(self) -> str:
        """The picture as the text of an SVG."""
        return self.render("svg").decode()

    @property
    def png(self) -> bytes:
        """The picture as the bytes of a PNG."""
        return self.render("png")

    @property
    def pdf(self) -> bytes:
        """The picture as the bytes of a PDF, of one page that is as large as the picture."""
        return self.render("pdf")

    @property
    def html(self) -> str:
        """A page of its own to step through the computation.

        Raises:
            ArgumentError: this is a picture of a compiled program, which has no values.
        """
        if self._page is None:
            raise ArgumentError(
                "html: expected the picture of a recording, whose values a page can show; got one "
                "of a compiled program; save it as .svg, or draw the loss that the step computes"
            )
        return self._page()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the diagram to a file, in the format that its suffix names.

        Args:
            path: ends in ``.svg``, ``.png``, ``.pdf``, ``.html``, ``.dot`` or ``.gv``. A file that
                is there is replaced only when the new one is complete.

        Raises:
            ArgumentError: another suffix.
            OutputError: the file cannot be written, or no renderer works here.
        """
        kind = Path(path).suffix.lower().lstrip(".")
        if kind not in _SUFFIXES:
            raise ArgumentError(
                f"save: expected a name ending in .svg, .png, .pdf, .html, .dot or .gv; got {path}"
            )
        if kind in ("dot", "gv"):
            return write_file(path, self.source)
        return write_file(path, self.html if kind == "html" else self.render(kind))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What Jupyter shows: the picture, or where nothing renders, the DOT text and a remedy."""
        try:
            return {"image/svg+xml": self.svg, "text/plain": repr(self)}
        except Exception as error:  # a notebook that shows a picture must not stop at it
            told = str(error).partition("; the DOT text")[0]
            return {"text/plain": f"{INSTALL if INSTALL in told else told}\n\n{self.source}"}
