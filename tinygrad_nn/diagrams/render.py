"""From DOT text to a picture, by the system's Graphviz or the one that comes with the package."""

import shutil
import subprocess
from collections.abc import Iterator

from ..errors import OutputError
from .pdf import pdf_of_jpeg

__all__ = ["INSTALL", "render"]

INSTALL = (
    "no Graphviz renderer works here: install one with `pip install graphviz-pure`, or Graphviz "
    "from https://graphviz.org/download"
)
_SECONDS = 120
_DOTS_PER_INCH = 288  # of a PDF that is made from a JPEG


def render(dot: str, kind: str) -> bytes:
    """Render DOT text as "svg", "png" or "pdf".

    A ``dot`` on the PATH is preferred; where there is none, or it fails, the renderer of the
    graphviz-pure package draws the same picture. That one writes no PDF, so its JPEG is put on
    a page.

    Raises:
        OutputError: no renderer is there, or none can draw this.
    """
    failures: list[str] = []
    for command in _renderers():
        picture = _rendered([command, f"-T{kind}"], dot, failures)
        if picture is None and kind == "pdf":
            arguments = [command, "-Tjpg", f"-Gdpi={_DOTS_PER_INCH}"]
            picture = _rendered(arguments, dot, failures)
            picture = None if picture is None else pdf_of_jpeg(picture, _DOTS_PER_INCH)
        if picture is not None:
            return picture
    cause = f"no renderer could draw this graph: {'; '.join(failures)}" if failures else INSTALL
    raise OutputError(f"{cause}; the DOT text is in .source, and .save('x.dot') keeps it")


def _rendered(command: list[str], dot: str, failures: list[str]) -> bytes | None:
    """What a renderer writes; None where it fails, with the reason among the failures."""
    try:
        done = subprocess.run(
            command, input=dot.encode(), capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        failures.append(f"{command[0]} took more than {_SECONDS} s")
        return None
    except OSError as error:
        failures.append(f"{command[0]}: {error}")
        return None
    if done.returncode == 0 and done.stdout:
        return done.stdout
    failures.append(f"{command[0]}: {done.stderr.decode(errors='replace').strip()[:200]}")
    return None


def _renderers() -> Iterator[str]:
    system = shutil.which("dot")
    if system is not None:
        yield system
    bundled = _bundled()
    if bundled is not None:
        yield bundled


def _bundled() -> str | None:
    """The program of the graphviz-pure package, wherever pip put it, on the PATH or not."""
    import importlib.metadata  # on use: it is slow to import, and only pictures need it

    try:
        files = importlib.metadata.files("graphviz-pure") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.stem == "graphviz-pure" and file.suffix in ("", ".exe"):
            program = shutil.which(str(file.locate()))
            if program is not None:
                return program
    return shutil.which("graphviz-pure")
