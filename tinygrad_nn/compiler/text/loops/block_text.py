"""Blocks as text: a loop over parts of the arrays, in NumPy calls that write into small buffers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...blocks.block import Block
from ...blocks.block_memory import buffers_of
from ...blocks.groups import is_sum, reduced_axes
from ...blocks.selection import SELECTION_NAMES, selection_text, with_selections
from ...operations import astype, copy
from ...program import Equation, Value
from ..expressions import Writer
from ..formatting import statement_lines
from ..literals import dtype_text
from ..names import Names

__all__ = ["SHARED_NAMES", "BlockText", "shared_text"]

SHARED_NAMES = (
    "ThreadPoolExecutor", "carved", "copy_context", "functools", "os", "others", "shared", "wait",
    "work_memory", *SELECTION_NAMES,
)  # fmt: skip

_CARVED = '''
# What is in between in the parts of arrays, for each thread. All blocks use the same memory.
work_memory = [np.empty({nbytes}, dtype=np.uint8) for _ in range({threads})]


def carved(shape, dtypes, threads):
    """For each thread, arrays one behind the other in its memory."""
    work = [[] for _ in range(threads)]
    for arrays, memory in zip(work, work_memory, strict=False):
        start = 0
        for dtype in map(np.dtype, dtypes):
            nbytes = math.prod(shape) * dtype.itemsize
            arrays.append(memory[start : start + nbytes].view(dtype).reshape(shape))
            start += -(-nbytes // 64) * 64
    return work
'''
_SHARED = '''
@functools.cache
def others(process):
    """The threads besides the one that calls; a process that was forked has its own."""
    return ThreadPoolExecutor({count})


def shared(compute, parts, work, *arrays):
    """Let each thread compute parts until all are done; then raise what the first one raised."""
    waiting = iter(range(parts))
    pool = others(os.getpid())
    tasks = [
        pool.submit(copy_context().run, compute, buffers, waiting, *arrays)
        for buffers in work[1:]
    ]
    try:
        compute(work[0], waiting, *arrays)
    finally:
        wait(tasks)
    for task in tasks:
        task.result()
'''
_IMPORTS = [
    "import functools",
    "import os",
    "from concurrent.futures import ThreadPoolExecutor, wait",
    "from contextvars import copy_context",
]


def shared_text(texts: Sequence["BlockText"]) -> tuple[list[str], list[str]]:
    """The imports, and the functions, that the blocks of a program have in common."""
    if not texts:
        return [], []
    body = "\n".join(line for text in texts for line in text.lines)
    threads = max(text.block.threads for text in texts)
    nbytes = max(text.buffers.nbytes(text.block) for text in texts)
    lines = _CARVED.format(nbytes=nbytes, threads=threads).split("\n")
    imports = ["import math"]
    if threads > 1:
        imports += _IMPORTS
        lines += _SHARED.format(count=threads - 1).split("\n")
    return imports, [*lines, *selection_text(body)]


class BlockText:
    """The text of one block: the function that computes parts, and the one that is called."""

    def __init__(self, block: Block, names: Names) -> None:
        self.block = block
        self.function = names.fresh("in_blocks")
        self.work = names.fresh(f"{self.function}_work")
        self._part = names.fresh(f"{self.function}_part")
        self.names = Names({"np", "work", "k", "i", "j", "parts", "min", "range", *SHARED_NAMES})
        self.equations = list(with_selections(block.equations))
        self.buffers = buffers_of(block, self.equations)
        self._parameters: dict[Value, str] = {}
        self._slots: dict[Value, str] = {}  # where the results of the reductions are
        self._name(names)
        called = {e.function: "" for e in self.equations}
        self.writer = Writer(self.text, called)
        self.indent = " " * 8
        lines = [*self._work_lines(), "", "", *self._wrapper(), "", "", *self._parts()]
        self.lines = [part for line in lines for part in _set(line)]

    # --- names --------------------------------------------------------------------------------

    def _name(self, names: Names) -> None:
        block = self.block
        for value in block.inputs:
            self.names.give(value, names[value])
        for equation in self.equations:
            known = equation.output in names
            wanted = names[equation.output] if known else f"{self.text(equation.args[0])}_bits"
            self.names.give(equation.output, wanted)
        for value in (*block.inputs, *block.outputs):
            name = self.names[value]
            cut = block.is_cut(value)
            self._parameters[value] = self.names.fresh(f"all_{name}") if cut else name
        for equation in block.sums:
            name = self.names[equation.output]
            self._slots[equation.output] = self.names.fresh(f"parts_{name}")
        self._buffer_names = [self.names.fresh("buffer") for _ in self.buffers.dtypes]

    def text(self, value: Value) -> str:
        """A value within a part."""
        return self.names[value]

    # --- what stands around -------------------------------------------------------------------

    def _work_lines(self) -> list[str]:
        block = self.block
        shape = (block.length,) if block.flat else (block.length, *block.shape[1:])
        dtypes = ", ".join(map(dtype_text, self.buffers.dtypes))
        return [f"{self.work} = carved({shape}, [{dtypes}], {block.threads})"]

    def _wrapper(self) -> list[str]:
        block = self.block
        parameters = [self._parameters[v] for v in (*block.inputs, *block.outputs)]
        what = "elements" if block.flat else "rows"
        lines = [
            *folded(f"def {self.function}(", parameters, "):"),
            f'    """Compute on arrays of shape {block.shape}, {block.length} {what} at a time."""',
        ]
        for equation in block.sums:
            shape = (block.parts, *equation.output.shape)
            if 0 not in reduced_axes(equation):
                shape = equation.output.shape
            dtype = dtype_text(equation.output.dtype)
            extent = str(shape[0]) if len(shape) == 1 else str(shape)
            lines.append(f"    {self._slots[equation.output]} = np.empty({extent}, dtype={dtype})")
        if block.flat and len(block.shape) > 1:
            lines += self._flattened()
        passed = [*parameters, *self._slots.values()]
        if block.threads > 1:
            passed = [self._part, str(block.parts), self.work, *passed]
            lines += folded("    shared(", passed, ")")
        else:
            passed = [f"{self.work}[0]", f"range({block.parts})", *passed]
            lines += folded(f"    {self._part}(", passed, ")")
        totals = [self._total(e) for e in block.sums]
        if len(totals) == 1:
            lines.append(f"    return {totals[0]}")
        elif totals:
            lines += folded("    return (", totals, ")")
        return lines

    def _flattened(self) -> Iterator[str]:
        for value in self.block.inputs:
            if self.block.is_cut(value):
                name = self._parameters[value]
                yield f"    {name} = {name}.reshape(-1)"
        for value in self.block.outputs:  # what is written into has to be the array itself
            name = self._parameters[value]
            yield f"    {name} = {name}.reshape(-1, copy=False)"

    def _total(self, equation: Equation) -> str:
        slot = self._slots[equation.output]
        if 0 not in reduced_axes(equation):
            return slot
        name = {"max": "max", "amax": "max", "min": "min", "amin": "min"}.get(
            _reduction(equation), "sum"
        )
        total = f"{slot}.{name}(axis=0)"
        if equation.function is not np.mean:
            return total
        count = equation.args[0].size // max(equation.output.size, 1)
        return f"{total} / {count}"

    # --- one part after the other -------------------------------------------------------------

    def _parts(self) -> list[str]:
        block = self.block
        parameters = [self._parameters[v] for v in (*block.inputs, *block.outputs)]
        passed = ["work", "parts", *parameters, *self._slots.values()]
        lines = [
            *folded(f"def {self._part}(", passed, "):"),
            "    for k in parts:",
            f"        i, j = {block.length} * k, min({block.length} * (k + 1), {block.extent})",
        ]
        for n, name in enumerate(self._buffer_names):
            lines.append(f"        {name} = work[{n}][: j - i]")
        for value in (*block.inputs, *block.outputs):
            if block.is_cut(value):
                lines.append(f"        {self.names[value]} = {self._parameters[value]}[i:j]")
        return [*lines, *self._body()]

    def _body(self) -> Iterator[str]:
        phases = {e.origin.phase for e in self.equations}
        phase = ""
        for equation in self.equations:
            if equation.origin.phase != phase:
                phase = equation.origin.phase
                self.indent = " " * 8
                if len(phases) > 1:
                    yield f"        # --- {phase} ---"
                    if phase == "backward":  # the forward pass has warned of what is singular
                        yield '        with np.errstate(all="ignore"):'
                        self.indent = " " * 12
            for line in self._equation(equation):
                yield self.indent + line

    def _equation(self, equation: Equation) -> Iterator[str]:
        if is_sum(equation):
            yield self._reduction(equation)
            return
        output, function = equation.output, equation.function
        name = self.names[output]
        number = self.buffers.number.get(output)
        out = name if number is None else self._buffer_names[number]
        assigned = "" if number is None else f"{name} = "
        if isinstance(function, np.ufunc) or function is np.clip:
            yield assigned + self.writer.expression(equation, out=out)
        elif function.__name__ in SELECTION_NAMES:
            passed = ", ".join(map(self.writer.argument, equation.args))
            yield f"{assigned}{function.__name__}({passed}, out={out})"
        else:
            value = self.writer.expression(equation)
            if function in (astype, copy, np.copy):
                value = self.text(equation.args[0])
            yield f'np.copyto({out}, {value}, casting="unsafe")'
            if assigned:
                yield assigned + out

    def _reduction(self, equation: Equation) -> str:
        slot, axes = self._slots[equation.output], reduced_axes(equation)
        operand = self.text(equation.args[0])
        name = _reduction(equation)
        if self.block.flat:
            return f"{slot}[k] = {operand}.{name}()"
        axis = str(tuple(sorted(axes))) if len(axes) > 1 else str(*axes)
        options = f"axis={axis}"
        if equation.kwargs.get("keepdims"):
            options += ", keepdims=True"
        if 0 in axes:
            return f"{slot}[k] = {operand}.{name}({options})"
        if equation.function is np.mean:
            return f"np.mean({operand}, {options}, out={slot}[i:j])"
        return f"{operand}.{name}({options}, out={slot}[i:j])"


def folded(head: str, items: Iterable[str], tail: str) -> list[str]:
    """A bracket with items, in several lines if one would be too long."""
    return _set(f"{head}{', '.join(items)}{tail}")


def _set(line: str) -> list[str]:
    """A line as a formatter would set it."""
    text = line.lstrip()
    return statement_lines(text, "", line[: len(line) - len(text)])


_REDUCTIONS: Mapping[Callable[..., Any], str] = {
    np.max: "max", np.amax: "max", np.maximum.reduce: "max",
    np.min: "min", np.amin: "min", np.minimum.reduce: "min",
}  # fmt: skip


def _reduction(equation: Equation) -> str:
    return _REDUCTIONS.get(equation.function, "sum")
