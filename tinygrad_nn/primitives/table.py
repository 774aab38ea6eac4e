"""The table itself: what is known of each function, and how it is defined and found.

A function of NumPy is one of three things. A *row* has a derivative of its own. A *rewrite* is
composed of rows, and is differentiated through them. A *constant* has a result that no gradient
flows through, such as argmax. Everything else has no derivative.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .._typing import Array
from ..errors import AssignmentError, MissingDerivativeError
from .primitive import (
    REAL,
    Call,
    Derivative,
    Domain,
    Primitive,
    Sampler,
    Trait,
    name_of,
    parameters_of,
)

__all__ = [
    "REWRITES",
    "TABLE",
    "Constant",
    "Entry",
    "Rewrite",
    "constant",
    "define",
    "find",
    "mutators",
    "rewrite",
    "withdraw",
]


class Rewrite:
    """A NumPy function computed by rows of the table, written as a plain function of them.

    Calling a rewrite calls NumPy's own function, which comes back here when a gradient is needed.
    """

    __slots__ = (
        "always",
        "calls",
        "domains",
        "formula",
        "function",
        "kinks",
        "open",
        "options",
        "out",
        "qualified_name",
        "sampler",
        "variadic",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        formula: str,
        calls: Sequence[Call],
        *,
        variadic: bool = False,
        domains: Sequence[Domain] = (),
        kinks: Callable[..., Array] | None = None,
        sampler: Sampler | None = None,
        always: bool = False,
    ) -> None:
        self.function = function
        self.always = always  # whether Tensors without a gradient are composed too
        self.qualified_name = name
        self.formula = formula
        self.calls = tuple(calls)
        self.variadic = variadic
        self.domains = tuple(domains) or (REAL,) * max((len(c.shapes) for c in calls), default=0)
        self.kinks = kinks
        self.sampler = sampler
        parameters = parameters_of(function)
        self.options = frozenset(parameters.positional + parameters.keyword_only)
        self.open = parameters.any_keyword
        positional = parameters.positional
        self.out = positional.index("out") if "out" in positional else sys.maxsize

    def __repr__(self) -> str:
        return f"<rewrite {self.qualified_name}>"

    @property
    def name(self) -> str:
        """The last part of the qualified name."""
        return self.qualified_name.rpartition(".")[2]

    @property
    def public(self) -> Callable[..., Any]:
        """NumPy's own function."""
        found: Any = np
        for part in self.qualified_name.split(".")[1:]:
            found = getattr(found, part)
        return found

    def __call__(self, *arrays: Array, **static: Any) -> Any:
        """Call NumPy's function on arrays, which a variadic one takes as a list."""
        return self.public(*([list(arrays)] if self.variadic else arrays), **static)

    def compose(self, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Carry out a user's call by rows of the table.

        Raises:
            MissingDerivativeError: an option is set that the composition does not know.
        """
        known = {k: v for k, v in kwargs.items() if v is not np._NoValue}
        if not (self.open or known.keys() <= self.options):
            for option in known.keys() - self.options:
                if known.pop(option) is not None:
                    raise self._without(f"{option}=")
        if known.get("out") is not None or (len(args) > self.out and args[self.out] is not None):
            raise self._without("out=")
        try:
            return self.function(*args, **known)
        except RecursionError as error:
            # NumPy's own function came back here, for another argument that needs a gradient.
            raise self._without("a gradient for all of these arguments") from error

    def _without(self, what: str) -> MissingDerivativeError:
        return MissingDerivativeError(
            f"{self.qualified_name}: there is no derivative with {what}; leave it out, or compute "
            f"without a gradient inside tinygrad_nn.no_grad()"
        )


class Constant(NamedTuple):
    """A NumPy function whose result carries no gradient, such as argmax: computed, not recorded."""

    name: str


Entry: TypeAlias = Primitive | Rewrite | Constant

TABLE: dict[str, Primitive] = {}
REWRITES: dict[str, Rewrite] = {}
_constants: dict[str, Constant] = {}
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
    _found.clear()  # the function may have been looked up before it had a row
    return row


def withdraw(name: str, before: Primitive | None) -> None:
    """Take a row out of the table, and put back the one that was there before it."""
    del TABLE[name]
    if before is not None:
        TABLE[name] = before
    _found.clear()


def rewrite(
    names: str, formula: str, *calls: Call, **about: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Say how NumPy functions, named with blanks between, are computed by rows. A decorator.

    Args:
        names: qualified, as in ``numpy.vstack``; several that mean the same share a rewrite.
        formula: what is computed, as people write it.
        calls: sample calls, as for a row.
        about: the keywords of `Rewrite`.
    """

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names.split():
            REWRITES[name] = Rewrite(function, name, formula, calls, **about)
        return function

    return add


def constant(names: str) -> None:
    """Declare NumPy functions, named with blanks between, whose results carry no gradient."""
    _constants.update((f"numpy.{name}", Constant(name)) for name in names.split())


def mutators(names: str, instead: str) -> None:
    """Declare NumPy functions that write into an argument, which a recording cannot follow."""
    for name in names.split():

        def refuse(*args: Any, name: str = name, **kwargs: Any) -> Any:
            raise AssignmentError(
                f"numpy.{name}: expected arrays without a gradient, since it writes in place; "
                f"got a Tensor that needs one; use {instead}, which returns a new one"
            )

        rewrite(f"numpy.{name}", "writes in place: refused")(refuse)


def find(function: Callable[..., Any]) -> Entry | None:
    """Look up what the table says of a function, by what it is: its module and its name.

    The object that ``np.dot`` happens to be is no key: libraries replace such functions.
    """
    try:
        return _found[function]
    except KeyError:
        name = name_of(function)
        entry = REWRITES.get(name) or _constants.get(name) or TABLE.get(name)
        _found[function] = entry
        return entry
