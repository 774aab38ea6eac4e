"""Folding: which scopes of a scene are drawn open, and which as one box.

A person reads about a hundred boxes. Where there are more, scopes that repeat are drawn once, and
scopes are open from the outermost level on, as many whole levels as there is room for, so that what
is alike looks alike. If there are too many even with all of them folded, operations of one line of
the user's are drawn as one, and at last equal parts.
"""

import fnmatch
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..._scope import Scope
from ...autograd.recording import source_line
from .scene import Box, Kind, Scene

__all__ = ["Cluster", "Group", "folded"]

_DEEPEST = 30  # scopes within one another that are still drawn as frames
_PARTS = 30  # of a computation that has nothing else to be folded by
_MANY_LINES = 500


@dataclass(eq=False)
class Group:
    """Boxes that are drawn as one."""

    title: str
    scope: Scope  # where it stands
    boxes: list[Box]
    count: int = 1  # of how many alike it is made


@dataclass(eq=False)
class Cluster:
    """A scope that is drawn as a frame around what is in it."""

    path: Scope
    items: list["Item"] = field(default_factory=list)
    closed: bool = False

    @property
    def name(self) -> str:
        """What its frame says."""
        return self.path[-1] if self.path else ""

    def boxes(self) -> Iterator[Box]:
        """All boxes within, in order."""
        waiting: list[Item] = [self]
        while waiting:
            item = waiting.pop()
            if isinstance(item, Cluster):
                waiting += reversed(item.items)
            elif isinstance(item, Group):
                yield from item.boxes
            else:
                yield item

    def open_clusters(self) -> Iterator["Cluster"]:
        """This one and those within that are drawn as frames."""
        waiting = [self]
        while waiting:
            cluster = waiting.pop()
            if not cluster.closed:
                yield cluster
                waiting += [i for i in cluster.items if isinstance(i, Cluster)]


Item = Box | Group | Cluster


def folded(
    scene: Scene, depth: int | None, collapse: Sequence[str], max_nodes: int | None
) -> Cluster:
    """What of a scene is drawn: frames with boxes and groups in them.

    Args:
        scene: what there is.
        depth: scopes deeper than this are folded.
        collapse: names, paths or patterns of scopes to fold.
        max_nodes: how many boxes may be drawn; None for any number.
    """
    root, clusters = _tree(scene.boxes)
    deepest = _DEEPEST if depth is None else depth
    kept_closed = set()
    for path, cluster in clusters.items():
        cluster.closed = len(path) > deepest or _matches(path, collapse)
        if cluster.closed:
            kept_closed.add(cluster)
    if max_nodes is not None and _visible(root) > max_nodes:
        for cluster in clusters.values():
            cluster.closed = True
        for in_a_row in (True, False):
            if in_a_row or _visible(root) > max_nodes:
                for cluster in (root, *clusters.values()):
                    cluster.items = _without_repeats(cluster, in_a_row)
        _open_levels(root, [c for c in clusters.values() if c not in kept_closed], max_nodes)
        if _visible(root) > max_nodes:
            root.items = _by_line(root, scene)
        if _visible(root) > max_nodes:
            root.items = _in_parts(root, min(max_nodes, _PARTS))
    for cluster in list(root.open_clusters()):
        cluster.items = [_closed(item) for item in cluster.items]
    return root


def _tree(boxes: Iterable[Box]) -> tuple[Cluster, dict[Scope, Cluster]]:
    root = Cluster(())
    clusters: dict[Scope, Cluster] = {}
    for box in boxes:
        parent = root
        for end in range(1, min(len(box.scope), _DEEPEST + 1) + 1):
            path = box.scope[:end]
            if path not in clusters:
                clusters[path] = Cluster(path)
                parent.items.append(clusters[path])
            parent = clusters[path]
        parent.items.append(box)
    return root, clusters


def _matches(path: Scope, patterns: Sequence[str]) -> bool:
    whole = "/".join(path)
    return any(
        name == pattern or fnmatch.fnmatchcase(name, pattern)
        for pattern in patterns
        for name in (whole, path[-1])
    )


def _visible(root: Cluster) -> int:
    """How many boxes are drawn."""
    return sum(
        not isinstance(item, Cluster) or item.closed
        for cluster in root.open_clusters()
        for item in cluster.items
    )


def _open_levels(root: Cluster, clusters: Sequence[Cluster], max_nodes: int) -> None:
    """Open scopes, the outermost level first, as long as few enough boxes are drawn."""
    for level in range(1, max((len(c.path) for c in clusters), default=0) + 1):
        here = [cluster for cluster in clusters if len(cluster.path) == level]
        for cluster in here:
            cluster.closed = False
        if _visible(root) > max_nodes:
            for cluster in here:
                cluster.closed = True
            return


def _closed(item: Item) -> Item:
    if isinstance(item, Cluster) and item.closed:
        return Group(item.name, item.path[:-1], list(item.boxes()))
    return item


def _gathered(
    items: Sequence[Item],
    keys: Sequence[Hashable],
    group: Callable[[Item, int], Group],
) -> list[Item]:
    """Items with those of one key, where there are several, as one group in the first's place.

    Args:
        items: what there is.
        keys: of each; None for one that stays by itself.
        group: makes the group, which is empty yet, for its first item and their number.
    """
    counts = Counter(keys)
    groups: dict[Hashable, Group] = {}
    kept: list[Item] = []
    for item, key in zip(items, keys, strict=True):
        if key is None or counts[key] < 2:
            kept.append(item)
            continue
        if key not in groups:
            groups[key] = group(item, counts[key])
            kept.append(groups[key])
        groups[key].boxes += _boxes_of(item)
    return kept


def _boxes_of(item: Item) -> Iterable[Box]:
    if isinstance(item, Cluster):
        return item.boxes()
    return item.boxes if isinstance(item, Group) else [item]


def _without_repeats(cluster: Cluster, in_a_row: bool) -> list[Item]:
    """What is in a scope, with scopes in it that are alike as one; only those in a row, or all."""
    keys: list[Hashable] = []
    before, row = None, 0
    for item in cluster.items:
        key = None
        if isinstance(item, Cluster):
            content = Counter(
                (b.kind, _unnumbered(b.title), b.shape)
                for b in item.boxes()
                if b.kind not in (Kind.INPUT, Kind.CONSTANT)  # what is the first one's alone
            )
            key = _unnumbered(item.name), frozenset(content.items())
            row += key != before
            before = key
        keys.append(None if key is None else (key, row if in_a_row else 0))

    def group(item: Item, count: int) -> Group:
        path = item.path if isinstance(item, Cluster) else item.scope
        return Group(_unnumbered(path[-1]), path[:-1], [], count)

    return _gathered(cluster.items, keys, group)


def _unnumbered(name: str) -> str:
    """A name without the number at its end: block_7 is a block."""
    return re.sub(r"[\W_]*\d+$", "", name) or name


def _by_line(root: Cluster, scene: Scene) -> list[Item]:
    """The operations of each line of the user's as one, with the leaves that only they use."""
    if len({box.site for box in scene.boxes}) > _MANY_LINES:
        return root.items
    loose = [i for i in root.items if isinstance(i, Box)]
    line: dict[Box, Hashable] = {}
    for box in loose:
        if box.site is not None and box.kind in (Kind.OPERATION, Kind.CONSTANT):
            line[box] = source_line(box.site)
    users: dict[Box, set[Hashable]] = {}
    for link in scene.links:
        users.setdefault(link.source, set()).add(line.get(link.target))
    for box in loose:
        if box.kind in (Kind.INPUT, Kind.PARAMETER) and len(users.get(box, ())) == 1:
            line[box] = next(iter(users[box]))

    sites = {line[box]: box.site for box in loose if box in line and box.site is not None}
    keys = [line.get(item) if isinstance(item, Box) else None for item in root.items]

    def group(item: Item, count: int) -> Group:
        where = source_line(sites[line[item]]) if isinstance(item, Box) else None
        return Group("" if where is None else where.text or f"line {where.line}", (), [])

    return _gathered(root.items, keys, group)


def _in_parts(root: Cluster, parts: int) -> list[Item]:
    """Everything in a few parts of equal size, in order."""
    size = -(-len(root.items) // parts)
    cut = [root.items[i : i + size] for i in range(0, len(root.items), size)]
    return [
        Group(f"part {n} of {len(cut)}", (), [b for item in part for b in _boxes_of(item)])
        for n, part in enumerate(cut, 1)
    ]
