"""What the page knows of a recording, as plain data for JSON."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from ..._scope import Scope
from ..._typing import Array
from ...autograd import Graph, Node
from ...autograd.backward import plan
from ...autograd.recording import SourceLine
from ...primitives import Primitive, Trait
from ...primitives.primitive import parameters_of
from ...verify.nodes import NodeCheck
from ..flow import Flow, order_of_arrival
from ..places import places_in
from .arithmetic import arithmetic
from .masks import held
from .numbers import array_data, limit_for, number

__all__ = ["page_data"]

_LETTERS = "abcdefhijk"
_TEXT = 200  # characters of a line or an argument that a card has room for
_NAME = 1000  # of a name


def page_data(
    graph: Graph, seeds: Mapping[Node, Array], checks: Mapping[Node, NodeCheck]
) -> dict[str, Any]:
    """Everything that the page shows, and computes with.

    Args:
        graph: a recording.
        seeds: the cotangents to start from, by output.
        checks: verdicts on the gradients.
    """
    return _Model(graph, seeds, checks).data()


class _Model:
    """A recording on its way to the page."""

    def __init__(
        self, graph: Graph, seeds: Mapping[Node, Array], checks: Mapping[Node, NodeCheck]
    ) -> None:
        self.graph = graph
        self.seeds = {root: np.asarray(seed) for root, seed in seeds.items() if root.tracked}
        self.checks = checks
        self.places = places_in(graph.nodes)
        self.ids = {node: i for i, node in enumerate(graph.nodes)}
        self.users: dict[Node, list[Node]] = {node: [] for node in graph.nodes}
        for node in graph.nodes:
            for parent in node.parents:
                self.users[parent].append(node)
        roots = list(self.seeds)
        self.arrival = order_of_arrival(roots)
        self.right = Flow(graph, self.seeds)
        self.wrong = Flow(graph, self.seeds, self.arrival) if roots else self.right
        self.arithmetic = arithmetic(graph, self.right)
        self.limit = limit_for(self._sizes())
        self.constants: list[dict[str, Any]] = []  # numbered after the nodes
        self.scopes: dict[Scope, int] = {}  # each once, though many nodes are in it

    def _sizes(self) -> list[int]:
        """How many elements each array has that the page may show."""
        sizes = [node.value.size for node in self.graph.nodes]
        for flow in (self.right, self.wrong):
            sizes += [g.size for g in flow.gradients.values()]
            sizes += [g.size for g in flow.parts.values()]
        return sizes

    def data(self) -> dict[str, Any]:
        """The whole of it."""
        nodes = [self._node(node) for node in self.graph.nodes]
        order = plan(list(self.seeds))
        return {
            "scopes": [[_cut(name, _NAME) for name in scope] for scope in self.scopes],
            "nodes": nodes + self.constants,
            "outputs": [self.ids[out] for out in self.graph.outputs],
            "seeds": [
                {"node": self.ids[root], "seed": self._array(seed)}
                for root, seed in self.seeds.items()
            ],
            "orders": {
                "right": [self.ids[n] for n in order if n in self.right.gradients],
                "wrong": [self.ids[n] for n in self.arrival if n in self.wrong.gradients],
            },
            "refusal": self.arithmetic.refusal,
            "held": []
            if self.arithmetic.refusal
            else [self.ids[node] for node in held(self.graph, self.arithmetic.masks)],
        }

    def _array(self, value: Array) -> dict[str, Any]:
        return array_data(value, self.limit)

    def _whole(self, value: Array) -> dict[str, Any]:
        """What the page computes from: all of it, where it computes."""
        return self._array(value) if self.arithmetic.refusal else array_data(value, value.size)

    def _value(self, node: Node) -> dict[str, Any]:
        computed = node in self.arithmetic.codes
        return self._array(node.value) if computed else self._whole(node.value)

    def _node(self, node: Node) -> dict[str, Any]:
        row = node.primitive
        data: dict[str, Any] = {
            "title": _cut(str(node.name or "") or (row.name if row else self._kind(node)), _NAME),
            "kind": self._kind(node),
            "scope": self._place(self.places[node]),
            "tracked": node.tracked,
            "value": self._value(node),
            "inputs": [self._input(node, k, i) for k, i in enumerate(node.inputs)],
        }
        if node in self.right.gradients:
            gradient = self.right.gradients[node]
            data["gradient"] = self._array(gradient)
            data["wrong"] = self._beside(gradient, self.wrong.gradients.get(node))
        if row is not None:
            data["operation"] = _operation(node, row)
        if node.source is not None:
            data["source"] = _source(node.source)
        if node in self.checks:
            data["check"] = _check(self.checks[node], node.value.size)
        if node in self.arithmetic.codes:
            data["code"] = self.arithmetic.codes[node]
        if node in self.arithmetic.masks:
            data["compares"] = self.ids[self.arithmetic.masks[node].of]
        return data

    def _kind(self, node: Node) -> str:
        if node in self.graph.outputs:
            return "output"
        if node.primitive is not None:
            return "operation"
        if node.tracked:
            return "parameter"
        return "input" if node.name is not None or node.value.dtype.kind == "f" else "constant"

    def _place(self, scope: Scope) -> int:
        return self.scopes.setdefault(scope, len(self.scopes))

    def _input(self, node: Node, k: int, operand: Any) -> dict[str, Any]:
        """One operand: a node, or a constant, which gets a place among the nodes."""
        if operand is None:
            return {"node": None}
        if not isinstance(operand, Node):
            return self._constant(node, operand)
        data: dict[str, Any] = {"node": self.ids[operand]}
        part = self.right.parts.get((node, k))
        if part is not None:
            data["part"] = self._array(part)
            data["wrong"] = self._beside(part, self.wrong.parts.get((node, k)))
        return data

    def _constant(self, user: Node, value: Any) -> dict[str, Any]:
        plain = isinstance(value, (int, float)) and not isinstance(value, np.generic)
        array = np.asarray(value)
        self.constants.append(
            {
                "title": "constant",
                "kind": "constant",
                "scope": self._place(user.scope),
                "tracked": False,
                "value": self._whole(array),
                "inputs": [],
            }
        )
        data: dict[str, Any] = {"node": len(self.graph) + len(self.constants) - 1}
        return data | {"number": True} if plain else data

    def _beside(self, right: Array, wrong: Array | None) -> Any:
        """What another order gives: nothing, the same, or other numbers."""
        if wrong is None:
            return None
        return "same" if np.array_equal(right, wrong, equal_nan=True) else self._array(wrong)


def _operation(node: Node, row: Primitive) -> dict[str, Any]:
    """What a card says of an operation: its formulas, and by which letters they call its inputs."""
    cells = row.derivatives * len(node.inputs) if row.variadic else row.derivatives
    letters: Sequence[str] = ()
    for cell in row.derivatives:
        if cell is not None:
            letters = parameters_of(cell.rule).positional[2 : 2 + row.arrays]
            break
    if row.variadic:
        letters = [f"a{_lowered(k + 1)}" for k in range(len(node.inputs))]
    elif len(letters) < row.arrays:
        letters = _LETTERS[: row.arrays]
    return {
        "name": row.name,
        "call": _call(node.static or {}),
        "formula": row.formula,
        "letters": list(letters),
        "elementwise": Trait.ELEMENTWISE in row.traits,
        "derivatives": [None if cell is None else cell.formula for cell in cells],
    }


def _lowered(count: int) -> str:
    return "".join(chr(ord("₀") + int(digit)) for digit in str(count))


def _source(line: SourceLine) -> dict[str, Any]:
    return {"file": PurePath(line.file).name, "line": line.line, "text": _cut(line.text, _TEXT)}


def _check(check: NodeCheck, size: int) -> dict[str, Any]:
    return {
        "verdict": check.verdict.value,
        "right": bool(check.right),
        "analytic": number(check.analytic),
        "numeric": number(check.numeric),
        "madeBy": list(check.made_by),
        "direction": size > 1,
    }


def _call(static: Mapping[str, Any]) -> str:
    """The static arguments of a call, as people write them."""
    text = ", ".join(f"{name}={_written(value)}" for name, value in static.items())
    return _cut(text, _TEXT)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _written(value: Any) -> str:
    if isinstance(value, slice):
        bounds = (value.start, value.stop, value.step)
        start, stop, step = ("" if part is None else str(part) for part in bounds)
        return f"{start}:{stop}" + (f":{step}" if step else "")
    if isinstance(value, np.ndarray):
        return f"array{value.shape}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_written, value)) + ("," if len(value) == 1 else "") + ")"
    if isinstance(value, (np.dtype, np.generic)):
        return str(value)
    return "…" if value is Ellipsis else repr(value)
