"""The recording between one value and the output, element by element.

A local derivative is ∂y[j]/∂x[i] of one operation. All of them come from the table: a row's rule is
linear in its cotangent, so the rule's own pullback sends a direction of x forward. What it makes of
the i-th unit vector is the i-th column of the Jacobian.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..._typing import Array
from ...autograd import Graph, Node, no_grad, vjp
from ...autograd.backward import dependent, gradients, plan, unbroadcast
from ...autograd.graph import NO_OPTIONS, reachable
from ...errors import GradientError
from ...primitives import Trait

__all__ = ["Column", "Edge", "Elements", "is_elementwise", "with_arrays"]

Edge: TypeAlias = tuple[Node, int]  # a node, and the position of one of its inputs
Column: TypeAlias = tuple[Array, Array]  # places of y, counted flat, and the derivatives there
Push: TypeAlias = Callable[[Array], Array]  # from a direction of an input to one of the output

_DENSE = 1 << 22  # numbers of a Jacobian that is made whole where nothing else works


def is_elementwise(node: Node) -> bool:
    """Whether each output element depends on one element of each input."""
    return node.primitive is not None and Trait.ELEMENTWISE in node.primitive.traits


def with_arrays(root: Node) -> dict[Node, Node]:
    """The recording behind a node, node for node, with NumPy's arrays where others were."""
    copies: dict[Node, Node] = {}
    for node in Graph([root]):
        inputs = tuple(copies[i] if isinstance(i, Node) else _plain(i) for i in node.inputs)
        copies[node] = node.remade(np.asarray(node.value), inputs, node.tracked)
    return copies


def _plain(value: Any) -> Any:
    return np.asarray(value) if hasattr(value, "__array_function__") else value


class Elements:
    """What leads from the elements of one value to an output, and how steeply.

    Args:
        root: the output.
        seed: the cotangent that backward starts with there.
        start: the value, from which a gradient can flow to the output.

    Attributes:
        gradients: what backward brings to each node.
        users: for each node in between, where it is used on the way to the output.
    """

    def __init__(self, root: Node, seed: Array, start: Node) -> None:
        self.root, self.seed, self.start = root, seed, start
        visit = plan([root])
        self.gradients = {n: np.asarray(g) for n, g in gradients(visit, [(root, seed)]).items()}
        between = dependent(reachable([root], tracked=True), {start})
        self.nodes = list(reversed(between))  # inputs first
        self.users: dict[Node, list[Edge]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for k, parent in enumerate(node.inputs if node is not start else ()):
                if isinstance(parent, Node) and parent in self.users:
                    self.users[parent].append((node, k))
        self.work = 0  # how many numbers were computed for columns
        self._columns: dict[tuple[Edge, int], Column] = {}
        self._slopes: dict[Edge, Array] = {}
        self._places: dict[Edge, tuple[Array, Array]] = {}
        self._pushes: dict[Edge, Push] = {}

    def column(self, edge: Edge, i: int) -> Column:
        """The derivatives of a node's elements by the i-th element of one of its inputs.

        Those of an elementwise row are all that the element is used for, be they zero; of another
        row, those that are not zero.
        """
        if (edge, i) not in self._columns:
            node, k = edge
            if is_elementwise(node):
                places = self._used_at(edge, i)
                found = places, self._slope(edge).ravel()[places]
            else:
                x = node.inputs[k].value
                unit = np.zeros(x.size, dtype=x.dtype)
                unit[i] = 1.0
                derivatives = self._push(edge)(unit.reshape(x.shape)).ravel()
                places = np.flatnonzero(derivatives)  # NaN counts
                found = places, derivatives[places]
                self.work += node.value.size + x.size
            self._columns[edge, i] = found
        return self._columns[edge, i]

    def total(self, i: int) -> float:
        """The sum of the products along all paths from the i-th element, by one sweep forward."""
        direction = np.zeros(self.start.value.size, dtype=self.start.value.dtype)
        direction[i] = 1.0
        moves = {self.start: direction.reshape(self.start.value.shape)}
        for node in self.nodes:
            move = moves.get(node)
            if move is None:
                continue
            for edge in self.users[node]:
                user = edge[0]
                part = self._moved(edge, move)
                moves[user] = part if user not in moves else moves[user] + part
            if node is not self.root:
                del moves[node]
        with np.errstate(all="ignore"):
            return float(np.sum(_product(self.seed, moves[self.root])))

    def _moved(self, edge: Edge, move: Array) -> Array:
        """How a node moves where one of its inputs does."""
        if not is_elementwise(edge[0]):
            return self._push(edge)(move)
        with np.errstate(all="ignore"):
            return _product(np.broadcast_to(move, edge[0].value.shape), self._slope(edge))

    def _slope(self, edge: Edge) -> Array:
        """The derivative of each output element of an elementwise row by its input element."""
        if edge not in self._slopes:
            node, k = edge
            with np.errstate(all="ignore"), no_grad():
                found = _pulled(node, k, np.ones_like(node.value))
            self._slopes[edge] = np.broadcast_to(np.asarray(found), node.value.shape)
        return self._slopes[edge]

    def _used_at(self, edge: Edge, i: int) -> Array:
        """Where an elementwise row uses an input element: several places if it is broadcast."""
        node, k = edge
        x, y = node.inputs[k].value, node.value
        if x.shape == y.shape:
            return np.array([i], dtype=np.intp)
        if edge not in self._places:
            numbers = np.arange(x.size).reshape(x.shape)
            sources = np.broadcast_to(numbers, y.shape).ravel()
            order = np.argsort(sources, kind="stable")
            self._places[edge] = order, np.searchsorted(sources[order], np.arange(x.size + 1))
        order, starts = self._places[edge]
        return order[starts[i] : starts[i + 1]]

    def _push(self, edge: Edge) -> Push:
        if edge not in self._pushes:
            self._pushes[edge] = _pushed(*edge)
        return self._pushes[edge]


def _product(a: Array, b: Array) -> Array:
    """a·b, where what does not move stays, whatever the other factor is."""
    return np.where((a == 0) | (b == 0) & np.isfinite(a), 0, a * b)


def _pulled(node: Node, k: int, g: Any) -> Any:
    """What a row sends back to one of its inputs, in the shape that the rule returns."""
    row: Any = node.primitive
    arguments = [g, node.value, *node.operands]
    static = node.static or NO_OPTIONS
    if row.variadic:
        return row.pull(0, arguments, static)[k]
    return row.pull(k, arguments, static)


def _pushed(node: Node, k: int) -> Push:
    """The derivative of a node by one input, as a function of a direction of the input."""
    x = node.inputs[k].value

    def part(g: Any) -> Any:
        return unbroadcast(_pulled(node, k, g), x.shape)

    with np.errstate(all="ignore"), no_grad():
        cotangent = _irregular(node.value)
        try:
            pulled, back = vjp(part, cotangent)
        except Exception:  # a rule of the user's own that cannot be recorded
            return _by_rows(node, part)

    def push(direction: Array) -> Array:
        with np.errstate(all="ignore"), no_grad():
            return np.asarray(back(direction)[0])

    # A rule that takes its cotangent out of the recording pushes nothing, without a word.
    direction = _irregular(x)
    one, other = np.sum(pulled * direction), np.sum(cotangent * push(direction))
    near = 1e4 * float(np.finfo(x.dtype).eps) * np.sum(np.abs(pulled * direction))
    return _by_rows(node, part) if abs(one - other) > near else push


def _irregular(like: Array) -> Array:
    """Numbers of which no two cancel."""
    places = np.arange(like.size).reshape(like.shape)
    return (1 + (places * 0.6180339887) % 1).astype(like.dtype)


def _by_rows(node: Node, part: Callable[[Any], Any]) -> Push:
    """The same by the whole Jacobian, an output element a row."""
    y = node.value
    like = np.asarray(part(np.zeros_like(y)))
    if y.size * like.size > _DENSE:
        raise GradientError(
            f"explain: {node.described}: expected a derivative made of functions in the table; got "
            f"one that cannot be recorded, for {y.size} by {like.size} elements; write it in "
            f"NumPy calls"
        )
    rows = np.zeros((y.size, like.size), dtype=y.dtype)
    for j in range(y.size):
        unit = np.zeros(y.size, dtype=y.dtype)
        unit[j] = 1.0
        rows[j] = np.asarray(part(unit.reshape(y.shape))).ravel()
    return lambda direction: (rows @ direction.ravel()).reshape(y.shape)
