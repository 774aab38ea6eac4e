"""The arguments of a step: what they are called, which are data, and which programs fit them."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..errors import ArgumentError

__all__ = ["Signature"]


class Signature:
    """The parameters of a step, and which of them are static."""

    def __init__(self, function: Callable[..., Any], static: Any) -> None:
        self._parameters = _parameters(function)
        self._static = _static_names(static, self._parameters, _parameters(function, _NAMED))

    def layout_of(
        self, args: Any, kwargs: Any
    ) -> tuple[list[str], set[int], list[tuple[str, Any]]]:
        """Of each leaf of the arguments its name; which are static; and objects to walk through."""
        names: list[str] = []
        static: set[int] = set()
        roots: list[tuple[str, Any]] = []
        for name, tree in [*zip(self._positional(args), args, strict=True), *kwargs.items()]:
            for path, leaf in _paths(name, tree):
                if name in self._static or not _is_data(leaf):
                    static.add(len(names))
                    if not isinstance(leaf, (str, bytes, bool, type(None))):
                        roots.append((path, leaf))
                names.append(path)
        return names, static, roots

    def _positional(self, args: Sequence[Any]) -> Iterator[str]:
        rest = len(args) - len(self._parameters)
        yield from self._parameters[: len(args)]
        yield from (f"argument_{i}" for i in range(max(rest, 0)))

    def kinds(self, args: Any, kwargs: Any, arguments: Sequence[Any]) -> Any:
        """What arguments have to have in common to share a program."""
        alone = len({id(a) for a in arguments}) == len(arguments)
        if alone and not self._static and not kwargs and all(type(a) is np.ndarray for a in args):
            return tuple((a.shape, a.dtype) for a in args)
        parts: list[Any] = [_structure((args, kwargs))]
        positional = zip(self._positional(args), args, strict=True)
        for name, tree in [*positional, *kwargs.items()]:
            parts.extend(_kind(leaf, name in self._static) for _, leaf in _paths(name, tree))
        parts.append(None if alone else tuple(_first(arguments)))
        return tuple(parts)


def _first(arguments: Sequence[Any]) -> Iterator[int]:
    """For each argument, the first that is the same object."""
    seen: dict[int, int] = {}
    for i, argument in enumerate(arguments):
        yield seen.setdefault(id(argument), i)


def _kind(leaf: Any, static: bool) -> Any:
    if static or not _is_data(leaf):
        try:
            hash(leaf)
        except TypeError as error:
            raise ArgumentError(
                f"compile: expected a static argument that can be compared; got "
                f"{type(leaf).__name__}; give a tuple, number or text"
            ) from error
        return type(leaf), leaf
    if isinstance(leaf, Tensor):
        return "Tensor", leaf.shape, leaf.dtype, leaf.requires_grad
    if isinstance(leaf, (np.ndarray, np.generic)):
        kind = type(leaf) if isinstance(leaf, np.ndarray) and type(leaf) is not np.ndarray else None
        return leaf.shape, leaf.dtype, kind
    return type(leaf)


def _is_data(leaf: Any) -> bool:
    """Whether an argument is something that a program computes with."""
    numbers = (np.ndarray, np.generic, Tensor, np.random.Generator, np.random.RandomState)
    return isinstance(leaf, numbers) or type(leaf) in (int, float)


def _structure(tree: Any) -> Any:
    if isinstance(tree, (tuple, list)):
        return type(tree), *map(_structure, tree)
    if isinstance(tree, dict):
        return dict, *((key, _structure(item)) for key, item in tree.items())
    return None if tree is None else 0


def _paths(name: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """Each leaf of a tree with a name for it."""
    items: Iterable[tuple[Any, Any]]
    if tree is None:
        return
    if isinstance(tree, (tuple, list)):
        items = enumerate(tree)
    elif isinstance(tree, dict):
        items = tree.items()
    else:
        yield name, tree
        return
    for key, item in items:
        yield from _paths(f"{name}_{key}", item)


_PLACED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (inspect.Parameter.KEYWORD_ONLY,)


def _parameters(function: Callable[..., Any], kinds: Any = _PLACED) -> list[str]:
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a function that does not say
        return []
    return [p.name for p in found if p.kind in kinds]


def _static_names(static: Any, parameters: Sequence[str], named: Sequence[str]) -> frozenset[str]:
    given = (static,) if isinstance(static, (str, int)) else tuple(static)
    names = set()
    for item in given:
        if isinstance(item, int) and not isinstance(item, bool):
            if not -len(parameters) <= item < len(parameters):
                raise ArgumentError(
                    f"compile: expected static= of the {len(parameters)} parameters; got {item}"
                )
            item = parameters[item]
        if item not in (*parameters, *named):
            raise ArgumentError(
                f"compile: expected static= to name parameters, some of {', '.join(parameters)}; "
                f"got {item!r}"
            )
        names.add(item)
    return frozenset(names)
