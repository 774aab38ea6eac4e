"""Module: what has parameters and a forward function."""

from collections.abc import Iterable, Iterator
from typing import Any

from .._typing import Array
from ..autograd import Tensor, scope
from ..errors import UndefinedError

__all__ = ["Module"]


class Module:
    """The base of layers and models: parameters, and a `forward` that computes with them.

    A subclass sets Tensors and Modules as attributes and defines `forward`. Calling the module
    runs `forward` within a scope of its name, which diagrams and errors show.

    Example:
        >>> import tinygrad_nn as tnn
        >>> class Line(tnn.nn.Module):
        ...     def __init__(self):
        ...         self.slope = tnn.Tensor(2.0, requires_grad=True)
        ...     def forward(self, x):
        ...         return self.slope * x
        >>> Line()(3.0).item()
        6.0
    """

    name: str | None = None

    def forward(self, x: Array) -> Array:
        """Compute the output for an input. Each subclass defines its own."""
        raise UndefinedError(
            f"{type(self).__name__}: expected a forward method; got none; define forward(self, x)"
        )

    def __call__(self, *inputs: Any, **options: Any) -> Array:
        """Run `forward` within the scope of this module's name."""
        with scope(self.name or type(self).__name__.lower()):
            return self.forward(*inputs, **options)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """Every Tensor made to collect a gradient, once, with its path, as ``layers.0.weights``.

        They are looked for in attributes, and in lists, tuples, dicts and Modules there.
        """
        return _find_parameters("", self, set())

    def parameters(self) -> list[Tensor]:
        """Every Tensor made to collect a gradient, once each."""
        return [tensor for _, tensor in self.named_parameters()]

    def zero_grad(self) -> None:
        """Forget the gradients that `backward` has collected."""
        for parameter in self.parameters():
            parameter.grad = None


def _find_parameters(path: str, value: Any, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    """The parameters within a value; what was seen already, shared or circular, is left out."""
    if id(value) in seen:
        return
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Tensor):
        if value.requires_grad and value.is_leaf:
            seen.add(id(value))
            yield path, value
    elif isinstance(value, Module):
        items = vars(value).items()
    elif isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    if items:
        seen.add(id(value))
    for key, item in items:
        yield from _find_parameters(f"{path}.{key}" if path else str(key), item, seen)
