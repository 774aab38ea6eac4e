"""What the values of a recording are called, and finding one by what it is called."""

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..._typing import Array, Shape
from ...autograd import Node, Tensor
from ...errors import ArgumentError, GradientError
from ..places import places_in, title_of
from .wording import joined, printable, shape_text

__all__ = ["chosen_index", "chosen_value", "titles"]

_LISTED = 12  # names in an error


def titles(nodes: Iterable[Node]) -> dict[Node, str]:
    """What to call each node: its name, or its operation's, with a number where they share one."""
    found: dict[Node, str] = {}
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for node in nodes:
        title = plain = title_of(node)
        while title in taken:
            counts[plain] = counts.get(plain, 1) + 1
            title = f"{plain} {counts[plain]}"
        taken.add(title)
        found[node] = title
    return found


def chosen_value(nodes: Sequence[Node], parameter: Any) -> Node:
    """The value whose gradient is to be explained.

    Args:
        nodes: the recording, inputs first.
        parameter: a Tensor, a name, or None for the first leaf that collects a gradient.

    Raises:
        ArgumentError: there is no such value, or several, or no gradient flows to it.
        GradientError: None was given, and no leaf collects a gradient.
    """
    tracked = [node for node in nodes if node.tracked]
    if parameter is None:
        leaves = [n for n in tracked if n.primitive is None]
        collecting = [n for n in leaves if n.leaf is not None] or leaves
        if not collecting:
            raise GradientError(
                "explain: expected a loss of a Tensor that requires a gradient; got one of none; "
                "name the value to differentiate by with parameter="
            )
        return collecting[0]
    if isinstance(parameter, str):
        return _named(nodes, parameter)
    if not isinstance(parameter, (Tensor, Node)):
        raise ArgumentError(
            f"explain: expected a Tensor or a name for parameter=; got "
            f"{type(parameter).__name__}; {_what_there_is(nodes)}"
        )
    node = parameter._node if isinstance(parameter, Tensor) else parameter
    if node not in nodes:  # its data may have been replaced since
        same = [n for n in tracked if n.leaf is not None and n.leaf is node.leaf]
        if not same:
            raise ArgumentError(
                f"explain: expected a Tensor that the loss was computed from; got another, "
                f"{printable(node.described)}; {_what_there_is(nodes)}"
            )
        node = same[0]
    return _tracked(node, nodes)


def _named(nodes: Sequence[Node], name: str) -> Node:
    called, scopes = titles(nodes), places_in(nodes)
    paths = {n: "/".join((*scopes.get(n, ()), str(n.name))) for n in nodes if n.name}
    whole = [n for n in nodes if paths.get(n) == name]
    ends = [n for n in paths if paths[n].endswith(f"/{name}") or n.name == name]
    found = whole if len(whole) == 1 else ends or [n for n in nodes if called[n] == name]
    if not found:
        raise ArgumentError(
            f"explain: parameter: no value is called {printable(name)!r}; {_what_there_is(nodes)}"
        )
    if len(found) > 1:
        fitting = joined(printable(paths.get(n, called[n])) for n in found[:_LISTED])
        raise ArgumentError(
            f"explain: parameter: expected the name of one value; got {printable(name)!r}, which "
            f"fits {len(found)}: {fitting}; give the longer name, or pass the Tensor itself"
        )
    return _tracked(found[0], nodes)


def _tracked(node: Node, nodes: Sequence[Node]) -> Node:
    if not node.tracked:
        raise ArgumentError(
            f"explain: parameter: no gradient flows to {printable(node.described)}; "
            f"{_what_there_is(nodes)}"
        )
    return node


def _what_there_is(nodes: Sequence[Node]) -> str:
    """The names that may be given, leaves first."""
    scopes = places_in(nodes)
    called = titles(nodes)
    tracked = [n for n in nodes if n.tracked]
    order = sorted(tracked, key=lambda n: n.primitive is not None)
    names = [
        printable("/".join((*scopes.get(n, ()), str(n.name))) if n.name else called[n])
        for n in order
    ]
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"there are {', '.join(names[:_LISTED])}{more}"


def chosen_index(index: Any, gradient: Array, title: str) -> tuple[int, ...]:
    """The element to explain: as given, or the one with the largest gradient.

    Raises:
        ArgumentError: there is no such element.
    """
    shape = gradient.shape
    if index is None:
        if not gradient.size:
            raise ArgumentError(
                f"explain: expected a value with elements; got {title} of shape "
                f"{shape_text(shape)}; name another with parameter="
            )
        sizes = np.abs(gradient)
        largest = int(np.argmax(np.where(np.isnan(sizes), np.inf, sizes)))
        return tuple(int(i) for i in np.unravel_index(largest, shape))
    parts = tuple(index) if isinstance(index, (tuple, list)) else (index,)
    try:
        if any(isinstance(i, (bool, np.bool_)) for i in parts):
            raise TypeError
        numbers = [operator.index(i) for i in parts]
    except TypeError:
        raise _no_such_index(index, shape, title) from None
    inside = [-n <= i < n for i, n in zip(numbers, shape, strict=False)]
    if len(numbers) != len(shape) or not all(inside):
        raise _no_such_index(index, shape, title)
    return tuple(i % n for i, n in zip(numbers, shape, strict=True))


def _no_such_index(index: Any, shape: Shape, title: str) -> ArgumentError:
    return ArgumentError(
        f"explain: index: expected the place of an element of {title}, of shape "
        f"{shape_text(shape)}; got {index!r}; give an integer for each axis, as in "
        f"index={(0,) * len(shape)}"
    )
