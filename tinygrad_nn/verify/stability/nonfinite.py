"""Where the first infinity or NaN of a recording came from, and what to do about it.

Values are read in the order in which they were computed, gradients in the order of the backward
visit. What is reported is the first operation that made something not finite of what was.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..._typing import Array, Shape
from ...autograd import Graph, Node
from ...autograd.backward import gradients, plan, starting_gradient, walk
from ...autograd.recording import SourceLine
from ...primitives import Trait
from .lint import quoted, recorded
from .remedies import remedy

__all__ = ["NonfiniteTrace", "Operand", "trace_nonfinite"]

_SHOWN = 8  # operands: a row such as concatenate may have hundreds


class Operand(NamedTuple):
    """What an operation worked on: one number of an elementwise one, else the range of them."""

    name: str  # the user's, or that of the row that made it
    shape: Shape
    dtype: str
    value: float | None  # the very element that did it
    low: float  # the least and the largest finite number; NaN if there is none
    high: float
    nonfinite: int  # how many are not

    def __str__(self) -> str:
        of = f"{self.name} {self.shape} {self.dtype}" if self.shape else f"{self.name} {self.dtype}"
        if self.value is not None:
            return f"{of}: {self.value:.9g}"
        if 0 in self.shape:
            return f"{of}: empty"
        strange = f", {self.nonfinite} not finite" if self.nonfinite else ""
        return f"{of}: {self.low:.6g} … {self.high:.6g}{strange}"


@dataclass(frozen=True)
class NonfiniteTrace:
    """Where the first number that is not finite came from. It is truthy when all are finite."""

    kind: str | None = None  # "value", "gradient", or None where all is finite
    node: Node | None = None  # whose row made it, of a value forwards or of a gradient backwards
    toward: Node | None = None  # the input whose gradient it made, if it is one
    result: float = 0.0  # the number itself
    index: tuple[int, ...] = ()  # of the first such element, of the value or of that gradient
    operands: tuple[Operand, ...] = ()
    suggestion: str = ""
    reaches_output: bool = False  # whether it spoils the output, or the gradient of a leaf

    def __bool__(self) -> bool:
        return self.kind is None

    @property
    def primitive(self) -> str | None:
        """The row that made it; None for what came in not finite."""
        return self.node.primitive.name if self.node and self.node.primitive else None

    @property
    def scope(self) -> str:
        """The part of the model, as in ``"encoder/hidden"``."""
        return "/".join(self.node.scope) if self.node else ""

    @property
    def source(self) -> SourceLine | None:
        """The user's line."""
        return self.node.source if self.node else None

    def __str__(self) -> str:
        if self.node is None:
            return "all values and gradients are finite"
        place = f"{self.scope}/" if self.scope else ""
        at = f" at {list(self.index)}" if self.index else ""
        what = place + (self.primitive or _name(self.node))
        if self.toward is not None:
            at = f" for the gradient of {_name(self.toward)}{at}"
            head = f"{what} gives {self.result}{at}, going backward; all before it are finite"
        elif self.kind == "gradient":
            head = f"the gradient of {what} is {self.result}{at}"
        elif self.primitive is None:
            head = f"{what} came in with {self.result}{at}"
        else:
            head = f"{what} gives {self.result}{at}, of operands that are finite"
            if any(o.nonfinite for o in self.operands):
                head = f"{what} gives {self.result}{at}, of a constant that is not finite"
        lines = [head, *quoted(self.source), *(f"  {operand}" for operand in self.operands)]
        if not self.reaches_output:
            lines.append("  harmless here: it reaches neither the output nor a leaf's gradient")
        return "\n".join([*lines, *([f"  {self.suggestion}"] if self.suggestion else [])])

    def __repr__(self) -> str:
        return f"<NonfiniteTrace {self.kind or 'finite'} {self.primitive or ''}".rstrip() + ">"


def trace_nonfinite(of: Any) -> NonfiniteTrace:
    """Find the operation that made the first infinity or NaN of a recording.

    A value that spoils the output or a leaf's gradient comes first; then the gradient, as
    `backward` delivers it from the seed it last started with, or from 1 for a scalar; then a value
    that does no harm, such as the branch that ``np.where`` did not select.

    Args:
        of: a Tensor, usually a loss, several in a container, or a Graph.

    Returns:
        A trace, truthy when all is finite.

    Raises:
        ArgumentError: something that is no Tensor or Graph, or whose values are not NumPy's.
        GradientError: an output that is no scalar, and that `backward` has not started from.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> x = tnn.Tensor([3.0, 0.0], requires_grad=True, name="x")
        >>> with np.errstate(divide="ignore"):
        ...     trace = tnn.trace_nonfinite(np.mean(np.log(x)))
        >>> trace.kind, trace.primitive, trace.index, trace.operands[0].value
        ('value', 'log', (1,), 0.0)
        >>> bool(tnn.trace_nonfinite(np.mean(x)))
        True
    """
    graph = recorded("trace_nonfinite", of)
    bad = {node for node in graph.nodes if not _is_finite(node.value)}
    lost = [out for out in graph.outputs if out in bad]
    if lost:
        return _of_value(graph, _origin(lost, bad), True)
    with np.errstate(all="ignore"):
        arrived = _gradients(graph)
        spoilt, harm = _first_spoilt(arrived)
        if spoilt is not None:
            user = _culprit(spoilt, arrived)
            behind = bad.intersection(() if user is None else (user, *user.parents))
            if behind:  # what was not finite forwards has come back
                return _of_value(graph, _origin(behind, bad), harm)
            return _of_gradient(graph, spoilt, user, arrived, harm)
    return _of_value(graph, min(bad, key=_number), False) if bad else NonfiniteTrace()


def _is_finite(value: Any) -> bool:
    array = np.asarray(value)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _number(node: Node) -> int:
    return node.number


def _origin(spoilt: Collection[Node], bad: Collection[Node]) -> Node:
    """The earliest value that is not finite, of those that others became so by."""
    waiting = list(spoilt)
    seen = set(waiting)
    for node in waiting:  # grows as it is read
        fresh = [i for i in node.parents if i in bad and i not in seen]
        seen.update(fresh)
        waiting += fresh
    return min((n for n in seen if n in bad), key=_number)


def _gradients(graph: Graph) -> Mapping[Node, Array]:
    """The gradient of each node, as backward would deliver it, in the order of its visit."""
    tracked = [out for out in graph.outputs if out.tracked]
    seeds = [(out, starting_gradient("trace_nonfinite", out)) for out in tracked]
    return gradients(plan(tracked), seeds)


def _first_spoilt(arrived: Mapping[Node, Array]) -> tuple[Node | None, bool]:
    """The first gradient that is not finite, of those that spoil a leaf's if any does."""
    spoilt = [node for node, g in arrived.items() if not _is_finite(g)]
    harmful: set[Node] = set()
    for node in reversed(spoilt):  # inputs come first
        into = {i for i in node.parents if i in harmful}
        passed = any(not _is_finite(_part(node, i, arrived[node])) for i in into)
        if node.leaf is not None or passed:
            harmful.add(node)
    return next((n for n in spoilt if n in harmful or not harmful), None), bool(harmful)


def _part(user: Node, node: Node, g: Array) -> Array:
    """What one user sends back to one of its inputs."""
    return dict(walk([user, node], [(user, g)], targets=[node]))[node]


def _culprit(spoilt: Node, arrived: Mapping[Node, Array]) -> Node | None:
    """The user whose derivative made a gradient not finite; None if only their sum is."""
    place = _first(arrived[spoilt])
    users = (n for n in arrived if any(i is spoilt for i in n.inputs))
    parts = ((user, _part(user, spoilt, arrived[user])) for user in users)
    return next((user for user, part in parts if not np.isfinite(part[place])), None)


def _first(value: Array) -> tuple[int, ...]:
    """The place of the first element that is not finite."""
    return tuple(map(int, np.argwhere(~np.isfinite(value))[0]))


def _of_value(graph: Graph, node: Node, harm: bool) -> NonfiniteTrace:
    place = _first(node.value)
    operands = _operands(node, place)
    numbers = [operand.value for operand in operands]
    constant = any(o.nonfinite for o in operands)  # or the value would not be the first
    advice = "" if constant else remedy(graph, node, numbers)
    return NonfiniteTrace(
        kind="value",
        node=node,
        result=float(node.value[place]),
        index=place,
        operands=operands,
        suggestion=advice,
        reaches_output=harm,
    )


def _of_gradient(
    graph: Graph, spoilt: Node, user: Node | None, arrived: Mapping[Node, Array], harm: bool
) -> NonfiniteTrace:
    index = _first(arrived[spoilt])
    result = float(arrived[spoilt][index])
    if user is None:
        seeded = spoilt.seed is not None and not _is_finite(spoilt.seed)
        why = "the gradient that backward() was given is not finite" if seeded else (
            f"what several uses send back overflows {spoilt.value.dtype} when it is added"
        )  # fmt: skip
        return NonfiniteTrace("gradient", spoilt, None, result, index, (), why, harm)
    operands = _operands(user, _place(user, spoilt, arrived[user]))
    advice = remedy(graph, user, [o.value for o in operands], backward=True)
    return NonfiniteTrace("gradient", user, spoilt, result, index, operands, advice, harm)


def _place(user: Node, spoilt: Node, g: Array) -> tuple[int, ...] | None:
    """The element of the user at which its derivative is not finite, if it is one element's."""
    if user.primitive is None or Trait.ELEMENTWISE not in user.primitive.traits:
        return None
    k = next(k for k, i in enumerate(user.inputs) if i is spoilt)
    part = user.primitive.pull(k, [g, user.value, *user.operands], user.static or {})
    part = np.broadcast_to(part, user.value.shape)
    return None if _is_finite(part) else _first(part)


def _operands(node: Node, place: tuple[int, ...] | None) -> tuple[Operand, ...]:
    elementwise = node.primitive is not None and Trait.ELEMENTWISE in node.primitive.traits
    at = place if elementwise else None
    shown: Sequence[Any] = [i for i in node.inputs if i is not None][:_SHOWN]
    return tuple(_operand(i, node.value.shape, at) for i in shown)


def _operand(value: Any, shape: Shape, place: tuple[int, ...] | None) -> Operand:
    array = np.asarray(value.value if type(value) is Node else value)
    finite = array[np.isfinite(array)]
    element = None if place is None else float(np.broadcast_to(array, shape)[place])
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)
    strange = array.size - finite.size
    return Operand(_name(value), array.shape, str(array.dtype), element, low, high, strange)


def _name(value: Any) -> str:
    if type(value) is not Node:
        return "constant"
    return value.name or (value.primitive.name if value.primitive else "an unnamed input")
