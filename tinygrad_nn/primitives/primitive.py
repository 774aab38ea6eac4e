"""What a row of the derivative table is.

A row puts a NumPy function beside one derivative per array argument. A derivative has the
signature ``(g, y, *inputs, **static)``: the cotangent of the output, the output, then the call's
own arguments. It is written once, in plain NumPy: on ndarrays it runs at NumPy's speed, and on
Tensors it is itself recorded, which is what gives second and higher derivatives.
"""

from collections.abc import Callable, Sequence
from enum import Flag, auto
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .._typing import Array, Rule, Shape
from ..errors import ArgumentError, MissingDerivativeError
from .arrays import as_array

__all__ = [
    "BOOLEAN",
    "INTEGER",
    "NONZERO",
    "POSITIVE",
    "REAL",
    "Call",
    "Derivative",
    "Domain",
    "Primitive",
    "Sampler",
    "Trait",
    "call",
    "d",
    "name_of",
    "parameters_of",
]


class Trait(Flag):
    """What a reader of the recording may rely on for a row."""

    NONE = 0
    ELEMENTWISE = auto()  # each output element depends on one element of each input
    LINEAR = auto()  # linear in its array arguments taken together
    ANALYTIC = auto()  # continues to the complex plane, so a complex step may check it
    OUT = auto()  # the NumPy function takes out=
    VIEW = auto()  # the result may share memory with its input
    VARIADIC = auto()  # takes one sequence of arrays
    SELECTS = auto()  # passes each cotangent on, or to one side only, or not at all
    OPAQUE = auto()  # hides its input from differentiation, but keeps it in the picture


class Derivative(NamedTuple):
    """One cell of the table: the formula people read, and the rule that computes it."""

    formula: str
    rule: Rule


d = Derivative


class Domain(NamedTuple):
    """Where an argument is defined: the open interval (low, high), and what kind of numbers."""

    low: float = -np.inf
    high: float = np.inf
    zero: bool = True
    boolean: bool = False
    integer: bool = False


REAL = Domain()
POSITIVE = Domain(low=0.0)
NONZERO = Domain(zero=False)
BOOLEAN = Domain(boolean=True)
INTEGER = Domain(integer=True)


class Call(NamedTuple):
    """One way to call a row, for samplers: its arrays' shapes and its static arguments."""

    shapes: tuple[Shape, ...]
    static: dict[str, Any]


# Draws the arrays of a call itself: what is symmetric, or invertible, cannot be drawn by element.
Sampler: TypeAlias = Callable[["np.random.Generator", Call], list[Array]]


def call(*shapes: Shape, **static: Any) -> Call:
    """Describe one sample call, as in ``call((2, 3), axis=0)``."""
    return Call(shapes, static)


_UNARY = (call((3, 4)), call(()))
_BINARY = (
    call((3, 4), (3, 4)),
    call((3, 1), (4,)),
    call((4,), (3, 1)),
    call((), (2, 3)),
    call((2, 3), ()),
)


_INSTEAD = {
    "out": "write a = a + t where an array takes a Tensor in place, as in a += t; leave out= out",
    "dtype": "use .astype(dtype)",
    "where": "use np.where(mask, result, otherwise)",
}


class Primitive:
    """One row: a function, its derivatives, and what readers need to know about it.

    Calling a row runs its function on arrays, or hands the call to an argument that records,
    found by its ``__apply_primitive__`` method, so that nothing on this floor knows Tensor.
    """

    __slots__ = (
        "arrays",
        "calls",
        "derivatives",
        "domains",
        "formula",
        "function",
        "kinks",
        "name",
        "opaque",
        "options",
        "parameters",
        "qualified_name",
        "sampler",
        "singular",
        "traits",
        "variadic",
        "widened",
    )

    def __init__(
        self,
        function: Callable[..., Array],
        formula: str,
        traits: Trait,
        *derivatives: Derivative | None,
        name: str = "",
        parameters: str = "",
        domains: Sequence[Domain] = (),
        kinks: Callable[..., Array] | None = None,
        singular: Callable[..., Array] | None = None,
        calls: Sequence[Call] = (),
        sampler: Sampler | None = None,
        widened: Callable[..., Array] | None = None,
    ) -> None:
        self.function = function
        self.formula = formula
        self.traits = traits
        self.derivatives = derivatives
        self.qualified_name = name or name_of(function)
        self.name = self.qualified_name.rpartition(".")[2]
        self.variadic = Trait.VARIADIC in traits
        self.opaque = Trait.OPAQUE in traits
        self.arrays = len(derivatives)
        self.parameters = tuple(parameters.split())
        # The options that the derivatives understand; bind() refuses NumPy's others.
        self.options = frozenset[str]().union(
            *(parameters_of(cell.rule).optional for cell in derivatives if cell)
        )
        self.domains = tuple(domains) or (REAL,) * self.arrays
        self.kinks = kinks
        self.singular = singular  # where the derivative has no finite value
        self.sampler = sampler
        self.widened = widened  # the function with options that the rules do not know, composed
        self.calls = tuple(calls) or (_UNARY if self.arrays == 1 else _BINARY)

    def __repr__(self) -> str:
        return f"<primitive {self.qualified_name}>"

    def __call__(self, /, *arrays: Array, **static: Any) -> Array:
        """Run the row on arrays, or let the first argument that records carry the call out."""
        for array in arrays:
            record = getattr(array, "__apply_primitive__", None)
            if record is not None:
                return record(self, arrays, static)
        return self.evaluate([as_array(array) for array in arrays], static)

    def evaluate(self, values: Sequence[Array], static: dict[str, Any]) -> Array:
        """Run the function on plain arrays."""
        if self.variadic:
            return self.function(values, **static)
        return self.function(*values, **static)

    def pull(self, position: int, arguments: Sequence[Array], static: dict[str, Any]) -> Array:
        """Send the cotangent of the output back to one input, by that input's derivative.

        The arguments are the rule's own: the cotangent, the output, and the inputs.

        For a variadic row the position is 0, and what comes back is a list with the parts of all
        inputs: one by one, many pieces would take forever.

        Raises:
            MissingDerivativeError: the row declares no derivative for that argument.
        """
        cell = self.derivatives[position]
        if cell is None:
            raise MissingDerivativeError(
                f"{self.qualified_name}: {self._called(position)} has no derivative; pass it as a "
                f"constant, for instance through .detach()"
            )
        return cell.rule(*arguments, **static)

    def _called(self, position: int) -> str:
        known = position < len(self.parameters)
        return f"argument {self.parameters[position]!r}" if known else f"argument {position}"

    def bind(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Sequence[Array], dict[str, Any]]:
        """Split a call, as the user wrote it, into array arguments and static ones.

        Raises:
            ArgumentError: there are too many arguments, or an array is missing.
            MissingDerivativeError: an option is set that the derivative does not know.
        """
        if kwargs or len(args) != self.arrays:
            if len(args) != self.arrays or not kwargs.keys() <= self.options:
                args, kwargs = self._bind_by_name(args, kwargs)
            if any(isinstance(value, (list, np.ndarray)) for value in kwargs.values()):
                kwargs = {name: _frozen(value) for name, value in kwargs.items()}
        return (tuple(args[0]) if self.variadic else args), kwargs

    def _bind_by_name(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Sequence[Array], dict[str, Any]]:
        if len(args) > len(self.parameters):
            raise ArgumentError(f"{self.qualified_name}: {len(args)} arguments are too many")
        bound = dict(zip(self.parameters, args, strict=False)) | kwargs
        missing = [name for name in self.parameters[: self.arrays] if name not in bound]
        if missing:
            raise ArgumentError(f"{self.qualified_name}: the argument {missing[0]!r} is missing")
        arrays = [bound.pop(name) for name in self.parameters[: self.arrays]]
        static = {
            name: value
            for name, value in bound.items()
            if name in self.options or not (value is None or value is np._NoValue)
        }
        for option in static.keys() - self.options:
            if option not in self.parameters and not isinstance(self.function, np.ufunc):
                raise ArgumentError(
                    f"{self.qualified_name}: unknown argument {option!r}; expected some of "
                    f"{', '.join(self.parameters)}"
                )
            instead = _INSTEAD.get(option, "leave it out")
            raise MissingDerivativeError(
                f"{self.qualified_name}: there is no derivative with {option}=; {instead}, or "
                f"compute without a gradient inside tinygrad_nn.no_grad()"
            )
        return arrays, {k: v for k, v in static.items() if v is not np._NoValue}


def name_of(function: Callable[..., Any]) -> str:
    """What a function is: its module and its name, as in ``numpy.linalg.norm``."""
    name = function.__name__
    if isinstance(function, np.ufunc):  # all of them say that they are NumPy's
        return f"numpy.{name}" if getattr(np, name, None) is function else f"ufunc {name}"
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):  # a method of one, such as np.add.reduce
        return f"{name_of(owner)}.{name}"
    return f"{getattr(function, '__module__', None) or 'numpy'}.{name}"


def _frozen(value: Any) -> Any:
    """A static argument that nobody can change afterwards."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return tuple(value) if isinstance(value, list) else value


class Parameters(NamedTuple):
    """The parameters of a plain function, as its code has them.

    Reading a signature takes longer, and importing this package would read hundreds.
    """

    positional: tuple[str, ...]
    keyword_only: tuple[str, ...]
    defaults: int  # how many positional ones have a default, from the last
    any_keyword: bool

    @property
    def optional(self) -> tuple[str, ...]:
        """Those that are given by keyword, or need not be given."""
        return self.positional[len(self.positional) - self.defaults :] + self.keyword_only


def parameters_of(function: Callable[..., Any]) -> Parameters:
    """Read the parameters of a plain function."""
    code = function.__code__
    count = code.co_argcount
    return Parameters(
        code.co_varnames[:count],
        code.co_varnames[count : count + code.co_kwonlyargcount],
        len(function.__defaults__ or ()),
        bool(code.co_flags & 0x08),  # inspect.CO_VARKEYWORDS
    )
