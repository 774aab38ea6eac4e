"""Rows of the user's own: a function beside its derivatives, checked against the laws if asked."""

import copy
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._typing import Array, Rule
from ..autograd import Tensor
from ..errors import ArgumentError, ConversionError, DtypeError, GradientError
from ..primitives import (
    TABLE,
    Deferred,
    Derivative,
    Primitive,
    Trait,
    define,
    find,
    name_of,
    withdraw,
)
from .laws import check_laws

__all__ = ["primitive"]

_PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_CHANGEABLE = (list, tuple, dict, set, bytearray, np.ndarray)
_OURS = frozenset(TABLE)


def primitive(
    function: Callable[..., Any] | None = None,
    /,
    *,
    derivatives: Mapping[str, Any] | None = None,
    formula: str = "",
    singular: Callable[..., Array] | None = None,
    elementwise: bool = False,
    check: Sequence[Any] | None = None,
) -> Any:
    """Add a row of your own to the table of derivatives. A decorator, or a plain call.

    The function computes with ndarrays and may do so in any way. Each derivative is named after
    the argument that it belongs to, and has the signature ``(g, y, *inputs, **static)``: the
    cotangent of the output, the output, then the function's own arguments. It is written in NumPy
    calls, so that it can be differentiated in turn. Arguments with a default are static.

    Given a function of NumPy, or a ufunc of any library, that has no row yet, the row belongs to
    that function: it is found wherever the function is called with a Tensor.

    Args:
        function: what to add a row for.
        derivatives: for each argument's name its rule, or a pair of a formula and a rule. The
            arguments of a ufunc are called x, or x1, x2, …. An argument without a derivative
            cannot be differentiated by, and says so.
        formula: what the function computes, for diagrams and tables.
        elementwise: whether each output element depends on one element of each input. Then
            unselected branches of ``np.where`` stay silent where the derivative is not finite.
        singular: where the derivative has no finite value, as a function of the inputs, for an
            elementwise function; there a cotangent of 0 gives 0.
        check: a tuple of arguments, ``check=(x,)`` where there is one, to check the row on at once.
            First and second derivatives are checked, so the rules must themselves be made of
            functions that have rows. See `verify.check_laws`.

    Raises:
        ArgumentError: a derivative of an unknown argument, a rule that does not take all of the
            function's arguments, or a function that has a row.
        GradientError: the check found a derivative to be wrong.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> @tnn.primitive(derivatives={"x": ("g·3x²", lambda g, y, x: g * (3 * x**2))},
        ...                formula="x³", check=(np.array([-1.0, 0.5]),))
        ... def cube(x):
        ...     return x * x * x
        >>> tnn.grad(tnn.grad(cube))(2.0)
        array(12.)
    """
    if function is None:
        return functools.partial(
            primitive, derivatives=derivatives, formula=formula, singular=singular,
            elementwise=elementwise, check=check,
        )  # fmt: skip
    if singular is not None and not elementwise:
        raise ArgumentError(
            "primitive: singular= needs elementwise=True: only where each output element belongs "
            "to one input element can an unselected one be told"
        )
    if check is not None and not isinstance(check, (tuple, list)):
        raise ArgumentError(
            f"primitive: expected a tuple of arguments for check=; got {type(check).__name__}; "
            f"write check=(x,)"
        )
    signature = _Signature(function)
    given = {} if derivatives is None else derivatives
    signature.check_names(given)
    cells = [signature.cell(given.get(argument)) for argument in signature.arrays]
    row = functools.partial(
        define if signature.dispatches else Primitive,
        function if signature.dispatches else signature.computed,
        formula or f"{signature.called}({', '.join(signature.arrays)})",
        Trait.ELEMENTWISE if elementwise else Trait.NONE,
        *cells,
        name=signature.name,
        parameters=" ".join((*signature.arrays, *signature.static)),
        singular=singular,
    )
    before = TABLE.get(signature.name)
    caller = signature.caller(row())
    if check is not None:
        derived = [i for i, cell in enumerate(cells) if cell]
        try:
            check_laws(caller, *check, argnums=derived)
        except Exception:
            if signature.dispatches:
                withdraw(signature.name, before)
            raise
    return caller


class _Signature:
    """The arguments of a user's function, and how it and its rules are called with them."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise ArgumentError(f"primitive: expected a function; got {function!r}")
        self.function = function
        # Whether calling it with a Tensor comes back to the table by itself.
        self.dispatches = isinstance(function, np.ufunc) or hasattr(function, "_implementation")
        self.called = getattr(function, "__name__", type(function).__name__)
        module = getattr(function, "__module__", None) or "user"
        qualified = getattr(function, "__qualname__", self.called)
        self.name = name_of(function) if self.dispatches else f"{module}.{qualified}"
        self.arrays: list[str] = []
        self.static: list[str] = []
        self._read()

    def _read(self) -> None:
        function = self.function
        if self.dispatches and find(function) is not None and self._is_ours():
            raise ArgumentError(
                f"primitive {self.name}: expected a function without a row; the table knows this "
                f"one already; give your own function its own name"
            )
        if isinstance(function, np.ufunc):
            if function.nout > 1:
                raise ArgumentError(
                    f"primitive {self.called}: expected a function with one output; got one with "
                    f"{function.nout}"
                )
            count = function.nin
            self.arrays = ["x"] if count == 1 else [f"x{i + 1}" for i in range(count)]
            return
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise ArgumentError(
                    f"primitive {self.name}: expected named arguments; got *{parameter.name}; "
                    f"name each array, or let the function take one made with tinygrad_nn.stack"
                )
            plain = parameter.kind in _PLAIN and parameter.default is parameter.empty
            (self.arrays if plain else self.static).append(parameter.name)
        if not self.arrays:
            raise ArgumentError(f"primitive {self.name}: expected an array argument; got none")

    def _is_ours(self) -> bool:
        return self.name in _OURS or self.name not in TABLE

    def check_names(self, derivatives: Any) -> None:
        """Refuse derivatives that are not named after array arguments."""
        if not isinstance(derivatives, Mapping):
            raise ArgumentError(
                f"primitive {self.name}: expected derivatives as a dict, from the names of "
                f"arguments to rules; got {type(derivatives).__name__}"
            )
        unknown = [str(key) for key in derivatives if key not in self.arrays]
        if unknown:
            raise ArgumentError(
                f"primitive {self.name}: expected derivatives named after some of its arguments, "
                f"{', '.join(self.arrays)}; got {', '.join(unknown)}"
            )

    def cell(self, given: Any) -> Derivative | None:
        """A cell of the table, whose rule is handed the static arguments that it asks for."""
        if given is None:
            return None
        formula, rule = given if isinstance(given, tuple) and len(given) == 2 else ("", given)
        if not callable(rule) or not isinstance(formula, str):
            raise ArgumentError(
                f"primitive {self.name}: expected a rule for a derivative, or a formula and a "
                f"rule; got {given!r}"
            )
        try:
            inspect.signature(rule).bind("g", "y", *self.arrays, **dict.fromkeys(self.static))
        except TypeError as error:
            raise ArgumentError(
                f"primitive {self.name}: expected a rule of g, y, "
                f"{', '.join((*self.arrays, *self.static))}, since the derivative may depend on "
                f"all of them; {error}; add what is missing, or **static"
            ) from error
        return Derivative(formula or "as its rule says", self._handed(rule))

    def _handed(self, rule: Rule) -> Rule:
        def handed(g: Array, y: Array, *values: Array, **static: Any) -> Array:
            deferred = _deferred_in(g, y, *values)
            if deferred is not None:
                name = f"derivative of {self.called}"
                return deferred.call(name, handed, g, y, *values, **static)
            inputs = self._inputs(values, static)
            try:
                part = rule(_read_only(g), _read_only(y), *inputs, **static)
            except ValueError as error:
                if "read-only" in str(error):
                    raise GradientError(
                        f"{self.called}: a derivative wrote into the cotangent g, or another of "
                        f"its arguments, which it must not"
                    ) from error
                raise
            if isinstance(part, Tensor):
                return part
            array = np.array(part)  # the rule may write into its own array the next time
            if array.dtype.kind not in "fiub" or isinstance(part, (tuple, list)):
                raise GradientError(
                    f"{self.called}: a derivative must return one array of real numbers; got "
                    f"{type(part).__name__} of {array.dtype}"
                )
            return array

        return handed

    def computed(self, /, *values: Array, **static: Any) -> Array:
        """The function, handed what it cannot write into, and giving away what it made."""
        deferred = _deferred_in(*values)
        if deferred is not None:
            return deferred.call(self.called, self.computed, *values, **static)
        inputs = self._inputs(values, static)
        positional = dict(zip(self.arrays, inputs, strict=True))
        bound = inspect.signature(self.function).bind_partial()
        bound.arguments.update(positional | static)
        y = self.function(*bound.args, **bound.kwargs)
        several = isinstance(y, (tuple, list, dict, np.ma.MaskedArray))
        # A copy, since the function may write into its own array the next time.
        array = np.array(None if several else y)
        if array.dtype.kind not in "fiub":
            raise DtypeError(
                f"{self.name}: expected one array of real numbers; got a {type(y).__name__}"
                + ("" if several else f" of {array.dtype}")
            )
        return array

    def _inputs(self, values: Sequence[Any], static: dict[str, Any]) -> list[Any]:
        """The array arguments, with what is no array back in its place."""
        return [
            static.pop(name) if name in static else _read_only(value)
            for name, value in zip(self.arrays, values, strict=True)
        ]

    def caller(self, row: Primitive) -> Callable[..., Any]:
        """What the user calls: the row, with the function's own signature."""
        if self.dispatches:
            return self.function
        signature = inspect.signature(self.function)

        def call(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            inputs: list[Any] = []
            static: dict[str, Any] = {}
            for name, value in bound.arguments.items():
                if name not in self.arrays:
                    static[name] = _frozen(self.called, name, value)
                elif _is_array(value):
                    inputs.append(value)
                else:  # an object, such as the self of a method, goes where no array is expected
                    inputs.append(None)
                    static[name] = value
            return row(*inputs, **static)

        functools.update_wrapper(call, self.function)
        vars(call)["is_opaque"] = True  # so that nobody looks for what it uses
        vars(call)["row"] = row  # for readers who explain the function
        return call


def _is_array(value: Any) -> bool:
    return isinstance(value, (int, float, list, tuple)) or hasattr(value, "__array__")


def _deferred_in(*values: Any) -> Deferred | None:
    """An array that writes down what is done to it, if the others are plain arrays as well.

    Rules that are given Tensors are recorded, as they are where nothing is written down.
    """
    if any(isinstance(v, Tensor) for v in values):
        return None
    return next((v for v in values if isinstance(v, Deferred)), None)


def _read_only(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    return value


def _frozen(called: str, name: str, value: Any) -> Any:
    """A static argument that nobody changes afterwards, and that carries no gradient."""
    if _holds_traced(value):
        raise ConversionError(
            f"{called}: expected a constant for the static argument {name!r}; got a Tensor that "
            f"requires a gradient; take its value with .numpy(), or give the argument no default"
        )
    return copy.deepcopy(value) if isinstance(value, _CHANGEABLE) else value


def _holds_traced(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_traced, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_holds_traced, value))
    return isinstance(value, Tensor) and value.requires_grad
