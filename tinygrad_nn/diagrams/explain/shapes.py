"""What an operation does to shapes, in words: what becomes of each axis, forward and backward.

Everything is said from the shapes themselves; a row that nothing special is known of at least shows
the shapes of its operands and of its result.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..._typing import Shape
from ...primitives import Primitive, Trait
from .wording import joined, ordinal, printable, shape_text, times

__all__ = ["shape_text_of"]

_SIGNS = {"add": " + ", "subtract": " − ", "multiply": " · ", "divide": " / ", "matmul": " · "}
_SAME_NUMBERS = ("reshape", "expand_dims", "squeeze")


class Call(NamedTuple):
    """The shapes of one call of a row."""

    row: Primitive
    operands: tuple[Shape, ...]
    result: Shape
    static: Mapping[str, Any]
    tracked: Sequence[bool]  # whether a gradient flows to an operand

    @property
    def head(self) -> str:
        """The operands' shapes, and the result's."""
        sign = _SIGNS.get(self.row.name, ", ")
        shapes = [shape_text(shape) for shape in self.operands]
        if len(shapes) > 6:
            shapes = [*shapes[:5], f"… {len(shapes) - 5} more"]
        return f"{sign.join(shapes)} → {shape_text(self.result)}"

    def called(self, position: int) -> str:
        """Which operand, in words."""
        return "it" if len(self.operands) == 1 else f"the {ordinal(position)}"


def shape_text_of(
    row: Primitive,
    operands: Sequence[Any],
    result: Shape,
    static: Mapping[str, Any],
    tracked: Sequence[bool],
) -> str:
    """What one call of a row does to shapes, as ``(2, 3) · (3, 4) → (2, 4): …``.

    Args:
        row: what is called.
        operands: its array arguments, or their values; None where one is absent.
        result: the shape of what it returns.
        static: its other arguments.
        tracked: for each operand, whether a gradient flows to it.
    """
    present = [k for k, v in enumerate(operands) if v is not None]
    shapes = tuple(tuple(int(n) for n in np.shape(operands[k])) for k in present)
    call = Call(row, shapes, result, static, [tracked[k] for k in present])
    if Trait.ELEMENTWISE in row.traits:
        told = _elementwise(call)
    elif "keepdims" in row.options:
        told = _reduction(call)
    else:
        told = _TOLD.get(row.name, _plainly)(call)
    return f"{call.head}: {'; '.join(told)}" if told else call.head


# --- broadcasting -----------------------------------------------------------------------------


def _elementwise(call: Call) -> list[str]:
    repeats = _repeats(call, call.operands, call.result)
    if repeats:
        return repeats
    alike = "element by element" if len(call.operands) == 1 else "element by element, shapes alike"
    return [alike] if call.result else []


def _repeats(call: Call, shapes: Sequence[Shape], result: Shape, added: int = 0) -> list[str]:
    """Which axes of which operands were repeated, and the sums that backward makes because of it.

    Args:
        call: what is called.
        shapes: of the axes that are broadcast.
        result: what they are broadcast to.
        added: how many more axes the operands have, which are not broadcast.
    """
    told = (
        _repeated(call, k, shape, result, added)
        for k, shape in enumerate(shapes)
        if shape != result
    )
    return [line for line in told if line]


def _repeated(call: Call, k: int, shape: Shape, result: Shape, added: int) -> str:
    new = len(result) - len(shape)
    axes = [i for i, n in enumerate(result) if i < new or (shape[i - new] == 1 != n)]
    lengths = [result[i] for i in axes]
    who, count = call.called(k), math.prod(lengths)
    if not axes or (not shape and not added and all(n == 1 for n in result)):
        return ""
    whole = not shape and not added
    if whole:
        said = f"{who}, a single number, was used for each of {times(result)} elements"
    else:
        many = "axis" if len(axes) == 1 else "axes"
        were = "was" if len(axes) == 1 else "were"
        said = f"{many} {joined(axes)} of {who} {were} repeated {joined(lengths)} times"
    if not call.tracked[k]:
        return said
    if count == 0:
        return f"{said}, so its gradient is 0, a sum over nothing"
    over = "all axes" if whole else f"{'axis' if len(axes) == 1 else 'axes'} {joined(axes)}"
    return f"{said}, so backward sums its gradient over {over}"


def _broadcast_to(call: Call) -> list[str]:
    return _elementwise(call)


# --- products ---------------------------------------------------------------------------------


def _matmul(call: Call) -> list[str]:
    a, b = call.operands
    n = a[-1]
    each = f"each of {times(call.result)} outputs is" if call.result else "the output is"
    told = [f"{each} a dot product of {n} number{'' if n == 1 else 's'}"]
    if len(a) == len(b) == 2:
        m, p = a[0], b[1]
        told.append(
            f"(m, n) · (n, p) → (m, p) with m = {m}, n = {n}, p = {p}; backward: g·bᵀ is "
            f"({m}, {p}) · ({p}, {n}) → ({m}, {n}), and aᵀ·g is ({n}, {m}) · ({m}, {p}) → "
            f"({n}, {p})"
        )
    batch_a, batch_b = a[:-2], b[:-2]
    batch = np.broadcast_shapes(batch_a, batch_b)
    if batch:
        told.append(f"a product of matrices for each of {times(batch)} in the leading axes")
        matrices = [s for s, shape in ((batch_a, a), (batch_b, b)) if len(shape) > 1]
        kept = [k for k, shape in enumerate((a, b)) if len(shape) > 1]
        for k, shape in zip(kept, matrices, strict=True):
            line = _repeated(call, k, shape, batch, 2) if shape != batch else ""
            told += [line] if line else []
        told += [
            f"{call.called(k)}, one vector, was used for each of them, so backward sums its "
            f"gradient over them"
            for k, shape in enumerate((a, b))
            if len(shape) == 1 and call.tracked[k]
        ]
    elif len(a) != len(b):
        told.append(
            f"{call.called(0 if len(a) == 1 else 1)} is a vector, which has no axis to keep"
        )
    return told


def _einsum(call: Call) -> list[str]:
    subscripts = str(call.static.get("subscripts", ""))
    inputs, _, output = subscripts.partition("->")
    lengths: dict[str, int] = {}
    for term, shape in zip(inputs.split(","), call.operands, strict=False):
        for letter, n in zip(term, shape, strict=False):
            lengths[letter] = max(n, lengths.get(letter, 1))
    sizes = ", ".join(f"{letter} = {n}" for letter, n in lengths.items())
    summed = [letter for letter in lengths if letter not in output]
    over = f"products summed over {joined(summed)}" if summed else "products, none summed"
    return [f"{subscripts} with {sizes}: {over}; in a gradient, what is missing in its operand is "
            f"summed instead"]  # fmt: skip


def _convolve(call: Call) -> list[str]:
    shorter = min(math.prod(shape) for shape in call.operands)
    return [f"each output is a sum of up to {shorter} products; backward slides g over the other"]


# --- reductions -------------------------------------------------------------------------------


def _reduction(call: Call) -> list[str]:
    (shape, *_), made = call.operands, math.prod(call.result)
    ndim = len(shape)
    axis = call.static.get("axis")
    axes = range(ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    places = sorted({int(i) % ndim for i in axes}) if ndim else []
    count = math.prod(shape[i] for i in places)
    kept = call.static.get("keepdims") is True and bool(places)
    stays = f", {'which stays' if len(places) == 1 else 'which stay'} with length 1" if kept else ""
    of = f"{count} number{'' if count == 1 else 's'}"
    if made == 1 and len(places) == ndim:
        return [f"{of} become one{stays}; backward spreads its gradient over {times(shape)}"]
    over = f"over {'axis' if len(places) == 1 else 'axes'} {joined(places)}"
    return [f"{over}{stays}: each of {times(call.result)} outputs is made of {of}; backward "
            f"spreads its gradient over them"]  # fmt: skip


# --- moving elements --------------------------------------------------------------------------


def _same_numbers(call: Call) -> list[str]:
    count = math.prod(call.result)
    return [f"the same {count} number{'' if count == 1 else 's'} in another shape; backward gives "
            f"the gradient the shape {shape_text(call.operands[0])} again"]  # fmt: skip


def _transpose(call: Call) -> list[str]:
    ndim = len(call.operands[0])
    order = call.static.get("axes") or tuple(reversed(range(ndim)))
    axes = [int(i) % ndim for i in order] if ndim else []
    return [f"the axes in the order {joined(axes)}; backward puts them back" if ndim else "nothing"]


def _swapaxes(call: Call) -> list[str]:
    one, other = (call.static.get(name) for name in ("axis1", "axis2"))
    return [f"axes {one} and {other} change places; backward changes them back"]


def _concatenate(call: Call) -> list[str]:
    axis = call.static.get("axis", 0) or 0
    lengths = [shape[axis] if shape else 1 for shape in call.operands]
    few = joined(lengths) if len(lengths) <= 6 else f"{', '.join(map(str, lengths[:5]))}, …"
    return [f"end to end along axis {axis}: {few} make {call.result[axis]}; backward cuts the "
            f"gradient into these parts"]  # fmt: skip


def _stack(call: Call) -> list[str]:
    axis = call.static.get("axis", 0) or 0
    return [f"{len(call.operands)} arrays side by side along a new axis {axis}; backward gives "
            f"each its part of the gradient"]  # fmt: skip


def _getitem(call: Call) -> list[str]:
    picked, of = math.prod(call.result), math.prod(call.operands[0])
    return [f"picks {picked} of {of} numbers; backward puts the gradient back in their places, "
            f"with zeros elsewhere"]  # fmt: skip


def _scatter(call: Call) -> list[str]:
    placed, among = math.prod(call.operands[0]), math.prod(call.result)
    return [f"{placed} numbers in their places among {among}, zeros elsewhere; backward picks the "
            f"gradient there"]  # fmt: skip


def _pad(call: Call) -> list[str]:
    return ["zeros around it; backward keeps the part of the gradient that it fills"]


def _windows(call: Call) -> list[str]:
    return ["each window in a place of its own; backward adds up what overlaps"]


def _overlap_add(call: Call) -> list[str]:
    return ["windows in their places, what overlaps added; backward cuts windows again"]


def _plainly(call: Call) -> list[str]:
    if len(call.operands) == 1 and call.operands[0] == call.result and "axis" in call.static:
        axis = call.static["axis"]
        along = "all elements" if axis is None else f"axis {printable(axis)}"
        return [f"the shape stays; elements along {along} depend on one another"]
    return []


_TOLD: dict[str, Callable[[Call], list[str]]] = {
    "broadcast_to": _broadcast_to,
    "concatenate": _concatenate,
    "convolve": _convolve,
    "einsum": _einsum,
    "getitem": _getitem,
    "matmul": _matmul,
    "overlap_add": _overlap_add,
    "pad": _pad,
    "scatter": _scatter,
    "stack": _stack,
    "swapaxes": _swapaxes,
    "transpose": _transpose,
    "windows": _windows,
    **dict.fromkeys(_SAME_NUMBERS, _same_numbers),
}
