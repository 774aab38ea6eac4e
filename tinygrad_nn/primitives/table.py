"""What a row of the derivative table is, and how one is defined and found.

A row puts a NumPy function beside one derivative per array argument. A derivative has the
signature ``(g, y, *inputs, **static)``: the cotangent of the output, the output, then the call's
own arguments. It is written once, in plain NumPy: on ndarrays it runs at NumPy's speed, and on
Tensors it is itself recorded, which is what gives second and higher derivatives.
"""

import inspect
from collections.abc import Callable, Sequence
from enum import Flag, auto
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .._typing import Array, Rule, Shape
from ..errors import ArgumentError, DtypeError, MissingDerivativeError, ShapeError

__all__ = [
    "BOOLEAN",
    "NONZERO",
    "POSITIVE",
    "REAL",
    "TABLE",
    "Call",
    "Constant",
    "Derivative",
    "Domain",
    "Entry",
    "Primitive",
    "Rewrite",
    "Trait",
    "as_array",
    "as_numbers",
    "as_real",
    "call",
    "constant",
    "d",
    "define",
    "find",
    "name_of",
    "rewrite",
    "without_scalar",
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
    """Where an argument is defined: the open interval (low, high), without 0, or booleans."""

    low: float = -np.inf
    high: float = np.inf
    zero: bool = True
    boolean: bool = False


REAL = Domain()
POSITIVE = Domain(low=0.0)
NONZERO = Domain(zero=False)
BOOLEAN = Domain(boolean=True)


class Call(NamedTuple):
    """One way to call a row, for samplers: its arrays' shapes and its static arguments."""

    shapes: tuple[Shape, ...]
    static: dict[str, Any]


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
        "singular",
        "traits",
        "variadic",
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
            *(_options(cell.rule) for cell in derivatives if cell)
        )
        self.domains = tuple(domains) or (REAL,) * self.arrays
        self.kinks = kinks
        self.singular = singular  # where the derivative has no finite value
        self.calls = tuple(calls) or (_UNARY if self.arrays == 1 else _BINARY)

    def __repr__(self) -> str:
        return f"<primitive {self.qualified_name}>"

    def __call__(self, *arrays: Array, **static: Any) -> Array:
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

    def pull(
        self, position: int, g: Array, y: Array, values: Sequence[Array], static: dict[str, Any]
    ) -> Array:
        """Send the cotangent of the output back to one input, by that input's derivative.

        For a variadic row the position is 0, and what comes back is a list with the parts of all
        inputs: one by one, many pieces would take forever.

        Raises:
            MissingDerivativeError: the row declares no derivative for that argument.
        """
        cell = self.derivatives[position]
        if cell is None:
            raise MissingDerivativeError(
                f"{self.qualified_name}: argument {position} has no derivative; pass it as a "
                f"constant, for instance through .detach()"
            )
        return cell.rule(g, y, *values, **static)

    def bind(
        self, args: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[Sequence[Array], dict[str, Any]]:
        """Split a call, as the user wrote it, into array arguments and static ones.

        Raises:
            ArgumentError: there are too many arguments, or an array is missing.
            MissingDerivativeError: an option is set that the derivative does not know.
        """
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
            raise MissingDerivativeError(
                f"{self.qualified_name}: there is no derivative with {option}=; leave it out, "
                f"or compute without a gradient inside tinygrad_nn.no_grad()"
            )
        return arrays, {k: v for k, v in static.items() if v is not np._NoValue}


class Rewrite(NamedTuple):
    """A NumPy function computed by rows of the table, written as a plain function of them."""

    function: Callable[..., Array]


class Constant(NamedTuple):
    """A NumPy function whose result carries no gradient, such as argmax: computed, not recorded."""

    name: str


Entry: TypeAlias = Primitive | Rewrite | Constant

TABLE: dict[str, Primitive] = {}
_without_a_row: dict[str, Rewrite | Constant] = {}
_found: dict[Callable[..., Any], Entry | None] = {}


def define(
    function: Callable[..., Array],
    formula: str,
    traits: Trait,
    *derivatives: Derivative | None,
    **about: Any,
) -> Primitive:
    """Add a row to the table: the function, its formula, its traits, one derivative an argument.

    An argument without a derivative is declared with None. The keywords are those of `Primitive`.
    """
    if isinstance(function, np.ufunc):
        about.setdefault("parameters", " ".join(f"x{i + 1}" for i in range(function.nin)))
        traits |= Trait.OUT
    row = Primitive(function, formula, traits, *derivatives, **about)
    TABLE[row.qualified_name] = row
    return row


def rewrite(name: str) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Say how a NumPy function is computed by rows of the table. A decorator."""

    def add(function: Callable[..., Array]) -> Callable[..., Array]:
        _without_a_row[name] = Rewrite(function)
        return function

    return add


def constant(names: str) -> None:
    """Declare NumPy functions, named with blanks between, whose results carry no gradient."""
    _without_a_row.update((f"numpy.{name}", Constant(name)) for name in names.split())


def find(function: Callable[..., Any]) -> Entry | None:
    """Look up what the table says of a function, by what it is: its module and its name.

    The object that ``np.dot`` happens to be is no key: libraries replace such functions.
    """
    try:
        return _found[function]
    except KeyError:
        name = name_of(function)
        entry = _found[function] = _without_a_row.get(name) or TABLE.get(name)
        return entry


def as_array(value: Array) -> Array:
    """Turn lists and Python numbers into ndarrays; leave every array, of any library, alone."""
    # Columns of data frames have ufuncs but no functions: they join by label, so they are turned.
    return value if hasattr(value, "__array_function__") else np.asarray(value)


def without_scalar(value: Array) -> Array:
    """A 0-d array in place of the NumPy scalar that a reduction or 0-d arithmetic returns."""
    return np.asarray(value) if isinstance(value, np.generic) else value


def as_numbers(where: str, data: Any) -> Array:
    """Data as an array of real numbers or booleans, whatever their dtype.

    Raises:
        ShapeError: rows of different lengths.
        DtypeError: text, complex numbers, objects.
    """
    try:
        array = as_array(data)
    except ValueError as error:
        raise ShapeError(
            f"{where}: expected a rectangular array; got rows of different lengths; pad them"
        ) from error
    if array.dtype.kind not in "fiub":
        raise DtypeError(
            f"{where}: expected real numbers; got dtype {array.dtype}; convert them first"
        )
    return array


def as_real(where: str, data: Any) -> Array:
    """The same as floating-point numbers: integers would wrap around, or be truncated."""
    array = as_numbers(where, data)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def name_of(function: Callable[..., Any]) -> str:
    """What a function is: its module and its name, as in ``numpy.linalg.norm``."""
    name = function.__name__
    if isinstance(function, np.ufunc):  # all of them say that they are NumPy's
        return f"numpy.{name}" if getattr(np, name, None) is function else f"ufunc {name}"
    return f"{getattr(function, '__module__', None) or 'numpy'}.{name}"


def _frozen(value: Any) -> Any:
    """A static argument that nobody can change afterwards."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return tuple(value) if isinstance(value, list) else value


def _options(rule: Rule) -> set[str]:
    parameters = inspect.signature(rule).parameters.values()
    return {p.name for p in parameters if p.default is not p.empty or p.kind is p.KEYWORD_ONLY}
