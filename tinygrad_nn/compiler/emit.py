"""From a program to the text of a NumPy module: straight lines that a person might have written.

The text is complete: buffers, constants, and one function. With a plan every array is written into
a buffer; without one, each line makes a new array, as in a notebook.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._typing import Array, Shape
from .expressions import Writer, is_numpy
from .literals import array_text, dtype_text, is_short, literal
from .names import Names, identifier
from .operations import (
    ARITHMETIC,
    add_at,
    copy,
    expect_finite,
    expect_within,
    set_item,
    side_by_side,
)
from .plan import Memory, Plan, is_view
from .program import Equation, Program, Value

__all__ = ["Layout", "Source", "emit"]

_WIDTH = 88  # what the formatter that most people use allows


@dataclass(frozen=True)
class Layout:
    """What the text has to know besides the equations."""

    name: str  # of the function
    arguments: Mapping[Value, str]  # the inputs that are passed in each call
    state: Mapping[Value, str]  # those that are read from the state
    new: Sequence[tuple[str, Any]]  # what is put into the new state: a key, and a value or constant
    returned: Any  # the tree that is returned
    gradients: Mapping[Value, Value]
    title: str = ""


@dataclass(frozen=True)
class Source:
    """The text, and what has to be in its namespace besides NumPy."""

    text: str
    function: str
    constants: Mapping[str, Array]  # arrays that are too long to be written out
    callables: Mapping[str, Callable[..., Any]]  # functions that are not NumPy's
    takes_state: bool  # whether the function takes the state, and
    takes_new: bool  # an array for each part of the new one


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
        self.program, self.layout, self.plan, self.rules = program, layout, plan, rules
        self.memory = {} if plan is None else plan.memory
        self.names = Names({"np", "math", "state", "new", layout.name})
        self.callables: dict[Callable[..., Any], str] = {}
        self.inline: dict[Value, str] = {}
        self.makers = {o: e for e in program.equations for o in e.outputs}
        self.users = program.users()
        self.arrays: dict[str, Array] = {}
        self.writer = Writer(self.text, self.callables)
        self.fetched: set[Memory] = set()  # what of the new state has a name already
        self.heading = ""
        self.part: object = None
        self.lines: list[str] = []
        self.indent = "    "
        self._name_everything()

    # --- names --------------------------------------------------------------------------------

    def _name_everything(self) -> None:
        layout, names = self.layout, self.names
        for value, name in [*layout.arguments.items(), *layout.state.items()]:
            names.give(value, identifier(name))
        for value in self.program.constants:
            names.give(value, self._constant_name(value))
        for equation in self.program.equations:
            if not is_numpy(equation.function) and equation.function not in self.callables:
                called = identifier(getattr(equation.function, "__name__", "function"), "function")
                self.callables[equation.function] = names.fresh(called)
        for key, value in layout.new:
            if isinstance(value, Value) and value not in names:
                old = key in layout.state.values()
                names.give(value, f"new_{identifier(key)}" if old else identifier(key))
        if isinstance(layout.returned, Value) and layout.returned not in names:
            names.give(layout.returned, "loss" if not layout.returned.shape else "result")
        names.name_all(self.program, layout.gradients)
        self._share_names()

    def _constant_name(self, value: Value) -> str:
        array = self.program.constants[value]
        if array.ndim == 1 and array.size > 1 and np.array_equal(array, np.arange(array.size)):
            return "rows"
        return "constant"

    def _share_names(self) -> None:
        """What is computed in place goes by the name of the array it is computed in."""
        seen: set[int] = set()
        for memory in self.memory.values():
            if id(memory) in seen:
                continue
            seen.add(id(memory))
            values = memory.values
            named = next((v for v in values if v in self.names.special), values[-1])
            if memory.slot:
                named = values[-1]
            for value in values:
                if value not in self.names.special or memory.slot:
                    self.names.share(value, named)

    # --- text ---------------------------------------------------------------------------------

    def text(self, value: Value) -> str:
        """A value as an expression."""
        return self.inline.get(value) or self.names[value]

    def source(self) -> Source:
        """The whole text."""
        body = self._body()
        head = ['"""' + (self.layout.title or f"{self.layout.name}, in NumPy.") + '"""', ""]
        if any(line.lstrip().startswith("if not math.") for line in body):
            head += ["import math", ""]
        head += ["import numpy as np", ""]
        head += self._constants()
        head += self._buffers()
        text = "\n".join([*head, "", *body]) + "\n"
        callables = {name: function for function, name in self.callables.items()}
        first = next(line for line in body if line.startswith("def "))
        return Source(
            text, self.layout.name, self.arrays, callables, "(state" in first, "new=None" in first
        )

    def _constants(self) -> list[str]:
        lines = []
        for value, array in self.program.constants.items():
            if is_short(array):
                lines.append(f"{self.names[value]} = {array_text(array)}")
            else:
                self.arrays[self.names[value]] = array
        return [*lines, ""] if lines else []

    def _buffers(self) -> list[str]:
        if self.plan is None or not self.plan.buffers:
            return []
        lines = ["# Memory that every step writes into."]
        for memory in self.plan.buffers:
            names = list(dict.fromkeys(self.names[v] for v in memory.values))
            made = f"np.empty({memory.shape}, dtype={dtype_text(memory.dtype)})"
            lines.append(f"{names[0]} = {self._piece(memory) if memory.whole else made}")
            lines += [f"{name} = {names[0]}  # its memory is free by then" for name in names[1:]]
        return [*lines, ""]

    def _body(self) -> list[str]:
        layout = self.layout
        parameters = [self.names[v] for v in layout.arguments]
        if layout.state or layout.new:
            parameters.insert(0, "state")
        if layout.new and self.plan is not None:
            parameters.append("new=None")
        self.lines = [f"def {layout.name}({', '.join(parameters)}):"]
        if "new=None" in parameters:
            self.lines += ["    new = state if new is None else new"]
        for value, key in layout.state.items():
            self._line(f"{self.names[value]} = state[{key!r}]", _shape_text(value))
        for equation in self.program.equations:
            self._equation(equation)
        self._finish()
        return self.lines

    def _line(self, text: str, comment: str = "") -> None:
        for line in wrapped(text, comment, self.indent):
            self.lines.append(f"{self.indent}{line}")

    def _head(self, equation: Equation) -> None:
        """Headings where the phase, or the part of the model, changes."""
        origin = equation.origin
        if origin.phase != self.heading:
            self.heading = origin.phase
            self.lines += ["", f"    # --- {origin.phase} ---"]
            self.part, self.indent = None, "    "
            if origin.phase == "backward":  # the forward pass has warned of what is singular
                self.lines.append('    with np.errstate(all="ignore"):')
                self.indent = " " * 8
        title = _title(equation)
        if title and title != self.part:
            self.part = title
            self.lines.append(f"{self.indent}# {title}"[:_WIDTH].rstrip())

    # --- equations ----------------------------------------------------------------------------

    def _equation(self, equation: Equation) -> None:
        function = equation.function
        if function is expect_within or function is expect_finite:
            self._head(equation)
            self._check(equation)
            return
        output = equation.outputs[0] if equation.outputs else None
        if output is not None and self._is_inline(equation):
            self.inline[output] = self.writer.expression(equation)
            return
        self._head(equation)
        comment = self._comment(equation)
        memory = self.memory.get(output) if output is not None else None
        if len(equation.outputs) != 1:
            targets = ", ".join(self.names[o] for o in equation.outputs)
            self._line(f"{targets} = {self.writer.expression(equation)}", comment)
        elif function in (set_item, add_at):
            self._write_item(equation, memory)
        elif memory is None:
            name = "_" if output is None else self.names[output]
            self._line(f"{name} = {self.writer.expression(equation)}", comment)
        else:
            self._write(equation, memory, comment)

    def _target(self, memory: Memory, value: Value) -> str:
        """The array to write into; what belongs to the new state is fetched when it is first."""
        name = self.names[value]
        if memory.whole is not None and memory.is_given and memory.values[0] is value:
            self._target(memory.whole, memory.whole.values[0])
            self._line(f"{name} = {self._piece(memory)}")
        elif memory.slot and memory.values[0] is value and memory not in self.fetched:
            self.fetched.add(memory)
            self._line(f"{name} = new[{memory.slot!r}]")
        return name

    def _piece(self, memory: Memory) -> str:
        """A piece of a longer array, as an expression."""
        whole = self.names[memory.whole.values[0]] if memory.whole else ""
        size = math.prod(memory.shape)
        text = f"{whole}[{memory.start}:{memory.start + size}]"
        if len(memory.shape) != 1:
            text += f".reshape({', '.join(map(str, memory.shape))})"
        return text

    def _write(self, equation: Equation, memory: Memory, comment: str) -> None:
        if equation.function is side_by_side:
            self._write_beside(equation, memory)
            return
        target = self._target(memory, equation.output)
        if equation.function is copy:
            self._line(f"np.copyto({target}, {self.text(equation.args[0])})", comment)
        elif equation.function is np.full:
            self._line(f"{target}.fill({literal(equation.args[1])})", comment)
        else:
            self._line(self.writer.expression(equation, out=target), comment)

    def _write_beside(self, equation: Equation, memory: Memory) -> None:
        """What was not computed in its place is copied there."""
        start = 0
        for part in equation.args:
            piece = self.memory.get(part)
            if piece is None or piece.whole is not memory:
                target = self._target(memory, equation.output)
                text = self.text(part) if len(part.shape) == 1 else f"{self.text(part)}.ravel()"
                self._line(f"{target}[{start}:{start + part.size}] = {text}")
            start += part.size

    def _write_item(self, equation: Equation, memory: Memory | None) -> None:
        array, index, values = equation.args
        name = self.names[equation.output]
        if memory is None:
            self._line(f"{name} = {self.writer.operand(array)}.copy()")
        else:
            name = self._target(memory, equation.output)
            if self.memory.get(array) is not memory:
                self._line(f"np.copyto({name}, {self.text(array)})")
        put = self.writer.argument(values)
        if equation.function is set_item:
            self._line(f"{name}[{self.writer.index(index)}] = {put}")
        else:
            self._line(f"np.add.at({name}, {self.writer.argument(index)}, {put})")

    def _is_inline(self, equation: Equation) -> bool:
        """Whether an expression stands better where it is used: transposes, slices, numbers."""
        output = equation.output
        if output in self.program.results or len(equation.outputs) != 1 or equation.effect:
            return False
        users = self.users.get(output, [])
        if is_view(equation) and self.writer.expression(equation).endswith(".T"):
            return True
        if is_view(equation) or output.weak:
            return len(users) == 1 and output.weak == (equation.function in ARITHMETIC)
        return False

    def _check(self, equation: Equation) -> None:
        if equation.function is expect_finite:
            terms = [f"np.vdot({self.text(v)}, {self.text(v)})" for v in equation.inputs]
            total = " + ".join(terms)
            self._line(f"if not math.isfinite({total}):")
            self._line('    raise FloatingPointError("a gradient is infinite or NaN")')
            return
        value, low, high, where, remedy = equation.args
        name = self.text(value)
        least, largest = f"{name}.min()", f"{name}.max()"
        if not value.shape:
            least = largest = name
        condition = f"{literal(low)} <= {least} and {largest} <= {literal(high)}"
        self._line(f"if not ({condition}):")
        self._line(f"    raise ValueError({literal(f'{where}; {remedy}')})")

    def _comment(self, equation: Equation) -> str:
        if self.rules and equation.origin.rule:
            return equation.origin.rule
        if equation.function is np.matmul:
            left, right = (_shape(v) for v in equation.args)
            return f"{left} @ {right} -> {_shape(equation.output)}"
        shapes = {v.shape for v in equation.inputs if v.shape} | {equation.outputs[0].shape}
        return _shape(equation.outputs[0]) if len(shapes) > 1 and equation.outputs[0].shape else ""

    # --- the end ------------------------------------------------------------------------------

    def _finish(self) -> None:
        self.indent = "    "
        layout = self.layout
        target = "new" if "new=None" in self.lines[0] else "state"
        for key, value in layout.new:
            memory = self.memory.get(value) if isinstance(value, Value) else None
            if memory is not None and memory.slot == key:
                continue
            text = self.text(value) if isinstance(value, Value) else literal(value)
            if isinstance(value, Value) and value.shape and self.plan is not None:
                self._line(f"np.copyto({target}[{key!r}], {text})")
            else:
                self._line(f"{target}[{key!r}] = {text}")
        if layout.returned is not None:
            self._line(f"return {self._tree(layout.returned)}")
        elif self.lines[-1].endswith(":"):
            self._line("pass")

    def _tree(self, tree: Any) -> str:
        if isinstance(tree, Value):
            memory = self.memory.get(tree)
            return f"{self.text(tree)}.copy()" if memory is not None else self.text(tree)
        if type(tree) is tuple:
            items = ", ".join(map(self._tree, tree))
            return f"({items},)" if len(tree) == 1 else f"({items})"
        if type(tree) is list:
            return f"[{', '.join(map(self._tree, tree))}]"
        if type(tree) is dict:
            return "{" + ", ".join(f"{literal(k)}: {self._tree(v)}" for k, v in tree.items()) + "}"
        return literal(tree)


def _shape(value: Any) -> str:
    shape: Shape = value.shape if isinstance(value, Value) else np.shape(value)
    return str(shape)


def _shape_text(value: Value) -> str:
    return str(value.shape) if value.shape else ""


def _title(equation: Equation) -> str:
    """What an equation is part of, for the heading above it."""
    function = equation.origin.function
    if function is not None:
        summary = (function.__doc__ or "").strip().partition("\n")[0].rstrip(".")
        return f"{function.__name__}: {summary}" if summary else function.__name__
    return "/".join(equation.origin.scope)


def wrapped(text: str, comment: str = "", indent: str = "") -> list[str]:
    """A statement in lines that are not too long, as a formatter would set them."""
    width = _WIDTH - len(indent)
    whole = f"{text}  # {comment}" if comment else text
    if len(whole) <= width:
        return [whole]
    if len(text) <= width:
        return [f"# {comment}", text] if comment else [text]
    return [text]
