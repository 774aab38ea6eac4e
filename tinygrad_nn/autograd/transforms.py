"""Derivatives as higher-order functions: arrays in, arrays out, Tensors where they are nested.

Each transform gives its function fresh inputs, records, and walks back. Nesting needs no levels:
an input that is itself being differentiated outside is passed on through an identity node, so
the inner walk ends at that node and the outer one goes on through it. Where the outcome depends
on anything outside, the inner walk is recorded, and the outcome is a Tensor.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._typing import Array
from ..errors import ArgumentError, DtypeError, GradientError, ShapeError
from ..primitives import IDENTITY
from .backward import gradients, plan
from .graph import Leaf, Node, reachable
from .recording import enable_grad, is_recording
from .tensor import Tensor

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "plain_output", "value_and_grad", "vjp"]

Function = Callable[..., Any]
Argnums = Any  # an integer, or a tuple or list of them


def grad(f: Function, argnums: Argnums = 0) -> Function:
    """The gradient ∇f of a scalar function, as a function of the same arguments.

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

    def transformed(*args: Any, **kwargs: Any) -> tuple[Array, Any]:
        run = _Run(f, args, kwargs, argnums)
        if run.y.value.size != 1:
            raise ShapeError(
                f"grad: expected a function that returns a scalar; got shape "
                f"{run.y.value.shape}; reduce it with .sum(), or use jacobian or vjp"
            )
        found = run.pull(np.ones_like(run.y.value))
        return run.present(run.y), found if _is_several(argnums) else found[0]

    return transformed


def vjp(f: Function, *primals: Any) -> tuple[Array, Callable[[Any], tuple[Array, ...]]]:
    """The value y = f(x) and the pullback g ↦ gᵀ·∂f/∂x.

    Returns:
        y, and a function from a cotangent of y's shape to one cotangent for each primal. It may be
        called more than once.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> y, pullback = tnn.vjp(np.sin, 0.0)
        >>> y, pullback(2.0)
        (array(0.), (array(2.),))
    """
    run = _Run(f, primals, {}, tuple(range(len(primals))))
    return run.present(run.y), run.pull


def jvp(f: Function, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """The value y = f(x) and its directional derivative ∂f/∂x·t.

    The pullback is linear in its cotangent, so its own pullback is the derivative along t: forward
    mode from the same table of derivatives. Outputs that do not depend on x give zeros.

    Args:
        f: takes arrays, returns an array.
        primals: the arguments, a tuple (one array stands for a tuple of one).
        tangents: one direction for each primal, of its shape.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.jvp(np.sin, (0.0,), (3.0,))
        (array(0.), array(3.))
    """
    primals, tangents = _as_tuples("jvp", primals, tangents)
    run = _Run(f, primals, {}, tuple(range(len(primals))))
    # Irregular, so that no two cancel: a singular row answers a zero cotangent with zero.
    places = np.arange(run.y.value.size).reshape(run.y.value.shape)
    irregular = (1 + (places * 0.6180339887) % 1).astype(run.y.value.dtype)
    u = _leaf(np.ones_like(run.y.value) * irregular)
    with enable_grad():
        pulled = _pull(run.visit, [(run.y, Tensor._of(u))], run.inputs, recorded=True)
    seeds = [(p, _matching("jvp", t, p.value)) for p, t in zip(pulled, tangents, strict=True)]
    recorded = run.nested or any(_is_traced(t) for _, t in seeds)
    u.leaf = None
    run.own.add(u)
    (dy,) = _pull(plan(pulled, {u}), seeds, (u,), recorded)
    return run.present(run.y), run.present(dy)


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
    outer = _Run(
        lambda *xs: _inner_products(grad(f, tuple(range(len(xs))))(*xs), tangents),
        primals, {}, tuple(range(len(primals))),
    )  # fmt: skip
    products = outer.pull(np.ones_like(outer.y.value))
    return products if len(primals) > 1 else products[0]


def jacobian(f: Function, argnums: Argnums = 0) -> Function:
    """The Jacobian ∂yᵢ/∂xⱼ of a function, of shape ``y.shape + x.shape``.

    One walk back for each element of y.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
        array([[2., 0.],
               [0., 4.]])
    """

    def transformed(*args: Any, **kwargs: Any) -> Any:
        run = _Run(f, args, kwargs, argnums)
        y = run.y.value
        basis = np.eye(y.size, dtype=y.dtype).reshape(y.size, *y.shape)
        rows = [run.pull(e) for e in basis]
        blocks = tuple(
            # (y.size, *x.shape) -> (*y.shape, *x.shape)
            np.reshape(np.stack([row[i] for row in rows]), y.shape + x.value.shape)
            if rows
            else np.zeros(y.shape + x.value.shape, dtype=x.value.dtype)
            for i, x in enumerate(run.inputs)
        )
        return blocks if _is_several(argnums) else blocks[0]

    return transformed


def hessian(f: Function, argnums: Argnums = 0) -> Function:
    """The Hessian ∂²f/∂xᵢ∂xⱼ of a scalar function, of shape ``x.shape + x.shape``.

    With a tuple of argnums it is a tuple of tuples of blocks.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> tnn.hessian(lambda x: (x**3).sum())(np.array([1.0, 2.0]))
        array([[ 6.,  0.],
               [ 0., 12.]])
    """
    if not _is_several(argnums):
        return jacobian(grad(f, argnums), argnums)

    def transformed(*args: Any, **kwargs: Any) -> Any:
        def row(i: int) -> Function:
            return lambda *inner, **options: grad(f, i)(*inner, **options)

        return tuple(jacobian(row(i), argnums)(*args, **kwargs) for i in argnums)

    return transformed


class _Run:
    """One recorded run of a function on fresh inputs, ready to be pulled back through."""

    def __init__(
        self, f: Function, args: Sequence[Any], kwargs: dict[str, Any], argnums: Argnums
    ) -> None:
        positions = _positions(argnums, len(args))
        arguments = list(args)
        recording = is_recording()
        with enable_grad():
            for i in set(positions):
                arguments[i] = _fresh_input(arguments[i])
            y = f(*arguments, **kwargs)
        for i in positions:
            arguments[i]._node.leaf = None  # to a run around this one, it is no leaf of anyone's
        self.inputs = tuple(arguments[i]._node for i in positions)
        self.own = set(self.inputs)
        self.y = y._node if isinstance(y, Tensor) else Node(plain_output(y))
        self.visit = plan([self.y], self.own)
        self.nested = recording and _depends_outside(self.y, self.own)
        self.tensors = any(isinstance(a, Tensor) for a in args)

    def pull(self, cotangent: Any) -> tuple[Array, ...]:
        """Send a cotangent of y back to the inputs; zeros where y does not depend on one."""
        g = _matching("vjp", cotangent, self.y.value)
        recorded = self.nested or _is_traced(g)
        return tuple(
            self.present(p) for p in _pull(self.visit, [(self.y, g)], self.inputs, recorded)
        )

    def present(self, outcome: Node | Array) -> Array:
        """Hand an outcome out: a Tensor where it is nested or Tensors came in, else an array."""
        tensor = Tensor._of(outcome if isinstance(outcome, Node) else Node(outcome))
        if is_recording() and _depends_outside(tensor._node, self.own):
            return tensor
        value = tensor._node.value
        # A private copy: the cotangents of two inputs may be one and the same array.
        return Tensor._of(Node(value)) if self.tensors else value.copy()


def _pull(
    visit: Sequence[Node],
    seeds: Sequence[tuple[Node, Array]],
    targets: Sequence[Node],
    recorded: bool,
) -> list[Node]:
    """The cotangents that arrive at the targets, as nodes: with their recipe if recorded."""
    if not recorded:
        seeds = [(root, g._node.value if isinstance(g, Tensor) else g) for root, g in seeds]
    ends = set(targets)
    arrived = gradients(
        visit, seeds, keep=ends.__contains__, targets=ends, wrap=Tensor._of if recorded else None
    )
    pulled = [arrived.get(t) for t in targets]
    return [
        p._node
        if isinstance(p, Tensor)
        else Node(np.zeros(t.value.shape, dtype=t.value.dtype) if p is None else p)
        for p, t in zip(pulled, targets, strict=True)
    ]


def _is_traced(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad and is_recording()


def _depends_outside(root: Node, own: set[Node]) -> bool:
    """Whether a value depends on a leaf, or through an input on its origin, that is not `own`."""
    return any(
        node.primitive is not None if node in own else node.leaf is not None
        for node in reachable([root], tracked=True, until=own)
    )


def _fresh_input(value: Any) -> Tensor:
    """An input that this run's walk ends at: an identity of a traced one, else a new leaf."""
    if isinstance(value, Tensor) and value.requires_grad:
        return Tensor._record(IDENTITY, (value,), {})
    tensor = Tensor(value)
    if tensor.dtype.kind != "f":
        raise DtypeError(
            f"grad: expected a floating-point argument to differentiate by; got {tensor.dtype}; "
            f"write 1.0 for 1, or convert with .astype(float)"
        )
    return Tensor._of(_leaf(tensor._node.value))


def _leaf(value: Array) -> Node:
    node = Node(value)
    node.tracked, node.leaf = True, Leaf()
    return node


def _positions(argnums: Any, count: int) -> list[int]:
    wanted = argnums if isinstance(argnums, (tuple, list)) else (argnums,)
    for n in wanted:
        if not isinstance(n, (int, np.integer)):
            raise ArgumentError(f"grad: expected integers for argnums; got {n!r}; count from 0")
        if not -count <= n < count:
            raise ArgumentError(
                f"grad: expected argnums of the function's {count} arguments; got {n}; count from 0"
            )
    return [int(n) % count for n in wanted]


def _is_several(argnums: Any) -> bool:
    """Whether several gradients were asked for, so that a tuple is to be returned."""
    return isinstance(argnums, (tuple, list))


def plain_output(y: Any) -> Array:
    """The value of what a function returned.

    Raises:
        GradientError: it is not one array of numbers.
    """
    value = y._node.value if isinstance(y, Tensor) else y
    if not hasattr(value, "__array_function__"):
        value = np.asarray(None if isinstance(value, (tuple, list)) else value)
    if value.dtype.kind not in "fiub":
        raise GradientError(
            f"grad: expected a function that returns one array; got {type(y).__name__}; "
            f"return one array of numbers"
        )
    return value


def _matching(where: str, given: Any, like: Array) -> Array:
    """A cotangent or tangent in the shape and dtype of its value."""
    g = given if isinstance(given, Tensor) else np.array(given, dtype=like.dtype)
    if g.dtype != like.dtype:
        g = g.astype(like.dtype)
    if g.shape != like.shape:
        raise ShapeError(f"{where}: expected a vector of shape {like.shape}; got {g.shape}")
    return g


def _as_tuples(where: str, primals: Any, tangents: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    if not isinstance(primals, (tuple, list)):
        primals, tangents = (primals,), (tangents,)
    if len(primals) != len(tangents):
        raise ArgumentError(
            f"{where}: expected one tangent for each primal; got {len(tangents)} for {len(primals)}"
        )
    return tuple(primals), tuple(tangents)


def _inner_products(gradients: Sequence[Array], tangents: Sequence[Any]) -> Array:
    total: Any = 0.0
    for gradient, tangent in zip(gradients, tangents, strict=True):
        total = total + np.sum(gradient * _matching("hvp", tangent, gradient))
    return total
