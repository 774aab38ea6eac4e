"""Derivatives as higher-order functions: arrays in, arrays out, Tensors where they are nested.

Each transform gives its function fresh inputs, records, and walks back: see run.py.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._typing import Array
from ..errors import ArgumentError, ShapeError
from .backward import plan
from .containers import leaves, leaves_like, rebuilt
from .recording import enable_grad
from .run import (
    Argnums,
    Function,
    Run,
    check_argnums,
    is_several,
    is_traced,
    matching,
    new_leaf,
    pull,
)
from .tensor import Tensor

__all__ = [
    "elementwise_grad",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "value_and_grad",
    "vjp",
]


def grad(f: Function, argnums: Argnums = 0) -> Function:
    """The gradient ∇f of a scalar function, as a function of the same arguments.

    An argument may be a tuple, list or dict of arrays, nested to any depth: its gradient comes
    back arranged in the same way.

    Args:
        f: takes arrays, returns a scalar.
        argnums: which argument to differentiate by; a tuple asks for a tuple of gradients.

    Raises:
        ShapeError: f returns more than one element.
        DtypeError: an argument to differentiate by is not floating-point.

    Example:
        >>> import tinygrad_nn as tnn
        >>> tnn.grad(lambda x: x**3)(2.0)
        array(12.)
        >>> tnn.grad(tnn.grad(lambda x: x**3))(2.0)
        array(12.)
        >>> tnn.grad(lambda p: p["w"] * 2.0 + p["b"])({"w": 3.0, "b": 1.0})
        {'w': array(2.), 'b': array(1.)}
    """
    both = value_and_grad(f, argnums)
    return lambda *args, **kwargs: both(*args, **kwargs)[1]


def value_and_grad(f: Function, argnums: Argnums = 0) -> Function:
    """The value of f and its gradient together, ``(f(x), ∇f(x))``; otherwise as `grad`.

    Example:
        >>> import tinygrad_nn as tnn
        >>> tnn.value_and_grad(lambda x: x**2)(3.0)
        (array(9.), array(6.))
    """
    check_argnums(argnums)

    def transformed(*args: Any, **kwargs: Any) -> tuple[Array, Any]:
        run = Run(f, args, kwargs, argnums)
        if run.y.value.size != 1:
            raise ShapeError(
                f"grad: expected a function that returns a scalar; got shape "
                f"{run.y.value.shape}; reduce it with .sum(), or use jacobian, elementwise_grad "
                f"or vjp"
            )
        found = run.pull([(run.y, np.ones_like(run.y.value))])
        return run.value(), found if is_several(argnums) else found[0]

    return transformed


def elementwise_grad(f: Function, argnums: Argnums = 0) -> Function:
    """The derivative of each output element by the input element at its place.

    For functions that act on each element alone: ∂yᵢ/∂xᵢ for every i, in one walk. Of any other
    function it is the sum over all outputs, Σⱼ ∂yⱼ/∂xᵢ.

    Raises:
        ShapeError: the output has another shape than an argument to differentiate by.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.elementwise_grad(lambda x: x**3)(np.array([1.0, 2.0]))
        array([ 3., 12.])
    """
    check_argnums(argnums)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        run = Run(f, args, kwargs, argnums)
        for node in run.inputs:
            if node.value.shape != run.y.value.shape:
                raise ShapeError(
                    f"elementwise_grad: expected an output of the argument's shape "
                    f"{node.value.shape}; got {run.y.value.shape}; use grad, jacobian or vjp"
                )
        found = run.pull([(run.y, np.ones_like(run.y.value))])
        return found if is_several(argnums) else found[0]

    return transformed


def vjp(f: Function, *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The value y = f(x) and the pullback g ↦ gᵀ·∂f/∂x.

    Primals and outputs may be containers of arrays: a cotangent is arranged as the output, and its
    image as the primals.

    Returns:
        y, and a function from a cotangent of y's shape to one cotangent for each primal. It may be
        called more than once.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> y, pullback = tnn.vjp(np.sin, 0.0)
        >>> y, pullback(2.0)
        (array(0.), (array(2.),))
    """
    run = Run(f, primals, {}, tuple(range(len(primals))))
    return run.value(), lambda cotangent: run.pull(run.seeds("vjp", cotangent))


def jvp(f: Function, primals: Any, tangents: Any) -> tuple[Any, Any]:
    """The value y = f(x) and its directional derivative ∂f/∂x·t.

    The pullback is linear in its cotangent, so its own pullback is the derivative along t: forward
    mode from the same table of derivatives. Outputs that do not depend on x give zeros.

    Args:
        f: takes arrays, or containers of them, and returns an array or a container.
        primals: the arguments, a tuple (one array stands for a tuple of one).
        tangents: one direction for each primal, of its shape.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.jvp(np.sin, (0.0,), (3.0,))
        (array(0.), array(3.))
    """
    primals, tangents = _as_tuples("jvp", primals, tangents)
    run = Run(f, primals, {}, tuple(range(len(primals))))
    cotangents = [new_leaf(_irregular(node.value)) for node in run.outputs]
    with enable_grad():
        seeds = [(y, Tensor._of(u)) for y, u in zip(run.outputs, cotangents, strict=True)]
        pulled = pull(run.visit, seeds, run.inputs, recorded=True)
    along = [
        (p, matching("jvp", t, p.value))
        for p, t in zip(pulled, leaves_like("jvp", primals, tangents), strict=True)
    ]
    recorded = run.nested or any(is_traced(t) for _, t in along)
    for u in cotangents:
        u.leaf = None
        run.own.add(u)
    changes = pull(plan(pulled, run.own), along, cotangents, recorded)
    return run.value(), rebuilt(run.output, run.present(changes))


def _irregular(like: Array) -> Array:
    """Numbers of which no two cancel: a singular row answers a zero cotangent with zero."""
    places = np.arange(like.size).reshape(like.shape)
    return np.ones_like(like) * (1 + (places * 0.6180339887) % 1).astype(like.dtype)


def hvp(f: Function, primals: Any, tangents: Any) -> Any:
    """The Hessian of a scalar function times a vector, ∇²f(x)·t, without the Hessian.

    It is the pullback of the gradient, since a Hessian is symmetric.

    Args:
        f: takes arrays, returns a scalar.
        primals: the arguments, a tuple (one array stands for a tuple of one).
        tangents: one direction for each primal, of its shape.

    Returns:
        The product: one array for one primal, a tuple for several.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.hvp(lambda x: (x**3).sum(), np.array([1.0, 2.0]), np.array([1.0, 0.0]))
        array([6., 0.])
    """
    primals, tangents = _as_tuples("hvp", primals, tangents)
    every = tuple(range(len(primals)))
    run = Run(lambda *xs: grad(f, every)(*xs), primals, {}, every)
    products = run.pull(run.seeds("hvp", tangents))
    return products if len(primals) > 1 else products[0]


def jacobian(f: Function, argnums: Argnums = 0) -> Function:
    """The Jacobian ∂yᵢ/∂xⱼ of a function, of shape ``y.shape + x.shape``.

    One walk back for each element of y. Of containers it is a container, arranged as the output,
    of containers arranged as the argument.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
        array([[2., 0.],
               [0., 4.]])
    """
    check_argnums(argnums)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        run = Run(f, args, kwargs, argnums)

        def blocks(y: Any) -> Any:
            basis = np.eye(y.value.size, dtype=y.value.dtype)
            rows = [leaves(run.pull([(y, e.reshape(y.value.shape))])) for e in basis]
            found = run.arranged(
                # (y.size, *x.shape) -> (*y.shape, *x.shape)
                np.reshape(np.stack([row[i] for row in rows]), y.value.shape + x.value.shape)
                if rows
                else np.zeros(y.value.shape + x.value.shape, dtype=x.value.dtype)
                for i, x in enumerate(run.inputs)
            )
            return found if is_several(argnums) else found[0]

        return rebuilt(run.output, map(blocks, run.outputs))

    return transformed


def hessian(f: Function, argnums: Argnums = 0) -> Function:
    """The Hessian ∂²f/∂xᵢ∂xⱼ of a scalar function, of shape ``x.shape + x.shape``.

    With a tuple of argnums it is a tuple of tuples of blocks; of a container, a container of
    containers.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.hessian(lambda x: (x**3).sum())(np.array([1.0, 2.0]))
        array([[ 6.,  0.],
               [ 0., 12.]])
    """
    return jacobian(grad(f, argnums), argnums)


def _as_tuples(where: str, primals: Any, tangents: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    if not isinstance(primals, (tuple, list)):
        primals, tangents = (primals,), (tangents,)
    if len(primals) != len(tangents):
        raise ArgumentError(
            f"{where}: expected one tangent for each primal; got {len(tangents)} for {len(primals)}"
        )
    return tuple(primals), tuple(tangents)
