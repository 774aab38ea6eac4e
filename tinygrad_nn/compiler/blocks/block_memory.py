"""Which buffer each value of a block is written into: few, so that they stay in the cache."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..program import Equation, Value
from .block import Block
from .groups import is_sum
from .selection import may_overwrite

__all__ = ["Buffers", "buffers_of"]


class Buffers(NamedTuple):
    """The buffers of one part, and what is written into them."""

    number: Mapping[Value, int]  # which buffer each value is in; outputs have memory of their own
    dtypes: list[np.dtype]  # of each buffer

    def nbytes(self, block: Block) -> int:
        """How many bytes one thread needs."""
        each = block.length if block.flat else block.length * int(np.prod(block.shape[1:]))
        return sum(-(-each * dtype.itemsize // 64) * 64 for dtype in self.dtypes)


def buffers_of(block: Block, equations: Sequence[Equation]) -> Buffers:
    """Give each value that nobody needs afterwards a buffer, and reuse those that are free."""
    last = {v: i for i, e in enumerate(equations) for v in e.inputs}
    number: dict[Value, int] = {}
    dtypes: list[np.dtype] = []
    free: dict[str, list[int]] = {}
    kept = {*block.outputs, *block.inputs}
    for i, equation in enumerate(equations):
        over = [v for v in dict.fromkeys(equation.inputs) if v in number and last[v] == i]
        if not is_sum(equation) and equation.output not in kept:
            output = equation.output
            operand = _overwritten(equation, over)
            if operand is not None:
                over.remove(operand)
                number[output] = number[operand]
            elif waiting := free.get(output.dtype.str):
                number[output] = waiting.pop()
            else:
                number[output] = len(dtypes)
                dtypes.append(output.dtype)
            if output not in last:
                over.append(output)
        for value in over:
            free.setdefault(value.dtype.str, []).append(number[value])
    return Buffers(number, dtypes)


def _overwritten(equation: Equation, over: list[Value]) -> Value | None:
    """An operand whose last use this is, if the function may write over its operands."""
    fitting = (v for v in over if v.dtype == equation.output.dtype)
    return next((v for v in fitting if may_overwrite(equation, v)), None)
