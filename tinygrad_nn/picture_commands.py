"""The commands ``draw``, ``explain`` and ``explore``: what a script computes, seen."""

import argparse
import difflib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from .errors import ArgumentError, OutputError

__all__ = ["add_pictures"]

_TARGET = """\
SCRIPT.py is imported, not run as the main program: what stands below if __name__ == "__main__" is
left out. :NAME is a variable of it, such as a Tensor, a list of Tensors, a Graph or a compiled step
that has run, or a function that is called without arguments and returns one; dots reach into
objects, as in :model.loss. Without :NAME it is the variable `loss` or, where there is none, what
was computed last.
"""

_DRAW = f"""\
Draw the graph of what a script computed: values, gradients, layers as frames.

{_TARGET}
examples:
  tinygrad-nn draw train.py -o graph.svg
  tinygrad-nn draw train.py:loss -o graph.pdf --check --theme dark
"""

_EXPLAIN = f"""\
Explain a gradient in words and numbers: the paths from the loss to one element of a parameter, the
local derivative at each step, their sum, and a finite difference beside it.

TARGET is SCRIPT.py[:NAME], or the name of a function, such as numpy.tanh or losses.huber: then its
formula, derivative, domain and kinks are told.

{_TARGET}
examples:
  tinygrad-nn explain train.py --parameter hidden/weights --index 0,1
  tinygrad-nn explain numpy.maximum
"""

_EXPLORE = f"""\
Write a page to step through the computation, forward and backward: one file, which any browser
opens, and which needs nothing else.

{_TARGET}
examples:
  tinygrad-nn explore train.py
  tinygrad-nn explore train.py:loss -o loss.html --no-check
"""

_HELP = {
    "out": "where to write: .svg, .png, .pdf, .html or .dot (default: the script's name with .svg)",
    "collapse": "a scope to fold, by name, path or pattern; may be repeated",
    "highlight": "a Tensor or scope to mark, by name; may be repeated",
    "parameter": "a name, as weights or hidden/weights (default: the first that has a gradient)",
    "index": "of one element, as 0,1 (default: the one with the largest gradient)",
    "text": "write to .txt, .md or .html, and do not print",
}


def add_pictures(commands: Any) -> None:
    """Add the three commands to a parser's commands."""
    draw = _added(commands, "draw", "draw the graph of what a script computed", _DRAW, _draw)
    option = draw.add_argument
    option("-o", "--out", metavar="FILE", help=_HELP["out"])
    option("--check", action="store_true", help="show a verdict on each gradient")
    option("--backward", action="store_true", help="draw the backward pass as well")
    option(
        "--direction", choices=("TB", "LR"), default="TB", help="top to bottom, or left to right"
    )
    option("--theme", choices=("light", "dark"), default="light")
    option("--depth", type=int, metavar="N", help="fold scopes that lie deeper")
    option("--max-nodes", type=int, default=150, metavar="N", help="boxes at most (default: 150)")
    option("--collapse", action="append", default=[], metavar="SCOPE", help=_HELP["collapse"])
    option("--highlight", action="append", default=[], metavar="NAME", help=_HELP["highlight"])

    explain = _added(commands, "explain", "explain a gradient, or a function", _EXPLAIN, _explain)
    option = explain.add_argument
    option("--parameter", metavar="NAME", help=_HELP["parameter"])
    option("--index", metavar="I,J", help=_HELP["index"])
    option("--paths", type=int, default=8, metavar="N", help="at most so many (default: 8)")
    option("-o", "--out", metavar="FILE", help=_HELP["text"])

    explore = _added(
        commands, "explore", "write a page to step through a computation", _EXPLORE, _explore
    )
    option = explore.add_argument
    option("-o", "--out", metavar="FILE", help="default: the script's name with .html")
    option("--no-check", action="store_true", help="leave out the check of each gradient")


def _added(commands: Any, name: str, told: str, about: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=told,
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = "TARGET" if name == "explain" else "SCRIPT.py[:NAME]"
    parser.add_argument("target", metavar=what, help="what to show, as told above")
    parser.set_defaults(run=run, refuse=parser.error)
    return parser


# --- the commands -----------------------------------------------------------------------------


def _draw(options: argparse.Namespace) -> int:
    from .diagrams import draw

    with _found(options.target) as (subject, script):
        diagram = draw(
            subject,
            check=options.check,
            backward=options.backward,
            direction=options.direction,
            theme=options.theme,
            depth=options.depth,
            max_nodes=options.max_nodes,
            collapse=options.collapse,
            highlight=options.highlight,
        )
        for note in diagram.notes:
            print(note, file=sys.stderr)
        print(f"wrote {diagram.save(options.out or f'{script.stem}.svg')}")
    return 0


def _explain(options: argparse.Namespace) -> int:
    from .diagrams import explain

    if _script(options.target) is None:
        if options.parameter or options.index:
            raise ArgumentError(
                f"--parameter, --index: expected SCRIPT.py, which has parameters; got the function "
                f"{options.target}; leave them out"
            )
        explained = explain(_function(options.target))
    else:
        with _found(options.target) as (subject, _):
            index = None if options.index is None else _index(options.index)
            explained = explain(
                subject, parameter=options.parameter, index=index, paths=options.paths
            )
    if options.out:
        print(f"wrote {explained.save(options.out)}")
    else:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(str(explained).encode(encoding, "backslashreplace").decode(encoding))
    return 0


def _explore(options: argparse.Namespace) -> int:
    from .autograd import Tensor
    from .diagrams import draw

    with _found(options.target) as (subject, script):
        out = Path(options.out or f"{script.stem}.html")
        if out.suffix.lower() != ".html":
            raise OutputError(f"--out {out}: expected a name ending in .html; got another")
        # Of several outputs, or without a scalar to start from, there is nothing to check.
        node = subject._node if isinstance(subject, Tensor) else None
        checkable = (
            node is not None and node.tracked and (node.seed is not None or node.value.size == 1)
        )
        diagram = draw(subject, check=checkable and not options.no_check)
        print(f"wrote {diagram.save(out)}")
    return 0


# --- what is shown ----------------------------------------------------------------------------


def _script(target: str) -> tuple[Path, str] | None:
    """The file that a target names, and the name in it; None if it names no file."""
    match = re.fullmatch(r"(.*\.py)(?:::?(.*))?", target, re.DOTALL)
    return None if match is None else (Path(match[1]), match[2] or "")


@contextmanager
def _found(target: str) -> Iterator[tuple[Any, Path]]:
    """What a target stands for, and its script, whose imports work within the block."""
    from .verify.command.importing import importing, load_file

    script = _script(target)
    if script is None:
        raise ArgumentError(f"{target}: expected SCRIPT.py or SCRIPT.py:NAME; got something else")
    path, name = script
    if not path.is_file():
        raise ArgumentError(f"{path}: expected a file of Python; there is none; check the path")
    with importing(path.absolute().parent):
        module = load_file(path.absolute(), str(path))
        yield _named(vars(module), name, str(path)) if name else _last(vars(module), path), path


def _named(variables: dict[str, Any], name: str, shown: str) -> Any:
    """The variable of a name; of a function without arguments, what it returns."""
    from .autograd import Tensor
    from .compiler import CompiledStep
    from .nn import Module
    from .verify.command.importing import user_line

    first, *attributes = name.split(".")
    if first not in variables:
        near = difflib.get_close_matches(first, variables, n=3)
        known = near or [n for n, v in variables.items() if isinstance(v, Tensor)][:5]
        instead = f"write {' or '.join(known)}, for instance" if known else "check the name"
        raise ArgumentError(f"{shown}: expected a variable {first!r}; got none; {instead}")
    value = variables[first]
    for attribute in attributes:
        if not hasattr(value, attribute):
            raise ArgumentError(
                f"{shown}: expected {type(value).__name__} to have {attribute!r}; it has not; "
                f"check the name"
            )
        value = getattr(value, attribute)
    if callable(value) and not isinstance(value, (Tensor, CompiledStep, Module)):
        try:
            return value()
        except Exception as error:
            line = user_line(error)
            at = "" if line is None else f", at {line}"
            raise ArgumentError(
                f"{shown}: expected {name}() to return a Tensor; got {type(error).__name__}: "
                f"{error}{at}; name a function that needs no arguments"
            ) from error
    return value


def _last(variables: dict[str, Any], path: Path) -> Any:
    """The variable `loss`, or what was computed last."""
    from .autograd import Tensor

    if isinstance(variables.get("loss"), Tensor):
        return variables["loss"]
    tensors = [v for v in variables.values() if isinstance(v, Tensor)]
    computed = [t for t in tensors if t._node.primitive is not None] or tensors
    if not computed:
        raise ArgumentError(
            f"{path}: expected a Tensor among its variables, such as loss; got none; assign it "
            f"outside of functions, or write {path}:NAME for a function that returns it"
        )
    return max(computed, key=lambda tensor: tensor._node.number)


def _index(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.strip("()[] ,").split(",")) if text.strip() else ()
    except ValueError:
        raise ArgumentError(
            f"--index: expected integers with commas between, as 0,1; got {text!r}"
        ) from None


def _function(name: str) -> Any:
    """The function of a name: of NumPy, of this package, or of any module."""
    from . import activations, losses

    path = re.sub(r"^np\.", "numpy.", name)
    places = ["numpy", "tinygrad_nn.activations", "tinygrad_nn.losses", "tinygrad_nn"]
    for whole in (path, *(f"{place}.{path}" for place in places)):
        module, _, last = whole.rpartition(".")
        try:
            found = getattr(import_module(module), last, None) if module else None
        except (ImportError, ValueError):
            continue
        if callable(found):
            return found
    import numpy as np

    known = dict.fromkeys([*dir(np), *activations.__all__, *losses.__all__])
    near = difflib.get_close_matches(path.rpartition(".")[2], known, n=3)
    instead = f"write {' or '.join(near)}, for instance" if near else "or SCRIPT.py:NAME"
    raise ArgumentError(
        f"{name}: expected the name of a function; got none that is known; {instead}"
    )
