"""The arrays that a step computes with while it is traced.

A traced array answers to NumPy's functions, operators and methods, and hands every call to its
trace. Its shape and dtype are known; whoever asks for its values is refused, with the line where
it happened.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakSet

import numpy as np

from ..._typing import Array
from ...autograd import Tensor
from ...errors import TraceError
from ...primitives import Deferred
from ..operations import Opaque, add_at, set_item
from ..program import Value
from .face import ArrayFace
from .refusals import DESCRIBING, refuse_call, refuse_index
from .trees import plain

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["Traced"]


class Traced(ArrayFace, Deferred):
    """An array of a step that is being traced."""

    __slots__ = ("__weakref__", "_base", "_index", "_views", "concrete", "tape", "value")

    tape: "Trace"

    __hash__ = object.__hash__

    def __init__(self, trace: "Trace", value: Value, concrete: Any) -> None:
        self.tape = trace
        self.value = value
        self.concrete = concrete  # what it is in this run
        self._views: WeakSet[Traced] | None = None  # the arrays that share its memory
        self._base: Traced | None = None
        self._index: Any = None  # which part of that one it is, where slices say so

    def __repr__(self) -> str:
        return f"<traced {self.value.name or 'array'} {self.dtype}{list(self.shape)}>"

    # --- calls --------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(isinstance(i, Tensor) for i in inputs):
            return NotImplemented  # a Tensor records the call, and comes here with plain values
        outputs = kwargs.pop("out", ())
        if method == "at":
            target, index, *rest = inputs
            if ufunc is not np.add:
                self.tape.refuse(f"{ufunc.__name__}.at()", remedy="use np.where, or np.add.at")
            return self._write_into(target, add_at, index, *rest)
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        result = self.tape.call(function, inputs, kwargs)
        if outputs:
            return self._replace_outputs(outputs, result)
        return result

    def __array_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        if any(issubclass(kind, Tensor) for kind in types):
            return NotImplemented
        if function in DESCRIBING:
            return function(*plain(list(args)), **plain(kwargs))
        refuse_call(self.tape, function, args, kwargs)
        out = kwargs.pop("out", None)
        if function is np.copyto:
            target, source = args[:2]
            return self._write_into(target, set_item, kwargs.get("where", Ellipsis), source)
        result = self.tape.call(function, args, kwargs)
        return result if out is None else self._replace_outputs((out,), result)

    def __getitem__(self, index: Any) -> Any:
        refuse_index(self.tape, index)
        part = self.tape.call(operator.getitem, (self, index), {})
        if part._base is self:
            part._index = index
        return part

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    # --- writing ------------------------------------------------------------------------------

    def __setitem__(self, index: Any, values: Any) -> None:
        if isinstance(values, Traced) and values._base is self and values._index is index:
            return  # the end of x[i] += y, which has written into x through its part
        self._write_into(self, set_item, index, values)

    def fill(self, value: Any) -> None:
        """Set every element."""
        self[...] = value

    def _write_into(self, target: Any, how: Callable[..., Any], *args: Any) -> None:
        """Let an array be another value from now on. Values that were read before stay."""
        if not isinstance(target, Traced):
            self.tape.refuse(
                "writing into a plain array", remedy="make the array from a traced one, as with "
                "np.zeros_like(x), or pass it as an argument"
            )  # fmt: skip
        # What shares its memory would have to change as well, and an equation changes nothing.
        whole = target if target._base is None else target._base
        if (whole is not target and target._index is None) or any(
            view is not target for view in whole._views or ()
        ):
            self.tape.refuse(
                "writing into an array that shares its memory with another", target.value.name,
                remedy="write x = np.where(...), or into a .copy()"
            )  # fmt: skip
        target._become(self.tape.call(how, (target, *args), {}))
        if whole is not target:
            whole._become(self.tape.call(set_item, (whole, target._index, target), {}))

    def _become(self, new: "Traced") -> None:
        self.value, self.concrete = new.value, new.concrete

    def _replace_outputs(self, outputs: Sequence[Any], result: Any) -> Any:
        """What out= does: the array given there is the result from now on."""
        (out,) = outputs
        if not np.can_cast(result.dtype, out.dtype, "same_kind"):
            self.tape.refuse(f"out= of {out.dtype} for {result.dtype}", remedy="use .astype()")
        self._write_into(out, set_item, Ellipsis, result)
        return out

    def share(self, other: "Traced") -> None:
        """Remember that this array shares its memory with another."""
        self._base = base = other if other._base is None else other._base
        if base._views is None:
            base._views = WeakSet()
        base._views.add(self)

    # --- what a Deferred array does -----------------------------------------------------------

    def private(self) -> "Traced":
        """The same value under a handle of its own."""
        return Traced(self.tape, self.value, self.concrete)

    def refuse(self, how: str) -> NoReturn:
        """Raise: there is no value to be looked at."""
        self.tape.refuse(how, self.value.name)

    @property
    def is_number(self) -> bool:
        """Whether it stands for a Python number."""
        return self.value.weak

    def __ensure_within__(self, low: float, high: float, where: str, remedy: str) -> None:
        self.tape.expect_within(self, low, high, where, remedy)

    def select_from(self, array: Array, index: Any) -> Any:
        """Elements of a plain array, which becomes a constant of the program."""
        refuse_index(self.tape, index)
        return self.tape.call(operator.getitem, (array, index), {})

    @property
    def guarded(self) -> bool:
        """Whether walks backward take care of what is not selected."""
        return self.tape.guarded

    def follow(self, walk: Iterator[Any]) -> Iterator[Any]:
        """Take note of a walk backward."""
        return self.tape.follow(walk)

    def expect_finite(self, arrays: Iterable[Array]) -> None:
        """Have the program notice what is not finite."""
        self.tape.expect_finite(arrays)

    def call(self, name: str, function: Callable[..., Any], *arrays: Any, **static: Any) -> Array:
        """Write down a call of a function that cannot be looked into."""
        return self.tape.call(Opaque(name, function, static), arrays, {}, effect=True)

    # --- refusals -----------------------------------------------------------------------------

    def __bool__(self) -> bool:
        self.refuse("the truth, as `if` and `while` need it,")

    def __float__(self) -> float:
        self.refuse("float()")

    def __int__(self) -> int:
        self.refuse("int()")

    def __index__(self) -> int:
        self.refuse("the index, as range() and slices need it,")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        self.tape.refuse(
            "numpy.asarray()",
            self.value.name,
            "index a plain array as tinygrad_nn.Tensor(a)[i]; write into one that is made like a "
            "traced one, as np.zeros_like(x) is; pass arrays in place of lists of numbers",
        )

    def item(self, *args: Any) -> Any:
        """Refused: there is no value yet."""
        self.refuse(".item()")

    def tolist(self) -> Any:
        """Refused: there is no value yet."""
        self.refuse(".tolist()")

    def __contains__(self, value: Any) -> bool:
        self.refuse("the truth of `in`")

    def __format__(self, spec: str) -> str:
        if spec:
            self.refuse("the digits, as a format needs them,")
        return repr(self)

    def check(self, trace: "Trace") -> None:
        """Refuse an array of another trace, which has nothing to say to this one."""
        self.tape.check_open("an array")
        if self.tape is not trace:
            raise TraceError(
                f"compile: expected arrays of one step; got {self!r} of another that is being "
                f"traced; return it from there"
            )


def _in_place(ufunc: Any) -> Callable[..., Any]:
    def operator(self: Any, other: Any) -> Any:
        if isinstance(self.concrete, np.generic):  # which is never changed, as a number is not
            return ufunc(self, other)
        return ufunc(self, other, out=self)

    return operator


for _name, _ufunc in (
    ("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("truediv", np.divide),
    ("floordiv", np.floor_divide), ("mod", np.remainder), ("pow", np.power),
):  # fmt: skip
    setattr(Traced, f"__i{_name}__", _in_place(_ufunc))
