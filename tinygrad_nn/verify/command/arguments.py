"""The arguments that a user's function is checked on: drawn, of samples, or its defaults."""

import inspect
import linecache
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..._typing import Shape
from ...autograd.containers import leaves
from ...autograd.recording import SourceLine
from ...errors import ArgumentError
from ...nn import Module
from ..gradcheck import what_came
from .samples import Samples

__all__ = ["Function", "arguments_of", "parse_shapes"]

_MOST = 10_000_000  # elements of a drawn input: far more would not fit into memory
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_UNKNOWN_SIGNATURE = inspect.Signature(
    [inspect.Parameter("inputs", inspect.Parameter.VAR_POSITIONAL)]
)


class Function(NamedTuple):
    """A user's function: its name in its module, what messages call it, and the module's file."""

    name: str
    shown: str
    call: Callable[..., Any]
    file: str = ""

    @property
    def line(self) -> SourceLine:
        """Where it is defined; of a layer, where its name is first given."""
        code = getattr(inspect.unwrap(self.call), "__code__", None)
        if code is not None:
            return SourceLine(code.co_filename, code.co_firstlineno, self.name)
        named = re.compile(rf"{re.escape(self.name.partition('.')[0])}\b")
        lines = enumerate(linecache.getlines(self.file), start=1)
        number = next((i for i, text in lines if named.match(text)), 1)
        return SourceLine(self.file or self.shown, number, self.name)

    @property
    def signature(self) -> inspect.Signature:
        """Its arguments; any number of them where that cannot be told."""
        try:
            return inspect.signature(
                self.call.forward if isinstance(self.call, Module) else self.call
            )
        except (TypeError, ValueError):
            return _UNKNOWN_SIGNATURE


def parse_shapes(texts: Iterable[str]) -> dict[str, Shape]:
    """The shapes of arguments by their names.

    Raises:
        ArgumentError: one is not written ``NAME=3,4``, given twice, or too large.

    Example:
        >>> from tinygrad_nn.verify.command.arguments import parse_shapes
        >>> parse_shapes(["x=3,4", "b=4", "s="])
        {'x': (3, 4), 'b': (4,), 's': ()}
    """
    shapes: dict[str, Shape] = {}
    for text in texts:
        name, equals, numbers = text.partition("=")
        name = name.strip()
        if not (equals and name and re.fullmatch(r"(\s*[0-9]{1,9}\s*(,|$))*", numbers)):
            raise ArgumentError(
                f"--shape {text}: expected NAME=3,4, as --shape x=3,4 or --shape s= for a single "
                f"number; write the argument's name and its sizes"
            )
        shape = tuple(int(number) for number in numbers.split(",") if number.strip())
        if name in shapes:
            raise ArgumentError(f"--shape {text}: expected each name once; got {name} twice")
        if math.prod(shape) > _MOST:
            raise ArgumentError(
                f"--shape {text}: expected at most {_MOST:,} elements; got {math.prod(shape):,}"
            )
        shapes[name] = shape
    return shapes


def arguments_of(
    function: Function, samples: Samples, shapes: Mapping[str, Shape], seed: int
) -> list[dict[str, Any]] | ArgumentError:
    """What a function is checked on: for each check its arguments by name.

    Each argument comes from the shapes, if it is there, else from a sample, else from its default.

    Returns:
        Its arguments; or, where nothing is known of one, what to tell the user.

    Raises:
        ArgumentError: the samples do not fit the function.
    """
    signature = function.signature
    drawn = _drawn(signature, shapes, seed)
    if not drawn or _missing(signature, drawn):
        found = samples.of(function.name)
        if found is not None:
            return [
                _completed(place, function, _bound(place, signature, sample) | drawn)
                for place, sample in found
            ]
    try:
        return [_completed(function.shown, function, drawn)]
    except ArgumentError as error:
        return error


def _drawn(signature: inspect.Signature, shapes: Mapping[str, Shape], seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        name: np.asarray(rng.standard_normal(shapes[name]))
        for name, parameter in signature.parameters.items()
        if name in shapes and parameter.kind not in _VARIADIC
    }


def _bound(place: str, signature: inspect.Signature, sample: Any) -> dict[str, Any]:
    """A sample as arguments by name."""
    if isinstance(sample, dict):
        return _named(place, signature, sample)
    try:
        values = sample if isinstance(sample, tuple) else (sample,)
        return dict(signature.bind_partial(*values).arguments)
    except TypeError as error:
        raise ArgumentError(
            f"{place}: expected values for the arguments {signature}; got {len(values)} of them"
        ) from error


def _named(place: str, signature: inspect.Signature, sample: dict[str, Any]) -> dict[str, Any]:
    kinds = {name: parameter.kind for name, parameter in signature.parameters.items()}
    arguments = {name: value for name, value in sample.items() if name in kinds}
    rest = {name: value for name, value in sample.items() if name not in kinds}
    catch_all = [n for n, kind in kinds.items() if kind is inspect.Parameter.VAR_KEYWORD]
    if rest and not catch_all:
        raise ArgumentError(
            f"{place}: expected the names of arguments {signature}; got "
            f"{', '.join(map(repr, rest))}"
        )
    return {**arguments, catch_all[0]: rest} if rest else arguments


def _completed(where: str, function: Function, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments in order, with the defaults that are to be checked.

    An array that is a default is checked as any input; a plain number is an option, as a margin
    is, and stays as it is, unless there is nothing else.
    """
    signature = function.signature
    missing = _missing(signature, given)
    if missing:
        raise ArgumentError(_wanted(where, function, missing))
    defaults = {n: p.default for n, p in signature.parameters.items() if n not in given}
    arrays = {n: d for n, d in defaults.items() if any(map(_is_array, leaves(d)))}
    arguments = given | arrays
    if not arguments:
        arguments = {n: d for n, d in defaults.items() if _has_floats(d)}
    if not signature.parameters:
        raise ArgumentError(
            f"{where}: expected a function of at least one argument, to differentiate by; got none"
        )
    if not _has_floats(arguments):
        names = list(signature.parameters)
        got = what_came(leaf for leaf in leaves(defaults | given) if not isinstance(leaf, type))
        raise ArgumentError(_wanted(where, function, names, "floating-point ", got))
    return {name: arguments[name] for name in signature.parameters if name in arguments}


def _missing(signature: inspect.Signature, given: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name, p in signature.parameters.items()
        if name not in given and p.default is p.empty and p.kind not in _VARIADIC
    ]


def _wanted(
    where: str, function: Function, names: Sequence[str], kind: str = "", got: str = ""
) -> str:
    several = "arguments" if len(names) > 1 else "argument"
    named = f"{several} {', '.join(names)}"
    wanted = f"{where}: expected {kind}values for the {named}; got {got or 'none'}; "
    if "integers" in got:
        return wanted + "write 1.0 for 1"
    if where != function.shown:  # a sample, which is there
        return wanted + ("give arrays of floats" if kind else "give all of a call's arguments")
    own = f"{function.name.replace('.', '_')}_samples()"
    plain = [n for n in names if function.signature.parameters[n].kind not in _VARIADIC]
    return wanted + (
        (f"give --shape {plain[0]}=3,4, or " if plain else "")
        + f"define {own} beside the function, which returns a list of tuples of arguments, or give "
        f"each argument a default"
    )


def _is_array(leaf: Any) -> bool:
    """Whether a value is an array: neither a number of NumPy's, nor a type such as a dtype."""
    return hasattr(leaf, "__array__") and not isinstance(leaf, (np.generic, type))


def _has_floats(tree: Any) -> bool:
    """Whether there is anything to differentiate by."""
    dtypes = (getattr(leaf, "dtype", None) for leaf in leaves(tree))
    plain = any(isinstance(leaf, float) for leaf in leaves(tree))
    return plain or any(getattr(dtype, "kind", "") == "f" for dtype in dtypes)
