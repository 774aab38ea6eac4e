"""What is true while recording: on or off, and on which line of the user's.

All of it is per thread, so that two threads can train two models at once.
"""

import linecache
import os
import sys
from contextlib import ContextDecorator
from threading import local
from types import CodeType
from typing import Any, NamedTuple, TypeAlias

__all__ = [
    "Site",
    "SourceLine",
    "enable_grad",
    "is_recording",
    "no_grad",
    "source_line",
    "state",
    "user_site",
]

# A place in a program: a code object, and the offset of an instruction in it. Frames themselves
# are never kept: they would hold every local variable alive.
Site: TypeAlias = tuple[CodeType, int]

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


class _Ours(dict[str, bool]):
    """Whether a file is one of this package's, found out once for each."""

    def __missing__(self, file: str) -> bool:
        ours = self[file] = file.startswith(_PACKAGE)
        return ours


_ours = _Ours()


class SourceLine(NamedTuple):
    """The user's line that recorded a node."""

    file: str
    line: int
    function: str

    @property
    def text(self) -> str:
        """The line as it is written there; "" where the file cannot be read."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


class _State(local):
    """This thread's recording. What surrounds a block is kept here too: objects are shared."""

    enabled = True
    transforms = 0  # how many transforms are running their function

    def __init__(self) -> None:
        self.enabled_before: list[bool] = []


state = _State()


class _Recording(ContextDecorator):
    """Switch recording within a block. Usable as a decorator, re-entrant, per thread."""

    _enabled: bool

    def __enter__(self) -> None:
        state.enabled_before.append(state.enabled)
        state.enabled = self._enabled

    def __exit__(self, *_: object) -> None:
        state.enabled = state.enabled_before.pop()


class no_grad(_Recording):  # noqa: N801  the name that the field uses for it
    """Compute without recording, in a ``with`` block or a decorated function.

    Inside, results need no gradient, and in-place operators rebind a parameter's value.

    Example:
        >>> import tinygrad_nn as tnn
        >>> w = tnn.Tensor([1.0, 2.0], requires_grad=True)
        >>> (w * w).sum().backward()
        >>> with tnn.no_grad():
        ...     w -= 0.5 * w.grad
        >>> w
        Tensor([0., 0.], requires_grad=True)
    """

    _enabled = False


class enable_grad(_Recording):  # noqa: N801  the counterpart of no_grad
    """Record within a block, whatever surrounds it. The transforms need this for their inputs."""

    _enabled = True


def is_recording() -> bool:
    """Whether operations on this thread are being recorded now."""
    return state.enabled


def user_site() -> Site | None:
    """Where the innermost frame that is not this package's is; None if there is no such frame."""
    try:
        frame: Any = sys._getframe(3)  # whoever called the function that asks is this package's
        while _ours[frame.f_code.co_filename]:
            frame = frame.f_back
    except (ValueError, AttributeError):  # as in a thread that starts with an operation
        return None
    return frame.f_code, frame.f_lasti


def source_line(site: Site) -> SourceLine:
    """Turn a place in a program into a line that people can open."""
    code, instruction = site
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= instruction < end:
            line = number or line
    return SourceLine(code.co_filename, line, code.co_name)
