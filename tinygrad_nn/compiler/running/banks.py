"""Banks: the memory of one whole state. Two of them take turns, one to read and one to write."""

from collections.abc import Mapping, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from ..packing import Pack
from ..program import Value

__all__ = ["Bank"]


class Bank:
    """An array for each part of the new state; those of parts of a pack are pieces of one.

    Attributes:
        state: the arrays by their keys, and what else is known of that state once it is written.
    """

    __slots__ = ("_alone", "_arrays", "_whole", "state")

    def __init__(self, makes: Mapping[str, Value], packs: Sequence[Pack]) -> None:
        self.state: dict[str, Any] = {
            key: np.empty(v.shape, dtype=v.dtype) for key, v in makes.items() if v.shape
        }
        self._whole = list(self.state.values())
        for pack in packs:
            if pack.key in self.state:
                self.state.update(zip(pack.parts, pack.pieces(self.state[pack.key]), strict=True))
        self._arrays = list(self.state.values())
        self._alone = self._counts()  # how often each is referred to by nobody else

    def _counts(self) -> list[int]:
        return [getrefcount(array) for array in self._arrays]

    def is_free(self) -> bool:
        """Whether nobody holds any of the arrays, so that they may be written into."""
        return self._counts() == self._alone

    def open(self) -> None:
        """Let the arrays be written into again, where somebody had a read-only view of them."""
        for array in self._whole:
            if not array.flags.writeable:
                array.flags.writeable = True
