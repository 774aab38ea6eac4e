"""Where a recording loses its digits, or overflows on the way, whatever the formula.

Recorded nodes are computed again in many digits. A node is to blame where it is wrong by far more
than its operands are, and where what is computed from it is wrong by that, or overflows by it.
"""

import heapq
import math
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from ..._typing import Array
from ...autograd import Graph, Node
from ...primitives import Trait
from .decimals import Precise, digits, lifted
from .patterns import called
from .precise import WORK, Evaluation, cost, evaluate, pull, relative_error, weights

__all__ = ["Lost", "Search", "search"]

_MOST_NODES = 3000  # a longer recording is computed again only near what looks suspicious
_SUSPECTS = 12
_SPARE = 20  # digits that many operations may have used up, of those that were computed with
_COMPOUND = {"log_softmax", "log_sum_exp", "logaddexp"}  # stable, whatever small result they round
_AGGREGATES = {"sum", "mean", "max", "amax", "min", "amin"}  # each of their terms is a result

_REMEDIES = {
    "add subtract sum mean": "rewrite the difference, as expm1, log1p, hypot, 2·sin²(x/2), "
    "(a − b)(a + b) or (a − b) / (√a + √b) do",
    "log log2 log10": "np.log1p(x), from what the argument differs from 1 by",
    "arcsin arccos": "near ±1 compute the angle by np.arctan2 of both its sides",
    "power float_power": "np.exp(b * np.log1p(x)), from what the base differs from 1 by",
    "sin cos tan": "keep the angle small: take whole turns away before they cost digits",
}
_SUBTRACT_FIRST = (
    "subtract the maximum first, or use logsumexp (np.logaddexp) / activations.log_softmax / "
    "activations.sigmoid"
)
_KEPT = {
    "exp exp2 expm1": _SUBTRACT_FIRST,
    "sqrt": "np.sqrt(np.maximum(x, 0)), or rewrite what rounding has made negative",
    "square power multiply": "scale the numbers down first, as np.linalg.norm and np.hypot do",
}


class Lost(NamedTuple):
    """One operation to blame, and its worst element."""

    rule: str
    node: Node
    message: str
    advice: str
    at: tuple[int, ...]
    recorded: float
    exact: float
    error: float


class Search(NamedTuple):
    """What was found, and what of the recording was not computed in many digits."""

    lost: tuple[Lost, ...]
    unknown: tuple[str, ...]  # rows whose values were taken as recorded
    whole: bool  # whether all other nodes were computed


def search(graph: Graph) -> Search:
    """Find the operations that lose most digits, or overflow where what comes of them does not.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> from tinygrad_nn.verify.stability.lost import search
        >>> x = tnn.Tensor(1e-9, requires_grad=True)
        >>> (found,) = search(tnn.Graph([1 - np.cos(x)])).lost
        >>> found.message
        'all digits are lost here, in a subtraction of nearly equal numbers'
    """
    known = [n for n in graph.nodes if _is_known(n)]
    unknown = [n for n in graph.nodes if n.primitive is not None and not _is_known(n)]
    whole = len(known) <= _MOST_NODES and sum(map(cost, known)) <= WORK
    part = known if whole else _windows(known)
    names = [n.primitive.name for n in unknown if n.primitive and n.value.dtype.kind == "f"]
    evaluation = evaluate(part, {})
    if evaluation is not None and evaluation.rounded:
        names += evaluation.rounded
        part = [n for n in part if n.primitive and n.primitive.name not in evaluation.rounded]
        evaluation = evaluate(part, {})
    rows = tuple(sorted(set(names)))
    if evaluation is None or not evaluation.sure:
        return Search((), rows, False)
    with digits(evaluation.digits):
        return Search(tuple(_blamed(graph, part, evaluation)), rows, whole)


def _is_known(node: Node) -> bool:
    """Whether a node is to be computed again: no leaf, no user's row, no choice or count."""
    return called(node) != "" and node.value.dtype.kind == "f"


def _windows(known: Sequence[Node]) -> list[Node]:
    """What leads to the first suspicious nodes, as far back as there is time for."""
    suspects = [n for n in known if _is_suspect(n)][:_SUSPECTS]
    inside: set[Node] = set()
    able = set(known)
    for suspect in suspects:
        work = WORK / (2 * len(suspects))
        waiting, seen = [(-suspect.number, 0, suspect)], {suspect}
        while waiting:
            node = heapq.heappop(waiting)[2]
            if node not in able or cost(node) > work:
                continue
            work -= max(cost(node), WORK / _MOST_NODES)
            inside.add(node)
            for i in set(node.parents) - seen:
                seen.add(i)
                heapq.heappush(waiting, (-i.number, len(seen), i))
    return sorted(inside, key=lambda n: n.number)


def _is_suspect(node: Node) -> bool:
    """Whether a value is not finite, or is far smaller than what it is the sum of."""
    sizes = [np.abs(np.asarray(v, dtype=np.float64)) for v in node.operands if np.size(v)]
    if not np.all(np.isfinite(node.value)):
        return all(bool(np.all(np.isfinite(s))) for s in sizes)
    if called(node) not in ("add", "subtract") or len(sizes) != 2:
        return False
    close = float(np.finfo(node.value.dtype).eps) / _threshold(node)
    return bool(np.any(np.abs(node.value) < close * np.maximum(*sizes)))


def _threshold(node: Node) -> float:
    """A relative error that is a loss, and no chance: among many numbers some are near 0."""
    eps = float(np.finfo(node.value.dtype).eps)
    return max(eps**0.6, min(1000 * node.value.size * eps, 0.9))


# --- who is to blame --------------------------------------------------------------------------


def _blamed(graph: Graph, part: Sequence[Node], evaluation: Evaluation) -> list[Lost]:
    values = evaluation.values
    errors = {n: relative_error(n.value, values[n]) for n in part}
    wrong = {n for n in part if n.value.size and np.any(errors[n] > _threshold(n))}
    broken = {n for n in part if _is_broken(n, values)}
    if not wrong and not broken:
        return []
    used = _used(graph, values, None)
    costly = _used(graph, values, errors)
    found = []
    for node in part:
        lost = None
        if node in broken:
            lost = _overflow(node, values, errors, used)
        elif node in wrong and node in costly and called(node) not in _COMPOUND:
            lost = _cancellation(node, evaluation, errors, costly[node])
        found += [lost] if lost is not None else []
    return found


def _is_broken(node: Node, values: Mapping[Node, Array]) -> bool:
    """Whether it has made an infinity or NaN, of finite numbers, of what has a value."""
    if np.all(np.isfinite(node.value)):
        return False
    exact = np.frompyfunc(lambda v: v.d.is_finite(), 1, 1)(values[node])
    operands = [np.asarray(v) for v in node.operands]
    finite = all(bool(np.all(np.isfinite(v))) for v in operands if v.dtype.kind in "fc")
    return finite and bool(np.any(np.asarray(exact, dtype=bool) & ~np.isfinite(node.value)))


def _overflow(
    node: Node,
    values: Mapping[Node, Array],
    errors: Mapping[Node, Array],
    used: Mapping[Node, Array],
) -> Lost | None:
    exact = np.frompyfunc(lambda v: v.d.is_finite(), 1, 1)(values[node])
    where = np.asarray(exact, dtype=bool) & ~np.isfinite(node.value) & used.get(node, False)
    if not np.any(where):
        return None
    index = _first(where)
    right = values[node][index].d
    inside = not math.isinf(float(right)) and errors[node][index] > 0
    message = (
        "it is not finite here, though the exact value is: rounding has spoilt its argument"
        if inside
        else f"it overflows {node.value.dtype}, though what comes of it does not"
    )
    advice = _remedy(called(node), _KEPT) or "scale the numbers, or compute with their logarithms"
    recorded = float(node.value[index])
    rule = "not-finite" if inside else "overflow"
    return Lost(rule, node, message, advice, index, recorded, float(right), math.inf)


def _cancellation(
    node: Node, evaluation: Evaluation, errors: Mapping[Node, Array], used: Array
) -> Lost | None:
    """The worst element that its operands do not excuse, and that a result depends on."""
    own, eps = errors[node], float(np.finfo(node.value.dtype).eps)
    excuse = np.zeros(own.shape, dtype=float)
    size = np.zeros(own.shape, dtype=float)
    elementwise = node.primitive is not None and Trait.ELEMENTWISE in node.primitive.traits
    for operand in node.inputs:
        if type(operand) is Node and operand in errors and operand.value.size:
            error = errors[operand]
            excuse = np.maximum(excuse, error if elementwise else np.max(error))
        about = np.abs(np.asarray(operand.value if type(operand) is Node else operand))
        if about.dtype.kind in "iuf" and about.size:
            size = np.maximum(size, about if elementwise else np.max(about))
    exact = evaluation.values[node]
    surely = _exceeds(exact, size, evaluation.digits - _SPARE)
    small = (excuse < eps**0.75) | (excuse < own * eps**0.25)
    where = (own > _threshold(node)) & small & surely & used & np.isfinite(node.value)
    if not np.any(where):
        return None
    index = tuple(map(int, np.unravel_index(int(np.argmax(np.where(where, own, -1))), own.shape)))
    numbers = float(node.value[index]), float(exact[index]), float(own[index])
    return Lost("lost-digits", node, _said(node, numbers[2]), _advice(node), index, *numbers)


def _exceeds(exact: Array, size: Array, count: int) -> Array:
    """Where a number is more than what so many digits make of 0."""
    least = Decimal(10) ** -count

    def exceeds(value: Precise, about: float) -> bool:
        return bool(value.d) and abs(value.d) > least * Decimal(about)

    return np.asarray(np.frompyfunc(exceeds, 2, 1)(exact, size), dtype=bool)


def _said(node: Node, error: float) -> str:
    of = -math.log10(float(np.finfo(node.value.dtype).eps))
    kept = -math.log10(error) if error > 0 else of
    row = called(node)
    what = "a subtraction" if row == "subtract" else "a sum"
    near = (
        f", in {what} of nearly equal numbers"
        if row in ("subtract", "add", "sum", "mean", "matmul", "einsum")
        else f", in {row}, which magnifies the rounding of its argument"
    )
    if kept < 0.5:
        return f"all digits are lost here{near}"
    return f"{round(of - kept)} of {math.ceil(of)} digits are lost here{near}"


def _advice(node: Node) -> str:
    otherwise = "rewrite the formula so that what is small is computed by itself"
    return _remedy(called(node), _REMEDIES) or otherwise


def _remedy(row: str, remedies: Mapping[str, str]) -> str:
    return next((text for rows, text in remedies.items() if row in rows.split()), "")


def _fits(node: Node, exact: Array) -> Array:
    largest = Decimal(float(np.finfo(node.value.dtype).max))
    fits = np.frompyfunc(lambda v: v.d.is_finite() and abs(v.d) <= largest, 1, 1)(exact)
    return np.asarray(fits, dtype=bool)


def _first(where: Array) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(int(np.argmax(where)), where.shape)))


# --- what it matters to -----------------------------------------------------------------------


def _used(
    graph: Graph, values: Mapping[Node, Array], errors: Mapping[Node, Array] | None
) -> dict[Node, Array]:
    """Which elements of each node an output depends on.

    With errors, only by way of elements that are wrong themselves: a sum in which a lost digit
    does not count puts an end to it, but for a sum or mean of what are results each.
    """
    outputs: Collection[Node] = [getattr(out, "_node", out) for out in graph.outputs]
    used = {out: np.ones(out.value.shape, dtype=bool) for out in outputs}
    if errors is None:  # what overflows in truth is no fault of the formula
        used = {o: used[o] & _fits(o, values[o]) if o in values else used[o] for o in outputs}
    filled = {n: values[n] if n in values else lifted(n.value) for n in graph.nodes}
    for node in reversed(graph.nodes):
        if node not in used or node.primitive is None:
            continue
        mask = used[node]
        if errors is not None and node in errors and called(node) not in _AGGREGATES:
            mask = mask & (errors[node] > _threshold(node))
        if np.any(mask):
            _pass_on(node, mask, filled, used, known=node in values)
    return used


def _pass_on(
    node: Node, mask: Array, filled: Mapping[Node, Array], used: dict[Node, Array], known: bool
) -> None:
    arrived = {node: lifted(np.where(mask, np.asarray(weights(node), dtype=np.float64), 0.0))}
    try:
        if not known:
            raise TypeError("no such numbers")
        pull(node, node.primitive, filled, arrived)
    except (TypeError, AttributeError, ValueError):  # what asks for floats: all may matter
        arrived = {i: lifted(np.ones(i.value.shape, dtype=float)) for i in node.parents}
    for parent in node.parents:
        if parent in arrived:
            nonzero = np.asarray(np.frompyfunc(bool, 1, 1)(arrived[parent]), dtype=bool)
            used[parent] = used[parent] | nonzero if parent in used else nonzero
