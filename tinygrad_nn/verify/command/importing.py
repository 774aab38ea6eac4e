"""Importing a user's code as running it would, and leaving the interpreter as it was."""

import importlib
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from ...autograd.recording import SourceLine
from ...errors import ArgumentError
from ..text import one_line

__all__ = ["called_from", "importing", "load_file", "load_module", "user_line"]

_PACKAGE = str(Path(__file__).absolute().parents[2]) + os.sep
_INSTALLED = tuple(
    sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


@contextmanager
def importing(folder: Path) -> Iterator[None]:
    """Make the modules in a folder importable within a block, as they are to a program there.

    Afterwards ``sys.path`` is as before, and the modules that came from the folder are forgotten,
    so that another folder may have modules of the same names.
    """
    path, known, arguments = list(sys.path), set(sys.modules), list(sys.argv)
    importlib.invalidate_caches()  # for files that were written a moment ago
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        ours = {os.path.abspath(p) for p in sys.path if p not in path} | {str(folder)}
        fresh = [name for name in set(sys.modules) - known if name.partition(".")[0] not in known]
        for name in [name for name in fresh if _home(sys.modules[name]) in ours]:
            del sys.modules[name]
        sys.path[:] = path
        sys.argv[:] = arguments


def _home(module: ModuleType) -> str:
    """The innermost entry of sys.path that a module lies in."""
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
    entries = map(os.path.abspath, sys.path)
    homes = (e for e in entries for p in places if os.path.abspath(p).startswith(e + os.sep) and p)
    return max(homes, key=len, default="")


def load_file(path: Path, shown: str) -> ModuleType:
    """Run a file as a module, within a block of `importing`.

    Args:
        path: the file.
        shown: what the user calls it.

    Raises:
        ArgumentError: it cannot be read, or ends with an exception.
    """
    name = _module_name(path)
    loader = SourceFileLoader(name, str(path))
    spec = spec_from_file_location(name, path, loader=loader)
    if spec is None:  # only for locations that are no files
        raise ArgumentError(f"{shown}: expected a file of Python; got none; check the path")
    module = module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickle look for it
    sys.argv[:] = [str(path)]
    try:
        # Not through exec_module, which would leave a compiled file in the user's folder.
        exec(loader.source_to_code(loader.get_data(str(path)), str(path)), module.__dict__)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise _not_imported(shown, error) from error
    return module


def _module_name(path: Path) -> str:
    """The file's own name, unless another module has it or needs it."""
    name = path.stem
    if name.isidentifier() and name not in sys.modules and name not in sys.stdlib_module_names:
        spec = find_spec(name)
        if spec is not None and spec.origin == str(path):
            return name
    return f"{name} ({path})"


def load_module(name: str) -> ModuleType:
    """Import a module by its dotted name, within a block of `importing`.

    Raises:
        ArgumentError: there is none of that name, or it ends with an exception.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise ArgumentError(
            f"{name}: expected the dotted name of a module; got none; write FILE.py::function for "
            f"a file"
        )
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name
        if missing and f"{name}.".startswith(f"{missing}."):
            raise ArgumentError(
                f"{name}: expected a module that can be imported; there is no module named "
                f"{missing!r}; write FILE.py::function for a file, or check the name"
            ) from error
        raise _not_imported(name, error) from error


def _not_imported(shown: str, error: BaseException) -> ArgumentError:
    line = user_line(error)
    if isinstance(error, SyntaxError) and error.lineno:
        text = f"{type(error).__name__}: {error.msg}"
        at = f", at {error.filename}:{error.lineno}"
    else:
        text, at = one_line(error), "" if line is None else f", at {line}"
    todo = "mend that line" if at else "expected the text of a Python program"
    if "relative import" in text:
        todo = "write package.module:function for a module of a package"
    elif isinstance(error, SystemExit):
        todo = 'call sys.exit below if __name__ == "__main__"'
    return ArgumentError(
        f"{shown}: expected code that can be imported; got {text.rstrip('.')}{at}; {todo}"
    )


def called_from(line: SourceLine, call: Callable[[], Any]) -> Any:
    """Call a function as if from a line of the user's.

    A layer or a row records operations without any line of the user's. Reports then name the line
    that defines it.
    """
    code = compile("call()", line.file, "eval")
    return eval(code.replace(co_firstlineno=line.line, co_name=line.function), {"call": call})


def user_line(error: BaseException) -> SourceLine | None:
    """The innermost line of the user's own code that an exception came through.

    Example:
        >>> from tinygrad_nn.verify.command.importing import user_line
        >>> def f(x):
        ...     raise ValueError("no")
        >>> try:
        ...     f(1.0)
        ... except ValueError as error:
        ...     print(user_line(error).line, user_line(error).function)
        2 f
    """
    line = _innermost(error, (_PACKAGE, "<frozen", *_INSTALLED))
    if line is None and error.__cause__ is not None:
        return user_line(error.__cause__)
    return line or _innermost(error, (_PACKAGE, "<frozen"))


def _innermost(error: BaseException, elsewhere: Collection[str]) -> SourceLine | None:
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        code = frame.f_code
        if not code.co_filename.startswith(tuple(elsewhere)):
            return SourceLine(code.co_filename, line, code.co_name)
    return None
