"""Checks of everything the package differentiates: rows, activations, losses, layers."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ... import activations, losses, nn
from ..._typing import Array
from ...primitives import REWRITES, TABLE, Call, Primitive, Rewrite
from ..gradcheck import gradcheck
from ..report import GradcheckReport
from ..results import Results, checked
from .sampling import jumps_at, on_kinks, sample

__all__ = ["LibraryCheck", "check_library", "library_checks"]


class LibraryCheck(NamedTuple):
    """One thing to check: what it is called, how to check it, and the row that it is about."""

    name: str
    run: Callable[[], GradcheckReport]
    row: str = ""


def check_library(seed: int = 0, order: int = 1) -> Results:
    """Check every row of the table, every activation, every loss and every layer."""
    return Results([checked(check.name, check.run) for check in library_checks(seed, order)])


def library_checks(seed: int = 0, order: int = 1) -> Iterator[LibraryCheck]:
    """Every check of the library, not yet run."""
    for row in TABLE.values():
        if any(row.derivatives):  # stop_gradient has none: there is nothing to compare
            yield from _row_checks(row, seed, order)
            yield from _kink_checks(row, seed)
    for composed in REWRITES.values():
        yield from _row_checks(composed, seed, order)
    for name, f, inputs in (*_operators(seed), *_functions(seed), *_layers(seed)):
        known = name if name in TABLE else ""
        yield LibraryCheck(name, partial(gradcheck, f, *inputs, order=order, rng=seed), known)
    for name, f, inputs in _ties():  # where the gradient itself jumps
        yield LibraryCheck(f"{name}, at ties", partial(gradcheck, f, *inputs, rng=seed), name)
    yield from _parameter_checks(seed, order)


def _row_checks(row: Primitive | Rewrite, seed: int, order: int) -> Iterator[LibraryCheck]:
    for number, call in enumerate(row.calls):

        def run(number: int = number, call: Call = call) -> GradcheckReport:
            arrays = sample(row, call, np.random.default_rng([seed, number]))
            return _checked_row(row, call, arrays, seed, order)

        yield LibraryCheck(row.qualified_name, run, row.qualified_name)


def _kink_checks(row: Primitive, seed: int) -> Iterator[LibraryCheck]:
    """The same exactly on the kinks of a row, unless it jumps there and has no slope at all."""
    if row.kinks is None:
        return
    call = row.calls[0]
    arrays = on_kinks(row, sample(row, call, np.random.default_rng(seed)))
    if not jumps_at(row, call, arrays):
        run = partial(_checked_row, row, call, arrays, seed, 1)
        yield LibraryCheck(f"{row.qualified_name}, at kinks", run, row.qualified_name)


def _checked_row(
    row: Primitive | Rewrite, call: Call, arrays: Sequence[Array], seed: int, order: int
) -> GradcheckReport:
    """Check a row by the arguments that it has a derivative for."""
    cells = () if isinstance(row, Rewrite) or row.variadic else row.derivatives
    held = {i: arrays[i] for i, cell in enumerate(cells) if cell is None}
    moved = [a for i, a in enumerate(arrays) if i not in held]

    def function(*xs: Any) -> Any:
        rest = iter(xs)
        return row(
            *(held[i] if i in held else next(rest) for i in range(len(arrays))), **call.static
        )

    return gradcheck(function, *moved, order=order, rng=seed)


Case = tuple[str, Callable[..., Any], tuple[Any, ...]]


def _operators(seed: int) -> Iterator[Case]:
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
        yield f"operator {text}", f, (sample_x,)
    # The second argument of a step counts on the step alone, where no sample lies.
    places = np.array([0.0, 1.0, -1.0])
    yield "numpy.heaviside", lambda b: np.heaviside(places, b), (x,)


def _ties() -> Iterator[Case]:
    """Where several elements are the largest, all are equal, or all are zero."""
    ties = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    for extreme in (np.max, np.amax, np.min, np.amin):
        yield f"numpy.{extreme.__name__}", partial(extreme, axis=1), (ties,)
    yield "numpy.std", np.std, (ties[1],)
    zeros = np.zeros(3, dtype=np.float64)
    yield "numpy.hypot", np.hypot, (zeros, zeros)
    yield "tinygrad_nn.norm", np.linalg.norm, (zeros,)
    yield "tinygrad_nn.p_norm", partial(np.linalg.norm, ord=3), (zeros,)


def _functions(seed: int) -> Iterator[Case]:
    rng = np.random.default_rng(seed)
    # Away from zero, where relu and its kin have their kink.
    x = rng.uniform(0.1, 2.0, (4, 3)) * rng.choice([-1.0, 1.0], (4, 3))
    for name in activations.__all__:
        yield f"activations.{name}", getattr(activations, name), (x,)
    targets = rng.normal(size=(4, 3))
    for name in ("mean_squared_error", "mean_absolute_error", "huber"):
        yield f"losses.{name}", getattr(losses, name), (targets, targets + 1.3 * x)
    probabilities = activations.softmax(rng.normal(size=(4, 3)))
    other = activations.softmax(rng.normal(size=(4, 3)))
    labels = np.array([0, 2, 1, 2])
    one_hot = np.eye(3, dtype=np.float64)[labels]
    yield "losses.kl_divergence", losses.kl_divergence, (probabilities, other)
    # The truth is held constant: one-hot rows sit at the ends of their range.
    for name, truth in (
        ("binary_cross_entropy", probabilities),
        ("categorical_cross_entropy", one_hot),
        ("sparse_categorical_cross_entropy", labels),
    ):
        loss = partial(getattr(losses, name), truth)
        yield f"losses.{name}", loss, (other,)
        yield f"losses.{name}, of logits", partial(loss, from_logits=True), (x,)
    left, right, third = rng.normal(size=(3, 4, 3))
    pairs = np.array([1, 0, 1, 0])
    yield "losses.contrastive", partial(losses.contrastive, pairs, margin=4.0), (left, right)
    yield "losses.triplet", partial(losses.triplet, margin=4.0), (left, right, third)


def _models(seed: int) -> Iterator[tuple[str, nn.Module]]:
    rng = np.random.default_rng(seed)
    dense = nn.Dense(3, 4, rng=rng, name="dense")
    yield "nn.Dense", dense
    second = nn.Dense(4, 2, initializer="glorot", rng=rng)
    yield "nn.Sequential", nn.Sequential(dense, activations.tanh, second)


def _layers(seed: int) -> Iterator[Case]:
    x = np.random.default_rng(seed).normal(size=(5, 3))
    for name, module in _models(seed):
        yield f"{name}, by its input", module, (x,)


def _parameter_checks(seed: int, order: int) -> Iterator[LibraryCheck]:
    x = np.random.default_rng(seed).normal(size=(5, 3))
    for name, module in _models(seed):
        run = partial(gradcheck, partial(module, x), parameters=module, order=order, rng=seed)
        yield LibraryCheck(f"{name}, by its parameters", run)
