"""Whether two traces of a step came to the same, so that nothing is frozen that changes."""

from typing import Any

import numpy as np

from ...errors import TraceError
from ..program import Equation, Value
from .run import Recipe

__all__ = ["check_same"]


def check_same(first: Recipe, second: Recipe) -> None:
    """Refuse a step that does something else when it runs again.

    Raises:
        TraceError: a constant differs, or the calls that were made do; the message names it.
    """
    same: dict[Value, Value] = {}
    a, b = first.program, second.program
    for before, after in zip(a.inputs, b.inputs, strict=False):
        same[before] = after
    for i, (before_call, after_call) in enumerate(zip(a.equations, b.equations, strict=False)):
        if before_call.function is not after_call.function and not _alike(before_call, after_call):
            raise _refusal(after_call, "another function", before_call.function, i)
        for x, y in zip(_arguments(before_call), _arguments(after_call), strict=False):
            _compare(x, y, same, first, second, after_call)
        same.update(zip(before_call.outputs, after_call.outputs, strict=False))
    if len(a.equations) != len(b.equations) or len(a.outputs) != len(b.outputs):
        raise TraceError(
            f"compile: expected a step that makes the same calls each time it runs; got "
            f"{len(a.equations)} calls, and then {len(b.equations)}; let no counter or global "
            f"decide what it does, or pass it as a static argument"
        )
    for x, y in zip(a.outputs, b.outputs, strict=True):
        if not isinstance(x, Value) and not _equal(x, y):
            raise TraceError(
                f"compile: expected a step that gives the same each time; got {x!r} and then {y!r}"
            )


def _alike(a: Equation, b: Equation) -> bool:
    names = (getattr(f, "__name__", None) for f in (a.function, b.function))
    owner = (getattr(f, "__self__", type(f)) for f in (a.function, b.function))
    return len(set(names)) == 1 and len(set(map(id, owner))) == 1


def _arguments(equation: Equation) -> list[Any]:
    return [*equation.args, *(equation.kwargs[k] for k in sorted(equation.kwargs))]


def _compare(
    x: Any, y: Any, same: dict[Value, Value], first: Recipe, second: Recipe, call: Equation
) -> None:
    if isinstance(x, Value) and isinstance(y, Value):
        old, new = first.program.constants.get(x), second.program.constants.get(y)
        if old is not None and new is not None:
            if not _equal(old, new):
                raise _refusal(call, "a constant", _shown(old), _shown(new))
        elif same.get(x) is not y:
            raise _refusal(call, "another operand", x, y)
    elif type(x) in (tuple, list) and type(x) is type(y) and len(x) == len(y):
        for item, other in zip(x, y, strict=True):
            _compare(item, other, same, first, second, call)
    elif type(x) is dict and type(y) is dict:
        for key in x.keys() & y.keys():
            _compare(x[key], y[key], same, first, second, call)
    elif type(x) is slice and type(y) is slice:
        _compare((x.start, x.stop, x.step), (y.start, y.stop, y.step), same, first, second, call)
    elif not _equal(x, y):
        raise _refusal(call, "a constant", x, y)


def _equal(x: Any, y: Any) -> bool:
    if isinstance(x, (np.ndarray, np.generic)) or isinstance(y, (np.ndarray, np.generic)):
        a, b = np.asarray(x), np.asarray(y)
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(x, float) and isinstance(y, float) and x != x and y != y:
        return True
    return type(x) is type(y) and (x is y or bool(x == y))


def _shown(array: Any) -> str:
    return f"{array.ravel()[:3]} of shape {array.shape}" if array.ndim else repr(array[()])


def _refusal(call: Equation, what: str, before: Any, after: Any) -> TraceError:
    line = call.origin.line
    where = "" if line is None else f" at {line}" + (f": {line.text}" if line.text else "")
    name = getattr(call.function, "__name__", repr(call.function))
    return TraceError(
        f"compile: expected the step to compute with the same constants each time it runs; got "
        f"{what} of {name}{where} that was {before} and then {after}; pass it as an argument, draw "
        f"random numbers from a numpy.random.Generator that the step can reach, and keep counters "
        f"where the step can reach them"
    )
