"""Tuples, lists and dicts of arrays, nested as people nest them, taken as rows of leaves.

A transform differentiates by what a container holds, and hands its results back in a container of
the same shape. None holds nothing.
"""

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import ArgumentError

__all__ = ["is_container", "leaves", "leaves_like", "rebuilt"]


def is_container(tree: Any) -> bool:
    """Whether a value holds others, and is no array itself."""
    return tree is None or isinstance(tree, (tuple, list, dict))


def _items(tree: Any) -> Iterable[Any]:
    if tree is None:
        return ()
    return tree.values() if isinstance(tree, dict) else tree


def leaves(tree: Any) -> list[Any]:
    """The arrays in a container, in order; an array is its own only leaf."""
    if not is_container(tree):
        return [tree]
    return [leaf for item in _items(tree) for leaf in leaves(item)]


def rebuilt(like: Any, values: Iterator[Any]) -> Any:
    """A container as another one, with other leaves."""
    if not is_container(like):
        return next(values)
    if like is None:
        return None
    if isinstance(like, dict):
        fresh = copy.copy(like)
        for key, item in like.items():
            fresh[key] = rebuilt(item, values)
        return fresh
    items = [rebuilt(item, values) for item in like]
    return type(like)(*items) if hasattr(like, "_fields") else type(like)(items)


def leaves_like(where: str, like: Any, tree: Any) -> list[Any]:
    """One value for each leaf of another container. Where that has an array, a list is data.

    Raises:
        ArgumentError: the two do not hold the same.
    """
    if not is_container(like) and tree is not None and not isinstance(tree, dict):
        return [tree]
    same = isinstance(tree, dict) == isinstance(like, dict)
    same = same and is_container(tree) and is_container(like)
    if isinstance(like, dict):
        same = same and tree.keys() == like.keys()
        pairs = [(like[key], tree[key]) for key in like] if same else []
    else:
        same = same and (tree is None) == (like is None)
        same = same and len(list(_items(tree))) == len(list(_items(like)))
        pairs = list(zip(_items(like), _items(tree), strict=True)) if same else []
    if not same:
        raise ArgumentError(
            f"{where}: expected a container like the one to go with it, {_shown(like)}; "
            f"got {_shown(tree)}"
        )
    return [leaf for a, b in pairs for leaf in leaves_like(where, a, b)]


def _shown(tree: Any) -> str:
    if isinstance(tree, dict):
        return f"a dict of {', '.join(map(repr, tree))}"
    if isinstance(tree, (tuple, list)):
        return f"a {type(tree).__name__} of {len(tree)}"
    return "None" if tree is None else f"a {type(tree).__name__}"
