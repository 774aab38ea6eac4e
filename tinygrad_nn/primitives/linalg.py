"""Rows of linear algebra: products and norms."""

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .._typing import Array, Axis
from .table import Trait, as_array, call, d, define, rewrite

__all__ = ["dot"]


def _matmul_left(g: Array, y: Array, a: Array, b: Array) -> Array:
    if b.ndim == 1:  # (..., n) -> (..., n, 1) · (1, k): y lost the column that b stands for
        grown = np.expand_dims(g, -1) * b
        return grown
    if a.ndim == 1:  # the row that a stands for comes back, and leaves again
        row = np.matmul(np.expand_dims(g, -2), np.swapaxes(b, -1, -2))  # (..., 1, k)
        return np.squeeze(row, axis=-2)
    return np.matmul(g, np.swapaxes(b, -1, -2))


def _matmul_right(g: Array, y: Array, a: Array, b: Array) -> Array:
    if a.ndim == 1 and b.ndim == 1:
        return g * a
    if a.ndim == 1:  # (k, 1) · (..., 1, n)
        return np.expand_dims(a, -1) * np.expand_dims(g, -2)
    if b.ndim == 1:  # (..., k, m) · (..., m, 1)
        column = np.matmul(np.swapaxes(a, -1, -2), np.expand_dims(g, -1))
        return np.squeeze(column, axis=-1)
    return np.matmul(np.swapaxes(a, -1, -2), g)


def _norm(g: Array, y: Array, x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    if axis is not None and not keepdims:
        g, y = np.expand_dims(g, axis), np.expand_dims(y, axis)  # (...) -> (..., 1)
    # A norm has a kink at the zero vector; the row takes the subgradient 0 there.
    return np.where(y == 0, 0, g) / np.where(y == 0, 1, y) * x


# A row is a line of mathematics: see elementwise.py.
# fmt: off

define(np.matmul, "a b", Trait.ANALYTIC,
       d("g bᵀ", _matmul_left),
       d("aᵀ g", _matmul_right),
       calls=(call((2, 3), (3, 4)), call((3,), (3,)), call((3,), (3, 4)), call((2, 3), (3,)),
              call((3,), (2, 3, 4)), call((2, 2, 3), (3,)), call((5, 1, 2, 3), (4, 3, 2)),
              call((2, 3), (5, 3, 2)), call((5, 2, 3), (3, 2)), call((2, 2, 3), (2, 3, 2))))
define(np.linalg.norm, "‖x‖ = √Σx²", Trait.NONE,
       d("g·x / y, 0 where y = 0", _norm),
       name="numpy.linalg.norm", parameters="x ord axis keepdims",
       calls=(call((3, 4)), call((4,)), call((3, 4), axis=-1), call((3, 4), axis=(0, 1)),
              call((3, 4), axis=0, keepdims=True)))

# fmt: on


@rewrite("numpy.dot")
def dot(a: Array, b: Array) -> Array:
    """The dot product, computed without np.dot itself: nnfs replaces that function."""
    a, b = as_array(a), as_array(b)
    if a.ndim == 0 or b.ndim == 0:
        return np.multiply(a, b)
    if b.ndim <= 2:
        return np.matmul(a, b)
    k = b.shape[-2]
    columns = np.reshape(np.moveaxis(b, -2, 0), (k, -1))  # (..., k, n) -> (k, ... n)
    return np.reshape(np.matmul(a, columns), a.shape[:-1] + b.shape[:-2] + b.shape[-1:])


@rewrite("numpy.moveaxis")
def _moveaxis(a: Array, source: Any, destination: Any) -> Array:
    sources = normalize_axis_tuple(source, a.ndim, "source")
    destinations = normalize_axis_tuple(destination, a.ndim, "destination")
    order = [axis for axis in range(a.ndim) if axis not in sources]
    for to, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(to, axis)
    return np.transpose(a, order)
