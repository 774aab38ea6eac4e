"""A scene: what a drawing shows, as boxes and the links between them, before any looks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from ..._scope import Scope
from ..._typing import Array
from ...autograd.recording import Site
from ...verify.nodes import NodeCheck

__all__ = ["NOT_RUN", "Box", "Details", "Kind", "Link", "Scene"]

NOT_RUN = "not run"  # in place of a gradient that nobody has computed


class Kind(Enum):
    """What a box is. Each kind has an outline and a colour of its own."""

    PARAMETER = "parameter"
    INPUT = "input"
    CONSTANT = "constant"
    OPERATION = "operation"
    OUTPUT = "output"
    GROUP = "folded group"


@dataclass(frozen=True, eq=False)
class Box:
    """One thing to draw."""

    kind: Kind
    title: str
    scope: Scope = ()
    shape: str = ""  # of the array that leaves it
    site: Site | None = None  # the user's line
    item: Any = None  # what it stands for: a node, a value, a constant


class Link(NamedTuple):
    """An array on its way from one box to another."""

    source: Box
    target: Box
    backward: bool = False  # a value of the forward pass that the backward pass uses


class Details(NamedTuple):
    """What is written in a box below its title. It is asked for only where the box is drawn."""

    notes: tuple[str, ...] = ()
    value: Array | None = None
    gradient: Array | str | None = None
    collected: Array | None = None  # .grad, where several walks have added up to something else
    check: NodeCheck | None = None


def _nothing(box: Box) -> Details:
    return Details()


@dataclass(frozen=True, eq=False)
class Scene:
    """Boxes in order, inputs before their users, and the links between them."""

    boxes: Sequence[Box]
    links: Sequence[Link]
    details: Callable[[Box], Details] = _nothing
    checks: Mapping[Box, NodeCheck] = field(default_factory=dict)
