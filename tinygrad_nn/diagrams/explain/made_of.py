"""What a function is made of: the rows of the table that a sample call records."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...autograd import Graph, Node, Tensor
from ...autograd.containers import leaves
from ...primitives import Rewrite
from ...verify.table.sampling import sample

__all__ = ["recorded", "recorded_rewrite", "recorded_sample"]

_SIZE = (4, 3)  # of a sample: a batch, by classes
_LINE, _MASK = np.array([0.5, -1.0, 2.0]), np.array([True, False, True])
_PLACES = np.array([2, 0, 1])
# Arguments for composed functions whose first one is no array, or that no sample call describes.
_SPELLINGS: tuple[tuple[Any, ...], ...] = (
    (np.outer(_LINE, _LINE),),
    (_LINE, _LINE),
    ([_LINE, _LINE],),
    (_LINE, _PLACES, 0),
    (_MASK, _LINE),
    (_PLACES, _LINE),
    (_PLACES % 2, [_LINE, _LINE]),
    (_LINE, 1, np.array(2.0)),
    ([_MASK], [_LINE]),
    ("i,i->", _LINE, _LINE),
    (_LINE, np.arange(3.0), _LINE),
    (np.cumsum, 0, _LINE),
    (_LINE, [_MASK], [np.tanh]),
    (_LINE, np.float64),
)


def recorded(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Node, ...]:
    """The operations of one call, in order.

    Floating-point arrays are differentiated by. Where that records nothing, so are all numbers,
    since shapes are the same whatever the dtype.

    Raises:
        Exception: whatever the function raises for such arguments.
    """
    try:
        made = _operations(function, [_traced(a) for a in arguments])
    except Exception:  # as NumPy's own, of arrays that no Tensor is among
        return _operations(function, [_traced(a, any_number=True) for a in arguments])
    return made or _tried(_operations, [function, [_traced(a, any_number=True) for a in arguments]])


def _operations(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Node, ...]:
    with np.errstate(all="ignore"):  # of a sample, what is not defined
        results = leaves(function(*arguments))
    graph = Graph([y for y in results if isinstance(y, Tensor)])
    return tuple(node for node in graph if node.primitive is not None)


def _traced(value: Any, any_number: bool = False) -> Any:
    """An argument as a Tensor to differentiate by, if it is an array of real numbers.

    Args:
        value: the argument.
        any_number: whether to take whole numbers, and tuples of numbers, for arrays as well; they
            may be options, such as an axis.
    """
    if isinstance(value, (list, tuple)) and value and all(map(_is_array, value)):
        return [_traced(item, any_number) for item in value]
    if isinstance(value, (Tensor, bool)):
        return value
    if not isinstance(value, (np.ndarray, list, float, *((int, tuple) if any_number else ()))):
        return value
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        return value
    if array.dtype.kind == "f" or (array.dtype.kind in "iu" and any_number):
        return Tensor(array, dtype=None if array.dtype.kind == "f" else float, requires_grad=True)
    return value


def _is_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, Tensor))


def recorded_rewrite(entry: Rewrite) -> tuple[Node, ...]:
    """What a composed function records in its plainest sample call that records anything."""
    for call in entry.calls:
        arrays = sample(entry, call, np.random.default_rng(0))
        # As people call it, if it can be called so; with its options otherwise.
        made = _tried(recorded, [entry, arrays])
        made = made or _tried(recorded, [partial(entry, **call.static), arrays])
        if made:
            return made
    for arguments in () if entry.calls else _SPELLINGS:
        made = _tried(recorded, [entry.public, arguments])
        if made:
            return made
    return ()


def _tried(function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Node, ...]:
    """The operations that a function finds; none where it does not take such arguments."""
    try:
        return tuple(function(*arguments))
    except Exception:  # whatever it raises
        return ()


def recorded_sample(function: Callable[..., Any]) -> tuple[Node, ...]:
    """What a function of this package records for arguments that fit it."""
    for arguments in _samples(function):
        made = _tried(recorded, [function, arguments])
        if made:
            return made
    return ()


def _samples(function: Callable[..., Any]) -> Iterator[tuple[Any, ...]]:
    """Arguments that an activation or a loss may take, by how many it needs."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return
    needed = sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
                 for p in parameters)  # fmt: skip
    rng = np.random.default_rng(0)
    one, other = (rng.dirichlet(np.ones(_SIZE[1], dtype=np.float64), _SIZE[0]) for _ in range(2))
    left, right, third = rng.standard_normal((3, *_SIZE))
    labels, pairs = np.arange(_SIZE[0]) % _SIZE[1], np.arange(_SIZE[0]) % 2
    if needed == 1:
        yield (left,)
    elif needed == 2:
        yield from ((Tensor(one), other), (labels, other), (left, right))
    elif needed == 3:
        yield from ((pairs, left, right), (left, right, third))
