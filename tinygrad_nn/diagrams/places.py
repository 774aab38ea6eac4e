"""What a value is called, and where it is shown: where it was computed, or where it is used."""

from collections.abc import Sequence

from .._scope import Scope
from ..autograd import Node

__all__ = ["innermost_common", "places_in", "title_of"]


def title_of(node: Node) -> str:
    """The name that somebody gave a value, or that of its operation, or what kind of leaf it is."""
    if node.name:
        return str(node.name)
    if node.primitive is not None:
        return node.primitive.name
    return "parameter" if node.leaf is not None else "input"


def places_in(nodes: Sequence[Node]) -> dict[Node, Scope]:
    """The scope that each node is shown in; a parameter stands where all its users are."""
    users: dict[Node, list[Scope]] = {}
    for node in nodes:
        for parent in node.parents:
            users.setdefault(parent, []).append(node.scope)
    return {
        node: node.scope
        if node.primitive is not None or node.scope or node not in users or _is_data(node)
        else innermost_common(users[node])
        for node in nodes
    }


def _is_data(node: Node) -> bool:
    """Whether a leaf is what a model is given: somebody named it, and it is not trained."""
    return node.name is not None and node.leaf is None


def innermost_common(scopes: Sequence[Scope]) -> Scope:
    """The innermost scope that is around all of these."""
    first, shared = scopes[0], 0
    while all(len(s) > shared and s[shared] == first[shared] for s in scopes):
        shared += 1
    return first[:shared]
