"""Rows that select elements, and their transpose: putting them back."""

from typing import Any

import numpy as np

from .._typing import Array, Shape
from .table import Primitive, Trait, call, d, define

__all__ = ["GETITEM", "SCATTER"]

SELECTS = Trait.LINEAR | Trait.ANALYTIC


def _selects_each_once(index: Any) -> bool:
    """Whether no element can be selected twice: only integer arrays can repeat themselves."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(not isinstance(p, np.ndarray) or p.dtype == bool for p in parts)


def _getitem(a: Array, index: Any) -> Array:
    return a[index]


def _scatter(a: Array, shape: Shape, index: Any) -> Array:
    out = np.zeros(shape, dtype=a.dtype)
    if _selects_each_once(index):
        out[index] = a
    else:
        np.add.at(out, index, a)
    return out


# fmt: off

GETITEM = define(_getitem, "a[i]", SELECTS | Trait.VIEW,
       d("g put back at i, zeros elsewhere",
         lambda g, y, a, *, index: SCATTER(g, shape=a.shape, index=index)),
       name="tinygrad_nn.getitem", parameters="a index",
       calls=(call((3, 4), index=(slice(None), 1)),
              call((3, 4), index=(Ellipsis, None, slice(None, None, -2))),
              call((3, 4), index=np.array([[True, False, True, True]] * 3)),
              call((3, 4), index=1), call((3, 4), index=np.array([0, 0, -1])),
              call((3, 4), index=(slice(None), np.array([0, 2, 0]))),
              call((3, 4), index=(np.array([True, False, True]), slice(1, 3))),
              call((3, 4), index=(np.array([0, 2, 0]), np.array([1, 1, 1])))))
SCATTER: Primitive = define(_scatter, "zeros, with a added at i", SELECTS,
       d("g[i]", lambda g, y, a, *, shape, index: GETITEM(g, index=index)),
       name="tinygrad_nn.scatter", parameters="a shape index",
       calls=(call((3,), shape=(3, 4), index=(slice(None), 1)),
              call((3, 3), shape=(3, 4), index=(slice(None), np.array([0, 2, 0]))),
              call((3,), shape=(2, 4), index=(np.array([0, 1, 0]), np.array([1, 1, 1])))))

# fmt: on
