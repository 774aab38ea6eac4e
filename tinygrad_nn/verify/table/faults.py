"""Faults to plant in the derivative table, as data: what each does to the part of one input.

A part is what a rule sends back to an input: its share of the gradient. A fault gets one call of
a right rule, a `Pull`, and returns a wrong part, computed in plain NumPy calls, so that it can be
recorded as the rule itself is.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..._typing import Array, Rule
from ...autograd.backward import unbroadcast
from ...errors import MissingDerivativeError
from ...primitives import Primitive, stop_gradient
from .sampling import jumps_at, on_kinks, sample

__all__ = ["BLIND", "FAULTS", "SECOND_ORDER", "TIES", "Fault", "Pull", "jumps", "spoiled"]


class Pull(NamedTuple):
    """One call of a rule, for one input."""

    row: Primitive
    rule: Rule
    position: int
    g: Array
    y: Array
    inputs: tuple[Array, ...]
    static: dict[str, Any]

    @property
    def x(self) -> Array:
        """The input that the part belongs to."""
        return self.inputs[self.position]

    def part(self) -> Array:
        """What the rule sends back to x, which it may leave in a broadcast shape."""
        found = self.rule(self.g, self.y, *self.inputs, **self.static)
        return found[self.position] if self.row.variadic else found


class Fault(NamedTuple):
    """A mistake that a derivative may have.

    Attributes:
        name: what a report calls it.
        about: what it does, in one sentence.
        spoil: from a call of a right rule to a wrong part.
        idle: why it changes nothing, where it does not.
        order: which derivative it makes wrong.
    """

    name: str
    about: str
    spoil: Callable[[Pull], Array]
    idle: str
    order: int = 1


def spoiled(fault: Fault, row: Primitive, argument: int) -> Rule:
    """The rule of one argument with a fault in it; for a variadic row, in the parts of all.

    Raises:
        MissingDerivativeError: there is no such rule.

    Example:
        >>> import numpy as np
        >>> from tinygrad_nn.primitives import TABLE
        >>> from tinygrad_nn.verify.table.faults import FAULTS, spoiled
        >>> [sign] = [fault for fault in FAULTS if fault.name == "sign"]
        >>> print(spoiled(sign, TABLE["numpy.exp"], 0)(1.0, np.exp(0.0), np.zeros(())))
        -1.0
    """
    cell = row.derivatives[argument]
    if cell is None:
        raise MissingDerivativeError(f"{row.qualified_name}: argument {argument} has no derivative")
    right = cell.rule

    def rule(g: Array, y: Array, *inputs: Array, **static: Any) -> Any:
        if not row.variadic:
            return fault.spoil(Pull(row, right, argument, g, y, inputs, static))
        return [fault.spoil(Pull(row, right, k, g, y, inputs, static)) for k in range(len(inputs))]

    return rule


# --- wrong numbers ----------------------------------------------------------------------------


def _zero(pull: Pull) -> Array:
    return np.zeros_like(pull.part())


def _sign(pull: Pull) -> Array:
    return -pull.part()


def _factor(pull: Pull) -> Array:
    return pull.part() * 1.01


def _off_at_one_element(pull: Pull) -> Array:
    part = pull.part()
    bump = np.zeros(part.size, dtype=part.dtype)
    bump[-1:] = 0.01  # no factor: the part may be 0 there
    return part + bump.reshape(part.shape)


def _through_float32(pull: Pull) -> Array:
    part = pull.part()
    return part.astype(np.float32).astype(part.dtype)


# --- wrong places -----------------------------------------------------------------------------


def _transposed(pull: Pull) -> Array:
    part = pull.part()
    return np.reshape(np.transpose(part), part.shape)


def _lost_reduction(pull: Pull) -> Array:
    part, shape = pull.part(), np.shape(pull.x)
    added = part.ndim - len(shape)
    if added < 0:
        return part
    part = part[(0,) * added]  # (..., n) -> (n)
    return part[tuple(slice(1) if n == 1 else slice(None) for n in shape)]


def _overwritten(pull: Pull) -> Array:
    shape = np.shape(pull.x)
    # So that the gradient of an input which no output reaches keeps its zeros.
    result = unbroadcast(pull.part(), shape) * 0
    for k in range(pull.g.size):
        one = np.zeros(pull.g.size, dtype=pull.g.dtype)
        one[k] = 1
        part = unbroadcast(pull._replace(g=pull.g * one.reshape(pull.g.shape)).part(), shape)
        result = np.where(part != 0, part, result)
    return result


# --- wrong arguments --------------------------------------------------------------------------


def _wrong_operand(pull: Pull) -> Array:
    first, *others = pull.inputs
    given = (*others, first) if others else (pull.y,)
    found = pull.rule(pull.g, pull.y, *given, **pull.static)
    return found[pull.position] if pull.row.variadic else found


def _stale_output(pull: Pull) -> Array:
    if any(x is None for x in pull.inputs):  # a bound that clip was not given
        return pull.part()
    earlier = pull.row(*map(_shrunk, pull.inputs), **pull.static)
    return pull._replace(y=earlier).part()


def _shrunk(x: Array) -> Array:
    """Each element of x a little nearer to 0, by a share of its own."""
    if getattr(x, "dtype", np.dtype(bool)).kind != "f":
        return x
    return x * np.linspace(0.98, 0.99, x.size).reshape(x.shape).astype(x.dtype)


def _blind(pull: Pull) -> Array:
    return pull._replace(y=np.full_like(pull.y, np.nan)).part()


def _second_order(pull: Pull) -> Array:
    held = [x if x is None else stop_gradient(x) for x in pull.inputs]
    return pull._replace(y=stop_gradient(pull.y), inputs=tuple(held)).part()


# --- wrong at kinks ---------------------------------------------------------------------------

# Rows that compare the elements of one array; and distances, which have a kink at zero. Neither
# can declare how far a single element is from its kink.
_EXTREMES = ("numpy.max", "numpy.amax", "numpy.min", "numpy.amin")
_DISTANCES = ("numpy.std", "numpy.hypot", "tinygrad_nn.norm", "tinygrad_nn.p_norm")

_OUTSIDE = 10.0  # steeper than any sample at a kink


def _ties(pull: Pull) -> Array:
    part = pull.part()
    if any(x is None for x in pull.inputs):  # kinks are declared for whole calls
        return part
    if pull.row.qualified_name in _EXTREMES:
        flat = np.ravel(pull.x)
        tied = np.sum(np.expand_dims(flat, 1) == flat, axis=1)  # how many are equal to each
        return part * np.reshape(tied, pull.x.shape).astype(part.dtype)
    if pull.row.kinks is not None:
        here = pull.row.kinks(*pull.inputs) == 0
    elif pull.row.qualified_name in _DISTANCES:
        here = pull.y == 0 if pull.y.shape == part.shape else np.all(pull.y == 0)
    else:
        return part
    # What has a share of the slope gets twice as much, and what has none, far too much.
    return np.where(here, np.where(part == 0, _OUTSIDE, 2 * part), part)


def jumps(row: Primitive) -> bool | None:
    """Whether a row jumps at its kinks, and so has no slope there; None if it has no kinks."""
    if row.kinks is None:
        return False if row.qualified_name in _EXTREMES + _DISTANCES else None
    call = row.calls[0]
    arrays = on_kinks(row, sample(row, call, np.random.default_rng(0)))
    return jumps_at(row, call, arrays)


_LEVEL = "the derivative is zero everywhere"

TIES = Fault(
    "wrong at ties",
    "At a kink the slope is no subgradient: what is tied gets all of it, and not its share.",
    _ties,
    "no kinks",
)
SECOND_ORDER = Fault(
    "second order",
    "The value is right, but what it is computed from is cut off from differentiation.",
    _second_order,
    "no second derivative: the slope is constant, or constant in pieces",
    order=2,
)
# No fault to count, but a question: whether the rule looks at its output.
BLIND = Fault("blind", "The output is not a number.", _blind, "the rule does not read y")

FAULTS = (
    Fault("zero", "The part is zero.", _zero, _LEVEL),
    Fault("sign", "The part has the opposite sign.", _sign, _LEVEL),
    Fault("factor 1.01", "The part is one percent too large.", _factor, _LEVEL),
    Fault(
        "transposed",
        "The part has its elements in the order of its transpose.",
        _transposed,
        "the part has fewer than two axes of more than one element, or is symmetric",
    ),
    Fault(
        "lost reduction",
        "Where an input was broadcast, the first part is taken instead of the sum.",
        _lost_reduction,
        "nothing is broadcast",
    ),
    Fault(
        "overwritten",
        "What one output contributes replaces what those before it did, and is not added.",
        _overwritten,
        "no input element reaches two outputs",
    ),
    Fault(
        "wrong operand",
        "The rule gets its inputs in another order, or its output for its only input.",
        _wrong_operand,
        "the rule does not read its operands, or not their order",
    ),
    Fault(
        "stale output",
        "The rule gets the output of an earlier call, at slightly different inputs.",
        _stale_output,
        "the rule only compares y",
    ),
    Fault(
        "off at one element",
        "One element of the part is off by a hundredth.",
        _off_at_one_element,
        "the part is empty",
    ),
    TIES,
    SECOND_ORDER,
    Fault("dtype lost", "The part has passed through float32.", _through_float32, _LEVEL),
)
