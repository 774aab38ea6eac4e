"""Elementwise equations in blocks, beside the same equations one by one."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_nn as tnn
from tinygrad_nn.compiler.blocks.target import Target
from tinygrad_nn.compiler.build import loaded
from tinygrad_nn.compiler.program import evaluate
from tinygrad_nn.compiler.step import CompiledStep
from tinygrad_nn.compiler.text.emit import emit
from tinygrad_nn.primitives.table import TABLE

SMALL = {
    "least": 2,
    "least_plain": 2,
    "least_work": 2,
    "part_bytes": 64 * 8,
    "shared_bytes": 64 * 8,
    "least_shared": 32,
}
UFUNCS = sorted(
    {
        row.function
        for row in TABLE.values()
        if isinstance(getattr(row, "function", None), np.ufunc)
        and not row.function.signature
        and row.function.nout == 1
    }
    | {np.greater, np.less_equal, np.equal, np.not_equal, np.isnan, np.isfinite, np.signbit},
    key=lambda f: f.__name__,
)
SPECIAL = [np.nan, np.inf, -np.inf, -0.0, 0.0, 1.0, -1.0, 1e-40, 3.5, -7.25]


def blocked(function, threads=2, **sizes):
    return CompiledStep(function, (), Target("numpy", threads, **(SMALL | sizes)))


def plain(function):
    return CompiledStep(function, (), Target("numpy", 1, least=10**9))


def data(shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape) * 3
    if np.dtype(dtype).kind == "f":
        values = np.where(rng.random(shape) < 0.2, rng.choice(SPECIAL, shape), values)
    with np.errstate(all="ignore"):
        return values.astype(dtype)


def same_bits(a, b):
    a, b = np.asarray(a), np.asarray(b)
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    np.testing.assert_array_equal(a, b)
    known = ~np.isnan(a) if a.dtype.kind == "f" else np.ones(a.shape, bool)
    assert (np.signbit(a) == np.signbit(b))[known].all() if a.dtype.kind == "f" else True


def is_blocked(step):
    return "in_blocks" in step.source


@pytest.fixture(autouse=True)
def silent():
    with np.errstate(all="ignore"):
        yield


# --- every function ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "bool"])
@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda f: f.__name__)
def test_every_function_gives_the_same_bits(ufunc, dtype):
    arrays = [data(201, dtype, seed) for seed in range(ufunc.nin)]
    try:
        ufunc(*arrays)
    except (TypeError, ValueError):
        pytest.skip("not for this dtype")

    def step(*arrays):
        y = ufunc(*arrays)
        return y, np.where(arrays[0] > 0, y, 0), np.where(arrays[0] > 0, 1, y) + y

    compiled = blocked(step)
    for got, expected in zip(compiled(*arrays), step(*arrays), strict=True):
        same_bits(got, expected)
    assert is_blocked(compiled)


def test_there_are_functions_to_be_checked():
    assert len(UFUNCS) > 40


# --- random programs --------------------------------------------------------------------------

# No np.power and np.arctan2: for strided operands NumPy has several loops, of which each rounds in
# its own way, and which one it takes depends on the number of rows.
OPERATIONS = [
    np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.negative, np.absolute,
    np.tanh, np.exp, np.square, np.sqrt, np.log1p, np.greater, np.less_equal, np.sign,
    np.logaddexp, np.reciprocal, np.where, "astype", "number", "sum", "row",
]  # fmt: skip
DTYPES = ["float32", "float64", "float16", "int32", "bool"]
SHAPES = [(63,), (64,), (65,), (128,), (129,), (1000,), (40, 7), (7, 40), (3, 5, 11), (64, 1)]


def grown(recipe, arrays):
    """The values that a recipe makes: (operation, numbers of its operands, a number)."""
    values, shape = list(arrays), arrays[0].shape
    for operation, choices, number in recipe:
        operands = [values[c % len(values)] for c in choices]
        if operation == "astype":
            made = operands[0].astype(np.dtype(DTYPES[number % 3]))
        elif operation == "number":
            made = operands[0] * float(number) + 1
        elif operation == "sum":
            made = operands[0].sum() if operands[0].dtype != np.float16 else operands[0]
        elif operation == "row":
            made = np.sum(operands[0], axis=0) if operands[0].shape == shape else operands[0]
        elif operation is np.where:
            made = np.where(operands[0] > 0, operands[1], operands[2])
        elif operation in (np.subtract, np.negative, np.sign) and np.bool in [
            o.dtype for o in operands
        ]:
            made = operands[0]
        else:
            made = operation(*operands[: operation.nin])
        values.append(made)
    return tuple(values[len(arrays) :])


def agrees(got, expected, summed):
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    if not summed:
        same_bits(got, expected)
        return
    scale = np.finfo(got.dtype).eps if got.dtype.kind == "f" else 0
    np.testing.assert_allclose(got, expected, rtol=1000 * scale, atol=1e-3)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(OPERATIONS[:-2]),
            st.tuples(*[st.integers(0, 30)] * 3),
            st.integers(-3, 3),
        ),
        min_size=2,
        max_size=12,
    ),
    st.sampled_from(SHAPES),
    st.sampled_from(DTYPES),
    st.integers(1, 3),
    st.integers(0, 3),
)
def test_random_programs_give_the_same_bits(recipe, shape, dtype, threads, layout):
    arrays = [data(shape, dtype, 1), data(shape[-1:], dtype, 2), data((), "float32", 3)]
    if layout == 1:  # every other element, and the axes in another order
        arrays[0] = np.repeat(arrays[0], 2, axis=-1)[..., ::2]
        arrays[1] = arrays[1][::-1]
    elif layout == 2:
        arrays[0] = np.asfortranarray(arrays[0])
    elif layout == 3:
        arrays[1] = data((1,) * (len(shape) - 1) + shape[-1:], dtype, 2)

    def step(a, b, c):
        return grown(recipe, (a, b, c))

    with np.errstate(all="ignore"):
        try:
            expected = step(*arrays)
        except (TypeError, ValueError):
            return
        for got, want in zip(blocked(step, threads)(*arrays), expected, strict=True):
            same_bits(got, want)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([(63,), (65,), (1000,), (200, 3), (40, 7), (16, 2, 5)]),
    st.sampled_from(["float32", "float64"]),
    st.sampled_from([None, 0, -1, (0, -1)]),
    st.booleans(),
    st.sampled_from([np.sum, np.mean, np.max, np.min]),
    st.integers(1, 3),
)
def test_sums_of_parts_agree_with_the_whole(shape, dtype, axis, keepdims, reduce, threads):
    a = np.random.default_rng(0).normal(size=shape).astype(dtype)
    b = np.random.default_rng(1).normal(size=shape[-1:]).astype(dtype)
    if axis == (0, -1) and len(shape) == 1:
        axis = 0

    def step(a, b):
        c = np.tanh(a * b)
        total = reduce(c, axis=axis, keepdims=keepdims)
        return total, c, total * 2 + c if keepdims else total * 2

    compiled = blocked(step, threads)
    for got, expected in zip(compiled(a, b), step(a, b), strict=True):
        assert np.asarray(got).dtype == np.asarray(expected).dtype
        assert np.shape(got) == np.shape(expected)
        np.testing.assert_allclose(got, expected, rtol=0, atol=100 * np.finfo(dtype).eps)
    assert is_blocked(compiled)


# --- gradients and state ----------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(1000,), (50, 20)])
def test_gradients_of_scalars_rows_and_columns(threads, shape):
    x = np.random.default_rng(0).normal(size=shape)

    def made(wrap):
        w = tnn.Tensor(0.7, requires_grad=True, name="w")
        row = tnn.Tensor(np.linspace(-1, 1, shape[-1]), requires_grad=True, name="row")
        column = tnn.Tensor(np.ones((shape[0], *[1] * (len(shape) - 1))), requires_grad=True)

        @wrap
        def step(x):
            w.grad = row.grad = column.grad = None
            y = np.tanh(x * w + row) * column
            loss = np.mean(tnn.activations.sigmoid(y) * tnn.activations.softplus(x))
            loss.backward()
            return loss

        return step, (w, row, column)

    if len(shape) == 1:
        shape = (1000,)
    compiled, parameters = made(lambda f: blocked(f, threads))
    eager, others = made(lambda f: f)
    np.testing.assert_allclose(compiled(x).item(), eager(x).item(), rtol=1e-13)
    for a, b in zip(parameters, others, strict=True):
        assert a.grad.shape == b.grad.shape
        np.testing.assert_allclose(a.grad, b.grad, rtol=1e-10, atol=1e-15)
    assert is_blocked(compiled)


@pytest.mark.parametrize("optimizer", [tnn.optim.SGD, tnn.optim.Adam])
def test_optimisers_of_large_parameters(optimizer):
    def made(wrap):
        w = tnn.Tensor(np.linspace(-1, 1, 500), requires_grad=True, name="w")
        updating = optimizer([w], learning_rate=0.1)

        @wrap
        def step(x):
            loss = ((np.tanh(w) - x) ** 2).sum()
            updating.zero_grad()
            loss.backward()
            updating.step()
            return loss

        return step, w

    compiled, w = made(blocked)
    eager, other = made(lambda f: f)
    for _ in range(5):
        x = np.linspace(0, 1, 500)
        np.testing.assert_allclose(compiled(x).item(), eager(x).item(), rtol=1e-12)
        np.testing.assert_array_equal(w.numpy(), other.numpy())
    assert is_blocked(compiled)


def test_results_are_the_same_in_every_run():
    x = np.random.default_rng(0).normal(size=(300, 7)).astype(np.float32)
    step = blocked(lambda x, r: (np.tanh(x * r).sum(), np.exp(-np.square(x) * r).sum(axis=0)), 4)
    row = np.linspace(1, 2, 7, dtype=np.float32)
    first = [r.tobytes() for r in step(x, row)]
    assert all([r.tobytes() for r in step(x, row)] == first for _ in range(50))


def test_a_result_that_is_handed_out_is_not_written_again():
    step = blocked(lambda x: np.tanh(x) + 1)
    first = step(np.zeros(500))
    step(np.ones(500))
    np.testing.assert_array_equal(first, np.ones(500))


# --- threads ----------------------------------------------------------------------------------


def test_several_threads_share_the_parts():
    step = blocked(lambda x: np.tanh(x) * 2, 3)
    step(np.ones(1000))
    assert "return ThreadPoolExecutor(2)" in step.source
    assert "ThreadPoolExecutor" not in compiled_text(lambda x: np.tanh(x) * 2, 1)


def compiled_text(function, threads):
    step = blocked(function, threads)
    step(np.ones(1000))
    return step.source


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_wrong_within_a_part_is_raised_and_nothing_is_stored(threads):
    w = tnn.Tensor(np.ones(1000), requires_grad=True, name="w")

    def function(x):
        w.data = np.exp(w * x) + 1

    step = blocked(function, threads)
    step(np.zeros(1000))
    before = w.numpy().copy()
    large = np.zeros(1000)
    large[-1] = 1e9
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        step(large)
    np.testing.assert_array_equal(w.numpy(), before)
    step(np.zeros(1000))  # and it goes on


def test_numpys_error_state_reaches_every_thread():
    seen = set()

    def note(kind, flag):
        seen.add(kind)

    step = blocked(lambda x: 1 / x + 1, 2)
    with np.errstate(divide="call", call=note):
        step(np.zeros(1000))
    assert seen == {"divide by zero"}


FORKING = """
import os, numpy as np, tinygrad_nn as tnn
from tinygrad_nn.compiler.build import loaded
from tinygrad_nn.compiler.text.emit import emit
from tinygrad_nn.compiler.program import evaluate
from tinygrad_nn.compiler.step import CompiledStep
from tinygrad_nn.compiler.blocks.target import Target
target = Target("numpy", 2, least=2, least_work=2, shared_bytes=512, least_shared=32)
step = CompiledStep(lambda x: np.where(x > 0, x, 0) + 1, (), target)
step(np.ones(1000))
assert "ThreadPoolExecutor" in step.source
child = os.fork()
if child == 0:
    os._exit(int(step(np.ones(1000)).sum() != 2000))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_process_has_threads_of_its_own():
    command = [sys.executable, "-W", "ignore", "-c", FORKING]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "0"


def test_steps_run_in_several_threads_at_once():
    step = blocked(lambda x: np.tanh(x) * 2 + 1, 2)
    step(np.ones(1000))
    found = []

    def run(number):
        found.append((number, step(np.full(1000, float(number)))))

    workers = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for number, result in found:
        np.testing.assert_array_equal(result, np.tanh(np.full(1000, float(number))) * 2 + 1)


# --- what is grouped --------------------------------------------------------------------------


def test_small_arrays_stay_as_they_are():
    step = tnn.compile(lambda x: np.tanh(x) * 2 + 1)
    step(np.ones(1000))
    assert not is_blocked(step)


def test_large_arrays_are_computed_in_blocks():
    step = tnn.compile(lambda x: np.where(x > 0, np.tanh(x), 0) + 1, threads=1)
    for size, expected in ((40_001, True), (2001, False)):
        x = np.random.default_rng(0).normal(size=size)
        np.testing.assert_array_equal(step(x), np.where(x > 0, np.tanh(x), 0) + 1)
        assert is_blocked(step) == expected


def test_short_chains_are_computed_in_blocks_where_memory_is_the_limit():
    step = tnn.compile(lambda x: np.tanh(x) * 2 + 1, threads=1)
    for size, expected in ((1_200_000, True), (40_001, False)):
        x = np.random.default_rng(0).normal(size=size)
        np.testing.assert_array_equal(step(x), np.tanh(x) * 2 + 1)
        assert is_blocked(step) == expected


def test_what_depends_on_a_sum_comes_after_it():
    x = np.random.default_rng(0).normal(size=(200, 3))

    def function(x):
        centred = x - x.mean(axis=0)
        return centred / np.sqrt((centred**2).mean(axis=0) + 1e-5) + centred

    step = blocked(function)
    np.testing.assert_allclose(step(x), function(x), rtol=1e-10, atol=1e-13)
    assert step.source.count("def in_blocks_part") == 1
    assert is_blocked(step)


def test_a_state_that_is_still_read_is_not_overwritten():
    state = {"a": np.linspace(0, 1, 300)}

    def function(x):
        old = state["a"]
        state["a"] = np.tanh(old * x) + 1
        return old * 2 + state["a"] * old[::-1]

    expected_state = np.tanh(state["a"] * 2.0) + 1
    expected = state["a"] * 2 + expected_state * state["a"][::-1]
    result = blocked(function)(np.full(300, 2.0))
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(state["a"], expected_state)


def test_a_program_with_blocks_can_be_evaluated_and_written_without_them():
    x = np.random.default_rng(0).normal(size=500)
    step = blocked(lambda x: (np.tanh(x) * 2 + 1, np.square(x).sum()))
    expected = step(x)
    built = step.built
    for got, wanted in zip(evaluate(built.program, [x]), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-14)
    source = emit(built.program, built.layout, None)
    assert "in_blocks" not in source.text
    for got, wanted in zip(loaded(source)(x), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-14)


@pytest.mark.parametrize("name", ["numpy", "numba"])
def test_the_state_is_written_after_the_gradients_are_checked(name):
    w = tnn.Tensor(np.linspace(-1, 1, 500), requires_grad=True, name="w")
    optimizer = tnn.optim.SGD([w], learning_rate=0.1)

    def function(x):
        loss = (np.tanh(w * x) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = CompiledStep(function, (), Target(name, 2, **SMALL))
    if name == "numba":
        pytest.importorskip("numba")
    step(np.ones(500))
    text = step.source[step.source.index("def step") :] if "def step" in step.source else ""
    text = text or step.source[step.source.index("def function") :]
    assert text.index("math.isfinite") < text.index('new["w"]')


@pytest.mark.parametrize("count", [200, 2000])
def test_groups_are_found_in_linear_time(count):
    def function(x):
        for _ in range(count):
            x = np.tanh(x) + x.sum()
        return x

    step = blocked(function, 1)
    started = time.perf_counter()
    step(np.full(64, 0.1))
    assert time.perf_counter() - started < count / 200
    assert step.source.count("for k in parts:") == count - 1
    assert step.source.count("np.empty(") < 10 + count  # all parts share one piece of memory


@pytest.mark.parametrize("threads", [0, -1, 1.5, "two"])
def test_threads_are_a_count(threads):
    with pytest.raises(tnn.errors.ArgumentError, match="threads="):
        tnn.compile(lambda x: x, threads=threads)


def test_an_unknown_target_is_refused():
    with pytest.raises(tnn.errors.ArgumentError, match="target="):
        tnn.compile(lambda x: x, target="cuda")
