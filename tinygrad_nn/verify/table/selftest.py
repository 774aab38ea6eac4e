"""The self-test of the gradient checker: faults planted in the derivative table, one at a time.

A check that never says WRONG is worth nothing. So each rule of the table is spoiled in a dozen
ways, and the library's own checks must notice every one that changes a gradient.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple, TypeAlias

from ...errors import ArgumentError
from ...primitives import TABLE, Primitive
from ..text import table
from .catalogue import library_checks
from .faults import BLIND, FAULTS, TIES, Fault, jumps
from .planting import Bench, Change, Checks, Place, planted

__all__ = ["Outcome", "SelfTestReport", "self_test"]

Planned: TypeAlias = "tuple[_Trial, Fault]"
Progress: TypeAlias = Callable[[Sequence[Planned], int, str], Iterable[Planned]]

_ROWS_ABREAST = 3  # in the report


class Outcome(NamedTuple):
    """What came of one planted fault."""

    fault: str
    row: str
    argument: str
    state: str  # "killed", "survived", or "unchanged": it changed no gradient
    why: str
    killed_by: str = ""


def self_test(
    only: str = "",
    seed: int = 0,
    progress: Progress = lambda faults, total, label: faults,
    checks: Checks = library_checks,
) -> "SelfTestReport":
    """Plant each fault in each rule of the table, and see whether the checks notice.

    A fault that changes a gradient where the library's checks look must make one of them fail.

    Args:
        only: which rows: a name, a part of names, or a pattern with * and ?; by default all.
        seed: of the checks' samples.
        progress: is given the faults to be planted, how many they are, and what is being done;
            yields the faults.
        checks: the checks to be tested, for a seed and an order.

    Raises:
        ArgumentError: no row has such a name.

    Example:
        >>> from tinygrad_nn.verify.table.selftest import self_test
        >>> report = self_test("numpy.tanh")
        >>> report
        <SelfTestReport 12 faults planted: 8 killed, 0 survived, 4 change no gradient>
        >>> [outcome.why for outcome in report.outcomes if outcome.fault == "lost reduction"]
        ['nothing is broadcast']
    """
    rows = _chosen([row for row in TABLE.values() if any(row.derivatives)], only.lower())
    if not rows:
        raise ArgumentError(
            f"self_test: expected a part of the name of a row; got {only!r}; "
            f"docs/derivatives.md lists the rows"
        )
    bench = Bench(checks, seed)
    trials = [
        _Trial(bench, row, argument)
        for row in rows
        for argument, cell in enumerate(row.derivatives)
        if cell is not None
    ]
    planned = [(trial, fault) for trial in trials for fault in FAULTS]
    done = progress(planned, len(planned), "planting faults")
    return SelfTestReport([trial.outcome(fault) for trial, fault in done])


def _chosen(rows: Sequence[Primitive], only: str) -> Sequence[Primitive]:
    """The row of that name; else all whose names contain it, or match it as a pattern."""
    exact = [row for row in rows if only in (row.name.lower(), row.qualified_name.lower())]
    named = [(row, row.qualified_name.lower()) for row in rows]
    return exact or [row for row, name in named if only in name or fnmatchcase(name, only)]


class _Trial:
    """All faults in one rule."""

    def __init__(self, bench: Bench, row: Primitive, argument: int) -> None:
        self._bench = bench
        self._row = row
        self._argument = argument
        named = row.parameters[argument : argument + 1]
        self._name = named[0] if named else str(argument)

    def outcome(self, fault: Fault) -> Outcome:
        """What comes of a fault."""
        return Outcome(fault.name, self._row.qualified_name, self._name, *self._came(fault))

    def _came(self, fault: Fault) -> tuple[str, ...]:
        """The state, why, and what killed it."""
        own, others = self._bench.own(self._row), self._bench.others(self._row)
        trusting: list[str] = []  # the checks that say right, though something is changed
        if killer := self._killer(fault, own, trusting):
            return "killed", "", killer
        if own and not trusting and not (fault is TIES and jumps(self._row) is False):
            return "unchanged", self._idle(fault)
        if killer := self._killer(fault, others, trusting):
            return "killed", "", killer
        if trusting:
            return "survived", "right in spite of it, say " + ", ".join(trusting)
        return "survived", "no check lies on its kinks" if own else "no check runs through the row"

    def _killer(self, fault: Fault, places: Iterable[Place], trusting: list[str]) -> str:
        """The first check that is right without the fault, and not with it."""
        for place in places:
            change = place.change(fault, self._row, self._argument)
            if change is Change.NOTHING:
                continue
            with planted(fault, self._row, self._argument):
                result = place.run(fault.order)
            if place.is_right(fault.order) and not result.right:
                return f"{result.name}: {result.told}"
            # At a kink a rule may choose any subgradient, but the fault of ties chooses none.
            if fault is TIES or change is not Change.KINKS:
                trusting.append(f"{result.name} ({result.summary})")
        return ""

    def _idle(self, fault: Fault) -> str:
        """Why a fault changes nothing, or nothing but a choice."""
        if fault is TIES:
            return "it jumps at its kinks: there is no slope" if jumps(self._row) else fault.idle
        zero = FAULTS[0]
        if not self._changes(zero):
            return zero.idle
        if Change.KINKS in self._changes(fault):
            return "another subgradient at a kink, and nothing elsewhere"
        if fault.name == "stale output" and not self._changes(BLIND):
            return BLIND.idle
        return fault.idle

    def _changes(self, fault: Fault) -> set[Change]:
        own = self._bench.own(self._row)
        return {p.change(fault, self._row, self._argument) for p in own} - {Change.NOTHING}


# --- the report -------------------------------------------------------------------------------


class SelfTestReport:
    """What came of each planted fault. It is truthy when none survived; as a string, tables.

    Attributes:
        outcomes: one for each fault in each rule.
    """

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = tuple(outcomes)

    def __bool__(self) -> bool:
        return not self.survivors

    @property
    def survivors(self) -> list[Outcome]:
        """The faults that changed a gradient, and that no check noticed."""
        return [outcome for outcome in self.outcomes if outcome.state == "survived"]

    def __str__(self) -> str:
        parts = [self._by_fault(), self._by_row(), self._reasons()]
        if self.survivors:
            head = ("survived", "in", "argument", "why")
            lines = [(o.fault, o.row, o.argument, o.why) for o in self.survivors]
            parts.append(table(head, lines))
        return "\n\n".join([*parts, self._summary()])

    def __repr__(self) -> str:
        return f"<SelfTestReport {self._summary()}>"

    def _by_fault(self) -> str:
        head = ("fault", "planted", "changed something", "killed", "kill rate", "survivors")
        names = dict.fromkeys(outcome.fault for outcome in self.outcomes)
        return table(head, [_counted(self.outcomes, "fault", name) for name in names])

    def _by_row(self) -> str:
        names = dict.fromkeys(outcome.row for outcome in self.outcomes)
        cells = []
        for name in names:
            _, _, changed, killed, rate, _ = _counted(self.outcomes, "row", name)
            cells.append((name, f"{killed}/{changed}", rate))
        cells += [("", "", "")] * (-len(cells) % _ROWS_ABREAST)
        height = len(cells) // _ROWS_ABREAST
        lines = [sum(cells[i::height], ()) for i in range(height)]
        return table(("row", "killed", "rate") * _ROWS_ABREAST, lines)

    def _reasons(self) -> str:
        idle = [outcome for outcome in self.outcomes if outcome.state == "unchanged"]
        reasons = Counter((outcome.fault, outcome.why) for outcome in idle)
        lines = [(fault, str(count), why) for (fault, why), count in sorted(reasons.items())]
        return table(("fault", "changes nothing", "because"), lines)

    def _summary(self) -> str:
        states = Counter(outcome.state for outcome in self.outcomes)
        return (
            f"{len(self.outcomes)} faults planted: {states['killed']} killed, "
            f"{states['survived']} survived, {states['unchanged']} change no gradient"
        )


def _counted(outcomes: Iterable[Outcome], by: str, name: str) -> tuple[str, ...]:
    """A line of the report: what came of the faults of one kind, or in one row."""
    states = Counter(outcome.state for outcome in outcomes if getattr(outcome, by) == name)
    changed = states["killed"] + states["survived"]
    rate = f"{states['killed'] / changed:.0%}" if changed else "-"
    numbers = (states.total(), changed, states["killed"])
    return name, *map(str, numbers), rate, str(states["survived"])
