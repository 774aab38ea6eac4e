"""Samples for the rows of the table, drawn from what each row says of itself.

Values are spread out, so that no two elements tie, keep a distance from the kinks a row
declares, and stay well inside its domain. `on_kinks` moves a sample exactly onto them.
"""

import math
from collections.abc import Sequence

import numpy as np

from ..._typing import Array, Shape
from ...errors import ArgumentError
from ...primitives import Call, Domain, Primitive, Rewrite

__all__ = ["jumps_at", "on_kinks", "sample"]

_CLEARANCE = 0.03  # the least distance from a kink, far above any step of a difference
_TRIES = 1000


def sample(row: Primitive | Rewrite, call: Call, rng: "np.random.Generator") -> list[Array]:
    """Arrays for one call of a row, away from its kinks.

    Raises:
        ArgumentError: no such arrays were found: the row cannot be sampled.
    """
    if row.sampler is not None:
        return row.sampler(rng, call)
    domains = row.domains
    if row.variadic or isinstance(row, Rewrite):  # which may take any number of arrays
        domains = (domains * len(call.shapes))[: len(call.shapes)]
    for _ in range(_TRIES):
        arrays = [_draw(d, shape, rng) for d, shape in zip(domains, call.shapes, strict=True)]
        if row.kinks is None or np.all(np.abs(row.kinks(*arrays)) > _CLEARANCE):
            return arrays
    raise ArgumentError(f"{row.qualified_name}: no sample keeps clear of the kinks in {_TRIES}")


def on_kinks(row: Primitive, arrays: Sequence[Array]) -> list[Array]:
    """The same arrays with the first moved onto the nearest kinks of the row.

    ``kinks`` is the signed distance of the first argument from its nearest kink, so taking it away
    lands there.
    """
    if row.kinks is None:
        raise ArgumentError(f"{row.qualified_name}: the row declares no kinks")
    return [arrays[0] - row.kinks(*arrays), *arrays[1:]]


def jumps_at(row: Primitive, call: Call, arrays: Sequence[Array]) -> bool:
    """Whether a row jumps where the first of its arrays is, so that it has no slope there."""
    first, *others = arrays
    below, above = (row.function(first + t, *others, **call.static) for t in (-1e-9, 1e-9))
    return not np.allclose(below, above, atol=1e-8)


def _draw(domain: Domain, shape: Shape, rng: "np.random.Generator") -> Array:
    if domain.boolean:
        return rng.random(shape) < 0.5
    if domain.integer:
        return rng.integers(-3, 4, shape)
    low, high = _window(domain)
    size = math.prod(shape)
    # One value in each of as many cells as there are elements, in random order: no two tie.
    cells = (rng.permutation(size) + rng.uniform(0.2, 0.8, size)) / max(size, 1)
    values = low + (high - low) * cells
    if not domain.zero:
        values = np.copysign(values, rng.uniform(-1, 1, size))
    return values.reshape(shape)


def _window(domain: Domain) -> tuple[float, float]:
    """Where a domain is sampled: a few units wide, and clear of its ends."""
    low, high = (domain.low, domain.high) if domain.zero else (0.0, math.inf)
    if math.isinf(low) and math.isinf(high):
        return -2.0, 2.0
    if math.isinf(high):
        return low + 0.3, low + 2.5
    if math.isinf(low):
        return high - 2.5, high - 0.3
    return low + 0.1 * (high - low), high - 0.1 * (high - low)
