"""Tensors whose recording is not there: results of compiled steps, and what comes from outside.

Run eagerly, a gradient could flow back through them. Here none can, and a gradient that is missing
must not look like one that is zero: who sends one back through such a Tensor is told.
"""

from typing import Any, NoReturn

from ...autograd import Node, Tensor
from ...errors import GradientError
from ...primitives import Derivative, Primitive, Trait

__all__ = ["spent_node", "spent_tensor"]


def _refuse(*_: Any) -> NoReturn:
    raise GradientError(
        "backward: expected a Tensor whose recording is there; got one that was computed on the "
        "other side of a compiled step, which keeps none; call backward() where it was computed, "
        ".detach() it, or call the function that the step was made from"
    )


_SPENT = Primitive(
    lambda x: x,
    "computed on the other side of a compiled step",
    Trait.NONE,
    Derivative("there is none", _refuse),
    name="tinygrad_nn.spent",
    parameters="x",
)


def spent_node(value: Any) -> Node:
    """A node that no gradient can pass."""
    origin = Node(value)
    origin.tracked = True
    return Node(value, _SPENT, (origin,), None, True)


def spent_tensor(value: Any) -> Tensor:
    """A Tensor that requires a gradient, as it would if the step had run itself."""
    return Tensor._of(spent_node(value))
