"""Data, as users give it, turned into arrays that the rows can compute with."""

from typing import Any

import numpy as np

from .._typing import Array
from ..errors import DtypeError, ShapeError

__all__ = ["as_array", "as_numbers", "as_real", "without_scalar"]


def as_array(value: Array) -> Array:
    """Turn lists and Python numbers into ndarrays; leave every array, of any library, alone."""
    # Columns of data frames have ufuncs but no functions: they join by label, so they are turned.
    return value if hasattr(value, "__array_function__") else np.asarray(value)


def without_scalar(value: Array) -> Array:
    """A 0-d array in place of the NumPy scalar that a reduction or 0-d arithmetic returns."""
    return np.asarray(value) if isinstance(value, np.generic) else value


def as_numbers(where: str, data: Any) -> Array:
    """Data as an array of real numbers or booleans, whatever their dtype.

    Raises:
        ShapeError: rows of different lengths.
        DtypeError: text, complex numbers, objects.
    """
    try:
        array = as_array(data)
    except ValueError as error:
        raise ShapeError(
            f"{where}: expected a rectangular array; got rows of different lengths; pad them"
        ) from error
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            f"{where}: expected real numbers; got dtype {array.dtype}; convert them first"
        )
    return array


def as_real(where: str, data: Any) -> Array:
    """The same as floating-point numbers: integers would wrap around, or be truncated."""
    array = as_numbers(where, data)
    return array if array.dtype.kind == "f" else array.astype(np.float64)
