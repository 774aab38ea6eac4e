"""Data, as users give it, turned into arrays that the rows can compute with."""

from typing import Any

import numpy as np

from .._typing import Array
from ..errors import DtypeError, ShapeError
from .deferred import Deferred

__all__ = ["as_array", "as_numbers", "as_operand", "as_real", "without_scalar"]


def as_array(value: Array, dtype: Any = None) -> Array:
    """Turn lists and Python numbers into ndarrays; leave every array, of any library, alone.

    With a dtype, only an array of another one is converted.
    """
    # Columns of data frames have ufuncs but no functions: they join by label, so they are turned.
    array = value if hasattr(value, "__array_function__") else np.asarray(value)
    return array if dtype is None or array.dtype == dtype else array.astype(dtype)


def as_operand(value: Array) -> Array:
    """The same, but a Python number stays one: it takes on the dtype of what it meets."""
    return value if type(value) in (int, float) else as_array(value)


def without_scalar(value: Array) -> Array:
    """A 0-d array in place of the NumPy scalar that a reduction or 0-d arithmetic returns."""
    return np.asarray(value) if isinstance(value, np.generic) else value


def refuse_masked(where: str, data: Any) -> None:
    """Refuse masked arrays, alone or in a list: they would lose their mask without a word.

    Raises:
        DtypeError: there is one.
    """
    several = data if isinstance(data, (list, tuple)) else (data,)
    if any(isinstance(item, np.ma.MaskedArray) for item in several):
        raise DtypeError(f"{where}: expected plain values; got a masked array; fill it first")


def private_numbers(where: str, data: Any, dtype: Any = None) -> Array:
    """A private array of real numbers, or another library's array as it is.

    Raises:
        ShapeError: rows of different lengths.
        DtypeError: text, complex numbers, objects, masks: also where a dtype would convert them.
    """
    if isinstance(data, Deferred):
        data = data.private()
    if hasattr(data, "__array_function__") and not isinstance(data, np.ndarray):
        return data if dtype is None or data.dtype == dtype else data.astype(dtype)
    refuse_masked(where, data)
    try:
        value = np.array(data)
    except ValueError as error:
        raise ShapeError(f"{where}: expected a rectangular array of numbers; {error}") from error
    if value.dtype.kind not in "fiub":
        raise DtypeError(
            f"{where}: expected real numbers or booleans; got dtype {value.dtype}"
            + ("; split complex numbers into .real and .imag" if value.dtype.kind == "c" else "")
        )
    wanted = value.dtype.newbyteorder("=") if dtype is None else dtype
    return value if value.dtype == wanted else value.astype(wanted)


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
    if hasattr(data, "__array_function__") and data.dtype.kind == "f":
        return data
    array = as_numbers(where, data)
    return array if array.dtype.kind == "f" else array.astype(np.float64)
