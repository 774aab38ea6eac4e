"""Going through the inputs of a check: element by element, or along random directions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from .._typing import Array
from .check import Check
from .differences import typical_size
from .verdicts import Element, Finding, Verdict

__all__ = ["findings"]

_BY_ELEMENT = 1024  # larger inputs are probed along random directions
_SECONDS = 1.5  # what checking by element may take, as far as that can be foreseen
_EVALUATIONS = 20  # of the function for one derivative, on average
_DIRECTIONS, _FEWEST_DIRECTIONS = 8, 3
_MOST_EVALUATIONS = 70  # for a derivative that needs a second look
_JOINT_DIRECTIONS = 4


def findings(check: Check, jacobian: bool = False, by_element: int = _BY_ELEMENT) -> list[Finding]:
    """What is found for each input, and where there are kinks, for all inputs together.

    Args:
        check: the function at its point.
        jacobian: whether to check the derivative of each output by itself.
        by_element: larger inputs are probed along random directions.
    """
    if not check.repeats:
        nothing = float("nan")
        element = Element((), Verdict.NONDETERMINISTIC, nothing, nothing, nothing)
        pairs = zip(check.names, check.values, strict=True)
        return [Finding(name, v.shape, (element,), check.order) for name, v in pairs]
    probed = [v.size > by_element for v in check.values]
    if not jacobian:  # which is asked for, whatever time it takes
        probed = _probed(check, probed)
    found = [_finding(check, i, probed[i], jacobian) for i in range(len(check.values))]
    if sum(finding.counts.get(Verdict.KINK, 0) for finding in found) > 1:
        together = _together(check)
        if not together.right:
            found.append(together)
    return found


def _probed(check: Check, large: Sequence[bool]) -> list[bool]:
    """Which inputs to probe along directions: large ones, and those that would take long."""
    sizes, probed = [v.size for v in check.values], list(large)
    left = _SECONDS
    for i in sorted(range(len(sizes)), key=sizes.__getitem__):
        left -= sizes[i] * check.seconds * _EVALUATIONS
        probed[i] = probed[i] or (left < 0 and sizes[i] > _DIRECTIONS)
    return probed


def _finding(check: Check, i: int, probed: bool, jacobian: bool) -> Finding:
    if probed:
        elements = list(_along_directions(check, i))
    elif jacobian:
        elements = list(_of_each_output(check, i))
    else:
        indices = np.ndindex(check.values[i].shape)
        elements = [replace(check.judged(check.axis(i, at)), index=at) for at in indices]
    scaled = tuple(element.scaled(check.unit) for element in elements)
    directions = _directions(check) if probed else 0
    return Finding(check.names[i], check.values[i].shape, scaled, check.order, directions)


def _of_each_output(check: Check, i: int) -> Iterator[Element]:
    """The whole Jacobian: each output by itself, with what is computed once serving them all."""
    rows = []
    for output in np.ndindex(check.cotangent.shape):
        weights = np.zeros_like(check.cotangent)
        weights[output] = check.unit
        rows.append((output, weights, check.pull(weights)))
    for index in np.ndindex(check.values[i].shape):
        way = check.axis(i, index)
        way = way._replace(outputs=cache(way.outputs))
        for output, weights, gradients in rows:
            element = check.judged(way, weights, gradients)
            yield replace(element, index=index, output=output)


def _along_directions(check: Check, i: int) -> Iterator[Element]:
    value = check.values[i]
    width = typical_size(value)
    for k in range(_directions(check)):
        direction = check.random.standard_normal(value.shape)
        element = replace(check.judged(check.way({i: direction}, width)), index=(k,))
        if element.verdict is Verdict.WRONG:
            yield _narrowed(check, i, direction, element)
            return  # one wrong element is enough to be told of
        yield element


def _directions(check: Check) -> int:
    """How many directions there is time for."""
    affordable = _SECONDS / (_MOST_EVALUATIONS * max(check.seconds, 1e-9) * len(check.values))
    return int(min(max(affordable, _FEWEST_DIRECTIONS), _DIRECTIONS))


def _narrowed(check: Check, i: int, direction: Array, found: Element) -> Element:
    """The wrong element along a direction: of each two halves, the one that is wrong by more.

    What was found along the direction, where the mistake is spread so thin that it is lost.
    """
    width = typical_size(check.values[i])
    places = np.arange(direction.size)
    while len(places) > 1:
        halves = np.array_split(places, 2)
        off = [check.off(check.way({i: _only(direction, half)}, width)) for half in halves]
        places = halves[int(np.argmax(off))]
    index = tuple(map(int, np.unravel_index(int(places[0]), direction.shape)))
    element = replace(check.judged(check.axis(i, index)), index=index)
    return element if element.verdict is Verdict.WRONG else replace(found, index=())


def _only(direction: Array, places: Array) -> Array:
    """A direction that moves a few elements alone, by their flat places."""
    flat = np.zeros(direction.size, dtype=np.float64)
    flat[places] = direction.ravel()[places]
    return flat.reshape(direction.shape)


def _together(check: Check) -> Finding:
    """Where several inputs meet in a kink, each may look right while they are not together."""
    sizes = [np.where(v == 0, min(typical_size(v), 1.0), np.abs(v)) for v in check.values]
    least = min(map(typical_size, check.values))
    elements = []
    for k in range(_JOINT_DIRECTIONS):
        # What is tied stays tied when all moves alike: there is no kink in that direction.
        moves: Mapping[int, Array] = {
            i: check.random.standard_normal(v.shape) * sizes[i] if k else np.full_like(v, least)
            for i, v in enumerate(check.values)
        }
        element = replace(check.judged(check.way(moves, 1.0)), index=(k,))
        elements.append(element.scaled(check.unit))
    return Finding("all together", (), tuple(elements), check.order, _JOINT_DIRECTIONS)
