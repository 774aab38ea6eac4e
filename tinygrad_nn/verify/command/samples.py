"""The samples that a user's module gives for its functions."""

import inspect
from collections.abc import Iterator, Sequence
from functools import cached_property
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import ArgumentError
from ..text import a_type, one_line
from .importing import user_line

__all__ = ["Samples"]


class Samples:
    """The samples that a module defines for its functions; `targets` documents the convention.

    Args:
        module: the user's.
        functions: the names of all functions there that may be checked.
        asked: the one function that was asked for, if one was.
    """

    def __init__(self, module: ModuleType, functions: Sequence[str], asked: str = "") -> None:
        self._module = module
        self._functions = list(functions)
        self._asked = asked

    def of(self, function: str) -> list[tuple[str, Any]] | None:
        """The samples of a function by its name, each with its place; None where there are none.

        Raises:
            ArgumentError: they are not what the convention says.
        """
        own = f"{function.replace('.', '_')}_samples"
        if hasattr(self._module, own):
            return _listed(f"{own}()", _called(f"{own}()", getattr(self._module, own)))
        if isinstance(self._shared, dict):
            if function not in self._shared:
                return None
            place = f"samples()[{function!r}]"
            return _listed(place, _called(place, lambda: self._shared[function]))
        if self._shared is None:
            return None
        if not self._asked and len(self._functions) > 1:
            raise ArgumentError(
                f"samples(): expected a dict from names of functions to samples, since there are "
                f"several functions: {', '.join(self._functions)}; got "
                f"{type(self._shared).__name__}; or write {function}_samples()"
            )
        return _listed("samples()", self._shared)

    @cached_property
    def _shared(self) -> Any:
        """What samples() returns; None where there is no such function."""
        function = getattr(self._module, "samples", None)
        if isinstance(function, (list, tuple, dict)) or _takes_nothing(function):
            shared = _called("samples()", function)
            if isinstance(shared, dict):
                known = {*self._functions, self._asked}
                strange = [repr(key) for key in shared if key not in known]
                if strange:
                    raise ArgumentError(
                        f"samples(): expected names of functions as the keys of the dict, such as "
                        f"{self._asked or self._functions[0]!r}; got {', '.join(strange)}; to "
                        f"give arguments by name, return a list of dicts"
                    )
            return shared
        return None  # something else of this name, such as a function of a number


def _takes_nothing(function: Any) -> bool:
    """Whether it can be called without arguments, as a function of samples is."""
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return not isinstance(function, type)


def _called(where: str, function: Any) -> Any:
    """What a function of samples returns, or all that it yields."""
    if not callable(function):
        raise ArgumentError(
            f"{where}: expected a function without arguments; got {a_type(function)}; "
            f"write def {where}: return …"
        )
    try:
        result = function()
        result = list(result) if isinstance(result, Iterator) else result
    except (Exception, SystemExit) as error:
        line = user_line(error)
        raise ArgumentError(
            f"{where}: expected samples; got {one_line(error)}"
            + ("" if line is None else f", at {line}")
        ) from error
    if result is None:
        raise ArgumentError(f"{where}: expected samples; got None; return or yield them")
    return result


def _listed(where: str, result: Any) -> list[tuple[str, Any]]:
    """Each sample and its place. A list holds samples; all else is one sample."""
    several = isinstance(result, list)
    found = result if several else [result]
    if not found:
        raise ArgumentError(f"{where}: expected at least one sample; got none")
    named = [(f"{where}, sample {i}" if several else where, s) for i, s in enumerate(found, 1)]
    for place, sample in named:
        known = (tuple, dict, int, float, np.number)
        if not (isinstance(sample, known) or hasattr(sample, "__array__")):
            raise ArgumentError(
                f"{place}: expected a tuple of arguments, a dict of arguments by name, or one "
                f"array; got {a_type(sample)}; write (x,) for one argument, and "
                f"np.array([…]) for numbers"
            )
    return named
