"""Banks: the memory of one whole state. Two of them take turns, one to read and one to write."""

from collections.abc import Collection, Mapping, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from ..program import Value
from ..state import Pack

__all__ = ["Bank"]


class Bank:
    """An array for each part of the new state; those of parts of a pack are pieces of one.

    Args:
        makes: what each part is.
        packs: which parts are pieces of one array.
        fetched: the pieces that a program fetches by their own keys, to write into them.

    Attributes:
        state: the arrays by their keys, and what else is known of that state once it is written.
    """

    __slots__ = ("_alone", "_arrays", "_written", "state")

    def __init__(
        self, makes: Mapping[str, Value], packs: Sequence[Pack], fetched: Collection[str]
    ) -> None:
        self.state: dict[str, Any] = {
            key: np.empty(v.shape, dtype=v.dtype) for key, v in makes.items() if v.shape
        }
        written = [*self.state, *fetched]
        for pack in packs:
            if pack.key in self.state:
                self.state.update(zip(pack.parts, pack.pieces(self.state[pack.key]), strict=True))
        self._written = [self.state[key] for key in written if key in self.state]
        self._arrays = list(self.state.values())
        self._alone = self._counts()  # how often each is referred to by nobody else

    def _counts(self) -> list[int]:
        return [getrefcount(array) for array in self._arrays]

    def is_free(self) -> bool:
        """Whether nobody holds any of the arrays, so that they may be written into."""
        return self._counts() == self._alone

    def open(self) -> None:
        """Let the arrays be written into again, where somebody had a read-only view of them."""
        for array in self._written:
            if not array.flags.writeable:
                array.flags.writeable = True
