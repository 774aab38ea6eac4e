"""Checkpoints: keep the inputs of a computation, and record it again when its gradient is asked."""

import functools
from collections.abc import Sequence
from itertools import compress
from typing import Any, NamedTuple

import numpy as np

from .._scope import here
from .._typing import Array
from ..errors import ArgumentError, GradientError
from ..primitives import Deferred, Derivative, Primitive, Trait, ensure_within
from .backward import plan
from .containers import leaves, rebuilt
from .graph import Node, reachable
from .recording import enable_grad, is_recording, state, user_site
from .run import Function, fresh_input, is_traced, pull
from .tensor import Tensor

__all__ = ["checkpoint"]


def checkpoint(f: Function) -> Function:
    """A function that computes as f does, but records one node instead of all of f's.

    What f computes on the way is dropped, and computed again when a gradient passes: time is paid
    for memory. Tensors that f closes over, such as a layer's parameters, receive their gradients
    too.

    Raises:
        GradientError: from the backward pass, when f does not give the same value again, because
            it draws random numbers, or because something that it uses has been changed.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> block = tnn.checkpoint(lambda x: np.tanh(np.sin(x)) ** 2)
        >>> x = tnn.Tensor([1.0, 2.0], requires_grad=True)
        >>> block(x).sum().backward()
        >>> len(tnn.Graph([block(x)]))  # x, and one node for all of the block
        2
    """

    @functools.wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if not is_recording():
            return f(*args, **kwargs)
        return _Segment(f, (args, kwargs)).output()

    return checkpointed


class _Before:
    """The nodes that were there before a certain one: a walk back goes no further."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __contains__(self, node: object) -> bool:
        return isinstance(node, Node) and node.number < self._number


class _Recording(NamedTuple):
    """What one run of the function left behind."""

    result: Any  # as the function returned it
    inputs: list[Node]  # what was given to it
    closed: list[Node]  # what it used besides, from outside
    outputs: list[Node]  # those of its outputs through which a gradient can flow
    digest: int  # what it did: its rows, their static arguments and constants


class _Segment:
    """One call of a checkpointed function: a row of its own, for this call alone."""

    def __init__(self, f: Function, call: tuple[Any, ...]) -> None:
        self.f = f
        self.call = call
        self.traced = [is_traced(leaf) for leaf in leaves(call)]
        self.count = sum(self.traced)
        self.closed: list[Node] = []
        self.digest = 0

    def output(self) -> Any:
        """What the function returns, with one node for all that it did."""
        given = list(compress(leaves(self.call), self.traced))
        first = self.record(given)
        self.closed, self.digest = first.closed, first.digest
        if not first.outputs:
            return first.result
        row = Primitive(
            self.evaluate, "f(a₁, a₂, …)", Trait.VARIADIC,
            Derivative("what f, recorded again, sends back", self.pull_back),
            name="tinygrad_nn.checkpoint", parameters="arrays",
        )  # fmt: skip
        inputs = (*(t._node for t in given), *first.closed)
        value = _packed([node.value for node in first.outputs])
        node = Node(value, row, inputs, None, True, here.scope, user_site())
        unpacked = iter(_unpacked(Tensor._of(node), [n.value for n in first.outputs]))
        return rebuilt(
            first.result, (next(unpacked) if _flows(y) else y for y in leaves(first.result))
        )

    def record(self, given: Sequence[Any]) -> _Recording:
        """Run the function on these inputs in place of the traced ones, recording."""
        with enable_grad():
            fresh = [fresh_input(value) for value in given]
            start = Node(np.zeros(0, dtype=np.float64)).number
            inputs = iter(fresh)
            args, kwargs = rebuilt(
                self.call,
                (
                    next(inputs) if traced else leaf
                    for leaf, traced in zip(leaves(self.call), self.traced, strict=True)
                ),
            )
            state.transforms += 1  # so that what f calls is recorded here, and nothing else
            try:
                result = self.f(*args, **kwargs)
            finally:
                state.transforms -= 1
            outputs = [y._node for y in leaves(result) if _flows(y)]
        nodes = [t._node for t in fresh]
        for node in nodes:
            node.leaf = None  # to a run around this one, it is no leaf of anyone's
        outside = _Before(start)
        reached = reachable(outputs, tracked=True, until=outside)
        closed = [node for node in reached if node in outside and node not in nodes]
        inside = [node for node in reached if node not in outside]
        return _Recording(result, nodes, closed, outputs, _digest(inside, [*nodes, *closed]))

    def evaluate(self, values: Sequence[Array]) -> Array:
        """The value again, for other inputs. What the function closes over is where it was."""
        for node, value in zip(self.closed, values[self.count :], strict=True):
            if not np.array_equal(node.value, value, equal_nan=True):
                raise ArgumentError(
                    "checkpoint: a value that the function closes over cannot be replaced; make "
                    "it an argument"
                )
        given = [Tensor(value, requires_grad=True) for value in values[: self.count]]
        return _packed([node.value for node in self.record(given).outputs])

    def pull_back(self, g: Array, y: Array, *values: Array) -> list[Array]:
        """Record again, and send the cotangent back to the inputs and to what is closed over."""
        again = self.record(values[: self.count])
        value = _packed([node.value for node in again.outputs])
        before = y._node.value if isinstance(y, Tensor) else y
        if (
            again.closed != self.closed
            or again.digest != self.digest
            or not _is_same(value, before)
        ):
            raise GradientError(
                "checkpoint: expected the function to compute the same again; got another value, "
                "or other Tensors that it closes over; draw random numbers outside, and change "
                "parameters only after backward()"
            )
        parts = _unpacked(g, [node.value for node in again.outputs])
        seeds = list(zip(again.outputs, parts, strict=True))
        targets = [*again.inputs, *self.closed]
        recorded = any(map(is_traced, (g, *values)))
        # Which of these outputs were selected is known to the walk around this one.
        visit = plan(again.outputs, set(targets))
        found = pull(visit, seeds, targets, recorded, select=False)
        return [Tensor._of(node) if recorded else node.value for node in found]


def _is_same(value: Any, before: Any) -> bool:
    """Whether a second run gave the same, NaN in the same places included."""
    if isinstance(value, Deferred):  # that is seen when there are values
        if 0 not in value.shape:
            changed = (value != before) & (value == value)
            ensure_within(changed, 0, 0, "checkpoint: expected the same again", "run it eagerly")
        return True
    return bool(np.array_equal(value, before, equal_nan=True))


def _digest(inside: Sequence[Node], outside: Sequence[Node]) -> int:
    """What a run did, as one number: enough to tell whether another did the same."""
    places = {node: i for i, node in enumerate([*outside, *reversed(inside)])}
    did: list[Any] = []
    for node in reversed(inside):
        did.append(node.static)
        if node.primitive is not None:
            nested = getattr(node.primitive.function, "__self__", None)
            did.append(nested.digest if isinstance(nested, _Segment) else node.primitive.name)
        for i in node.inputs:
            constant = i.value if isinstance(i, Node) else i
            did.append(places[i] if isinstance(i, Node) and i in places else constant)
    return hash(tuple(map(_hashable, leaves(did))))


def _hashable(part: Any) -> Any:
    if isinstance(part, np.ndarray):
        return part.shape, part.dtype.str, part.tobytes()
    return repr(part)


def _flows(y: Any) -> bool:
    """Whether a gradient can flow through an output."""
    return isinstance(y, Tensor) and y.requires_grad


def _packed(values: Sequence[Array]) -> Array:
    """Several outputs as one row, since a node has one value; one output as it is."""
    return values[0] if len(values) == 1 else np.concatenate([np.ravel(v) for v in values])


def _unpacked(row: Array, likes: Sequence[Array]) -> list[Array]:
    """The same taken apart again."""
    if len(likes) == 1:
        return [row]
    stops = np.cumsum([like.size for like in likes]).tolist()
    return [
        np.reshape(row[stop - like.size : stop], like.shape).astype(like.dtype)
        for stop, like in zip(stops, likes, strict=True)
    ]
