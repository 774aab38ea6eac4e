"""Update rules: pure functions from a parameter, its gradient and a state to the next ones.

A rule is data (its hyperparameters) and two functions. It is written in NumPy calls on arrays it
never writes into, and its state is explicit, so a run can be replayed, saved or compiled. The
parameter is added last, because NumPy goes on in the memory of a large product that has no name.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from .._typing import Array
from ..errors import ArgumentError
from ..primitives import Deferred, ensure_within

__all__ = ["AdamRule", "Rule", "SGDRule", "State"]

State: TypeAlias = dict[str, Any]


class Rule(Protocol):
    """What an optimiser needs of a rule."""

    def init(self, parameter: Array) -> State:
        """The state before the first update."""

    def update(self, parameter: Array, gradient: Array, state: State) -> tuple[Array, State]:
        """The parameter and the state after one update."""


@dataclass(frozen=True)
class SGDRule:
    """Stochastic gradient descent, with momentum μ, Nesterov's variant and weight decay λ.

    g ← ∇ + λ·w;  v ← μ·v + g;  w ← w − η·v, or w ← w − η·(g + μ·v) for Nesterov.

    Reference: [Sutskever2013], in the form that keeps the learning rate out of the velocity.
    """

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _set_numbers(self, learning_rate=math.inf, momentum=1, weight_decay=math.inf)
        if self.nesterov and self.momentum == 0:
            raise ArgumentError(
                "SGD: expected a momentum above 0 for nesterov=True; got 0; give momentum=0.9, say"
            )

    def init(self, parameter: Array) -> State:
        """A velocity of zero, where there is momentum."""
        return {"velocity": np.zeros_like(parameter)} if self.momentum else {}

    def update(self, parameter: Array, gradient: Array, state: State) -> tuple[Array, State]:
        """One step down the gradient."""
        if self.weight_decay:
            gradient = gradient + self.weight_decay * parameter
        if not self.momentum:
            return -self.learning_rate * gradient + parameter, state
        velocity = self.momentum * state["velocity"] + gradient
        step = gradient + self.momentum * velocity if self.nesterov else velocity
        return -self.learning_rate * step + parameter, {"velocity": velocity}


@dataclass(frozen=True)
class AdamRule:
    """Adam: steps scaled by running means of the gradient and of its square.

    m ← β₁·m + (1 − β₁)·g;  v ← β₂·v + (1 − β₂)·g²;
    w ← w − η · m̂ / (√v̂ + ε), with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ).

    Reference: [Kingma2015] algorithm 1.
    """

    learning_rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _set_numbers(self, learning_rate=math.inf, beta1=1, beta2=1, epsilon=math.inf)
        if self.epsilon == 0:
            raise ArgumentError(
                "Adam: expected epsilon > 0; got 0; without it a zero gradient gives 0/0"
            )

    def init(self, parameter: Array) -> State:
        """Moments of zero, before step 1."""
        return {"step": 0, "first": np.zeros_like(parameter), "second": np.zeros_like(parameter)}

    def update(self, parameter: Array, gradient: Array, state: State) -> tuple[Array, State]:
        """One step, with both moments corrected for their start at zero."""
        step = state["step"] + 1
        first = self.beta1 * state["first"] + (1 - self.beta1) * gradient
        second = self.beta2 * state["second"] + (1 - self.beta2) * (gradient * gradient)
        # The corrections are numbers, so they act on numbers, not on arrays: √v̂ = √v / c.
        c = (1 - self.beta2**step) ** 0.5
        rate = self.learning_rate * c / (1 - self.beta1**step)
        parameter = -rate * (first / (np.sqrt(second) + self.epsilon * c)) + parameter
        return parameter, {"step": step, "first": first, "second": second}


def _set_numbers(rule: Any, **limits: float) -> None:
    """Check that hyperparameters lie from 0 up to a limit, and keep them as Python floats.

    A NumPy float64 would turn float32 parameters into float64.
    """
    kind = type(rule).__name__.removesuffix("Rule")
    for name, limit in limits.items():
        given = getattr(rule, name)
        expected, remedy = f"{kind}: expected a number 0 <= {name} < {limit}", "choose one there"
        if isinstance(given, Deferred):
            if not given.is_number:
                given.refuse(f"the {name}")
            ensure_within(given, 0, math.nextafter(limit, 0), expected, remedy)
            continue
        try:
            value = math.nan if isinstance(given, str) else float(given)
        except (TypeError, ValueError):
            value = math.nan
        if not 0 <= value < limit:
            raise ArgumentError(f"{expected}; got {given!r}; {remedy}")
        object.__setattr__(rule, name, value)  # the dataclass is frozen once it is made
