"""Who is to blame for a wrong gradient: the first recorded operation that is wrong by itself.

Each operation is checked on the very operands that it was recorded with. If all of them are right,
the mistake lies between them: contributions that were not added up, or what f computes beside the
recording.
"""

from typing import Any, NamedTuple

import numpy as np

from .._typing import Shape
from ..autograd import Graph, Node
from ..autograd.recording import SourceLine
from ..errors import MissingDerivativeError
from .check import Check
from .inspection import findings
from .nodes import check_nodes
from .replay import lifted
from .verdicts import Finding, Verdict, is_mistaken

__all__ = ["Blame", "find_blame"]

_BY_ELEMENT = 64  # operands of more elements are probed along directions


class Blame(NamedTuple):
    """The first mistake: which operation makes it, where it was called, and on what."""

    reason: str
    primitive: str | None = None
    argument: str | None = None
    scope: str = ""
    shapes: tuple[Shape, ...] = ()
    source: SourceLine | None = None
    finding: Finding | None = None  # of the operation alone

    def __str__(self) -> str:
        lines = [f"blame: {self.reason}"]
        if self.primitive is not None:
            where = f" in {self.scope}" if self.scope else ""
            of = " and ".join(map(str, self.shapes))
            lines.append(
                f"  {self.primitive}{where}" + (f", of inputs of shape {of}" if of else "")
            )
        if self.finding is not None:
            worst = self.finding.worst
            lines.append(
                f"  its derivative by {self.argument} at {self.finding.at}: analytic "
                f"{worst.analytic:.6g}, numeric {worst.numeric:.6g} ± {worst.error_bar:.1e}"
            )
        if self.source is not None:
            text = self.source.text
            lines.append(f"  at {self.source}" + (f": {text}" if text else ""))
        return "\n".join(lines)


def find_blame(first: Check, order: int = 1) -> Blame:
    """Find the first mistake behind a wrong gradient.

    Args:
        first: the check of the user's function itself.
        order: which derivative is wrong: 2 for the gradient of the gradient.
    """
    run = first.run
    nodes = [n for n in reversed(run.visit) if n.primitive is not None and n not in run.own]
    kinks = []
    for node in nodes:
        try:
            found = _alone(node, order)
        except MissingDerivativeError:
            continue  # no gradient goes through there
        wrong = next((f for f in found if is_mistaken(f)), None)
        if wrong is not None:
            return _of(node, f"the derivative of {_name(node)} is wrong", wrong)
        if any(f.verdict is Verdict.KINK for f in found):
            kinks.append(node)
    lost = _not_added(first) if order == 1 else None
    if lost is not None:
        return lost
    if kinks:
        return _of(
            kinks[0],
            "each operation is right by itself, with a subgradient where it has a kink; but what "
            "they choose there does not add up to a derivative of the whole",
        )
    return Blame(
        "each recorded operation is right by itself; f depends on its input in a way that is not "
        "recorded, as through .detach(), .numpy(), stop_gradient or no_grad()"
    )


def _alone(node: Node, order: int) -> list[Finding]:
    """Check one operation by itself, on the operands that it was recorded with."""
    row: Any = node.primitive
    static = node.static or {}
    moved = [
        k
        for k, i in enumerate(node.inputs)
        if isinstance(i, Node) and i.tracked and (row.variadic or row.derivatives[k] is not None)
    ]
    values = [lifted(v) for v in node.operands]

    def f(*xs: Any) -> Any:
        operands: list[Any] = list(values)
        for k, x in zip(moved, xs, strict=True):
            operands[k] = x
        return row(*operands, **static)

    names = [_argument(node, k) for k in moved]
    random = np.random.default_rng(0)
    at = [values[k] for k in moved]
    check = Check(f, at, names, random)
    for _ in range(order - 1):
        check = Check(check.gradient, at, names, random)
    return findings(check, by_element=_BY_ELEMENT)


def _not_added(first: Check) -> Blame | None:
    """A value whose users each pass on the right part, while what arrives is not their sum."""
    checks = check_nodes(Graph([first.run.y]), first.cotangent)
    for node, found in checks.items():
        if found.made_by:
            return _of(
                node, "what arrives at this value is not the sum of what its users send back"
            )
    return None


def _of(node: Node, reason: str, finding: Finding | None = None) -> Blame:
    return Blame(
        reason,
        _name(node),
        None if finding is None else finding.name,
        "/".join(node.scope),
        tuple(np.shape(v) for v in node.operands),
        node.source,
        finding,
    )


def _name(node: Node) -> str:
    return node.primitive.qualified_name if node.primitive else node.name or "an input"


def _argument(node: Node, position: int) -> str:
    row: Any = node.primitive
    names = () if row.variadic else row.parameters
    return names[position] if position < len(names) else f"argument {position}"
