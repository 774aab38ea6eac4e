"""What surrounds a program in each call, as functions made of text, so that it costs little.

Three of them: whether everything is as it was traced, reading the state, and putting the results
where they belong. Objects and keys are passed in by name; no name of the user's is in the text.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...autograd import Node, Tensor, rebind
from ...primitives import without_scalar
from ..tracing.places import ABSENT, Part, Place, Size, is_keyed
from ..tracing.slots import (
    ArgumentSource,
    ArraySink,
    FreshArray,
    FreshTensor,
    GradientSink,
    GradientSource,
    Key,
    Owner,
    PlaceSink,
    PlaceSource,
    Result,
    Sink,
    Source,
    TensorSource,
    Within,
)
from ..tracing.spent import spent_tensor
from ..tracing.surroundings import Edge

__all__ = ["commit_function", "guard_function", "read_function"]


class _Text:
    """Expressions, and the objects that they name."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {"asarray": np.asarray}
        self._known: dict[int, str] = {}

    def of(self, value: Any) -> str:
        """A name for an object."""
        if id(value) not in self._known:
            self._known[id(value)] = f"o{len(self.objects)}"
            self.objects[self._known[id(value)]] = value
        return self._known[id(value)]

    def place(self, place: Place) -> str:
        """What stands in a place."""
        if isinstance(place, Part):
            return f"{self.place(place.holder)}.{place.key}"
        if is_keyed(place.holder):
            return f"{self.of(place.holder)}[{self.of(place.key)}]"
        return f"{self.of(place.holder)}.{place.key}"

    def tensor(self, owner: Owner) -> str:
        """A Tensor that the step knows, or that is an argument."""
        if isinstance(owner, PlaceSource):
            return self.source(owner)
        return f"arguments[{owner}]" if isinstance(owner, int) else self.of(owner)

    def source(self, source: Source) -> str:
        """What a source is now."""
        if isinstance(source, ArgumentSource):
            return f"arguments[{source.position}]"
        if isinstance(source, TensorSource):
            return f"{self.tensor(source.owner)}._node.value"
        if isinstance(source, GradientSource):
            return f"{self.tensor(source.owner)}._node.leaf.grad"
        return self.place(source.place) + "".join(f"[{self.of(key)}]" for key in source.keys)

    def tree(self, tree: Any, results: Mapping[int, str]) -> str:
        """A tree of what is stored or returned."""
        if isinstance(tree, Key):
            return f"new[{self.of(tree.name)}]"
        if isinstance(tree, Result):
            return results[tree.number]
        if isinstance(tree, FreshArray):
            return f"asarray({self.tree(tree.value, results)})"
        if isinstance(tree, FreshTensor):
            return f"{self.of(_fresh_tensor)}({self.tree(tree.value, results)}, {self.of(tree)})"
        if isinstance(tree, tuple) and hasattr(tree, "_fields"):
            return f"{self.of(type(tree))}({', '.join(self.tree(t, results) for t in tree)})"
        if type(tree) is tuple:
            return f"({''.join(self.tree(t, results) + ', ' for t in tree)})"
        if type(tree) is list:
            return f"[{', '.join(self.tree(t, results) for t in tree)}]"
        if type(tree) is dict:
            items = (f"{self.of(k)}: {self.tree(t, results)}" for k, t in tree.items())
            return f"{{{', '.join(items)}}}"
        return self.of(tree)

    def function(self, parameters: str, lines: Iterable[str]) -> Callable[..., Any]:
        """A function of these statements."""
        text = f"def glue({parameters}):\n" + "".join(f"    {line}\n" for line in lines)
        exec(compile(text, "<glue>", "exec"), self.objects)
        return self.objects["glue"]


def _fresh_tensor(value: Any, like: FreshTensor) -> Tensor:
    if like.spent:
        return spent_tensor(without_scalar(value))
    tensor = Tensor._of(Node(without_scalar(value)))
    tensor.name = like.name
    if like.requires_grad:
        tensor.requires_grad = True
    return tensor


def guard_function(
    edges: Sequence[Edge],
    aliases: Sequence[tuple[Source, Source]],
    tracked: Sequence[tuple[Owner, bool]],
    collected: Sequence[tuple[Owner, bool]],
) -> Callable[..., bool]:
    """Whether each place still has what it had; numbers are compared by identity as well."""
    text = _Text()
    terms = [_still(text, edge) for edge in edges]
    terms += [f"{text.source(a)} is {text.source(b)}" for a, b in aliases]
    terms += [f"{text.tensor(owner)}._node.tracked is {flag}" for owner, flag in tracked]
    terms += [
        f"({text.tensor(owner)}._node.leaf.grad is not None) is {flag}" for owner, flag in collected
    ]
    return text.function("arguments", [f"return {' and '.join(terms) or True}"])


def _still(text: _Text, edge: Edge) -> str:
    """Whether a place still has what it had."""
    if isinstance(edge.place, Size):
        return f"len({text.of(edge.place.holder)}) == {edge.value}"
    if isinstance(edge.place, Within):
        return f"{text.source(edge.place.source)} is {text.of(edge.value)}"
    if isinstance(edge.place.holder, set):
        return f"{text.of(edge.place.holder)} == {text.of(edge.value)}"
    if edge.value is ABSENT:
        holder, key = text.of(edge.place.holder), edge.place.key
        named = f"{text.of(key)} not in {holder}"
        return named if is_keyed(edge.place.holder) else f"not hasattr({holder}, {key!r})"
    return f"{text.place(edge.place)} is {text.of(edge.value)}"


def read_function(sources: Iterable[Source]) -> Callable[..., tuple[Any, ...]]:
    """Everything that the program reads besides its arguments."""
    text = _Text()
    return text.function(
        "arguments", [f"return ({''.join(text.source(s) + ', ' for s in sources)})"]
    )


def commit_function(writes: Sequence[tuple[Sink, Any]], returned: Any) -> Callable[..., Any]:
    """Put the new state where it belongs, and give what the step returns."""
    text = _Text()
    results: dict[int, str] = {}
    _find_results(text, returned, "result", results)
    lines = []
    for sink, tree in sorted(writes, key=_is_safe):  # the others first: they may raise
        value = text.tree(tree, results)
        if isinstance(sink, PlaceSink):
            if tree is ABSENT or not is_keyed(sink.place.holder):
                lines.append(f"{text.of(sink.place.set)}({value})")
            else:
                lines.append(f"{text.place(sink.place)} = {value}")
        elif isinstance(sink, ArraySink):
            lines.append(f"{text.of(np.copyto)}({text.source(sink.source)}, {value})")
        elif isinstance(sink, GradientSink):
            lines.append(f"{text.tensor(sink.owner)}._node.leaf.grad = {value}")
        else:
            lines.append(f"{text.of(rebind)}({text.tensor(sink.owner)}, {value})")
    return text.function(
        "arguments, new, result", [*lines, f"return {text.tree(returned, results)}"]
    )


def _is_safe(write: tuple[Sink, Any]) -> bool:
    """Whether nothing of the user's runs as this is written, so that it cannot fail."""
    sink = write[0]
    if isinstance(sink, PlaceSink):
        return type(sink.place.holder) in (dict, list)
    return not isinstance(sink, ArraySink)


def _find_results(text: _Text, tree: Any, where: str, found: dict[int, str]) -> None:
    """Where each result stands in what the program returns."""
    if isinstance(tree, (FreshArray, FreshTensor)):
        _find_results(text, tree.value, where, found)
    elif isinstance(tree, Result):
        found[tree.number] = where
    elif isinstance(tree, (list, tuple)):
        for i, item in enumerate(tree):
            _find_results(text, item, f"{where}[{i}]", found)
    elif isinstance(tree, dict):
        named = all(type(key) is str for key in tree)
        for i, (key, item) in enumerate(tree.items()):
            _find_results(text, item, f"{where}[{text.of(key) if named else i}]", found)
