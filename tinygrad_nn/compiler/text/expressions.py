"""Equations as text: each call as a person would write it in NumPy."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..known import path_of
from ..operations import ARITHMETIC, Draw, astype, copy
from ..program import Equation, Value
from .literals import literal

__all__ = ["Writer"]

_INFIX: dict[Any, str] = {
    # No ** for np.power: on scalars, and for some exponents, it is computed in another way.
    np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/",
    np.floor_divide: "//", np.remainder: "%", np.matmul: "@",
    np.greater: ">", np.greater_equal: ">=", np.less: "<", np.less_equal: "<=",
    np.equal: "==", np.not_equal: "!=",
    operator.add: "+", operator.sub: "-", operator.mul: "*", operator.truediv: "/",
    operator.pow: "**", operator.floordiv: "//", operator.mod: "%",
}  # fmt: skip
_METHODS = {np.sum: "sum", np.max: "max", np.amax: "max", np.min: "min", np.amin: "min",
            np.prod: "prod", np.any: "any", np.all: "all", np.clip: "clip",
            np.take: "take"}  # fmt: skip
_ATOM = 100  # how tightly a text holds together: names, calls and numbers most of all
_BINDING = {"**": 60, "@": 50, "*": 50, "/": 50, "//": 50, "%": 50, "+": 40, "-": 40}
_COMPARING = 30


class Writer:
    """Writes the calls of a program, given what its values are called."""

    def __init__(
        self,
        name: Callable[[Value], str],
        functions: Mapping[Callable[..., Any], str],
        number: Callable[[Any], str] = literal,
        short: Callable[[str], str] | None = None,
    ) -> None:
        self._name = name  # of a value, as an expression
        self._functions = functions  # what is not NumPy's, with the names it goes by
        self._number = number  # of NumPy's own, as an expression
        self._short = short  # for what stands in NumPy, in a program that is long

    def expression(self, equation: Equation, out: str | None = None) -> str:
        """The call as an expression; with `out`, one that writes into that array."""
        function, args, kwargs = equation.function, equation.args, equation.kwargs
        infix = _INFIX.get(function)
        if infix and out is None and len(args) == 2 and not kwargs and self._is_plain(equation):
            return self._infix(infix, args)
        if function in (operator.neg, np.negative) and out is None and self._is_plain(equation):
            return f"-{self.operand(args[0], 70)}"
        if function is operator.getitem:
            return f"{self.operand(args[0])}[{self.index(args[1])}]"
        if function is astype:
            return f"{self.operand(args[0])}.astype({literal(args[1])})"
        if function is copy:
            return f"{self.operand(args[0])}.copy()"
        if function in (np.swapaxes, np.transpose) and self._is_transpose(equation):
            return f"{self.operand(args[0])}.T"
        if function is np.reshape and isinstance(args[0], Value) and len(args) == 2 and not kwargs:
            return f"{self.operand(args[0])}.reshape({self._shape(args[1])})"
        if function is np.mean and _is_sum_by_size(equation):
            return f"{self.operand(args[0])}.sum() / {args[0].size}"
        if isinstance(function, Draw):
            return f"{self.operand(args[0])}.{function.__name__}({self._call(args[1:], kwargs)})"
        if function in _METHODS and isinstance(args[0], Value) and args[0].shape:
            called = f"{self.operand(args[0])}.{_METHODS[function]}"
            return f"{called}({self._call(args[1:], kwargs, out)})"
        if out is not None and self._short is not None and isinstance(function, np.ufunc):
            return f"{self.function(function)}({self._call(args, kwargs)}, {out})"
        return f"{self.function(function)}({self._call(args, kwargs, out)})"

    def copying(self, equation: Equation, target: str) -> str:
        """A copy, or a conversion, into an array that is there."""
        fits = np.can_cast(equation.args[0].dtype, equation.output.dtype, "same_kind")
        casting = "" if fits else ', casting="unsafe"'
        return f"np.copyto({target}, {self.argument(equation.args[0])}{casting})"

    def function(self, function: Callable[..., Any]) -> str:
        """What a function is called in the program."""
        path = path_of(function)
        if path is None and function in ARITHMETIC:
            path = f"operator.{function.__name__}"
        if path is not None and self._short is not None:
            return self._short(path)
        return path or self._functions[function]

    def operand(self, tree: Any, least: int = _ATOM) -> str:
        """An argument that something is done to, in parentheses if it does not hold together."""
        text = self.argument(tree)
        return text if _tightness(text) >= least else f"({text})"

    def argument(self, tree: Any) -> str:
        """An argument of a call."""
        if isinstance(tree, Value):
            return self._name(tree)
        if type(tree) is tuple:
            items = ", ".join(map(self.argument, tree))
            return f"({items},)" if len(tree) == 1 else f"({items})"
        if type(tree) is list:
            return f"[{', '.join(map(self.argument, tree))}]"
        if type(tree) is dict:
            items = ", ".join(f"{literal(k)}: {self.argument(v)}" for k, v in tree.items())
            return f"{{{items}}}"
        if type(tree) is slice:
            return f"slice({', '.join(map(self.argument, (tree.start, tree.stop, tree.step)))})"
        if callable(tree) and path_of(tree) is not None and not isinstance(tree, type):
            return path_of(tree) or ""
        if isinstance(tree, np.floating):
            return self._number(tree)
        return literal(tree)

    def index(self, index: Any) -> str:
        """What stands in brackets."""
        if type(index) is tuple and index:
            items = ", ".join(map(self._index_part, index))
            return f"{items}," if len(index) == 1 else items
        return self._index_part(index)

    def _index_part(self, part: Any) -> str:
        if type(part) is not slice:
            return "np.newaxis" if part is None else self.argument(part)
        start, stop, step = (
            "" if p is None else self.argument(p) for p in (part.start, part.stop, part.step)
        )
        return f"{start}:{stop}" + (f":{step}" if step else "")

    def _call(self, args: Any, kwargs: Mapping[str, Any], out: str | None = None) -> str:
        parts = [self.argument(a) for a in args]
        for name, value in kwargs.items():
            if name == "axis" and isinstance(value, tuple) and len(value) == 1:
                value = value[0]
            parts.append(f"{name}={self.argument(value)}")
        if out is not None:
            parts.append(f"out={out}")
        return ", ".join(parts)

    def _infix(self, infix: str, args: tuple[Any, ...]) -> str:
        binding = _BINDING.get(infix, _COMPARING)
        left, right = args
        # ** binds to the right; the other operators to the left.
        a = self.operand(left, binding + (infix == "**"))
        b = self.operand(right, binding + (infix != "**"))
        return f"{a} {infix} {b}" if infix != "**" or " " in a + b else f"{a}**{b}"

    def _is_plain(self, equation: Equation) -> bool:
        """Whether operators do what the function does: on arrays and numbers of NumPy's own."""
        return any(isinstance(a, Value) for a in equation.args)

    def _is_transpose(self, equation: Equation) -> bool:
        args, kwargs = equation.args, equation.kwargs
        if not isinstance(args[0], Value) or len(args[0].shape) != 2:
            return False
        if equation.function is np.transpose:
            axes = args[1] if len(args) > 1 else kwargs.get("axes")
            return axes is None or tuple(a % 2 for a in axes) == (1, 0)
        return len(args) == 3 and {a % 2 for a in args[1:]} == {0, 1}

    def _shape(self, shape: Any) -> str:
        if type(shape) is tuple and len(shape) != 1:
            return ", ".join(map(self.argument, shape)) if shape else "()"
        return self.argument(shape[0] if type(shape) is tuple else shape)


def _is_sum_by_size(equation: Equation) -> bool:
    """Whether NumPy computes a mean as the sum of all elements, in their own dtype."""
    args, dtype = equation.args, equation.output.dtype
    plain = len(args) == 1 and not equation.kwargs and isinstance(args[0], Value)
    return plain and args[0].dtype == dtype and dtype.itemsize >= 4


def _tightness(text: str) -> int:
    """How tightly an expression holds together: that of its loosest operator outside brackets."""
    depth, loosest = 0, _ATOM
    words = text.replace("**", " ** ").split(" ")
    for word in words:
        if depth == 0 and word in _BINDING:
            loosest = min(loosest, _BINDING[word])
        elif depth == 0 and word in (">", ">=", "<", "<=", "==", "!="):
            loosest = min(loosest, _COMPARING)
        depth += sum(word.count(c) for c in "([{") - sum(word.count(c) for c in ")]}")
    return min(loosest, 70) if text.startswith("-") else loosest
