"""What the page computes with when a weight is changed: NumPy calls, written down node by node.

Each row's own function, and its own derivatives, run once on arrays that write down what is done
to them. So the page needs no derivative, only plain NumPy functions; and the walker that fits each
part to its input's shape and dtype is the one that `backward` uses.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..._typing import Array
from ...autograd import Graph, Node
from ...autograd.backward import walk
from ...autograd.graph import NO_OPTIONS
from ...compiler.program import Value
from ...compiler.tracing.trace import Trace
from ...compiler.tracing.traced import Traced
from ...errors import TinygradNNError
from ...primitives import without_scalar
from ..flow import Flow
from .functions import UnknownFunctionError, bound
from .masks import Mask, masks, steady
from .numbers import array_data, number

__all__ = ["Arithmetic", "arithmetic"]

_PARAMETERS = 200  # more weights than a person changes by hand
_ELEMENTS = 20_000  # of leaves and constants, all of which the page needs
_NODES = 2_000
_DTYPES = {"float64", "float32", "bool", "int64", "int32", "int16", "int8", "uint8", "uint16",
           "uint32"}  # fmt: skip

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
    found, still = masks(graph), set(steady(graph))
    codes: dict[Node, Code] = {}
    for node in graph.nodes:
        try:
            if node in found:
                codes[node] = _mask(found[node])
            elif node.primitive is not None and node not in still:
                codes[node] = _code(node, flow)
        except UnknownFunctionError as error:
            return Arithmetic(str(error), {}, {})
        except TinygradNNError:
            return Arithmetic(f"the page cannot compute {_named(node)}", {}, {})
        except Exception:  # whatever a user's row may raise on arrays that are not there
            return Arithmetic(f"the page cannot compute {_named(node)}", {}, {})
    return Arithmetic("", codes, found)


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
        if dtype is not None and str(dtype) not in _DTYPES:
            return f"the page does not compute in {dtype}"
        if not isinstance(value, (np.ndarray, np.generic, int, float, type(None))):
            return f"the page cannot hold a {type(value).__name__}"
    return ""


def _named(node: Node) -> str:
    return node.primitive.qualified_name if node.primitive else "a comparison"


class _Registers:
    """Arrays that write down what is done to them; each has a number, in the order of making."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.trace = Trace()
        self.numbers: dict[Value, int] = {}
        self.handed_out = [self._traced(v) for v in values]

    def _traced(self, value: Any) -> Any:
        if not isinstance(value, (np.ndarray, np.generic)):
            return value  # a Python number stays one
        handle = Traced(self.trace, Value(value.shape, value.dtype), value)
        self.numbers[handle.value] = len(self.numbers)
        return handle

    def written(self) -> list[list[Any]]:
        """The equations as lists: a function, its arguments, and the kind of its result."""
        return list(self._equations())

    def _equations(self) -> Iterator[list[Any]]:
        for equation in self.trace.equations:
            name, arguments = bound(equation.function, equation.args, equation.kwargs)
            if len(equation.outputs) != 1:
                raise UnknownFunctionError(f"the page does not know {name}, of several results")
            made = equation.output
            if str(made.dtype) not in _DTYPES:
                raise UnknownFunctionError(f"the page does not compute in {made.dtype}")
            terms = [self.term(argument) for argument in arguments]
            self.numbers[made] = len(self.numbers)
            yield [name, terms, list(made.shape), str(made.dtype)]

    def term(self, tree: Any) -> Any:
        """An argument as JSON: registers, constants, numbers, slices and lists of those."""
        if isinstance(tree, Traced):
            tree = tree.value
        if isinstance(tree, Value):
            if tree in self.numbers:
                return {"register": self.numbers[tree]}
            constant = self.trace.constants[tree]
            return {"array": array_data(constant, max(1, constant.size))}
        if isinstance(tree, np.ndarray):
            return {"array": array_data(tree, max(1, tree.size))}
        if isinstance(tree, (list, tuple)):
            return [self.term(item) for item in tree]
        if isinstance(tree, slice):
            return {"slice": [self.term(part) for part in (tree.start, tree.stop, tree.step)]}
        if tree is Ellipsis:
            return {"ellipsis": True}
        if tree is None or isinstance(tree, (bool, str)):
            return tree
        if isinstance(tree, (int, float, np.number, np.bool_)):
            found = number(tree)
            return {"number": found} if isinstance(found, str) else found
        return str(np.dtype(tree))


def _code(node: Node, flow: Flow) -> Code:
    """The equations of one operation, from its operands, and back to each of its inputs."""
    row = node.primitive
    if row is None:
        raise UnknownFunctionError("the page cannot compute a leaf")
    forward = _Registers(node.operands)
    y = row.evaluate(forward.handed_out, node.static or NO_OPTIONS)
    _expect_equal(y, node.value, node)
    code: Code = {"forward": forward.written(), "value": forward.term(without_scalar(y))}
    g = flow.gradients.get(node)
    if g is not None and node.tracked:
        back = _Registers([*node.operands, node.value, g])
        parts = _parts(node, back.handed_out)
        for k, part in parts.items():
            _expect_equal(part, flow.parts[node, k], node)
        code["backward"] = back.written()
        code["parts"] = {str(k): back.term(part) for k, part in parts.items()}
    return code


def _parts(node: Node, handed_out: Sequence[Any]) -> dict[int, Any]:
    """What the walker sends from one operation to each of its inputs."""
    *operands, y, g = handed_out
    inputs = [
        Node(value, tracked=i.tracked) if isinstance(i, Node) else value
        for i, value in zip(node.inputs, operands, strict=True)
    ]
    alone = Node(y, node.primitive, tuple(inputs), node.static, tracked=True)
    places = {i: k for k, i in enumerate(inputs) if isinstance(i, Node) and i.tracked}
    arrived = walk([alone, *places], [(alone, g)])
    return {places[i]: part for i, part in arrived if i in places}


def _mask(mask: Mask) -> Code:
    """The equations of a comparison that the recording holds as its result."""
    registers = _Registers([mask.of.value])
    y = mask.how(registers.handed_out[0], 0)
    return {"forward": registers.written(), "value": registers.term(y)}


def _expect_equal(found: Any, recorded: Array, node: Node) -> None:
    """Refuse arithmetic that does not give what was recorded."""
    value = getattr(found, "concrete", found)
    if not np.allclose(value, recorded, rtol=1e-9, atol=1e-12, equal_nan=True):
        raise UnknownFunctionError(
            f"computed alone, {_named(node)} gives other numbers than were recorded"
        )
