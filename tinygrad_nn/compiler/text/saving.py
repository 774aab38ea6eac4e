"""A compiled step as a module of its own, which needs NumPy alone.

The module has the program, `init_state()` with the state as it was when the module was written, and
a little training loop that runs when the file is started. Arrays that are too long to be read stand
in a file of NumPy's beside it.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..._typing import Array
from ...autograd import Tensor
from ...errors import ArgumentError, OutputError, TraceError
from ..build import Built
from ..operations import expect_within
from ..program import Value
from .formatting import statement_lines
from .literals import array_text, dtype_text, is_short, literal

__all__ = ["module_text", "save"]

_STEPS = 100  # of the loop in a saved module


def save(built: Built, state: Mapping[str, Any], path: Any, batch: Sequence[Any] | None) -> Path:
    """Write a module, and beside it the arrays that it needs.

    Raises:
        TraceError: it calls functions that NumPy does not have.
        OutputError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".py":
        raise OutputError(f"save: expected a name that ends in .py; got {str(path)!r}")
    text, arrays = module_text(built, state, batch)
    try:
        path.write_text(text, encoding="utf-8")
        if arrays:
            content = io.BytesIO()
            np.savez(content, **arrays)
            path.with_suffix(".npz").write_bytes(content.getvalue())
    except OSError as error:
        raise OutputError(f"save: expected to write {path}; {error}") from error
    return path


def module_text(
    built: Built, state: Mapping[str, Any], batch: Sequence[Any] | None = None
) -> tuple[str, dict[str, Array]]:
    """The text of a module, and the arrays of the file beside it."""
    return _Module(built, state, batch).text()


class _Module:
    def __init__(self, built: Built, state: Mapping[str, Any], batch: Sequence[Any] | None) -> None:
        if built.source.callables:
            names = ", ".join(built.source.callables)
            raise TraceError(
                f"save: expected a step of NumPy's functions alone; got one that calls {names}; "
                f"compose it of NumPy's functions"
            )
        self.built, self.state, self.batch = built, state, batch
        if batch is not None:
            _check_batch(built, batch)
        self.arrays: dict[str, Array] = {}

    def text(self) -> tuple[str, dict[str, Array]]:
        """The whole module, and its arrays."""
        source = self.built.source
        constants = [f"{name} = {self._array(name, a)}" for name, a in source.constants.items()]
        after = [*self._init_state(), *self._batch(), *self._main()]
        head, found, body = source.text.partition("import numpy as np\n")
        if self.arrays:
            head = _with_path(head)
            found += '\nwith np.load(Path(__file__).with_suffix(".npz")) as _file:\n'
            found += "    _data = dict(_file)\n"
        found += "".join(f"{line}\n" for line in constants)
        return head + found + body + "\n".join(["", *after, ""]), self.arrays

    def _array(self, name: str, array: Array) -> str:
        """An expression that makes an array, from the file if it is long."""
        if is_short(array):
            return array_text(array)
        self.arrays[name] = array
        return f"_data[{literal(name)}].copy()"

    # --- the state ----------------------------------------------------------------------------

    def _init_state(self) -> list[str]:
        lines = ["", "def init_state():", '    """The state as it was when this was written."""']
        items: dict[str, str] = {}
        for key, value in self.state.items():
            if isinstance(value, (np.random.Generator, np.random.RandomState)):
                lines += self._generator(key, value)
                items[key] = key
            else:
                items[key] = self._value(f"state_{key}", value)
        for key, made in self.built.makes.items():
            items.setdefault(key, _empty(made))
        if not items:
            return [*lines, "    return {}", ""]
        lines += self._pieces(items)
        inner = (
            line
            for key, text in items.items()
            for line in statement_lines(f"{literal(key)}: {text},", "", " " * 8)
        )
        return [*lines, "    return {", *inner, "    }", ""]

    def _pieces(self, items: dict[str, str]) -> list[str]:
        """Add the pieces of longer arrays to the items; the lines that make those arrays."""
        lines = []
        for pack in self.built.packs:
            used = [k for k in pack.parts if k in self.built.source.parts]
            if pack.is_number or pack.key not in items or not used:
                continue
            lines += statement_lines(f"{pack.key} = {items[pack.key]}", "", "    ")
            items[pack.key] = pack.key
            for key, value, start in zip(pack.parts, pack.values, pack.starts, strict=True):
                text = f"{pack.key}[{start}:{start + value.size}]"
                if len(value.shape) != 1:
                    text += f".reshape({', '.join(map(str, value.shape))})"
                items.update({key: text} if key in used else {})
        return lines

    def _value(self, name: str, value: Any) -> str:
        return self._array(name, value) if isinstance(value, np.ndarray) else literal(value)

    def _generator(self, key: str, generator: Any) -> list[str]:
        if isinstance(generator, np.random.RandomState):
            made, state = "np.random.RandomState()", generator.get_state(legacy=False)
            put = statement_lines(f"{key}.set_state({self._tree(key, state)})", "", "    ")
            return [f"    {key} = {made}", *put]
        kind = type(generator.bit_generator).__name__
        state = generator.bit_generator.state
        assigned = f"{key}.bit_generator.state = {self._tree(key, state)}"
        return [
            f"    {key} = np.random.Generator(np.random.{kind}())",
            *statement_lines(assigned, "", "    "),
        ]

    def _tree(self, name: str, tree: Any) -> str:
        if isinstance(tree, dict):
            items = (f"{literal(k)}: {self._tree(f'{name}_{k}', v)}" for k, v in tree.items())
            return f"{{{', '.join(items)}}}"
        return self._value(name, tree)

    # --- the loop -----------------------------------------------------------------------------

    def _batch(self) -> list[str]:
        lines = ["", "def example_batch():"]
        names = self.built.layout.arguments
        if not names:
            return []
        given = self.batch is not None
        about = "The batch that this was written with." if given else "Random numbers as a batch."
        lines += [f'    """{about}"""']
        lines += [] if given else ["    rng = np.random.default_rng(0)"]
        made = []
        for i, (value, name) in enumerate(names.items()):
            if self.batch is not None:
                data = self.batch[self.built.positions[i]]
                data = data.numpy() if isinstance(data, Tensor) else data
                made.append(self._value(f"batch_{name}", np.asarray(data) if value.shape else data))
            else:
                made.append(self._synthetic(value))
        returned = ", ".join(made) if len(made) > 1 else f"({made[0]},)"
        return [*lines, *statement_lines(f"return {returned}", "", "    "), ""]

    def _synthetic(self, value: Value) -> str:
        """An expression for random numbers that an argument may be."""
        low, high = 0, 1
        for equation in self.built.program.equations:
            if equation.function is expect_within and equation.args[0] is value:
                low, high = round(equation.args[1]), round(equation.args[2])
        if value.dtype == object:
            return "np.random.default_rng(1)"
        if value.weak:
            return "0.01" if value.dtype.kind == "f" else "1"
        dtype = dtype_text(value.dtype)
        if value.dtype.kind in "iu":
            return f"rng.integers({low}, {high + 1}, {value.shape}, dtype={dtype})"
        if value.dtype == bool:
            return f"rng.random({value.shape}) < 0.5"
        return f"rng.standard_normal({value.shape}).astype({dtype})"

    def _main(self) -> list[str]:
        """The loop, in a function of its own: its variables are no buffers of the program."""
        layout, source = self.built.layout, self.built.source
        arguments = ["state"] if source.takes_state else []
        lines = ["state = init_state()"] if source.takes_state else []
        if layout.arguments:
            lines.append("batch = example_batch()")
            arguments.append("*batch")
        call = f"{layout.name}({', '.join(arguments)})"
        number = _first_number("result", layout.returned)
        if not layout.new:
            lines.append(f"print({call})")
        elif not number:
            lines += [f"for _ in range({_STEPS}):", f"    {call}"]
        else:
            lines += [f"for i in range({_STEPS}):", f"    result = {call}"]
            lines += ["    if i % 10 == 0:", f"        print(i, {number})"]
        about = '"""Run the step, and print what it returns."""'
        body = (line for text in (about, *lines) for line in _indented(text))
        return ["", "def main():", *body, "", "", 'if __name__ == "__main__":', "    main()"]


def _with_path(head: str) -> str:
    """The head of a module that finds the file beside it, with the imports in their order."""
    lines = head.split("\n")
    imports = [i for i, line in enumerate(lines) if line.startswith(("import ", "from "))]
    standard = [i for i in imports if lines[i] != "import numba"]
    if standard:
        lines.insert(standard[-1] + 1, "from pathlib import Path")
    else:
        lines[2:2] = ["from pathlib import Path", ""]
    return "\n".join(lines)


def _indented(text: str) -> list[str]:
    """A line of the loop, within its function."""
    statement = text.lstrip()
    return statement_lines(statement, "", " " * (4 + len(text) - len(statement)))


def _check_batch(built: Built, batch: Sequence[Any]) -> None:
    for (value, name), position in zip(
        built.layout.arguments.items(), built.positions, strict=True
    ):
        given = np.shape(batch[position]) if position < len(batch) else None
        if given != value.shape:
            raise ArgumentError(
                f"save: expected batch= with the arguments of the step, {name} of shape "
                f"{value.shape} among them; got {given}; give all of them, as a tuple"
            )


def _first_number(where: str, tree: Any) -> str:
    """Where the first number stands in what a step returns; "" if there is none."""
    if isinstance(tree, Value):
        return "" if tree.shape else where
    items: Any = enumerate(tree) if isinstance(tree, (tuple, list)) else ()
    if isinstance(tree, dict):
        items = tree.items()
    found = (_first_number(f"{where}[{literal(key)}]", item) for key, item in items)
    return next(filter(None, found), "")


def _empty(value: Value) -> str:
    """An expression for what the first step puts there."""
    if value.weak or not value.shape:
        return "0"
    return f"np.zeros({value.shape}, dtype={dtype_text(value.dtype)})"
