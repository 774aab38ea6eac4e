"""The report of a gradient check: findings for people, programs, and pictures."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ..errors import ArgumentError
from .text import table
from .verdicts import Element, Finding, Verdict, worst_verdict

if TYPE_CHECKING:
    from .blame import Blame
    from .check import Check
    from .curve import StepCurve

__all__ = ["COLUMNS", "GradcheckReport"]

COLUMNS = ("input", "shape", "worst at", "analytic", "numeric", "error bar", "verdict")


class GradcheckReport:
    """The findings of a check. It is truthy when all is right; as a string it is a table.

    Attributes:
        findings: one for each input and order, with its elements.
        checks: what they come from, for each order: the function at its inputs.
    """

    def __init__(self, findings: Sequence[Finding], checks: Sequence["Check"] = ()) -> None:
        self.findings = tuple(findings)
        self.checks = tuple(checks)

    def __bool__(self) -> bool:
        return all(finding.right for finding in self.findings)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict."""
        return worst_verdict(self.findings)

    @property
    def largest_error(self) -> float:
        """The largest error, relative to the input's largest gradient; NaN if any is."""
        errors = [f.largest_error for f in self.findings]
        return math.nan if any(map(math.isnan, errors)) else max(errors, default=0.0)

    @cached_property
    def blame(self) -> "Blame | None":
        """Where the first mistake is made, if a gradient is wrong.

        Each recorded operation is checked by itself, in order.
        """
        from .blame import find_blame  # on use: right gradients need none

        wrong = [f.order for f in self.findings if _is_mistaken(f)]
        return find_blame(self.checks[0], min(wrong)) if wrong and self.checks else None

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The findings as a table shows them: a cell for each of `COLUMNS`."""
        several = any(finding.order > 1 for finding in self.findings)
        return [_row(finding, several) for finding in self.findings]

    def step_curve(
        self, of: str | int = 0, index: tuple[int, ...] | None = None, order: int = 1
    ) -> "StepCurve":
        """The error of a finite difference against its step, for one element of an input.

        Args:
            of: the name of the input, or its number.
            index: which element; by default the worst.
            order: 2 for the gradient of the gradient.

        Raises:
            ArgumentError: there is no such input or element.
        """
        from .curve import step_curve  # on use: most checks are not drawn

        findings = {f.name: f for f in self.findings if f.order == order}
        names = list(findings)
        name = names[of] if isinstance(of, int) and 0 <= of < len(names) else of
        if name not in findings or not 1 <= order <= len(self.checks):
            raise ArgumentError(
                f"step_curve: expected the name or number of an input that was checked, "
                f"{', '.join(names)}; got {of!r}"
            )
        return step_curve(self.checks[order - 1], findings[name], index)

    def __str__(self) -> str:
        notes = [note for f in self.findings for note in _notes(f)]
        if self.blame is not None:
            notes.append(str(self.blame))
        return "\n".join([table(COLUMNS, self.rows), *notes])

    def __repr__(self) -> str:
        return f"<GradcheckReport {self.verdict.value}, {len(self.findings)} inputs>"


def _is_mistaken(finding: Finding) -> bool:
    return any(e.verdict in (Verdict.WRONG, Verdict.KINK) and not e.right for e in finding.elements)


def _row(finding: Finding, several: bool) -> tuple[str, ...]:
    worst = finding.worst
    order = f"∂{finding.order} " if several else ""
    return (
        order + finding.name,
        str(finding.shape),
        finding.at,
        f"{worst.analytic:.6g}",
        f"{worst.numeric:.6g}",
        f"{worst.error_bar:.1e}",
        finding.summed,
    )


def _notes(finding: Finding) -> list[str]:
    """What the table cannot say of the worst element."""
    worst = finding.worst
    if worst.jump:
        return [f"{finding.name} {worst.place}: the function jumps here, by {abs(worst.jump):.6g}"]
    return [] if worst.slopes is None else [f"{finding.name} {_kink(worst)}"]


def _kink(element: Element) -> str:
    """What a kink is, in words."""
    left, right = element.slopes or (math.nan, math.nan)
    where = "which lies between them" if element.right else "which is NO subgradient"
    return (
        f"{element.place}: a kink, with slope {left:.6g} to the left and {right:.6g} to the "
        f"right; the gradient returned is {element.analytic:.6g}, {where}"
    )
