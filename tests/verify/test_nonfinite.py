"""The first infinity or NaN is found, with the operation, the element and what to do about it."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import activations as act
from tinygrad_nn import losses
from tinygrad_nn.errors import ArgumentError, GradientError
from tinygrad_nn.verify.stability.nonfinite import trace_nonfinite

F16, F32, F64 = np.float16, np.float32, np.float64


def tensor(data, dtype=F64, name="x"):
    return tnn.Tensor(data, dtype=dtype, requires_grad=True, name=name)


def traced(f, *data, dtype=F64):
    with np.errstate(all="ignore"):
        return trace_nonfinite(f(*(tensor(d, dtype) for d in data)))


# --- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "data", "dtype", "row", "index", "numbers", "said"),
    [
        (np.log, [1.0, 0.0], F64, "log", (1,), [0.0], "logarithm of 0"),
        (np.log, [[1.0], [-2.0]], F32, "log", (1, 0), [-2.0], "negative number"),
        (np.log1p, [-1.0], F64, "log1p", (0,), [-1.0], "above −1"),
        (np.sqrt, -1.0, F64, "sqrt", (), [-1.0], "negative number"),
        (np.exp, [0.0, 710.0], F64, "exp", (1,), [710.0], "float64 above 709.78"),
        (np.exp, [89.0], F32, "exp", (0,), [89.0], "float32 above 88.72"),
        (np.exp, [12.0], F16, "exp", (0,), [12.0], "float16 above 11.09"),
        (np.expm1, [800.0], F64, "expm1", (0,), [800.0], "above 709.78"),
        (np.exp2, [1024.0], F64, "exp2", (0,), [1024.0], "from 1024 on"),
        (np.cosh, [800.0], F64, "cosh", (0,), [800.0], "above 710.48"),
        (lambda x: 1 / x, [2.0, 0.0], F64, "divide", (1,), [1.0, 0.0], "division by zero"),
        (lambda x: x / x, [2.0, 0.0], F64, "divide", (1,), [0.0, 0.0], "0 / 0"),
        (lambda x: 1 / x, [1e-310], F64, "divide", (0,), [1.0, 1e-310], "so small a denominator"),
        (np.reciprocal, [0.0], F64, "reciprocal", (0,), [0.0], "keep a away"),
        (lambda x: x**0.3, [-1.0], F64, "power", (0,), [-1.0, 0.3], "to a fraction"),
        (lambda x: x**-2.0, [0.0], F64, "power", (0,), [0.0, -2.0], "negative power"),
        (np.arcsin, [1.5], F64, "arcsin", (0,), [1.5], "np.clip(x, -1, 1)"),
        (np.arctanh, [1.0], F64, "arctanh", (0,), [1.0], "between −1 and 1"),
        (np.arccosh, [0.5], F64, "arccosh", (0,), [0.5], "from 1 upwards"),
        (np.square, [300.0], F16, "square", (0,), [300.0], "overflows float16"),
        (lambda x: x * 1e30, [1e30], F32, "multiply", (0,), [1e30, 1e30], "compute in float64"),
        (lambda x: x * 1e300, [1e300], F64, "multiply", (0,), [1e300, 1e300], "scale the numbers"),
        (lambda x: x.astype(F16), [1e5], F64, "astype", (0,), [1e5], "largest float16 is 65504"),
    ],
)
def test_the_element_that_an_operation_failed_at(f, data, dtype, row, index, numbers, said):
    trace = traced(lambda x: np.sum(f(x)), data, dtype=dtype)
    assert not trace
    assert (trace.kind, trace.primitive, trace.index) == ("value", row, index)
    assert [o.value for o in trace.operands] == pytest.approx(numbers, rel=1e-6)
    assert not np.isfinite(trace.result)
    assert trace.reaches_output
    assert said in trace.suggestion
    assert said in str(trace)


def test_what_mixes_its_elements_shows_their_range():
    trace = traced(lambda x: np.sum(x), [6e4, 6e4, -1.0], dtype=F16)
    (operand,) = trace.operands
    assert (trace.primitive, operand.value, operand.nonfinite) == ("sum", None, 0)
    assert (operand.low, operand.high) == pytest.approx((-1, 6e4), rel=1e-3)
    assert "x (3,) float16: -1 … 60000" in str(trace)
    product = traced(lambda a, b: (a @ b).sum(), [[1e200]], [[1e200]])
    assert (product.primitive, product.index) == ("matmul", (0, 0))


def test_a_broadcast_operand_shows_the_element_that_was_used():
    trace = traced(lambda a, b: (a / b).sum(), [[1.0, 2.0], [3.0, 4.0]], [5.0, 0.0])
    assert (trace.index, [o.value for o in trace.operands]) == ((0, 1), [2.0, 0.0])


@pytest.mark.parametrize(
    ("f", "advice"),
    [
        (lambda x: np.log(act.softmax(x)).sum(), "activations.log_softmax(x), or a cross entropy"),
        (lambda x: np.log(1 - act.sigmoid(x)).sum(), "-activations.softplus(x)"),
        (lambda x: np.log(act.sigmoid(x)).sum(), "-activations.softplus(-x)"),
        (lambda x: np.log(np.sum(np.exp(x))), "np.logaddexp.reduce"),
        (lambda x: np.log(1 + np.exp(x)).sum(), "activations.softplus(x)"),
        (lambda x: (np.exp(x) / np.sum(np.exp(x))).max(), "activations.softmax(x)"),
        (lambda x: (1 / (1 + np.exp(-x))).sum(), "activations.sigmoid(x)"),
        (lambda x: (np.maximum(x, 0) * np.log(np.maximum(x, 0))).sum(), "np.where(x > 0, x, 1)"),
    ],
)
@pytest.mark.parametrize("dtype", [F64, F32])
def test_known_formulas_are_named_with_what_to_write(f, advice, dtype):
    trace = traced(f, [1000.0, 0.0, -1000.0], dtype=dtype)
    assert trace.kind == "value"
    assert advice in trace.suggestion


@pytest.mark.parametrize("f", [act.softmax, act.sigmoid, lambda x: np.log(act.softmax(x))])
def test_what_fails_before_a_known_formula_is_not_laid_to_it(f):
    trace = traced(lambda x: np.sum(f(1 / x)), [0.0, 1.0])
    assert trace.primitive == "divide"
    assert "division by zero" in trace.suggestion


def test_the_first_operation_is_named_and_not_those_it_spoilt():
    trace = traced(lambda x: np.sum(np.log(x * 2) * 3 + np.sqrt(x - 1)), [1.0, 0.0])
    assert (trace.primitive, trace.index) == ("log", (1,))


def test_what_came_in_not_finite():
    leaf = traced(lambda x: np.sum(x * 2), [1.0, np.nan])
    assert (leaf.kind, leaf.primitive, leaf.node.name, leaf.index) == ("value", None, "x", (1,))
    assert "x came in with nan at [1]" in str(leaf)
    constant = traced(lambda x: np.sum(x * np.array([1.0, np.inf])), [1.0, 2.0])
    assert (constant.primitive, constant.operands[1].nonfinite) == ("multiply", 1)
    assert "of a constant that is not finite" in str(constant)


def test_nothing_has_no_mean():
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="empty"):
        loss = np.mean(tensor(np.zeros((0, 3))))
    trace = trace_nonfinite(loss)
    assert (trace.kind, trace.primitive, trace.index) == ("value", "mean", ())
    assert "an empty array" in trace.suggestion
    assert "(0, 3) float64: empty" in str(trace)


# --- gradients --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "data", "row", "numbers", "said"),
    [
        (np.sqrt, [4.0, 0.0], "sqrt", [0.0], "np.sqrt(x + eps)"),
        (np.cbrt, [1.0, 0.0], "cbrt", [0.0], "infinite at 0"),
        (lambda x: x**0.3, [1.0, 0.0], "power", [0.0, 0.3], "for b < 1"),
        (np.arcsin, [0.0, 1.0], "arcsin", [1.0], "-1 + eps"),
        (np.arccos, [0.0, -1.0], "arccos", [-1.0], "-1 + eps"),
        (np.arccosh, [2.0, 1.0], "arccosh", [1.0], "np.maximum(x, 1 + eps)"),
        (lambda x: 1 / x, [1.0, 1e-200], "divide", [1.0, 1e-200], "add eps to the denominator"),
        (np.log, [1.0, 5e-324], "log", [5e-324], "so near its end"),
    ],
)
def test_the_derivative_that_is_not_finite(f, data, row, numbers, said):
    trace = traced(lambda x: np.sum(f(x)), data)
    assert (trace.kind, trace.primitive, trace.index) == ("gradient", row, (1,))
    assert trace.toward.name == "x"
    assert [o.value for o in trace.operands] == numbers
    assert trace.reaches_output
    assert said in trace.suggestion
    assert f"{row} gives" in str(trace)
    assert "the gradient of x at [1]" in str(trace)


def test_the_length_of_the_zero_vector():
    trace = traced(lambda x: np.sqrt(np.sum(x**2)), [0.0, 0.0])
    assert (trace.kind, trace.primitive, trace.toward.primitive.name) == ("gradient", "sqrt", "sum")
    assert "np.linalg.norm(x)" in trace.suggestion


def test_of_several_users_the_one_that_did_it():
    trace = traced(lambda x: np.sum(x * 2 + np.sqrt(x) + np.exp(x)), [1.0, 0.0])
    assert trace.primitive == "sqrt"


def test_a_gradient_that_spoils_no_leaf_does_not_hide_one_that_does():
    def held(x):
        return np.sqrt(np.where(x > 0.5, x, 0)).sum()  # infinite slopes, which where drops

    harmless = traced(held, [0.25, 1.0])
    assert (harmless.kind, harmless.primitive, harmless.index) == ("gradient", "sqrt", (0,))
    assert not harmless.reaches_output
    assert "harmless here" in str(harmless)
    harmful = traced(lambda x: np.arcsin(x[1:]).sum() + held(x), [0.25, 1.0])
    assert (harmful.kind, harmful.primitive) == ("gradient", "arcsin")
    assert harmful.reaches_output


def test_gradients_that_overflow_when_they_are_added():
    x = tensor([1.0], F16)
    y = np.stack([x * 1, x * 2])
    with np.errstate(all="ignore"):
        y.backward(np.array([[3e4], [2e4]], dtype=F16))
    trace = trace_nonfinite(y)
    assert (trace.kind, trace.node.name, trace.toward) == ("gradient", "x", None)
    assert "overflows float16 when it is added" in trace.suggestion
    assert "the gradient of x is inf at [0]" in str(trace)


def test_a_seed_that_is_not_finite():
    x = tensor([1.0, 2.0])
    y = x * 2
    with np.errstate(all="ignore"):
        y.backward(np.array([1.0, np.inf]))
    trace = trace_nonfinite(y)
    assert (trace.kind, trace.index, trace.toward) == ("gradient", (1,), None)
    assert "backward() was given" in trace.suggestion


def test_the_seed_is_the_one_that_backward_started_from():
    x = tensor([4.0, 0.0])
    y = np.sqrt(x)
    y.backward(np.array([1.0, 0.0]))  # the zero was not selected
    assert trace_nonfinite(y)
    y.backward(np.array([1.0, 1.0]))
    assert trace_nonfinite(y).primitive == "sqrt"


def test_an_overflow_forwards_that_comes_back_is_traced_to_its_origin():
    trace = traced(lambda x: np.sum(1 / (1 + np.exp(-x))), [0.0, -800.0])
    assert (trace.kind, trace.primitive, trace.index) == ("value", "exp", (1,))
    assert trace.reaches_output  # the loss is finite, and the gradient of x is not


# --- what does no harm ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "row", "safe"),
    [
        (lambda x: np.where(x > 0, np.log(x), 0), "log", "np.log(np.where(x > 0, x, 1))"),
        (lambda x: np.where(x > 0, np.sqrt(x), 0), "sqrt", "np.sqrt(np.where(x > 0, x, 1))"),
        (lambda x: np.where(x > 0, 1 / x, 0), "divide", "np.where(b != 0, b, 1)"),
        (lambda x: np.where(x > 0, x**-0.3, 0), "power", "np.where(x > 0, x, 1) ** p"),
        (lambda x: np.where(x < 9, np.exp(400 * x), 0), "exp", "np.exp(np.where(x < limit, x, 0))"),
    ],
)
def test_a_branch_that_where_did_not_select(f, row, safe):
    data = [1.0, 9.0] if row == "exp" else [1.0, -1.0 if row == "sqrt" else 0.0]
    trace = traced(lambda x: np.sum(f(x)), data)
    assert not trace
    assert (trace.kind, trace.primitive, trace.reaches_output) == ("value", row, False)
    assert "harmless here" in str(trace)
    assert safe in trace.suggestion


def test_a_mask_of_infinities_does_not_hide_what_does_harm():
    def masked(x):
        attention = act.softmax(np.where(np.array([True, True, False]), x, -np.inf))
        return attention.sum() + np.log(x - 1).sum()

    harmless = traced(lambda x: act.softmax(np.where(x > 1, x, -np.inf)).max(), [1.0, 2.0, 3.0])
    assert (harmless.primitive, harmless.reaches_output) == ("where", False)
    assert traced(masked, [1.0, 2.0, 3.0]).primitive == "log"
    slope = traced(lambda x: masked(x + 1) + np.sqrt(x - 1).sum(), [1.0, 2.0, 3.0])
    assert (slope.kind, slope.primitive) == ("gradient", "sqrt")


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x**2),
        lambda x: np.linalg.norm(0 * x),
        lambda x: np.sum(act.softplus(1000 * x) + act.sigmoid(1000 * x)),
        lambda x: -np.mean(act.log_softmax(1000 * x)),
        lambda x: losses.categorical_cross_entropy([0.0, 1.0], act.softmax(1000 * x)),
        lambda x: losses.binary_cross_entropy([0.0, 1.0], act.sigmoid(1000 * x)),
        lambda x: np.sum(np.where(x > 0, np.log(np.where(x > 0, x, 1)), 0)),
        lambda x: np.sum(np.zeros((0, 2)) * x),
        lambda x: np.nanmax(x) + np.clip(x, -np.inf, np.inf).sum(),
    ],
)
@pytest.mark.parametrize("dtype", [F64, F32])
def test_what_is_finite_is_all_right(f, dtype):
    trace = traced(f, [1.0, -1.0], dtype=dtype)
    assert trace
    assert (trace.kind, trace.node, trace.primitive, trace.source) == (None, None, None, None)
    assert str(trace) == "all values and gradients are finite"


# --- what it takes, and what it says ----------------------------------------------------------


def test_a_trace_names_the_layer_and_quotes_the_line():
    x = tensor([1.0, 0.0])
    with np.errstate(all="ignore"), tnn.scope("encoder"), tnn.scope("hidden"):
        y = np.log(x)  # this line
    trace = trace_nonfinite(y.sum())
    assert (trace.scope, trace.source.file) == ("encoder/hidden", __file__)
    lines = str(trace).splitlines()
    assert lines[0] == "encoder/hidden/log gives -inf at [1], of operands that are finite"
    assert lines[2] == "    y = np.log(x)  # this line"
    assert 4 <= len(lines) <= 8


def test_leaves_containers_and_graphs():
    assert trace_nonfinite(tnn.Tensor([1, 2]))
    assert trace_nonfinite(tnn.Tensor([1.0, np.inf])).index == (1,)
    with np.errstate(all="ignore"):
        good, bad = np.sum(tensor([1.0])), np.log(tensor([0.0])).sum()
    assert trace_nonfinite((good, {"second": bad})).primitive == "log"
    assert trace_nonfinite(tnn.Graph([good, bad])).primitive == "log"
    assert trace_nonfinite([good, good])


def test_what_cannot_be_traced_is_refused():
    dask = pytest.importorskip("dask.array")
    with pytest.raises(ArgumentError, match="arrays of NumPy"):
        trace_nonfinite(tensor(1.0) * dask.ones(3))
    with pytest.raises(ArgumentError, match="got float"):
        trace_nonfinite(1.0)
    with pytest.raises(GradientError, match=r"expected a scalar to start from.*\.sum\(\)"):
        trace_nonfinite(tensor([1.0, 2.0]) * 2)
    with np.errstate(all="ignore"):
        assert trace_nonfinite(np.log(tensor([1.0, 0.0]))).primitive == "log"  # no gradient needed


def test_a_graph_of_a_hundred_thousand_nodes_is_read():
    x = y = tensor([0.1])
    for _ in range(50_000):
        y = y * 0.5 + x
    assert trace_nonfinite(y)
    with np.errstate(all="ignore"):
        assert trace_nonfinite(np.sqrt(y - y)).primitive == "sqrt"
