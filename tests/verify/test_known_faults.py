"""Derivatives with one classic mistake each, beside their right twins."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.primitives import Derivative, Primitive, Trait
from tinygrad_nn.verify import Verdict

X = np.array([0.3, -1.2, 0.7, 2.1])
P = np.array([0.2, 0.9, 1.7, 3.5])  # positive
S = np.array([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6], [0.9, -0.2, 1.5]])  # square, not symmetric


def row(function, *rules):
    """A row of one's own, with one derivative for each input."""
    cells = [Derivative("f′", rule) for rule in rules]
    return Primitive(function, "f", Trait.NONE, *cells, name="test.row")


def of(function, slope, x):
    """An elementwise function whose slope is f′(y, x)."""
    return row(function, lambda g, y, a: g * slope(y, a)), x


def at(index, size):
    """True at one index alone."""
    return np.arange(size) == index


def fixed(a):
    """A value that derivatives stop at."""
    return a.detach() if isinstance(a, tnn.Tensor) else a


def scattered(places, g, size, bad):
    """Accumulated, or overwritten as if no place occurred twice."""
    into = np.zeros(size)
    if bad:
        into[places] = g
    else:
        np.add.at(into, places, g)
    return into


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


# Each gives a function and its inputs, wrong or right.
ELEMENTWISE = {
    "square without its 2": lambda bad: of(lambda a: a * a, lambda y, a: a if bad else 2 * a, X),
    "tanh of x for y": lambda bad: of(np.tanh, lambda y, a: 1 - (a if bad else y) ** 2, X),
    "sqrt without 1/2": lambda bad: of(np.sqrt, lambda y, a: (1.0 if bad else 0.5) / y, P),
    "eps outside the root": lambda bad: of(
        lambda a: 1 / np.sqrt(a * a + 0.1),
        lambda y, a: -a / (np.abs(a) + 0.1) ** 3 if bad else -a * y**3,
        X,
    ),
    "base of the logarithm": lambda bad: of(
        np.log10, lambda y, a: 1 / a if bad else 1 / (a * np.log(10)), P
    ),
    "log1p as log": lambda bad: of(np.log1p, lambda y, a: 1 / a if bad else 1 / (1 + a), P),
    "whole-number division": lambda bad: of(
        lambda a: a**1.5, lambda y, a: 3 // 2 * a**0.5 if bad else 1.5 * a**0.5, P
    ),
    "exponent not lowered": lambda bad: of(
        lambda a: a**3, lambda y, a: 3 * a ** (3 if bad else 2), X
    ),
    "exp as a power": lambda bad: of(np.exp, lambda y, a: a * np.exp(a - 1) if bad else y, X),
    "sign of the reciprocal": lambda bad: of(
        lambda a: 1 / a, lambda y, a: (1 if bad else -1) / a**2, X
    ),
    "sigmoid of x for y": lambda bad: of(sigmoid, lambda y, a: y * (1 - (a if bad else y)), X),
    "softplus reflected": lambda bad: of(
        lambda a: np.log1p(np.exp(a)), lambda y, a: sigmoid(-a if bad else a), X
    ),
    "product rule, one term": lambda bad: of(
        lambda a: a * np.sin(a), lambda y, a: (0 if bad else np.sin(a)) + a * np.cos(a), X
    ),
    "quotient without the square": lambda bad: of(
        lambda a: np.sin(a) / a,
        lambda y, a: (a * np.cos(a) - np.sin(a)) / (a if bad else a * a),
        X,
    ),
    "chain rule without the inside": lambda bad: of(
        lambda a: np.sin(3 * a), lambda y, a: (1 if bad else 3) * np.cos(3 * a), X
    ),
    "degrees for radians": lambda bad: of(
        lambda a: np.sin(np.deg2rad(a)),
        lambda y, a: np.cos(np.deg2rad(a)) * (1 if bad else np.pi / 180),
        30 * X,
    ),
    "arctan without the square": lambda bad: of(
        np.arctan, lambda y, a: 1 / (1 + (np.abs(a) if bad else a * a)), X
    ),
    "wrong for negative inputs": lambda bad: of(
        lambda a: np.abs(a) ** 3, lambda y, a: 3 * a * (a if bad else np.abs(a)), X
    ),
    "elu without alpha": lambda bad: of(
        lambda a: np.where(a > 0, a, 0.5 * np.expm1(np.minimum(a, 0))),
        lambda y, a: np.where(a > 0, 1, (1 if bad else 0.5) * np.exp(np.minimum(a, 0))),
        X,
    ),
    "wrong beyond a threshold": lambda bad: of(
        np.sinh, lambda y, a: np.cosh(np.minimum(a, 2.0) if bad else a), X
    ),
    "leaky slope for zero": lambda bad: of(
        lambda a: np.where(a > 0, a, 0.01 * a),
        lambda y, a: np.where(a > 0, 1, 0 if bad else 0.01),
        X,
    ),
    "a mask of another batch": lambda bad: of(
        lambda a: np.maximum(a, 0),
        lambda y, a: np.array([1.0, 1.0, 0.0, 1.0]) if bad else (a > 0) * 1.0,
        X,
    ),
    "a weight after its update": lambda bad: of(
        lambda a: np.sin(0.8 * a),
        lambda y, a: (0.79 if bad else 0.8) * np.cos(0.8 * a),
        X,
    ),
    "dropout not rescaled": lambda bad: of(
        lambda a: a * np.array([2.0, 0.0, 2.0, 2.0]),
        lambda y, a: np.array([1.0, 0.0, 1.0, 1.0]) * (1 if bad else 2),
        X,
    ),
    "one part in 100,000 too much": lambda bad: of(
        np.sin, lambda y, a: np.cos(a) * (1 + 1e-5 * bad), X
    ),
    "a millionth is added": lambda bad: of(
        np.sin, lambda y, a: np.cos(a) + 1e-6 * bad * np.max(np.abs(np.cos(a))), X
    ),
    "wrong at one index": lambda bad: of(np.sin, lambda y, a: np.cos(a) + 0.01 * bad * at(2, 4), X),
    "infinite": lambda bad: of(np.sin, lambda y, a: np.cos(a) + (np.inf if bad else 0), X),
    "not a number": lambda bad: of(np.sin, lambda y, a: np.cos(a) + (np.nan if bad else 0), X),
    "infinite at one index": lambda bad: of(
        np.sin, lambda y, a: np.where(bad * at(2, 4), -np.inf, np.cos(a)), X
    ),
}

ARRAYS = {
    "cotangent forgotten": lambda bad: (
        row(np.sin, lambda g, y, a: np.cos(a) if bad else g * np.cos(a)),
        X,
    ),
    "mean without 1/n": lambda bad: (
        row(np.mean, lambda g, y, a: g * np.ones_like(a) / (1 if bad else a.size)),
        X,
    ),
    "mean over an axis by the size of all": lambda bad: (
        row(
            lambda a: np.mean(a, axis=0),
            lambda g, y, a: np.ones_like(a) * g / (a.size if bad else len(a)),
        ),
        S,
    ),
    "sum spread over the wrong axis": lambda bad: (
        row(
            lambda a: np.sum(a**2, axis=1), lambda g, y, a: 2 * a * (g if bad else g[:, np.newaxis])
        ),
        S,
    ),
    "variance without 1/(n − 1)": lambda bad: (
        row(
            lambda a: np.var(a, ddof=1),
            lambda g, y, a: g * 2 * (a - np.mean(a)) / (a.size - (not bad)),
        ),
        X,
    ),
    "norm not divided": lambda bad: (
        row(np.linalg.norm, lambda g, y, a: g * a / (1 if bad else y)),
        X,
    ),
    "product, the others missing": lambda bad: (
        row(np.prod, lambda g, y, a: g * (y if bad else y / a)),
        X,
    ),
    "cumulative sum not reversed": lambda bad: (
        row(np.cumsum, lambda g, y, a: np.cumsum(g) if bad else np.cumsum(g[::-1])[::-1]),
        X,
    ),
    "slice off by one": lambda bad: (
        row(lambda a: a[1:3], lambda g, y, a: np.pad(g, (0, 2) if bad else (1, 1))),
        X,
    ),
    "padding off by one": lambda bad: (
        row(lambda a: np.pad(a, 2), lambda g, y, a: g[1:5] if bad else g[2:6]),
        X,
    ),
    "difference with a wrong end": lambda bad: (
        row(
            np.diff,
            lambda g, y, a: (
                np.r_[-g[0], -np.diff(g), g[-1]] if not bad else np.r_[g[0], -np.diff(g), g[-1]]
            ),
        ),
        X,
    ),
    "rolled the same way": lambda bad: (
        row(lambda a: np.roll(a, 1), lambda g, y, a: np.roll(g, 1 if bad else -1)),
        X,
    ),
    "transpose left out": lambda bad: (
        row(np.transpose, lambda g, y, a: g if bad else g.T),
        S,
    ),
    "reshaped in another order": lambda bad: (
        row(np.ravel, lambda g, y, a: g.reshape(a.shape, order="F" if bad else "C")),
        S,
    ),
    "overwritten where an index repeats": lambda bad: (
        row(lambda a: a[[0, 2, 0]], lambda g, y, a: scattered([0, 2, 0], g, 4, bad)),
        X,
    ),
    "maximum's gradient to the last": lambda bad: (
        row(np.max, lambda g, y, a: g * (at(2, 4) if bad else a == y)),
        X,
    ),
    "sorted, not taken back": lambda bad: (
        row(
            np.sort,
            lambda g, y, a: g if bad else g[np.argsort(np.argsort(a))],
        ),
        X,
    ),
    "matrix product without a transpose": lambda bad: (
        row(
            np.matmul,
            lambda g, y, a, b: g @ (b if bad else b.T),
            lambda g, y, a, b: a.T @ g,
        ),
        *(S, S[:, ::-1] + 0.1),
    ),
    "matrix product in the wrong order": lambda bad: (
        row(
            np.matmul,
            lambda g, y, a, b: g @ b.T,
            lambda g, y, a, b: g.T @ a if bad else a.T @ g,
        ),
        *(S, S[:, ::-1] + 0.1),
    ),
    "trace everywhere": lambda bad: (
        row(np.trace, lambda g, y, a: g * (np.ones((3, 3)) if bad else np.eye(3))),
        S,
    ),
    "determinant without the transpose": lambda bad: (
        row(
            np.linalg.det,
            lambda g, y, a: g * y * (np.linalg.inv(a) if bad else np.linalg.inv(a).T),
        ),
        S,
    ),
    "inverse with one factor": lambda bad: (
        row(np.linalg.inv, lambda g, y, a: -(y.T @ g) @ (np.eye(3) if bad else y.T)),
        S,
    ),
    "outer product by the other": lambda bad: (
        row(
            np.outer,
            lambda g, y, a, b: g @ (a if bad else b),
            lambda g, y, a, b: g.T @ a,
        ),
        *(X, P),
    ),
    "broadcast bias averaged over the batch": lambda bad: (
        row(
            lambda a, b: a + b,
            lambda g, y, a, b: g,
            lambda g, y, a, b: np.mean(g, axis=0) if bad else np.sum(g, axis=0),
        ),
        *(S, X[:3]),
    ),
    "bias summed over the wrong axis": lambda bad: (
        row(
            lambda a, b: a + b,
            lambda g, y, a, b: g,
            lambda g, y, a, b: np.sum(g, axis=1 if bad else 0),
        ),
        *(S, X[:3]),
    ),
    "arguments swapped": lambda bad: (
        row(
            np.arctan2,
            lambda g, y, a, b: g * (a if bad else b) / (a * a + b * b),
            lambda g, y, a, b: -g * a / (a * a + b * b),
        ),
        *(X, P),
    ),
    "chain stopped by detach": lambda bad: (
        lambda x: x * np.sin(x.detach() if bad else x),
        X,
    ),
    "one path through plain numbers": lambda bad: (
        lambda x: np.tanh(x) + (x.numpy() if bad else x) ** 2,
        X,
    ),
}

CASES = ELEMENTWISE | ARRAYS

WRONG_AT = {
    "wrong at one index": (2,),
    "infinite at one index": (2,),
    "wrong beyond a threshold": (3,),
    "wrong for negative inputs": (1,),
    "elu without alpha": (1,),
    "leaky slope for zero": (1,),
    "overwritten where an index repeats": (0,),
}

SECOND = {
    "cosine held fixed": lambda bad: of(np.sin, lambda y, a: np.cos(fixed(a) if bad else a), X),
    "output held fixed": lambda bad: of(np.tanh, lambda y, a: 1 - (fixed(y) if bad else y) ** 2, X),
    "square held fixed": lambda bad: of(
        lambda a: a**3, lambda y, a: 3 * a * (fixed(a) if bad else a), X
    ),
    "one element held fixed": lambda bad: of(
        lambda a: a**3, lambda y, a: 3 * np.where(bad * at(2, 4), fixed(a), a) ** 2, X
    ),
    "by the other input": lambda bad: (
        row(
            lambda a, b: a * b * b,
            lambda g, y, a, b: g * (fixed(b) if bad else b) ** 2,
            lambda g, y, a, b: g * 2 * a * b,
        ),
        *(X, P),
    ),
    "cotangent squared away": lambda bad: of(
        np.exp, lambda y, a: np.exp(fixed(a)) if bad else np.exp(a), X
    ),
}


def worst(report):
    """The element that is wrong by most."""
    return next(finding.worst for finding in report.findings if not finding.right)


@pytest.mark.parametrize("name", CASES)
def test_a_classic_mistake_is_called_wrong_where_it_is(name):
    for seed in range(3):
        report = tnn.gradcheck(*CASES[name](True), rng=seed)
        assert not report
        assert report.verdict is Verdict.WRONG
        if name in WRONG_AT:
            assert worst(report).index == WRONG_AT[name]


@pytest.mark.parametrize("name", CASES)
def test_its_right_twin_passes(name):
    for seed in range(3):
        report = tnn.gradcheck(*CASES[name](False), rng=seed)
        assert report, report
        assert report.largest_error < 1e-6


@pytest.mark.parametrize("name", SECOND)
def test_a_mistake_in_the_second_order_alone_is_found_there(name):
    assert tnn.gradcheck(*SECOND[name](True))
    report = tnn.gradcheck(*SECOND[name](True), order=2)
    assert not report
    assert {f.order for f in report.findings if f.verdict is Verdict.WRONG} == {2}
    assert tnn.gradcheck(*SECOND[name](False), order=2)
