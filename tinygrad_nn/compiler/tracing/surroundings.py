"""What a step uses besides its arguments: models, optimisers, arrays, generators, numbers.

A step is a plain Python function, which finds them in its closure, in global names, and in the
attributes of what it finds there. All of that is walked through before a trace, so that arrays can
be replaced by traced ones, and whatever the step stores is seen. Every place that is walked through
is an edge: a holder (a namespace, list or cell), a key, and what was there. Before each call the
edges are compared, so that nothing can change unseen.
"""

import dataclasses
import dis
import functools
import gc
import re
import sys
from collections import deque
from collections.abc import Iterator
from types import (
    BuiltinFunctionType,
    CellType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
)
from typing import Any, NamedTuple

import numpy as np

from ...autograd import Tensor
from ...autograd.graph import Leaf
from ...primitives import Primitive
from .places import ABSENT, Part, Place, Size, is_record

__all__ = ["Edge", "Surroundings"]

_PACKAGE = __name__.partition(".")[0]
_NOT_WALKED = frozenset(sys.stdlib_module_names) | {"numpy", "builtins"}
_NUMBERS = (bool, int, float, complex, str, bytes, type(None), np.generic, np.dtype)
# What a step may keep its settings in, of the types that Python brings along.
_HOLDERS = {"types.SimpleNamespace", "argparse.Namespace", "collections.UserDict",
            "collections.UserList"}  # fmt: skip
_CLOSED = (ModuleType, BuiltinFunctionType, CodeType, np.ufunc, Leaf, Primitive)
_METHODS = (FunctionType, staticmethod, classmethod, property)


class Edge(NamedTuple):
    """A place, and what stood there."""

    place: Place
    value: Any


class Container(NamedTuple):
    """A dict or list that the step can reach, or the namespace of an object."""

    holder: Any
    path: str
    is_namespace: bool

    def place(self, key: Any) -> Place:
        """The place of an item in it."""
        path = f"{self.path}.{key}" if self.is_namespace else f"{self.path}[{key!r}]"
        return Place(self.holder, key, path)


class Surroundings:
    """Everything that can be reached from a function and its arguments, each object once."""

    def __init__(self, *roots: tuple[str, Any]) -> None:
        self.edges: list[Edge] = []
        self.sizes: list[Edge] = []
        self.tensors: dict[Tensor, str] = {}  # leaves, with how a person would write them
        self.arrays: dict[int, tuple[Any, str]] = {}
        self.generators: dict[int, tuple[Any, str]] = {}
        self.containers: list[Container] = []
        self._seen: dict[int, Any] = {}  # the objects themselves, so that ids stay their own
        self._waiting: list[tuple[Any, str]] = []
        self._standing: dict[str, Tensor] = {}  # which Tensor stands where
        for path, root in roots:
            self._meet(root, path)
        while self._waiting:
            self._enter(*self._waiting.pop(0))

    # --- the walk -----------------------------------------------------------------------------

    def _meet(self, value: Any, path: str) -> None:
        """Take note of an object; enter it later, if there is something in it."""
        if isinstance(value, _NUMBERS):
            return
        if id(value) in self._seen:
            # A layer's attribute names a parameter better than an optimiser's list does.
            if self.tensors.get(value, "").endswith("]") if isinstance(value, Tensor) else False:
                self.tensors[value] = path
            return
        self._seen[id(value)] = value
        if isinstance(value, Tensor):
            self.tensors[value] = path
        elif isinstance(value, np.ndarray):
            self.arrays[id(value)] = value, path
        elif isinstance(value, (np.random.Generator, np.random.RandomState)):
            self.generators[id(value)] = value, path
        else:
            self._waiting.append((value, path))

    def name_of(self, path: str) -> str:
        """What to call something: the state of an optimiser after the parameter it belongs to."""
        found = re.fullmatch(r"(.*)\.states\[(\d+)\]\['(\w+)'\]", path)
        tensor = self._standing.get(f"{found[1]}.parameters[{found[2]}]") if found else None
        return path if tensor is None or found is None else f"{self.tensors[tensor]}.{found[3]}"

    def _edge(self, place: Place, value: Any) -> None:
        self.edges.append(Edge(place, value))
        if value is ABSENT:
            return
        if is_record(value):
            self.edges.append(Edge(Part(place, "__class__", place.path), type(value)))
            for field in dataclasses.fields(value):
                part = Part(place, field.name, f"{place.path}.{field.name}")
                self._edge(part, getattr(value, field.name))
            self._meet(type(value), type(value).__name__)
            return
        if isinstance(value, Tensor):
            self._standing[place.path] = value
        self._meet(value, place.path)

    def _contents(self, container: Container) -> None:
        self.containers.append(container)
        holder = container.holder
        size = Size(holder, None, f"len({container.path})")
        self.sizes.append(Edge(size, len(holder)))
        for key, item in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            self._edge(container.place(key), item)

    def _enter(self, value: Any, path: str) -> None:
        """Walk through what an object holds."""
        if isinstance(value, (dict, list, deque)):
            self._contents(Container(value, path, is_namespace=False))
        elif isinstance(value, MappingProxyType):
            self._meet(gc.get_referents(value)[0], path)  # the dict that it shows
        elif isinstance(value, (tuple, set, frozenset)):
            if isinstance(value, set):
                self.edges.append(Edge(Place(value, None, path), frozenset(value)))
            for i, item in enumerate(value):
                self._meet(item, f"{path}[{i}]")
        elif isinstance(value, FunctionType):
            self._enter_function(value, path)
        elif isinstance(value, MethodType):
            self._meet(value.__self__, path.rpartition(".")[0] or path)
            self._meet(value.__func__, path)
        elif isinstance(value, functools.partial):
            for part in (value.func, value.args, value.keywords):
                self._meet(part, path)
        elif isinstance(value, type):
            self._enter_class(value, path)
        elif not isinstance(value, _CLOSED):
            self._enter_object(value, path)

    def _enter_object(self, value: Any, path: str) -> None:
        kind = type(value)
        known = f"{kind.__module__}.{kind.__qualname__}" in _HOLDERS
        if kind.__module__.partition(".")[0] in _NOT_WALKED and not known:
            return
        if kind.__module__ == f"{_PACKAGE}.compiler.step":  # another one, which is looked into
            self._meet(value.__wrapped__, path)
            return
        self._meet(kind, kind.__name__)
        namespace = getattr(value, "__dict__", None)
        name = namespace.get("name") if type(namespace) is dict else None
        path = name if isinstance(name, str) and name else path  # as layers are called
        if type(namespace) is dict:
            self._contents(Container(namespace, path, is_namespace=True))
        for name in _slots(kind):
            self._edge(Place(value, name, f"{path}.{name}"), getattr(value, name, ABSENT))

    def _enter_class(self, value: type, path: str) -> None:
        """Methods use globals as functions do, and class attributes are attributes."""
        for kind in value.__mro__:
            if kind.__module__.partition(".")[0] in _NOT_WALKED | {_PACKAGE}:
                continue
            size = Size(vars(kind), None, f"len(vars({path}))")
            self.sizes.append(Edge(size, len(vars(kind))))
            for name, item in list(vars(kind).items()):
                if isinstance(item, _METHODS):
                    self.edges.append(Edge(Place(vars(kind), name, f"{path}.{name}"), item))
                item = getattr(item, "__func__", getattr(item, "fget", item))
                if isinstance(item, FunctionType):
                    self._meet(item, f"{path}.{name}")
                elif not name.startswith("__") and not callable(item):
                    self._edge(Place(kind, name, f"{path}.{name}"), item)

    def _enter_function(self, value: FunctionType, path: str) -> None:
        if vars(value).get("is_opaque"):
            return
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            if _filled(cell):
                self._edge(Place(cell, "cell_contents", name), cell.cell_contents)
        for name in ("__code__", "__defaults__", "__kwdefaults__"):
            if getattr(value, name):
                self._edge(Place(value, name, f"{path}.{name}"), getattr(value, name))
        namespace = value.__globals__
        module = namespace.get("__name__", "")
        # An example in a docstring has a copy of its module's names, and may add its own.
        whole = namespace is getattr(sys.modules.get(module), "__dict__", namespace)
        if whole and module.partition(".")[0] in _NOT_WALKED | {_PACKAGE}:
            return
        names = set(_names(value.__code__))
        for name in sorted(set(_global_names(value.__code__)) | names & namespace.keys()):
            item = namespace.get(name, ABSENT)  # one of Python's own names may get another meaning
            if isinstance(item, ModuleType):
                self._enter_module(item, names, name)
            else:
                self._edge(Place(namespace, name, name), item)

    def _enter_module(self, module: ModuleType, names: set[str], path: str) -> None:
        """Of a module of the user's, the attributes that the function names."""
        if module.__name__.partition(".")[0] in _NOT_WALKED | {_PACKAGE}:
            return
        namespace = vars(module)
        for name in sorted(names & namespace.keys()):
            if not isinstance(namespace[name], ModuleType):
                self._edge(Place(namespace, name, f"{path}.{name}"), namespace[name])


def _names(code: CodeType) -> Iterator[str]:
    """All names that a function looks up, in modules as well, and those of functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _global_names(code: CodeType) -> Iterator[str]:
    """The global names that a function reads or sets, whether there are any or not yet."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "STORE_GLOBAL"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


def _filled(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # the variable has not been assigned yet
        return False
    return True


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if not name.startswith("__"):
                yield name
            elif not name.endswith("__"):  # a private one, as Python calls it
                yield f"_{base.__name__.lstrip('_')}{name}"
