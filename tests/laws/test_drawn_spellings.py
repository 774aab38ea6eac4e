"""Calls that are drawn: every notation of einsum, every way to pad, roll, repeat, tile and flip."""

import math
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling import assert_near, numeric_gradient

import tinygrad_nn as tnn
from tinygrad_nn import Tensor

SIZES = {"a": 2, "b": 3, "c": 1, "D": 2}
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def check_value(f, arrays):
    expected = f(*arrays)
    y = f(*(Tensor(a, requires_grad=True) for a in arrays))
    assert isinstance(y, Tensor)
    assert (y.shape, y.dtype) == (np.shape(expected), np.asarray(expected).dtype)
    assert_near(y.numpy(), expected, 1e-13)


# --- einsum -----------------------------------------------------------------------------------


@st.composite
def products(draw):
    """Terms, an output or None, and shapes that fit: letters, repeated letters, ellipses."""
    batch = draw(st.lists(st.integers(1, 3), max_size=2))
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 3))):
        letters = draw(st.lists(st.sampled_from(sorted(SIZES)), max_size=3))
        # A letter of length 1 is repeated, as in broadcasting.
        stretched = draw(st.booleans())
        shape = [1 if stretched and letters.count(c) == 1 else SIZES[c] for c in letters]
        if draw(st.booleans()):
            extra = batch[draw(st.integers(0, len(batch))) :]
            extra = [n if draw(st.booleans()) else 1 for n in extra]
            place = draw(st.integers(0, len(letters)))
            letters[place:place], shape[place:place] = ["..."], extra
        terms.append(letters)
        shapes.append(tuple(shape))
    known = sorted({c for letters in terms for c in letters} - {"..."})
    output = None
    if draw(st.booleans()):
        output = draw(st.permutations(known))[: draw(st.integers(0, len(known)))]
        if any("..." in letters for letters in terms):
            output.insert(draw(st.integers(0, len(output))), "...")
    return terms, output, shapes


@st.composite
def einsums(draw):
    """The function of the arrays, spelled as a string or as lists, and shapes for it."""
    terms, output, shapes = draw(products())
    optimize = draw(st.sampled_from([False, True, "greedy", "optimal"]))
    if any(1 in shape for shape in shapes):
        optimize = False  # whose paths know no broadcasting
    if draw(st.booleans()):
        gap = draw(st.sampled_from(["", " "]))
        spelled = f"{gap},".join(gap.join(letters) for letters in terms)
        if output is not None:
            spelled += f"{gap}->{gap}" + gap.join(output)
        return (lambda *arrays: np.einsum(spelled, *arrays, optimize=optimize)), shapes

    def numbers(letters):
        return [... if c == "..." else string.ascii_letters.index(c) for c in letters]

    end = [] if output is None else [numbers(output)]

    def call(*arrays):
        pairs = zip(arrays, terms, strict=True)
        operands = [part for a, letters in pairs for part in (a, numbers(letters))]
        return np.einsum(*operands, *end, optimize=optimize)

    return call, shapes


def with_parts(arrays, parts):
    return [parts.get(i, a) for i, a in enumerate(arrays)]


@given(einsums(), seeds)
def test_einsum_in_every_notation(drawn, rng):
    f, shapes = drawn
    arrays = [rng.normal(size=shape) for shape in shapes]
    check_value(f, arrays)
    y, pullback = tnn.vjp(f, *arrays)
    g = rng.normal(size=y.shape)
    moves = [rng.normal(size=shape) for shape in shapes]
    # It is linear in each operand, so a derivative puts a direction in the place of an operand.
    for i, (gradient, move) in enumerate(zip(pullback(g), moves, strict=True)):
        expected = np.sum(g * f(*with_parts(arrays, {i: move})))
        assert np.sum(gradient * move) == pytest.approx(expected, rel=1e-11, abs=1e-11)

    def along_the_first(*xs):
        return np.sum(tnn.vjp(f, *xs)[1](g)[0] * moves[0])

    second = tnn.grad(along_the_first, tuple(range(len(arrays))))(*arrays)
    for i, (gradient, move) in enumerate(zip(second, moves, strict=True)):
        expected = np.sum(g * f(*with_parts(arrays, {0: moves[0], i: move}))) if i else 0
        assert np.sum(gradient * move) == pytest.approx(expected, rel=1e-11, abs=1e-11)


# --- padding ----------------------------------------------------------------------------------

STATISTICS = ["maximum", "minimum", "mean", "median"]
MODES = ["constant", "edge", "linear_ramp", "reflect", "symmetric", "wrap", *STATISTICS]


def per_axis(draw, numbers, ndim):
    """A value for all ends, or a pair for all axes, or a pair for each."""
    pair = st.tuples(numbers, numbers)
    kinds = [numbers, pair, st.lists(pair, min_size=ndim, max_size=ndim).map(tuple)]
    return draw(st.one_of(kinds))


@pytest.mark.parametrize("mode", MODES)
@given(data=st.data(), rng=seeds)
def test_padding_in_every_mode(mode, data, rng):
    shape = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))
    widths = per_axis(data.draw, st.integers(0, 7), len(shape))
    options = {}
    if mode in STATISTICS and data.draw(st.booleans()):
        options["stat_length"] = per_axis(data.draw, st.integers(1, 4), len(shape))
    values = per_axis(data.draw, st.sampled_from([-1.5, 0.0, 2.0]), len(shape))
    if mode in ("constant", "linear_ramp"):
        options["constant_values" if mode == "constant" else "end_values"] = values
    if mode in ("reflect", "symmetric"):
        options["reflect_type"] = data.draw(st.sampled_from(["even", "odd"]))
    size = math.prod(shape)
    x = (rng.permutation(size) - 2.7 + rng.uniform(0, 0.4, size)).reshape(shape)
    f = lambda x: np.pad(x, widths, mode, **options)
    check_value(f, [x])
    y, pullback = tnn.vjp(f, x)
    g = rng.normal(size=y.shape)
    (gradient,) = pullback(g)
    assert_near(gradient, numeric_gradient(lambda x: np.sum(g * f(x)), [x], 0), 1e-8)
    # Every mode is linear between the ties of its values, so there is no second derivative.
    curvature = tnn.hvp(lambda x: np.sum(g * f(x)), (x,), (rng.normal(size=x.shape),))
    np.testing.assert_array_equal(curvature, np.zeros_like(x))


# --- what only moves elements -------------------------------------------------------------------


def shifts(draw, ndim):
    numbers = st.integers(-5, 5)
    if draw(st.booleans()):
        axes = draw(st.lists(st.integers(-ndim, ndim - 1), min_size=1, max_size=3).map(tuple))
        many = st.lists(numbers, min_size=len(axes), max_size=len(axes)).map(tuple)
        return {"shift": draw(numbers | many), "axis": axes}
    return {"shift": draw(numbers), "axis": draw(st.none() | st.integers(-ndim, ndim - 1))}


def repetitions(draw, shape):
    axis = draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    n = math.prod(shape) if axis is None else shape[axis]
    counts = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    return {"repeats": draw(st.integers(0, 3) | counts | counts.map(np.array)), "axis": axis}


def flipped(draw, ndim):
    axes = st.lists(st.integers(0, ndim - 1), unique=True).map(tuple)
    return {"axis": draw(st.none() | st.integers(-ndim, ndim - 1) | axes)}


MOVING = {
    "roll": lambda draw, shape: shifts(draw, len(shape)),
    "repeat": repetitions,
    "tile": lambda draw, shape: {
        "reps": draw(st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=4).map(tuple))
    },
    "flip": lambda draw, shape: flipped(draw, len(shape)),
    "rot90": lambda draw, shape: {"k": draw(st.integers(-5, 5)),
        "axes": tuple(draw(st.permutations(range(len(shape))))[:2])},
    "moveaxis": lambda draw, shape: dict(zip(("source", "destination"), (
        tuple(draw(st.permutations(range(len(shape))))[:2]) for _ in "ab"), strict=True)),
    "resize": lambda draw, shape: {
        "new_shape": draw(st.lists(st.integers(0, 4), max_size=3).map(tuple))},
    "diagonal": lambda draw, shape: {"offset": draw(st.integers(-4, 4)), **dict(zip(
        ("axis1", "axis2"), draw(st.permutations(range(len(shape))))[:2], strict=True))},
    "tril": lambda draw, shape: {"k": draw(st.integers(-4, 4))},
    "triu": lambda draw, shape: {"k": draw(st.integers(-4, 4))},
    "delete": lambda draw, shape: {"axis": -1, "obj": draw(
        st.lists(st.integers(0, shape[-1] - 1)))},
    "array_split": lambda draw, shape: {"axis": -1, "indices_or_sections": draw(
        st.integers(1, 5) | st.lists(st.integers(0, 5)).map(sorted))},
}  # fmt: skip


@pytest.mark.parametrize("name", MOVING)
@given(data=st.data(), rng=seeds)
def test_what_moves_elements_sends_each_cotangent_back_where_it_came_from(name, data, rng):
    shape = data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=3).map(tuple))
    options = MOVING[name](data.draw, shape)

    def f(x):
        y = getattr(np, name)(x, **options)
        return np.concatenate(y, axis=-1) if isinstance(y, list) else y

    x = rng.normal(size=shape)
    y, pullback = tnn.vjp(f, x)
    np.testing.assert_array_equal(y, f(x))
    g = rng.normal(size=y.shape)
    numbers = np.ravel(f(np.arange(1, x.size + 1).reshape(shape)))  # 0 where there is no element
    expected = np.bincount(numbers, weights=np.ravel(g), minlength=x.size + 1)[1:]
    assert_near(pullback(g)[0], expected.reshape(shape), 1e-13)
