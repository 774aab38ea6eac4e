"""How a call on Tensors is carried out: computed, and recorded where a gradient may flow.

`Recorded` is the half of Tensor that faces NumPy: its protocols, and the one function through
which every recorded operation passes. The other half, in tensor.py, faces the user.
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import suppress
from textwrap import shorten
from typing import Any, Self

import numpy as np

from .._scope import here
from ..errors import (
    AssignmentError,
    DtypeError,
    MissingDerivativeError,
    OutOfBoundsError,
    ShapeError,
    TinygradNNError,
    ValueRangeError,
)
from ..primitives import (
    Deferred,
    Primitive,
    Rewrite,
    Trait,
    ensure_within,
    find,
    name_of,
    refuse_masked,
    without_scalar,
)
from .graph import NO_OPTIONS, Node
from .recording import source_line, state, user_site

__all__ = ["Recorded", "as_dtype"]

_NUMPY_ERRORS = (ValueError, TypeError, IndexError, OverflowError)


class Recorded:
    """A handle on a node, on which NumPy's functions can be called."""

    __slots__ = ("__weakref__", "_node")

    _node: Node

    @classmethod
    def _of(cls, node: Node) -> Self:
        """A new handle on a node."""
        handle = cls.__new__(cls)
        handle._node = node
        return handle

    def _record(
        self, primitive: Primitive, arguments: Sequence[Any], static: dict[str, Any] = NO_OPTIONS
    ) -> Self:
        """Run a row of the table on values; remember how, where a gradient may flow.

        This is the hot path: every operation on Tensors passes through here once. So it is a
        plain method, whichever Tensor it is called on: a class method takes longer to find.
        """
        inputs: list[Any] = []
        values: list[Any] = []
        tracked = arrays = False
        for argument in arguments:
            if isinstance(argument, Recorded):
                node = argument._node
                if node.tracked:
                    tracked = True
                inputs.append(node)
                values.append(node.value)
            else:
                if not isinstance(argument, (float, int)):
                    arrays = True
                    argument = _as_constant(argument)
                inputs.append(argument)
                values.append(argument)
        try:
            if static or primitive.variadic:
                value = primitive.evaluate(values, static)
            else:  # as `evaluate` does, without its overhead
                value = primitive.function(*values)
        except _NUMPY_ERRORS as error:
            raise _retold(error, primitive.name, values, primitive.traits) from error
        if type(value) is not np.ndarray:
            value = without_scalar(value)
        kind = value.dtype.kind
        if tracked and state.enabled and kind not in "iub":
            if kind != "f":  # never drop a gradient silently
                raise _not_real(primitive, value)
            if arrays:
                inputs = [_own(i) for i in inputs]
            node = Node(
                value,
                primitive,
                tuple(inputs),
                static or None,
                not primitive.opaque,
                here.scope,
                user_site(),
            )
        else:
            node = Node(value)
        result = object.__new__(type(self))
        result._node = node
        return result

    def __ensure_within__(self, low: float, high: float, where: str, remedy: str) -> None:
        ensure_within(self._node.value, low, high, where, remedy)

    def __apply_primitive__(
        self, primitive: Primitive, arrays: Sequence[Any], static: dict[str, Any]
    ) -> Self:
        return self._record(primitive, arrays, static)

    def __array_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        return self._apply(function, args, kwargs)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__":
            entry = find(ufunc)
            if kwargs or not isinstance(entry, Primitive):
                return self._apply(ufunc, inputs, kwargs)
            return self._record(entry, inputs, kwargs)  # there is nothing to bind
        if method == "at" and (isinstance(inputs[0], Recorded) or _needs_gradient(inputs)):
            raise AssignmentError(
                f"numpy.{ufunc.__name__}.at: expected plain arrays, since it writes in place; got "
                f"a Tensor, whose value a graph may need; use tinygrad_nn.index_add(x, index, "
                f"values), which returns a new one"
            )
        return self._apply(getattr(ufunc, method), inputs, kwargs)

    def _apply(
        self, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        """Carry out a NumPy function by what the table says of it.

        Raises:
            MissingDerivativeError: a gradient is needed, and the table has no row for the
                function, or none for these options.
        """
        entry = find(function)
        if isinstance(entry, Primitive):
            try:
                arrays, static = entry.bind(args, kwargs)
            except MissingDerivativeError:
                if _needs_gradient((args, kwargs)):
                    if entry.widened is None:
                        raise
                    return entry.widened(*args, **kwargs)
            else:
                return self._record(entry, arrays, static)
        elif isinstance(entry, Rewrite) and (entry.always or _needs_gradient((args, kwargs))):
            try:
                return self._wrapped(entry.compose(args, kwargs), fresh=False)
            except _NUMPY_ERRORS as error:
                raise _retold(error, entry.name, args) from error
        elif entry is None and _needs_gradient((args, kwargs)):
            raise _without_derivative(function)
        return self._compute(function, args, kwargs)

    @classmethod
    def _compute(
        cls, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> Any:
        """Run a function on the plain values of its Tensors; make Tensors of what it returns."""
        out = kwargs.get("out")
        outputs = out if isinstance(out, tuple) else (out,)
        if any(isinstance(o, Recorded) for o in outputs):
            raise AssignmentError(
                f"{function.__name__}: out= cannot be a Tensor, whose value a graph may still "
                f"need; use the returned value"
            )
        try:
            result = function(*_plain(args), **_plain(kwargs))
        except _NUMPY_ERRORS as error:
            raise _retold(error, function.__name__, _plain(args)) from error
        if any(result is o for o in outputs if o is not None):
            return result  # the caller's own array stays the caller's
        # A ufunc makes its result anew; another function may return what it was given.
        return cls._wrapped(result, fresh=isinstance(function, np.ufunc))

    @classmethod
    def _wrapped(cls, value: Any, fresh: bool) -> Any:
        """Make Tensors of arrays; leave what describes them (shapes, dtypes, truth) as it is."""
        if isinstance(value, (list, tuple)):
            items = [cls._wrapped(item, fresh) for item in value]
            return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
        if isinstance(value, Recorded):
            return value
        value = without_scalar(value)
        if isinstance(value, np.ndarray) and not fresh:
            value = value.copy()
        return cls._of(Node(value)) if hasattr(value, "__array_function__") else value


def _as_constant(value: Any) -> Any:
    """An operand that is no Tensor, as a plain array, whatever kind of sequence it is."""
    if value is None or type(value) is np.ndarray or isinstance(value, np.generic):
        return value
    refuse_masked("an operand", value)
    if hasattr(value, "__array_function__") and not isinstance(value, np.ndarray):
        return value  # another library's array goes through the same rows
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ShapeError(
            "an operand: expected a rectangular array; got rows of different lengths; pad them"
        ) from error


def _without_derivative(function: Callable[..., Any]) -> MissingDerivativeError:
    name, argument = name_of(function), "x"
    if isinstance(function, np.ufunc):
        argument = "x" if function.nin == 1 else "x1"
    else:
        with suppress(ValueError, TypeError):  # some have no signature
            argument = next(iter(inspect.signature(function).parameters), "x")
    if name.startswith("numpy.fft."):
        return MissingDerivativeError(
            f"{name}: expected real mathematics; Fourier transforms are complex, and complex "
            f"numbers have no derivative here; compute under no_grad()"
        )
    return MissingDerivativeError(
        f"{name}: this function has no derivative in the table, and a gradient is needed; compose "
        f"it from functions that have one (docs/derivatives.md lists them), give it one, as in "
        f"tinygrad_nn.primitive({name.removeprefix('ufunc ')}, derivatives={{{argument!r}: lambda "
        f"g, y, {argument}: ...}}), or compute under no_grad()"
    )


def _not_real(primitive: Primitive, value: Any) -> DtypeError:
    return DtypeError(
        f"{primitive.name}: expected a real result to differentiate; got dtype {value.dtype}; "
        f"split complex numbers into real and imaginary parts"
    )


def as_dtype(dtype: Any) -> np.dtype[Any]:
    """A dtype from whatever names one.

    Raises:
        DtypeError: nothing that NumPy knows.
    """
    try:
        found = np.dtype(dtype)
    except TypeError as error:
        raise DtypeError(
            f"dtype: expected a NumPy dtype; got {dtype!r}; give np.float32, say"
        ) from error
    if found.kind not in "fiub":
        raise DtypeError(f"dtype: expected real numbers or booleans; got {found}; give np.float32")
    return found


def _own(value: Any) -> Any:
    """Keep a constant safe from whoever else holds the array and may write into it."""
    if type(value) is np.ndarray:
        value = value.copy()
        value.flags.writeable = False
    elif isinstance(value, Deferred):
        value = value.private()
    return value


def _plain(value: Any) -> Any:
    """The same arguments, with views of the values of Tensors that nobody can write through."""
    if isinstance(value, Recorded):
        value = value._node.value
        if isinstance(value, np.ndarray):
            value = value.view()
            value.flags.writeable = False
        return value
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    if type(value) is dict:
        return {key: _plain(item) for key, item in value.items()}
    return value


def _needs_gradient(value: Any) -> bool:
    """Whether a gradient may flow through any Tensor among the arguments."""
    if isinstance(value, Recorded):
        return state.enabled and value._node.tracked
    if isinstance(value, dict):
        return any(map(_needs_gradient, value.values()))
    return isinstance(value, (list, tuple)) and any(map(_needs_gradient, value))


def _retold(
    error: Exception, name: str, values: Sequence[Any], traits: Trait = Trait.NONE
) -> Exception:
    """NumPy's error again, with the operation, the shapes, the scope and the user's own line."""
    if isinstance(error, (TinygradNNError, np.linalg.LinAlgError)):
        return error
    shapes = " and ".join(str(getattr(v, "shape", type(v).__name__)) for v in values)
    kind: type[TinygradNNError] = ShapeError
    expected = f"NumPy says: {error}"
    if isinstance(error, TypeError):
        kind = DtypeError
        shapes += " of " + " and ".join(str(getattr(v, "dtype", type(v).__name__)) for v in values)
    elif isinstance(error, IndexError) and not isinstance(error, ValueError):
        kind = OutOfBoundsError
    elif isinstance(error, OverflowError):
        kind = ValueRangeError
    elif "read-only" in str(error):
        return AssignmentError(
            f"{name}: expected to make a new array; got a Tensor's read-only data to write into; "
            f"update it with `with no_grad(): w -= ...`, or assign w.data = ..."
        )
    elif name == "matmul":
        expected = "expected shapes (..., m, k) and (..., k, n)"
    elif Trait.ELEMENTWISE in traits and "broadcast" in str(error):
        expected = "expected shapes that broadcast together"
    where = "/".join((*here.scope, name))
    site, line = user_site(), ""
    if site is not None:
        source = source_line(site)
        text = shorten(source.text, 80, placeholder=" …")
        line = f"; at {source}" + (f": {text}" if text else "")
    return kind(f"{where}: {expected}; got {shapes}{line}")
