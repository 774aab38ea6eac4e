"""Checks of everything the package differentiates: rows, activations, losses, layers."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import activations, losses, nn
from ..primitives import REWRITES, TABLE, Primitive, Rewrite
from .gradcheck import GradcheckReport, gradcheck, gradcheck_parameters
from .sampling import sample
from .tables import table

__all__ = ["Check", "LibraryReport", "check_library", "library_checks"]


class Check(NamedTuple):
    """One thing to check: what it is called, and how to check it."""

    name: str
    run: Callable[[], GradcheckReport]


class LibraryReport:
    """The reports of many checks. It is truthy when all are; as a string it is a table."""

    def __init__(self, reports: list[tuple[str, GradcheckReport]]) -> None:
        self.reports = reports

    def __bool__(self) -> bool:
        return all(report for _, report in self.reports)

    @property
    def wrong(self) -> list[str]:
        """The names of the checks that are not right."""
        return [name for name, report in self.reports if not report]

    def __str__(self) -> str:
        rows = [
            (
                name,
                " ".join(str(f.shape) for f in report.findings),
                f"{report.largest_error:.1e}",
                report.verdict.value,
            )
            for name, report in self.reports
        ]
        return table(("checked", "inputs", "largest error", "verdict"), rows)


def check_library(seed: int = 0) -> LibraryReport:
    """Check every row of the table, every activation, every loss and every layer."""
    return LibraryReport([(check.name, check.run()) for check in library_checks(seed)])


def library_checks(seed: int = 0) -> Iterator[Check]:
    """Every check of the library, not yet run."""
    for row in TABLE.values():
        if any(row.derivatives):  # stop_gradient has none: there is nothing to compare
            for number, _ in enumerate(row.calls):
                yield Check(row.qualified_name, _row_check(row, number, seed))
    for composed in REWRITES.values():
        for number, _ in enumerate(composed.calls):
            yield Check(composed.qualified_name, _row_check(composed, number, seed))
    yield from _operator_checks(seed)
    yield from _function_checks(seed)
    yield from _layer_checks(seed)


def _row_check(row: Primitive | Rewrite, number: int, seed: int) -> Callable[[], GradcheckReport]:
    call = row.calls[number]

    def run() -> GradcheckReport:
        arrays = sample(row, call, np.random.default_rng([seed, number]))
        cells = () if isinstance(row, Rewrite) or row.variadic else row.derivatives
        held = {i: arrays[i] for i, cell in enumerate(cells) if cell is None}
        moved = [a for i, a in enumerate(arrays) if i not in held]

        def function(*xs: Any) -> Any:
            rest = iter(xs)
            inputs = [held[i] if i in held else next(rest) for i in range(len(arrays))]
            return _joined(row(*inputs, **call.static))

        return gradcheck(function, *moved, rng=seed)

    return run


def _joined(outputs: Any) -> Any:
    """All that a function returned, as one row: some return several arrays."""
    if not isinstance(outputs, (tuple, list)):
        return outputs
    return np.concatenate([np.ravel(y) for y in outputs])


def _operator_checks(seed: int) -> Iterator[Check]:
    """Operators with Python numbers, which rows may treat apart."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.3, 2.0, (4, 3))
    signs = rng.choice([-1.0, 1.0], (4, 3))
    for text, f, sample_x in (
        ("x ** 3", lambda x: x**3, signs * x),
        ("x ** -2", lambda x: x**-2, signs * x),
        ("x ** 2.5", lambda x: x**2.5, x),
        ("x ** 0.5", lambda x: x**0.5, x),
        ("2 ** x", lambda x: 2**x, signs * x),
        ("2 / x", lambda x: 2 / x, signs * x),
        ("3 - 2 * x", lambda x: 3 - 2 * x, signs * x),
    ):
        yield _check(f"operator {text}", f, sample_x)
    # The second argument of a step counts on the step alone, where no sample lies.
    places = np.array([0.0, 1.0, -1.0])
    yield _check("numpy.heaviside", lambda b: np.heaviside(places, b), x)


def _function_checks(seed: int) -> Iterator[Check]:
    rng = np.random.default_rng(seed)
    # Away from zero, where relu and its kin have their kink.
    x = rng.uniform(0.1, 2.0, (4, 3)) * rng.choice([-1.0, 1.0], (4, 3))
    for name in activations.__all__:
        yield _check(f"activations.{name}", getattr(activations, name), x)
    targets = rng.normal(size=(4, 3))
    for name in ("mean_squared_error", "mean_absolute_error", "huber"):
        yield _check(f"losses.{name}", getattr(losses, name), targets, targets + 1.3 * x)
    probabilities = activations.softmax(rng.normal(size=(4, 3)))
    other = activations.softmax(rng.normal(size=(4, 3)))
    labels = np.array([0, 2, 1, 2])
    one_hot = np.eye(3, dtype=np.float64)[labels]
    yield _check("losses.kl_divergence", losses.kl_divergence, probabilities, other)
    # The truth is held constant: one-hot rows sit at the ends of their range.
    for name, truth in (
        ("binary_cross_entropy", probabilities),
        ("categorical_cross_entropy", one_hot),
        ("sparse_categorical_cross_entropy", labels),
    ):
        loss = partial(getattr(losses, name), truth)
        yield _check(f"losses.{name}", loss, other)
        yield _check(f"losses.{name}, of logits", partial(loss, from_logits=True), x)
    left, right, third = rng.normal(size=(3, 4, 3))
    pairs = np.array([1, 0, 1, 0])
    yield _check("losses.contrastive", partial(losses.contrastive, pairs, margin=4.0), left, right)
    yield _check("losses.triplet", partial(losses.triplet, margin=4.0), left, right, third)


def _layer_checks(seed: int) -> Iterator[Check]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(5, 3))
    dense = nn.Dense(3, 4, rng=rng, name="dense")
    model = nn.Sequential(dense, activations.tanh, nn.Dense(4, 2, initializer="glorot", rng=rng))
    for name, module in (("nn.Dense", dense), ("nn.Sequential", model)):
        yield _check(f"{name}, by its input", module, x)
        by_parameters = partial(
            gradcheck_parameters, partial(module, x), module.parameters(), rng=seed
        )
        yield Check(f"{name}, by its parameters", by_parameters)


def _check(name: str, f: Callable[..., Any], *inputs: Any) -> Check:
    return Check(name, lambda: gradcheck(f, *inputs))
