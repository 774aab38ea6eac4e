"""Gradient checking: what backward computed, beside what finite differences say.

The function is called on float64 Tensors. Its gradient for a random cotangent v, from the
recording, is compared along each input element with the slope of Σ v·f there. The tolerance is
the difference's own estimated error, not a constant, so scale does not matter.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .._typing import Array, Shape
from ..autograd import Tensor, no_grad, plain_output, substituted, vjp
from ..errors import ArgumentError
from .differences import Line, Slope
from .tables import table

__all__ = ["Finding", "GradcheckReport", "Verdict", "gradcheck", "gradcheck_parameters"]

_ALL_ELEMENTS = 1024  # larger inputs are checked along random directions
_DIRECTIONS = 16


class Verdict(Enum):
    """What came of a check, best first."""

    PASS = "PASS"
    KINK = "KINK"  # one-sided slopes differ, and the gradient lies between them
    UNSTABLE = "UNSTABLE"  # no step gives a difference that can be trusted
    NONDETERMINISTIC = "NONDETERMINISTIC"  # two runs on the same inputs differ
    WRONG = "WRONG"

    @property
    def right(self) -> bool:
        """Whether the gradient is confirmed."""
        return self in (Verdict.PASS, Verdict.KINK)

    @property
    def badness(self) -> int:
        """Its place in the order above: the worse, the higher."""
        return list(Verdict).index(self)


class Finding(NamedTuple):
    """What was found for one input: the worst of its elements, or of the directions tried."""

    name: str
    shape: Shape
    verdict: Verdict
    error: float
    at: str
    analytic: float
    numeric: float
    error_bar: float


class GradcheckReport:
    """The findings of a check. It is truthy when all is right; as a string it is a table."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)

    def __bool__(self) -> bool:
        return all(finding.verdict.right for finding in self.findings)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict."""
        verdicts = (f.verdict for f in self.findings)
        return max(verdicts, key=lambda v: v.badness, default=Verdict.PASS)

    @property
    def largest_error(self) -> float:
        """The largest error, relative to the input's largest gradient; NaN if any is."""
        errors = [f.error for f in self.findings]
        return math.nan if any(map(math.isnan, errors)) else max(errors, default=0.0)

    def __str__(self) -> str:
        head = ("input", "shape", "worst at", "analytic", "numeric", "error bar", "verdict")
        rows = [
            (
                f.name,
                str(f.shape),
                f.at,
                f"{f.analytic:.6g}",
                f"{f.numeric:.6g}",
                f"{f.error_bar:.1e}",
                f.verdict.value,
            )
            for f in self.findings
        ]
        return table(head, rows)

    def __repr__(self) -> str:
        return f"<GradcheckReport {self.verdict.value}, {len(self.findings)} inputs>"


def gradcheck(f: Callable[..., Any], *inputs: Any, rng: Any = 0) -> GradcheckReport:
    """Check the gradient of a function against finite differences, for a random cotangent.

    The numbers in the report belong to Σ v·f, for a random v of the shape of f's output; for a
    scalar f they are its own. Floating-point inputs are checked, in float64; others are passed on
    as they are. Inputs of
    more than 1,024 elements are checked along 16 random directions instead of element by element,
    and the report says so.

    Args:
        f: takes Tensors, returns one Tensor of any shape.
        inputs: arrays, Tensors or numbers, at least one of them floating-point.
        rng: the seed or source of the random cotangent and directions.

    Returns:
        A report: truthy when the gradient is right, and a table as a string.

    Raises:
        ArgumentError: there is no floating-point input.
        GradientError: f does not return one array.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> report = tnn.gradcheck(lambda x: np.sin(x) * x, np.array([0.5, 1.0]))
        >>> bool(report), report.verdict.value
        (True, 'PASS')

    Reference: [Griewank2008] chapter 1; the differences are after [Ridders1982].
    """
    plain = [x.numpy() if isinstance(x, Tensor) else x for x in inputs]
    checked = [i for i, x in enumerate(plain) if np.asarray(x).dtype.kind == "f"]
    if not checked:
        raise ArgumentError("gradcheck: expected a floating-point input; got none; write 1.0 for 1")
    values = [np.array(plain[i], dtype=np.float64) for i in checked]

    def function(*arrays: Any) -> Any:
        arguments = list(plain)
        for i, array in zip(checked, arrays, strict=True):
            arguments[i] = array
        return f(*arguments)

    names = [
        x.name if isinstance(x, Tensor) and x.name else f"input {i}" for i, x in enumerate(inputs)
    ]
    return _check(function, values, [names[i] for i in checked], rng)


def gradcheck_parameters(
    f: Callable[[], Any], parameters: Sequence[Tensor], names: Sequence[str] = (), rng: Any = 0
) -> GradcheckReport:
    """Check the gradients that a function of no arguments sends to parameters it computes with.

    The parameters are lifted to float64 for the check, and are as before afterwards.

    Args:
        f: computes a Tensor, such as the loss of a model on a batch.
        parameters: the Tensors to check, as from ``model.parameters()``.
        names: what the report calls them.
        rng: the seed or source of the random cotangent and directions.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> from tinygrad_nn.verify import gradcheck_parameters
        >>> layer = tnn.nn.Dense(2, 3, rng=0)
        >>> bool(gradcheck_parameters(lambda: layer(np.ones((4, 2))), layer.parameters()))
        True
    """

    def function(*tensors: Tensor) -> Any:
        with substituted(parameters, tensors):
            return f()

    values = [p.numpy().astype(np.float64) for p in parameters]
    called = list(names) or [p.name or f"parameter {i}" for i, p in enumerate(parameters)]
    return _check(function, values, called, rng)


def _check(
    f: Callable[..., Any], values: Sequence[Array], names: Sequence[str], rng: Any
) -> GradcheckReport:
    random = np.random.default_rng(rng)

    def evaluate(arrays: Sequence[Array]) -> Array:
        with no_grad():
            return plain_output(f(*map(Tensor, arrays)))

    y = evaluate(values)
    cotangent = random.standard_normal(y.shape)
    if not np.array_equal(y, evaluate(values), equal_nan=True):
        verdict = Verdict.NONDETERMINISTIC
        return GradcheckReport(
            [
                Finding(n, v.shape, verdict, math.nan, "", math.nan, math.nan, math.nan)
                for n, v in zip(names, values, strict=True)
            ]
        )
    with no_grad():  # whatever f closes over is a constant here
        _, pullback = vjp(f, *values)
        gradients = pullback(cotangent)
    findings = []
    for i, (value, gradient) in enumerate(zip(values, gradients, strict=True)):

        def moved(direction: Array, t: float, i: int = i) -> Array:
            return evaluate([v + t * direction if j == i else v for j, v in enumerate(values)])

        findings.append(_check_input(names[i], moved, value, gradient, cotangent, random))
    if y.size == 1:  # a scalar's numbers are shown as its own gradient, not as the cotangent's
        unit = float(cotangent.item())
        findings = [
            f._replace(
                analytic=f.analytic / unit,
                numeric=f.numeric / unit,
                error_bar=f.error_bar / abs(unit),
            )
            for f in findings
        ]
    return GradcheckReport(findings)


def _check_input(
    name: str,
    moved: Callable[..., Array],
    value: Array,
    gradient: Array,
    cotangent: Array,
    random: "np.random.Generator",
) -> Finding:
    scale = float(np.max(np.abs(gradient), initial=0.0))
    worst = Finding(name, value.shape, Verdict.PASS, 0.0, "", 0.0, 0.0, 0.0)
    for at, direction, width, exact in _directions(value, random):
        analytic = float(np.sum(gradient * direction))
        line = Line(partial(moved, direction), cotangent, width)
        # Along an axis only that element's own size excuses rounding; a direction mixes them all.
        slack = (1e-14 if exact else 1e-9) * scale
        verdict, numeric, error_bar = compare(line, analytic, scale, slack)
        error = abs(analytic - numeric) / (max(scale, abs(numeric)) or 1.0)
        if (verdict.badness, error) >= (worst.verdict.badness, worst.error):
            worst = Finding(name, value.shape, verdict, error, at, analytic, numeric, error_bar)
    return worst


def compare(
    line: Line, analytic: float, scale: float, slack: float
) -> tuple[Verdict, float, float]:
    """Judge one derivative by the slope of a line at 0.

    Args:
        line: the function along the line.
        analytic: the derivative to be judged.
        scale: the size of the input's gradient.
        slack: how far rounding may have moved the analytic value.

    Returns:
        The verdict, the numeric derivative, and its error bar.
    """
    numeric, error = line.slope(scale)
    if not (math.isfinite(analytic) and math.isfinite(numeric)):
        both_same = analytic == numeric
        return (Verdict.PASS if both_same else Verdict.UNSTABLE), numeric, error
    slack += 1e-9 * max(abs(analytic), abs(numeric))
    if abs(analytic - numeric) > 10 * error + slack:
        return _second_look(line, analytic, Slope(numeric, error), slack)
    if _is_trusted(line, Slope(numeric, error), scale):
        return Verdict.PASS, numeric, error
    for near in line.nearer_slopes():
        if abs(analytic - near.value) <= 10 * near.error + slack and _is_trusted(line, near, scale):
            return Verdict.PASS, near.value, near.error
    return Verdict.UNSTABLE, numeric, error


def _is_trusted(line: Line, found: Slope, scale: float) -> bool:
    """Whether an error bar is so small that it would not hide a wrong derivative.

    Where nothing moves at all there is nothing to hide.
    """
    size = max(1e-4 * scale, 1e-4 * abs(found.value), 1e-6 * line.steepness)
    return found.error <= size or not np.any(line.alive)


def _second_look(
    line: Line, analytic: float, first: Slope, slack: float
) -> tuple[Verdict, float, float]:
    """Tell a kink from a mistake: a step may have crossed one that is not at this very point."""
    for near in line.nearer_slopes():
        agrees = abs(analytic - near.value) <= 10 * near.error + slack
        # Only a difference that contradicts the first one excuses it; a blurred one does not.
        contradicts = abs(first.value - near.value) > 10 * (first.error + near.error)
        if agrees and contradicts:
            return Verdict.PASS, near.value, near.error
    sides = line.one_sided_slopes()
    if sides is not None:
        margin = 1e-3 * abs(sides[1] - sides[0])
        if min(sides) - margin <= analytic <= max(sides) + margin:
            return Verdict.KINK, first.value, first.error
    resolved = abs(analytic - first.value) > 10 * line.floor
    return (Verdict.WRONG if resolved else Verdict.UNSTABLE), first.value, first.error


def _directions(
    value: Array, random: "np.random.Generator"
) -> Iterator[tuple[str, Array, float, bool]]:
    """Each axis of a small input, exactly; a few random directions of a large one."""
    typical = typical_size(value)
    if value.size > _ALL_ELEMENTS:
        for i in range(_DIRECTIONS):
            direction = random.standard_normal(value.shape)
            yield f"direction {i + 1} of {_DIRECTIONS}", direction, typical, False
        return
    for index in np.ndindex(value.shape):
        direction = np.zeros(value.shape, dtype=np.float64)
        direction[index] = 1.0
        yield str(tuple(map(int, index))), direction, abs(float(value[index])) or typical, True


def typical_size(value: Array) -> float:
    """The root mean square of what is finite and not zero; 1 where nothing is."""
    numbers = np.abs(value[np.isfinite(value) & (value != 0)])
    if not numbers.size:
        return 1.0
    largest = float(np.max(numbers))
    return largest * float(np.sqrt(np.mean(np.square(numbers / largest))))
