"""The report of a gradient check: findings for people, programs, and pictures."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError
from .text import table
from .verdicts import Element, Finding, Verdict, is_mistaken, told_verdict, worst_verdict

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

        wrong = [f.order for f in self.findings if is_mistaken(f)]
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
            ArgumentError: there is no such input or element, or the order was not checked.
        """
        from .curve import step_curve  # on use: most checks are not drawn

        if not 1 <= order <= len(self.checks):
            raise ArgumentError(
                f"step_curve: expected an order that was checked, at most {len(self.checks)}; got "
                f"{order}; check it first: gradcheck(…, order={order})"
            )
        findings = {f.name: f for f in self.findings if f.order == order}
        names = list(findings)
        name = names[of] if isinstance(of, int) and 0 <= of < len(names) else of
        if name not in findings:
            raise ArgumentError(
                f"step_curve: expected the name or number of an input that was checked, "
                f"{', '.join(names)}; got {of!r}"
            )
        return step_curve(self.checks[order - 1], findings[name], index)

    def __str__(self) -> str:
        notes = _orders(self.findings)
        for finding in self.findings:
            check = self.checks[finding.order - 1] if finding.order <= len(self.checks) else None
            notes += [note for note in _notes(finding, check) if note not in notes]
        if self.blame is not None:
            notes.append(str(self.blame))
        return "\n".join([table(COLUMNS, self.rows), *notes])

    def __repr__(self) -> str:
        told = told_verdict(self.verdict, bool(self))
        checked = len({f.name for f in self.findings})
        return f"<GradcheckReport {told}, {checked} input{'s' if checked != 1 else ''}>"


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


def _orders(findings: Sequence[Finding]) -> list[str]:
    """What the signs of several orders mean."""
    highest = max((finding.order for finding in findings), default=1)
    if highest == 1:
        return []
    more = ", and so on" if highest > 2 else ""
    return [f"∂1 is the gradient; ∂2 is the gradient of that, summed with random weights{more}"]


def _notes(finding: Finding, check: "Check | None") -> list[str]:
    """What the table cannot say of the worst element."""
    worst, what = finding.worst, _what(finding.order)
    if not finding.elements:
        return [f"nothing to check in {finding.name} of shape {finding.shape}"]
    if worst.verdict is Verdict.NONDETERMINISTIC:
        return ["two runs on the same inputs differ; seed what is random"]
    if worst.jump:
        return [f"{finding.worst_named}: the {what} jumps here, by {abs(worst.jump):.6g}"]
    if worst.verdict is Verdict.UNSTABLE:
        return [f"{finding.worst_named}: {_unstable(worst, what, check)}"]
    return [] if worst.slopes is None else [f"{finding.worst_named}: {_kink(worst, finding.order)}"]


def _what(order: int) -> str:
    """What is differentiated once more for a derivative of some order."""
    return "function" if order == 1 else "gradient" if order == 2 else f"∂{order - 1}"


def _unstable(element: Element, what: str, check: "Check | None") -> str:
    """Why no difference can be trusted, and where to look."""
    if check is not None and not np.all(np.isfinite(check.run.y.value)):
        why = f"the {what} is not finite here; see tnn.trace_nonfinite"
    elif not math.isfinite(element.numeric) or not math.isfinite(element.analytic):
        why = f"the {what} or its slope is not finite here; see tnn.trace_nonfinite"
    else:
        why = "rounding hides the slope; tnn.lint shows where digits are lost"
    return f"no step gives a difference that can be trusted: {why}"


def _kink(element: Element, order: int) -> str:
    """What a kink is, in words."""
    left, right = element.slopes or (math.nan, math.nan)
    kind = "a kink" if order == 1 else f"a kink of the {_what(order)}"
    where = (
        "which lies between them"
        if element.right
        else "which is NO subgradient; move the input off the kink to check the rest"
    )
    return (
        f"{kind}, with slope {left:.6g} to the left and {right:.6g} to the right; "
        f"the gradient returned is {element.analytic:.6g}, {where}"
    )
