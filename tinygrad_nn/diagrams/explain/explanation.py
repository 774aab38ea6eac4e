"""What every explanation can do: be printed, be shown in Jupyter, and be saved."""

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from ...errors import ArgumentError
from ..output import write_file

__all__ = ["Explanation"]


class Explanation(ABC):
    """An explanation in words and numbers. As a string it is text for the terminal."""

    __slots__ = ()

    @property
    @abstractmethod
    def text(self) -> str:
        """Text for the terminal, at most 100 columns wide."""

    @abstractmethod
    def markdown(self) -> str:
        """Markdown, with formulas in LaTeX."""

    @abstractmethod
    def html(self) -> str:
        """A page that needs nothing else."""

    def __str__(self) -> str:
        return self.text

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the explanation to a file, in the format that its suffix names.

        Args:
            path: ends in ``.txt``, ``.md`` or ``.html``. A file that is there is replaced only
                when the new one is complete.

        Raises:
            ArgumentError: another suffix.
            OutputError: the file cannot be written.
        """
        writers = {".txt": self._lines, ".md": self.markdown, ".html": self.html}
        write = writers.get(Path(path).suffix.lower())
        if write is None:
            raise ArgumentError(
                f"save: expected a name ending in .txt, .md or .html; got {os.fspath(path)}"
            )
        return write_file(path, write())

    def _lines(self) -> str:
        return self.text + "\n"

    def _shown(self) -> dict[str, str]:
        """What Jupyter may choose from."""
        return {"text/plain": self.text, "text/markdown": self.markdown()}

    def _repr_markdown_(self) -> str | None:
        """What Jupyter shows."""
        return self._repr_mimebundle_().get("text/markdown")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What Jupyter shows. It never raises: a display that fails would hide the explanation."""
        try:
            return self._shown()
        except Exception as error:
            return {"text/plain": f"an explanation that cannot be shown: {type(error).__name__}"}
