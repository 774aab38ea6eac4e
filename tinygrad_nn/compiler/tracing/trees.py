"""Trees of arguments that hold traced arrays."""

from collections.abc import Iterator
from typing import Any

from ...autograd import Tensor
from ...primitives import Deferred

__all__ = ["plain", "traced_in"]


def plain(tree: Any) -> Any:
    """The values of this run in the places of traced arrays."""
    if isinstance(tree, Deferred):
        return tree.concrete  # type: ignore[attr-defined]
    if isinstance(tree, Tensor):
        return plain(tree._node.value)
    kind = type(tree)
    if kind is list or kind is tuple:
        return kind(plain(item) for item in tree)
    if kind is dict:
        return {key: plain(item) for key, item in tree.items()}
    if kind is slice:
        return slice(plain(tree.start), plain(tree.stop), plain(tree.step))
    return tree


def traced_in(tree: Any) -> Iterator[Any]:
    """The traced arrays in a tree of arguments."""
    if isinstance(tree, Deferred):
        yield tree
    elif isinstance(tree, Tensor):
        yield from traced_in(tree._node.value)
    elif type(tree) in (list, tuple):
        for item in tree:
            yield from traced_in(item)
    elif type(tree) is dict:
        yield from traced_in(list(tree.values()))
    elif type(tree) is slice:
        yield from traced_in([tree.start, tree.stop, tree.step])
