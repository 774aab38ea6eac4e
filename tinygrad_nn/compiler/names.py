"""Names for the values of a program: what a person would call them.

They come from the model: a layer's, a parameter's, an activation's name; d_… for a gradient. What
a user has named may be anything, and the source is executed, so every name is made an identifier
of plain letters, and no two are alike.
"""

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable, Mapping

import numpy as np

from .operations import Draw, add_at, astype, set_item
from .program import Equation, Program, Value

__all__ = ["Names", "identifier"]

_WORDS = {
    np.matmul: "product", np.add: "sum", np.subtract: "difference", np.multiply: "product",
    np.divide: "quotient", np.negative: "negative", np.square: "square", np.sqrt: "root",
    np.exp: "exp", np.log: "log", np.log1p: "log1p", np.max: "largest", np.min: "least",
    np.sum: "total", np.mean: "mean", np.greater: "positive", np.greater_equal: "positive",
    np.maximum: "larger", np.minimum: "smaller", np.where: "chosen", np.full: "filled",
    np.absolute: "size", np.power: "power", np.reciprocal: "inverse", np.linalg.norm: "norm",
    set_item: "updated", add_at: "increased", astype: "converted",
}  # fmt: skip
_RESERVED = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "np", "math", "state", "new"}


def identifier(text: str, otherwise: str = "value") -> str:
    """A Python identifier of plain lower-case letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9]+", "_", plain)[:60].strip("_")
    if plain.upper() != plain or len(plain) > 1:  # X is what everybody calls the inputs
        plain = plain.lower() if not plain.isupper() or len(plain) > 2 else plain
    if not plain or not plain[0].isalpha():
        plain = f"{otherwise}_{plain}".rstrip("_")
    return f"{plain}_" if plain in _RESERVED else plain


class Names:
    """One name for each value, and no name twice."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._names: dict[Value, str] = {}
        self._taken: set[str] = set(taken)
        self.special: set[Value] = set()  # those named after something of the user's

    def __getitem__(self, value: Value) -> str:
        return self._names[value]

    def __contains__(self, value: object) -> bool:
        return value in self._names

    def fresh(self, wanted: str) -> str:
        """A name that nothing has yet."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted.rstrip('_')}_{number}"
        self._taken.add(name)
        return name

    def give(self, value: Value, wanted: str, *, special: bool = True) -> str:
        """Name a value."""
        name = self._names[value] = self.fresh(wanted)
        if special:
            self.special.add(value)
        return name

    def share(self, value: Value, other: Value) -> None:
        """Let a value have the name of another, into whose memory it is written."""
        self._names[value] = self._names[other]

    def name_all(self, program: Program, gradients: Mapping[Value, Value]) -> None:
        """Name what the equations of a program make."""
        last = _last_in_scope(program)
        for equation in program.equations:
            for output in equation.outputs:
                if output in self._names:
                    continue
                of = gradients.get(output)
                if of is not None and of in self._names:
                    self.give(output, f"d_{self._names[of]}")
                elif equation.origin.phase == "forward" and last.get(output):
                    self.give(output, identifier(last[output]))
                else:
                    self.give(output, _word(equation), special=False)


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
