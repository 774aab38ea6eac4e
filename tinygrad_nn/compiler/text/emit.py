"""From a program to the text of a NumPy module: straight lines that a person might have written.

The text is complete: constants, buffers, and one function. With a plan every array is written into
a buffer; without one, each line makes a new array, as in a notebook.
"""

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..._typing import Array
from ..blocks.block import Block, unblocked
from ..kinds import is_view
from ..known import is_known
from ..operations import (
    ARITHMETIC,
    add_at,
    astype,
    copy,
    expect_finite,
    expect_within,
    piece,
    set_flat,
    set_item,
    side_by_side,
)
from ..plan import Memory, Plan
from ..program import Equation, Program, Value
from .checks import Line, argument_checks, check_lines
from .expressions import Writer
from .formatting import comment_lines, statement_lines
from .layout import Layout, Source
from .literals import array_text, dtype_text, is_short, literal
from .loops import LOOP_NAMES, block_text, head_of
from .names import identifier, names_for
from .returning import returned_text
from .titles import title_of

__all__ = ["emit"]


def emit(program: Program, layout: Layout, plan: Plan | None, *, rules: bool = False) -> Source:
    """Write the text of a program.

    Args:
        program: what is computed.
        layout: where its inputs come from and its outputs go.
        plan: the memory of each value; None for a new array in each line.
        rules: whether each line of the backward pass tells the derivative that it is.
    """
    return _Emitter(program, layout, plan, rules).source()


class _Emitter:
    def __init__(self, program: Program, layout: Layout, plan: Plan | None, rules: bool) -> None:
        self.program = unblocked(program) if plan is None else program
        self.layout, self.plan, self.rules = layout, plan, rules
        self.memory = {} if plan is None else plan.memory
        self.names = names_for(unblocked(program), layout, LOOP_NAMES)
        self.names.share(self.memory.values())
        self.callables: dict[Callable[..., Any], str] = {}
        self.shorts: dict[str, str] = {}  # names for NumPy's functions
        short = self._short if layout.is_long else None
        self.writer = Writer(self.text, self.callables, self._number, short)
        self.makers = {o: e for e in self.program.equations for o in e.outputs}
        self.users = self.program.users()
        self.blocks: list[Any] = []
        self.inline: dict[Value, str] = {}  # what is written where it is used
        self.arrays: dict[str, Array] = {}  # constants that are too long for the text
        self.numbers: dict[str, str] = {}  # numbers of NumPy's, made once
        self.parts = {v: k for p in layout.packs for v, k in zip(p.values, p.parts, strict=True)}
        self.used_parts: set[str] = set()  # the keys of those that the text fetches
        self.fetched: set[Memory] = set()  # what of the new state has a name already
        self.phase, self.title, self.indent = "", "", "    "
        self.given: set[Value] = set()  # what has been returned as it is
        self.silent: tuple[str, ...] = ()  # warnings that the step ignores here
        self.lines: list[str] = []
        self._settle_names()

    def _settle_names(self) -> None:
        """Number the names that are seen, and name functions that NumPy does not have."""
        given = [*self.layout.arguments, *self.layout.state, *self.program.constants]
        seen = [e.outputs for e in self.program.equations if not self._is_inline(e)]
        self.names.number_anew([*given, *(value for outputs in seen for value in outputs)])
        self.shorts.clear()
        for equation in unblocked(self.program).equations:
            function = equation.function
            if not is_known(function) and function not in self.callables:
                called = identifier(getattr(function, "__name__", "function"), "function")
                self.callables[function] = self.names.fresh(called)

    def _short(self, path: str) -> str:
        """A name for a function of NumPy's, which takes less time to look up."""
        if path not in self.shorts:
            self.shorts[path] = self.names.fresh(path.rpartition(".")[2])
        return self.shorts[path]

    def _number(self, number: Any) -> str:
        """A number of a dtype, made once."""
        text = literal(number)
        if text not in self.numbers:
            words = {"0": "zero", "1": "one", "inf": "infinity"}
            self.numbers[text] = self.names.fresh(words.get(f"{number:g}", "number"))
        return self.numbers[text]

    def text(self, value: Value) -> str:
        """A value as an expression."""
        return self.inline.get(value) or self.names[value]

    # --- the parts of the text ----------------------------------------------------------------

    def source(self) -> Source:
        """The whole text."""
        takes_state = bool(self.layout.state or self.layout.new)
        takes_new = bool(self.layout.new) and self.plan is not None
        body = self._function(takes_state, takes_new)
        imports, loops = head_of(self.blocks)
        imports += ["import math"] if any(re.search(r"\bmath\.", t) for t in body) else []
        head = [f'"""{self.layout.title}"""', ""]
        if imports:
            head += [*sorted(set(imports), key=lambda line: (line.startswith("from"), line)), ""]
        head += ["import numba"] if any(block.block.scalar for block in self.blocks) else []
        head += ["import numpy as np", "", *self._constants(), *self._buffers(), *loops, ""]
        callables = {name: function for function, name in self.callables.items()}
        text = "\n".join([*head, *body]) + "\n"
        return Source(
            text, self.layout.name, self.arrays, callables, takes_state, takes_new, self.used_parts
        )

    def _constants(self) -> list[str]:
        lines = []
        if self.shorts:
            lines += ["# In a program of this length, looking up a name and out= take their time."]
            lines += [f"{name} = {path}" for path, name in self.shorts.items()]
        for value, array in self.program.constants.items():
            if is_short(array):
                lines += statement_lines(f"{self.names[value]} = {array_text(array)}")
            else:
                self.arrays[self.names[value]] = array
        for text, name in self.numbers.items():
            lines += statement_lines(f"{name} = {text}")
        return [*lines, ""] if lines else []

    def _buffers(self) -> list[str]:
        if self.plan is None or not self.plan.buffers:
            return []
        lines = ["# Memory that every step writes into."]
        for memory in self.plan.buffers:
            first, *others = dict.fromkeys(self.names[v] for v in memory.values)
            made = f"np.empty({memory.shape}, dtype={dtype_text(memory.dtype)})"
            made = self._piece(memory) if memory.whole else made
            lines += statement_lines(f"{first} = {made}")
            for other in others:
                lines += statement_lines(
                    f"{other} = {first}", "in the same memory, one after the other"
                )
        return [*lines, ""]

    def _function(self, takes_state: bool, takes_new: bool) -> list[str]:
        layout = self.layout
        parameters = ["state"] if takes_state else []
        parameters += [self.names[v] for v in layout.arguments]
        parameters += ["new=None"] if takes_new else []
        self.lines = statement_lines(f"def {layout.name}({', '.join(parameters)}):")
        self._line(f'"""{self._purpose(takes_new)}"""')
        if takes_new:
            self._line("new = state if new is None else new")
        self._lines(argument_checks({v: self.names[v] for v in layout.arguments}))
        for value, key in layout.state.items():
            self._line(f"{self.names[value]} = state[{literal(key)}]", _shape(value))
        for equation in self.program.equations:
            self._equation(equation)
        self.indent = "    "
        self._finish("new" if takes_new else "state")
        return self.lines

    def _purpose(self, takes_new: bool) -> str:
        value = self.layout.returned
        is_loss = isinstance(value, Value) and self.names[value] == "loss"
        returned = "the loss" if is_loss else "the result"
        if not self.layout.new:
            return f"Compute {returned}."
        place = (
            "write the new state into `new`, or over the old one"
            if takes_new
            else "update the state"
        )
        return f"Run one step: {place}; return {returned}."

    def _line(self, text: str, comment: str = "") -> None:
        self.lines += statement_lines(text, comment, self.indent)

    def _lines(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self.lines += statement_lines(line.text, "", self.indent + "    " * line.depth)

    def _comment(self, text: str) -> None:
        self.lines += comment_lines(text, self.indent)

    def _head(self, equation: Equation) -> None:
        """Headings where the phase, or the part of the model, changes."""
        origin = equation.origin
        if origin.phase not in ("", self.phase):
            self.phase, self.title, self.indent, self.silent = origin.phase, "", "    ", ()
            self.lines += ["", f"    # {origin.phase}"]
            if origin.phase == "backward" and self.plan is not None:
                self._line('with np.errstate(all="ignore"):', "the forward pass has warned")
                self.indent = " " * 8
        if origin.silent != self.silent and self.phase != "backward":
            self.silent, self.indent = origin.silent, "    "
            if origin.silent:
                kinds = ", ".join(f'{kind}="ignore"' for kind in origin.silent)
                self._line(f"with np.errstate({kinds}):")
                self.indent = " " * 8
        title = "" if equation.function is expect_finite else title_of(equation)
        if title and title != self.title:
            self.title = title
            self._comment(title)

    # --- equations ----------------------------------------------------------------------------

    def _equation(self, equation: Equation) -> None:
        function = equation.function
        if function is expect_within or function is expect_finite:
            self._head(equation)
            self._lines(check_lines(equation, self.text))
            return
        if isinstance(function, Block):
            self._head(equation)
            self._block(equation, function)
            return
        if function is piece:  # which the state has as well, by its own key
            self._part("state", equation.output)
            return
        if self._is_inline(equation):
            self.inline[equation.output] = self.writer.expression(equation)
            return
        self._head(equation)
        comment = self._remark(equation)
        memory = self.memory.get(equation.outputs[0]) if equation.outputs else None
        if function in (set_item, set_flat, add_at):
            self._write_item(equation, memory)
        elif memory is None:
            targets = ", ".join(self.names[o] for o in equation.outputs) or "_"
            self._line(f"{targets} = {self._expression(equation)}", comment)
        else:
            self._write(equation, memory, comment)

    def _expression(self, equation: Equation, out: str | None = None) -> str:
        if equation.function is side_by_side:
            parts = [self.text(v) if len(v.shape) == 1 else f"{self.text(v)}.ravel()"
                     for v in equation.args]  # fmt: skip
            return f"np.concatenate([{', '.join(parts)}])"
        return self.writer.expression(equation, out)

    def _block(self, equation: Equation, block: Block) -> None:
        text = block_text(block, self.names)
        self.blocks.append(text)
        for value in block.outputs:
            if value in self.memory:
                self._target(self.memory[value], value)
            else:
                dtype = dtype_text(value.dtype)
                self._line(f"{self.names[value]} = np.empty({value.shape}, dtype={dtype})")
        sums = ", ".join(self.names[e.output] for e in block.sums)
        passed = ", ".join(map(self.text, (*block.inputs, *block.outputs)))
        self._line(f"{sums}{' = ' * bool(sums)}{text.function}({passed})")

    def _target(self, memory: Memory, value: Value) -> str:
        """The array to write into; what belongs to the new state is fetched when it is first."""
        name = self.names[value]
        if memory.values[0] is not value or memory in self.fetched:
            return name
        if memory.whole is not None and memory.is_given:
            self._part("new", value)
        elif memory.slot:
            self.fetched.add(memory)
            self._line(f"{name} = new[{literal(memory.slot)}]")
        return name

    def _part(self, where: str, value: Value) -> None:
        """Fetch a piece of a longer array from the state."""
        key = self.parts[value]
        self.used_parts.add(key)
        self._line(f"{self.names[value]} = {where}[{literal(key)}]", _shape(value))

    def _piece(self, memory: Memory) -> str:
        """A piece of a longer array, as an expression."""
        whole = self.names[memory.whole.values[0]] if memory.whole else ""
        text = f"{whole}[{memory.start}:{memory.start + math.prod(memory.shape)}]"
        if len(memory.shape) != 1:
            text += f".reshape({', '.join(map(str, memory.shape))})"
        return text

    def _write(self, equation: Equation, memory: Memory, comment: str) -> None:
        if equation.function is side_by_side:
            self._write_beside(equation, memory)
            return
        target = self._target(memory, equation.output)
        if equation.function in (copy, astype):
            self._line(self.writer.copying(equation, target), comment)
        elif equation.function is np.full:
            self._line(f"{target}.fill({literal(equation.args[1])})", comment)
        else:
            self._line(self._expression(equation, out=target), comment)

    def _write_beside(self, equation: Equation, memory: Memory) -> None:
        """What was not computed in its place is copied there."""
        target, start = self._target(memory, equation.output), 0
        for part in equation.args:
            place = self.memory.get(part)
            if place is None or place.whole is not memory:
                text = self.text(part) if len(part.shape) == 1 else f"{self.text(part)}.ravel()"
                self._line(f"{target}[{start}:{start + part.size}] = {text}")
            start += part.size

    def _write_item(self, equation: Equation, memory: Memory | None) -> None:
        array, index, values = equation.args
        if memory is None:
            name = self.names[equation.output]
            self._line(f"{name} = {self.writer.operand(array)}.copy()")
        else:
            name = self._target(memory, equation.output)
            if self.memory.get(array) is not memory:
                self._line(f"np.copyto({name}, {self.text(array)})")
        put = self.writer.argument(values)
        if equation.function is set_flat:
            self._line(f"{name}.ravel()[{self.writer.index(index)}] = {put}")
        elif equation.function is set_item:
            self._line(f"{name}[{self.writer.index(index)}] = {put}")
        else:
            self._line(f"np.add.at({name}, {self.writer.argument(index)}, {put})")

    def _is_inline(self, equation: Equation) -> bool:
        """Whether an expression stands better where it is used: transposes, slices, numbers."""
        if len(equation.outputs) != 1 or equation.effect:
            return False
        output = equation.output
        if output in self.program.results or output in self.names.special:
            return False
        once = len(self.users.get(output, [])) == 1
        if is_view(equation):
            return once or self.writer.expression(equation).endswith(".T")
        return once and output.weak and equation.function in ARITHMETIC

    def _remark(self, equation: Equation) -> str:
        """What to say behind a line: the derivative that it is, or shapes that change."""
        if len(equation.outputs) != 1:
            return ""
        output = equation.output
        if self.rules and equation.origin.rules:
            of = self.layout.gradients.get(output)
            return equation.origin.rules.get(of, "") if of is not None else ""
        if equation.function is np.matmul:
            left, right = (_shape(v) for v in equation.args)
            return f"{left} @ {right} -> {_shape(output)}"
        shapes = {v.shape for v in equation.inputs if v.shape} | {output.shape}
        return _shape(output) if len(shapes) > 1 else ""

    # --- the end ------------------------------------------------------------------------------

    def _finish(self, target: str) -> None:
        """Put what is not there yet into the new state, and return the rest."""
        for key, value in self.layout.new:
            is_value = isinstance(value, Value)
            memory = self.memory.get(value) if is_value else None
            if memory is not None and memory.slot == key:
                continue
            text = self.text(value) if is_value else literal(value)
            if is_value and value.shape and self.plan is not None:
                self._line(f"np.copyto({target}[{literal(key)}], {text})")
            else:
                self._line(f"{target}[{literal(key)}] = {text}")
        if self.layout.returned is not None:
            self._line(f"return {returned_text(self.layout.returned, self._handed_out)}")
        elif self.lines[-1].endswith(":"):
            self._line("pass")

    def _handed_out(self, value: Value) -> str:
        """A value that is returned: a copy, where its memory is written into again, or shared."""
        alone = value.weak or (self._is_given_away(value) and value not in self.given)
        self.given.add(value)
        return self.text(value) if alone else f"{self.writer.operand(value)}.copy()"

    def _is_given_away(self, value: Value) -> bool:
        """Whether a value is made anew in each step, and nobody else looks at its memory."""
        while value not in self.memory and value in self.makers:
            view = self.makers[value].view
            if view is None:
                return True
            value = view
        return False


def _shape(value: Any) -> str:
    shape = value.shape if isinstance(value, Value) else np.shape(value)
    return str(shape) if shape else ""
