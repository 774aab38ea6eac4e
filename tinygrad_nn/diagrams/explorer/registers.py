"""Arrays that write down what is done to them, as lists that JSON can hold."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...compiler.program import Value
from ...compiler.tracing.trace import Trace
from ...compiler.tracing.traced import Traced
from .functions import UnknownFunctionError, bound
from .numbers import array_data, number

__all__ = ["DTYPES", "Registers"]

# What the page can round to.
DTYPES = {"float64", "float32", "bool", "int64", "int32", "int16", "int8", "uint8", "uint16",
           "uint32"}  # fmt: skip


class Registers:
    """Arrays that write down what is done to them; each has a number, in the order of making."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.trace = Trace()
        self.numbers: dict[Value, int] = {}
        self.handed_out = [self._traced(v) for v in values]

    def _traced(self, value: Any) -> Any:
        if not isinstance(value, (np.ndarray, np.generic)):
            return value  # a Python number stays one
        handle = Traced(self.trace, Value(value.shape, value.dtype), value)
        self.numbers[handle.value] = len(self.numbers)
        return handle

    def written(self) -> list[list[Any]]:
        """The equations as lists: a function, its arguments, and the kind of its result."""
        return list(self._equations())

    def _equations(self) -> Iterator[list[Any]]:
        for equation in self.trace.equations:
            name, arguments = bound(equation.function, equation.args, equation.kwargs)
            if len(equation.outputs) != 1:
                raise UnknownFunctionError(f"the page does not know {name}, of several results")
            made = equation.output
            if str(made.dtype) not in DTYPES:
                raise UnknownFunctionError(f"the page does not compute in {made.dtype}")
            terms = [self.term(argument) for argument in arguments]
            self.numbers[made] = len(self.numbers)
            yield [name, terms, list(made.shape), str(made.dtype)]

    def term(self, tree: Any) -> Any:
        """An argument as JSON: registers, constants, numbers, slices and lists of those."""
        if isinstance(tree, Traced):
            tree = tree.value
        if isinstance(tree, Value):
            if tree in self.numbers:
                return {"register": self.numbers[tree]}
            constant = self.trace.constants[tree]
            return {"array": array_data(constant, max(1, constant.size))}
        if isinstance(tree, np.ndarray):
            return {"array": array_data(tree, max(1, tree.size))}
        if isinstance(tree, (list, tuple)):
            return [self.term(item) for item in tree]
        if isinstance(tree, slice):
            return {"slice": [self.term(part) for part in (tree.start, tree.stop, tree.step)]}
        if tree is Ellipsis:
            return {"ellipsis": True}
        if tree is None or isinstance(tree, (bool, str)):
            return tree
        if isinstance(tree, (int, float, np.number, np.bool_)):
            found = number(tree)
            return {"number": found} if isinstance(found, str) else found
        return str(np.dtype(tree))
