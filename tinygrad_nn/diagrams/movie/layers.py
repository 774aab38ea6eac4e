"""What a recording tells of a model's layers: the names of parameters, and units that rest."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..._typing import Array
from ...autograd import Graph, Node, Tensor
from ...primitives import Trait
from ...verify.text import distinct

__all__ = ["Activation", "Parameter", "activations", "named_parameters"]

_RECTIFIERS = {"tinygrad_nn.relu"}
# Rows that may be used to rectify: those do, that choose between something and 0.
_CHOICES = {"numpy.maximum", "numpy.fmax", "numpy.where", "numpy.clip"}
_BOUNDED = {"tinygrad_nn.sigmoid": (0.0, 1.0), "numpy.tanh": (-1.0, 1.0)}
_NEAR = 0.01  # an activation as near to an end as this has hardly any slope


class Parameter(NamedTuple):
    """A parameter of a model: what it is called, and the layer that it belongs to."""

    name: str
    layer: str
    tensor: Tensor


class Activation(NamedTuple):
    """What an activation function gives for some samples.

    A value has no slope where a rectifier gives 0, and hardly any where a sigmoid or tanh is within
    0.01 of an end.

    Attributes:
        name: as in "relu after hidden".
        bounded: whether it saturates, as a sigmoid does, and not only at 0, as a relu does.
        units: how many values it gives for each sample.
        resting: how many of them have no slope for any sample.
        share: the share of all values that have no slope.
    """

    name: str
    bounded: bool
    units: int
    resting: int
    share: float


def named_parameters(
    tensors: Sequence[Tensor], paths: Sequence[str], loss: Node
) -> list[Parameter]:
    """Parameters in the order in which the loss uses them, by the layers that use them first.

    Args:
        tensors: the parameters.
        paths: what they are called where neither they nor a layer has a name.
        loss: of a recording.
    """
    users: dict[Node, Node] = {}
    for node in Graph([loss]):
        for parent in node.parents:
            users.setdefault(parent, node)
    scopes = [users[t._node].scope if t._node in users else () for t in tensors]
    shared = _shared([scope for scope in scopes if scope])
    found = [
        (users[t._node].number if t._node in users else -1, "/".join(scope[shared:]), t, path)
        for t, scope, path in zip(tensors, scopes, paths, strict=True)
    ]
    found.sort(key=lambda one: (one[0] < 0, one[0]))  # those that are not used come last
    names = distinct(
        " ".join(filter(None, (layer, tensor.name or path.rpartition(".")[2] if layer else path)))
        for _, layer, tensor, path in found
    )
    return [
        Parameter(name, layer or name, tensor)
        for name, (_, layer, tensor, _) in zip(names, found, strict=True)
    ]


def activations(outputs: Node, parameters: Iterable[Parameter], samples: int) -> list[Activation]:
    """What the activation functions in a recording give, in order.

    They are found by their rows of the table. A sigmoid or tanh that gives the outputs themselves
    is left out: outputs may be certain.

    Args:
        outputs: of the model.
        parameters: by which layers are known.
        samples: how many samples the outputs are of.
    """
    layers = {p.tensor._node: p.layer for p in parameters}
    before: dict[Node, str] = {}  # the layer nearest before each node
    final = _unviewed(outputs)
    names, found = [], []
    for node in Graph([outputs]):
        above = sorted(node.parents, key=lambda parent: parent.number, reverse=True)
        known = [layers[p] for p in above if p in layers] or [before[p] for p in above]
        before[node] = next(filter(None, known), "")
        primitive, flat = node.primitive, _resting(node)
        if primitive is None or flat is None or flat.ndim < 2 or len(flat) != samples:
            continue
        bounded = primitive.qualified_name in _BOUNDED
        if not (bounded and node is final):
            names.append(f"{primitive.name} after {before[node]}".removesuffix(" after "))
            found.append((bounded, flat))
    return [
        Activation(
            name,
            bounded,
            flat[0].size,
            int(np.count_nonzero(np.all(flat, axis=0))),
            float(np.mean(flat)),
        )
        for name, (bounded, flat) in zip(distinct(names), found, strict=True)
    ]


def _resting(node: Node) -> Array | None:
    """Where a node has no slope; None if it is no activation function."""
    row: Any = node.primitive and node.primitive.qualified_name
    if row in _RECTIFIERS or (row in _CHOICES and any(map(_is_zero, node.inputs))):
        return node.value == 0
    if row in _BOUNDED:
        low, high = _BOUNDED[row]
        return (node.value <= low + _NEAR) | (node.value >= high - _NEAR)
    return None


def _is_zero(operand: Any) -> bool:
    """Whether an operand is a constant 0."""
    return not isinstance(operand, Node) and operand is not None and np.ndim(operand) == 0 and (
        operand == 0
    )  # fmt: skip


def _unviewed(node: Node) -> Node:
    """The node that computed a value, which may have been seen through views since."""
    while node.primitive is not None and Trait.VIEW in node.primitive.traits:
        parent = next(node.parents, None)
        if parent is None:
            break
        node = parent
    return node


def _shared(scopes: Sequence[tuple[str, ...]]) -> int:
    """How many names all scopes begin with, of those that are not the last one of any."""
    shared = 0
    while scopes and all(len(s) > shared + 1 and s[shared] == scopes[0][shared] for s in scopes):
        shared += 1
    return shared
