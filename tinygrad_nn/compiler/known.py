"""Which functions a program can call by a name: those of NumPy, and our own."""

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .operations import (
    ARITHMETIC,
    Draw,
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

__all__ = ["is_known", "path_of"]

_OURS = {operator.getitem, set_item, set_flat, add_at, astype, copy, side_by_side, piece,
         expect_finite, expect_within}  # fmt: skip


@functools.cache
def path_of(function: Callable[..., Any]) -> str | None:
    """Where NumPy has a function, as np.linalg.norm; None where it is not NumPy's."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):  # a method of one, such as np.add.reduce
        path = path_of(owner)
        return None if path is None else f"{path}.{function.__name__}"
    name = getattr(function, "__name__", "")
    module = getattr(function, "__module__", None) or "numpy"
    for where in (module, "numpy", "numpy.linalg"):
        found: Any = np
        for part in [*where.split(".")[1:], name]:
            found = getattr(found, part, None)
        if where.split(".")[0] == "numpy" and _is_same(found, function):
            return ".".join(["np", *where.split(".")[1:], name])
    return None


def _is_same(found: Any, function: Any) -> bool:
    return found is function or (
        found is not None
        and not isinstance(function, np.ufunc)
        and getattr(found, "__name__", "") == getattr(function, "__name__", None)
        and getattr(found, "__module__", "") == getattr(function, "__module__", None)
    )


def is_known(function: Callable[..., Any]) -> bool:
    """Whether a program can call a function by its name in NumPy."""
    known = function in ARITHMETIC or function in _OURS
    return known or isinstance(function, Draw) or path_of(function) is not None
