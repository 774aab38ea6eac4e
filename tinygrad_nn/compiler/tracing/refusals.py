"""Calls that a trace refuses, since what they give, or what they change, follows from values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...autograd import Tensor
from ...primitives import Deferred
from .trees import traced_in

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["DESCRIBING", "refuse_call", "refuse_index", "remedy_for"]

# What describes an array without its values may be asked of a traced one as it is.
DESCRIBING = {np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj,
               np.isrealobj, np.common_type, np.min_scalar_type}  # fmt: skip
# The shape of what these return depends on values, which the next batch may not share.
_SHAPED_BY_VALUES = {np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.unique_values,
                     np.unique_all, np.unique_counts, np.unique_inverse, np.extract, np.compress,
                     np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d, np.trim_zeros,
                     np.delete, np.bincount}  # fmt: skip
# Which arguments say how large the result is.
_SECOND, _THIRD = slice(1, 2), slice(2, 3)
_COUNTING: dict[Any, slice] = {
    np.reshape: _SECOND, np.repeat: _SECOND, np.tile: _SECOND, np.broadcast_to: _SECOND,
    np.pad: _SECOND, np.resize: _SECOND, np.split: _SECOND, np.array_split: _SECOND,
    np.hsplit: _SECOND, np.vsplit: _SECOND, np.dsplit: _SECOND, np.linspace: _THIRD,
    np.geomspace: _THIRD, np.logspace: _THIRD,
}  # fmt: skip
_COUNTS = ("shape", "newshape", "repeats", "reps", "pad_width", "new_shape", "num",
           "indices_or_sections")  # fmt: skip
_WRITING_IN_PLACE = {np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis}


_REMEDIES = {
    ".data": "use .detach() for a value without its gradient, and `w.data = ...`, or `w -= ...` "
    "inside no_grad(), to write one",
    ".item": "return the Tensor, and call .item() on what the step returns",
    "numpy.asarray": "pass arrays in place of lists, join traced ones by np.stack, and leave "
    "functions that compute with plain numbers, such as metrics, to what the step returns",
    "float": "return the Tensor, and write x ** 0.5 or np.sqrt(x) in place of math.sqrt(x)",
    "the learning_rate": "compute it from Python numbers, by + - * / and **, or outside",
    "the digits": "return the Tensor, and print what the step returns",
}
_REMEDY = (
    "use np.where for a choice between values, return what is to be looked at, or declare an "
    "argument static= if the step may be compiled anew for each of its values"
)


def remedy_for(what: str) -> str:
    """What to do instead of looking at a value in this way."""
    return next((remedy for how, remedy in _REMEDIES.items() if what.startswith(how)), _REMEDY)


def refuse_call(
    trace: "Trace", function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    """Refuse a call of a NumPy function that a program cannot make.

    Raises:
        TraceError: it is one.
    """
    if function in _SHAPED_BY_VALUES or (function is np.where and len(args) == 1):
        trace.refuse(
            f"the shape of numpy.{function.__name__}(), which follows from the values",
            remedy="use np.where(mask, x, 0), or compute it outside and pass it as an argument",
        )
    if function in _WRITING_IN_PLACE or kwargs.get("copy") is False:
        trace.refuse(
            f"numpy.{function.__name__}(), which writes in place",
            remedy="write x[...] = values, or use tinygrad_nn.index_update",
        )
    if function in (np.ravel, np.reshape) and {"K", "A"} & set(map(str, _orders(args, kwargs))):
        trace.refuse("the order in memory", remedy="write order='C' or 'F'")
    if function in _COUNTING:
        named = [kwargs.get(name) for name in _COUNTS]
        _refuse_counts([*args[_COUNTING[function]], *named])


def _orders(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Any]:
    """What may be the order= of a call."""
    return (a for a in (*args, kwargs.get("order")) if type(a) is str)


def refuse_index(trace: "Trace", index: Any) -> None:
    """Refuse an index that selects as many elements as its values say: a mask, or a slice."""
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, slice):
            _refuse_counts(part)
        if isinstance(part, (Deferred, Tensor)) and part.dtype == bool:
            trace.refuse(
                "x[mask], whose shape follows from the values",
                remedy="use np.where(mask, x, 0), or index by np.flatnonzero(mask), made outside",
            )


def _refuse_counts(tree: Any) -> None:
    """Refuse traced whole numbers where they say how large something is."""
    for number in traced_in(tree):
        if number.dtype.kind in "iu":
            number.refuse("the index or the count, as shapes and slices need it,")
