"""The state of a program: its parts by their keys, and those that are made of several."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .._typing import Array
from .operations import piece
from .program import Value

__all__ = ["Pack", "State", "starts"]


class Pack(NamedTuple):
    """One part of the state that is made of several."""

    key: str
    parts: tuple[str, ...]  # the keys of its pieces, in order
    values: tuple[Value, ...]  # what the pieces are; numbers are one and the same

    @property
    def is_number(self) -> bool:
        """Whether it is a Python number that all of them share."""
        return self.values[0].weak

    @property
    def starts(self) -> list[int]:
        """Where its pieces begin."""
        return [start for start, _ in starts(self.values)]

    def pieces(self, whole: Array) -> list[Array]:
        """The views of an array that are its parts."""
        return [piece(whole, start, v.shape) for start, v in starts(self.values)]


@dataclass(frozen=True)
class State:
    """The parts of the state that a program reads and makes, by their keys."""

    old: Mapping[Value, str]
    new: Sequence[tuple[str, Any]]
    returned: frozenset[Value] = frozenset()  # what the step hands out besides
    packs: Sequence[Pack] = ()


def starts(role: Sequence[Value]) -> Iterator[tuple[int, Value]]:
    """Where each of several arrays begins in one of them all."""
    start = 0
    for value in role:
        yield start, value
        start += value.size
