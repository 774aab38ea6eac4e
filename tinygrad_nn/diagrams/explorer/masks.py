"""Which values follow a change, where a recording holds results without how they were made.

A comparison has no gradient, so it is computed and not recorded: `np.where(x > 0, x, 0.1 * x)`
holds a mask. Where x changes, the mask must follow. It is found again if it is, element by
element, a comparison with 0 of what the choice is made between, or of what that is made from. A
mask that something else may have been made from as well is held: one must not move alone.

So is a value that stop_gradient let through, where something was computed from it, which has no
gradient either: in max(s, floor) + (p − s), where s is p without its gradient, s stays what it was.
"""

from collections.abc import Callable, Container, Iterator
from typing import Any, NamedTuple

import numpy as np

from ...autograd import Graph, Node
from ...primitives import GETITEM, TABLE, Trait

__all__ = ["Mask", "held", "masks", "steady"]

_COMPARISONS = (np.greater, np.greater_equal, np.less, np.less_equal)
_DEPTH = 2  # how far behind a choice what was compared may lie
_WHERE = TABLE["numpy.where"]


class Mask(NamedTuple):
    """A comparison with 0: of which node, and how."""

    of: Node
    how: Callable[..., Any]


def masks(graph: Graph) -> dict[Node, Mask]:
    """The masks of a recording that are comparisons of values in it."""
    found: dict[Node, Mask] = {}
    results = _results(graph)
    for node in graph.nodes:
        if node.primitive is _WHERE and _is_result(node.inputs[0]):
            condition = node.inputs[0]
            if any(condition.number < number < node.number for number in results):
                continue
            for mask in _candidates(node):
                if mask.of.number < condition.number and _agrees(mask, condition):
                    found.setdefault(condition, mask)
                    break
    return found


def steady(graph: Graph) -> list[Node]:
    """The values without a gradient that something else was made from, and that are held."""
    uses: dict[Node, int] = {}
    for node in graph.nodes:
        for parent in node.parents:
            uses.setdefault(parent, node.number)
    results = _results(graph)
    return [
        node
        for node in graph.nodes
        if node.primitive is not None
        and Trait.OPAQUE in node.primitive.traits
        and any(node.number < number < uses.get(node, node.number) for number in results)
    ]


def held(graph: Graph, known: Container[Any]) -> list[Node]:
    """What stays as it was recorded, whatever is changed: such values, other masks, and indices.

    Args:
        graph: a recording.
        known: the masks that are found again.
    """
    indexed = [
        node
        for node in graph.nodes
        if node.primitive is GETITEM and _has_arrays((node.static or {})["index"])
    ]
    return (
        steady(graph)
        + indexed
        + [
            node
            for node in graph.nodes
            if node.primitive is _WHERE
            and not (isinstance(node.inputs[0], Node) and node.inputs[0] in known)
        ]
    )


def _has_arrays(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, np.ndarray) for part in parts)


def _results(graph: Graph) -> list[int]:
    """When each value was made that may have been computed from others: one that nobody named."""
    return [
        node.number
        for node in graph.nodes
        if node.primitive is None and node.name is None and not node.tracked
    ]


def _is_result(condition: Any) -> bool:
    """Whether a condition may be the result of a comparison: a value that nobody named."""
    return (
        isinstance(condition, Node)
        and condition.primitive is None
        and condition.name is None
        and condition.value.dtype == bool
    )


def _candidates(choice: Node) -> Iterator[Mask]:
    """What may have been compared: the branches of a choice, and what they are made from."""
    level = [i for i in choice.inputs[1:] if isinstance(i, Node)]
    for _ in range(_DEPTH):
        for of in level:
            yield from (Mask(of, how) for how in _COMPARISONS)
        level = [parent for node in level for parent in node.parents]


def _agrees(mask: Mask, condition: Node) -> bool:
    value = mask.of.value
    return value.shape == condition.value.shape and bool(
        np.array_equal(mask.how(value, 0), condition.value)
    )
