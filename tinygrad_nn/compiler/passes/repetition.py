"""Common subexpressions: the same call on the same values is made once."""

from dataclasses import replace
from typing import Any

import numpy as np

from ..program import Equation, Program, Value, substitute

__all__ = ["without_repetition"]


def without_repetition(program: Program) -> Program:
    """Make each call once. Draws and checks stay, since each of them counts.

    Constants that are equal become one as well.
    """
    same: dict[Value, Any] = {}
    constants: dict[Any, Value] = {}
    for value, array in program.constants.items():
        key = (array.shape, array.dtype.str, array.tobytes())
        same[value] = constants.setdefault(key, value)
    calls: dict[Any, Equation] = {}
    kept = []
    for equation in program.equations:
        equation = equation.with_inputs(same)
        call = None if equation.effect else _key(equation)
        before = None if call is None else calls.setdefault(call, equation)
        if before is None or before is equation:
            kept.append(equation)
        else:
            same.update(zip(equation.outputs, before.outputs, strict=True))
    return replace(
        program,
        equations=tuple(kept),
        outputs=tuple(substitute(v, same) for v in program.outputs),
        constants={v: program.constants[v] for v in constants.values()},
    )


def _key(equation: Equation) -> Any:
    """What two calls have in common if they give the same; None where that cannot be told."""
    key = (equation.function, _frozen(equation.args), _frozen(dict(equation.kwargs)))
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _frozen(tree: Any) -> Any:
    """A tree of arguments as something that can be looked up. 1, 1.0 and True are not the same."""
    if type(tree) in (tuple, list):
        return (type(tree), *map(_frozen, tree))
    if type(tree) is dict:
        return (dict, *((key, _frozen(item)) for key, item in sorted(tree.items())))
    if type(tree) is slice:
        return (slice, _frozen(tree.start), _frozen(tree.stop), _frozen(tree.step))
    if type(tree) is Value:
        return tree
    if isinstance(tree, (float, np.floating)):
        return type(tree), repr(tree)  # so that -0.0 is not 0.0, and NaN is itself
    return type(tree), tree
