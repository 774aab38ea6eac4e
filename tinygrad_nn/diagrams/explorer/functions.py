"""Which functions the page can compute, read from the script that computes them."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from ...compiler.known import path_of
from ...errors import TinygradNNError

__all__ = ["UnknownFunctionError", "bound", "known_functions", "name_of"]

_TABLE = re.compile(r"^const NUMPY = \{$(.*?)^\};$", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r'^  "([\w.]+)\(([\w, *=]*)\)":', re.MULTILINE)
_PARAMETER = re.compile(r"(\w+|\*)(?:=(\d+))?")


class UnknownFunctionError(TinygradNNError, NotImplementedError):
    """A computation needs a function, or an option of one, that the page does not have."""


@functools.cache
def known_functions() -> Mapping[str, Mapping[str, int | None]]:
    """The parameters of each function in the page's table, with defaults, as its keys have them.

    Example:
        >>> from tinygrad_nn.diagrams.explorer.functions import known_functions
        >>> known_functions()["np.stack"]
        {'arrays': None, 'axis': 0}
    """
    script = files(__package__).joinpath("numpy.js").read_text(encoding="utf-8")
    found = _TABLE.search(script)
    keys = _KEY.findall(found.group(1)) if found else []
    return {
        name: {
            p: int(default) if default else None for p, default in _PARAMETER.findall(parameters)
        }
        for name, parameters in keys
    }


def name_of(function: Callable[..., Any]) -> str:
    """What the table calls a function: np.linalg.norm, or the bare name of one that is ours."""
    return path_of(function) or _full_name(function)


def bound(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[str, list[Any]]:
    """A call as the page makes it: the name, and an argument for each of its parameters.

    Raises:
        UnknownFunctionError: the page does not have the function, or not with these options.
    """
    name = name_of(function)
    parameters = known_functions().get(name)
    if parameters is None:
        raise UnknownFunctionError(f"the page does not know {_full_name(function)}")
    names = [parameter for parameter in parameters if parameter != "*"]
    positional = list(parameters)[: list(parameters).index("*")] if "*" in parameters else names
    if names[-1] == "rest":  # what takes any number of arrays
        first = len(names) - 1
        args = [*args[:first], list(args[first:])]
    given = dict(zip(positional, args, strict=False)) | dict(kwargs)
    extra = [*args[len(positional) :], *(v for k, v in kwargs.items() if k not in names)]
    if not all(value is None or value is False or value is np._NoValue for value in extra):
        raise UnknownFunctionError(
            f"the page does not know these options of {_full_name(function)}"
        )
    return name, [given.get(parameter, parameters[parameter]) for parameter in names]


def _full_name(function: Callable[..., Any]) -> str:
    """A function's name as people import it."""
    path = path_of(function)
    if path is not None:
        return "numpy" + path.removeprefix("np")
    name = getattr(function, "__name__", "a function")
    module = getattr(function, "__module__", None) or ""
    ours = module.startswith((__name__.partition(".")[0], "_operator"))
    return name if ours or not module or isinstance(function, np.ufunc) else f"{module}.{name}"
