"""The front door: what to explain, a gradient or a function."""

from typing import Any

import numpy as np

from ...autograd import Tensor
from ...errors import ArgumentError
from .card import explain_function
from .explanation import Explanation
from .gradient import explain_gradient

__all__ = ["explain"]


def explain(
    of: Any,
    *arguments: Any,
    parameter: Any = None,
    index: Any = None,
    paths: int = 8,
) -> Explanation:
    """Explain a gradient by the chain rule, or a function by its derivatives.

    Of a Tensor, usually a loss, it shows how ∂L/∂w comes about for one element w of a parameter:
    each path from the loss back to it, the local derivative at each step, the sum over all paths,
    and the finite difference beside it. Of a function it shows the card: formula, derivatives,
    domain, kinks, and a plot; with arrays as further arguments, what becomes of their shapes.

    Args:
        of: a Tensor, or a function: NumPy's, this package's, or one of your own.
        arguments: for a function, arrays to explain shapes for.
        parameter: the Tensor to differentiate by, or its name, as in ``"weights"`` or
            ``"hidden/weights"``; by default the first that collects a gradient.
        index: which element of it; by default the one with the largest gradient.
        paths: at most so many paths are shown, the largest found.

    Returns:
        An explanation: text with ``print``, Markdown in Jupyter, and ``.save("x.md")``. Its
        attributes hold all of it as data.

    Raises:
        ArgumentError: neither a Tensor nor a function, or no such parameter or element.
        GradientError: the Tensor is no scalar, and `backward` has not run on it.

    Example:
        >>> import tinygrad_nn as tnn
        >>> x = tnn.Tensor(3.0, requires_grad=True, name="x")
        >>> explanation = tnn.explain(x * x + x)
        >>> [path.product for path in explanation.paths]
        [3.0, 3.0, 1.0]
        >>> explanation.gradient, explanation.verdict.value
        (7.0, 'PASS')
    """
    if isinstance(paths, bool) or not isinstance(paths, (int, np.integer)) or paths < 1:
        raise ArgumentError(
            f"explain: expected a positive number of paths; got {paths!r}; 8 is usual"
        )
    if isinstance(of, Tensor):
        if arguments:
            raise ArgumentError(
                "explain: expected a Tensor alone; got arguments after it; those are for "
                "functions, as in explain(np.matmul, a, b)"
            )
        return explain_gradient(of, parameter, index, int(paths))
    if not callable(of) or isinstance(of, type):
        raise ArgumentError(
            f"explain: expected a Tensor or a function; got {type(of).__name__}; give a loss, or "
            f"a function such as np.tanh"
        )
    if parameter is not None or index is not None:
        raise ArgumentError(
            "explain: parameter= and index= are for Tensors; got a function; give its arguments "
            "after it"
        )
    return explain_function(of, arguments)
