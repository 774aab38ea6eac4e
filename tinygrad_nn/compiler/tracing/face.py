"""The face that a traced array shares with ndarrays: attributes, operators and methods."""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..._typing import Shape
from ...primitives import dot
from ..operations import astype, copy
from ..program import Value

__all__ = ["ArrayFace"]

# ndarray's operator ** takes these exponents by functions of their own; so does the program.
_POWERS = {2: np.square, 0.5: np.sqrt, -1: np.reciprocal, 1: np.positive}


class ArrayFace(NDArrayOperatorsMixin):
    """What looks like an ndarray: each method is a function of NumPy's, called on self."""

    __slots__ = ()

    tape: Any  # the trace that calls are handed to
    value: Value
    refuse: Callable[[str], NoReturn]  # raises, since there is no value to be looked at

    # --- what is known of it ------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """The length of each axis."""
        return self.value.shape

    @property
    def dtype(self) -> Any:
        """The dtype of the elements."""
        return self.value.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.value.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.value.size

    @property
    def itemsize(self) -> int:
        """The bytes that one element takes."""
        return int(self.value.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """The bytes that all elements take."""
        return self.value.nbytes

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    # --- operators and methods -----------------------------------------------------------------

    def __pow__(self, exponent: Any) -> Any:
        if type(exponent) in (int, float) and self.dtype.kind == "f" and exponent in _POWERS:
            return _POWERS[exponent](self)
        if type(exponent) is int and exponent == 2:
            return np.square(self)
        return np.power(self, exponent)

    @property
    def T(self) -> Any:  # noqa: N802  NumPy's own name
        """The transpose: all axes in reverse order."""
        return np.transpose(self)

    @property
    def mT(self) -> Any:  # noqa: N802  NumPy's own name
        """The transpose of each matrix."""
        return np.matrix_transpose(self)

    @property
    def real(self) -> Any:
        """The real part: all of it, where there is no other."""
        return self.tape.call(np.real, (self,), {}) if self.dtype.kind == "c" else self

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return self.tape.call(np.imag, (self,), {})

    @property
    def flat(self) -> Any:
        """The elements in a row."""
        return np.ravel(self)

    def reshape(self, *shape: Any, order: Any = "C") -> Any:
        """The same elements in another shape, as `numpy.reshape`."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order)

    def transpose(self, *axes: Any) -> Any:
        """The axes in another order, as `numpy.transpose`."""
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def astype(self, dtype: Any, **options: Any) -> Any:
        """The elements in another dtype."""
        return self.tape.call(astype, (self, np.dtype(dtype)), {})

    def copy(self, order: str = "C") -> Any:
        """The same elements in an array of their own."""
        return self.tape.call(copy, (self,), {})

    def flatten(self, order: Any = "C") -> Any:
        """The elements in a row, in an array of their own."""
        return np.ravel(self, order).copy()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"an array has no attribute {name!r}")
        self.refuse(f".{name}")

    def dot(self, other: Any) -> Any:
        """The product, as `numpy.dot`."""
        return dot(self, other)


def _method(name: str) -> Callable[..., Any]:
    function = getattr(np, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    method.__name__, method.__doc__ = name, f"As `numpy.{name}`, of this array."
    return method


_METHODS = """all any argmax argmin argpartition argsort choose clip compress conj conjugate cumprod
    cumsum diagonal max mean min nonzero prod ravel repeat round searchsorted squeeze std sum
    swapaxes take trace var"""
for _name in _METHODS.split():
    setattr(ArrayFace, _name, _method(_name))
