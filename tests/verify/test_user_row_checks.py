"""What check= finds, what a definition refuses, and rules that write where they must not."""

import math

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.errors import (
    ArgumentError,
    ConversionError,
    GradientError,
    MissingDerivativeError,
    TinygradNNError,
)
from tinygrad_nn.primitives import stop_gradient

X = np.array([0.3, -0.7, 1.2])


pytestmark = pytest.mark.usefixtures("table_restored")


def leaf(data=X):
    return Tensor(np.array(data, dtype=np.float64), requires_grad=True)


def wave(x):
    return np.sin(x) * x


def right(g, y, x):
    return g * (np.cos(x) * x + np.sin(x))


def defined(rule, function=wave, check=(X,), **options):
    return tnn.primitive(function, derivatives={"x": rule}, check=check, **options)


# --- check= -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "check", [(X,), [X], (0.5,), (X.astype(np.float32),), (X[:, None],), (np.zeros(0),)], ids=str
)
def test_a_right_row_passes_and_the_function_comes_back(check):
    f = defined(right, check=check)
    np.testing.assert_allclose(tnn.grad(lambda x: f(x).sum())(X), np.cos(X) * X + np.sin(X))


def writes_into_g(g, y, x):
    g *= 2
    return right(g, y, x) / 2


def zeroes_g(g, y, x):
    result = right(g, y, x)
    if isinstance(g, np.ndarray):
        g[...] = 0
    return result


def zeroes_y(g, y, x):
    result = right(g, y, x)
    if isinstance(y, np.ndarray):
        y[...] = 0
    return result


def zeroes_x(g, y, x):
    result = right(g, y, x)
    if isinstance(x, np.ndarray):
        x[...] = 0
    return result


def remembers(buffer):
    def rule(g, y, x):
        plain = all(isinstance(a, np.ndarray) for a in (g, x))
        return np.multiply(right(1.0, y, x), g, out=buffer if plain else None)

    return rule


WRONG = {
    "factor 1.01": lambda g, y, x: 1.01 * right(g, y, x),
    "factor 1.000001": lambda g, y, x: 1.000001 * right(g, y, x),
    "sign": lambda g, y, x: -right(g, y, x),
    "another function": lambda g, y, x: g * np.cos(x),
    "wrong for negative inputs": lambda g, y, x: right(g, y, np.abs(x)),
    "second order, constant": lambda g, y, x: g * stop_gradient(np.cos(x) * x + np.sin(x)),
    "second order, a part": lambda g, y, x: g * (stop_gradient(np.cos(x)) * x + np.sin(x)),
    "second order, by g": lambda g, y, x: stop_gradient(g) * (np.cos(x) * x + np.sin(x)),
    "not linear, g dropped": lambda g, y, x: np.cos(x) * x + np.sin(x),
    "not linear, |g|": lambda g, y, x: right(abs(g), y, x),
    "not linear, g²": lambda g, y, x: right(g * g, y, x),
    "not linear, constant added": lambda g, y, x: right(g, y, x) + 1e-6,
    "shape, shorter": lambda g, y, x: right(g, y, x)[:2],
    "shape, summed": lambda g, y, x: np.sum(right(g, y, x)),
    "shape, column": lambda g, y, x: right(g, y, x)[:, None],
    "not finite": lambda g, y, x: right(g, y, x) * np.nan,
    "complex": lambda g, y, x: right(g, y, x) * (1 + 1j),
    "None": lambda g, y, x: None,
    "text": lambda g, y, x: "2x",
    "tuple": lambda g, y, x: (right(g, y, x),),
    "zero": lambda g, y, x: 0.0,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_is_found_by_the_check(name):
    with pytest.raises(TinygradNNError) as caught:
        defined(WRONG[name])
    assert isinstance(caught.value, GradientError)
    with pytest.raises(TinygradNNError):
        defined(WRONG[name], elementwise=True)


@pytest.mark.parametrize("rule", [writes_into_g, zeroes_g, zeroes_y, zeroes_x])
def test_a_rule_that_writes_is_found_by_the_check(rule):
    with pytest.raises((GradientError, ValueError)):
        defined(rule)


@pytest.mark.parametrize("rule", [writes_into_g, zeroes_g, zeroes_y, zeroes_x])
def test_a_rule_that_writes_and_was_not_checked_raises_or_does_no_harm(rule):
    f, x, g = defined(rule, check=None), leaf(), np.array([1.0, 2.0, 3.0])
    y = f(x)
    total = y + x  # the sum hands one and the same cotangent to both
    try:
        total.backward(g)
    except (TinygradNNError, ValueError):
        return
    np.testing.assert_allclose(x.grad.numpy(), right(g, None, X) + g)
    np.testing.assert_allclose(y.numpy(), wave(X))
    np.testing.assert_array_equal(x.numpy(), X)


def test_a_rule_that_returns_the_same_buffer_is_not_confused_by_the_check():
    buffer = np.zeros(3)
    try:
        f = defined(remembers(buffer))
    except GradientError:
        return
    a, b = leaf(), leaf()
    (f(a) + 10 * f(b)).sum().backward()
    np.testing.assert_allclose(b.grad.numpy(), 10 * a.grad.numpy())


def test_what_the_check_says_shows_the_function_the_law_and_the_numbers():
    with pytest.raises(
        GradientError, match=r"wave: the gradient does not(.|\n)*\(3,\)(.|\n)*WRONG"
    ):
        defined(WRONG["factor 1.01"])
    with pytest.raises(GradientError, match="gradient of the gradient"):
        defined(WRONG["second order, constant"])
    with pytest.raises(GradientError, match="linear"):
        defined(WRONG["not linear, |g|"])
    with pytest.raises(GradientError, match="cotangent"):
        defined(writes_into_g)


def test_the_check_passes_over_arguments_that_have_no_derivative():
    f = tnn.primitive(
        lambda a, b: a * np.floor(b), derivatives={"a": lambda g, y, a, b: g * np.floor(b)},
        check=(X, X),
    )  # fmt: skip
    assert tnn.grad(f)(2.0, 3.5) == 3.0
    with pytest.raises(GradientError):
        tnn.primitive(
            lambda a, b: a * b, derivatives={"a": lambda g, y, a, b: 2 * g * b}, check=(X, X)
        )


def test_the_check_takes_static_arguments_as_they_are():
    def scaled(x, factor=2.0, mode="up"):
        return x * factor if mode == "up" else x / factor

    rule = lambda g, y, x, factor, mode: g * factor if mode == "up" else g / factor
    for check in ((X,), (X, 3), (X, 3.0), (X, 3.0, "down")):
        tnn.primitive(scaled, derivatives={"x": rule}, check=check)
        wrong = lambda g, y, x, **static: g * 0.9
        with pytest.raises(GradientError):
            tnn.primitive(scaled, derivatives={"x": wrong}, check=check)


def test_a_row_that_failed_its_check_is_not_in_the_table():
    special = pytest.importorskip("scipy.special")
    with pytest.raises(GradientError):
        tnn.primitive(special.erf, derivatives={"x": lambda g, y, x: g}, check=(X,))
    with pytest.raises(MissingDerivativeError):
        tnn.grad(special.erf)(0.5)
    rule = lambda g, y, x: g * 2 / math.sqrt(math.pi) * np.exp(-x * x)
    tnn.primitive(special.erf, derivatives={"x": rule}, check=(X,))
    with pytest.raises(GradientError):
        tnn.primitive(special.erf, derivatives={"x": lambda g, y, x: g}, check=(X,))
    assert tnn.grad(special.erf)(0.0) == pytest.approx(2 / math.sqrt(math.pi))


@pytest.mark.parametrize("check", [(), (X, 1.0), (np.array([1, 2]),), 0.5, "ab", ({"x": X},)])
def test_arguments_to_check_on_that_make_no_sense_raise(check):
    with pytest.raises((TinygradNNError, TypeError)):
        defined(right, check=check)


# --- definitions ------------------------------------------------------------------------------


def product(a, b, k=1.0):
    return a * b * k


RULE = lambda g, y, a, b: g * b


@pytest.mark.parametrize(
    "define",
    [
        lambda: tnn.primitive(product, derivatives={"c": RULE}),
        lambda: tnn.primitive(product, derivatives={"k": RULE}),
        lambda: tnn.primitive(product, derivatives={0: RULE}),
        lambda: tnn.primitive(product, derivatives={"a": 3}),
        lambda: tnn.primitive(product, derivatives={"a": "g * b"}),
        lambda: tnn.primitive(product, derivatives={"a": ("g·b",)}),
        lambda: tnn.primitive(product, derivatives={"a": ("g·b", 3)}),
        lambda: tnn.primitive(product, derivatives={"a": (RULE, "g·b")}),
        lambda: tnn.primitive(product, derivatives={"a": lambda g, y: g}),
        lambda: tnn.primitive(product, derivatives={"a": lambda g, y, a, b, other: g}),
        lambda: tnn.primitive(product, derivatives=RULE),
        lambda: tnn.primitive(product, derivatives=[RULE, RULE]),
        lambda: tnn.primitive(3, derivatives={"a": RULE}),
        lambda: tnn.primitive("product", derivatives={"a": RULE}),
        lambda: tnn.primitive(lambda *xs: sum(xs), derivatives={"xs": RULE}),
        lambda: tnn.primitive(lambda x, **o: x, derivatives={"x": RULE}),
        lambda: tnn.primitive(lambda: 1.0),
        lambda: tnn.primitive(lambda k=1.0: k),
        lambda: tnn.primitive(np.sin, derivatives={"x": RULE}),
        lambda: tnn.primitive(np.dot, derivatives={"a": RULE}),
        lambda: tnn.primitive(np.argmax, derivatives={"a": RULE}),
        lambda: tnn.primitive(np.copyto, derivatives={"dst": RULE}),
        lambda: tnn.primitive(np.modf, derivatives={"x": RULE}),
    ],
)  # fmt: skip
def test_errors_of_definition_are_the_packages_own_and_come_at_once(define):
    with pytest.raises(TinygradNNError):
        define()


def test_an_unknown_argument_is_named_beside_those_there_are():
    with pytest.raises(ArgumentError, match=r"product: .*a, b; got c"):
        tnn.primitive(product, derivatives={"c": RULE})
    with pytest.raises(ArgumentError, match=r"numpy\.sin.*own name"):
        tnn.primitive(np.sin, derivatives={"x": RULE})


def test_a_call_that_does_not_fit_the_signature_is_a_type_error():
    f = tnn.primitive(product, derivatives={"a": lambda g, y, a, b, k: g * b * k})
    for call in (lambda: f(), lambda: f(1.0), lambda: f(1.0, 2.0, 3.0, 4.0), lambda: f(1, 2, q=3)):
        with pytest.raises(TypeError):
            call()


# --- static arguments -------------------------------------------------------------------------


def test_a_traced_value_as_a_static_argument_is_refused():
    f = tnn.primitive(lambda x, k=1.0: x * k, derivatives={"x": lambda g, y, x, k: g * k})
    for call in (
        lambda: f(leaf(), leaf()), lambda: f(X, leaf()), lambda: f(X, k=[leaf(0.5), 1.0, 1.0]),
        lambda: tnn.grad(lambda k: f(2.0, k))(3.0), lambda: tnn.grad(lambda k: f(k, k=k))(3.0),
    ):  # fmt: skip
        with pytest.raises(ConversionError):
            call()


@pytest.mark.parametrize(
    ("static", "overwrite"),
    [
        ([2.0], lambda k: k.__setitem__(0, 9.0)), (np.array([2.0]), lambda k: k.fill(9.0)),
        ([[2.0]], lambda k: k[0].__setitem__(0, 9.0)), ({0: 2.0}, lambda k: k.update({0: 9.0})),
        ((np.array(2.0),), lambda k: k[0].fill(9.0)), (bytearray([2]), lambda k: k.reverse()),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_static_argument_may_be_overwritten_after_the_forward_pass(static, overwrite):
    first = lambda k: np.ravel(k[0])[0] if not isinstance(k[0], list) else k[0][0]
    f = tnn.primitive(lambda x, k=(1.0,): x * first(k), derivatives={
        "x": lambda g, y, x, k: g * first(k)})  # fmt: skip
    x = leaf()
    y = f(x, static)
    overwrite(static)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 2, 2])
