"""Tensor: a value and its recipe, which behaves as a NumPy array.

A Tensor is a thin handle on a `Node`. What its operators, its methods and NumPy's functions do
with it is carried out by `Recorded`, in dispatch.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._typing import Array, Shape
from ..errors import (
    AssignmentError,
    ConversionError,
    DtypeError,
    GradientError,
    ShapeError,
)
from ..primitives import ASTYPE, GETITEM, TABLE, dot
from .backward import plan, walk
from .dispatch import Recorded
from .graph import Leaf, Node
from .recording import state

__all__ = ["Tensor", "rebind", "substituted"]


def _operator(name: str, *, reflected: bool = False) -> Callable[["Tensor", Any], "Tensor"]:
    """A binary operator, by the row of its NumPy function."""
    row = TABLE[f"numpy.{name}"]

    def operator(self: "Tensor", other: Any) -> "Tensor":
        return self._record(row, (self, other), {})

    def reflected_operator(self: "Tensor", other: Any) -> "Tensor":
        return self._record(row, (other, self), {})

    return reflected_operator if reflected else operator


def _unary(name: str) -> Callable[["Tensor"], "Tensor"]:
    row = TABLE[f"numpy.{name}"]

    def operator(self: "Tensor") -> "Tensor":
        return self._record(row, (self,), {})

    return operator


def _computed(ufunc: np.ufunc) -> Callable[["Tensor", Any], "Tensor"]:
    """An operator whose result carries no gradient: computed, never recorded."""

    def operator(self: "Tensor", other: Any) -> "Tensor":
        result: Tensor = self._compute(ufunc, (self, other), {})
        return result

    return operator


def _in_place(name: str) -> Callable[["Tensor", Any], "Tensor"]:
    """An in-place operator: it rebinds a fresh value, and never writes into a recorded array."""
    row = TABLE[f"numpy.{name}"]

    def operator(self: "Tensor", other: Any) -> "Tensor":
        node = self._node
        if state.enabled and node.leaf is not None:
            raise AssignmentError(
                f"{_called(node)}: an in-place operator would replace a value that needs its "
                f"gradient; update parameters inside `with tinygrad_nn.no_grad():`"
            )
        result = self._record(row, (self, other), {})
        if node.primitive is not None or result._node.tracked:
            return result  # not a leaf: the name is rebound, as Python does for immutable values
        self.data = result._node.value
        return self

    return operator


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """An ndarray method, from the NumPy function of the same name."""

    def method(self: "Tensor", *args: Any, **kwargs: Any) -> Any:
        return self._apply(function, (self, *args), kwargs)

    method.__name__ = function.__name__
    method.__doc__ = f"As `numpy.{function.__name__}`, of this Tensor."
    return method


class Tensor(Recorded):
    """An array that remembers how it was computed, so that gradients can be.

    Lists and ndarrays are copied, so nobody else can write into a recorded value; arrays of
    other libraries that speak NumPy's protocols are kept as they are.

    Args:
        data: a number, a nested list, or an array.
        requires_grad: whether `backward` collects a gradient here.
        dtype: convert to this dtype.
        name: what diagrams and errors call this Tensor.

    Raises:
        DtypeError: complex, object or structured data, or a gradient of integers asked for.

    Example:
        >>> from tinygrad_nn import Tensor
        >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> (x**2).sum().backward()
        >>> x.grad
        Tensor([2., 4., 6.])
    """

    __slots__ = ()

    def __init__(
        self,
        data: Any,
        requires_grad: bool = False,
        *,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        self._node = Node(_as_value(data, dtype))
        self._node.name = name
        if requires_grad:
            self.requires_grad = True

    # --- what it is ---------------------------------------------------------------------------

    @property
    def data(self) -> Array:
        """The value, read-only. Assigning an array rebinds a copy of it; no graph is disturbed."""
        value = self._node.value
        if isinstance(value, np.ndarray):
            value = value.view()
            value.flags.writeable = False
        return value

    @data.setter
    def data(self, new: Any) -> None:
        node = self._node
        if node.primitive is not None:
            raise AssignmentError(
                f"{_called(node)}: its value was computed, so assigning another would part it "
                f"from its gradient; use .detach() and assign to that"
            )
        value = _as_value(new, node.value.dtype)
        if value.shape != node.value.shape:
            raise ShapeError(
                f"{_called(node)}.data: expected shape {node.value.shape}; got {value.shape}"
            )
        rebind(self, value)

    @property
    def grad(self) -> "Tensor | None":
        """The gradient collected by `backward`, or None where none has arrived."""
        leaf = self._node.leaf
        return None if leaf is None or leaf.grad is None else Tensor._of(Node(leaf.grad))

    @grad.setter
    def grad(self, new: Any) -> None:
        leaf = self._node.leaf
        if leaf is None:
            raise GradientError(
                f"{_called(self._node)}.grad: only a Tensor made with requires_grad=True "
                f"collects a gradient"
            )
        if new is None:
            leaf.grad = None
            return
        value = _as_value(new, self.dtype)
        if value.shape != self.shape:
            raise ShapeError(
                f"{_called(self._node)}.grad: expected shape {self.shape}; got {value.shape}"
            )
        leaf.grad = value

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient can flow to this Tensor or through it."""
        return self._node.tracked

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        node = self._node
        if node.primitive is not None:
            raise GradientError(
                f"{_called(node)}.requires_grad: a computed Tensor follows its inputs; "
                f"use .detach() for a constant"
            )
        if wanted and node.value.dtype.kind != "f":
            raise DtypeError(
                f"{_called(node)}: a gradient needs floating-point values; got "
                f"{node.value.dtype}; write 1.0 for 1, or give dtype=float"
            )
        fresh = Node(node.value)  # graphs that hold the old node keep what they recorded
        fresh.name = node.name
        fresh.tracked = wanted
        fresh.leaf = (node.leaf or Leaf()) if wanted else None
        self._node = fresh

    @property
    def name(self) -> str | None:
        """What diagrams and errors call this Tensor."""
        return self._node.name

    @name.setter
    def name(self, name: str | None) -> None:
        self._node.name = name

    @property
    def shape(self) -> Shape:
        """The length of each axis."""
        return self._node.value.shape

    @property
    def dtype(self) -> Any:
        """The dtype of the elements."""
        return self._node.value.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._node.value.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._node.value.size

    @property
    def T(self) -> "Tensor":  # noqa: N802  NumPy's own name
        """The transpose: all axes in reverse order."""
        return self._apply(np.transpose, (self,), {})

    def numpy(self) -> Array:
        """The value as a read-only NumPy array, without its history."""
        return self.data

    def item(self) -> Any:
        """The one element, as a Python number.

        Raises:
            ShapeError: there is more than one element, or none.
        """
        if self.size != 1:
            raise ShapeError(f"item: expected one element; got shape {self.shape}")
        return self._node.value.item()

    def tolist(self) -> Any:
        """The value as nested lists of Python numbers."""
        return self._node.value.tolist()

    def detach(self) -> "Tensor":
        """The same value as a constant: no gradient, no history."""
        node = Node(self._node.value)
        node.name = self._node.name
        return Tensor._of(node)

    # --- gradients ----------------------------------------------------------------------------

    def backward(self, gradient: Any = None) -> None:
        """Send a gradient back through the recording, and add it to ``.grad`` of every leaf.

        By the chain rule, each leaf x receives Σ g·∂y/∂x over the paths from it to this y. A
        second call adds the same gradient again. The recording stays, for diagrams and replays.

        Args:
            gradient: g, the cotangent of this Tensor, of its shape. A scalar needs none: it is 1.

        Raises:
            GradientError: nothing here requires a gradient, or a non-scalar got no cotangent.
            ShapeError: the cotangent has another shape.
        """
        node = self._node
        if not node.tracked:
            raise GradientError(
                f"backward: {_called(node)} does not depend on any Tensor that requires a "
                f"gradient; make one with Tensor(..., requires_grad=True), outside no_grad()"
            )
        if gradient is None and self.size != 1:
            raise GradientError(
                f"backward: only a scalar can start without a gradient; got shape {self.shape}; "
                f"reduce it with .sum() or .mean(), or pass gradient= of that shape"
            )
        seed = np.ones_like(node.value) if gradient is None else _as_value(gradient, self.dtype)
        if seed.shape != self.shape:
            raise ShapeError(
                f"backward: expected gradient= of shape {self.shape}; got {seed.shape}"
            )
        node.seed = seed
        # Collect first and store after: if a derivative raises, no gradient is half added.
        arrived = [(n.leaf, g) for n, g in walk(plan([node]), [(node, seed)]) if n.leaf is not None]
        for leaf, g in arrived:
            leaf.grad = g if leaf.grad is None else leaf.grad + g

    # --- as a number, a sequence, an ndarray --------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        self._refuse_to_convert("numpy.asarray")
        return np.array(self.data, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        self._refuse_to_convert("float")
        return float(self.item())

    def __int__(self) -> int:
        self._refuse_to_convert("int")
        return int(self.item())

    def __index__(self) -> int:
        return self._node.value.__index__()

    def __bool__(self) -> bool:
        return bool(self._node.value)

    def _refuse_to_convert(self, how: str) -> None:
        if self._node.tracked:
            raise ConversionError(
                f"{how}: {_called(self._node)} requires a gradient, which plain numbers cannot "
                f"carry; take its value with .numpy(), .item() or .detach() on purpose, or join "
                f"Tensors with np.stack([...])"
            )

    def __len__(self) -> int:
        return len(self._node.value)

    def __iter__(self) -> Iterator["Tensor"]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(self._node.value == value))

    def __getitem__(self, index: Any) -> "Tensor":
        return self._record(GETITEM, (self,), {"index": _as_index(index)})

    def __setitem__(self, index: Any, value: Any) -> None:
        raise AssignmentError(
            f"{_called(self._node)}[...] = ...: a Tensor cannot be written into, since a graph may "
            f"need its value; build a new one with np.where(mask, value, x) or np.concatenate"
        )

    def __repr__(self) -> str:
        value = self._node.value
        if isinstance(value, np.ndarray):
            parts = [np.array2string(value, separator=", ", prefix="Tensor(")]
            if value.dtype not in (np.float64, np.int64, np.bool_):
                parts.append(f"dtype={value.dtype}")
        else:
            parts = [repr(value)]
        if self.requires_grad:
            parts.append("requires_grad=True")
        if self.name is not None:
            parts.append(f"name={self.name!r}")
        return f"Tensor({', '.join(parts)})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __reduce__(self) -> Any:
        # Copies and pickles keep the value and the flags, and leave the graph behind.
        node = self._node
        return _rebuilt, (node.value, node.tracked, node.name)

    # --- operators ----------------------------------------------------------------------------

    __hash__ = object.__hash__  # by identity: == compares elements

    __add__, __radd__ = _operator("add"), _operator("add", reflected=True)
    __sub__, __rsub__ = _operator("subtract"), _operator("subtract", reflected=True)
    __mul__, __rmul__ = _operator("multiply"), _operator("multiply", reflected=True)
    __truediv__, __rtruediv__ = _operator("divide"), _operator("divide", reflected=True)
    __floordiv__ = _operator("floor_divide")
    __rfloordiv__ = _operator("floor_divide", reflected=True)
    __mod__, __rmod__ = _operator("remainder"), _operator("remainder", reflected=True)
    __pow__, __rpow__ = _operator("power"), _operator("power", reflected=True)
    __matmul__, __rmatmul__ = _operator("matmul"), _operator("matmul", reflected=True)
    __neg__, __pos__, __abs__ = _unary("negative"), _unary("positive"), _unary("absolute")

    __iadd__, __isub__ = _in_place("add"), _in_place("subtract")
    __imul__, __itruediv__ = _in_place("multiply"), _in_place("divide")
    __ipow__, __imatmul__ = _in_place("power"), _in_place("matmul")

    __eq__ = _computed(np.equal)  # type: ignore[assignment]  # elementwise, as for ndarrays
    __ne__ = _computed(np.not_equal)  # type: ignore[assignment]  # elementwise, as for ndarrays
    __lt__, __le__ = _computed(np.less), _computed(np.less_equal)
    __gt__, __ge__ = _computed(np.greater), _computed(np.greater_equal)
    __and__, __rand__ = _computed(np.bitwise_and), _computed(np.bitwise_and)
    __or__, __ror__ = _computed(np.bitwise_or), _computed(np.bitwise_or)
    __xor__, __rxor__ = _computed(np.bitwise_xor), _computed(np.bitwise_xor)

    def __invert__(self) -> "Tensor":
        return self._compute(np.invert, (self,), {})

    # --- ndarray's methods --------------------------------------------------------------------

    def reshape(self, *shape: Any, order: str = "C") -> "Tensor":
        """The same elements in another shape, as `numpy.reshape`."""
        wanted = shape[0] if len(shape) == 1 else shape
        return self._apply(np.reshape, (self, wanted), {"order": order})

    def transpose(self, *axes: Any) -> "Tensor":
        """The axes in another order, all reversed by default, as `numpy.transpose`."""
        wanted = axes[0] if len(axes) == 1 else axes or None
        return self._apply(np.transpose, (self, wanted), {})

    def astype(self, dtype: Any) -> "Tensor":
        """The elements in another dtype. A gradient comes back in the dtype of the input."""
        return self._record(ASTYPE, (self,), {"dtype": np.dtype(dtype)})

    def dot(self, other: Any) -> "Tensor":
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
    any, all, nonzero = _method(np.any), _method(np.all), _method(np.nonzero)
    prod, cumsum, cumprod = _method(np.prod), _method(np.cumsum), _method(np.cumprod)
    repeat, take = _method(np.repeat), _method(np.take)
    trace, diagonal = _method(np.trace), _method(np.diagonal)


def rebind(tensor: Tensor, value: Array) -> None:
    """Give a leaf another value, an array that nobody else writes into.

    The old node keeps the old value, for the graphs that were recorded with it. Both share the
    leaf that collects gradients.
    """
    old = tensor._node
    node = Node(value)
    node.name, node.leaf, node.tracked = old.name, old.leaf, old.tracked
    tensor._node = node


@contextmanager
def substituted(tensors: Sequence[Tensor], others: Sequence[Tensor]) -> Iterator[None]:
    """Within a block, let each Tensor be another: its value, its dtype and its history.

    A Tensor is only a handle on a node, so the node changes and everything that holds the handle
    (a layer, say) computes with the other one. Afterwards all is as it was.
    """
    before = [tensor._node for tensor in tensors]
    try:
        for tensor, other in zip(tensors, others, strict=True):
            tensor._node = other._node
        yield
    finally:
        for tensor, node in zip(tensors, before, strict=True):
            tensor._node = node


def _as_value(data: Any, dtype: Any = None) -> Array:
    """A private array of the data, or another library's array as it is."""
    if isinstance(data, Recorded):
        data = data._node.value
    elif hasattr(data, "__array_function__") and not isinstance(data, np.ndarray):
        return data if dtype is None else data.astype(dtype)
    if isinstance(data, np.ma.MaskedArray):
        raise DtypeError("Tensor: masked arrays would lose their mask; fill it first")
    try:
        value = np.array(data, dtype=dtype)
    except ValueError as error:
        raise ShapeError(f"Tensor: expected a rectangular array of numbers; {error}") from error
    if value.dtype.kind not in "fiub":
        raise DtypeError(
            f"Tensor: expected real numbers or booleans; got dtype {value.dtype}"
            + ("; split complex numbers into .real and .imag" if value.dtype.kind == "c" else "")
        )
    return value


def _as_index(index: Any) -> Any:
    """An index with plain, private arrays in it: what was selected must not change afterwards."""
    if isinstance(index, tuple):
        return tuple(map(_as_index, index))
    if isinstance(index, Recorded):
        index = index._node.value
    if isinstance(index, (list, np.ndarray)):
        index = np.array(index, dtype=None if len(index) else np.intp)
    return index


def _rebuilt(value: Array, tracked: bool, name: str | None) -> Tensor:
    return Tensor(value, requires_grad=tracked, name=name)


def _called(node: Node) -> str:
    """How an error speaks of a Tensor."""
    name = f" {node.name!r}" if node.name else ""
    return f"Tensor{name} of shape {node.value.shape}"
