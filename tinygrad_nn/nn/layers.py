"""Layers: parameters, and plain functions of them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._typing import Array, Seed, Shape
from ..autograd import Tensor, as_dtype, scope
from ..errors import ArgumentError, ShapeError
from ..initializers import INITIALIZERS
from ..primitives import as_real
from .module import Module

__all__ = ["Dense", "Sequential"]


class Dense(Module):
    """A fully connected layer: every output is a weighted sum of every input, plus a bias.

    y = x·W + b, with gradients ∂L/∂W = xᵀ·g, ∂L/∂b = Σ g over the batch, and ∂L/∂x = g·Wᵀ.

    Shape: x (..., in_features) -> (..., out_features)

    Args:
        in_features: how many values a sample has, the length of the input's last axis.
        out_features: how many neurons the layer has.
        initializer: "he", "glorot", "notebook", or a function of (shape, rng, dtype).
        rng: a numpy.random.Generator, a numpy.random.RandomState, a seed, or None.
        dtype: the dtype of the parameters.
        name: what diagrams and errors call the layer.

    Attributes:
        weights: W, of shape (in_features, out_features).
        biases: b, of shape (out_features,), zeros at first.

    Raises:
        ArgumentError: a size that is not a positive integer, an unknown initializer.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> layer = tnn.nn.Dense(4, 3, rng=0, name="hidden")
        >>> layer(np.ones((2, 4))).shape
        (2, 3)

    Reference: [Goodfellow2016] section 6.1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        initializer: str | Callable[[Shape, Seed, Any], Array] = "he",
        rng: Seed = None,
        dtype: Any = np.float64,
        name: str | None = None,
    ) -> None:
        for size in (in_features, out_features):
            if not isinstance(size, (int, np.integer)) or size < 1:
                raise ArgumentError(
                    f"Dense: expected positive integer sizes; got {size!r}; give (in, out)"
                )
        initialize = INITIALIZERS.get(initializer) if isinstance(initializer, str) else initializer
        if not callable(initialize):
            raise ArgumentError(
                f"Dense: expected an initializer; got {initializer!r}; "
                f"name one of {', '.join(INITIALIZERS)}, or give a function"
            )
        dtype = as_dtype(dtype)
        self.name = name
        self.in_features = int(in_features)
        self.out_features = int(out_features)
        shape = (self.in_features, self.out_features)
        weights = initialize(shape, rng, dtype)
        self.weights = Tensor(weights, requires_grad=True, dtype=dtype, name="weights")
        biases = np.zeros(self.out_features, dtype=dtype)
        self.biases = Tensor(biases, requires_grad=True, name="biases")
        if self.weights.shape != shape:
            raise ShapeError(
                f"{self}: expected an initializer that returns shape {shape}; "
                f"got {self.weights.shape}; use the shape it is given"
            )

    def forward(self, x: Array) -> Array:
        """Compute x·W + b.

        Raises:
            ShapeError: the last axis of x is not of length in_features.
        """
        called = f"Dense {self.name!r}" if self.name else "Dense"
        x = as_real(called, x)
        if x.ndim == 0 or x.shape[-1] != self.in_features:
            raise ShapeError(
                f"{called}: expected inputs of shape (batch, {self.in_features}); "
                f"got {x.shape}. The last axis must equal in_features."
            )
        return x @ self.weights + self.biases  # (..., in) · (in, out) + (out,) -> (..., out)

    def __repr__(self) -> str:
        name = f", name={self.name!r}" if self.name else ""
        return f"Dense({self.in_features}, {self.out_features}{name})"


class Sequential(Module):
    """Layers and functions applied one after another.

    Layers without a name get one from their place, such as ``dense_0``.

    Shape: what the first takes -> what the last gives

    Args:
        layers: Modules and plain functions such as ``activations.relu``.
        name: what diagrams and errors call the whole.

    Raises:
        ArgumentError: something that cannot be called.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> model = tnn.nn.Sequential(
        ...     tnn.nn.Dense(2, 8, rng=0), tnn.activations.relu, tnn.nn.Dense(8, 3, rng=1)
        ... )
        >>> model(np.ones((5, 2))).shape
        (5, 3)
        >>> len(model.parameters())
        4
    """

    def __init__(self, *layers: Callable[[Array], Array], name: str | None = None) -> None:
        self.name = name
        for i, layer in enumerate(layers):
            if not callable(layer):
                raise ArgumentError(
                    f"Sequential: expected layers and functions; got {type(layer).__name__} at "
                    f"{i}; leave it out, or wrap it in a function"
                )
            if isinstance(layer, Module) and layer.name is None:
                layer.name = f"{type(layer).__name__.lower()}_{i}"
        self.layers = layers

    def forward(self, x: Array) -> Array:
        """Apply each layer to what the one before it gave."""
        for layer in self.layers:
            if isinstance(layer, Module) or hasattr(layer, "is_scoped"):
                x = layer(x)
            else:
                with scope(getattr(layer, "__name__", type(layer).__name__)):
                    x = layer(x)
        return x

    def __repr__(self) -> str:
        inside = ", ".join(getattr(layer, "__name__", repr(layer)) for layer in self.layers)
        return f"Sequential({inside})"
