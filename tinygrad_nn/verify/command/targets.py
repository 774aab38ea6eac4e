"""A user's own functions, found by name and checked: ``FILE.py::function``.

The inputs of a function come, argument by argument, from the first of these that has it:

1. a shape: normal random numbers, drawn from a seed;
2. a function of samples that stands beside it, either ``NAME_samples()`` for the function NAME, or
   ``samples()``. What it returns, or yields, is read by its type alone:

   - a tuple is the arguments of one call, in order;
   - a dict is the arguments of one call, by name;
   - an array, a Tensor or a number is the only argument of one call;
   - a list, and what is yielded, holds several of these: one check for each.

   A dict that ``samples()`` returns has names of functions as its keys, each with any of the above.
   Anything else that it returns belongs to the one function that was asked for, or that there is;
3. the default of the argument. An array is checked; a plain number, such as a margin, is held
   constant, unless there is nothing else.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from inspect import BoundArguments, Parameter, Signature
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

from ..._typing import Shape
from ...errors import ArgumentError, GradientError
from ...nn import Module
from ..gradcheck import gradcheck
from ..report import GradcheckReport
from ..table.catalogue import LibraryCheck
from ..text import a_type, one_line
from .arguments import Function, arguments_of
from .importing import called_from, importing, load_file, load_module
from .samples import Samples

__all__ = ["Target", "find_target"]

_NO_SHAPES: Mapping[str, Shape] = MappingProxyType({})


class Target(NamedTuple):
    """The checks of a user's functions, and the functions that no inputs are known for."""

    checks: list[LibraryCheck]
    skipped: list[str]


@contextmanager
def find_target(
    target: str, shapes: Mapping[str, Shape] = _NO_SHAPES, seed: int = 0, order: int = 1
) -> Iterator[Target]:
    """Find a user's functions. Within the block, their imports work as when their file is run.

    Args:
        target: ``FILE.py::function`` or ``package.module:function``; without a function, all
            public ones that are defined there and that inputs are known for.
        shapes: of arguments that are drawn at random, by their names.
        seed: of these, and of each check.
        order: 2 to check the gradient of the gradient too, and so on.

    Raises:
        ArgumentError: there is no such function, it is none, or its inputs are not known.

    Example:
        >>> from tinygrad_nn.verify.command.targets import find_target
        >>> with find_target("tinygrad_nn.activations:tanh", {"x": (3,)}) as found:
        ...     [(check.name, bool(check.run())) for check in found.checks]
        [('tinygrad_nn.activations:tanh', True)]
    """
    source, mark, attribute = _parts(target)
    path = _existing(source) if mark == "::" else None
    with importing(Path.cwd() if path is None else path.parent):
        module = load_module(source) if path is None else load_file(path, source)
        yield _Functions(module, source, mark).target(attribute, shapes, seed, order)


def _parts(target: str) -> tuple[str, str, str]:
    """Where to look, the mark of a file (two colons) or a module (one), and for what."""
    source, mark, attribute = target.rpartition("::")
    if mark:
        return _asked(target, source, mark, attribute)
    if target.endswith(".py") or "/" in target or "\\" in target or target in (".", ".."):
        return target, "::", ""
    source, mark, attribute = target.partition(":")
    return (target, ":", "") if source and not mark else _asked(target, source, mark, attribute)


def _asked(target: str, source: str, mark: str, attribute: str) -> tuple[str, str, str]:
    if not source or not attribute:
        raise ArgumentError(
            f"{target!r}: expected FILE.py::function or package.module:function; got no "
            f"{'function' if source else 'file or module'}; write it"
        )
    return source, mark, attribute


def _existing(source: str) -> Path:
    try:
        path = Path(source).resolve()
        exists, folder = path.exists(), path.is_dir()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a zero byte, a loop of links
        raise ArgumentError(f"{source!r}: expected the path of a file; {error}") from error
    if folder:
        raise ArgumentError(
            f"{source}: expected a file of Python; got a folder; name one file in it"
        )
    if not exists:
        near = [] if not path.parent.is_dir() else [p.name for p in path.parent.glob("*.py")]
        raise ArgumentError(
            f"{source}: expected a file of Python; there is none{_near(path.name, near)}; check "
            f"the path"
        )
    return path


class _Functions:
    """The functions of a module, and how to ask for one."""

    def __init__(self, module: ModuleType, source: str, mark: str) -> None:
        self._module = module
        self._shown = source + mark
        self._source = source
        self._public = list(self._find_public())

    def target(self, attribute: str, shapes: Mapping[str, Shape], seed: int, order: int) -> Target:
        """The checks of one function, or of all that inputs are known for."""
        functions = [self._one(attribute)] if attribute else self._all()
        self._refuse_unknown(shapes, functions)
        samples = Samples(self._module, [f.name for f in self._public], attribute)
        checks: list[LibraryCheck] = []
        unknown: dict[str, ArgumentError] = {}
        for function in functions:
            cases = arguments_of(function, samples, shapes, seed)
            if isinstance(cases, ArgumentError):
                unknown[function.name] = cases
            else:
                checks += _checks(function, cases, seed, order)
        if not checks:
            raise self._nothing_known(unknown)
        return Target(checks, list(unknown))

    def _find_public(self) -> Iterator[Function]:
        """What is defined here, or built here of layers."""
        here = vars(self._module)
        names = getattr(self._module, "__all__", None) or [n for n in here if n[:1] != "_"]
        seen: set[int] = set()
        for name in names:
            value = here.get(name)
            ours = getattr(value, "__module__", None) == self._module.__name__
            if not (callable(value) and (ours or isinstance(value, Module))):
                continue
            if isinstance(value, type) or id(value) in seen or self._gives_samples(name):
                continue
            seen.add(id(value))
            yield self._function(name, value)

    def _gives_samples(self, name: str) -> bool:
        base = name.removesuffix("_samples")
        return name == "samples" or (base != name and hasattr(self._module, base))

    def _all(self) -> list[Function]:
        if not self._public:
            raise ArgumentError(
                f"{self._source}: expected a public function that is defined there; got none; "
                f"write one, or name what to check after {self._shown}"
            )
        return self._public

    def _one(self, attribute: str) -> Function:
        value: Any = self._module
        for part in attribute.split("."):
            if not hasattr(value, part):
                near = _near(part, [name for name in dir(value) if name[:1] != "_"])
                raise ArgumentError(
                    f"{self._shown}{attribute}: expected a function; there is no {part!r}{near}; "
                    f"check the name"
                )
            value = getattr(value, part)
        if isinstance(value, type) or not callable(value):
            got = f"the class {value.__name__}" if isinstance(value, type) else a_type(value)
            raise ArgumentError(
                f"{self._shown}{attribute}: expected a function; got {got}; name what "
                f"can be called with arrays"
            )
        return self._function(attribute, value)

    def _function(self, name: str, value: Any) -> Function:
        file = getattr(self._module, "__file__", None) or ""
        return Function(name, self._shown + name, value, file)

    def _refuse_unknown(self, shapes: Mapping[str, Shape], functions: list[Function]) -> None:
        known = {
            name: None
            for function in functions
            for name, parameter in function.signature.parameters.items()
            if parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
        }
        for name in shapes:
            if name not in known:
                listed = f"one of {', '.join(known)}" if known else "none, since it takes any"
                shown = functions[0].shown if len(functions) == 1 else self._source
                raise ArgumentError(
                    f"--shape {name}: expected an argument of {shown}, {listed}; got {name}"
                )

    def _nothing_known(self, unknown: Mapping[str, ArgumentError]) -> ArgumentError:
        if len(unknown) == 1:
            return next(iter(unknown.values()))
        return ArgumentError(
            f"{self._source}: expected inputs for one of its functions, {', '.join(unknown)}; got "
            f"none; define {next(iter(unknown))}_samples(), which returns a list of tuples of "
            f"arguments, or name the function and give --shape, or give each argument a default"
        )


def _checks(
    function: Function, cases: list[dict[str, Any]], seed: int, order: int
) -> Iterator[LibraryCheck]:
    for number, arguments in enumerate(cases, start=1):
        name = f"{function.shown}, sample {number}" if len(cases) > 1 else function.shown
        yield LibraryCheck(name, partial(_checked, function, arguments, seed, order))


def _checked(
    function: Function, arguments: Mapping[str, Any], seed: int, order: int
) -> GradcheckReport:
    f = _Positional(function, list(arguments))
    owner = getattr(function.call, "__self__", function.call)  # of a method
    parameters = owner if isinstance(owner, Module) else ()
    report = gradcheck(f, *arguments.values(), parameters=parameters, order=order, rng=seed)
    _ = report.blame  # found now, while the function's own imports work
    return report


class _Positional:
    """A user's function of some of its arguments, given in order, which keep their names."""

    __signature__: Signature  # where gradcheck finds the names

    def __init__(self, function: Function, names: Sequence[str]) -> None:
        self._function = function
        self._names = names
        self._signature, self._line = function.signature, function.line  # worked out once
        taken = [self._signature.parameters[name] for name in names]
        self.__signature__ = Signature(
            [p.replace(kind=p.POSITIONAL_ONLY, default=p.empty) for p in taken]
        )

    def __call__(self, *values: Any) -> Any:
        bound = BoundArguments(self._signature, dict(zip(self._names, values, strict=True)))
        call = partial(self._function.call, *bound.args, **bound.kwargs)
        return _guarded(self._function.shown, partial(called_from, self._line, call))


def _guarded(shown: str, call: Callable[[], Any]) -> Any:
    """What a function returns; its wish to end the program is an error like others."""
    try:
        return call()
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:  # such as SystemExit
        raise GradientError(
            f"{shown}: expected a value; got {one_line(error)}; let it return one"
        ) from error


def _near(name: str, names: Iterable[str]) -> str:
    """What may have been meant instead."""
    near = difflib.get_close_matches(name, list(names), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""
