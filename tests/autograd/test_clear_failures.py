"""What would lose a gradient without a word, and what people write by mistake: both say so."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.errors import (
    ArgumentError,
    ConversionError,
    DtypeError,
    GradientError,
    MissingDerivativeError,
)
from tinygrad_nn.primitives import TABLE, Derivative, Trait, define, withdraw
from tinygrad_nn.verify import library_checks

X = np.array([1.0, 2.0, 3.0])


def filled(x):
    out = np.zeros(3)
    for i in range(3):
        out[i] = np.sin(x[i])
    return out.sum()


def added(x):
    out = np.zeros(3)
    out += x
    return out.sum()


@pytest.mark.parametrize(
    ("f", "kind", "says"),
    [
        (lambda x: Tensor(x).sum(), ConversionError, "as it is"),
        (lambda x: Tensor([x[0], 2.0]).sum(), ConversionError, "array"),
        (lambda x: copy.copy(x * x).sum(), ConversionError, "copy"),
        (lambda x: copy.deepcopy(x).sum(), ConversionError, "copy"),
        (lambda x: copy.deepcopy({"w": x})["w"].sum(), ConversionError, "copy"),
        (lambda x: pickle.loads(pickle.dumps(x * 2)).sum(), ConversionError, "copy"),
        (filled, ConversionError, "array"),
        (added, MissingDerivativeError, r"a = a \+ t"),
        (lambda x: np.fft.fft(x).real.sum(), MissingDerivativeError, "complex"),
        (lambda x: x.astype(complex).real.sum(), DtypeError, "real"),
    ],
)
def test_what_would_lose_the_gradient_raises_inside_a_transform(f, kind, says):
    for transform in (tnn.grad(f), tnn.jacobian(f), lambda x: tnn.vjp(f, x)):
        with pytest.raises(kind, match=says):
            transform(X)


def test_a_parameter_is_copied_freely_where_nothing_is_transformed():
    w = Tensor(X, requires_grad=True, name="w")
    for again in (copy.copy(w), copy.deepcopy(w), pickle.loads(pickle.dumps(w))):
        assert (again.name, again.requires_grad) == ("w", True)
        (again * 2).sum().backward()
    assert w.grad is None


@pytest.mark.parametrize("transform", [tnn.grad, tnn.jacobian, tnn.hessian, tnn.elementwise_grad])
def test_arguments_in_place_of_argnums_are_refused_at_once(transform):
    with pytest.raises(ArgumentError, match=r"grad\(f\)\(x\)"):
        transform(np.sum, X)
    with pytest.raises(ArgumentError, match="by position"):
        transform(lambda x: x.sum())(x=X)


def test_a_checkpoint_says_nothing_of_what_was_selected():
    # The slope of ln(1 + eˣ) at 1000 is 1, and the chain rule by hand finds 0·∞: no number.
    f = lambda x: np.log(1 + tnn.checkpoint(np.exp)(x))
    with np.errstate(over="ignore"):
        assert np.isnan(tnn.grad(f)(1000.0))
    chosen = tnn.checkpoint(lambda x: np.where(x > 0, np.log(np.where(x > 0, x, 1)), 0.0))
    np.testing.assert_array_equal(
        tnn.grad(lambda x: chosen(x).sum())(np.array([0.0, 2.0])), [0, 0.5]
    )


def test_an_array_returned_twice_is_selected_by_either_cotangent():
    f = lambda x: (lambda y: (y, y))(x @ np.array([np.inf, 1.0]))
    _, pullback = tnn.vjp(f, np.array([1.0, 2.0]))
    for cotangents in ((0.0, 1.0), (1.0, 0.0)):
        np.testing.assert_array_equal(pullback(cotangents)[0], [np.inf, 1])


def test_a_rule_takes_every_static_argument_and_a_singular_row_is_elementwise():
    scaled = lambda x, scale=1.0: x * scale
    with pytest.raises(ArgumentError, match="scale"):
        tnn.primitive(scaled, derivatives={"x": lambda g, y, x: g})
    with pytest.raises(ArgumentError, match="elementwise"):
        tnn.primitive(scaled, singular=lambda x: x <= 0)
    for check in (X, 2.0):
        with pytest.raises(ArgumentError, match=r"check=\(x,\)"):
            tnn.primitive(lambda x: x, derivatives={"x": lambda g, y, x: g}, check=check)


def test_a_rule_made_of_what_has_no_derivative_is_told_apart_from_a_wrong_one():
    with pytest.raises(MissingDerivativeError, match="checked too"):
        tnn.primitive(
            lambda x: np.exp(x), derivatives={"x": lambda g, y, x: g * (y + 0 * np.spacing(x))},
            check=(X,),
        )  # fmt: skip
    with pytest.raises(GradientError, match="random cotangent"):
        tnn.primitive(lambda x: x * x, derivatives={"x": lambda g, y, x: g * x}, check=(X,))


def test_the_library_check_passes_over_arguments_that_a_row_declares_without_a_derivative():
    by_first = Derivative("g", lambda g, y, a, b: g)
    define(np.nextafter, "the number after a", Trait.ELEMENTWISE, by_first, None)
    try:
        reports = [check.run() for check in library_checks() if check.name == "numpy.nextafter"]
    finally:
        withdraw("numpy.nextafter", None)
    assert reports
    assert all(reports)
    assert "numpy.nextafter" not in TABLE


@pytest.mark.parametrize("dtype", [complex, object, "U4", "M8[s]", [("a", float)]])
def test_a_dtype_that_is_no_real_number_is_refused(dtype):
    with pytest.raises(DtypeError, match="dtype"):
        Tensor([1.0, 2.0], dtype=dtype)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_gradient_of_many_leaves_in_a_container_costs_one_walk():
    parameters = {str(i): float(i % 7) for i in range(400)}
    penalty = lambda p: sum(
        g * g for g in tnn.grad(lambda q: sum(q[k] ** 2 for k in q))(p).values()
    )
    found = tnn.grad(penalty)(parameters)
    assert found == {k: 8 * v for k, v in parameters.items()}
