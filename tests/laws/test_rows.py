"""Laws that every row of the table keeps, for each of its sample calls.

The oracles know no derivative: five-point differences, the complex step, and linearity.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sampling import (
    CASES,
    SMOOTH_CASES,
    assert_near,
    assert_second_derivatives,
    draw_in,
    function_of,
    numeric_gradient,
    run,
    sample,
    summed_to,
)

import tinygrad_nn as tnn
from tinygrad_nn import Graph, Tensor
from tinygrad_nn.autograd.backward import plan, walk
from tinygrad_nn.errors import DtypeError, TinygradNNError
from tinygrad_nn.primitives import TABLE, Trait

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_smooth_case = pytest.mark.parametrize("case", SMOOTH_CASES, ids=str)
BINARY = [
    row
    for row in TABLE.values()
    if Trait.ELEMENTWISE in row.traits and row.arrays == 2 and all(row.derivatives)
]
UNARY = [
    row
    for row in TABLE.values()
    if Trait.ELEMENTWISE in row.traits and row.arrays == 1 and row.derivatives[0]
    and row.name != "astype"
]  # fmt: skip
REDUCTIONS = [np.sum, np.prod, np.mean, np.var, np.std, np.max, np.min, np.linalg.norm]


NOT_IN_HALF = {  # NumPy's linear algebra knows no float16
    row.qualified_name for row in TABLE.values()
    for cell in row.derivatives
    if cell and cell.rule.__module__.endswith(("linalg", "decompositions"))
} - {"tinygrad_nn.norm", "tinygrad_nn.p_norm"}  # fmt: skip


def cases_with(trait, cases=CASES):
    chosen = [case for case in cases if trait in case.row.traits]
    return pytest.mark.parametrize("case", chosen, ids=str)


def as_function(case, rng):
    """A case as a function of its differentiable arguments, and a fresh sample of them."""
    return function_of(case, sample(case, rng))


def drawn_values(law):
    """A law for every case, each with a few sets of values."""
    return every_smooth_case(settings(max_examples=4)(given(rng=values())(law)))


def values():
    """Random numbers that Hypothesis draws the seed of, and shrinks."""
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


def inner(a, b):
    return float(sum(np.sum(x * y) for x, y in zip(a, b, strict=True)))


# --- what a row says of itself ----------------------------------------------------------------


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
def test_a_row_has_a_formula_for_its_function_and_for_each_derivative(row):
    assert row.formula.strip()
    assert len(row.derivatives) == row.arrays == len(row.domains)
    assert row.calls
    assert all(cell.formula.strip() for cell in row.derivatives if cell is not None)


@every_case
def test_every_row_can_be_sampled(case, rng):
    arrays = sample(case, rng)
    assert [a.shape for a in arrays] == list(case.call.shapes)


@cases_with(Trait.LINEAR)
def test_linear_rows_are_linear_in_their_arrays_together(case, rng):
    a, b = sample(case, rng), sample(case, rng)
    both = run(case.row, [2.5 * x - y for x, y in zip(a, b, strict=True)], case.call.static)
    apart = 2.5 * run(case.row, a, case.call.static) - run(case.row, b, case.call.static)
    assert_near(both, apart, 1e-13)


@cases_with(Trait.ANALYTIC, SMOOTH_CASES)
def test_the_complex_step_agrees_with_jvp_where_a_row_is_analytic(case, rng):
    f, chosen = function_of(case, arrays := sample(case, rng))
    tangents = [rng.normal(size=x.shape) for x in chosen]
    _, dy = tnn.jvp(f, chosen, tangents)
    for p, t in zip(case.differentiable, tangents, strict=True):
        arrays[p] = arrays[p] + 1e-30j * t
    static = {k: complex if v is np.float64 else v for k, v in case.call.static.items()}
    assert_near(dy, np.imag(case.row.evaluate(arrays, static)) / 1e-30, 1e-12)


@every_case
def test_only_rows_said_to_be_views_share_memory_with_their_inputs(case, rng):
    arrays = sample(case, rng)
    y = case.row.evaluate(arrays, case.call.static)
    assert Trait.VIEW in case.row.traits or not any(np.shares_memory(y, a) for a in arrays)


@cases_with(Trait.OUT)
def test_rows_said_to_take_out_write_into_it(case, rng):
    arrays = sample(case, rng)
    y = np.asarray(case.row.evaluate(arrays, case.call.static))
    out = np.empty_like(y)
    returned = case.row.evaluate(arrays, case.call.static | {"out": out})
    assert returned is out
    np.testing.assert_array_equal(out, y)


# --- derivatives ------------------------------------------------------------------------------


@drawn_values
def test_vjp_agrees_with_finite_differences(case, rng):
    f, chosen = as_function(case, rng)
    y, pullback = tnn.vjp(f, *chosen)
    g = rng.normal(size=y.shape)
    for i, gradient in enumerate(pullback(g)):
        assert_near(gradient, numeric_gradient(lambda *xs: np.sum(g * f(*xs)), chosen, i))


@drawn_values
def test_jvp_and_vjp_are_adjoint(case, rng):
    f, chosen = as_function(case, rng)
    tangents = [rng.normal(size=x.shape) for x in chosen]
    y, dy = tnn.jvp(f, chosen, tangents)
    g = rng.normal(size=y.shape)
    _, pullback = tnn.vjp(f, *chosen)
    assert inner([dy], [g]) == pytest.approx(inner(tangents, pullback(g)), rel=1e-11, abs=1e-11)


@drawn_values
def test_second_derivatives_agree_with_finite_differences_of_the_first(case, rng):
    f, chosen = as_function(case, rng)
    assert_second_derivatives(f, chosen, rng, 1e-7)


# --- dtypes, shapes, and paths ----------------------------------------------------------------


@every_case
def test_the_array_path_equals_the_tensor_path_bit_for_bit(case, rng):
    arrays = sample(case, rng)
    constants = [Tensor(a) for a in arrays]
    leaves = [Tensor(a, requires_grad=i in case.differentiable) for i, a in enumerate(arrays)]
    expected = np.asarray(case.row.evaluate(arrays, case.call.static))
    for inputs in (arrays, constants, leaves):
        y = run(case.row, inputs, case.call.static)
        traced = inputs is leaves and bool(case.differentiable)
        assert getattr(y, "requires_grad", False) == traced
        value = np.asarray(y.numpy() if isinstance(y, Tensor) else y)
        assert (value.shape, value.dtype) == (expected.shape, expected.dtype)
        assert value.tobytes() == expected.tobytes()


@pytest.mark.parametrize("case", [c for c in SMOOTH_CASES if c.row.name != "float_power"], ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_every_gradient_inside_the_graph_keeps_the_dtype_of_its_value(case, dtype, rng):
    refused = dtype == np.float16 and case.row.qualified_name in NOT_IN_HALF
    drawn = sample(case, rng, np.float64 if refused else dtype)
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in drawn]
    inputs = [Tensor(a, requires_grad=i in case.differentiable) for i, a in enumerate(arrays)]
    static = case.call.static | ({"dtype": dtype} if "dtype" in case.call.static else {})
    if refused:
        with pytest.raises(DtypeError, match="float16"):
            run(case.row, inputs, static)
        return
    y = run(case.row, inputs, static)
    assert y.dtype == dtype
    z = np.tanh(y + y) * y
    seed = rng.normal(size=y.shape).astype(dtype)
    visit = plan([z._node])
    for node, g in walk(visit, [(z._node, seed)]):
        assert (g.shape, g.dtype) == (node.value.shape, dtype), node
    # The same walk, recorded: nothing it computes on the way is float64 either.
    arrived = [g for _, g in walk(visit, [(z._node, Tensor(seed))], wrap=Tensor._of)]
    for node in Graph([g._node for g in arrived]):
        for value in (node.value, *node.operands):
            assert getattr(value, "dtype", dtype) not in (np.float64, np.longdouble), node


def test_float_power_computes_in_float64_and_sends_back_the_dtype_of_its_inputs(rng):
    a, b = (Tensor(rng.uniform(0.5, 2, 3).astype(np.float32), requires_grad=True) for _ in "ab")
    y = np.float_power(a, b)
    assert y.dtype == np.float64
    y.sum().backward()
    assert a.grad.dtype == b.grad.dtype == np.float32


WITH_NUMBERS = {
    "x**2": lambda x: x**2, "x**2.5": lambda x: x**2.5, "x**-1": lambda x: x**-1,
    "2**x": lambda x: 2**x, "2.5**x": lambda x: 2.5**x, "3*x-1": lambda x: 3 * x - 1,
    "1/x": lambda x: 1 / x, "x/3": lambda x: x / 3, "x%0.75": lambda x: x % 0.75,
    "maximum": lambda x: np.maximum(x, 1), "minimum": lambda x: np.minimum(0.5, x),
    "clip": lambda x: np.clip(x, 0.2, 2), "where": lambda x: np.where(x > 1, x, 0),
    "abs": lambda x: abs(x - 1), "mean·std": lambda x: x.mean() * x.std(), "var": np.var,
    "norm": lambda x: np.linalg.norm(x - x.max()), "index": lambda x: x[[0, 0, 1]] * x[::-1],
}  # fmt: skip


@pytest.mark.parametrize("name", WITH_NUMBERS)
def test_python_numbers_leave_float32_alone_in_both_derivatives(name, rng):
    x = Tensor(rng.uniform(0.3, 2.2, 3).astype(np.float32), requires_grad=True)
    y = WITH_NUMBERS[name](x)
    seed = Tensor(rng.normal(size=y.shape).astype(np.float32))
    arrived = [g for _, g in walk(plan([y._node]), [(y._node, seed)], wrap=Tensor._of)]
    assert {g.dtype for g in arrived} == {np.dtype(np.float32)}
    for node in Graph([g._node for g in arrived]):
        assert all(getattr(v, "dtype", None) != np.float64 for v in (node.value, *node.operands))


@pytest.mark.parametrize("row", UNARY, ids=lambda row: row.name)
@given(rng=values(), shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
def test_elementwise_rows_act_on_each_element_alone_in_any_shape(row, rng, shape):
    x, g = draw_in(row.domains[0], rng, shape), rng.normal(size=shape)
    y, pullback = tnn.vjp(row, x)
    (gradient,) = pullback(g)
    assert y.shape == gradient.shape == shape
    slope = tnn.elementwise_grad(row)
    for where in np.ndindex(shape):
        assert_near(y[where], np.asarray(row(x[where])), 1e-14)
        assert_near(gradient[where], g[where] * np.asarray(slope(x[where])), 1e-13)


@pytest.mark.parametrize("row", BINARY, ids=lambda row: row.name)
@given(data=st.data())
def test_broadcasting_sends_back_the_sum_over_the_repeats(row, data):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=3))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    a, b = (
        draw_in(domain, rng, shape)
        for domain, shape in zip(row.domains, shapes.input_shapes, strict=True)
    )
    g = rng.normal(size=shapes.result_shape)
    _, pullback = tnn.vjp(row.function, a, b)
    whole = [np.array(np.broadcast_to(x, g.shape)) for x in (a, b)]
    _, whole_pullback = tnn.vjp(row.function, *whole)
    for x, gradient, whole_gradient in zip((a, b), pullback(g), whole_pullback(g), strict=True):
        assert_near(gradient, summed_to(whole_gradient, x.shape), 1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda f: f.__name__)
@given(data=st.data())
def test_reductions_send_back_gradients_along_any_axes(reduction, data):
    shape = data.draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=3))
    axes = st.integers(-len(shape), len(shape) - 1) if shape else st.nothing()
    if reduction is not np.linalg.norm:
        axes |= hnp.valid_tuple_axes(len(shape))
    options = {"axis": data.draw(st.none() | axes), "keepdims": data.draw(st.booleans())}
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    x = (rng.permutation(math.prod(shape)) - 3.7 + rng.uniform(0, 0.4)).reshape(shape)
    y, pullback = tnn.vjp(lambda x: reduction(x, **options), x)
    g = rng.normal(size=y.shape)
    (gradient,) = pullback(g)
    assert_near(gradient, numeric_gradient(lambda x: np.sum(g * reduction(x, **options)), [x], 0))


@given(data=st.data())
def test_matmul_sends_back_what_its_two_linear_maps_say(data):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(signature="(n?,k),(k,m?)->(n?,m?)"))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    a, b = (rng.normal(size=shape) for shape in shapes.input_shapes)
    y, pullback = tnn.vjp(np.matmul, a, b)
    g, da, db = (rng.normal(size=x.shape) for x in (y, a, b))
    for_a, for_b = pullback(g)
    assert inner([for_a], [da]) == pytest.approx(np.sum(g * np.matmul(da, b)), rel=1e-9, abs=1e-9)
    assert inner([for_b], [db]) == pytest.approx(np.sum(g * np.matmul(a, db)), rel=1e-9, abs=1e-9)


@st.composite
def indices(draw, shape):
    """Whatever NumPy accepts between brackets, as people write it."""
    whole = hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)
    arrays = hnp.integer_array_indices(shape)
    mask = hnp.arrays(bool, shape)
    tuples = st.lists(st.integers(-shape[0], shape[0] - 1), max_size=4).map(lambda i: (tuple(i),))
    lists = st.lists(st.integers(-shape[0], shape[0] - 1), max_size=4)
    ranges = st.just(range(-shape[0], shape[0]))
    return draw(st.one_of(whole, arrays, mask, tuples, lists, ranges))


@given(data=st.data())
def test_indexing_adds_each_cotangent_where_its_element_came_from(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    index = data.draw(indices(shape))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    x = Tensor(rng.normal(size=shape), requires_grad=True)
    origin = np.arange(x.size).reshape(shape)[index]  # from which element each result came
    y = x[index]
    np.testing.assert_array_equal(y.numpy(), x.numpy()[index])
    g = rng.normal(size=y.shape)
    y.backward(g)
    expected = np.bincount(np.ravel(origin), weights=np.ravel(g), minlength=x.size)
    assert_near(x.grad.numpy(), expected.reshape(shape), 1e-14)


EMPTIED = [
    (case, n) for case in SMOOTH_CASES for n in sorted({n for s in case.call.shapes for n in s})
]


@pytest.mark.parametrize(("case", "length"), EMPTIED, ids=str)
def test_size_zero_is_as_in_numpy_with_gradients_of_the_right_shape(case, length, rng):
    shapes = [tuple(0 if n == length else n for n in shape) for shape in case.call.shapes]
    domains = case.row.domains * len(shapes) if case.row.variadic else case.row.domains
    arrays = [draw_in(d, rng, s) for d, s in zip(domains, shapes, strict=True)]
    tensors = [Tensor(a, requires_grad=i in case.differentiable) for i, a in enumerate(arrays)]
    try:
        expected = case.row.evaluate(arrays, case.call.static)
    except (ValueError, IndexError, RuntimeWarning) as error:  # as in: the maximum of nothing
        with pytest.raises(RuntimeWarning if isinstance(error, Warning) else TinygradNNError):
            run(case.row, tensors, case.call.static)
        return
    y = run(case.row, tensors, case.call.static)
    np.testing.assert_array_equal(y.numpy(), expected)
    y.backward(rng.normal(size=y.shape))
    for i in case.differentiable:
        assert tensors[i].grad.shape == arrays[i].shape
        assert np.all(np.isfinite(tensors[i].grad.numpy()))
