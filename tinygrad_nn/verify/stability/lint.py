"""A reading of a recording for formulas that lose digits, or overflow, where others do not.

Each place that is found is computed again in many digits, to say what it costs on these very data.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..._typing import Array
from ...autograd import Graph, Node, Tensor
from ...autograd.backward import gradients
from ...autograd.containers import leaves
from ...autograd.recording import SourceLine
from ...errors import ArgumentError
from .decimals import lifted
from .lost import Lost, Search, search
from .patterns import Match, called, find, root_rows
from .precise import computed, pulled, relative_error, weights
from .unstable import RULES, Rule

__all__ = ["LintFinding", "LintReport", "lint", "quoted", "recorded"]

_MEASURED = 10  # so many formulas of one line are computed again: a loop may record thousands
_LARGEST_PART = 500  # nodes: a formula is small, whatever it is part of


@dataclass(frozen=True)
class LintFinding:
    """One unstable place: what it is, what to write instead, and what it costs on these data."""

    rule: str
    node: Node
    scope: str
    source: SourceLine | None
    message: str
    advice: str
    index: tuple[int, ...] | None  # the worst element; None where nothing could be compared
    recorded: float | None
    exact: float | None
    error: float | None
    gradient_error: float | None
    times: int = 1  # how often the line recorded such a formula, as in a loop; this is the worst

    def __str__(self) -> str:
        place = f" in {self.scope}" if self.scope else ""
        place += f" ({self.times} times, the worst shown)" if self.times > 1 else ""
        lines = [f"{self.rule}{place}: {self.message}", *quoted(self.source)]
        if self.index is not None:
            at = f" at {list(self.index)}" if self.index else ""
            slope = self.gradient_error
            lines.append(
                f"  here: recorded {self._shown(self.recorded)}{at}, "
                f"exactly {self._shown(self.exact)}, "
                f"relative error {self.error:.1g}"
                + ("" if slope is None else f", and {slope:.1g} in its gradient")
            )
        return "\n".join([*lines, f"  write instead: {self.advice}"])

    def _shown(self, number: float | None) -> str:
        """As many digits as show the error; what is finite, but no float, is ∞ among floats."""
        if number is not None and number is self.exact and math.isinf(number):
            return "too large for a float"
        small = self.error is not None and 0 < self.error < 1e-5
        return f"{number:.16g}" if small else f"{number:.6g}"


class LintReport:
    """What was found. It is truthy when that is nothing; as a string it is readable."""

    def __init__(self, findings: Sequence[LintFinding], limits: Sequence[str] = ()) -> None:
        self.findings = tuple(findings)
        self.limits = tuple(limits)  # what was not computed in many digits, and why

    def __bool__(self) -> bool:
        return not self.findings

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[LintFinding]:
        return iter(self.findings)

    def __str__(self) -> str:
        if not self.findings:
            clean = f"none of the {len(RULES)} known unstable formulas is there, and no operation"
            return "; ".join([f"{clean} was seen to lose half of its digits", *self.limits])
        count = len(self.findings)
        head = f"{count} unstable place{'s' if count > 1 else ''}"
        return "\n\n".join([head, *map(str, self.findings)])

    def __repr__(self) -> str:
        return f"<LintReport {', '.join(f.rule for f in self.findings) or 'clean'}>"


def lint(of: Any) -> LintReport:
    """Find formulas in a recording that lose digits or overflow, and say what to write instead.

    Each place is reported once. It is computed again in many digits, from the values that the
    formula starts with, and the finding says how far the recorded numbers are from those. Some
    formulas are fine on most numbers, such as ln(1 + x): they are reported only where they lose.
    Besides the formulas that have names, any operation is reported that loses about half of its
    digits while its operands have theirs, or overflows where what comes of it does not; but not
    where no output depends on those digits.

    Args:
        of: a Tensor, usually a loss, several in a container, or a Graph.

    Returns:
        A report, truthy when nothing was found.

    Raises:
        ArgumentError: something that is no Tensor or Graph, or whose values are not NumPy's.

    Example:
        >>> import numpy as np, tinygrad_nn as tnn
        >>> x = tnn.Tensor([[0.0, 40.0]], requires_grad=True)
        >>> (finding,) = tnn.lint(-np.mean(np.log(tnn.activations.softmax(x))))
        >>> finding.rule, finding.advice
        ('log-of-softmax', 'activations.log_softmax(x), or a cross entropy with from_logits=True')
        >>> bool(tnn.lint(-np.mean(tnn.activations.log_softmax(x))))
        True
        >>> (finding,) = tnn.lint(1 - np.cos(tnn.Tensor(1e-9, requires_grad=True)))
        >>> finding.message
        'all digits are lost here, in a subtraction of nearly equal numbers'

    Reference: [Goodfellow2016] section 4.1.
    """
    graph = recorded("lint", of)
    users: dict[Node, list[Node]] = {}
    made_by: dict[str, list[Node]] = {}
    for node in graph.nodes:
        made_by.setdefault(called(node), []).append(node)
        for parent in node.parents:
            users.setdefault(parent, []).append(node)
    claimed: set[Node] = set()
    named: list[Match] = []
    found: dict[Any, list[LintFinding]] = {}
    with np.errstate(all="ignore"):  # the forward pass has warned of what is singular
        for rule in RULES:
            for match in _matches(rule, made_by):
                if claimed.isdisjoint(match.nodes) and _loses(rule, match, users):
                    claimed.update(match.nodes)
                    named.append(match)
                    same = found.setdefault(_line(rule.name, match.root), [])
                    same.append(_finding(rule, match, measured=len(same) < _MEASURED))
        searched = search(graph)
    covered = {n for match in named if searched.lost for n in (*match.nodes, *_formula(match))}
    for lost in searched.lost:
        if lost.node not in covered:
            found.setdefault(_line(lost.rule, lost.node), []).append(_unnamed(lost))
    worst = [_worst(findings) for findings in found.values()]
    return LintReport(sorted(worst, key=lambda finding: finding.node.number), _limits(searched))


def _line(rule: str, node: Node) -> tuple[Any, ...]:
    return (rule, node.site or node, node.scope)


def _unnamed(lost: Lost) -> LintFinding:
    node = lost.node
    numbers = (lost.at, lost.recorded, lost.exact, lost.error, None)
    place = "/".join(node.scope)
    return LintFinding(lost.rule, node, place, node.source, lost.message, lost.advice, *numbers)


def _limits(searched: Search) -> list[str]:
    """What a reader must know who takes silence for a proof."""
    said = []
    if searched.unknown:
        said.append(f"taken as recorded: {', '.join(searched.unknown)}")
    if not searched.whole:
        said.append("too much to compute all of it in many digits")
    return said


def recorded(where: str, of: Any) -> Graph:
    """The recording of a Tensor, of several in a container, or as it is given."""
    graph = of
    if not isinstance(of, Graph):
        outputs = leaves(of)
        if not outputs or not all(isinstance(out, Tensor) for out in outputs):
            raise ArgumentError(
                f"{where}: expected a Tensor or a Graph; got {type(of).__name__}; "
                f"give it the loss, before .numpy() or .item()"
            )
        graph = Graph(outputs)
    if not all(isinstance(node.value, np.ndarray) for node in graph.nodes):
        raise ArgumentError(
            f"{where}: expected arrays of NumPy; got another library's; compute them first"
        )
    return graph


def quoted(source: SourceLine | None) -> list[str]:
    """Where a node was recorded, and the user's own line if it can be read."""
    if source is None:
        return []
    return [f"  {source}", *([f"    {source.text}"] if source.text else [])]


def _matches(rule: Rule, made_by: Mapping[str, list[Node]]) -> Iterator[Match]:
    for formula in rule.formulas:
        for row in root_rows(formula):
            for node in made_by.get(row, ()):
                if (match := find(formula, node)) is not None:
                    yield match


def _loses(rule: Rule, match: Match, users: Mapping[Node, list[Node]]) -> bool:
    """Whether a formula loses digits on these data, in elements that the program selected."""
    where = np.True_ if rule.where is None else np.asarray(rule.where(match))
    readers = users.get(match.root, [])
    if rule.where is None or not readers or {called(r) for r in readers} != {"where"}:
        return bool(np.any(where))
    return any(np.any(where & _selected(reader, match.root)) for reader in readers)


def _selected(reader: Node, branch: Node) -> Array:
    condition = np.asarray(reader.operands[0])
    return condition if reader.inputs[1] is branch else ~condition


def _worst(findings: Sequence[LintFinding]) -> LintFinding:
    """The worst of what one line recorded, as a loop over time does."""
    worst = max(findings, key=lambda f: -1 if f.error is None else f.error)
    return replace(worst, times=len(findings))


def _finding(rule: Rule, match: Match, measured: bool) -> LintFinding:
    node = match.root
    found: tuple[Any, ...] = (None, None, None, None, None)
    entries, part = _entries(match), _formula(match)
    if measured and part and node.value.size:
        found = _measured(rule, node, part, entries) or found
    place = "/".join(node.scope)
    return LintFinding(rule.name, node, place, node.source, rule.message, rule.advice, *found)


def _entries(match: Match) -> list[Node]:
    return [v for k, v in match.found.items() if type(v) is Node and k[0] != "c"]


def _formula(match: Match) -> list[Node]:
    """All that a formula computes, with the nodes of the forms it names."""
    return _between(match.root, _entries(match))


def _measured(
    rule: Rule, root: Node, part: Sequence[Node], entries: Sequence[Node]
) -> tuple[Any, ...] | None:
    """The worst element: its index, what is recorded, what is exact, and both errors."""
    found = computed(root, part, entries)
    if found is None:
        return None
    (root, part, entries, rows), evaluation = found
    right = _continued(evaluation.values[root], rule.limit)
    if not evaluation.sure:  # 1 may have swallowed what was added to it
        right = _known(right)
    errors = relative_error(root.value, right)
    index = tuple(map(int, np.unravel_index(int(np.argmax(errors)), errors.shape)))
    numbers = float(root.value[index]), float(right[index]), float(errors[index])
    if math.isnan(numbers[1]):
        return None
    slopes = pulled(evaluation, part, root) if evaluation.sure else None
    slope_error = None if slopes is None else _slope_error(rule, root, part, entries, slopes)
    return index if rows is None else (int(rows[index[0]]), *index[1:]), *numbers, slope_error


def _slope_error(
    rule: Rule,
    root: Node,
    part: Sequence[Node],
    entries: Sequence[Node],
    slopes: Mapping[Node, Array],
) -> float | None:
    """How far the gradient that backward brings through a formula is from the right one."""
    ends = {entry for entry in entries if entry.tracked}
    inside = {node for node in part if node.tracked}
    visit = sorted(inside | ends, key=lambda n: -n.number)
    arrived = gradients(visit, [(root, weights(root))], keep=ends, targets=ends)
    errors = [
        float(np.max(relative_error(g, _continued(slopes[entry], rule.slope), overall=True)))
        for entry, g in arrived.items()
        if entry in slopes and g.size
    ]
    return max(errors, default=None)


def _continued(values: Array, limit: float | None) -> Array:
    """The same numbers, with a limit in place of those that are none."""
    if limit is None:
        return values
    finite = np.frompyfunc(lambda v: v.d.is_finite(), 1, 1)(values)
    return lifted(np.where(np.asarray(finite, dtype=bool), values, limit))


def _known(values: Array) -> Array:
    """The same numbers, but NaN for 0 and ∞, which may come of too few digits."""
    sure = np.frompyfunc(lambda v: bool(v.d) and v.d.is_finite(), 1, 1)(values)
    return lifted(np.where(np.asarray(sure, dtype=bool), values, math.nan))


def _between(root: Node, entries: Sequence[Node]) -> list[Node]:
    """What a root computes from entries, in order; nothing if that is more than a formula."""
    first = min((entry.number for entry in entries), default=root.number)
    seen, waiting = {root}, [root]
    for node in waiting:  # grows as it is read
        for i in node.parents if node not in entries else ():
            if i.number >= first and i not in seen:  # what was made earlier cannot depend on one
                seen.add(i)
                waiting.append(i)
        if len(waiting) > _LARGEST_PART:
            return []
    depends = set(entries)
    part = []
    for node in sorted(waiting, key=lambda n: n.number):
        if node not in depends and any(i in depends for i in node.parents):
            depends.add(node)
            part.append(node)
    return part
