"""What a gradient check comes to: a verdict for each element, summed up for each input."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from .._typing import Shape

__all__ = ["Element", "Finding", "Verdict", "is_mistaken", "told_verdict", "worst_verdict"]


class Verdict(Enum):
    """What came of a check, best first."""

    UNUSED = "UNUSED"  # the output does not depend on it, and the gradient is zero
    PASS = "PASS"
    KINK = "KINK"  # the slopes to the left and to the right differ
    JUMP = "JUMP"  # the function is discontinuous here
    UNSTABLE = "UNSTABLE"  # no step gives a difference that can be trusted
    NONDETERMINISTIC = "NONDETERMINISTIC"  # two runs on the same inputs differ
    WRONG = "WRONG"

    @property
    def badness(self) -> int:
        """Its place in the order above: the worse, the higher."""
        return _ORDER[self]


_ORDER = {verdict: place for place, verdict in enumerate(Verdict)}


@dataclass(frozen=True, slots=True)
class Element:
    """One derivative that was checked: by an element of an input, or along a direction.

    At a kink, `slopes` are those to the left and to the right, and `interval` is what the
    subgradient may be: one output alone can take any value between its two slopes. At a jump,
    `jump` is how high it is.
    """

    index: tuple[int, ...]
    verdict: Verdict
    analytic: float
    numeric: float
    error_bar: float
    slopes: tuple[float, float] | None = None
    interval: tuple[float, float] | None = None
    jump: float = 0.0
    output: tuple[int, ...] | None = None  # of which output, where the whole Jacobian is checked

    @property
    def right(self) -> bool:
        """Whether the gradient is confirmed: at a kink, whether it is a subgradient."""
        if self.verdict is Verdict.KINK and self.interval is not None:
            low, high = self.interval
            slack = 1e-7 * (high - low) + 1e-9 * max(abs(low), abs(high))
            return low - slack <= self.analytic <= high + slack
        return self.verdict in (Verdict.PASS, Verdict.UNUSED)

    @property
    def is_exact(self) -> bool:
        """Whether it passed with an error bar that leaves no room for doubt."""
        return self.verdict is Verdict.PASS and self.error_bar <= 1e-7 * abs(self.numeric)

    @property
    def error(self) -> float:
        """How far analytic and numeric are apart, relative to the larger."""
        size = max(abs(self.analytic), abs(self.numeric))
        return abs(self.analytic - self.numeric) / size if size else 0.0

    @property
    def place(self) -> str:
        """Where it is, as a report shows it."""
        of = "" if self.output is None else f" of output {self.output}"
        return f"{self.index}{of}"

    def scaled(self, unit: float) -> "Element":
        """The same for a cotangent that is larger by 1 / unit."""

        def pair(ends: tuple[float, float] | None) -> tuple[float, float] | None:
            return ends and (ends[0] / unit, ends[1] / unit)

        low, high = sorted(pair(self.interval) or (0.0, 0.0))
        return replace(
            self,
            analytic=self.analytic / unit,
            numeric=self.numeric / unit,
            error_bar=self.error_bar / abs(unit),
            slopes=pair(self.slopes),
            interval=self.interval and (low, high),
            jump=self.jump / unit,
        )


class Finding(NamedTuple):
    """What was found for one input.

    Small inputs are checked by each element. Of large ones, `directions` says along how many
    random directions they were to be probed, up to the first wrong one. Then the index of an
    element is the number of its direction; that of a wrong one is its place, or empty where it
    could not be narrowed down.
    """

    name: str
    shape: Shape
    elements: tuple[Element, ...]
    order: int = 1  # 2 for the gradient of the gradient
    directions: int = 0

    @property
    def worst(self) -> Element:
        """The element with the worst verdict, and among those with the largest error."""
        return max(self.elements, key=_badness, default=_NOTHING)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its elements."""
        return self.worst.verdict

    @property
    def right(self) -> bool:
        """Whether the gradient by this input is confirmed."""
        return all(element.right for element in self.elements)

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many elements have each verdict."""
        return dict(Counter(element.verdict for element in self.elements))

    @property
    def largest_error(self) -> float:
        """The largest error, relative to the input's largest gradient; NaN if any is."""
        sizes = (max(abs(e.analytic), abs(e.numeric)) for e in self.elements)
        scale = max(filter(math.isfinite, sizes), default=0.0) or 1.0
        errors = [abs(e.analytic - e.numeric) / scale for e in self.elements]
        return math.nan if any(map(math.isnan, errors)) else max(errors, default=0.0)

    @property
    def at(self) -> str:
        """Where the worst is, as a report shows it."""
        if not self.elements:
            return ""
        if self.directions and self.worst.verdict is not Verdict.WRONG:
            return f"{self.directions} random directions"
        if self._is_of_a_direction:
            return f"direction {self.worst.index[0]}" if self.worst.index else "a random direction"
        return self.worst.place

    @property
    def worst_named(self) -> str:
        """The input and the place of its worst element, as a sentence names them."""
        if not self._is_of_a_direction:
            return f"{self.name} {self.worst.place}" if self.elements else self.name
        number = self.worst.index[0] if self.worst.index else None
        return f"{self.name}, " + ("a direction" if number is None else f"direction {number}")

    @property
    def _is_of_a_direction(self) -> bool:
        """Whether the worst element is the slope along a direction, and no place in the input."""
        placed = self.worst.verdict is Verdict.WRONG and len(self.worst.index) == len(self.shape)
        return bool(self.directions) and not placed

    @property
    def summed(self) -> str:
        """The verdict, whether it is right if it may be either, and how many elements share it."""
        told, right = told_verdict(self.verdict, self.right), self.worst.right
        count = sum(e.verdict is self.verdict and e.right is right for e in self.elements)
        some = f" ({count} of {len(self.elements)})" if count < len(self.elements) else ""
        return told + (some if self.verdict is not Verdict.PASS else "")


_NOTHING = Element((), Verdict.PASS, 0.0, 0.0, 0.0)


def _badness(element: Element) -> tuple[bool, int, float]:
    error = element.error
    return not element.right, element.verdict.badness, -1.0 if math.isnan(error) else error


def told_verdict(verdict: Verdict, right: bool) -> str:
    """A verdict for people: a kink alone may be right or not."""
    return verdict.value + (", NOT RIGHT" if verdict is Verdict.KINK and not right else "")


def worst_verdict(findings: Sequence[Finding]) -> Verdict:
    """The worst verdict of several inputs."""
    return max((f.verdict for f in findings), key=lambda v: v.badness, default=Verdict.PASS)


def is_mistaken(finding: Finding) -> bool:
    """Whether a gradient is wrong, and not only in doubt: an operation is to blame."""
    return any(e.verdict in (Verdict.WRONG, Verdict.KINK) and not e.right for e in finding.elements)
