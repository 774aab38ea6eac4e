"""One recorded run of a function, ready to be pulled back through: what every transform is made of.

Nesting needs no levels: an input that is itself being differentiated outside is passed on through
an identity node, so the inner walk ends at that node and the outer one goes on through it. Where
the outcome depends on anything outside, the inner walk is recorded, and the outcome is a Tensor.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from .._typing import Array
from ..errors import ArgumentError, ConversionError, DtypeError, GradientError, ShapeError
from ..primitives import IDENTITY, private_numbers, refuse_masked
from .backward import dependent, gradients
from .containers import is_container, leaves, leaves_like, rebuilt
from .graph import Leaf, Node, reachable
from .recording import enable_grad, is_recording, state
from .tensor import Tensor

__all__ = [
    "Argnums",
    "Function",
    "Run",
    "check_argnums",
    "fresh_input",
    "is_several",
    "is_traced",
    "matching",
    "new_leaf",
    "plain_output",
    "pull",
]

Function = Callable[..., Any]
Argnums = Any  # an integer, or a tuple or list of them


class Run:
    """One recorded run of a function on fresh inputs, which may come in containers."""

    def __init__(
        self, f: Function, args: Sequence[Any], kwargs: dict[str, Any], argnums: Argnums
    ) -> None:
        positions = _positions(argnums, len(args))
        arguments = list(args)
        recording = is_recording()
        fresh: dict[int, list[Tensor]] = {}
        with enable_grad():
            for i in set(positions):
                fresh[i] = [fresh_input(leaf) for leaf in leaves(args[i])]
                arguments[i] = rebuilt(args[i], iter(fresh[i]))
            state.transforms += 1
            try:
                self.output = f(*arguments, **kwargs)
            except ValueError as error:  # what NumPy makes of ours, in array[i] = Tensor
                if isinstance(error.__cause__, ConversionError):
                    raise error.__cause__ from None
                raise
            finally:
                state.transforms -= 1
        self.chosen = tuple(args[i] for i in positions)  # the arguments as they came
        self.inputs = tuple(t._node for i in positions for t in fresh[i])
        for node in self.inputs:
            node.leaf = None  # to a run around this one, it is no leaf of anyone's
        self.own = set(self.inputs)
        self.outputs = tuple(map(_output_node, leaves(self.output)))
        order = reachable(self.outputs, tracked=True, until=self.own)
        self.visit = dependent(order, self.own)
        self.nested = recording and any(map(self._leads_outside, order))
        self.tensors = any(isinstance(leaf, Tensor) for leaf in leaves(args))

    @property
    def y(self) -> Node:
        """The one array that the function returned.

        Raises:
            GradientError: it returned several.
        """
        if is_container(self.output):
            plain_output(self.output)
        return self.outputs[0]

    def value(self) -> Any:
        """What the function returned, handed out."""
        return rebuilt(self.output, self.present(self.outputs))

    def pull(self, cotangents: Iterable[tuple[Node, Any]]) -> tuple[Any, ...]:
        """Send cotangents of outputs back: one container of gradients for each chosen argument.

        They are zeros where nothing depends on an input.
        """
        seeds = list(cotangents)
        recorded = self.nested or any(is_traced(g) for _, g in seeds)
        found = pull(self.visit, seeds, self.inputs, recorded)
        return self.arranged(self.present(found))

    def arranged(self, values: Iterable[Any]) -> tuple[Any, ...]:
        """One value for each input, arranged as the chosen arguments are."""
        rest = iter(values)
        return tuple(rebuilt(tree, rest) for tree in self.chosen)

    def seeds(self, where: str, cotangent: Any) -> list[tuple[Node, Any]]:
        """Each output with its part of a cotangent."""
        parts = leaves_like(where, self.output, cotangent)
        return [
            (node, matching(where, part, node.value))
            for node, part in zip(self.outputs, parts, strict=True)
        ]

    def present(self, outcomes: Sequence[Node]) -> Iterator[Array]:
        """Hand outcomes out: Tensors where they are nested or Tensors came in, else arrays."""
        nested = self._outside(outcomes) if is_recording() else set()
        for node in outcomes:
            if node in nested:
                yield Tensor._of(node)
            else:  # a private copy: the cotangents of two inputs may be one and the same array
                yield Tensor._of(Node(node.value)) if self.tensors else node.value.copy()

    def _outside(self, outcomes: Sequence[Node]) -> set[Node]:
        """The nodes that outcomes are made of, and that depend on what is not of this run."""
        marked: set[Node] = set()
        for node in reversed(reachable(outcomes, tracked=True, until=self.own)):  # inputs first
            if self._leads_outside(node) or not marked.isdisjoint(node.parents):
                marked.add(node)
        return marked

    def _leads_outside(self, node: Node) -> bool:
        """Whether a node is another leaf, or an input that is differentiated outside."""
        return node.primitive is not None if node in self.own else node.leaf is not None


def pull(
    visit: Sequence[Node],
    seeds: Sequence[tuple[Node, Array]],
    targets: Sequence[Node],
    recorded: bool,
    *,
    select: bool = True,
) -> list[Node]:
    """The cotangents that arrive at the targets, as nodes: with their recipe if recorded."""
    if not recorded:
        seeds = [(root, g._node.value if isinstance(g, Tensor) else g) for root, g in seeds]
    ends = set(targets)
    arrived = gradients(
        visit, seeds, keep=ends, targets=ends, wrap=Tensor._of if recorded else None, select=select
    )
    pulled = [arrived.get(t) for t in targets]
    return [
        p._node
        if isinstance(p, Tensor)
        else Node(np.zeros(t.value.shape, dtype=t.value.dtype) if p is None else p)
        for p, t in zip(pulled, targets, strict=True)
    ]


def is_traced(value: Any) -> bool:
    """Whether a value is being differentiated by now."""
    return isinstance(value, Tensor) and value.requires_grad and is_recording()


def fresh_input(value: Any) -> Tensor:
    """An input that this run's walk ends at: an identity of a traced one, else a new leaf.

    Raises:
        DtypeError: it is not floating-point.
    """
    if isinstance(value, Tensor) and value.requires_grad:
        return value._record(IDENTITY, (value,))
    tensor = Tensor(value)
    if tensor.dtype.kind != "f":
        raise DtypeError(
            f"grad: expected a floating-point argument to differentiate by; got {tensor.dtype}; "
            f"write 1.0 for 1, or convert with .astype(float)"
        )
    return Tensor._of(new_leaf(tensor._node.value))


def new_leaf(value: Array) -> Node:
    """A leaf that collects a gradient, without a Tensor to show it."""
    node = Node(value)
    node.tracked, node.leaf = True, Leaf()
    return node


def check_argnums(argnums: Any) -> None:
    """Refuse what cannot be argnums, when a transform is made and not only when it is used.

    Raises:
        ArgumentError: they are no integers.
    """
    for n in argnums if is_several(argnums) else (argnums,):
        if not isinstance(n, (int, np.integer)):
            raise ArgumentError(
                f"grad: expected an integer, or a tuple of them, for argnums; got "
                f"{type(n).__name__}; call the result with the arguments, as in grad(f)(x)"
            )


def _positions(argnums: Any, count: int) -> list[int]:
    wanted = argnums if is_several(argnums) else (argnums,)
    for n in wanted:
        if not -count <= n < count:
            raise ArgumentError(
                f"grad: expected argnums of the {count} arguments that were passed by position; "
                f"got {n}; count from 0"
            )
    return [int(n) % count for n in wanted]


def is_several(argnums: Any) -> bool:
    """Whether several gradients were asked for, so that a tuple is to be returned."""
    return isinstance(argnums, (tuple, list))


def _output_node(y: Any) -> Node:
    return y._node if isinstance(y, Tensor) else Node(plain_output(y))


def plain_output(y: Any) -> Array:
    """The value of what a function returned.

    Raises:
        GradientError: it is not one array of numbers.
    """
    value = y._node.value if isinstance(y, Tensor) else y
    refuse_masked("grad", value)
    if not hasattr(value, "__array_function__"):
        value = np.asarray(None if is_container(value) else value)
    if value.dtype.kind not in "fiub":
        raise GradientError(
            f"grad: expected a function that returns one array; got {type(y).__name__}; "
            f"return one array of numbers"
        )
    return value


def matching(where: str, given: Any, like: Array) -> Array:
    """A cotangent or tangent in the shape and dtype of its value.

    Raises:
        ShapeError: it has another shape.
        DtypeError: it is no array of real numbers.
    """
    g = given if isinstance(given, Tensor) else private_numbers(where, given, like.dtype)
    if g.dtype != like.dtype:
        g = g.astype(like.dtype)
    if g.shape != like.shape:
        raise ShapeError(f"{where}: expected a vector of shape {like.shape}; got {g.shape}")
    return g
