"""What every row of the table keeps, checked for any function at some inputs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._typing import Array
from ..autograd import jvp, vjp
from ..errors import ArgumentError, GradientError, MissingDerivativeError
from .gradcheck import gradcheck, is_real, plain

__all__ = ["check_laws"]


def check_laws(
    f: Callable[..., Any], *inputs: Any, argnums: Sequence[int] | None = None, rng: Any = 0
) -> None:
    """Check what every row of the table keeps, for a function at some inputs.

    The laws: its gradient agrees with finite differences; so does the gradient of its gradient;
    the gradient is linear in the cotangent; forward and reverse mode agree, ⟨g, ∂f·t⟩ = ⟨gᵀ·∂f, t⟩;
    and no rule writes into its cotangent.

    Args:
        f: takes Tensors, returns one Tensor.
        inputs: arguments, at least one of them floating-point.
        argnums: by which arguments to differentiate; by default all that are floating-point.
        rng: the seed or source of the random cotangents.

    Raises:
        GradientError: a law is broken; the message says which, and shows the numbers.
        ArgumentError: there is no floating-point argument.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.verify.check_laws(np.sin, np.array([0.5, 1.0]))
    """
    random = np.random.default_rng(rng)
    name = getattr(f, "__name__", "f")
    chosen = [i for i in range(len(inputs)) if argnums is None or i in argnums]
    real = [i for i in chosen if is_real(inputs[i])]
    if not real:
        raise ArgumentError(f"{name}: expected a floating-point argument to check; got none")

    def of_real(*values: Any) -> Any:
        arguments = list(inputs)
        for i, x in zip(real, values, strict=True):
            arguments[i] = x
        return f(*arguments)

    at = [np.array(plain(inputs[i]), dtype=np.float64) for i in real]
    y, pullback = vjp(of_real, *at)
    g, h = random.standard_normal((2, *y.shape))
    _check_linear(name, pullback, g, h)
    try:
        _check_adjoint(name, of_real, at, pullback(g), g, random)
    except MissingDerivativeError as error:
        raise MissingDerivativeError(
            f"{name}: the derivative of the gradient is checked too, and a rule uses what has "
            f"none; {error}"
        ) from error

    def gradient(*values: Any) -> Any:
        found = vjp(of_real, *values)[1](g)
        return np.concatenate([np.ravel(part) for part in found])

    for law, function in (("gradient", of_real), ("gradient of the gradient", gradient)):
        report = gradcheck(function, *at, rng=random)
        if not report:
            raise GradientError(
                f"{name}: the {law} does not agree with finite differences. For a random "
                f"cotangent:\n{report}"
            )


def _check_linear(name: str, pullback: Callable[..., Any], g: Array, h: Array) -> None:
    before = g.copy()
    one, other, both = pullback(g), pullback(h), pullback(2 * g - h)
    if not np.array_equal(g, before):
        raise GradientError(f"{name}: a derivative wrote into the cotangent g, which it must not")
    for a, b, c in zip(one, other, both, strict=True):
        if not _agree(2 * a - b, c):
            raise GradientError(f"{name}: a derivative is not linear in the cotangent g")


def _check_adjoint(
    name: str,
    f: Callable[..., Any],
    at: Sequence[Array],
    pulled: Sequence[Array],
    g: Array,
    random: "np.random.Generator",
) -> None:
    tangents = [random.standard_normal(x.shape) for x in at]
    forward = np.sum(g * jvp(f, tuple(at), tuple(tangents))[1])
    reverse = sum(np.sum(p * t) for p, t in zip(pulled, tangents, strict=True))
    if not _agree(forward, np.asarray(reverse)):
        raise GradientError(
            f"{name}: a derivative does not let its cotangent g through: forward mode, which is "
            f"the derivative by g, gives {forward:.6g}, and reverse mode {reverse:.6g}"
        )


def _agree(a: Array, b: Array) -> bool:
    sizes = [np.abs(x[np.isfinite(x)]) for x in (np.asarray(a), np.asarray(b))]
    size = max(float(np.max(x, initial=0.0)) for x in sizes)
    return np.allclose(a, b, rtol=1e-8, atol=1e-11 * size, equal_nan=True)
