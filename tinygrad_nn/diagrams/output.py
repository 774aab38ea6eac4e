"""Writing files whole: a reader sees the old file or the new one, never half of either."""

import os
import tempfile
from pathlib import Path

from ..errors import OutputError

__all__ = ["file_to_replace", "make_folder", "write_file"]


def write_file(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a file through a temporary one beside it, which takes its place when complete.

    A link stays, and the file that it leads to is written. What is no plain file, such as a device
    or a pipe, stays too, and is written into; a pipe waits for its reader.

    Raises:
        OutputError: the folder is missing, or cannot be written into.
    """
    target = Path(path)
    data = content.encode() if isinstance(content, str) else content
    try:
        place = file_to_replace(target)
        if place is None:
            # Not by open(), which offers to create it: some systems refuse that for others' pipes.
            with os.fdopen(os.open(target, os.O_WRONLY), "wb") as file:
                file.write(data)
        else:
            _replace(place, data)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from error
    return target


def file_to_replace(path: Path) -> Path | None:
    """The file that a path leads to; None where something else is there, such as a device."""
    if path.exists() and not path.is_file():
        return None
    return Path(os.path.realpath(path))


def _replace(target: Path, data: bytes) -> None:
    """Let a file that is complete take the place of another, if there is one."""
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's files are private
        os.replace(temporary, target)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder to write into, with its parents, unless it is there.

    Raises:
        OutputError: it cannot be made, or is not a folder.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror or error}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{folder}: cannot be written into: permission denied")
    return folder


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
