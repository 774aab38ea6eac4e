"""Optimisers: small objects that hold the state of a pure rule for each parameter."""

from collections.abc import Iterable
from dataclasses import replace

from ..autograd import Tensor, rebind
from ..errors import ArgumentError, GradientError
from .rules import AdamRule, Rule, SGDRule, State

__all__ = ["SGD", "Adam", "Optimizer"]


class Optimizer:
    """Applies a rule to parameters, and keeps its state between steps.

    Args:
        parameters: Tensors that require a gradient, as from ``model.parameters()``.
        rule: what one update is.

    Raises:
        ArgumentError: no parameters, or one that collects no gradient.
    """

    def __init__(self, parameters: Iterable[Tensor], rule: Rule) -> None:
        kind = type(self).__name__
        if isinstance(parameters, Tensor):
            raise ArgumentError(f"{kind}: expected a list of Tensors; got one; write [w]")
        if not isinstance(parameters, Iterable):
            raise ArgumentError(
                f"{kind}: expected a list of Tensors; got {type(parameters).__name__}; "
                f"pass model.parameters()"
            )
        self.parameters = list(parameters)
        self.rule = rule
        if not self.parameters:
            raise ArgumentError(
                f"{kind}: expected at least one parameter; got none; has the model any?"
            )
        for parameter in self.parameters:
            is_tensor = isinstance(parameter, Tensor)
            if not (is_tensor and parameter.requires_grad and parameter.is_leaf):
                raise ArgumentError(
                    f"{kind}: expected Tensors made with requires_grad=True; got "
                    f"{parameter!r:.60}; pass the parameters themselves"
                )
        self.states: list[State] = [rule.init(p.data) for p in self.parameters]

    @property
    def learning_rate(self) -> float:
        """η, the rule's own. Setting it gives the optimiser a rule with another one."""
        return self.rule.learning_rate  # type: ignore[attr-defined]

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self.rule = replace(self.rule, learning_rate=value)  # type: ignore[type-var]

    def step(self) -> None:
        """Update every parameter that has a gradient.

        Raises:
            GradientError: no parameter has one.
        """
        updates = []
        for i, parameter in enumerate(self.parameters):
            node = parameter._node
            if node.leaf is not None and node.leaf.grad is not None:
                updates.append((i, self.rule.update(node.value, node.leaf.grad, self.states[i])))
        if not updates:
            raise GradientError(
                f"{type(self).__name__}.step: expected gradients; no parameter has one; "
                f"call loss.backward() first"
            )
        for i, (value, state) in updates:  # only now, so that an error leaves all as it was
            rebind(self.parameters[i], value)
            self.states[i] = state

    def zero_grad(self) -> None:
        """Forget the gradients that `backward` has collected."""
        for parameter in self.parameters:
            parameter.grad = None


class SGD(Optimizer):
    """Stochastic gradient descent with momentum; see `SGDRule` for the formula.

    Args:
        parameters: Tensors that require a gradient.
        learning_rate: η ≥ 0.
        momentum: μ in [0, 1).
        nesterov: look ahead along the velocity.
        weight_decay: λ ≥ 0, added to the gradient as λ·w.

    Raises:
        ArgumentError: a hyperparameter out of range.

    Example:
        >>> import tinygrad_nn as tnn
        >>> w = tnn.Tensor(4.0, requires_grad=True)
        >>> optimizer = tnn.optim.SGD([w], learning_rate=0.5)
        >>> (w * w).backward()
        >>> optimizer.step()
        >>> w.item()
        0.0

    Reference: [Sutskever2013].
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        rule = SGDRule(learning_rate, momentum, nesterov, weight_decay)
        super().__init__(parameters, rule)


class Adam(Optimizer):
    """Adam; see `AdamRule` for the formula.

    Args:
        parameters: Tensors that require a gradient.
        learning_rate: η ≥ 0.
        beta1: how slowly the mean of the gradient forgets, in [0, 1).
        beta2: how slowly the mean of its square forgets, in [0, 1).
        epsilon: ε > 0, which bounds a step where the gradient vanishes.

    Raises:
        ArgumentError: a hyperparameter out of range.

    Example:
        >>> import tinygrad_nn as tnn
        >>> w = tnn.Tensor(4.0, requires_grad=True)
        >>> optimizer = tnn.optim.Adam([w], learning_rate=0.5)
        >>> (w * w).backward()
        >>> optimizer.step()
        >>> round(w.item(), 6)
        3.5

    Reference: [Kingma2015].
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        rule = AdamRule(learning_rate, beta1, beta2, epsilon)
        super().__init__(parameters, rule)
