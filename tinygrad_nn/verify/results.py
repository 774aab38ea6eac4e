"""The results of many checks: what the command prints, and writes for other programs."""

import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from .report import GradcheckReport
from .text import one_line, table
from .verdicts import Verdict, told_verdict

__all__ = ["Result", "Results", "checked"]


class Result(NamedTuple):
    """What came of one check: a report, or the error that it ended with."""

    name: str
    report: GradcheckReport | None
    error: Exception | None
    seconds: float

    @property
    def right(self) -> bool:
        """Whether the check ran, and all its gradients are confirmed."""
        return self.report is not None and bool(self.report)

    @property
    def summary(self) -> str:
        """The verdict, or ERROR."""
        return "ERROR" if self.report is None else self.report.verdict.value

    @property
    def told(self) -> str:
        """The summary for people, which says of a kink whether it is right."""
        report = self.report
        return self.summary if report is None else told_verdict(report.verdict, bool(report))

    def fails(self, on: Collection[Verdict]) -> bool:
        """Whether it counts as a failure, if these verdicts do; without any, all that is not right.

        A check that ended with an error always does.
        """
        if self.report is None or not on:
            return not self.right
        return any(verdict in on for f in self.report.findings for verdict in f.counts)


class Results:
    """The results of many checks. They are truthy when all are right; as a string, a table."""

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = tuple(results)

    def __bool__(self) -> bool:
        return all(result.right for result in self.results)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def wrong(self) -> list[str]:
        """The names of the checks that are not right."""
        return [result.name for result in self.results if not result.right]

    def __str__(self) -> str:
        head = ("checked", "inputs", "largest error", "verdict")
        return table(head, [_row(result) for result in self.results])


def checked(name: str, run: Callable[[], GradcheckReport]) -> Result:
    """Run one check. An error that it ends with is its result: the other checks go on."""
    started = time.perf_counter()
    report, failure = None, None
    try:
        report = run()
    except Exception as error:  # whatever a function under test may raise
        failure = error
    return Result(name, report, failure, time.perf_counter() - started)


def _row(result: Result) -> tuple[str, ...]:
    if result.report is None:
        return result.name, "", "", f"ERROR {one_line(result.error or ValueError())}"
    shapes = " ".join(str(f.shape) for f in result.report.findings if f.order == 1)
    return result.name, shapes, f"{result.report.largest_error:.1e}", result.told
