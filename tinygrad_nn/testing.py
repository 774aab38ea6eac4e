"""What tests of one's own functions use."""

from collections.abc import Callable
from typing import Any

from .verify import GradcheckReport, gradcheck

__all__ = ["assert_gradients"]


def assert_gradients(f: Callable[..., Any], *inputs: Any, **options: Any) -> GradcheckReport:
    """Fail, with the report as the message, unless the gradient of a function is right.

    A gradient that could not be confirmed fails too: at a jump, or where no difference can be
    trusted.

    Args:
        f: takes Tensors, returns a Tensor of any shape, or a container of them.
        inputs: arrays, Tensors, numbers, or tuples, lists and dicts of them.
        options: of `gradcheck`: parameters, order, jacobian, rng.

    Returns:
        The report.

    Raises:
        AssertionError: the gradient is not right.
        ArgumentError: there is nothing floating-point to check, or the order is less than 1.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> def test_tanh():
        ...     tnn.testing.assert_gradients(np.tanh, np.array([-1.0, 0.5]), order=2)
        >>> test_tanh()
    """
    __tracebackhide__ = True  # pytest then points at the test
    report = gradcheck(f, *inputs, **options)
    if not report:
        name = getattr(f, "__qualname__", type(f).__name__)
        raise AssertionError(f"the gradient of {name} is not right:\n{report}")
    return report
