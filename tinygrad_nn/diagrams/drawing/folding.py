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
from typing import cast

from ..._scope import Scope
from ...autograd.recording import SourceLine, source_line
from .scene import Box, Kind, Scene

__all__ = ["Cluster", "Group", "folded", "matches"]

_DEEPEST = 30  # scopes within one another that are still drawn as frames
_PARTS = 30  # of a computation that has nothing else to be folded by
_MANY_LINES = 500
_LONGEST_UNIT = 24  # of what repeats


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
        cluster.closed = len(path) > deepest or matches(path, collapse)
        if cluster.closed:
            kept_closed.add(cluster)
    if max_nodes is not None and _visible(root) > max_nodes:
        for cluster in clusters.values():
            cluster.closed = True
        for cluster in (root, *clusters.values()):
            cluster.items = _without_repeats(cluster.items, scene)
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


def matches(path: Scope, patterns: Sequence[str]) -> bool:
    """Whether a scope has one of these names or paths, or fits a pattern."""
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
    if not (isinstance(item, Cluster) and item.closed):
        return item
    boxes = list(item.boxes())
    # A box around one box would only hide its numbers.
    return boxes[0] if len(boxes) == 1 else Group(item.name, item.path[:-1], boxes)


def _gathered(
    items: Sequence[Item],
    keys: Sequence[Hashable],
    group: Callable[[Hashable, Item], Group],
) -> list[Item]:
    """Items with those of one key, where there are several, as one group in the first's place.

    Args:
        items: what there is.
        keys: of each; None for one that stays by itself.
        group: makes the group, which is empty yet, for a key and its first item.
    """
    counts = Counter(keys)
    groups: dict[Hashable, Group] = {}
    kept: list[Item] = []
    for item, key in zip(items, keys, strict=True):
        if key is None or counts[key] < 2:
            kept.append(item)
            continue
        if key not in groups:
            groups[key] = group(key, item)
            kept.append(groups[key])
        groups[key].boxes += _boxes_of(item)
    return kept


def _boxes_of(item: Item) -> Iterable[Box]:
    if isinstance(item, Cluster):
        return item.boxes()
    return item.boxes if isinstance(item, Group) else [item]


def _without_repeats(items: Sequence[Item], scene: Scene) -> list[Item]:
    """What is in a scope, with a unit that repeats, such as a layer and its activation, as one."""
    steps = [i for i in items if not isinstance(i, Box) or i.kind in (Kind.OPERATION, Kind.OUTPUT)]
    signs = [_sign(item) for item in steps]
    unit: dict[Item, Hashable] = {}
    titles: dict[Hashable, Group] = {}
    at = 0
    while at < len(steps):
        length, times = _repetition(signs, at)
        if times > 1:
            names = [_unnumbered(_name_of(item)) for item in steps[at : at + length]]
            path = _scope_of(steps[at])
            titles[at] = Group(" → ".join(names), path, [], times)
            unit.update(dict.fromkeys(steps[at : at + length * times], at))
        at += length * times
    _join_leaves(items, unit, scene)
    return _gathered(items, [unit.get(item) for item in items], lambda key, _: titles[key])


def _repetition(signs: Sequence[Hashable], at: int) -> tuple[int, int]:
    """The unit that repeats from here on: its length, and how often it is there."""
    best = (1, 1)
    for length in range(1, _LONGEST_UNIT + 1):
        unit, times = signs[at : at + length], 1
        while signs[at + times * length : at + (times + 1) * length] == unit:
            times += 1
        if times > 1 and length * times > best[0] * best[1]:
            best = (length, times)
    return best


def _join_leaves(items: Iterable[Item], groups: dict[Item, Hashable], scene: Scene) -> None:
    """Let leaves that only one group uses be part of it."""
    home = {box: key for item, key in groups.items() for box in _boxes_of(item)}
    users: dict[Box, set[Hashable]] = {}
    for link in scene.links:
        users.setdefault(link.source, set()).add(home.get(link.target))
    for item in items:
        if isinstance(item, Box) and item.kind not in (Kind.OPERATION, Kind.OUTPUT):
            keys = users.get(item, set())
            if len(keys) == 1 and None not in keys and not (item.kind is Kind.INPUT and item.title):
                groups[item] = keys.pop()


def _sign(item: Item) -> Hashable:
    """What makes an item like another one."""
    content = Counter(
        (b.kind, _unnumbered(b.title), b.shape)
        for b in _boxes_of(item)
        if b.kind not in (Kind.INPUT, Kind.CONSTANT)  # what is the first one's alone
    )
    return _unnumbered(_name_of(item)), frozenset(content.items())


def _name_of(item: Item) -> str:
    return item.name if isinstance(item, Cluster) else item.title


def _scope_of(item: Item) -> Scope:
    return item.path[:-1] if isinstance(item, Cluster) else item.scope


def _unnumbered(name: str) -> str:
    """A name without the number at its end: block_7 is a block."""
    return re.sub(r"[\W_]*\d+$", "", name) or name


def _by_line(root: Cluster, scene: Scene) -> list[Item]:
    """The operations of each line of the user's as one, with the leaves that only they use."""
    if len({box.site for box in scene.boxes}) > _MANY_LINES:
        return root.items
    line: dict[Item, Hashable] = {}
    for item in root.items:
        boxes = [] if isinstance(item, Cluster) else _boxes_of(item)
        found = {source_line(b.site) for b in boxes if b.site and b.kind is Kind.OPERATION}
        if len(found) == 1:
            line[item] = found.pop()
    _join_leaves(root.items, line, scene)

    def group(key: Hashable, _: Item) -> Group:
        where = cast(SourceLine, key)
        return Group(where.text or f"line {where.line}", (), [])

    return _gathered(root.items, [line.get(item) for item in root.items], group)


def _in_parts(root: Cluster, parts: int) -> list[Item]:
    """Everything in a few parts of equal size, in order."""
    size = -(-len(root.items) // parts)
    cut = [root.items[i : i + size] for i in range(0, len(root.items), size)]
    return [
        Group(f"part {n} of {len(cut)}", (), [b for item in part for b in _boxes_of(item)])
        for n, part in enumerate(cut, 1)
    ]
