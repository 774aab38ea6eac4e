"""The shape of the house: what may import what, how large a room may be, what the door shows."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_nn as tnn

PACKAGE = Path(tnn.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}
every_file = pytest.mark.parametrize(
    "file", FILES, ids=[file.relative_to(PACKAGE).as_posix() for file in FILES]
)

FLOORS = [
    ["errors", "_scope", "_svg", "_typing"],
    ["primitives"],
    ["autograd"],
    ["activations", "losses", "initializers", "metrics"],
    ["nn", "optim", "data"],
    ["verify", "compiler"],
    ["diagrams", "testing"],
    ["training"],
    ["cli", "gradcheck_command", "picture_commands", "__main__", "__init__"],
]
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}
# Rooms on one floor may use each other, except these; and these never learn of the recording.
STRANGERS = [("verify", "compiler"), ("compiler", "verify")]
WITHOUT_TENSORS = ["primitives", "activations", "losses"]

FRONT_DOOR = [
    "Graph", "Tensor", "TinygradNNError", "__version__", "activations", "array", "checkpoint",
    "compile", "compiler", "data", "diagrams", "draw", "elementwise_grad", "errors", "explain",
    "grad", "gradcheck", "hessian", "hvp", "index_add", "index_update", "initializers", "jacobian",
    "jvp", "lint", "losses", "metrics", "nn", "no_grad", "optim", "primitive", "put_along_axis",
    "scope", "stack", "testing", "trace_nonfinite", "value_and_grad", "verify", "vjp",
]  # fmt: skip


def room_of(file):
    """The room a file belongs to: the first part of its path inside the package."""
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(file):
    """What a file imports from this package, as tuples of module and name parts, with the line."""
    here = file.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(TREES[file]):
        if isinstance(node, ast.Import):
            paths = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            if node.level:
                module = (PACKAGE.name, *here[: len(here) - node.level + 1], *module)
            paths = [(*module, alias.name) for alias in node.names]
        else:
            continue
        yield from ((path[1:], node.lineno) for path in paths if path[0] == PACKAGE.name)


def functions_of(tree):
    return [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]


# --- floors -----------------------------------------------------------------------------------


@every_file
def test_imports_only_go_down(file):
    room = room_of(file)
    assert room in FLOOR, f"{room} stands on no floor"
    for path, line in imports_of(file):
        other = path[0] if path and path[0] in FLOOR else "__init__"
        assert FLOOR[other] <= FLOOR[room], f"{file}:{line}: {room} must not import {other}"
        assert (room, other) not in STRANGERS, f"{file}:{line}: {room} must not know {other}"


@pytest.mark.parametrize("room", WITHOUT_TENSORS)
def test_plain_mathematics_never_learns_of_tensors(room):
    files = [file for file in FILES if room_of(file) == room]
    assert files
    for file in files:
        assert not [path for path, _ in imports_of(file) if {"autograd", "Tensor"} & {*path}]
        names = {n.id for n in ast.walk(TREES[file]) if isinstance(n, ast.Name)}
        assert "Tensor" not in names


def test_rooms_on_one_floor_have_no_import_cycles():
    uses = {room: set() for room in FLOOR}
    for file in FILES:
        uses[room_of(file)] |= {
            path[0] for path, _ in imports_of(file) if path and path[0] in FLOOR
        }
    finished = []
    while waiting := [room for room in uses if room not in finished]:
        ready = [room for room in waiting if uses[room] - {room} <= {*finished}]
        assert ready, f"these rooms import one another: {waiting}"
        finished += ready


# --- size and manners -------------------------------------------------------------------------


@every_file
def test_files_functions_and_lines_are_short(file):
    assert file.stem not in {"utils", "helpers", "misc", "common"}
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400
    # As for the linter, a pragma at the end of a line does not count.
    lengths = [len(re.split(r"\s+# (?:type: ignore|noqa)", line)[0]) for line in lines]
    assert not [number for number, length in enumerate(lengths, 1) if length > 100]
    for function in functions_of(TREES[file]):
        length = function.end_lineno - function.lineno + 1
        if ast.get_docstring(function) is not None:
            length -= function.body[0].end_lineno - function.body[0].lineno + 1
        assert length <= 50, f"{file}:{function.lineno}: {function.name} has {length} lines"


@every_file
def test_there_are_no_asserts_and_no_bare_excepts(file):
    for node in ast.walk(TREES[file]):
        assert not isinstance(node, ast.Assert), f"{file}:{node.lineno}"
        assert not (isinstance(node, ast.ExceptHandler) and node.type is None), node.lineno


@every_file
def test_modules_and_public_names_have_docstrings(file):
    tree = TREES[file]
    assert ast.get_docstring(tree)
    holders = [tree, *(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name[0] != "_")]
    for holder in holders:
        for node in holder.body:
            public = isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name[0] != "_"
            setter = public and any(".setter" in ast.unparse(d) for d in node.decorator_list)
            if public and not setter:
                assert ast.get_docstring(node), f"{file}:{node.lineno}: {node.name}"


@every_file
def test_nothing_relies_on_functions_that_nnfs_replaces(file):
    made = {"zeros": 2, "ones": 2, "empty": 2, "full": 3, "eye": 4, "identity": 2}
    for node in ast.walk(TREES[file]):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        called = ast.unparse(node.func)
        assert called not in {"np.dot", "np.random.randn"}, node.lineno
        if called.startswith("np.") and node.func.attr in made:
            given = any(k.arg == "dtype" for k in node.keywords)
            assert given or len(node.args) >= made[node.func.attr], f"{file}:{node.lineno}: dtype="


# --- the front door ---------------------------------------------------------------------------


def test_the_front_door_shows_what_it_promises():
    assert sorted(tnn.__all__) == sorted(FRONT_DOOR)
    assert sorted(dir(tnn)) == sorted(FRONT_DOOR)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = tnn.no_such_name


@pytest.mark.parametrize(
    "module",
    [
        ".".join((PACKAGE.name, *file.relative_to(PACKAGE).with_suffix("").parts))
        for file in FILES
        if file.stem != "__main__"
    ],
)
def test_every_name_in_every_all_exists(module):
    loaded = importlib.import_module(module.removesuffix(".__init__"))
    names = getattr(loaded, "__all__", [])
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(loaded, name) is not None


def test_importing_the_package_imports_numpy_and_nothing_else_heavy():
    heavy = ["graphviz", "graphviz_pure", "matplotlib", "rich", "nnfs", "scipy", "mpmath", "dask"]
    code = f"import sys, {PACKAGE.name}; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert ran.stdout.strip() == "[]"
