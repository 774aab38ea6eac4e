"""Draws programs over the whole table of derivatives, to compare compiled with eager runs."""

import itertools
import warnings

import numpy as np
from sampling import CASES, COMPOSED_CASES, draw_in

import tinygrad_nn as tnn
from tinygrad_nn.autograd.containers import leaves
from tinygrad_nn.primitives import Primitive, Rewrite

# What these return depends on values in its shape, or in what is computed at all: a compiled step
# refuses them, and so it does an index that is a mask.
LOOKING = {
    "nanquantile", "nanmedian", "nanpercentile", "polymul", "geomspace",
    "unique", "unique_values", "unique_counts", "unique_inverse", "unique_all", "union1d",
    "intersect1d", "setdiff1d", "setxor1d",
}  # fmt: skip


def is_compiled(case):
    """Whether a step may make this call."""
    return case.row.name not in LOOKING and "True" not in str(case.call.static.get("index"))


ALL_CASES = [case for case in CASES + COMPOSED_CASES if is_compiled(case)]
BY_SHAPE = {}
for _case in ALL_CASES:
    if _case.row.sampler is None and _case.call.shapes:
        BY_SHAPE.setdefault(_case.call.shapes[0], []).append(_case)


class Operation:
    """One call of a row, on fresh inputs and on the result of the operation before."""

    def __init__(self, case, operands, squashed):
        # Out of reach: a step takes what it can reach for what may change between calls.
        self.case = (case,).__getitem__
        self.operands = operands  # the numbers of inputs; None for the last result
        self.squashed = squashed

    def __call__(self, last, inputs):
        case = self.case(0)
        given = [
            _moved_into(domain, last) if number is None else inputs[number]
            for domain, number in zip(_domains(case), self.operands, strict=True)
        ]
        y = _as_one(_called(case, given))
        return np.tanh(y) if self.squashed else y


class Program:
    """A chain of operations. Calling it gives the value, and a gradient for each input."""

    def __init__(self):
        self.operations = []
        self.shapes = []
        self.smooth = []  # which inputs there is a derivative by

    def __str__(self):
        return " -> ".join(str(operation.case(0)) for operation in self.operations)

    @property
    def digits(self):
        """How far rounding may go: matrices that are nearly singular make it larger."""
        rows = [operation.case(0).row for operation in self.operations]
        return 2**14 if any("linalg" in r.qualified_name or r.sampler for r in rows) else 16

    def forward(self, *inputs):
        last = None
        for operation in self.operations:
            last = operation(last, inputs)
        return last

    def __call__(self, inputs, weight):
        places = [
            i
            for i, (array, smooth) in enumerate(zip(inputs, self.smooth, strict=True))
            if array.dtype.kind == "f" and smooth
        ]

        def f(*moved):
            given = list(inputs)
            for place, value in zip(places, moved, strict=True):
                given[place] = value
            return self.forward(*given)

        y, pull = tnn.vjp(f, *(inputs[i] for i in places))
        return y, pull(weight * np.cos(y) + 1.5)


class Drawn:
    """A drawn program, and how to sample its inputs."""

    def __init__(self, rng):
        self.program, self.domains, self.samplers = Program(), [], []
        case = ALL_CASES[rng.integers(len(ALL_CASES))]
        last = self._append(case, rng, None)
        for _ in range(rng.integers(0, 6)):
            choices = BY_SHAPE.get(np.shape(last))
            if not choices or np.asarray(last).dtype.kind != "f":
                break
            last = self._append(choices[rng.integers(len(choices))], rng, last)

    def _append(self, case, rng, last):
        """Append a call to the chain; return what the chain gives now."""
        program, operands = self.program, []
        for i, (domain, shape) in enumerate(zip(_domains(case), case.call.shapes, strict=True)):
            fits = last is not None and shape == np.shape(last)
            real = not domain.integer and not domain.boolean
            if fits and real and (i == 0 or rng.random() < 0.3):
                operands.append(None)
                continue
            operands.append(len(program.shapes))
            program.shapes.append(shape)
            program.smooth.append(not isinstance(case.row, Primitive) or i in case.differentiable)
            self.domains.append(domain)
        if case.row.sampler is not None:
            self.samplers.append((case, operands))
        program.operations.append(Operation(case, operands, bool(rng.random() < 0.5)))
        return program.operations[-1](last, self.sample(np.random.default_rng(0), np.float64))

    def sample(self, rng, dtype, lengths=None):
        """Arrays for its inputs; with `lengths`, of other shapes."""
        arrays = [
            draw_in(domain, rng, tuple((lengths or {}).get(n, n) for n in shape), dtype)
            for domain, shape in zip(self.domains, self.program.shapes, strict=True)
        ]
        for case, operands in self.samplers if lengths is None else ():
            for number, array in zip(operands, case.row.sampler(rng, case.call), strict=True):
                arrays[number] = np.asarray(array, dtype)
        return arrays


def _domains(case):
    """A domain for each array of a call."""
    row, count = case.row, len(case.call.shapes)
    several = row.variadic or isinstance(row, Rewrite)  # which may take any number
    return (row.domains * count)[:count] if several else row.domains


def _called(case, arrays):
    """Call a row as a user would."""
    row = case.row
    if isinstance(row, Rewrite) or not row.qualified_name.startswith("numpy."):
        return row(*arrays, **case.call.static)
    return row.function(*([list(arrays)] if row.variadic else arrays), **case.call.static)


def _as_one(y):
    """All that a function returned, as one array."""
    several = isinstance(y, (tuple, list))
    return np.concatenate([np.ravel(part) for part in y]) if several else y


def _moved_into(domain, x):
    """Any numbers as numbers of a domain."""
    if np.isfinite(domain.low) and np.isfinite(domain.high):
        return domain.low + (domain.high - domain.low) * (0.5 + 0.4 * np.tanh(x))
    if np.isfinite(domain.low):
        return domain.low + 0.3 + np.abs(x)
    if np.isfinite(domain.high):
        return domain.high - 0.3 - np.abs(x)
    return x if domain.zero else np.where(x < 0, x - 0.1, x + 0.1)


def attempt(function, *arguments):
    """What a call returns, or the error that it raises."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*arguments)
        except Exception as error:
            return error


def moved(inputs, rng):
    """The same inputs, each number of them moved by its last bit, or not."""
    return [
        np.nextafter(x, np.where(rng.random(x.shape) < 0.5, np.inf, -np.inf), dtype=x.dtype)
        if x.dtype.kind == "f"
        else x
        for x in inputs
    ]


def spreads(program, inputs, weight, expected):
    """How far each result of a program moves if the last bits of its inputs do."""
    rng, base, found = np.random.default_rng(0), leaves(expected), []
    for _ in range(4):
        other = leaves(attempt(program, moved(inputs, rng), weight))
        found.append([np.max(np.abs(a - b), initial=0.0) for a, b in zip(base, other, strict=True)])
    return np.max(found, axis=0)


def assert_same(expected, found, digits=16, slack=None):
    """The same arrays in the same containers, to so many units in the last place; or one error.

    Programs may magnify last bits: `slack` is how much more each array may differ.
    """
    if isinstance(expected, Exception):
        assert type(found) is type(expected), found
        return
    if isinstance(found, Exception):
        raise AssertionError(f"compiled, it raises {found!r}") from found
    slack = itertools.repeat(0.0) if slack is None else slack
    for a, b, more in zip(leaves(expected), leaves(found), slack, strict=False):
        a, b = (np.asarray(x.numpy() if hasattr(x, "numpy") else x) for x in (a, b))
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if a.dtype.kind != "f":
            np.testing.assert_array_equal(b, a)
            continue
        scale = max(1.0, float(np.max(np.abs(a[np.isfinite(a)]), initial=0.0)))
        close = digits * float(np.finfo(a.dtype).eps)
        np.testing.assert_allclose(b, a, rtol=close, atol=close * scale + 16 * float(more))
