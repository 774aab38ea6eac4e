"""The trace of one run: every NumPy call on its arrays becomes an equation.

A trace computes as well: each traced array has the value that it has in this run, from which the
shapes and dtypes follow. That value is never shown to anybody.
"""

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from ..._scope import here
from ..._typing import Array
from ...autograd import Node, Tensor
from ...autograd.recording import Site
from ...errors import TraceError
from ...primitives import ensure_within
from ..operations import MAY_VIEW, UntraceableError, expect_finite, expect_within
from ..program import Equation, Origin, Value
from .number import Number
from .refusals import remedy_for
from .traced import Traced
from .trees import plain, traced_in

__all__ = ["Trace"]

_PACKAGE = __name__.partition(".")[0]
# Whose frames are never the line that a value comes from.
_NOT_THEIRS = {_PACKAGE, "numpy", *sys.stdlib_module_names} - {"__main__"}
# Rooms whose functions are what a reader calls a part of a step.
_NAMED = tuple(
    f"{_PACKAGE}.{room}"
    for room in ("activations", "losses.regression", "losses.classification", "losses.embeddings")
)


class Trace:
    """What is written down during one run of a step."""

    def __init__(self, guarded: bool = False) -> None:
        self.guarded = guarded
        self.equations: list[Equation] = []
        self.constants: dict[Value, Array] = {}
        self.gradients: dict[Value, Value] = {}  # what a value is the gradient by
        self.open = True
        self.phase = "forward"
        self._at: Node | None = None  # in a walk backward, where it is
        self._rules: dict[Value, str] = {}  # and what the derivatives there are
        self._known: dict[int, tuple[Any, Value]] = {}  # the constants, by what they were

    # --- calls --------------------------------------------------------------------------------

    def call(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        effect: bool = False,
    ) -> Any:
        """Run a call on the values of its traced arguments, and write it down."""
        self.check_open(getattr(function, "__name__", "call"))
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # the program itself will warn when it runs
            concrete = [plain(a) for a in args]
            try:
                result = function(*concrete, **{name: plain(a) for name, a in kwargs.items()})
            except np.linalg.LinAlgError as error:  # which rows may catch, to do something else
                raise UntraceableError(str(error)) from error
        return self.write(function, args, kwargs, result, effect=effect)

    def write(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        result: Any,
        *,
        effect: bool = False,
    ) -> Any:
        """Write down a call with this result, and hand the result out as traced arrays."""
        several = isinstance(result, (tuple, list))
        results = result if several else (result,)
        parts = [self._outcome(function, part) for part in results]
        operands = list(traced_in([args, kwargs]))
        shared = self._shared(operands, results)
        view = shared
        if function in MAY_VIEW and operands:
            view = operands[0]  # a copy here, but a view in the program, if it lies otherwise
        equation = Equation(
            function,
            tuple(self.tree(a) for a in args),
            {name: self.tree(a) for name, a in kwargs.items()},
            tuple(part.value for part in parts),
            self._origin(),
            None if view is None else view.value,
            effect,
        )
        self.equations.append(equation)
        for part in parts if shared is not None else ():
            part.share(shared)
        if not several:
            return parts[0]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)

    def _shared(self, operands: Sequence[Traced], results: Sequence[Any]) -> Traced | None:
        """The operand whose memory the results share."""
        arrays = [r for r in results if isinstance(r, np.ndarray)]
        found = [t for t in operands if any(np.may_share_memory(t.concrete, r) for r in arrays)]
        if len({t.value for t in found}) > 1:
            self.refuse("views of several arrays at once", remedy="make one view after the other")
        return found[0] if found else None

    def _outcome(self, function: Callable[..., Any], part: Any) -> Any:
        if isinstance(part, (np.ndarray, np.generic)):
            return Traced(self, Value(part.shape, part.dtype), part)
        if type(part) in (int, float):
            dtype = np.dtype(type(part))
            return Number(self, Value((), dtype, weak=True), part)
        self.refuse(f"{getattr(function, '__name__', function)}(), which gives no array,")

    def _origin(self) -> Origin:
        node = self._at
        if node is None:
            silent = tuple(kind for kind, what in np.geterr().items() if what == "ignore")
            return Origin(self.phase, here.scope, _named_function(), None, _user_site(), silent)
        return Origin(self.phase, node.scope, None, self._rules, node.site)

    def effect(self, function: Callable[..., Any], *args: Any) -> None:
        """Write down a call that gives nothing, such as a check."""
        self.equations.append(
            Equation(function, tuple(map(self.tree, args)), {}, (), self._origin(), effect=True)
        )

    def tree(self, argument: Any) -> Any:
        """An argument with values in the places of traced arrays, and of plain ones."""
        if isinstance(argument, Traced):
            argument.check(self)
            return argument.value
        kind = type(argument)
        if isinstance(argument, np.ndarray):
            return self.constant(argument)
        if isinstance(argument, Tensor):
            return self.tree(argument._node.value)
        if kind is list or isinstance(argument, tuple):
            return (list if kind is list else tuple)(self.tree(item) for item in argument)
        if kind is dict:
            return {key: self.tree(item) for key, item in argument.items()}
        if kind is slice:
            return slice(*map(self.tree, (argument.start, argument.stop, argument.step)))
        return argument

    def constant(self, array: Array) -> Value:
        """A plain array that the step computes with, as a constant of the program."""
        _, value = self._known.get(id(array), (None, None))
        if value is not None and _has_content(self.constants[value], array):
            return value
        copy = np.array(array)  # nobody else writes into this one
        value = Value(copy.shape, copy.dtype)
        self._known[id(array)] = (array, value)  # the array is kept, so that its id stays its own
        self.constants[value] = copy
        return value

    # --- the walk backward --------------------------------------------------------------------

    def follow(self, walk: Iterator[tuple[Node, Any]]) -> Iterator[tuple[Node, Any]]:
        """Take note of which row's derivative is at work, and of what each gradient is."""
        phase = self.phase
        self.phase = "backward"
        try:
            for node, g in walk:
                # Until the walk goes on to the next node, this one's derivatives are at work.
                self._at, self._rules = node, _rules_of(node)
                value = _value_of(g)
                if value is not None and isinstance(node.value, Traced):
                    self.gradients.setdefault(value, node.value.value)
                yield node, g
        finally:
            self.phase, self._at = phase, None
        self.phase = "update"

    def expect_finite(self, arrays: Iterable[Any]) -> None:
        """Write down that gradients are to be finite, or else computed with more care."""
        values = dict.fromkeys(v for v in map(_value_of, arrays) if v is not None)
        if values and not self.guarded:
            self.phase = "backward"
            self.effect(expect_finite, *values)
            self.phase = "update"

    def expect_within(self, array: Any, low: float, high: float, where: str, remedy: str) -> None:
        """Write down that the values of an array are to be checked."""
        ensure_within(plain(array), low, high, where, remedy)  # or the run would go on with them
        self.effect(expect_within, array, low, high, where, remedy)

    # --- refusals -----------------------------------------------------------------------------

    def check_open(self, what: str) -> None:
        """Refuse to write down anything more once the run is over."""
        if not self.open:
            raise TraceError(
                f"{what}: expected an array; got what a compiled step left behind while it was "
                f"traced; return it from the step in place of storing it elsewhere"
            )

    def refuse(self, what: str, name: str = "", remedy: str = "") -> NoReturn:
        """Raise: the step needs a value while there is none."""
        line = Origin(site=_user_site()).line
        where = "" if line is None else f"; at {line}" + (f": {line.text}" if line.text else "")
        called = f"the traced value {name!r}" if name else "a traced value"
        remedy = remedy or remedy_for(what)
        raise TraceError(
            f"compile: expected NumPy calls, whose values are known only when the step runs; got "
            f"{what} of {called}{where}; {remedy}"
        )


def _user_site() -> Site | None:
    """Where the innermost frame that is the user's own is; None if there is no such frame."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "").partition(".")[0]
        if module not in _NOT_THEIRS:
            return frame.f_code, frame.f_lasti
        frame = frame.f_back
    return None


def _has_content(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def _value_of(g: Any) -> Value | None:
    """The value of a gradient, whether it is an array or a Tensor; None if it is a constant."""
    g = g._node.value if isinstance(g, Tensor) else g
    return g.value if isinstance(g, Traced) else None


def _rules_of(node: Node) -> dict[Value, str]:
    """By which formula of its row a node sends its cotangent back to each of its inputs."""
    row = node.primitive
    if row is None:
        return {}
    cells = row.derivatives * len(node.inputs) if row.variadic else row.derivatives
    return {
        i.value.value: f"{row.name}: {cell.formula}"
        for i, cell in zip(node.inputs, cells, strict=False)
        if isinstance(i, Node) and isinstance(i.value, Traced) and cell is not None
    }


def _named_function() -> Callable[..., Any] | None:
    """The loss, activation or update rule, the innermost of this package's, that is running now."""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None:
        code = frame.f_code
        module = frame.f_globals.get("__name__", "")
        if not module.startswith((f"{_PACKAGE}.", "numpy.")):
            return None
        if module.startswith(_NAMED) and code.co_name in frame.f_globals["__all__"]:
            return frame.f_globals[code.co_name]
        if module == f"{_PACKAGE}.optim.rules":
            return type(frame.f_locals["self"]) if "self" in frame.f_locals else None
        frame = frame.f_back
    return None
