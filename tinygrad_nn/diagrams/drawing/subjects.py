"""What `draw` takes, as a recording: Tensors, Graphs, and functions of inputs."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ...autograd import Graph, Node, Tensor
from ...autograd.containers import leaves
from ...autograd.recording import enable_grad
from ...errors import ArgumentError
from ...nn import Module

__all__ = ["recording_of"]


def recording_of(where: str, of: Any, more: Sequence[Any]) -> Graph:
    """The recording of something.

    Args:
        where: who asks, for errors.
        of: a Tensor, several of them, a Graph, or a function such as a Module.
        more: further Tensors, or the inputs of the function.

    Raises:
        ArgumentError: it is nothing of these, or the function gives no Tensor.
    """
    if callable(of) and not isinstance(of, Tensor):
        return _run(where, of, more)
    if isinstance(of, Graph) and not more:
        return of
    outputs = leaves((of, *more))
    if outputs and all(isinstance(output, Tensor) for output in outputs):
        return Graph(outputs)
    strange = next((o for o in outputs if not isinstance(o, Tensor)), of)
    raise ArgumentError(
        f"{where}: expected a Tensor or a Graph, several Tensors, a Module with its input, or a "
        f"compiled step; got {type(strange).__name__}; pass what a computation on Tensors gave"
    )


def _run(where: str, function: Callable[..., Any], inputs: Sequence[Any]) -> Graph:
    """The recording of a function's run. Plain arrays become inputs by their parameters' names.

    Where there are no parameters to record for, it is recorded for the inputs.
    """
    if not inputs:
        raise ArgumentError(
            f"{where}: expected the input of {_called(function)} beside it; got none; pass it as "
            f"the next argument"
        )
    names = _parameter_names(function, len(inputs))
    has_parameters = isinstance(function, Module) and bool(function.parameters())
    passed = [
        x if isinstance(x, Tensor) or not _is_array(x) else _input(x, name, not has_parameters)
        for x, name in zip(inputs, names, strict=True)
    ]
    with enable_grad():
        given = leaves(function(*passed))
    found = [output for output in given if isinstance(output, Tensor)]
    if not found:
        kinds = ", ".join(sorted({type(output).__name__ for output in given})) or "nothing"
        raise ArgumentError(
            f"{where}: expected {_called(function)} to return Tensors; got {kinds}; compute with "
            f"NumPy calls on what it is given"
        )
    return Graph(_distinct(found))


def _distinct(outputs: Sequence[Tensor]) -> list[Node]:
    return list(dict.fromkeys(output._node for output in outputs))


def _input(x: Any, name: str, tracked: bool) -> Tensor:
    value = Tensor(x)._node.value
    node = Node(value, tracked=tracked and value.dtype.kind == "f")
    node.name = name
    return Tensor._of(node)


def _is_array(x: Any) -> bool:
    return hasattr(x, "__array_function__") or isinstance(x, (int, float, list))


def _called(function: Callable[..., Any]) -> str:
    name = getattr(function, "name", None) or getattr(function, "__name__", None)
    return str(name or type(function).__name__)


def _parameter_names(function: Callable[..., Any], count: int) -> list[str]:
    """The names of the first parameters, where a function tells them."""
    try:
        parameters = list(inspect.signature(getattr(function, "forward", function)).parameters)
    except (TypeError, ValueError):
        parameters = []
    return [*parameters[:count], *(f"input {i}" for i in range(len(parameters), count))]
