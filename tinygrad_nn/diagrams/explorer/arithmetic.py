"""What the page computes with when a weight is changed: NumPy calls, written down node by node.

Each row's own function, and its own derivatives, run once on arrays that write down what is done
to them. So the page needs no derivative, only plain NumPy functions; and the walker that fits each
part to its input's shape and dtype is the one that `backward` uses.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..._typing import Array
from ...autograd import Graph, Node
from ...autograd.backward import Guard, plan, walk
from ...autograd.graph import NO_OPTIONS
from ...primitives import Primitive, without_scalar
from ..flow import Flow
from .functions import UnknownFunctionError
from .masks import Mask, masks, steady
from .registers import DTYPES, Registers

__all__ = ["Arithmetic", "arithmetic"]

_PARAMETERS = 200  # more weights than a person changes by hand
_ELEMENTS = 20_000  # of leaves and constants, all of which the page needs
_NODES = 1_000  # more take Python seconds to write down
Code: TypeAlias = dict[str, Any]


class Arithmetic(NamedTuple):
    """The page's arithmetic, node by node, or why there is none.

    Attributes:
        refusal: why nothing can be changed; empty if it can.
        codes: for each computed node its equations, as JSON has them.
        masks: which values hold a comparison, and of what.
    """

    refusal: str
    codes: Mapping[Node, Code]
    masks: Mapping[Node, Mask]


def arithmetic(graph: Graph, flow: Flow) -> Arithmetic:
    """The arithmetic of a recording, or the reason why the page cannot compute it.

    Args:
        graph: a recording.
        flow: what flows back through it.
    """
    refusal = _too_large(graph) or _strange(graph)
    if refusal:
        return Arithmetic(refusal, {}, {})
    try:
        return _Writer(graph, flow).written()
    except UnknownFunctionError as error:
        return Arithmetic(str(error), {}, {})


def _too_large(graph: Graph) -> str:
    """Why a recording has too many numbers to change."""
    leaves = [node for node in graph.nodes if node.primitive is None]
    parameters = sum(node.value.size for node in leaves if node.tracked)
    if parameters > _PARAMETERS:
        return f"{parameters:,} parameters; up to {_PARAMETERS} can be edited"
    if len(graph) > _NODES:
        return f"{len(graph):,} nodes; up to {_NODES:,} are computed again"
    constants = [i for n in graph.nodes for i in n.inputs if isinstance(i, np.ndarray)]
    held = sum(node.value.size for node in leaves) + sum(map(np.size, constants))
    if held > _ELEMENTS:
        return f"{held:,} numbers come in; up to {_ELEMENTS:,} are kept in a page"
    if not any(node.value.dtype.kind == "f" for node in leaves):
        return "there is no number to change"
    return ""


def _strange(graph: Graph) -> str:
    """Why the page cannot hold the numbers of a recording."""
    for value in (v for node in graph.nodes for v in (node.value, *node.operands)):
        dtype = getattr(value, "dtype", None)
        if dtype is not None and str(dtype) not in DTYPES:
            return f"the page does not compute in {dtype}"
        if not isinstance(value, (np.ndarray, np.generic, int, float, type(None))):
            return f"the page cannot hold a {type(value).__name__}"
    return ""


def _named(node: Node) -> str:
    return node.primitive.qualified_name if node.primitive else "a comparison"


class _Writer:
    """Writes down each node of a recording, and compares what it gives with what was recorded."""

    def __init__(self, graph: Graph, flow: Flow) -> None:
        self.graph = graph
        self.flow = flow
        self.masks = masks(graph)
        self.still = set(steady(graph))
        self.codes: dict[Node, Code] = {}
        self.selected: dict[
            Node, Array
        ] = {}  # where each node counts, as the guard of a walk has it
        self.mistaken: list[Node] = []  # which need the guard

    def written(self) -> Arithmetic:
        """The arithmetic of all nodes."""
        for node in self.graph.nodes:
            if node in self.masks:
                self.codes[node] = _mask(self.masks[node])
            elif node.primitive is not None and node not in self.still:
                self.codes[node] = self._attempted(node, self._forward)
        self.selected = {out: seed != 0 for out, seed in self.flow.seeds.items()}
        for node in plan(list(self.flow.seeds)):
            if node in self.codes and node in self.flow.gradients:
                self._attempted(node, self._backward)
        if self.mistaken and any("guarded" not in self.codes[node] for node in self.mistaken):
            raise UnknownFunctionError(_told_other(self.mistaken[0]))
        return Arithmetic("", self.codes, self.masks)

    def _attempted(self, node: Node, write: Callable[[Node], Code]) -> Code:
        try:
            return write(node)
        except UnknownFunctionError:
            raise
        except Exception as error:  # whatever a user's row may do with arrays that are not there
            raise UnknownFunctionError(f"the page cannot compute {_named(node)}") from error

    def _forward(self, node: Node) -> Code:
        """From the operands to the value."""
        row, registers = _row(node), Registers(node.operands)
        y = row.evaluate(registers.handed_out, node.static or NO_OPTIONS)
        if not _agrees(y, node.value):
            raise UnknownFunctionError(_told_other(node))
        return {"forward": registers.written(), "value": registers.term(without_scalar(y))}

    def _backward(self, node: Node) -> Code:
        """From the gradient to the part of each input, without the walker's guard, and with it."""
        code, g = self.codes[node], self.flow.gradients[node]
        registers = Registers([*node.operands, node.value, g])
        parts, _ = _parts(node, registers.handed_out)
        code["backward"] = registers.written()
        code["parts"] = {str(k): registers.term(part) for k, part in parts.items()}
        right = all(_agrees(part, self.flow.parts[node, k]) for k, part in parts.items())
        if not right:
            self.mistaken.append(node)
        with suppress(UnknownFunctionError):
            self._guarded(node, code)
        return code

    def _guarded(self, node: Node, code: Code) -> None:
        g, here = self.flow.gradients[node], self.selected[node]
        registers = Registers([*node.operands, node.value, g, here])
        *arguments, selected = registers.handed_out
        parts, reached = _parts(node, arguments, selected)
        if not all(_agrees(part, self.flow.parts[node, k]) for k, part in parts.items()):
            return
        code["guarded"] = registers.written()
        code["guardedParts"] = {str(k): registers.term(part) for k, part in parts.items()}
        code["reached"] = {str(k): registers.term(there) for k, there in reached.items()}
        for k, there in reached.items():
            value, parent = np.asarray(getattr(there, "concrete", there)), node.inputs[k]
            before = self.selected.get(parent)
            self.selected[parent] = value if before is None else before | value


def _row(node: Node) -> Primitive:
    if node.primitive is None:
        raise UnknownFunctionError("the page cannot compute a leaf")
    return node.primitive


def _parts(
    node: Node, handed_out: Sequence[Any], selected: Any = None
) -> tuple[dict[int, Any], dict[int, Any]]:
    """What the walker sends from one operation to each of its inputs, and where that is selected.

    Without knowledge of what is selected, the walk is made without its guard.
    """
    *operands, y, g = handed_out
    inputs = [
        Node(value, tracked=i.tracked) if isinstance(i, Node) else value
        for i, value in zip(node.inputs, operands, strict=True)
    ]
    alone = Node(y, node.primitive, tuple(inputs), node.static, tracked=True)
    places = {i: k for k, i in enumerate(inputs) if isinstance(i, Node) and i.tracked}
    guard = None
    if selected is not None:
        guard = Guard([], select=True)
        guard.selected[alone] = selected
    arrived = walk([alone, *places], [(alone, g)], guard=guard)
    parts = {places[i]: part for i, part in arrived if i in places}
    reached = {} if guard is None else {places[i]: there for i, there in guard.selected.items()}
    return parts, reached


def _mask(mask: Mask) -> Code:
    """The equations of a comparison that the recording holds as its result."""
    registers = Registers([mask.of.value])
    y = mask.how(registers.handed_out[0], 0)
    return {"forward": registers.written(), "value": registers.term(y)}


def _agrees(found: Any, recorded: Array) -> bool:
    value = getattr(found, "concrete", found)
    return np.allclose(value, recorded, rtol=1e-9, atol=1e-12, equal_nan=True)


def _told_other(node: Node) -> str:
    return f"computed alone, {_named(node)} gives other numbers than were recorded"
