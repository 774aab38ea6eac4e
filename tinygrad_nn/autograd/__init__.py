"""The recording: nodes, the Tensor that makes them, the walker, and the transforms."""

from .dispatch import as_dtype
from .graph import Graph, Node
from .recording import enable_grad, is_recording, no_grad, scope
from .tensor import Tensor, rebind, substituted
from .transforms import grad, hessian, hvp, jacobian, jvp, plain_output, value_and_grad, vjp

__all__ = [
    "Graph",
    "Node",
    "Tensor",
    "as_dtype",
    "enable_grad",
    "grad",
    "hessian",
    "hvp",
    "is_recording",
    "jacobian",
    "jvp",
    "no_grad",
    "plain_output",
    "rebind",
    "scope",
    "substituted",
    "value_and_grad",
    "vjp",
]
