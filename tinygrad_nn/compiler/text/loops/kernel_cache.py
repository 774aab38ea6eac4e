"""Where texts with Numba's functions are kept, so that they are compiled once and for all.

Numba keeps what it has compiled beside the file that a function stands in.
"""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

__all__ = ["cache_folder", "stored"]


def cache_folder() -> Path:
    """TINYGRAD_NN_CACHE if that is set; otherwise a folder in the user's cache."""
    chosen = os.environ.get("TINYGRAD_NN_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "tinygrad_nn"


def stored(text: str) -> Path | None:
    """The file with this text, named by what it says; None if there is no place to write to."""
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    try:
        file = cache_folder() / f"step_{name}.py"
        # Numba looks at the file's time, so a file that is right already stays as it is.
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            return file
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(file, text)
    except (OSError, RuntimeError):  # RuntimeError: nobody's home
        return None
    return file


def _write(file: Path, text: str) -> None:
    """All of it or nothing, whoever else writes the same."""
    handle, temporary = tempfile.mkstemp(dir=file.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(temporary, file)
    except BaseException:
        os.unlink(temporary)
        raise
