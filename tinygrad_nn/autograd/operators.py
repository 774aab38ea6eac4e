"""The face that a Tensor shares with ndarrays: operators and methods.

Each is one line here, because each is a row of the table, or a NumPy function, called on self.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import AssignmentError, DtypeError
from ..primitives import ASTYPE, TABLE, dot
from .dispatch import Recorded, as_dtype
from .recording import state

__all__ = ["ArrayLike"]


_POWER = TABLE["numpy.power"]
_SPECIAL_POWERS = {
    2: TABLE["numpy.square"],
    0.5: TABLE["numpy.sqrt"],
    -1: TABLE["numpy.reciprocal"],
}


def _operator(name: str, *, reflected: bool = False) -> Callable[[Any, Any], Any]:
    """A binary operator, by the row of its NumPy function."""
    row = TABLE[f"numpy.{name}"]

    def operator(self: Any, other: Any) -> Any:
        return self._record(row, (self, other))

    def reflected_operator(self: Any, other: Any) -> Any:
        return self._record(row, (other, self))

    return reflected_operator if reflected else operator


def _unary(name: str) -> Callable[[Any], Any]:
    row = TABLE[f"numpy.{name}"]

    def operator(self: Any) -> Any:
        return self._record(row, (self,))

    return operator


def _computed(ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    """An operator whose result carries no gradient: computed, never recorded."""

    def operator(self: Any, other: Any) -> Any:
        return self._compute(ufunc, (self, other), {})

    return operator


def _in_place(name: str) -> Callable[[Any, Any], Any]:
    """An in-place operator: it rebinds a fresh value, and never writes into a recorded array."""
    row = TABLE[f"numpy.{name}"]

    def operator(self: Any, other: Any) -> Any:
        node = self._node
        if state.enabled and node.leaf is not None and node.tracked:
            raise AssignmentError(
                f"{node.described}: an in-place operator would replace a value that needs its "
                f"gradient; update parameters inside `with tinygrad_nn.no_grad():`"
            )
        result = self._record(row, (self, other))
        if node.primitive is not None or result._node.tracked:
            return result  # not a leaf: the name is rebound, as Python does for immutable values
        self.data = result._node.value
        return self

    return operator


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """An ndarray method, from the NumPy function of the same name."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self._apply(function, (self, *args), kwargs)

    method.__name__ = function.__name__
    method.__doc__ = f"As `numpy.{function.__name__}`, of this Tensor."
    return method


def _writing(name: str, instead: str) -> Callable[..., Any]:
    """An ndarray method that works in place, which a recorded value cannot allow."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        raise AssignmentError(
            f"{self._node.described}.{name}(): expected to make a new array; got a method that "
            f"writes in place, into a value that a graph may need; use {instead}"
        )

    method.__name__ = name
    method.__doc__ = f"Refused: use {instead}."
    return method


class ArrayLike(Recorded):
    """What a Tensor can do as an ndarray: operators, and methods named as NumPy's functions."""

    __slots__ = ()

    __hash__ = object.__hash__  # by identity: == compares elements

    __add__, __radd__ = _operator("add"), _operator("add", reflected=True)
    __sub__, __rsub__ = _operator("subtract"), _operator("subtract", reflected=True)
    __mul__, __rmul__ = _operator("multiply"), _operator("multiply", reflected=True)
    __truediv__, __rtruediv__ = _operator("divide"), _operator("divide", reflected=True)
    __floordiv__ = _operator("floor_divide")
    __rfloordiv__ = _operator("floor_divide", reflected=True)
    __mod__, __rmod__ = _operator("remainder"), _operator("remainder", reflected=True)
    __rpow__ = _operator("power", reflected=True)
    __matmul__, __rmatmul__ = _operator("matmul"), _operator("matmul", reflected=True)
    __neg__, __pos__, __abs__ = _unary("negative"), _unary("positive"), _unary("absolute")

    __iadd__, __isub__ = _in_place("add"), _in_place("subtract")
    __imul__, __itruediv__ = _in_place("multiply"), _in_place("divide")
    __ifloordiv__, __imod__ = _in_place("floor_divide"), _in_place("remainder")
    __ipow__, __imatmul__ = _in_place("power"), _in_place("matmul")

    __eq__ = _computed(np.equal)
    __ne__ = _computed(np.not_equal)
    __lt__, __le__ = _computed(np.less), _computed(np.less_equal)
    __gt__, __ge__ = _computed(np.greater), _computed(np.greater_equal)
    __and__, __rand__ = _computed(np.bitwise_and), _computed(np.bitwise_and)
    __or__, __ror__ = _computed(np.bitwise_or), _computed(np.bitwise_or)
    __xor__, __rxor__ = _computed(np.bitwise_xor), _computed(np.bitwise_xor)
    __lshift__, __rshift__ = _computed(np.left_shift), _computed(np.right_shift)

    def __pow__(self, exponent: Any, modulus: Any = None) -> Any:
        if modulus is not None:
            return NotImplemented  # as ndarray: there is no power in modular arithmetic
        # As ndarray's own operator: the common powers are functions that are exact, and fast.
        row = _POWER
        if type(exponent) in (int, float) and self._node.value.dtype.kind == "f":
            row = _SPECIAL_POWERS.get(exponent, _POWER)
        return self._record(row, (self, exponent) if row is _POWER else (self,))

    def __invert__(self) -> Any:
        return self._compute(np.invert, (self,), {})

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __round__(self, decimals: int | None = None) -> Any:
        return self._apply(np.round, (self, decimals or 0), {})

    @property
    def T(self) -> Any:  # noqa: N802  NumPy's own name
        """The transpose: all axes in reverse order."""
        return self._apply(np.transpose, (self,), {})

    @property
    def mT(self) -> Any:  # noqa: N802  NumPy's own name
        """The transpose of each matrix: the last two axes exchanged."""
        return self._apply(np.matrix_transpose, (self,), {})

    @property
    def real(self) -> Any:
        """The real part: this Tensor itself, since there are no complex ones."""
        return self

    @property
    def imag(self) -> Any:
        """The imaginary part: zeros."""
        return self._apply(np.imag, (self,), {})

    # --- ndarray's methods --------------------------------------------------------------------

    def reshape(self, *shape: Any, order: str = "C") -> Any:
        """The same elements in another shape, as `numpy.reshape`."""
        wanted = shape[0] if len(shape) == 1 else shape
        return self._apply(np.reshape, (self, wanted), {"order": order})

    def transpose(self, *axes: Any) -> Any:
        """The axes in another order, all reversed by default, as `numpy.transpose`."""
        wanted = axes[0] if len(axes) == 1 else axes or None
        return self._apply(np.transpose, (self, wanted), {})

    def astype(
        self,
        dtype: Any,
        order: str = "K",
        casting: Any = "unsafe",
        subok: bool = True,
        copy: bool = True,
    ) -> Any:
        """The elements in another dtype. A gradient comes back in the dtype of the input."""
        dtype = as_dtype(dtype)
        if not np.can_cast(self._node.value.dtype, dtype, casting):
            raise DtypeError(
                f"astype: expected casting={casting!r} to allow {self._node.value.dtype} to "
                f"{dtype}; use casting='unsafe'"
            )
        return self._record(ASTYPE, (self,), {"dtype": dtype})

    def dot(self, other: Any) -> Any:
        """The dot product, as `numpy.dot`."""
        return dot(self, other)

    sum, mean = _method(np.sum), _method(np.mean)
    max, min = _method(np.max), _method(np.min)
    var, std = _method(np.var), _method(np.std)
    squeeze, swapaxes = _method(np.squeeze), _method(np.swapaxes)
    ravel = flatten = _method(np.ravel)
    exp, log, sqrt, tanh = _method(np.exp), _method(np.log), _method(np.sqrt), _method(np.tanh)
    clip, round, copy = _method(np.clip), _method(np.round), _method(np.copy)
    argmax, argmin, argsort = _method(np.argmax), _method(np.argmin), _method(np.argsort)
    argpartition, searchsorted = _method(np.argpartition), _method(np.searchsorted)
    any, all, nonzero = _method(np.any), _method(np.all), _method(np.nonzero)
    prod, cumsum, cumprod = _method(np.prod), _method(np.cumsum), _method(np.cumprod)
    repeat, take, choose = _method(np.repeat), _method(np.take), _method(np.choose)
    trace, diagonal = _method(np.trace), _method(np.diagonal)
    conj = conjugate = _method(np.conjugate)

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """The elements, or slices along an axis, where a condition holds, as `numpy.compress`."""
        return self._apply(np.compress, (condition, self, axis), {})

    sort = _writing("sort", "np.sort(x)")
    partition = _writing("partition", "np.partition(x, kth)")
    resize = _writing("resize", "np.resize(x, shape) or x.reshape(shape)")
    fill = _writing("fill", "np.full_like(x, value)")
    put = _writing("put", "tinygrad_nn.index_update(x, index, values)")
