"""A program: single-assignment equations as plain data, and what makes them well formed.

Every array that a step computes is a `Value`, and every value is made once, by one equation. An
equation is a call: a function, and the tree of its arguments, with values in the places of arrays.
Anybody can read a program; `evaluate` runs one, equation by equation.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from .._scope import Scope
from .._typing import Array, Shape
from ..autograd.recording import Site, SourceLine, source_line
from ..errors import TraceError

__all__ = [
    "NOWHERE",
    "Equation",
    "Origin",
    "Program",
    "Value",
    "check",
    "evaluate",
    "substitute",
    "values_in",
]


class Value:
    """One array, or Python number, of a program. Two values are the same only if identical."""

    __slots__ = ("dtype", "name", "shape", "weak")

    def __init__(self, shape: Shape, dtype: Any, name: str = "", weak: bool = False) -> None:
        self.shape = shape
        self.dtype = dtype
        self.name = name  # what people call it, where they do
        self.weak = weak  # a Python number, which takes on the dtype of what it meets

    @property
    def size(self) -> int:
        """How many elements it has."""
        size = 1
        for n in self.shape:
            size *= n
        return size

    @property
    def nbytes(self) -> int:
        """How much memory the elements take."""
        return self.size * int(self.dtype.itemsize)

    def __repr__(self) -> str:
        kind = "number" if self.weak else f"{self.dtype}{list(self.shape)}"
        return f"<{self.name or 'value'} {kind}>"


class Origin(NamedTuple):
    """Where an equation comes from: for names, headings, comments and errors."""

    phase: str = "forward"  # or "backward", or "update"
    scope: Scope = ()
    function: Callable[..., Any] | None = None  # the loss, activation or rule that it is part of
    rules: Mapping[Value, str] | None = None  # in a walk backward, how each gradient is made
    site: Site | None = None
    silent: tuple[str, ...] = ()  # what NumPy is not to warn of, as the step says

    @property
    def line(self) -> SourceLine | None:
        """The user's line."""
        return None if self.site is None else source_line(self.site)


NOWHERE = Origin()


@dataclass(frozen=True, eq=False)
class Equation:
    """outputs = function(*args, **kwargs)."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[Value, ...]
    origin: Origin = NOWHERE
    view: Value | None = None  # the value whose memory the output may share
    effect: bool = False  # it draws, or checks: it stays where it is, used or not

    @property
    def output(self) -> Value:
        """The one output."""
        return self.outputs[0]

    @functools.cached_property
    def inputs(self) -> list[Value]:
        """The values that it computes with, in the order of the call."""
        found: list[Value] = []
        for tree in self.args:
            _collect(tree, found)
        for tree in self.kwargs.values():
            _collect(tree, found)
        return found

    def with_inputs(self, mapping: Mapping[Value, Any]) -> "Equation":
        """The same call on other values."""
        if not any(v in mapping for v in self.inputs):
            return self
        view = self.view
        if view is not None:
            view = mapping.get(view, view)
        return replace(
            self,
            args=tuple(substitute(tree, mapping) for tree in self.args),
            kwargs={name: substitute(tree, mapping) for name, tree in self.kwargs.items()},
            view=view if isinstance(view, Value) else None,
        )


@dataclass(frozen=True, eq=False)
class Program:
    """Equations in order, between the values that come in and those that go out."""

    inputs: tuple[Value, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Any, ...]  # a Value, or a plain constant
    constants: Mapping[Value, Array] = field(default_factory=dict)

    def __str__(self) -> str:
        names: dict[Value, str] = {}

        def shown(value: Any) -> str:
            if not isinstance(value, Value):
                return repr(value)
            return names.setdefault(value, value.name or f"v{len(names)}")

        lines = [f"inputs {', '.join(map(shown, self.inputs))}"]
        for e in self.equations:
            called = getattr(e.function, "__name__", repr(e.function))
            lines.append(
                f"{', '.join(map(shown, e.outputs))} = {called}({', '.join(map(shown, e.inputs))})"
                f"  {[list(v.shape) for v in e.outputs]}"
            )
        lines.append(f"outputs {', '.join(map(shown, self.outputs))}")
        return "\n".join(lines)

    @property
    def results(self) -> list[Value]:
        """The values among the outputs."""
        return [v for v in self.outputs if isinstance(v, Value)]

    def users(self) -> dict[Value, list[Equation]]:
        """For each value, the equations that compute with it, once each."""
        found: dict[Value, list[Equation]] = {}
        for equation in self.equations:
            for value in dict.fromkeys(equation.inputs):
                found.setdefault(value, []).append(equation)
        return found


def values_in(tree: Any) -> Iterator[Value]:
    """The values in a tree of arguments."""
    found: list[Value] = []
    _collect(tree, found)
    return iter(found)


def _collect(tree: Any, found: list[Value]) -> None:
    kind = type(tree)
    if kind is Value:
        found.append(tree)
    elif kind is tuple or kind is list:
        for item in tree:
            _collect(item, found)
    elif kind is dict:
        for item in tree.values():
            _collect(item, found)
    elif kind is slice:
        for item in (tree.start, tree.stop, tree.step):
            _collect(item, found)


def substitute(tree: Any, mapping: Mapping[Value, Any]) -> Any:
    """The same tree with other things in the places of its values."""
    kind = type(tree)
    if kind is Value:
        return mapping.get(tree, tree)
    if kind is tuple or kind is list:
        return kind(substitute(item, mapping) for item in tree)
    if kind is dict:
        return {key: substitute(item, mapping) for key, item in tree.items()}
    if kind is slice:
        return slice(*(substitute(item, mapping) for item in (tree.start, tree.stop, tree.step)))
    return tree


def evaluate(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """Run a program on arrays, one equation after the other."""
    environment: dict[Value, Any] = dict(zip(program.inputs, inputs, strict=True))
    environment |= program.constants
    for equation in program.equations:
        args = [substitute(tree, environment) for tree in equation.args]
        kwargs = {name: substitute(tree, environment) for name, tree in equation.kwargs.items()}
        result = equation.function(*args, **kwargs)
        several = len(equation.outputs) > 1
        for value, part in zip(equation.outputs, result if several else (result,), strict=False):
            environment[value] = part
    return [environment[v] if isinstance(v, Value) else v for v in program.outputs]


def check(program: Program, after: str) -> Program:
    """Return a well-formed program as it is; refuse any other.

    Every value is made once, and before it is used; what an equation shares memory with is one of
    its inputs; constants and inputs are never made.

    Raises:
        TraceError: it is not well formed. This is a mistake of the pass it comes from.
    """

    def refuse(what: str) -> TraceError:
        return TraceError(f"compile: expected a well-formed program after {after}; got {what}")

    made: set[Value] = set(program.inputs) | program.constants.keys()
    if len(made) != len(program.inputs) + len(program.constants):
        raise refuse("a value that comes in twice")
    for equation in program.equations:
        inputs = equation.inputs
        _check_made(inputs, made, refuse)
        if equation.view is not None and equation.view not in inputs:
            raise refuse(f"a view of what {equation.function} does not compute with")
        for output in equation.outputs:
            if output in made:
                raise refuse(f"{output!r}, which is made twice")
            made.add(output)
    _check_made(program.results, made, refuse)
    for value, array in program.constants.items():
        if value.shape != array.shape or value.dtype != array.dtype:
            raise refuse(f"a constant of another shape or dtype than {value!r}")
    return program


def _check_made(
    values: Iterable[Value], made: set[Value], refuse: Callable[[str], TraceError]
) -> None:
    for value in values:
        if value not in made:
            raise refuse(f"{value!r}, which is used before it is made")
