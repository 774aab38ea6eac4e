"""Names for the values of a program: what a person would call them.

They come from the model: a layer's, a parameter's, an activation's name; d_… for a gradient. What
a user has named may be anything, and the source is executed, so every name is made an identifier
of plain letters, and no two are alike.
"""

import builtins
import keyword
import operator
import re
import unicodedata
from collections.abc import Iterable

import numpy as np

from ..._typing import Array
from ..operations import Draw, add_at, astype, copy, set_flat, set_item
from ..plan import Memory
from ..program import Equation, Program, Value
from .layout import Layout

__all__ = ["Names", "function_name", "identifier", "names_for"]

_WORDS = {
    np.matmul: "product", np.add: "added", np.subtract: "difference", np.multiply: "product",
    np.divide: "quotient", np.negative: "negative", np.square: "square", np.sqrt: "root",
    np.exp: "exp", np.log: "log", np.log1p: "log1p", np.max: "largest", np.min: "least",
    np.sum: "total", np.mean: "mean", np.greater: "positive", np.greater_equal: "positive",
    np.maximum: "larger", np.minimum: "smaller", np.where: "chosen", np.full: "filled",
    np.absolute: "size", np.power: "power", np.reciprocal: "inverse", np.linalg.norm: "norm",
    operator.getitem: "picked", operator.pow: "power",
    set_item: "updated", set_flat: "updated", np.take: "picked", add_at: "increased",
    astype: "converted", copy: "copied",
}  # fmt: skip
_OWN = {"np", "math", "state", "new", "init_state", "example_batch", "main"}  # of any program
_RESERVED = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), *_OWN}
_LOOP = {"i", "batch", "result"}  # what stands beside the function in the loop of a saved module


def identifier(text: str, otherwise: str = "value") -> str:
    """A Python identifier of plain lower-case letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9]+", "_", plain)[:60].strip("_")
    if plain.upper() != plain or len(plain) > 1:  # X is what everybody calls the inputs
        plain = plain.lower() if not plain.isupper() or len(plain) > 2 else plain
    if not plain or not plain[0].isalpha():
        plain = f"{otherwise}_{plain}".rstrip("_")
    return f"{plain}_" if plain in _RESERVED else plain


def function_name(text: str) -> str:
    """A name for the function of a program, which nothing else in a saved module has."""
    name = identifier(text, "step")
    return f"{name}_step" if name in _LOOP else name


class Names:
    """One name for each value, and no name twice."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._names: dict[Value, str] = {}
        self._reserved = {*_OWN, *taken}
        self._taken = set(self._reserved)
        self._numbers: dict[str, int] = {}
        self._wanted: dict[str, str] = {}  # what each name was before it got a number
        self.special: set[Value] = set()  # those named after something of the user's

    def __getitem__(self, value: Value) -> str:
        return self._names[value]

    def __contains__(self, value: object) -> bool:
        return value in self._names

    def fresh(self, wanted: str) -> str:
        """A name that nothing has yet."""
        name, number = wanted, self._numbers.get(wanted, 1)
        while name in self._taken:
            number += 1
            name = f"{wanted.rstrip('_')}_{number}"
        self._taken.add(name)
        self._numbers[wanted] = number  # so that the next one is found at once
        self._wanted[name] = wanted
        return name

    def give(self, value: Value, wanted: str, *, special: bool = True) -> None:
        """Name a value, unless it has a name."""
        if value in self._names:
            return
        self._names[value] = self.fresh(wanted)
        if special:
            self.special.add(value)

    def share(self, memory: Iterable[Memory]) -> None:
        """Let what is computed in place go by the name of the array that it is computed in."""
        for place in dict.fromkeys(memory):
            named = next((v for v in place.values if v in self.special), place.values[-1])
            named = place.values[-1] if place.slot else named
            for value in place.values:
                if value not in self.special or place.slot:
                    self._names[value] = self._names[named]

    def number_anew(self, shown: Iterable[Value]) -> None:
        """Number names that are alike in the order in which they are seen."""
        wanted, self._taken, self._numbers = self._wanted, set(self._reserved), {}
        fresh: dict[str, str] = {}
        for value in [*shown, *self._names]:
            name = self._names[value]
            if name not in fresh:
                fresh[name] = self.fresh(wanted[name])
        self._names = {value: fresh[name] for value, name in self._names.items()}


def names_for(program: Program, layout: Layout, taken: Iterable[str]) -> Names:
    """Name everything that a program computes with, but not by the names that are taken."""
    names = Names([layout.name, *taken])
    for value, name in [*layout.arguments.items(), *layout.state.items()]:
        names.give(value, identifier(name))
    for value, array in program.constants.items():
        names.give(value, _constant_name(value, array))
    for pack in layout.packs:
        for value, part in zip(pack.values, pack.parts, strict=True):
            if not pack.is_number:
                names.give(value, identifier(part))
    for key, value in layout.new:
        if isinstance(value, Value):
            old = key in layout.state.values()
            names.give(value, f"new_{identifier(key)}" if old else identifier(key))
    if isinstance(layout.returned, Value):
        names.give(layout.returned, "result" if layout.returned.shape else "loss")
    last = _last_in_scope(program)
    for equation in program.equations:
        for output in equation.outputs:
            of = layout.gradients.get(output)
            if of is not None and of in names:
                names.give(output, f"d_{names[of]}")
            elif equation.origin.phase == "forward" and last.get(output):
                names.give(output, identifier(last[output]))
            else:
                names.give(output, identifier(output.name or _word(equation)), special=False)
    return names


def _constant_name(value: Value, array: Array) -> str:
    if array.ndim == 1 and array.size > 1 and np.array_equal(array, np.arange(array.size)):
        return "rows"
    is_full = array.size > 1 and array.dtype.kind == "f" and (array == array.flat[0]).all()
    if is_full and not value.name:
        return identifier(f"all_{array.flat[0]!s}")
    return identifier(value.name or "constant")


def _last_in_scope(program: Program) -> dict[Value, str]:
    """The values that leave a layer or an activation, each with what that is called."""
    home: dict[Value, tuple[object, str]] = {}
    for equation in program.equations:
        origin = equation.origin
        function = origin.function
        if origin.phase != "forward":
            continue
        title = origin.scope[-1] if origin.scope else ""
        if function is not None:
            title = getattr(function, "__name__", "")
        home.update(dict.fromkeys(equation.outputs, ((origin.scope, function), title)))
    leaving: dict[Value, str] = {}
    for equation in program.equations:
        here = home.get(equation.outputs[0]) if equation.outputs else None
        for value in equation.inputs:
            there = home.get(value)
            if there and there[1] and equation.origin.phase == "forward" and there != here:
                leaving[value] = there[1]
    for value in program.results:
        if value in home:
            leaving.setdefault(value, home[value][1])
    return leaving


def _word(equation: Equation) -> str:
    """What an operation's result is called where nobody has named it."""
    function = equation.function
    if isinstance(function, Draw):
        return "drawn"
    name = getattr(function, "__name__", "value")
    return _WORDS.get(function) or identifier(name)
