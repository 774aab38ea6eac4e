"""From a folded scene to DOT text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .content import FONT, box_label, group_label, marked_up, verdict_colour
from .folding import Cluster, Group
from .scene import Box, Kind, Scene
from .theme import Theme

if TYPE_CHECKING:
    from graphviz import Digraph

__all__ = ["Options", "as_dot"]

_LARGE = 1000  # boxes: beyond, edges are drawn as lines, since curves take minutes


class Options(NamedTuple):
    """What of a scene is shown, and which way it runs."""

    theme: Theme
    direction: str = "TB"
    values: bool = True
    gradients: bool = True
    notes: tuple[str, ...] = ()  # what the reader has to know of the drawing as a whole


def as_dot(scene: Scene, root: Cluster, highlighted: set[Box], options: Options) -> str:
    """The DOT text of a scene that is folded. The same scene gives the same text."""
    return _Drawing(scene, root, highlighted, options).text()


@dataclass(eq=False)
class _Arrow:
    """The links between two things that are drawn, as one."""

    shapes: list[str]
    backward: bool


class _Drawing:
    """One scene on its way to DOT: names for what is drawn, and the text so far."""

    def __init__(
        self, scene: Scene, root: Cluster, highlighted: set[Box], options: Options
    ) -> None:
        self.scene = scene
        self.root = root
        self.highlighted = highlighted
        self.options = options
        self.theme = options.theme
        number = {box: i for i, box in enumerate(scene.boxes)}
        self.names: dict[Box | Group, str] = {}
        self.shown: dict[Box, Box | Group] = {}  # what stands for each box
        for cluster in root.open_clusters():
            for item in cluster.items:
                if isinstance(item, Group):
                    self.names[item] = f"g{number[item.boxes[0]]}"
                    self.shown.update(dict.fromkeys(item.boxes, item))
                elif isinstance(item, Box):
                    self.names[item] = f"n{number[item]}"
                    self.shown[item] = item

    def text(self) -> str:
        """The whole drawing."""
        from graphviz import Digraph  # on use: importing the package imports NumPy alone

        drawing = Digraph("computation", **self._defaults())
        self._add_frame(drawing, self.root)
        for (source, target, _), arrow in self._arrows().items():
            label = _told(arrow.shapes)
            style = {"style": "dashed"} if arrow.backward else {}
            drawing.edge(self.names[source], self.names[target], label=label, **style)
        self._add_legend(drawing)
        return str(drawing.source)

    def _defaults(self) -> dict[str, dict[str, str]]:
        theme = self.theme
        graph = {
            "rankdir": self.options.direction,
            "bgcolor": theme.paper,
            "fontname": FONT,
            "fontcolor": theme.ink,
            "nodesep": "0.3",
            "ranksep": "0.35",
            # Bounds on the layout's search: many long edges would take it minutes.
            "nslimit": "2",
            "nslimit1": "2",
        }
        if self.options.notes:
            lines = "<BR/>".join(map(marked_up, self.options.notes))
            graph |= {"label": f"<{lines}>", "labelloc": "t", "fontsize": "12"}
        if len(self.names) > _LARGE:
            graph |= {"splines": "line", "nslimit": "0.5", "nslimit1": "0.5", "mclimit": "0.1"}
        return {
            "graph_attr": graph,
            # With room for readers whose fonts are wider than Helvetica.
            "node_attr": {"margin": "0.18,0.06", "fontname": FONT, "fontsize": "11"},
            "edge_attr": {
                "color": theme.line, "arrowsize": "0.7", "fontname": FONT, "fontsize": "9",
                "fontcolor": theme.dim,
            },
        }  # fmt: skip

    # --- boxes --------------------------------------------------------------------------------

    def _add_frame(self, drawing: "Digraph", cluster: Cluster) -> None:
        """Draw what is in a scope; the scopes in it as frames of their own."""
        for item in cluster.items:
            if isinstance(item, Group):
                self._add_group(drawing, item)
            elif isinstance(item, Box):
                self._add_box(drawing, item)
            elif _is_plain(item):  # a frame around the operation of the same name says nothing
                self._add_frame(drawing, item)
            else:
                first = next(item.boxes())
                # Named by its first box, which is in no other frame of this depth.
                name = f"cluster_{self.names[self.shown[first]]}_{len(item.path)}"
                with drawing.subgraph(name=name) as inner:
                    inner.attr(
                        label=f"<{marked_up(item.name)}>",
                        style="rounded,filled",
                        color=self.theme.line,
                        fillcolor=self.theme.frames[len(item.path) % 2],
                        labeljust="l",
                        fontsize="12",
                    )
                    self._add_frame(inner, item)

    def _add_box(self, drawing: "Digraph", box: Box) -> None:
        details = self.scene.details(box)
        look = self.theme.box(box.kind)
        if details.check is not None:  # the outline shows the verdict
            check = details.check
            look |= {
                "color": verdict_colour(check, self.theme),
                "penwidth": "1.5" if check.right else "4",
            }
        look |= self._emphasis([box])
        label = box_label(
            box, details, self.theme, values=self.options.values, gradients=self.options.gradients
        )
        drawing.node(self.names[box], label=f"<{label}>", **look)

    def _add_group(self, drawing: "Digraph", group: Group) -> None:
        look = self.theme.box(Kind.GROUP) | self._emphasis(group.boxes)
        label = group_label(group, self.scene.checks, self.theme)
        drawing.node(self.names[group], label=f"<{label}>", **look)

    def _emphasis(self, boxes: Iterable[Box]) -> dict[str, str]:
        if self.highlighted.isdisjoint(boxes):
            return {}
        return {"fillcolor": self.theme.highlight, "penwidth": "4"}

    # --- links --------------------------------------------------------------------------------

    def _arrows(self) -> dict[tuple[Box | Group, Box | Group, int], _Arrow]:
        """One arrow for each link between boxes, and one for all those from or to a group."""
        found: dict[tuple[Box | Group, Box | Group, int], _Arrow] = {}
        sent: set[tuple[Box, Box | Group]] = set()
        for number, link in enumerate(self.scene.links):
            source, target = self.shown[link.source], self.shown[link.target]
            if source is target:
                continue
            single = isinstance(source, Box) and isinstance(target, Box)
            arrow = found.setdefault(
                (source, target, number if single else -1), _Arrow([], link.backward)
            )
            arrow.backward &= link.backward
            if (link.source, target) not in sent or single:
                sent.add((link.source, target))
                arrow.shapes.append(link.source.shape)
        return found

    # --- legend -------------------------------------------------------------------------------

    def _verdict_samples(self) -> Iterator[tuple[str, dict[str, str]]]:
        """An outline for each kind of verdict that there is."""
        theme = self.theme
        found = {verdict_colour(check, theme) for check in self.scene.checks.values()}
        told = {theme.right: "gradient right", theme.doubtful: "not decided", theme.wrong: "wrong"}
        for colour, text in told.items():
            if colour in found:
                width = "1.5" if colour == theme.right else "4"
                yield text, theme.box(Kind.OPERATION) | {"color": colour, "penwidth": width}

    def _add_legend(self, drawing: "Digraph") -> None:
        """A sample of each kind of box that there is, in a frame of its own."""
        kinds = {Kind.GROUP if isinstance(i, Group) else i.kind for i in self.names}
        samples = [(kind.value, self.theme.box(kind)) for kind in Kind if kind in kinds]
        if self.highlighted:
            marked = self._emphasis(self.highlighted)
            samples.append(("highlighted", self.theme.box(Kind.OPERATION) | marked))
        samples += self._verdict_samples()
        if any(link.backward for link in self.scene.links):
            samples.append(("dashed: used by the backward pass", {"shape": "plaintext"}))
        if len(samples) == 1:
            return
        small = {"fontsize": "9", "height": "0.25", "fontcolor": self.theme.ink}
        with drawing.subgraph(name="cluster_legend") as legend:
            legend.attr(label="legend", style="rounded", color=self.theme.line, fontsize="10")
            with legend.subgraph() as row:
                row.attr(rank="same")
                for i, (text, look) in enumerate(samples):
                    row.node(f"legend{i}", label=text, **look | small | {"margin": "0.12,0.03"})
                    if i:  # for their order
                        row.edge(f"legend{i - 1}", f"legend{i}", style="invis", minlen="0")


def _is_plain(cluster: Cluster) -> bool:
    """Whether a scope holds one operation, of its own name, and nothing else to tell."""
    operations = [i for i in cluster.items if not (isinstance(i, Box) and i.kind is Kind.CONSTANT)]
    only = operations[0] if len(operations) == 1 else None
    return isinstance(only, Box) and only.title == cluster.name


def _told(shapes: Sequence[str]) -> str:
    """The shapes of the arrays that go along an arrow."""
    if len(shapes) == 1:
        return shapes[0]
    if len(set(shapes)) == 1:
        return f"{len(shapes)} × {shapes[0]}"
    return f"{len(shapes)} arrays"
