"""tinygrad_nn: record a computation once, then read it every way.

Differentiate it, check it, draw it. A small `Tensor` on NumPy records operations into a graph with
reverse-mode gradients; layers, activations and losses are plain functions of NumPy calls.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import activations, data, errors, initializers, losses, metrics, nn, optim
from .autograd import (
    Graph,
    Tensor,
    checkpoint,
    elementwise_grad,
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
from .primitives import array, index_add, index_update, put_along_axis, stack

if TYPE_CHECKING:
    from . import compiler, diagrams, testing, verify
    from .compiler import compile
    from .diagrams import draw, explain
    from .verify.gradcheck import gradcheck
    from .verify.rows import primitive
    from .verify.stability.lint import lint
    from .verify.stability.nonfinite import trace_nonfinite

__version__ = "0.1.0"

__all__ = [
    "Graph",
    "Tensor",
    "TinygradNNError",
    "__version__",
    "activations",
    "array",
    "checkpoint",
    "compile",
    "compiler",
    "data",
    "diagrams",
    "draw",
    "elementwise_grad",
    "errors",
    "explain",
    "grad",
    "gradcheck",
    "hessian",
    "hvp",
    "index_add",
    "index_update",
    "initializers",
    "jacobian",
    "jvp",
    "lint",
    "losses",
    "metrics",
    "nn",
    "no_grad",
    "optim",
    "primitive",
    "put_along_axis",
    "scope",
    "stack",
    "testing",
    "trace_nonfinite",
    "value_and_grad",
    "verify",
    "vjp",
]

# The readers of a recording are loaded when they are first used: training needs none of them.
_ON_USE = {
    "compile": ".compiler",
    "compiler": ".compiler",
    "diagrams": ".diagrams",
    "draw": ".diagrams",
    "explain": ".diagrams",
    "gradcheck": ".verify",
    "lint": ".verify",
    "primitive": ".verify",
    "testing": ".testing",
    "trace_nonfinite": ".verify",
    "verify": ".verify",
}


def __getattr__(name: str) -> Any:
    if name not in _ON_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = import_module(_ON_USE[name], __name__)
    return room if f".{name}" == _ON_USE[name] else getattr(room, name)


def __dir__() -> list[str]:
    return __all__
