"""The one walker: it sends cotangents back through a recording.

Rows of the table know mathematics only. Everything they share happens here, once: the order of
the visit, adding up what reaches a node along several paths, summing broadcast axes away, keeping
each cotangent in its value's dtype, and keeping an unselected branch silent.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from .._typing import Array, Shape
from ..errors import GradientError
from ..primitives import ASTYPE, Deferred, Primitive, Trait, without_scalar
from .graph import NO_OPTIONS, Node, reachable

__all__ = ["Guard", "dependent", "gradients", "plan", "starting_gradient", "unbroadcast", "walk"]

Seeds = Sequence[tuple[Node, Array]]
Wrap = Callable[[Node], Array]


def plan(roots: Sequence[Node], targets: Collection[Node] | None = None) -> list[Node]:
    """The nodes a gradient must visit, users before their inputs.

    With targets, only nodes between them and the roots are kept, and the visit ends at the
    targets; without, every tracked node is kept.
    """
    if targets is None:
        return reachable(roots, tracked=True)
    return dependent(reachable(roots, tracked=True, until=targets), targets)


def dependent(order: list[Node], targets: Collection[Node]) -> list[Node]:
    """Those nodes of an order, in which users come before their inputs, that depend on targets."""
    found = set(targets)
    if all(node.inputs or node in found for node in order):
        return order  # there is nothing else to depend on
    for node in reversed(order):  # inputs come first, so one sweep finds all
        if not found.isdisjoint(node.parents):
            found.add(node)
    return [node for node in order if node in found]


def starting_gradient(where: str, root: Node) -> Array:
    """What `backward` last started with at an output, and 1 for a scalar that it never did.

    Raises:
        GradientError: neither is there; the message says where it was asked for.
    """
    if root.seed is not None:
        return root.seed
    if not root.tracked:
        raise GradientError(
            f"{where}: expected a result that depends on a Tensor that requires a gradient; got "
            f"{root.described}, which does not; make one with Tensor(..., requires_grad=True), "
            f"outside no_grad()"
        )
    if root.value.size != 1:
        raise GradientError(
            f"{where}: expected a scalar to start from; got {root.described}; call "
            f".backward(gradient) first, or reduce it with .sum()"
        )
    return np.ones_like(root.value)


def gradients(
    visit: Sequence[Node],
    seeds: Seeds,
    *,
    keep: Collection[Node] | None = None,
    targets: Collection[Node] = (),
    wrap: Wrap | None = None,
    select: bool = True,
) -> dict[Node, Array]:
    """The complete gradient of each visited node that is to be kept.

    A cotangent of zero must stay zero where the local derivative is infinite or NaN, as in the
    unselected branch of ``np.where(x > 0, np.log(x), 0)``. Guarding every row against 0·∞ would
    cost more than most rows do, so the walk is first made without; only if something that is not
    finite arrives is it made again, with the guard.

    Args:
        visit: the nodes in order, from `plan`.
        seeds: the roots, each with the cotangent to start from.
        keep: the nodes whose gradients to return; by default all.
        targets: nodes not to go beyond.
        wrap: as for `walk`.
        select: whether a zero in a seed says that the program did not select that element.
    """
    deferred = next((r.value for r, _ in seeds if isinstance(r.value, Deferred)), None)
    if deferred is not None:
        seeds = [
            (r, np.full_like(r.value, g) if isinstance(g, np.ndarray) else g) for r, g in seeds
        ]
        careful = Guard(seeds, select) if deferred.guarded else None
        steps = dict(deferred.follow(walk(visit, seeds, targets, wrap, guard=careful)))
        found = {node: g for node, g in steps.items() if keep is None or node in keep}
        deferred.expect_finite(found.values())
        return found
    lazy = not all(isinstance(root.value, np.ndarray) for root, _ in seeds)
    with np.errstate(all="ignore"):  # the forward pass has warned of what is singular
        if not lazy:  # another library's arrays are not there to be looked at
            found = dict(walk(visit, seeds, targets, wrap, keep))
            if all(map(_is_finite, found.values())):
                return found
        guard = Guard(seeds, select)
        return dict(walk(visit, seeds, targets, wrap, keep, guard))


def walk(
    visit: Sequence[Node],
    seeds: Seeds,
    targets: Collection[Node] = (),
    wrap: Wrap | None = None,
    keep: Collection[Node] | None = None,
    guard: "Guard | None" = None,
) -> Iterator[tuple[Node, Array]]:
    """Visit the nodes of a plan; yield each with its complete gradient, outputs first.

    This is the hot path of `backward`: every recorded operation passes through here once.

    Args:
        visit: the nodes in order, from `plan`.
        seeds: the roots, each with the cotangent to start from.
        targets: nodes not to go beyond.
        wrap: makes what the rules compute with from a tracked node. By default that is its plain
            value; a wrapper that makes Tensors has the visit itself recorded, for higher
            derivatives.
        keep: the nodes to yield; by default all.
        guard: makes 0·∞ 0 in what the program did not select, and at singular points.
    """
    # What has arrived at each node of the plan so far. Nothing is sent to any other.
    arrived: dict[Node, Array | None] = dict.fromkeys(visit)
    for root, seed in seeds:
        if root in arrived:
            arrived[root] = seed if (before := arrived[root]) is None else before + seed
    for node in visit:
        g = arrived[node]
        if g is None:
            continue
        arrived[node] = None  # nothing more comes: let it go
        if type(g) is not np.ndarray:
            g = without_scalar(g)
        if keep is None or node in keep:
            yield node, g
        primitive = node.primitive
        if primitive is None or node in targets:
            continue
        inputs, static = node.inputs, node.static or NO_OPTIONS
        arguments = [g, node.value if wrap is None else wrap(node)]
        for i in inputs:
            if type(i) is Node:
                i = i.value if wrap is None or not i.tracked else wrap(i)
            arguments.append(i)
        all_parts = primitive.pull(0, arguments, static) if primitive.variadic else None
        silent = None if guard is None else guard.silent(node, primitive, g)
        for k, parent in enumerate(inputs):
            if type(parent) is not Node or parent not in arrived:
                continue
            if all_parts:
                part = all_parts[k]
            elif static or (cell := primitive.derivatives[k]) is None:
                part = primitive.pull(k, arguments, static)
            else:  # as `pull` does, without its overhead
                part = cell.rule(*arguments)
            if silent is not None:
                part = np.where(silent[k] & ~np.isfinite(part), 0, part)
            like = parent.value
            if part.dtype is not like.dtype or part.shape != like.shape:
                part = _fit(part, like)
            arrived[parent] = part if (before := arrived[parent]) is None else before + part


class Guard:
    """Knows, during a walk, which elements the program selected, so that the others keep silent.

    A zero cotangent alone does not say that an element was not selected: in ln(1 + eˣ) the slope of
    ln vanishes where eˣ is infinite, and 0·∞ has no value there. So selection is followed
    through the graph beside the cotangents, by the same rules.

    Args:
        seeds: the roots, each with the cotangent to start from.
        select: whether a zero in a seed says that the program did not select that element.

    Attributes:
        selected: where each node that is reached was selected, until it is visited.
    """

    def __init__(self, seeds: Seeds, select: bool) -> None:
        self.selected: dict[Node, Array] = {}
        for root, seed in seeds:
            # A plain cotangent selects by its zeros; one that is differentiated by, everything.
            by_zeros = select and not hasattr(seed, "requires_grad")
            self._mark(root, seed != 0 if by_zeros else np.ones_like(root.value, dtype=bool))

    def _mark(self, node: Node, here: Array) -> None:
        before = self.selected.get(node)
        self.selected[node] = here if before is None else before | here

    def silent(self, node: Node, primitive: Primitive, g: Array) -> list[Array]:
        """Where 0·∞ is 0 in the part of each input: not selected, or singular for the row.

        Everywhere else parts stay what they are, linear in g, so second derivatives hold.
        """
        selected = self.selected.pop(node)
        reached = self._reached(node, primitive, selected)
        for parent, part in zip(node.inputs, reached, strict=True):
            if type(parent) is Node and parent.tracked:
                self._mark(parent, unbroadcast(part, parent.value.shape) != 0)
        if Trait.ELEMENTWISE in primitive.traits:
            singular = False if primitive.singular is None else primitive.singular(*node.operands)
            return [(g == 0) & (~selected | singular)] * len(reached)
        if primitive.traits & (Trait.SELECTS | Trait.LINEAR):
            return [~np.any(selected)] * len(reached)
        return [~part for part in reached]

    def _reached(self, node: Node, primitive: Primitive, selected: Array) -> list[Array]:
        """Which elements of each input the cotangent of the selected outputs can reach."""
        operands = node.operands
        if primitive.traits & (Trait.SELECTS | Trait.LINEAR):
            return self._flow(node, primitive, selected, node.value, operands)
        if Trait.ELEMENTWISE in primitive.traits:
            return [selected] * len(operands)
        # What mixes its elements is tried with numbers at which nothing vanishes by chance.
        random: Any = np.random.default_rng(0)
        values: list[Any] = [
            random.uniform(0.5, 1.5, v.shape).astype(v.dtype)
            if isinstance(v, (np.ndarray, Deferred)) and v.dtype.kind == "f"
            else v
            for v in operands
        ]
        if isinstance(node.value, (np.ndarray, Deferred)):
            with suppress(Exception):  # whatever a user's row may raise
                y = without_scalar(primitive.evaluate(values, node.static or NO_OPTIONS))
                if np.all(np.isfinite(y)):
                    return self._flow(node, primitive, selected, y, values)
        return [np.ones_like(v, dtype=bool) & np.any(selected) for v in operands]  # all, if any

    def _flow(
        self,
        node: Node,
        primitive: Primitive,
        selected: Array,
        y: Array,
        values: Sequence[Array],
    ) -> list[Array]:
        """Where the parts are not zero for a cotangent that is 1 where selected."""
        static, nothing = node.static or NO_OPTIONS, np.zeros(1, dtype=bool)
        arguments = [selected.astype(y.dtype), y, *values]
        if primitive.variadic:
            return [part != 0 for part in primitive.pull(0, arguments, static)]
        return [
            primitive.pull(k, arguments, static) != 0 if type(i) is Node and i.tracked else nothing
            for k, i in enumerate(node.inputs)
        ]


def _is_finite(g: Array) -> bool:
    """Whether all elements are. They, or their squares, add up to a number then, if in range.

    BLAS adds squares in less time than NumPy adds, but would copy what is broadcast.
    """
    value = g if isinstance(g, np.ndarray) else g._node.value  # a Tensor, if that is recorded
    whole = value.flags.c_contiguous
    total: Any = np.vdot(value, value) if whole else np.add.reduce(value, axis=None)
    return math.isfinite(total) or bool(np.all(np.isfinite(value)))


def _fit(g: Array, like: Array) -> Array:
    """Give a cotangent exactly the shape and dtype of the value it belongs to."""
    if g.shape != like.shape:
        g = unbroadcast(g, like.shape)
    if g.dtype is not like.dtype and g.dtype != like.dtype:
        g = ASTYPE(g, dtype=like.dtype)
    return g


def unbroadcast(g: Array, shape: Shape) -> Array:
    """Undo broadcasting: sum the axes along which a value was repeated.

    Broadcasting (3, 1) to (2, 3, 4) uses each element 2·4 times, so its gradient is the sum over
    the leading axis and over the last.

    Raises:
        GradientError: the two shapes are not related by broadcasting, as when a derivative that a
            user wrote returns something of the wrong shape.
    """
    # The function called sum is slower than the method, but other libraries know it.
    total: Any = np.add.reduce if type(g) is np.ndarray else np.sum
    added = g.ndim - len(shape)
    if added == 1 and g.shape[1:] == shape:
        if g.ndim == 2 and type(g) is np.ndarray and g.dtype.char in "fd" and g.flags.c_contiguous:
            return np.ones(len(g), g.dtype) @ g  # (2, 3) -> (3,): BLAS takes half the time
        return total(g, axis=0)
    kept = enumerate(shape[max(-added, 0) :], start=max(added, 0))  # the axes that both have
    stretched = [i for i, n in kept if n == 1 and g.shape[i] != 1]
    if stretched:
        g = total(g, axis=tuple(stretched), keepdims=True)  # (2, 3, 4) -> (2, 3, 1)
    if added > 0:
        g = total(g, axis=tuple(range(added)))  # (2, 3, 1) -> (3, 1)
    if g.shape != shape:
        # A gradient may also come back smaller than its value, as one that is constant there.
        try:
            return np.broadcast_to(g, shape)
        except ValueError:
            raise GradientError(
                f"backward: a derivative must return the shape {shape} of its input, "
                f"or one that broadcasts from it; got {g.shape}"
            ) from None
    return g
