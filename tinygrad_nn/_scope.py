"""Scopes: the parts of a model that are computing now, by name, for diagrams and errors.

They are per thread. Layers enter one, and so do activations and losses, which know no Tensor; so
they stand below everything that records.
"""

import functools
from collections.abc import Callable
from threading import local
from typing import Any, TypeAlias, TypeVar, cast

__all__ = ["Scope", "here", "scope", "scoped"]

Scope: TypeAlias = tuple[str, ...]
F = TypeVar("F", bound=Callable[..., Any])


class _Here(local):
    """Where this thread is. What surrounds a block is kept here too: objects are shared."""

    scope: Scope = ()

    def __init__(self) -> None:
        self.before: list[Scope] = []


here = _Here()


class scope:  # noqa: N801  reads as a statement: with scope("hidden"):
    """Name the part of a model that a ``with`` block computes, for diagrams and errors.

    Scopes nest: within ``scope("encoder")`` and ``scope("hidden")`` a node belongs to
    ``encoder/hidden``.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        here.before.append(here.scope)
        here.scope = (*here.scope, self._name)

    def __exit__(self, *_: object) -> None:
        here.scope = here.before.pop()


def scoped(function: F) -> F:
    """Give a function a scope of its own name, in which all that it computes is recorded."""
    name = function.__name__

    @functools.wraps(function)
    def within(*args: Any, **kwargs: Any) -> Any:
        around = here.scope
        here.scope = (*around, name)
        try:
            return function(*args, **kwargs)
        finally:
            here.scope = around

    vars(within)["is_scoped"] = True  # so that Sequential does not name it twice
    return cast(F, within)
