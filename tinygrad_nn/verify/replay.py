"""Running a recording again on other numbers: on what moved, or on complex ones."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._typing import Array
from ..autograd import Node
from ..autograd.graph import NO_OPTIONS
from ..primitives import Primitive

__all__ = ["Evaluate", "copied", "lifted", "replayed", "rounded"]


Evaluate = Callable[[Primitive, Sequence[Any], dict[str, Any]], Any]


def replayed(
    nodes: Sequence[Node],
    known: Mapping[Node, Array],
    evaluate: Evaluate = Primitive.evaluate,
) -> dict[Node, Array]:
    """The values of computed nodes, in order, where those of some others are as given.

    Args:
        nodes: what to compute again.
        known: the values of nodes that have moved.
        evaluate: what a row gives for its operands and its static arguments.
    """
    values = dict(known)
    for node in nodes:
        if node.primitive is not None and node not in values:
            operands = [values.get(i, i.value) if isinstance(i, Node) else i for i in node.inputs]
            found = evaluate(node.primitive, operands, node.static or NO_OPTIONS)
            values[node] = np.asarray(found)
    return values


def copied(nodes: Sequence[Node], values: Mapping[Node, Array]) -> dict[Node, Node]:
    """The same recording on other values, node for node."""
    copies: dict[Node, Node] = {}
    for node in nodes:
        inputs = tuple(copies.get(i, i) if isinstance(i, Node) else i for i in node.inputs)
        value = values.get(node, node.value)
        copies[node] = Node(value, node.primitive, inputs, node.static, node.tracked)
    return copies


def rounded(y: Array, random: "np.random.Generator") -> Array:
    """Numbers as another order of the same operations might have rounded them."""
    if y.dtype.kind not in "fc":
        return y
    ulp = np.finfo(y.dtype).eps
    return (y * (1 + ulp * random.integers(-1, 2, y.shape))).astype(y.dtype)


def lifted(value: Any) -> Any:
    """Floating-point numbers in double precision; anything else as it is."""
    real = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return value.astype(np.float64) if real else value
