"""Draws arguments for a row of the table, and differentiates numerically, knowing no derivative."""

from typing import NamedTuple

import numpy as np

import tinygrad_nn as tnn
from tinygrad_nn.primitives import REWRITES, TABLE, Primitive, Rewrite, Trait

MARGIN = 0.01  # how far a sample stays from a kink, from the edge of a domain, and from a tie


class Case(NamedTuple):
    """One way to call one row."""

    row: object
    call: object

    def __str__(self):
        static = "".join(f",{key}={value}" for key, value in self.call.static.items())
        name = self.row.qualified_name.removeprefix("numpy.").removeprefix("tinygrad_nn.")
        return f"{name}{self.call.shapes}{static}".replace(" ", "")[:60]

    @property
    def differentiable(self):
        """The positions of the arguments that have a derivative."""
        cells = self.row.derivatives * (len(self.call.shapes) if self.row.variadic else 1)
        return [i for i, cell in enumerate(cells) if cell is not None]


CASES = [Case(row, call) for row in TABLE.values() for call in row.calls]
COMPOSED_CASES = [Case(entry, call) for entry in REWRITES.values() for call in entry.calls]
SMOOTH_CASES = [case for case in CASES if case.differentiable]


def sample(case, rng, dtype=np.float64, shapes=None):
    """Arrays for a case: inside its domains, away from its kinks and from ties.

    Raises:
        AssertionError: no such arrays are found, or the row is not finite there.
    """
    for _ in range(2000):
        arrays = _draw(case, rng, dtype, shapes or case.call.shapes)
        if _is_regular(case.row, arrays):
            break
    else:
        raise AssertionError(f"{case}: no sample lies away from its kinks")
    y = joined(run(case.row, arrays, case.call.static))
    assert np.all(np.isfinite(y)), f"{case}: not finite"
    return arrays


def _draw(case, rng, dtype, shapes):
    if case.row.sampler is not None and shapes == case.call.shapes:
        return [np.asarray(a, dtype) for a in case.row.sampler(rng, case.call)]
    domains = case.row.domains
    if case.row.variadic or isinstance(case.row, Rewrite):  # which may take any number
        domains = (domains * len(shapes))[: len(shapes)]
    assert len(domains) == len(shapes), f"{case}: {len(shapes)} shapes for {len(domains)} domains"
    return [
        draw_in(domain, rng, shape, dtype) for domain, shape in zip(domains, shapes, strict=True)
    ]


def draw_in(domain, rng, shape, dtype=np.float64):
    """An array inside a domain, a little away from its edges."""
    if domain.boolean:
        return np.asarray(rng.random(shape) < 0.5)
    if domain.integer:
        return np.asarray(rng.integers(-3, 4, shape))
    if np.isfinite(domain.low) and np.isfinite(domain.high):
        edge = MARGIN * (domain.high - domain.low)
        values = rng.uniform(domain.low + edge, domain.high - edge, shape)
    elif np.isfinite(domain.low):
        values = domain.low + 0.1 + rng.gamma(2.0, 1.0, shape)
    elif np.isfinite(domain.high):
        values = domain.high - 0.1 - rng.gamma(2.0, 1.0, shape)
    else:
        values = rng.normal(0.0, 1.5, shape)
        values = values if domain.zero else np.copysign(np.abs(values) + 0.1, values)
    return np.asarray(values, dtype)


def _is_regular(row, arrays):
    if row.sampler is not None:
        return True
    if row.kinks is not None and np.any(np.abs(row.kinks(*arrays)) < MARGIN):
        return False
    if isinstance(row, Primitive) and row.traits & (Trait.ELEMENTWISE | Trait.ANALYTIC):
        return True
    # Rows that compare the elements of one array (max, min) have their kinks at its ties.
    flat = np.concatenate([np.ravel(a) for a in arrays if a.dtype.kind == "f"] or [[]])
    return flat.size < 2 or np.min(np.diff(np.sort(flat))) > 1e-3


def run(row, arrays, static):
    """Call a row as a user would: by NumPy's own function where it has one."""
    if isinstance(row, Rewrite) or not row.qualified_name.startswith("numpy."):
        return row(*arrays, **static)
    return row.function(*([list(arrays)] if row.variadic else arrays), **static)


def joined(outputs):
    """All that a function returned, as one row: some return several arrays."""
    if not isinstance(outputs, (tuple, list)):
        return outputs
    return np.concatenate([np.ravel(y) for y in outputs])


def function_of(case, arrays):
    """The case as a function of its differentiable arguments, and those arguments."""

    def f(*chosen):
        given = list(arrays)
        for position, value in zip(case.differentiable, chosen, strict=True):
            given[position] = value
        return run(case.row, given, case.call.static)

    return f, [arrays[p] for p in case.differentiable]


def numeric_gradient(phi, arrays, position, step=2e-4):
    """The gradient of a scalar function of arrays, by five-point central differences."""
    base = np.array(arrays[position], np.float64)
    gradient = np.zeros(base.shape, np.float64)
    for where in np.ndindex(base.shape):
        total = 0.0
        for offset, weight in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
            moved = base.copy()
            moved[where] += offset * step
            given = list(arrays)
            given[position] = moved
            total += weight * float(phi(*given))
        gradient[where] = total / (12 * step)
    return gradient


def assert_second_derivatives(f, arrays, rng, tolerance):
    """The gradient of the gradient along random directions, against differences of the first."""
    g = rng.normal(size=np.shape(f(*arrays)))
    v = [rng.normal(size=x.shape) for x in arrays]

    def along_v(*xs):
        _, pullback = tnn.vjp(f, *xs)
        return sum(np.sum(vi * gi) for vi, gi in zip(v, pullback(g), strict=True))

    gradients = tnn.grad(along_v, tuple(range(len(arrays))))(*arrays)
    for i, gradient in enumerate(gradients):
        assert_near(gradient, numeric_gradient(along_v, arrays, i), tolerance)


def assert_near(actual, expected, tolerance=1e-8):
    """Agreement relative to the largest element, so that cancelling elements are not flattered."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)


def summed_to(g, shape):
    """What broadcasting from a shape sends back: the sum over the axes that it repeated."""
    lead = g.ndim - len(shape)
    stretched = tuple(lead + i for i, n in enumerate(shape) if n == 1)
    return g.sum(axis=tuple(range(lead)) + stretched).reshape(shape)
