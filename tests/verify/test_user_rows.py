"""Rows of the user's own: what they compute, how they are called, and what is refused."""

import functools
import math

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.errors import (
    ArgumentError,
    AssignmentError,
    MissingDerivativeError,
    TinygradNNError,
)

X = np.array([0.3, -0.7, 1.2])
SQUARE = {"x": lambda g, y, x: g * 2 * x}


pytestmark = pytest.mark.usefixtures("table_restored")


def leaf(data=X):
    return Tensor(np.array(data, dtype=np.float64), requires_grad=True)


# --- decorating and calling -------------------------------------------------------------------


def test_a_decorated_function_computes_records_and_differentiates_to_any_order():
    @tnn.primitive(derivatives={"x": ("g·4x³", lambda g, y, x: g * 4 * x**3)}, formula="x⁴")
    def fourth(x):
        """To the fourth."""
        return (x * x) ** 2

    assert (fourth.__name__, fourth.__doc__) == ("fourth", "To the fourth.")
    assert type(fourth(X)) is np.ndarray
    assert type(fourth(2.0)) is np.ndarray
    np.testing.assert_allclose(fourth([1.0, 2.0]), [1, 16])
    x = leaf()
    y = fourth(x)
    assert y._node.primitive.formula == "x⁴"
    assert y._node.primitive.derivatives[0].formula == "g·4x³"
    assert not fourth(Tensor(X)).requires_grad
    with tnn.no_grad():
        assert not fourth(x).requires_grad
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 4 * X**3)
    derivative = fourth
    for order, expected in enumerate([4 * 2**3, 12 * 2**2, 24 * 2, 24, 0], 1):
        derivative = tnn.grad(derivative)
        assert derivative(2.0) == expected, order
    np.testing.assert_allclose(tnn.hessian(lambda x: fourth(x).sum())(X), np.diag(12 * X**2))
    np.testing.assert_allclose(tnn.jvp(fourth, X, X)[1], 4 * X**4)
    assert tnn.gradcheck(tnn.checkpoint(fourth), X)


def power(x, n=2, *, scale=1.0):
    return scale * x**n


CALLS = {
    "defaults": (lambda f, x: f(x), 2, 1.0),
    "position": (lambda f, x: f(x, 3), 3, 1.0),
    "keyword": (lambda f, x: f(x, scale=2.0), 2, 2.0),
    "both": (lambda f, x: f(x, 3, scale=2.0), 3, 2.0),
    "any order": (lambda f, x: f(scale=2.0, n=3, x=x), 3, 2.0),
}
RULES = {
    "by name": lambda g, y, x, n, scale: g * scale * n * x ** (n - 1),
    "keyword-only": lambda g, y, x, *, scale, n: g * scale * n * x ** (n - 1),
    "with defaults": lambda g, y, x, scale=9.0, n=9: g * scale * n * x ** (n - 1),
    "all options": lambda g, y, x, **o: g * o["scale"] * o["n"] * x ** (o["n"] - 1),
    "only what it needs": lambda g, y, x, n, **rest: g * n * y / x,
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("rule", RULES)
def test_static_arguments_have_defaults_and_reach_the_rule(call, rule):
    invoke, n, scale = CALLS[call]
    f = tnn.primitive(power, derivatives={"x": RULES[rule]})
    np.testing.assert_allclose(invoke(f, X), scale * X**n)
    x = leaf()
    y = invoke(f, x)
    np.testing.assert_allclose(y.numpy(), scale * X**n)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), scale * n * X ** (n - 1))
    found = tnn.grad(tnn.grad(lambda x: invoke(f, x)))(2.0)
    assert found == pytest.approx(scale * n * (n - 1) * 2.0 ** (n - 2))


def test_arguments_without_a_derivative_are_constants_or_say_that_they_have_none():
    def product(a, b):
        return a * b

    f = tnn.primitive(product, derivatives={"b": lambda g, y, a, b: g * a})
    assert tnn.grad(f, 1)(2.0, 3.0) == 2.0
    assert tnn.grad(lambda b: f(b=b, a=np.array([2, 5])).sum())(3.0) == 7.0
    assert f(Tensor(2.0), 3.0).item() == 6.0
    with pytest.raises(MissingDerivativeError, match=r"product.*detach"):
        tnn.grad(f)(2.0, 3.0)
    plain = tnn.primitive(product)
    assert plain(2.0, 3.0) == 6.0
    with pytest.raises(MissingDerivativeError, match="product"):
        tnn.grad(plain, 1)(2.0, 3.0)


def test_broadcasting_dtypes_and_scalars_are_as_for_every_row(rng):
    f = tnn.primitive(lambda a, b: a * b, derivatives={
        "a": lambda g, y, a, b: g * b, "b": lambda g, y, a, b: g * a})  # fmt: skip
    a, b = rng.normal(size=(2, 1, 3)), rng.normal(size=(4, 1))
    assert tnn.gradcheck(f, a, b)
    low = Tensor(np.ones(3, np.float32), requires_grad=True)
    y = f(low, np.float32(2))
    assert y.dtype == np.float32
    y.sum().backward()
    assert low.grad.dtype == np.float32
    assert f(low, Tensor(2.0)).dtype == np.float64


class Model:
    slope = 3.0

    def __call__(self, x):
        return self.slope * x

    def bound(self, x):
        return self.slope * x

    @staticmethod
    def static(x):
        return 3.0 * x

    @classmethod
    def of_class(cls, x):
        return cls.slope * x

    @tnn.primitive(derivatives={"x": lambda g, y, self, x: g * self.slope})
    def decorated(self, x):
        return self.slope * x


def make(slope):
    def local(x):
        return slope * x

    return local


@pytest.mark.parametrize(
    "function",
    [Model().bound, Model.static, Model.of_class, Model(), make(3.0), lambda x: 3.0 * x,
     functools.partial(lambda k, x: k * x, 3.0), functools.partial(power, n=1, scale=3.0),
     lambda x, /: 3.0 * x],
)  # fmt: skip
def test_functions_of_every_kind_may_have_a_row(function):
    f = tnn.primitive(function, derivatives={"x": lambda g, y, x, **static: g * 3.0})
    assert f(2.0) == 6.0
    assert tnn.grad(f)(2.0) == 3.0


def test_a_method_may_be_decorated_where_it_is_defined():
    np.testing.assert_array_equal(Model().decorated(X), 3 * X)
    assert tnn.grad(Model().decorated)(2.0) == 3.0


def test_functions_of_one_name_keep_their_own_derivatives():
    rows = [
        tnn.primitive(make(k), derivatives={"x": lambda g, y, x, k=k: g * k}) for k in (2.0, 3.0)
    ]
    assert [tnn.grad(f)(1.0) for f in rows] == [2.0, 3.0]
    assert [tnn.grad(lambda x, f=f: f(x))(1.0) for f in reversed(rows)] == [3.0, 2.0]


def test_singular_and_elementwise_keep_unselected_branches_silent():
    root = tnn.primitive(
        lambda x: np.sqrt(x), derivatives={"x": lambda g, y, x: g / (2 * y)},
        elementwise=True, singular=lambda x: x <= 0,
    )  # fmt: skip
    x = np.array([0.0, 4.0])
    np.testing.assert_array_equal(tnn.grad(lambda x: (0 * root(x)).sum())(x), [0, 0])
    chosen = lambda x: np.where(x > 0, root(x), 0.0).sum()
    np.testing.assert_array_equal(tnn.grad(chosen)(x), [0, 0.25])


# --- functions of other libraries, and of NumPy -----------------------------------------------


def test_a_ufunc_of_another_library_is_found_wherever_it_is_called():
    special = pytest.importorskip("scipy.special")
    rule = lambda g, y, x: g * 2 / math.sqrt(math.pi) * np.exp(-x * x)
    assert tnn.primitive(special.erf, derivatives={"x": rule}, check=(X,)) is special.erf
    np.testing.assert_array_equal(special.erf(Tensor(X)).numpy(), special.erf(X))
    assert tnn.grad(special.erf)(0.5) == pytest.approx(2 / math.sqrt(math.pi) * math.exp(-0.25))
    assert tnn.gradcheck(lambda x: special.erf(np.sin(x)) * x, X)
    assert tnn.hessian(special.erf)(0.5) == pytest.approx(-2 / math.sqrt(math.pi) * math.exp(-0.25))
    tnn.verify.check_laws(special.erf, X)
    tnn.primitive(special.erf, derivatives={"x": rule})  # as when a cell of a notebook runs again


def test_a_ufunc_of_two_arguments_names_them_by_number():
    special = pytest.importorskip("scipy.special")
    rule = lambda g, y, a, x: g * special.binom(a, 0) * np.exp(-x)  # P(1, x) = 1 - exp(-x)
    tnn.primitive(special.gammainc, derivatives={"x2": rule})
    assert tnn.grad(lambda x: special.gammainc(1.0, x))(0.5) == pytest.approx(math.exp(-0.5))
    with pytest.raises(MissingDerivativeError, match="gammainc"):
        tnn.grad(special.gammainc, 0)(1.0, 0.5)
    with pytest.raises(ArgumentError, match="x1, x2"):
        tnn.primitive(special.gammaincc, derivatives={"x": rule})
    with pytest.raises(ArgumentError, match="sici"):  # it has two outputs
        tnn.primitive(special.sici, derivatives={"x": lambda g, y, x: g})


def test_a_function_of_numpy_without_a_row_is_found_wherever_it_is_called():
    special = pytest.importorskip("scipy.special")
    with pytest.raises(MissingDerivativeError, match=r"i0.*tinygrad_nn\.primitive"):
        np.i0(leaf())
    i1 = tnn.primitive(special.i1, derivatives={"x": lambda g, y, x: g * (np.i0(x) - y / x)})
    found = tnn.primitive(np.i0, derivatives={"x": ("g·I₁", lambda g, y, x: g * i1(x))}, check=(X,))
    assert found is np.i0
    np.testing.assert_array_equal(np.i0(X), np.i0(Tensor(X)).numpy())
    assert tnn.grad(lambda x: np.i0(x).sum())(0.5) == pytest.approx(special.i1(0.5))
    second = special.i0(0.5) - special.i1(0.5) / 0.5
    assert tnn.hessian(lambda x: np.i0(x).sum())(0.5) == pytest.approx(second)


# --- what the function itself may not do ------------------------------------------------------


def test_a_function_cannot_write_into_its_input():
    def greedy(x):
        x *= 2
        return x

    f = tnn.primitive(greedy, derivatives={"x": lambda g, y, x: g * 2})
    x, data = leaf(), X.copy()
    with pytest.raises(AssignmentError, match="greedy"):
        f(x)
    for given in (data, Tensor(data)):
        with pytest.raises((AssignmentError, ValueError)):
            f(given)
    np.testing.assert_array_equal(x.numpy(), X)
    np.testing.assert_array_equal(data, X)


def test_a_buffer_that_a_function_returns_again_and_again_is_not_recorded():
    buffer = np.zeros(3)
    f = tnn.primitive(lambda x: np.multiply(x, 2, out=buffer), derivatives={
        "x": lambda g, y, x: 2 * g * y / y})  # fmt: skip
    x = leaf()
    first, second = f(x), f(x * 5)
    buffer[:] = np.nan
    np.testing.assert_array_equal(first.numpy(), 2 * X)
    np.testing.assert_array_equal(second.numpy(), 10 * X)
    (first * second).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 40 * X)
    same = tnn.primitive(lambda x: x, derivatives={"x": lambda g, y, x: g})
    assert not np.shares_memory(same(X), X)


def test_a_rule_that_returns_one_buffer_again_and_again_does_no_harm():
    buffer = np.zeros(3)
    f = tnn.primitive(lambda x: x * 2, derivatives={
        "x": lambda g, y, x: np.multiply(g, 2, out=buffer)})  # fmt: skip
    a, b = leaf(), leaf()
    (f(a) * 1 + f(b) * 10).sum().backward()
    np.testing.assert_array_equal(a.grad.numpy(), [2, 2, 2])
    np.testing.assert_array_equal(b.grad.numpy(), [20, 20, 20])
    buffer[:] = np.nan
    np.testing.assert_array_equal(b.grad.numpy(), [20, 20, 20])


@pytest.mark.parametrize(
    "returned",
    [1j, "text", None, {"a": 1}, (X, X[:1]), (X, X), [X, None], np.array([X, None], dtype=object),
     X.astype(complex), np.array(["2020"], "M8[D]"), np.ma.masked_array(X, X > 0), object()],
    ids=lambda r: f"{type(r).__name__} {getattr(r, 'dtype', '')}",
)  # fmt: skip
def test_what_is_not_one_array_of_real_numbers_is_refused(returned):
    f = tnn.primitive(lambda x: returned, derivatives=SQUARE)
    for given in (leaf(), X):
        with pytest.raises(TinygradNNError):
            f(given)
