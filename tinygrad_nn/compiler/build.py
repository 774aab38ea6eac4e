"""From a recipe to a program that runs: passes, memory, text, and the text made a function."""

import itertools
import linecache
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from ..autograd import Tensor
from .blocks.block import blocked
from .blocks.target import Target
from .operations import copy
from .packing import packed
from .passes import improved, without_dead_code
from .passes.numbers import with_filled_numbers
from .plan import Plan, plan_memory
from .program import Equation, Program, Value, check, values_in
from .state import Pack, State
from .text.emit import emit
from .text.layout import Layout, Source
from .text.loops.kernel_cache import stored
from .text.names import Names, function_name, identifier, names_for
from .tracing.run import Recipe
from .tracing.slots import (
    ArgumentSource,
    ArraySink,
    FreshArray,
    FreshTensor,
    GradientSink,
    GradientSource,
    Key,
    PlaceSource,
    Result,
    Sink,
    TensorSink,
    TensorSource,
    identity,
)
from .tracing.slots import Source as Origin

_LONG = 300  # equations

__all__ = ["Built", "build"]


@dataclass(frozen=True)
class Built:
    """A program that is ready to run, and how it is connected to what is around it."""

    source: Source
    program: Program
    plan: Plan
    layout: Layout
    function: Callable[..., Any]
    positions: Sequence[int]  # which leaves of the arguments the function takes
    reads: Mapping[str, Origin]  # for each key of the state, where it is read
    kinds: Mapping[str, Value]  # and what it has to be
    makes: Mapping[str, Value]  # for each key of the new state, what it is
    packs: Sequence[Pack]  # which parts of the state are pieces of one
    writes: Sequence[tuple[Sink, Any]]  # sinks, with keys of the new state in the tree
    returned: Any  # the tree of what is returned, with numbers of the program's results

    @property
    def names(self) -> Names:
        """What each value of the program is called."""
        return names_for(self.program, self.layout, ())

    @property
    def state_parts(self) -> set[str]:
        """The keys of the new state, and of the parts of what is made of several."""
        return {*self.makes, *(part for pack in self.packs for part in pack.parts)}

    @property
    def reads_arguments(self) -> bool:
        """Whether state is read from Tensors that are passed to the step."""
        return any(isinstance(getattr(r, "owner", None), int) for r in self.reads.values())

    def passed(self, arguments: Sequence[Any]) -> list[Any]:
        """What the function takes of the arguments: plain arrays and numbers."""
        found = (arguments[i] for i in self.positions)
        return [a._node.value if isinstance(a, Tensor) else a for a in found]

    def call(self, arguments: Sequence[Any], state: dict[str, Any], new: dict[str, Any]) -> Any:
        """Call the function with what it takes."""
        passed = self.passed(arguments)
        if self.source.takes_state:
            passed.insert(0, state)
        if self.source.takes_new:
            passed.append(new)
            return self.function(*passed)
        before = dict(state)  # it writes into the state that it is given
        result = self.function(*passed)
        new.update({key: state[key] for key in self.makes})
        state.update(before)
        return result


def build(recipe: Recipe, name: str, arguments: Sequence[Any], target: Target) -> Built:
    """Improve a traced program, lay it out, write it, and make it a function.

    Args:
        recipe: the traced step.
        name: what the function is called.
        arguments: those of the call for which this is made.
        target: what the text is written for.
    """
    teaching = target.name == "teaching"
    origins = dict(zip(recipe.program.inputs, recipe.sources, strict=True))
    keys = _Keys(recipe, origins)
    program = improved(keys.program, target.name)
    used = set(program.inputs)
    returned = _as_returned(recipe.returned, program.outputs)
    reads = {key: origins[v] for v, key in keys.old.items() if v in used}
    state = State(
        {v: key for v, key in keys.old.items() if v in used},
        [(key, program.outputs[index]) for key, index in keys.new],
        frozenset(values_in(returned)),
    )
    if not teaching:
        program, state = packed(program, state, lambda key: reads[key].read(arguments))
        program = check(blocked(without_dead_code(program), target), "packing")
    is_long = len(program.equations) > _LONG and not target.scalar and not teaching
    if is_long:
        program = with_filled_numbers(program)
    layout = Layout(
        name=function_name(name),
        arguments={v: v.name for v in program.inputs if isinstance(origins.get(v), ArgumentSource)},
        state={v: key for v, key in state.old.items() if v in program.inputs},
        new=state.new,
        packs=state.packs,
        returned=returned,
        gradients=recipe.gradients,
        is_long=is_long,
        title=f"{name}, as a program of {'NumPy and Numba' if target.scalar else 'NumPy alone'}.",
    )
    slots = {value: key for key, value in reversed(state.new) if isinstance(value, Value)}
    plan = plan_memory(program, layout.state, slots, {*values_in(returned)} - slots.keys())
    source = emit(program, layout, None if teaching else plan, rules=teaching)
    sources = (origins[v] for v in layout.arguments)
    return Built(
        source=source,
        program=program,
        plan=plan,
        layout=layout,
        function=loaded(source),
        positions=[o.position for o in sources if isinstance(o, ArgumentSource)],
        reads=reads,
        kinds={key: v for v, key in keys.old.items() if v in used},
        makes={key: value for key, value in state.new if isinstance(value, Value)},
        packs=state.packs,
        writes=keys.writes,
        returned=recipe.returned,
    )


class _Keys:
    """The keys of the state: a name for each part of it that is read or written."""

    def __init__(self, recipe: Recipe, origins: Mapping[Value, Origin]) -> None:
        program = recipe.program
        self._names = Names()
        self._by_origin: dict[Any, str] = {}
        self.old: dict[Value, str] = {}
        for value, origin in origins.items():
            # A gradient of before is read only if the step adds to it.
            if not isinstance(origin, ArgumentSource):
                self.old[value] = self._key(origin, value.name)
        self._fresh: list[Equation] = []
        self._makers = {o: e for e in program.equations for o in e.outputs}
        self.outputs = list(program.outputs)
        self.new: list[tuple[str, int]] = []
        self.writes: list[tuple[Sink, Any]] = []
        self._copy_what_is_returned(recipe.returned)
        for sink, tree in recipe.sinks:
            self.writes.append((sink, self._keyed(sink, tree, ())))
        self.program = replace(
            program, equations=(*program.equations, *self._fresh), outputs=tuple(self.outputs)
        )

    def _key(self, origin: Any, name: str) -> str:
        place = identity(origin)
        if place not in self._by_origin:
            self._by_origin[place] = self._names.fresh(identifier(name))
        return self._by_origin[place]

    def _keyed(self, sink: Sink, tree: Any, path: tuple[Any, ...]) -> Any:
        """A tree of what is stored, with keys of the new state in the places of results."""
        if isinstance(tree, Result):
            key = self._sink_key(sink, path)
            self._make_its_own(tree.number)
            self.new.append((key, tree.number))
            return Key(key)
        if isinstance(tree, (FreshArray, FreshTensor)):
            return tree._replace(value=self._keyed(sink, tree.value, path))
        if isinstance(tree, tuple) and hasattr(tree, "_fields"):
            return type(tree)(*(self._keyed(sink, t, (*path, i)) for i, t in enumerate(tree)))
        if type(tree) in (list, tuple):
            return type(tree)(self._keyed(sink, t, (*path, i)) for i, t in enumerate(tree))
        if type(tree) is dict:
            return {k: self._keyed(sink, t, (*path, k)) for k, t in tree.items()}
        return tree

    def _sink_key(self, sink: Sink, path: tuple[Any, ...]) -> str:
        if isinstance(sink, TensorSink):
            return self._key(TensorSource(sink.owner), "value")
        if isinstance(sink, GradientSink):
            of = self._by_origin.get(identity(TensorSource(sink.owner)), "value")
            return self._key(GradientSource(sink.owner), f"d_{of}")
        if isinstance(sink, ArraySink):
            return self._key(sink.source, "array")
        return self._key(
            PlaceSource(sink.place, path), f"{sink.place.path} {' '.join(map(str, path))}"
        )

    def _copy_what_is_returned(self, tree: Any) -> None:
        """Where the old state is returned, or a view of it: it may be written over by then."""
        if isinstance(tree, (FreshArray, FreshTensor)):
            self._copy_what_is_returned(tree.value)
        elif isinstance(tree, Result):
            value = base = self.outputs[tree.number]
            while isinstance(base, Value) and base in self._makers and self._makers[base].view:
                base = self._makers[base].view
            if isinstance(base, Value) and base in self.old and value.shape:
                self.outputs[tree.number] = self._copied(value)
        elif isinstance(tree, (list, tuple, dict)):
            for item in tree.values() if isinstance(tree, dict) else tree:
                self._copy_what_is_returned(item)

    def _copied(self, value: Value) -> Value:
        fresh = Value(value.shape, value.dtype)
        self._fresh.append(Equation(copy, (value,), {}, (fresh,)))
        return fresh

    def _make_its_own(self, index: int) -> None:
        """Make an output an array of its own, which an equation makes and nothing looks into."""
        value = self.outputs[index]
        if not isinstance(value, Value) or value.weak or not value.shape:
            return
        maker = self._makers.get(value)
        if maker is None or maker.view is not None:
            self.outputs[index] = self._copied(value)


def _as_returned(tree: Any, outputs: Sequence[Any]) -> Any:
    """What the function returns: the tree of the step, with arrays in the places of Tensors."""
    if isinstance(tree, (FreshArray, FreshTensor)):
        return _as_returned(tree.value, outputs)
    if isinstance(tree, Result):
        return outputs[tree.number]
    if isinstance(tree, (list, tuple)):
        kind = list if isinstance(tree, list) else tuple
        return kind(_as_returned(item, outputs) for item in tree)
    if isinstance(tree, dict):
        if all(type(key) is str for key in tree):
            return {key: _as_returned(item, outputs) for key, item in tree.items()}
        return tuple(_as_returned(item, outputs) for item in tree.values())
    return tree


_files = itertools.count()


def loaded(source: Source) -> Callable[..., Any]:
    """The function that a text defines, in a namespace of its own: it brings its own buffers."""
    text = source.text
    kept = stored(text) if "cache=True" in text else None
    if kept is None:
        text = text.replace("cache=True", "cache=False")
        file = module = f"<{source.function} {next(_files)}, compiled>"
    else:
        file, module = str(kept), f"tinygrad_nn_{kept.stem}"
        sys.modules.setdefault(module, ModuleType(module))  # where Numba looks its functions up
    linecache.cache[file] = len(text), None, text.splitlines(True), file
    namespace: dict[str, Any] = {**source.constants, **source.callables, "__name__": module}
    exec(compile(text, file, "exec"), namespace)
    return namespace[source.function]
