"""Blocks as text for Numba: one loop over the elements, with everything in between in registers.

Sums are added up in double precision, part by part, and the parts in their order: so they do not
depend on how many threads there are.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...blocks.block import Block
from ...blocks.groups import can_join, reduced_axes
from ...blocks.scalar_text import loop_dtypes, scalar_template
from ...operations import astype
from ...program import Equation, Value
from ..literals import dtype_text, literal
from ..names import Names
from .block_text import folded
from .single import NAMES as SINGLE_NAMES
from .single import single_text

__all__ = ["NUMBA_NAMES", "NumbaText", "numba_shared_text"]

NUMBA_NAMES = ("math", "numba", "on_threads", "total", *SINGLE_NAMES)
_TOTAL = '''
@numba.njit(error_model="numpy")
def total(terms):
    """The sum in double precision, in four lanes."""
    a = b = c = d = 0.0
    whole = terms.size // 4 * 4
    for i in range(0, whole, 4):
        a += terms[i]
        b += terms[i + 1]
        c += terms[i + 2]
        d += terms[i + 3]
    for i in range(whole, terms.size):
        a += terms[i]
    return (a + b) + (c + d)
'''


_ON_THREADS = '''
def on_threads(count, loop, *arrays):
    """Run a loop on so many threads, if Numba has them."""
    before = numba.get_num_threads()
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    try:
        loop(*arrays)
    finally:
        numba.set_num_threads(before)
'''


def numba_shared_text(texts: Sequence["NumbaText"]) -> tuple[list[str], list[str]]:
    """The imports, and the functions, that the loops of a program have in common."""
    if not texts:
        return [], []
    body = "\n".join(line for text in texts for line in text.lines)
    lines = single_text(body).split("\n")
    if "total(" in body:
        lines += ["", *_TOTAL.split("\n")]
    if "on_threads(" in body:
        lines += ["", *_ON_THREADS.split("\n")]
    return ["import math"], lines


class NumbaText:
    """The text of one block: the loop, and the function that is called."""

    def __init__(self, block: Block, names: Names) -> None:
        self.block = block
        self.function = names.fresh("in_a_loop")
        self._loop = names.fresh(f"{self.function}_compiled")
        self.names = Names({"np", "range", "min", "start", "size", "offset", "terms", *NUMBA_NAMES})
        self._axes = [self.names.fresh(letter) for letter in "ijklmnop"[: self._rank]]
        self._part = self.names.fresh("part")
        self._numbers: dict[str, str] = {}  # texts of constants, with their names
        self._outer = names
        self._parameters: dict[Value, str] = {}
        self._sums: dict[Value, str] = {}
        for value in (*block.inputs, *(e.output for e in block.equations)):
            self.names.give(value, names[value])
        for value in (*block.inputs, *block.outputs):
            wanted = f"all_{self.names[value]}" if value.shape else self.names[value]
            self._parameters[value] = self.names.fresh(wanted) if value.shape else wanted
        for equation in block.sums:
            self._sums[equation.output] = self.names.fresh(f"sums_{self.names[equation.output]}")
        self._terms = [e for e in block.sums if self._is_flat_sum(e)]
        loop = self._compiled()
        numbers = [f"{name} = {text}" for text, name in self._numbers.items()]
        self.lines = [*numbers, "", "", *loop, "", "", *self._wrapper()]

    @property
    def _rank(self) -> int:
        return 1 if self.block.flat else len(self.block.shape)

    def _is_flat_sum(self, equation: Equation) -> bool:
        """Whether the terms of a sum are kept for a moment, so that the loop stays simple."""
        return self.block.flat and equation.args[0].dtype.kind == "f"

    # --- what is called -----------------------------------------------------------------------

    def _wrapper(self) -> list[str]:
        block = self.block
        passed = [self._parameters[v] for v in (*block.inputs, *block.outputs)]
        lines = [
            *folded(f"def {self.function}(", passed, "):"),
            f'    """Compute on arrays of shape {block.shape}, element by element."""',
        ]
        for equation in block.sums:
            kind = "np.float64" if equation.output.dtype.kind == "f" else "np.int64"
            shape = self._sum_shape(equation)
            text = str(shape[0]) if len(shape) == 1 else str(shape)
            lines.append(f"    {self._sums[equation.output]} = np.zeros({text}, dtype={kind})")
        for value in (*block.inputs, *block.outputs):
            name = self._parameters[value]
            if not value.shape:
                kind = value.dtype.name if not value.weak else _weak_kind(value)
                lines.append(f"    {name} = {kind if value.weak else f'np.{kind}'}({name})")
            elif block.flat and len(block.shape) > 1:
                copied = ", copy=False" if value in block.outputs else ""
                lines.append(f"    {name} = {name}.reshape(-1{copied})")
        loop = [self._loop, *passed, *self._sums.values()]
        if block.threads > 1:
            lines += folded(f"    on_threads({block.threads}, ", loop, ")")
        else:
            lines += folded(f"    {loop[0]}(", loop[1:], ")")
        if block.sums:
            lines += folded("    return (", map(self._result, block.sums), ")")
            if len(block.sums) == 1:
                lines[-1:] = [f"    return {self._result(block.sums[0])}"]
        return lines

    def _sum_shape(self, equation: Equation) -> tuple[int, ...]:
        shape = tuple(equation.output.shape)
        return (self.block.parts, *shape) if 0 in reduced_axes(equation) else shape

    def _result(self, equation: Equation) -> str:
        text = self._sums[equation.output]
        if 0 in reduced_axes(equation):
            text += ".sum(axis=0)"
        if equation.output.dtype not in (np.float64, np.int64):
            text += f".astype({dtype_text(equation.output.dtype)})"
        if equation.function is np.mean:
            text += f" / {equation.args[0].size // max(equation.output.size, 1)}"
        return text

    # --- the loop -----------------------------------------------------------------------------

    def _compiled(self) -> list[str]:
        block, part = self.block, self._part
        parallel = block.threads > 1
        parameters = [self._parameters[v] for v in (*block.inputs, *block.outputs)]
        options = f'parallel={parallel}, cache=True, fastmath=False, error_model="numpy"'
        lines = [
            f"@numba.njit({options})",
            *folded(f"def {self._loop}(", [*parameters, *self._sums.values()], "):"),
            f"    for {part} in {'numba.prange' if parallel else 'range'}({block.parts}):",
            f"        start = {block.length} * {part}",
            f"        size = min({block.length}, {block.extent} - start)",
        ]
        if self._terms:
            dtype = dtype_text(np.result_type(*(e.args[0].dtype for e in self._terms)))
            shape = f"({len(self._terms)}, size)"
            lines.append(f"        terms = np.empty({shape}, dtype={dtype})")
        # Counted from 0, so that no index can be negative: then one loop does several elements.
        lines.append("        for offset in range(size):")
        lines.append(f"            {self._axes[0]} = start + offset")
        for depth, axis in enumerate(self._axes[1:], 1):
            indent = " " * (8 + 4 * depth)
            lines.append(f"{indent}for {axis} in range({block.shape[depth]}):")
        indent = " " * (8 + 4 * self._rank)
        lines += [indent + line for line in self._body()]
        for number, equation in enumerate(self._terms):
            slot = self._sums[equation.output]
            zeros = ", 0" * len(equation.output.shape)
            lines.append(f"        {slot}[{part}{zeros}] = total(terms[{number}])")
        return lines

    def _body(self) -> Iterator[str]:
        block = self.block
        for value in block.inputs:
            if value.shape:
                yield f"{self.names[value]} = {self._element(value)}"
        for equation in block.equations:
            if can_join(equation):
                yield f"{self.names[equation.output]} = {self._scalar(equation)}"
                if equation.output in block.outputs:
                    yield f"{self._element(equation.output)} = {self.names[equation.output]}"
            elif equation in self._terms:
                number = self._terms.index(equation)
                term = self.names[equation.args[0]]
                yield f"terms[{number}, offset] = {term}"
            else:
                yield f"{self._sum_place(equation)} += {self.names[equation.args[0]]}"

    def _element(self, value: Value) -> str:
        """The element of an array that stands at the place where the loops are."""
        name = self._parameters[value]
        if self.block.flat:
            return f"{name}[{self._axes[0] if value.size > 1 else 0}]"
        axes = self._axes[len(self._axes) - len(value.shape) :]
        index = [a if n > 1 else "0" for a, n in zip(axes, value.shape, strict=True)]
        return f"{name}[{', '.join(index)}]"

    def _sum_place(self, equation: Equation) -> str:
        axes = reduced_axes(equation)
        every = bool(equation.kwargs.get("keepdims"))
        index = [self._part] if 0 in axes else []
        for depth in range(len(self.block.shape)):
            if depth not in axes:
                index.append(self._axes[depth])
            elif every:
                index.append("0")
        return f"{self._sums[equation.output]}[{', '.join(index)}]"

    def _scalar(self, equation: Equation) -> str:
        template, dtypes = scalar_template(equation), loop_dtypes(equation) or ()
        operands = [self._operand(a, d) for a, d in zip(equation.args, dtypes, strict=False)]
        if equation.function is np.reciprocal:
            operands.append(self._operand(1, dtypes[0]))
        if equation.function is astype:
            operands = [self.names[equation.args[0]]]
        return (template or "").format(*operands)

    def _operand(self, operand: Any, dtype: np.dtype) -> str:
        """An operand in the dtype that the call is computed in."""
        if isinstance(operand, Value):
            name = self.names[operand]
            return (
                name
                if operand.dtype == dtype and not operand.weak
                else f"{dtype_text(dtype)}({name})"
            )
        text = literal(dtype.type(operand))
        if text not in self._numbers:
            self._numbers[text] = self._outer.fresh("number")
        return self._numbers[text]


def _weak_kind(value: Value) -> str:
    return "int" if value.dtype.kind == "i" else "float"
