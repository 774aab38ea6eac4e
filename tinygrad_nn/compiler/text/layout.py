"""What the text of a program has to know besides its equations, and what comes of it."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from ..._typing import Array
from ..program import Value
from ..state import Pack

__all__ = ["Layout", "Source"]


@dataclass(frozen=True)
class Layout:
    """Where the inputs of a program come from, and where its outputs go."""

    name: str  # of the function
    arguments: Mapping[Value, str]  # the inputs that are passed in each call
    state: Mapping[Value, str]  # those that are read from the state
    new: Sequence[tuple[str, Any]]  # what is put into the new state: a key, and a value or constant
    packs: Sequence[Pack]  # which parts of the state are pieces of one
    returned: Any  # the tree that is returned
    gradients: Mapping[Value, Value]  # what a value is the gradient by
    title: str = ""
    is_long: bool = False  # so long that nobody reads it line by line


@dataclass(frozen=True)
class Source:
    """The text, and what has to be in its namespace besides NumPy."""

    text: str
    function: str
    constants: Mapping[str, Array]  # arrays that are too long to be written out
    callables: Mapping[str, Callable[..., Any]]  # functions that are not NumPy's
    takes_state: bool  # whether the function takes the state, and
    takes_new: bool  # an array for each part of the new one
    parts: Set[str]  # the keys of pieces of longer arrays that it fetches from the state
