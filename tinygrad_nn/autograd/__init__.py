"""The recording: nodes, the Tensor that makes them, the walker, and the transforms."""

from .._scope import scope
from .checkpoint import checkpoint
from .dispatch import as_dtype
from .graph import Graph, Node
from .memory import keep_freed_memory
from .recording import enable_grad, is_recording, no_grad
from .run import plain_output
from .tensor import Tensor, rebind, substituted
from .transforms import (
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)

__all__ = [
    "Graph",
    "Node",
    "Tensor",
    "as_dtype",
    "checkpoint",
    "elementwise_grad",
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

keep_freed_memory()
