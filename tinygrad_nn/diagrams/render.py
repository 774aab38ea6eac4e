"""From DOT text to a picture, by the system's Graphviz or the one that comes with the package."""

import shutil
import subprocess
from collections.abc import Iterator

from ..errors import OutputError

__all__ = ["INSTALL", "render"]

INSTALL = (
    "no Graphviz renderer works here: install one with `pip install graphviz-pure`, or Graphviz "
    "from https://graphviz.org/download"
)
_SECONDS = 120


def render(dot: str, kind: str) -> bytes:
    """Render DOT text as "svg" or "png".

    A ``dot`` on the PATH is preferred; where there is none, or it fails, the renderer of the
    graphviz-pure package draws the same picture.

    Raises:
        OutputError: no renderer is there, or none can draw this.
    """
    failures = []
    for command in _renderers():
        try:
            done = subprocess.run(
                [command, f"-T{kind}"],
                input=dot.encode(),
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            failures.append(f"{command} took more than {_SECONDS} s")
            continue
        except OSError as error:
            failures.append(f"{command}: {error}")
            continue
        if done.returncode == 0 and done.stdout:
            return done.stdout
        failures.append(f"{command}: {done.stderr.decode(errors='replace').strip()[:200]}")
    cause = f"no renderer could draw this graph: {'; '.join(failures)}" if failures else INSTALL
    raise OutputError(f"{cause}; the DOT text is in .source, and .save('x.dot') keeps it")


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
