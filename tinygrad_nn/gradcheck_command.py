"""The command ``tinygrad-nn gradcheck``: checks of one's own functions, or of the whole library."""

import argparse
import difflib
import fnmatch
import io
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from . import __version__
from .errors import ArgumentError, OutputError

if TYPE_CHECKING:
    from .verify import LibraryCheck, Results, Verdict

__all__ = ["add_gradcheck"]

_LONG_RUN = 20  # checks: fewer are done before a progress line can be read

_DESCRIPTION = """\
Check gradients against finite differences, in float64 and with random cotangents.

Without TARGET, everything that the library differentiates is checked, and a table printed. TARGET
is a function of your own, FILE.py::function or package.module:function; its file is imported, not
run as the main program. FILE.py alone stands for all public functions of the file that inputs are
known for. A layer or a model is a function too, and its parameters are checked as well. What a
function prints meanwhile is left out.

The inputs of a function are, argument by argument, the first of these that there is:

  --shape x=3,4       normal random numbers of that shape
  NAME_samples()      a function beside the function NAME. It returns
                        (x, y)            a tuple: the arguments of one call
                        {"x": x, "y": y}  a dict: the same by name
                        x                 an array, a Tensor, a number: the only argument
                        [(x, y), (u, v)]  a list of these, or yields them: one check for each
  samples()           the same for the one function of a file; for several functions it returns
                      a dict from their names: {"loss": [(x, y)], "norm": x}
  the defaults        of the arguments: def loss(x=np.ones(3), margin=1.0). Arrays are checked; a
                      number is held constant, unless there is nothing else
"""

_EPILOG = """\
verdicts (the first two are right, a KINK may be, the others are not):
  UNUSED            the output does not depend on it, and the gradient is zero
  PASS              the gradient agrees with finite differences
  KINK              the slopes to either side differ; right if the gradient lies between them
  JUMP              the function jumps here: there is no slope
  UNSTABLE          no step gives a difference that can be trusted
  NONDETERMINISTIC  two runs on the same inputs differ
  WRONG             the gradient disagrees with finite differences

exit status: 0 if all is right, 1 if something is not or an exception ended a check, 2 if the
command cannot be carried out as given.

examples:
  tinygrad-nn gradcheck model.py::loss --shape x=3,4 --shape b=4
  tinygrad-nn gradcheck --only 'numpy.linalg.*' --html report.html
"""

_HELP = {
    "shape": "draw an argument at random; NAME= for a single number; may be repeated",
    "only": "checks with this in their name, or whose name is a pattern with *, ? and []",
    "fail_on": "exit with 1 only if one of these occurs, or an exception (default: whatever is "
    "not right)",
    "self_test": "plant mistakes in the library's derivatives, and see whether each is found",
}


def add_gradcheck(commands: Any) -> argparse.ArgumentParser:
    """Add the command to a parser's commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "gradcheck",
        help="check derivatives, yours or the library's, by finite differences",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    text, number = parser.add_argument, partial(parser.add_argument, type=int, metavar="N")
    text("target", nargs="?", metavar="TARGET", help="what to check (default: the library)")
    text("--shape", action="append", default=[], metavar="NAME=3,4", help=_HELP["shape"])
    number("--seed", default=0, help="of inputs and cotangents (default: %(default)s)")
    number("--order", default=1, help="2 for the gradient of the gradient too, ... (default: 1)")
    text("--only", default="", metavar="PATTERN", help=_HELP["only"])
    text("--json", metavar="FILE", help="write all findings for programs")
    text("--html", metavar="FILE", help="write a page for people")
    text("--junit", metavar="FILE", help="write XML for CI servers")
    text("--fail-on", default="", metavar="VERDICT[,...]", help=_HELP["fail_on"])
    text("--self-test", action="store_true", help=_HELP["self_test"])
    parser.set_defaults(run=_run, refuse=parser.error)
    return parser


def _run(options: argparse.Namespace) -> int:
    _refuse_misuse(options)
    if options.self_test:
        return _self_test(options)
    fail_on = _verdicts(options.fail_on)
    files = _output_files(options)
    unshown = _Unshown()
    with _checks(options) as checks:
        chosen = _only(checks, options.only)
        started = time.perf_counter()
        results = _checked(chosen, unshown)
        seconds = time.perf_counter() - started
        with unshown.instead():
            told = _told(results, options.target is not None)
            texts = {kind: _text(kind, results, fail_on) for kind in files}
    _show(told)
    if unshown.size:
        _show(f"\nleft out: {unshown.size:,} bytes that the functions printed")
    _summarise(results, seconds, fail_on)
    _write(files, texts)
    return 1 if any(result.fails(fail_on) for result in results.results) else 0


def _refuse_misuse(options: argparse.Namespace) -> None:
    if options.seed < 0:
        raise ArgumentError(f"--seed: expected a non-negative integer; got {options.seed}")
    if options.order < 1:
        raise ArgumentError(f"--order: expected an integer of at least 1; got {options.order}")
    if options.shape and options.target is None:
        raise ArgumentError("--shape: expected a TARGET whose arguments to draw; got none")
    if options.self_test:
        names = ("target", "shape", "json", "html", "junit", "fail_on")
        given = [name for name in names if getattr(options, name)]
        if given or options.order != 1:
            raise ArgumentError(
                f"--self-test: expected --only and --seed at most; got "
                f"{', '.join(given or ['order']).replace('_', '-')} too; run it by itself"
            )


def _self_test(options: argparse.Namespace) -> int:
    from .training.progress import progress
    from .verify.table.selftest import self_test

    try:
        report = self_test(only=options.only, seed=options.seed, progress=progress)
    except ArgumentError as error:  # no row has such a name: all else was refused before
        raise ArgumentError(f"--only: {str(error).removeprefix('self_test: ')}") from error
    _show(str(report))
    return 0 if report else 1


def _verdicts(listed: str) -> "frozenset[Verdict]":
    from .verify import Verdict

    names = [name.strip().upper() for name in listed.split(",")] if listed else []
    for name in names:
        if name not in Verdict.__members__:
            raise ArgumentError(
                f"--fail-on: expected some of {', '.join(Verdict.__members__)}; got {name!r}; a "
                f"check that ends with an exception fails in any case"
            )
    return frozenset(Verdict[name] for name in names)


# --- what is checked --------------------------------------------------------------------------


@contextmanager
def _checks(options: argparse.Namespace) -> "Iterator[list[LibraryCheck]]":
    """The checks that were asked for; within the block, a user's imports work."""
    from .verify import library_checks

    if options.target is None:
        yield list(library_checks(options.seed, options.order))
        return
    from .verify.command.arguments import parse_shapes
    from .verify.command.targets import find_target

    shapes = parse_shapes(options.shape)
    with find_target(options.target, shapes, options.seed, options.order) as found:
        if found.skipped:
            _show(f"left out, since no inputs are known: {', '.join(found.skipped)}\n")
        yield found.checks


def _only(checks: "Sequence[LibraryCheck]", pattern: str) -> "list[LibraryCheck]":
    """The checks whose names match. A plain word matches anywhere in a name."""
    wanted = pattern.lower()
    if not any(sign in wanted for sign in "*?["):
        wanted = f"*{wanted}*"
    chosen = [check for check in checks if fnmatch.fnmatchcase(check.name.lower(), wanted)]
    if not chosen:
        names = {
            name.lower(): name
            for check in checks
            for name in (check.name, check.name.rpartition(".")[2])  # people leave the module out
        }
        near = difflib.get_close_matches(pattern.strip("*?").lower(), names, n=3, cutoff=0.5)
        meant = " or ".join(names[name] for name in near) or checks[0].name
        raise ArgumentError(
            f"--only: expected a part of a check's name, or a pattern of it; got {pattern!r}, "
            f"which none has; write {meant}, for instance"
        )
    return chosen


def _checked(checks: "Sequence[LibraryCheck]", unshown: "_Unshown") -> "Results":
    from .training.progress import progress
    from .verify import Results, checked

    results = []
    long = len(checks) > _LONG_RUN
    for check in progress(checks, len(checks), "checking") if long else checks:
        with unshown.instead():  # of the stream that the progress line may have put there
            results.append(checked(check.name, check.run))
    return Results(results)


class _Unshown(io.RawIOBase):
    """Where a function's own output goes: a check calls it hundreds of times."""

    size = 0

    def writable(self) -> bool:
        """It takes all."""
        return True

    def write(self, data: Any) -> int:
        """Count, and forget."""
        self.size += len(data)
        return len(data)

    def instead(self) -> AbstractContextManager[Any]:
        """A block in which this is the standard output."""
        stream: Any = self
        return redirect_stdout(io.TextIOWrapper(stream, "utf-8", "replace", write_through=True))

    def close(self) -> None:
        """It stays open, as one block follows another."""


# --- what is told -----------------------------------------------------------------------------


def _told(results: "Results", in_full: bool) -> str:
    """One line for each check, or all that was found by it."""
    from .verify.command.writers import error_text

    if not in_full:
        return str(results)
    return "\n\n".join(
        f"{r.name}: {r.told}\n{r.report if r.error is None else error_text(r.error)}"
        for r in results.results
    )


def _summarise(results: "Results", seconds: float, fail_on: "frozenset[Verdict]") -> None:
    count, wrong = len(results), results.wrong
    failed = [result.name for result in results.results if result.fails(fail_on)]
    said = f"{len(wrong)} NOT RIGHT" if wrong else "all right"
    if fail_on:  # the exit status then depends on these alone
        said = (f"{len(failed)} FAILED" if failed else "none failed") + (
            f", {len(wrong)} not right" if wrong else ""
        )
    _show(f"\n{count} check{'s' * (count != 1)}, {seconds:.1f} s: {said}")
    for name in wrong:
        _show(f"not right: {name}")
    if fail_on:
        listed = ", ".join(v.value for v in sorted(fail_on, key=lambda v: v.badness))
        _show(f"fails on {listed}: {', '.join(failed) or 'nothing does'}")


def _show(text: str) -> None:
    """Print, with what the terminal has no characters for written out."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def _output_files(options: argparse.Namespace) -> dict[str, Path]:
    """Where to write, made sure of before the work: a long run must not end in a typing error."""
    from .diagrams.output import file_to_replace

    given = {kind: getattr(options, kind) for kind in ("json", "html", "junit")}
    files = {kind: Path(path).absolute() for kind, path in given.items() if path is not None}
    for kind, path in files.items():
        option = f"--{kind} {given[kind]}"
        if list(files.values()).count(path) > 1:
            raise OutputError(f"{option}: expected a file for each; got the same one twice")
        try:
            if path.is_dir():
                raise OutputError(f"{option}: expected a file; got a folder; name a file in it")
            place = file_to_replace(path)
            if place is not None:
                with NamedTemporaryFile(dir=place.parent, prefix=f".{place.name}."):
                    pass
        except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError) as error:
            raise OutputError(
                f"{option}: expected a folder to write into; got {path.parent}: "
                f"{getattr(error, 'strerror', None) or error}; make it, or name another"
            ) from error
    return files


def _text(kind: str, results: "Results", fail_on: "frozenset[Verdict]") -> str:
    from .verify.command.page import as_html
    from .verify.command.writers import as_json, as_junit

    if kind == "junit":
        return as_junit(results, fail_on)
    return as_json(results, __version__) if kind == "json" else as_html(results, __version__)


def _write(files: dict[str, Path], texts: dict[str, str]) -> None:
    from .diagrams.output import write_file

    for kind, path in files.items():
        _show(f"wrote {write_file(path, texts[kind])}")
