"""Recorded nodes computed again with sixty digits or more, by the same rows of the table.

The rows run as they stand on arrays of such numbers, and so do their derivatives. What a row
cannot do with them is computed from their values rounded to float64, and said so.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from ..._typing import Array
from ...autograd import Node
from ...autograd.backward import unbroadcast
from ...primitives import Trait
from .decimals import DIGITS, digits, lifted
from .patterns import called

__all__ = [
    "WORK",
    "Evaluation",
    "Sample",
    "computed",
    "cost",
    "evaluate",
    "pull",
    "pulled",
    "relative_error",
    "weights",
]

_MOST_DIGITS = 5000  # enough for 1 + e⁻ˣ with x up to 10,000
WORK = 40_000  # element operations with sixty digits: about a second

# Rows whose own code asks of its numbers what only floats can answer, written without.
_INSTEAD: dict[str, Callable[..., Any]] = {
    "astype": lambda a, dtype: a,
    "logaddexp": lambda a, b: np.log(np.exp(a) + np.exp(b)),
    "log_sum_exp": lambda a, axis=None, keepdims=False: np.log(
        np.sum(np.exp(a), axis=axis, keepdims=keepdims)
    ),
    "norm": lambda a, axis=None, keepdims=False: np.sqrt(
        np.sum(a * a, axis=axis, keepdims=keepdims)
    ),
}


class Evaluation(NamedTuple):
    """Nodes with their values in many digits."""

    values: dict[Node, Array]
    rounded: tuple[str, ...]  # the rows that were computed from values rounded to float64
    sure: bool  # whether the digits suffice to add the smallest of the numbers to the largest
    digits: int = DIGITS  # how many they are


def evaluate(
    part: Sequence[Node], entries: Mapping[Node, Array], work: float = WORK
) -> Evaluation | None:
    """Compute nodes again from entries, with as many digits as the numbers among them ask for.

    Args:
        part: what to compute, inputs before their users; other inputs keep their recorded values.
        entries: the nodes to start from, each with the value to take for exact.
        work: how many element operations with sixty digits to spend at the most.

    Returns:
        The values of part and entries; None where that would take too long.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> from tinygrad_nn.verify.stability.precise import evaluate
        >>> x = tnn.Tensor(1e-20, requires_grad=True)
        >>> y = np.log(1 + x)  # what is computed is 0
        >>> part = tnn.Graph([y]).nodes[1:]
        >>> float(evaluate(part, {x._node: x.numpy()}).values[y._node].item())
        1e-20
    """
    whole = sum(map(cost, part))
    if whole > work:
        return None
    first = _evaluated(part, entries, DIGITS)
    span = _span(first.values.values()) + sum(map(_span_inside, part))
    if span < DIGITS // 2:
        return first
    # Each further digit costs time: an exponential takes as the square of their number.
    most = int(min(_MOST_DIGITS, DIGITS * math.sqrt(work / max(whole, 1))))
    count = min(DIGITS + span, most)
    return _evaluated(part, entries, count)._replace(sure=DIGITS + span <= most)


class Sample(NamedTuple):
    """A formula, or twins of its nodes that hold some of its rows, and which these are."""

    root: Node
    part: Sequence[Node]
    entries: Sequence[Node]
    rows: Array | None


def computed(
    root: Node, part: Sequence[Node], entries: Sequence[Node]
) -> tuple[Sample, Evaluation] | None:
    """A formula in many digits, or as many of its rows as there is time for."""
    sample = Sample(root, part, entries, None)
    found = evaluate(part, {e: e.value for e in entries})
    for work in (WORK, WORK / 10_000):  # one row may ask for a hundred times the digits
        if found is not None and found.sure:
            break
        fewer = _sampled(root, part, entries, work)
        if fewer is None:
            break
        sample, found = fewer, evaluate(fewer.part, {e: e.value for e in fewer.entries})
    return None if found is None else (sample, found)


def _sampled(
    root: Node, part: Sequence[Node], entries: Sequence[Node], work: float
) -> Sample | None:
    """The rows of a formula that are the likeliest to go wrong, as many as there is time for.

    A row is what has one index along the first axis.

    Returns:
        None where the rows depend on one another, so that some cannot be taken alone.
    """
    count = root.value.shape[0] if root.value.ndim else 0
    if count < 2 or any(e.value.shape[:1] != (count,) for e in entries):
        return None
    whole = sum(map(cost, part))
    scores = sum(_row_scores(node.value) for node in (root, *entries))
    rows = np.sort(np.argsort(scores)[-max(1, int(count * work / (2 * whole))) :])
    twins: dict[Node, Node] = {}
    for node in (*entries, *part):
        twin = Node(node.value[rows] if node.value.shape[:1] == (count,) else node.value)
        twin.tracked = node.tracked
        if node in part:
            twin.primitive, twin.static = node.primitive, node.static
            twin.inputs = tuple(_row_input(i, twins, rows, count) for i in node.inputs)
            if not _agrees(twin):
                return None
        twins[node] = twin
    return Sample(twins[root], [twins[n] for n in part], [twins[e] for e in entries], rows)


def _row_scores(value: Array) -> Array:
    """The larger its numbers, the earlier a row is chosen; first those with any not finite."""
    flat = np.abs(value.reshape(len(value), -1).astype(np.float64))
    return np.max(np.where(np.isfinite(flat), flat, np.finfo(np.float64).max / 8), axis=1)


def _row_input(value: Any, twins: Mapping[Node, Node], rows: Array, count: int) -> Any:
    if type(value) is Node and value in twins:
        return twins[value]
    array = value.value if type(value) is Node else value
    return array[rows] if np.shape(array)[:1] == (count,) else array


def _agrees(twin: Node) -> bool:
    """Whether some rows alone give what they gave among all: else they depend on the others."""
    if twin.primitive is None:
        return False
    try:
        again = np.asarray(twin.primitive.evaluate(twin.operands, twin.static or {}))
    except (ValueError, IndexError, TypeError):  # what NumPy says where the shapes no longer fit
        return False
    close = 64 * float(np.finfo(twin.value.dtype).eps) if twin.value.dtype.kind == "f" else 0
    same = again.shape == twin.value.shape
    return same and np.allclose(again, twin.value, rtol=close, atol=close, equal_nan=True)


def _evaluated(part: Sequence[Node], entries: Mapping[Node, Array], count: int) -> Evaluation:
    with digits(count):
        values = {entry: lifted(value) for entry, value in entries.items()}
        names = [name for node in part if (name := _compute(node, values))]
    return Evaluation(values, tuple(dict.fromkeys(names)), True, count)


def _compute(node: Node, values: dict[Node, Array]) -> str:
    """Give a node its value; the name of its row if that had to be computed in float64."""
    if node.primitive is None:
        values[node] = lifted(node.value)
        return ""
    arguments = [_argument(i, node, values) for i in node.inputs]
    static = node.static or {}
    instead = _INSTEAD.get(called(node))
    try:
        if instead is None:
            values[node] = lifted(node.primitive.evaluate(arguments, static))
        else:
            values[node] = lifted(instead(*arguments, **static))
        return ""
    except (TypeError, AttributeError, ValueError):  # what NumPy says of a missing method
        with np.errstate(all="ignore"):
            floats = [_rounded(a) for a in arguments]
            values[node] = lifted(node.primitive.evaluate(floats, static))
        return node.primitive.name


def _rounded(value: Any) -> Any:
    return value.astype(np.float64) if np.asarray(value).dtype.kind == "O" else value


def _argument(value: Any, node: Node, values: Mapping[Node, Array]) -> Any:
    """An input of a node: what was computed, or what was recorded."""
    if type(value) is Node:
        return values[value] if value in values else lifted(value.value)
    if isinstance(value, float):
        # A Python number takes the dtype of the array that it meets.
        return float(np.asarray(value, dtype=node.value.dtype))
    return lifted(value) if isinstance(value, np.ndarray) else value


def cost(node: Node) -> float:
    """Roughly how many exponentials the node is worth."""
    if called(node) == "matmul":
        return 0.1 * node.value.size * np.shape(node.operands[0])[-1]
    if called(node) == "einsum":
        terms = (node.static or {})["subscripts"].split("->")[0].split(",")
        sizes = {
            c: n
            for t, a in zip(terms, node.operands, strict=True)
            for c, n in zip(t, a.shape, strict=True)
        }
        return 0.1 * math.prod(sizes.values())
    weight = 1.0 if node.primitive and not node.primitive.traits & Trait.LINEAR else 0.1
    return weight * max(np.size(v) for v in (node.value, *node.operands))


def _span(arrays: Collection[Array]) -> int:
    """How many decimals lie between the largest and the smallest of the numbers, 1 among them."""
    exponents = [0]
    for array in arrays:
        if array.dtype == object:
            exponents += [v.d.adjusted() for v in array.flat if v.d and v.d.is_finite()]
    return max(exponents) - min(exponents)


def _span_inside(node: Node) -> int:
    """The decimals between the exponentials of what a row takes, which it shows to nobody."""
    name, operands = called(node), list(map(np.asarray, node.operands))
    if name in ("sigmoid", "softplus"):  # beside eˣ stands 1, which is e⁰
        operands.append(np.asarray(0.0))
    elif name not in ("log_softmax", "log_sum_exp", "logaddexp"):
        return 0
    taken = [v[np.isfinite(v)] for v in operands]
    numbers = np.concatenate([v.ravel().astype(np.float64) for v in taken])
    return int(np.ptp(numbers) / math.log(10)) if numbers.size else 0


def weights(root: Node) -> Array:
    """A cotangent from 1 to 2: one of ones alone would see nothing of what always adds up to 1."""
    line = np.linspace(1, 2, root.value.size).reshape(root.value.shape)
    return line.astype(root.value.dtype)


def pulled(evaluation: Evaluation, part: Sequence[Node], root: Node) -> dict[Node, Array] | None:
    """The gradients of a weighted sum of a root, by each node, in the same numbers.

    Returns:
        None where a rule cannot be computed in them.
    """
    values = evaluation.values
    arrived = {root: lifted(weights(root))}
    with digits():
        try:
            for node in reversed(part):
                if node in arrived and node.primitive is not None:
                    pull(node, node.primitive, values, arrived)
        except (TypeError, AttributeError, ValueError):
            return None
    return arrived


def pull(
    node: Node, primitive: Any, values: Mapping[Node, Array], arrived: dict[Node, Array]
) -> None:
    """Add what has arrived at a node to what arrives at its inputs."""
    arguments = [arrived[node], values[node], *(_argument(i, node, values) for i in node.inputs)]
    static = node.static or {}
    every = primitive.pull(0, arguments, static) if primitive.variadic else None
    for k, parent in enumerate(node.inputs):
        if type(parent) is Node and parent in values and parent.tracked:
            part = every[k] if every else primitive.pull(k, arguments, static)
            shape = parent.value.shape  # a sum of all, which is no array of objects, stands apart
            part = lifted(unbroadcast(np.asarray(part), shape) if shape else np.sum(part))
            arrived[parent] = arrived[parent] + part if parent in arrived else part


def relative_error(recorded: Array, exact: Array, *, overall: bool = False) -> Array:
    """How far each recorded number is from the exact one, relative to that; ∞ if not a number.

    Where the exact one overflows there is nothing to compare. What underflows rightly is right.

    Args:
        overall: whether to compare with the largest of the exact numbers instead.
    """
    info = np.finfo(recorded.dtype)
    floor, largest = Decimal(float(info.tiny)), Decimal(float(info.max))
    rights = [e.d for e in exact.ravel().tolist()]
    usual = [abs(e) for e in rights if e.is_finite() and abs(e) <= largest]
    scale = max(usual, default=floor) if overall else floor

    def error(recorded: float, right: Decimal) -> float:
        if not right.is_finite() or abs(right) > largest:
            return 0.0
        if not math.isfinite(recorded):
            return math.inf
        return float(abs(Decimal(recorded) - right) / max(abs(right), scale, floor))

    with digits():
        errors = list(map(error, recorded.ravel().tolist(), rights))
    return np.array(errors, dtype=np.float64).reshape(recorded.shape)
