"""Where a value is shown: the scope that computed it, or the one in which it is used."""

from collections.abc import Sequence

from .._scope import Scope
from ..autograd import Graph, Node

__all__ = ["innermost_common", "places_in"]


def places_in(graph: Graph) -> dict[Node, Scope]:
    """The scope that each node is shown in; a parameter stands where all its users are."""
    users: dict[Node, list[Scope]] = {}
    for node in graph.nodes:
        for parent in node.parents:
            users.setdefault(parent, []).append(node.scope)
    return {
        node: node.scope
        if node.primitive is not None or node.scope or node not in users or _is_data(node)
        else innermost_common(users[node])
        for node in graph.nodes
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
