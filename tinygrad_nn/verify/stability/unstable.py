"""Formulas that lose digits or overflow: how each is written, where it loses, and what to write.

The most specific come first: where several fit one place, the first is the one to report.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..._typing import Array
from ...autograd import Node
from .patterns import Match, bare, called, find, is_form, root_rows

__all__ = ["RULES", "Rule", "matching"]


class Rule(NamedTuple):
    """One kind of unstable formula, and what to write in its place."""

    name: str
    formulas: tuple[str, ...]
    message: str
    advice: str
    where: Callable[[Match], Array] | None = None  # which elements lose by it; all, if not said
    limit: float | None = None  # the value where the formula has none, by continuity
    slope: float | None = None  # the gradient where it has none, by convention


def matching(root: Node) -> Iterator[tuple[Rule, Match]]:
    """The rules whose formulas end in a node, the most specific first."""
    for rule in RULES:
        for formula in rule.formulas:
            match = find(formula, root) if called(root) in root_rows(formula) else None
            if match is not None:
                yield rule, match
                break


# --- which elements lose ----------------------------------------------------------------------


def _value(x: Any) -> Array:
    return np.asarray(x.value if type(x) is Node else x)


def _small(match: Match) -> Array:
    """Where 1 ± x keeps less than half of x's digits."""
    x = np.abs(_value(match.x))
    return (x > 0) & (x < math.sqrt(np.finfo(match.root.value.dtype).eps))


def _vanishing(match: Match) -> Array:
    """Where what stands under the root, or the logarithm, is 0 or below the normal numbers."""
    node = match.row("sqrt", "power", "float_power", "log", "log2", "log10")
    inside = _value(node.inputs[0])
    return (inside >= 0) & (inside < np.finfo(match.root.value.dtype).tiny)


def _unbounded(match: Match) -> Array:
    return np.asarray(not is_form("bounded", match.x))


def _unshifted(match: Match) -> Array:
    """Whether nothing was taken away from the exponents to keep them from overflowing."""
    exponents = [v for k, v in match.found.items() if k in ("x", "a")]
    shifted = all(called(e) == "subtract" and not np.any(_value(e) > 0) for e in exponents)
    return np.asarray(not shifted)


def _improbable(match: Match) -> Array:
    """Whether what is taken for probabilities leaves [0, 1], or does not add up to 1."""
    p = bare(match.x)
    if is_form("probability", p) or type(p) is not Node or not np.all(np.isfinite(p.value)):
        return np.asarray(False)
    slack = 0.01 if p.value.dtype.itemsize < 4 else 1e-3
    if called(match.root) == "add":  # yes or no: each probability stands alone
        return (p.value < -slack) | (p.value > 1 + slack)
    truth, axis = np.ones(1, dtype=bool), -1
    if "c" in match.found:
        truth = _value(match.found["c"])
        given = (match.root.static or {}).get("axis")
        axis = -1 if given is None else given
    picked = [_picks_one_of_each_row(n) for n in match.nodes if called(n) == "getitem"]
    if p.value.ndim == 0 or not all(picked) or not _asks_for_classes(truth, p.value, axis):
        return np.asarray(False)
    return np.asarray(not _adds_up(p.value, axis, slack))


def _picks_one_of_each_row(node: Node) -> bool:
    index = (node.static or {})["index"]
    arrays = index if isinstance(index, tuple) else ()
    whole = all(getattr(a, "dtype", np.dtype(bool)).kind in "iu" for a in arrays)
    return whole and len(arrays) == node.operands[0].ndim > 1


def _asks_for_classes(truth: Array, p: Array, axis: Any) -> bool:
    """Whether constants are one-hot: other weights may be those of a mean of logarithms."""
    if truth.shape != p.shape:
        return truth.shape == (1,)
    return bool(np.all((truth == 0) | (truth == 1)) and np.all(np.sum(truth, axis=axis) == 1))


def _adds_up(p: Array, axis: Any, slack: float) -> bool:
    inside = np.all((p >= -slack) & (p <= 1 + slack))
    return bool(inside and np.all(np.abs(np.sum(p, axis=axis, dtype=np.float64) - 1) <= slack))


_TAKE_APART = "activations.log_softmax(x), or a cross entropy with from_logits=True"

RULES = (
    Rule(
        "probabilities-as-logits",
        (
            "log_softmax(probability(x))",
            "log_sum_exp(probability(x))",
            "log(added(exp(probability(x))))",
            "log1p(exp(mirrored(probability(x))))",
            "log1p(exp(probability(x)))",
            "log(1 + exp(probability(x)))",
            "logaddexp(0, probability(x))",
        ),
        "probabilities are taken for logits, and squashed a second time",
        "give the logits themselves, or leave from_logits=True out",
    ),
    Rule(
        "log-of-softmax",
        ("ln(softmax(x))",),
        "the logarithm of a softmax is −∞ where a probability underflows, and without gradient",
        _TAKE_APART,
    ),
    Rule(
        "log-of-one-minus-sigmoid",
        ("ln(1 - sigmoid(x))", "log1p(-sigmoid(x))"),
        "1 − σ(x) loses its digits where σ(x) is near 1, and its logarithm becomes −∞",
        "-activations.softplus(x), or binary_cross_entropy with from_logits=True",
    ),
    Rule(
        "log-of-sigmoid",
        ("ln(sigmoid(x))",),
        "the logarithm of a sigmoid loses digits where it saturates, and is −∞ where it underflows",
        "-activations.softplus(-x), or binary_cross_entropy with from_logits=True",
    ),
    Rule(
        "softmax-of-softmax",
        ("softmax(softmax(x))",),
        "a softmax is taken of a softmax: no probability can come near 0 or 1",
        "one softmax of the logits; drop the other",
    ),
    Rule(
        "x-log-x",
        ("x * ln(x)",),
        "0·ln 0 has no value here, where x·ln x is 0",
        "x * np.log(np.where(x > 0, x, 1)); for the entropy of a softmax, p * log_softmax(x)",
        _vanishing,
        limit=0.0,
    ),
    Rule(
        "softplus-overflow",
        ("log(1 + exp(x))", "log1p(exp(x))"),
        "ln(1 + eˣ) overflows where eˣ does, though it is no larger than x + 1",
        "activations.softplus(x)",
        _unbounded,
    ),
    Rule(
        "log-sum-exp",
        ("ln(total(exp(x)))", "ln(exp(x) + exp(a))"),
        "ln Σ eˣ overflows where one eˣ does, and is −∞ where all underflow",
        "np.logaddexp.reduce(x, axis=...), np.logaddexp(a, b) of two, or log_softmax(x)",
        _unshifted,
    ),
    Rule(
        "norm-near-zero",
        ("root(spread(x))",),
        "the square root of a sum of squares has no gradient where the sum is 0 or underflows",
        "np.linalg.norm(x) (np.hypot(a, b), np.abs(x), np.std(x)), whose gradient is 0 at 0, or "
        "np.sqrt(... + eps); scale x up first where its squares underflow",
        _vanishing,
        slope=0.0,
    ),
    Rule(
        "variance-by-moments",
        ("average(squared(x)) - squared(average(x))",),
        "the difference of two moments loses the digits that they share, and may be negative",
        "np.var(x), or np.mean((x - np.mean(x)) ** 2)",
    ),
    Rule(
        "log-of-one-plus",
        ("log(1 + x)", "log(1 - x)"),
        "1 + x drops the last digits of a small x",
        "np.log1p(x), or np.log1p(-x)",
        _small,
    ),
    Rule(
        "exp-minus-one",
        ("exp(x) - 1", "exp(x) + -1"),
        "eˣ − 1 drops the last digits of a small x",
        "np.expm1(x)",
        _small,
    ),
    Rule(
        "logits-as-probabilities",
        (
            "total(c * ln(floored(x)))",
            "total(c * (c1 - ln(floored(x))))",
            "total(c * ln(x))",
            "-ln(floored(getitem(x)))",
            "-ln(getitem(x))",
            "-total(ln(getitem(x)))",
            "c * ln(x) + c1 * ln(1 - x)",
        ),
        "what is taken for probabilities leaves [0, 1], or does not add up to 1",
        "pass from_logits=True, or take activations.softmax(x) first",
        _improbable,
    ),
)
