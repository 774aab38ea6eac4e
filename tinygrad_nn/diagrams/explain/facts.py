"""What is known of a row beside its derivatives: where it is defined, and what happens at kinks.

It is found by evaluating the row, so that what is said is what it does. A declared domain may be
narrower than the true one, because samples are drawn from it; so its ends, and what lies beyond,
are tried.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..._typing import Array
from ...primitives import Domain, Primitive, Trait
from ...verify.table.sampling import jumps_at, on_kinks, sample
from ..labels import number
from .letters import arguments
from .wording import joined

__all__ = ["conventions", "domains_in_words", "kinks_in_words", "kinks_of", "slopes", "true_domain"]

_OTHERS = 0.7  # no whole number, or a power of a negative number would be defined by chance
_BEYOND = 1.3
_NEAR = 1e-6
_REACH = 4.0

# Arguments at which a library has to choose; what is chosen is evaluated.
_SPECIAL: dict[str, tuple[tuple[tuple[Any, ...], dict[str, Any]], ...]] = {
    **dict.fromkeys(("numpy.max", "numpy.amax"), ((([3.0, 3.0, 1.0],), {}),)),
    **dict.fromkeys(("numpy.min", "numpy.amin"), ((([1.0, 1.0, 3.0],), {}),)),
    "numpy.std": ((([2.0, 2.0, 2.0],), {}),),
    "numpy.prod": ((([2.0, 0.0, 3.0],), {}),),
    "numpy.hypot": (((0.0, 0.0), {}),),
    "numpy.arctan2": (((0.0, 0.0), {}),),
    "numpy.power": (((0.0, 2.0), {}), ((0.0, 0.0), {}), ((0.0, -1.0), {})),
    "tinygrad_nn.norm": ((([0.0, 0.0],), {}),),
    "tinygrad_nn.p_norm": ((([0.0, 0.0],), {"p": 3}),),
}


def slopes(row: Primitive, arrays: Sequence[Any], static: dict[str, Any]) -> list[Array | None]:
    """The value of a row, and what its rules send back for a cotangent of ones.

    Each is None where there is none, as for a row of the user's that does not take such numbers.
    """
    values = [np.asarray(a) for a in arrays]
    try:
        with np.errstate(all="ignore"):
            y = np.asarray(row.evaluate(values, static))
            sent = [np.ones_like(y), y, *values]
            pulled = (
                None if cell is None else np.asarray(row.pull(k, sent, static))
                for k, cell in enumerate(row.derivatives)
            )
            return [y, *pulled]
    except Exception:  # whatever a row raises
        return [None] * (1 + row.arrays)


def _is_finite(row: Primitive, k: int, value: float, others: float = _OTHERS) -> tuple[bool, bool]:
    """Whether a row has a value and a slope where one argument is as given."""
    points = [np.array(value if i == k else others) for i in range(row.arrays)]
    y, *sent = slopes(row, points, row.calls[0].static)
    slope = sent[k]
    value_there = y is not None and bool(np.all(np.isfinite(y)))
    return value_there, value_there and slope is not None and bool(np.all(np.isfinite(slope)))


def true_domain(row: Primitive, k: int) -> tuple[Domain, bool, bool]:
    """Where an argument is defined, and whether its lower and its upper end belong to it."""
    domain = row.domains[k] if k < len(row.domains) else Domain()
    if domain.boolean or domain.integer:
        return domain, False, False
    if Trait.ELEMENTWISE not in row.traits:
        return domain._replace(zero=True), False, False
    low, high = domain.low, domain.high
    ends = [(low, low - _BEYOND), (high, high + _BEYOND)]
    ends = [(end, beyond) for end, beyond in ends if np.isfinite(end)]
    if all(all(_is_finite(row, k, beyond)) for _, beyond in ends):  # no ends at all
        holes = [0.0] * (not domain.zero) + [end for end, _ in ends]
        return Domain(zero=all(_is_finite(row, k, hole)[0] for hole in holes)), False, False
    at_low, at_high = (bool(np.isfinite(end)) and _is_finite(row, k, end)[0] for end in (low, high))
    return domain, at_low, at_high


def domains_in_words(row: Primitive) -> tuple[str, ...]:
    """Where each argument is defined, as ``a > 0``."""
    if row.sampler is not None or row.variadic or row.opaque:
        return ()  # of arrays with a structure, which no interval describes
    names = arguments(row)
    found = [true_domain(row, k) for k in range(row.arrays)]
    if row.arrays > 1 and all(domain == Domain() for domain, _, _ in found):
        return (f"all real {joined(names)}",)
    words = [_in_words(name, *known) for name, known in zip(names, found, strict=True)]
    if row.arrays == 2 and found[0][0].low == 0 and _is_finite(row, 0, -_BEYOND, others=2.0)[0]:
        words[0] += f", and any {names[0]} where {names[1]} is a whole number"
    everywhere = found == [(Domain(), False, False)]
    if everywhere and Trait.ELEMENTWISE in row.traits and _has_poles(row):
        words[0] += ", apart from its poles"
    return tuple(words)


def _has_poles(row: Primitive) -> bool:
    """Whether a function falls from +∞ to −∞ somewhere though it rises on both sides, or so."""
    y, slope = slopes(row, [np.linspace(-_REACH, _REACH, 1601)], row.calls[0].static)
    if y is None or slope is None or row.kinks is not None:
        return False
    against = np.sign(np.diff(y)) * np.sign(slope[1:]) * (slope[1:] * slope[:-1] > 0)
    return bool(np.any((against < 0) & (np.abs(np.diff(y)) > 50)))


def _in_words(name: str, domain: Domain, at_low: bool, at_high: bool) -> str:
    if domain.boolean:
        return f"{name} true or false"
    if domain.integer:
        return f"{name} a whole number"
    low, high = domain.low, domain.high
    if np.isinf(low) and np.isinf(high):
        return f"all real {name}" if domain.zero else f"{name} ≠ 0"
    above, below = "≤" if at_low else "<", "≤" if at_high else "<"
    if np.isinf(high):
        return f"{name} {'≥' if at_low else '>'} {number(low)}"
    if np.isinf(low):
        return f"{name} {below} {number(high)}"
    return f"{number(low)} {above} {name} {below} {number(high)}"


# --- kinks ------------------------------------------------------------------------------------


def kinks_in_words(row: Primitive) -> tuple[str, ...]:
    """Where a row has kinks or jumps, and what its derivative is taken to be there."""
    if row.kinks is None or Trait.ELEMENTWISE not in row.traits:
        return ()
    if row.arrays == 1:
        return _of_one(row)
    return _of_several(row)


def kinks_of(row: Primitive) -> Array:
    """Where a row of one argument has kinks, near zero."""
    if row.kinks is None or row.arrays != 1:
        return np.zeros(0, dtype=np.float64)
    grid = np.linspace(-_REACH, _REACH, 161)
    with np.errstate(all="ignore"):
        nearest = np.round(grid - row.kinks(grid), 9) + 0.0
        points = np.unique(nearest[np.abs(nearest) <= _REACH])
        return points[np.abs(row.kinks(points)) < 1e-9]


def _of_one(row: Primitive) -> tuple[str, ...]:
    (name,) = arguments(row)
    points = kinks_of(row)
    if not points.size:
        return ()
    static = row.calls[0].static
    (y, here), (low, left), (high, right) = (
        slopes(row, [points + t], static) for t in (0.0, -_NEAR, _NEAR)
    )
    if y is None or here is None or low is None or high is None or left is None or right is None:
        return ()
    where = _places(name, points)
    at = f"at {where} the derivative" if len(points) == 1 else "the derivative there"
    taken = f"{at} is taken to be {joined(_distinct(here))}"
    if np.any(np.abs(high - low) > 1e-3):
        return (f"a jump at {where}; {taken}",)
    sides = f"slope {joined(_distinct(left))} to the left, {joined(_distinct(right))} to the right"
    return (f"a kink at {where}: {sides}; {taken}",)


def _places(name: str, points: Array) -> str:
    if len(points) > 3:
        steps = [b - a for a, b in pairwise(points.tolist())]
        if np.allclose(steps, 1.0):
            halves = abs(points[0] - round(points[0])) > 0.25
            return (
                f"every {name} halfway between whole numbers" if halves else f"every whole {name}"
            )
        return f"{name} = {', '.join(map(number, points[:3].tolist()))}, …"
    return f"{name} = {joined(map(number, points.tolist()))}"


def _distinct(values: Array) -> list[str]:
    return sorted({number(round(v, 5)) for v in np.ravel(values).tolist()})


def _of_several(row: Primitive) -> tuple[str, ...]:
    call = row.calls[0]
    arrays = on_kinks(row, sample(row, call, np.random.default_rng(0)))
    for other in arrays[1:]:  # to the last digit
        arrays[0] = np.where(np.isclose(arrays[0], other, rtol=1e-12), other, arrays[0])
    where = _relation(arguments(row), arrays)
    y, *sent = slopes(row, arrays, call.static)
    if y is None:
        return ()
    kind = "a jump" if jumps_at(row, call, arrays) else "a kink"
    taken = []
    for name, part in zip(arguments(row), sent, strict=True):
        values = [] if part is None else _distinct(np.broadcast_to(part, y.shape))
        if len(values) == 1:
            taken.append(f"{values[0]} for {name}")
    there = f"; the derivative there is taken to be {joined(taken)}" if taken else ""
    return (f"{kind} where {where}{there}",)


def _relation(names: Sequence[str], arrays: Sequence[Array]) -> str:
    """What the arguments have to do with one another on a kink, in words."""
    first, *others = np.broadcast_arrays(*arrays)
    name = names[0]
    equal = [np.isclose(first, other, rtol=1e-12) for other in others]
    for other, same in zip(names[1:], equal, strict=True):
        if same.all():
            return f"{name} = {other}"
    if np.all(np.any(equal, axis=0)):
        return " or ".join(f"{name} = {other}" for other in names[1:])
    if not np.any(first):
        return f"{name} = 0"
    ratio = first / others[0]
    if np.allclose(ratio, np.rint(ratio)):
        return f"{name} / {names[1]} is a whole number"
    return f"its kinks are, which depend on {joined(names)}"


# --- singular points, and other choices -------------------------------------------------------


def conventions(row: Primitive) -> tuple[str, ...]:
    """What happens where the derivative has no finite value, and where a library has to choose."""
    return (*_singular(row), *(_choice(row, *special) for special in _special(row)))


def _special(row: Primitive) -> tuple[tuple[tuple[Any, ...], dict[str, Any]], ...]:
    return _SPECIAL.get(row.qualified_name, ())


def _choice(row: Primitive, values: tuple[Any, ...], static: dict[str, Any]) -> str:
    _, *sent = slopes(row, values, static)
    at = " and ".join(f"{n} = {_vector(v)}" for n, v in zip(arguments(row), values, strict=True))
    parts = [_vector(part) for part in sent if part is not None]
    if len(parts) == 1:
        return f"at {at} the gradient is {parts[0]}"
    each = joined(f"{p} for {n}" for p, n in zip(parts, arguments(row), strict=True))
    return f"at {at} the derivative is {each}"


def _vector(value: Any) -> str:
    numbers = [number(v) for v in np.ravel(value).tolist()]
    return numbers[0] if np.ndim(value) == 0 else f"({', '.join(numbers)})"


def _singular(row: Primitive) -> tuple[str, ...]:
    if row.singular is None or Trait.ELEMENTWISE not in row.traits:
        return ()
    told = []
    names = arguments(row)
    for k in range(row.arrays):
        low, high = true_domain(row, k)[0][:2]
        ends = {e + 0.0 for e in (low, high, 0.0) if np.isfinite(e) and low <= e <= high}
        for end in sorted(ends):
            found = [_slope_at(row, k, end, others) for others in (_OTHERS, -_OTHERS, 2.0)]
            values = {number(slope) for slope in found if slope is not None}
            if values:
                told.append(_not_finite(names[k], end, values))
    return tuple(told)


def _slope_at(row: Primitive, k: int, value: float, others: float) -> float | None:
    """The slope by one argument at a point that the row calls singular; None at any other."""
    points = [np.array(value if i == k else others) for i in range(row.arrays)]
    with np.errstate(all="ignore"):
        if row.singular is None or not np.all(row.singular(*points)):
            return None
        slope = slopes(row, points, row.calls[0].static)[1 + k]
    return None if slope is None else float(slope)


def _not_finite(name: str, end: float, slopes_there: set[str]) -> str:
    is_one = len(slopes_there) == 1
    what = f"is {slopes_there.pop()}" if is_one else "may have no finite value"
    return (
        f"at {name} = {number(end)} the derivative by {name} {what}, but it is 0 where the "
        f"incoming gradient is 0"
    )
