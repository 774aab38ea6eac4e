"""tinygrad_nn: record a computation once, then read it every way.

Differentiate it, check it, draw it. A small `Tensor` on NumPy records operations into a graph with
reverse-mode gradients; layers, activations and losses are plain functions of NumPy calls.
"""

from . import activations, errors, initializers, losses, metrics, nn, optim
from .autograd import (
    Graph,
    Tensor,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    no_grad,
    scope,
    value_and_grad,
    vjp,
)
from .errors import TinygradNNError

__version__ = "0.1.0"

__all__ = [
    "Graph",
    "Tensor",
    "TinygradNNError",
    "__version__",
    "activations",
    "errors",
    "grad",
    "hessian",
    "hvp",
    "initializers",
    "jacobian",
    "jvp",
    "losses",
    "metrics",
    "nn",
    "no_grad",
    "optim",
    "scope",
    "value_and_grad",
    "vjp",
]
