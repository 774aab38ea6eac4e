"""A path of the chain rule as plain data: its steps, from the loss back to the parameter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from ..._typing import Array
from ...autograd import Node
from ..labels import number
from .elements import Elements, is_elementwise
from .letters import arguments, names_in, numbers_at
from .search import Hop
from .wording import at, printable

__all__ = ["Path", "Step", "described", "heading"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: the local derivative of one element by another.

    Attributes:
        result: what the later value is called.
        result_index: which of its elements.
        operand: what the earlier value is called.
        operand_index: which of its elements.
        operation: the operation in between, as NumPy calls it.
        formula: its derivative, as the table says it, for a cotangent g.
        numbers: what the letters of the formula stand for here, where it is elementwise.
        value: the derivative.
        notes: what has to be known besides, such as what is taken at a kink.
    """

    result: str
    result_index: tuple[int, ...]
    operand: str
    operand_index: tuple[int, ...]
    operation: str
    formula: str
    numbers: tuple[tuple[str, float], ...]
    value: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """One path from the loss back to the parameter.

    Attributes:
        steps: from the loss back.
        product: of the local derivatives: what the path contributes to the gradient.
        titles: the values on it, from the loss back.
        closed: whether it contributes nothing because a derivative on it is 0.
    """

    steps: tuple[Step, ...]
    product: float
    titles: tuple[str, ...]
    closed: bool = False


def described(
    elements: Elements, hops: Sequence[Hop], called: Mapping[Node, str], start: int
) -> tuple[Step, ...]:
    """The steps of a path, from its hops.

    Args:
        elements: what the hops lead through.
        hops: from the output back.
        called: what each node is called.
        start: the element of the parameter, counted flat.
    """
    steps = []
    for hop, before in zip_longest(hops, hops[1:]):
        if hop.edge is None:
            continue
        node, position = hop.edge
        operand = node.inputs[position]
        formula = _formula(node, position)
        place = start if before is None else before.element
        plain = is_elementwise(node)
        steps.append(
            Step(
                called[node],
                _index(node.value, hop.element),
                called[operand],
                _index(operand.value, place),
                node.primitive.name if node.primitive else "",
                formula,
                numbers_at(node, hop.element, formula)
                if plain
                else _numbers(node, position, hop, place),
                hop.derivative,
                _notes(node, _index(node.value, hop.element), hop.derivative) if plain else (),
            )
        )
    return tuple(steps)


def _index(value: Array, flat: int) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, value.shape))


def _formula(node: Node, position: int) -> str:
    cells = () if node.primitive is None else node.primitive.derivatives
    cell = cells[0 if node.primitive and node.primitive.variadic else position]
    return "" if cell is None else cell.formula


def _numbers(node: Node, position: int, hop: Hop, place: int) -> tuple[tuple[str, float], ...]:
    """The numbers in the formula of a row that mixes its elements, where they can be named."""
    if node.primitive is not None and node.primitive.qualified_name == "numpy.matmul":
        return _factor(node, position, hop, place)
    size, made = node.inputs[position].value.size, node.value.size
    if made and size % made == 0 and "n" in names_in(_formula(node, position)):
        return (("n", float(size // made)),)  # how many elements make one, as in a mean
    return ()


def _factor(node: Node, position: int, hop: Hop, place: int) -> tuple[tuple[str, float], ...]:
    """What an element of one factor is multiplied by, in a product of matrices."""
    left, right = (v.ndim > 1 for v in node.operands)  # whether each has an axis that y keeps
    here, y = _index(node.inputs[position].value, place), _index(node.value, hop.element)
    lead, tail = y[: len(y) - left - right], y[len(y) - left - right :]  # (…) and (i, j)
    other = node.operands[1 - position]
    if position == 0:  # ∂y[…, i, j] / ∂a[…, i, k] = b[…, k, j]
        core = (here[-1], tail[-1]) if right else (here[-1],)
    else:  # ∂y[…, i, j] / ∂b[…, k, j] = a[…, i, k]
        k = here[-2] if right else here[-1]
        core = (tail[0], k) if left else (k,)
    batch = other.shape[: other.ndim - len(core)]
    spread = zip(lead[len(lead) - len(batch) :], batch, strict=True)
    index = (*(0 if n == 1 else i for i, n in spread), *core)
    return ((at("ba"[position], index), float(other[index])),)


def _notes(node: Node, index: tuple[int, ...], derivative: float) -> tuple[str, ...]:
    """What was chosen here: at a kink, or where there is no finite slope."""
    row = node.primitive
    if row is None:
        return ()
    # As 0-d arrays; an absent bound is far away.
    point = [
        np.array(np.inf if v is None else np.broadcast_to(v, node.value.shape)[index])
        for v in node.operands
    ]
    names = zip(arguments(row), node.operands, point, strict=False)
    given = [(name, number(float(p))) for name, v, p in names if v is not None]
    where = given[0][1] if len(given) == 1 else ", ".join(f"{name} = {p}" for name, p in given)
    if row.kinks is not None and _at(row.kinks, point) == 0:
        there = f"the derivative there is taken to be {number(derivative)}"
        return (f"{printable(row.name)} at exactly {where}: {there}",)
    if row.singular is not None and _at(row.singular, point) > 0:
        return (f"{printable(row.name)} at {where}: its derivative has no finite value there",)
    return ()


def _at(test: Callable[..., Array], point: Sequence[Array]) -> float:
    """What a row says of the operands of one element; NaN where it cannot."""
    try:
        with np.errstate(all="ignore"):
            return float(test(*point))
    except Exception:  # whatever a row of the user's may raise
        return np.nan


def heading(path: Path, longest: int) -> str:
    """The values on a path, from the loss back, as ``loss ← mean ← weights[0, 1]``."""
    last = path.steps[-1] if path.steps else None
    names = [printable(title) for title in path.titles]
    if last is not None:
        names[-1] = at(names[-1], last.operand_index)
    if len(names) > longest:
        left_out = len(names) - longest
        half = longest // 2
        names = [*names[:half], f"… {left_out:,} more …", *names[len(names) - (longest - half) :]]
    return " ← ".join(names)
