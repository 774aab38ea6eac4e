"""Putting arrays together, and replacing parts of them, where NumPy would write in place.

``np.array([[t, 1.0]])`` cannot see that t is a Tensor, and ``x[i] = v`` would change a value that a
graph may need. These functions return new arrays, through which gradients flow.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._typing import Array
from ..errors import OutOfBoundsError, ShapeError, TinygradNNError
from .arrays import as_array, as_numbers, refuse_masked
from .indexing import along_axis, increased, updated

__all__ = ["array", "index_add", "index_update", "put_along_axis", "stack"]


def array(data: Any, dtype: Any = None) -> Array:
    """Make one array of nested lists or tuples of numbers, arrays and Tensors, as ``np.array``.

    Args:
        data: numbers, arrays and Tensors, nested in lists and tuples; all of one shape at a level.
        dtype: convert to this dtype.

    Raises:
        ShapeError: the parts have different shapes.

    Example:
        >>> import tinygrad_nn as tnn
        >>> x = tnn.Tensor(2.0, requires_grad=True)
        >>> tnn.array([[x, 1.0], [0.0, x * x]])
        Tensor([[2., 1.],
               [0., 4.]], requires_grad=True)
    """
    refuse_masked("array", data)
    if isinstance(data, (list, tuple)) and data:
        whole = stack([array(part) for part in data])
    else:
        whole = as_numbers("array", data)
        whole = whole.copy() if isinstance(whole, np.ndarray) else whole
    return whole if dtype is None else whole.astype(dtype)


def stack(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Join arrays of one shape along a new axis, as ``np.stack``.

    Raises:
        ShapeError: there are none, or their shapes differ.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.stack([np.array([1.0, 2.0]), tnn.Tensor([3.0, 4.0])])
        Tensor([[1., 2.],
               [3., 4.]])
    """
    arrays = list(arrays)
    refuse_masked("stack", arrays)
    parts = [as_numbers("stack", part) for part in arrays]
    shapes = {part.shape for part in parts}
    if len(shapes) != 1:
        raise ShapeError(
            f"stack: expected arrays of one shape; got "
            f"{', '.join(map(str, sorted(shapes))) or 'none'}; broadcast or pad them first"
        )
    return np.stack(parts, axis=axis)


def index_update(x: Array, index: Any, values: Array) -> Array:
    """The array that x would be after ``x[index] = values``, as a new one.

    Gradients flow to x where it was kept, and to the values that were taken; where an index occurs
    twice, the last value counts.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.index_update(np.array([1.0, 2.0, 3.0]), slice(0, 2), 9.0)
        array([9., 9., 3.])
    """
    with _told("index_update"):
        return updated(as_array(x), index, values)


def put_along_axis(x: Array, indices: Array, values: Array, axis: int | None) -> Array:
    """The array that x would be after ``np.put_along_axis(x, indices, values, axis)``.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.put_along_axis(np.zeros((2, 2)), np.array([[0], [1]]), 5.0, axis=1)
        array([[5., 0.],
               [0., 5.]])
    """
    x = as_array(x)
    with _told("put_along_axis"):
        if axis is None:
            flat = put_along_axis(np.reshape(x, (-1,)), indices, values, 0)
            return np.reshape(flat, x.shape)
        return updated(x, along_axis(x.shape, as_array(indices), axis), values)


def index_add(x: Array, index: Any, values: Array) -> Array:
    """The array that x would be after ``np.add.at(x, index, values)``: repeated indices add up.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.index_add(np.array([1.0, 2.0]), [0, 0], np.array([10.0, 20.0]))
        array([31.,  2.])
    """
    with _told("index_add"):
        return increased(as_array(x), index, values)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """NumPy's errors again, as those of this package."""
    try:
        yield
    except TinygradNNError:
        raise
    except ValueError as error:  # an axis that does not exist is one too
        raise ShapeError(f"{where}: expected values of the indexed shape; {error}") from error
    except IndexError as error:
        raise OutOfBoundsError(f"{where}: expected an index into the array; {error}") from error
