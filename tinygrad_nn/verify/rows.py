"""Rows of the user's own: a function beside its derivatives, checked against the laws if asked."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .._typing import Array, Rule
from ..autograd import Tensor, vjp
from ..errors import ArgumentError, DtypeError, GradientError
from ..primitives import REWRITES, TABLE, Derivative, Primitive, Trait, define, name_of
from .gradcheck import gradcheck

__all__ = ["check_laws", "primitive"]

_OURS = frozenset(TABLE) | frozenset(REWRITES)
_PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


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
        derivatives: for each argument's name its rule, or a pair of a formula and a rule. An
            argument without one cannot be differentiated by, and says so.
        formula: what the function computes, for diagrams and tables.
        singular: where the derivative has no finite value, as a function of the inputs.
        elementwise: whether each output element depends on one element of each input.
        check: arguments to check the row on, at once; see `check_laws`.

    Raises:
        ArgumentError: a derivative of an unknown argument, or of a function that has a row.
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
    name = _name(function)
    arrays, static = _parameters(function, name)
    unknown = set(derivatives or ()) - set(arrays)
    if unknown:
        raise ArgumentError(
            f"primitive {name}: expected derivatives named after some of its arguments, "
            f"{', '.join(arrays)}; got {', '.join(sorted(unknown))}"
        )
    cells = [_cell((derivatives or {}).get(argument), static) for argument in arrays]
    traits = Trait.ELEMENTWISE if elementwise else Trait.NONE
    if name in _OURS:
        raise ArgumentError(
            f"primitive {name}: expected a function without a row; got one that has a derivative "
            f"already; give your own function its own name"
        )
    found = _dispatches(function)  # by itself, whenever it is called with a Tensor
    row = (define if found else Primitive)(
        function if found else _guarded(function, name),
        formula or f"{name.rpartition('.')[2]}({', '.join(arrays)})",
        traits,
        *cells,
        name=name,
        parameters=" ".join((*arrays, *static)),
        singular=singular,
    )
    called = function if found else _caller(function, row, arrays)
    if check is not None:
        check_laws(called, *check)
    return called


def check_laws(f: Callable[..., Any], *inputs: Any, rng: Any = 0) -> None:
    """Check what every row of the table keeps, for a function at some inputs.

    The laws: its gradient agrees with finite differences; so does the gradient of its gradient;
    and the gradient is linear in the cotangent, which no rule may write into.

    Args:
        f: takes Tensors, returns one Tensor.
        inputs: arguments, at least one of them floating-point.
        rng: the seed or source of the random cotangents.

    Raises:
        GradientError: a law is broken; the message says which, and shows the numbers.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.verify.check_laws(np.sin, np.array([0.5, 1.0]))
    """
    random = np.random.default_rng(rng)
    name = getattr(f, "__name__", "f")
    values = [np.array(x, dtype=np.float64) if _is_real(x) else x for x in inputs]
    real = [i for i, x in enumerate(values) if _is_real(x)]

    def of_real(*chosen: Any) -> Any:
        arguments = list(values)
        for i, x in zip(real, chosen, strict=True):
            arguments[i] = x
        return f(*arguments)

    y, pullback = vjp(of_real, *(values[i] for i in real))
    g, h = random.standard_normal((2, *y.shape))
    before = g.copy()
    one, other, both = pullback(g), pullback(h), pullback(2 * g - h)
    if not np.array_equal(g, before):
        raise GradientError(f"{name}: a derivative wrote into the cotangent; it must not")
    for a, b, c in zip(one, other, both, strict=True):
        if not np.allclose(2 * a - b, c, rtol=1e-9, atol=1e-12 * _size(a, b), equal_nan=True):
            raise GradientError(f"{name}: a derivative is not linear in the cotangent g")

    def gradient(*chosen: Any) -> Any:
        found = vjp(of_real, *chosen)[1](g)
        return np.concatenate([np.ravel(part) for part in found])

    for law, function in (("gradient", of_real), ("gradient of the gradient", gradient)):
        report = gradcheck(function, *(values[i] for i in real), rng=random)
        if not report:
            raise GradientError(
                f"{name}: the {law} does not agree with finite differences:\n{report}"
            )


def _is_real(x: Any) -> bool:
    return isinstance(x, Tensor) or np.asarray(x).dtype.kind == "f"


def _size(*arrays: Array) -> float:
    return max((float(np.max(np.abs(a), initial=0.0)) for a in arrays), default=0.0)


def _dispatches(function: Any) -> bool:
    """Whether calling the function with a Tensor comes back to the table by itself."""
    return isinstance(function, np.ufunc) or hasattr(function, "_implementation")


def _name(function: Callable[..., Any]) -> str:
    if _dispatches(function):
        return name_of(function)
    return f"{function.__module__}.{function.__qualname__}"


def _parameters(function: Callable[..., Any], name: str) -> tuple[list[str], list[str]]:
    """The names of a function's array arguments, and of its static ones."""
    if isinstance(function, np.ufunc):
        return (["x"] if function.nin == 1 else [f"x{i + 1}" for i in range(function.nin)]), []
    arrays, static = [], []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in _PLAIN and parameter.default is parameter.empty:
            arrays.append(parameter.name)
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ArgumentError(
                f"primitive {name}: expected named arguments; got *{parameter.name}; name each "
                f"array, or let the function take one array made with tinygrad_nn.stack"
            )
        else:
            static.append(parameter.name)
    if not arrays:
        raise ArgumentError(f"primitive {name}: expected an array argument; got none")
    return arrays, static


def _cell(given: Any, static: Sequence[str]) -> Derivative | None:
    """A cell of the table, whose rule is handed the static arguments that it asks for."""
    if given is None:
        return None
    formula, rule = given if isinstance(given, tuple) else ("as its rule says", given)
    parameters = inspect.signature(rule).parameters.values()
    named = {p.name for p in parameters}
    wanted = set(static) if any(p.kind is p.VAR_KEYWORD for p in parameters) else named & {*static}

    def handed(g: Array, y: Array, *inputs: Array, **options: Any) -> Array:
        return rule(g, y, *inputs, **{k: v for k, v in options.items() if k in wanted})

    return Derivative(formula, functools.wraps(rule)(handed) if callable(rule) else _refuse(rule))


def _refuse(rule: Any) -> Rule:
    raise ArgumentError(f"primitive: expected a function for a derivative; got {rule!r}")


def _guarded(function: Callable[..., Any], name: str) -> Callable[..., Array]:
    """The user's function, handed what it cannot write into, and giving away what it made."""

    def computed(*values: Array, **static: Any) -> Array:
        y = np.array(function(*map(_read_only, values), **static))
        if y.dtype.kind not in "fiub":
            raise DtypeError(f"{name}: expected one array of real numbers; got dtype {y.dtype}")
        return y

    return computed


def _read_only(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    return value


def _caller(
    function: Callable[..., Any], row: Primitive, arrays: Sequence[str]
) -> Callable[..., Any]:
    """What the user calls: the row, with the function's own signature."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        static = bound.arguments
        inputs = [static.pop(argument) for argument in arrays]
        return row(*inputs, **static)

    return call
