"""Random draws of a step: generators that write down what is drawn from them.

While a step is traced, each generator that it can reach is replaced by one of these. It draws from
a copy, so that the real one is where it was when the program starts to draw from it.
"""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..operations import Draw
from ..program import Value
from .trees import plain

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["generator_value", "traced_generator"]

_WRITING = {"shuffle", "bytes", "spawn", "seed", "set_state", "get_state"}


def generator_value(name: str) -> Value:
    """The place of a generator among the inputs of a program."""
    return Value((), np.dtype(object), name)


def traced_generator(tape: "Trace", value: Value, original: Any) -> Any:
    """A generator like the original, which writes down what is drawn from it."""
    if isinstance(original, np.random.RandomState):
        traced: Any = _TracedRandomState()
        traced.set_state(original.get_state())
    else:
        traced = _TracedGenerator(copy.deepcopy(original.bit_generator))
    traced.tape, traced.value = tape, value
    return traced


class _TracedGenerator(np.random.Generator):
    tape: "Trace"
    value: Value
    busy: bool = False


class _TracedRandomState(np.random.RandomState):
    tape: "Trace"
    value: Value
    busy: bool = False


def _drawing(name: str, kind: type) -> Callable[..., Any]:
    draw = getattr(kind, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not hasattr(self, "tape") or self.busy:  # it is being made, or draws by other methods
            return draw(self, *args, **kwargs)
        if name in _WRITING or kwargs.get("out") is not None:
            self.tape.refuse(f"{name}(), which writes or makes no array,", self.value.name,
                             "use rng.permutation(x) or rng.random(shape)")  # fmt: skip
        self.busy = True
        try:
            result = draw(self, *plain(list(args)), **plain(kwargs))
        finally:
            self.busy = False
        return self.tape.write(Draw(name), (self.value, *args), kwargs, result, effect=True)

    method.__name__, method.__doc__ = name, f"As `{kind.__name__}.{name}`, written down."
    return method


for _traced, _kind in (
    (_TracedGenerator, np.random.Generator),
    (_TracedRandomState, np.random.RandomState),
):
    for _name in dir(_kind):
        if not _name.startswith("_") and callable(getattr(_kind, _name)):
            setattr(_traced, _name, _drawing(_name, _kind))
