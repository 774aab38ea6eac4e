"""What a program is written for: NumPy or Numba, how many threads, and how large the parts are."""

import importlib.util
import os
from dataclasses import dataclass, field, replace

from ...errors import ArgumentError

__all__ = ["Target", "checked"]

_NAMES = ("numpy", "teaching", "numba")
_MOST_THREADS = 4  # by default: what is elementwise waits for memory, not for more processors
# Elements of an array that is worth blocks, measured on 1 MiB of cache for each processor, and
# 32 MiB for all: from few on where np.where is among the equations, since blocks do that in another
# way; otherwise from where the arrays are too large for the caches, or worth another thread.
_LEAST = 32 * 1024
_LEAST_PLAIN = 1024 * 1024
_LEAST_WORK = 2 * 1024 * 1024  # elements times equations that are worth another thread
_BYTES = 256 * 1024  # of a part of an array: most of what is in between stays in the caches
# With several threads the parts have to be larger, since between two calls of NumPy only one thread
# runs at a time, and waiting for the others takes longer than a call on a small part.
_BYTES_SHARED = 512 * 1024
_LEAST_SHARED = 256 * 1024  # bytes of a part that is worth another thread
_LOOP = 8 * 1024  # elements of a part of a compiled loop, whose sums are added up on their own
_LEAST_LOOP = 64 * 1024  # elements of a compiled loop that is worth several threads


def _usable_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Target:
    """What a program is written for."""

    name: str = "numpy"
    threads: int = field(default_factory=lambda: min(_usable_processors(), _MOST_THREADS))
    least: int = _LEAST
    least_plain: int = _LEAST_PLAIN
    least_work: int = _LEAST_WORK
    part_bytes: int = _BYTES
    shared_bytes: int = _BYTES_SHARED
    least_shared: int = _LEAST_SHARED

    @property
    def scalar(self) -> bool:
        """Whether a group becomes a loop over single elements, compiled by Numba."""
        return self.name == "numba"

    def is_worth(self, size: int, equations: int, selects: bool) -> bool:
        """Whether so many equations on arrays of a size are faster in blocks."""
        if self.scalar or selects or size >= self.least_plain:
            return True
        return self.threads > 1 and size * equations >= self.least_work

    def part(self, size: int, itemsize: int, equations: int) -> tuple[int, int]:
        """How many elements a part has, and how many threads share the parts."""
        if self.scalar:  # the parts of sums are the same however many threads there are
            return _LOOP, self.threads if size >= _LEAST_LOOP else 1
        threads = min(self.threads, size * itemsize // self.least_shared)
        if threads < 2 or size * equations < self.least_work:
            return max(self.part_bytes // itemsize, 1), 1
        # As many parts for each thread, and no part larger than it may be.
        rounds = -(-size * itemsize // (threads * self.shared_bytes))
        return -(-size // (threads * rounds)), threads


def checked(name: object, threads: object) -> Target:
    """The target that somebody asks for."""
    if name not in _NAMES:
        raise ArgumentError(
            f"compile: expected target= one of {', '.join(_NAMES)}; got {name!r}; 'numpy' is usual"
        )
    if threads is not None and (type(threads) is not int or threads < 1):
        raise ArgumentError(f"compile: expected threads= of at least 1; got {threads!r}")
    target = Target(str(name)) if threads is None else Target(str(name), threads)
    if not target.scalar:
        return target
    if importlib.util.find_spec("numba") is None:
        raise ArgumentError(
            "compile: expected numba for target='numba'; got none installed; "
            "pip install 'tinygrad_nn[numba]'"
        )
    return replace(target, least=1)  # what few elements cost is Python's calls
