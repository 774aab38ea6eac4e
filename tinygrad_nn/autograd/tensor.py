"""Tensor: a value and its recipe, which behaves as a NumPy array.

A Tensor is a thin handle on a `Node`. Its operators and methods are in operators.py; how they,
and NumPy's functions, are carried out and recorded, in dispatch.py.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
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
from ..primitives import GETITEM, Deferred, private_index, private_numbers, without_scalar
from .backward import gradients, plan
from .dispatch import Recorded, as_dtype
from .graph import Leaf, Node
from .operators import ArrayLike
from .recording import state

__all__ = ["Tensor", "rebind", "substituted"]


_adding = Lock()


class Tensor(ArrayLike):
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
        ConversionError: a Tensor that requires a gradient, which the new one would not pass on.

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
        if isinstance(data, Recorded) and data._node.tracked and state.enabled:
            raise ConversionError(
                f"Tensor: expected plain data; got {data._node.described}, which requires a "
                f"gradient that a new one would not pass on; use it as it is, or .detach() it"
            )
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
            below: Any = value
            while isinstance(below, np.ndarray):  # all of them, or the view could be opened again
                below.flags.writeable = False
                below = below.base
            value = value.view()
        elif isinstance(value, Deferred):
            value.refuse(".data or .numpy()")
        return value

    @data.setter
    def data(self, new: Any) -> None:
        node = self._node
        if node.primitive is not None:
            raise AssignmentError(
                f"{node.described}: its value was computed, so assigning another would part it "
                f"from its gradient; use .detach() and assign to that"
            )
        value = _as_value(new, node.value.dtype)
        if value.shape != node.value.shape:
            raise ShapeError(
                f"{node.described}.data: expected shape {node.value.shape}; got {value.shape}"
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
        if leaf is None or not self._node.tracked:
            raise GradientError(
                f"{self._node.described}.grad: only a Tensor made with requires_grad=True "
                f"collects a gradient"
            )
        if new is None:
            leaf.grad = None
            return
        value = _as_value(new, self.dtype)
        if value.shape != self.shape:
            raise ShapeError(
                f"{self._node.described}.grad: expected shape {self.shape}; got {value.shape}"
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
                f"{node.described}.requires_grad: a computed Tensor follows its inputs; "
                f"use .detach() for a constant"
            )
        if wanted and node.value.dtype.kind != "f":
            raise DtypeError(
                f"{node.described}: a gradient needs floating-point values; got "
                f"{node.value.dtype}; write 1.0 for 1, or give dtype=float"
            )
        fresh = Node(node.value)  # graphs that hold the old node keep what they recorded
        fresh.name = node.name
        fresh.tracked = wanted
        # A frozen leaf keeps its collector: graphs that hold it may still bring a gradient.
        fresh.leaf = node.leaf or (Leaf() if wanted else None)
        self._node = fresh

    @property
    def is_leaf(self) -> bool:
        """Whether this Tensor was made, and not computed."""
        return self._node.primitive is None

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
    def itemsize(self) -> int:
        """The bytes that one element takes."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes that all elements take."""
        return self.size * self.itemsize

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
        """The value as nested lists of Python numbers, without its history."""
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
                f"backward: {node.described} does not depend on any Tensor that requires a "
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
        visit = plan([node])
        leaves = {n for n in visit if n.leaf is not None}
        arrived = gradients(visit, [(node, seed)], keep=leaves)
        with _adding:  # another thread may be adding to the same leaf
            for n, g in arrived.items():
                if n.leaf is not None:
                    n.leaf.grad = g if n.leaf.grad is None else without_scalar(n.leaf.grad + g)

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
        value = self._node.value
        if isinstance(value, Deferred):
            value.refuse(how)
        if self._node.tracked:
            raise ConversionError(
                f"{how}: {self._node.described} requires a gradient, which plain numbers cannot "
                f"carry; join Tensors with tinygrad_nn.array([...]), use NumPy's functions in "
                f"place of math's, or take the value on purpose with .numpy(), .item() or .detach()"
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
            f"{self._node.described}[...] = ...: a Tensor cannot be written into, since a graph "
            f"may need its value; build a new one with tinygrad_nn.index_update(x, index, values)"
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
        if node.tracked and state.transforms:
            raise ConversionError(
                f"copy: {node.described} is being differentiated by, and a copy would lose its "
                f"gradient; use it as it is, since no value is ever written, or .detach() it"
            )
        return _rebuilt, (node.value, node.tracked, node.name)


def rebind(tensor: Tensor, value: Array) -> None:
    """Give a leaf another value, an array that nobody else writes into.

    The old node keeps the old value, for the graphs that were recorded with it. Both share the
    leaf that collects gradients.
    """
    old = tensor._node
    node = Node(without_scalar(value))
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
    data = data._node.value if isinstance(data, Recorded) else data
    return private_numbers("Tensor", data, None if dtype is None else as_dtype(dtype))


def _as_index(index: Any) -> Any:
    """An index without Tensors in it, which nobody else can change."""
    if isinstance(index, tuple):
        return private_index(tuple(map(_plain_part, index)))
    return private_index(_plain_part(index))


def _plain_part(part: Any) -> Any:
    return part._node.value if isinstance(part, Recorded) else part


def _rebuilt(value: Array, tracked: bool, name: str | None) -> Tensor:
    return Tensor(value, requires_grad=tracked, name=name)
