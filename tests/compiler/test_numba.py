"""Elementwise equations as loops that Numba compiles, beside what NumPy computes."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.compiler.blocks.target import Target
from tinygrad_nn.compiler.step import CompiledStep
from tinygrad_nn.compiler.text.loops.kernel_cache import cache_folder, stored

pytest.importorskip("numba")
pytestmark = pytest.mark.filterwarnings("ignore::numba.NumbaPerformanceWarning")

SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1.0, -1.0, 1e-40, 3.5, -7.25, 90, -110])
EXACT = [
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.absolute, np.square, np.sqrt,
    np.reciprocal, np.maximum, np.minimum, np.fmax, np.fmin, np.greater, np.less_equal, np.equal,
    np.not_equal, np.isnan, np.isfinite, np.sign, np.copysign, np.floor, np.ceil, np.trunc,
    np.rint, np.remainder, np.floor_divide, np.logical_not, np.logical_and,
]  # fmt: skip
EXTREMES = [np.maximum, np.minimum, np.fmax, np.fmin]
CLOSE = [
    np.exp, np.expm1, np.log, np.log1p, np.log2, np.log10, np.sin, np.cos, np.tan, np.arcsin,
    np.arccos, np.arctan, np.sinh, np.cosh, np.tanh, np.arcsinh, np.arccosh, np.arctanh,
    np.logaddexp, np.arctan2, np.hypot, np.power,
]  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    before = os.environ.get("TINYGRAD_NN_CACHE")
    os.environ["TINYGRAD_NN_CACHE"] = str(tmp_path_factory.mktemp("kernels"))
    yield
    del os.environ["TINYGRAD_NN_CACHE"]
    if before is not None:
        os.environ["TINYGRAD_NN_CACHE"] = before


def in_loops(function, threads=1):
    return CompiledStep(function, (), Target("numba", threads, least=1))


def is_in_loops(step):
    return "numba.njit" in step.source and not step.stats.eager_calls


def pairs(dtype):
    """Two arrays with every pair of special numbers, and others."""
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        a = np.concatenate([np.repeat(SPECIAL, len(SPECIAL)), rng.normal(size=300) * 3])
        b = np.concatenate([np.tile(SPECIAL, len(SPECIAL)), rng.normal(size=300) * 3])
        return a.astype(dtype), b.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("bounds", [(0, np.inf), (-1, 1), (2, -2), (0, np.nan), (None, 1)])
def test_clip(dtype, bounds):
    with np.errstate(invalid="ignore"):
        x = np.concatenate([SPECIAL, np.linspace(-3, 3, 50)]).astype(dtype)
    low, high = (b if b is None or dtype == np.int64 else dtype(b) for b in bounds)
    step = in_loops(lambda x: np.clip(x * 1, low, high) + 1 - 1)
    found, expected = step(x), np.clip(x * 1, low, high) + 1 - 1
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    if dtype != np.int64 and bounds in [(0, np.inf), (-1, 1)]:
        assert is_in_loops(step)
        assert " < " in step.source
    plain = in_loops(lambda x: tnn.activations.relu(x) * 2)
    np.testing.assert_array_equal(np.asarray(plain(x)), np.asarray(tnn.activations.relu(x) * 2))


def same_bits(got, expected, signs=True):
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)
    if got.dtype.kind == "f" and signs:
        known = ~np.isnan(got)
        np.testing.assert_array_equal(np.signbit(got)[known], np.signbit(expected)[known])


# --- what NumPy does --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "bool", "float16"])
def test_what_is_rounded_once_has_the_same_bits(dtype):
    a, b = pairs(dtype)
    usable = []
    with np.errstate(all="ignore"):
        for ufunc in EXACT:
            try:
                ufunc(*(a, b)[: ufunc.nin])
            except TypeError:
                continue
            usable.append(ufunc)

        def step(a, b):
            return [
                *(u(*(a, b)[: u.nin]) for u in usable),
                np.where(a > b, a, 0), np.where(a, b, a), a * 2, 0.1 + a, a > 1,
                a.astype(np.float32), a.astype(np.float64), a.astype(bool),
            ]  # fmt: skip

        compiled = in_loops(step)
        for ufunc, got, expected in zip(
            [*usable, *["other"] * 8], compiled(a, b), step(a, b), strict=True
        ):
            try:
                # Which of two zeros is larger depends on the processor, in NumPy too.
                same_bits(got, expected, ufunc not in EXTREMES)
            except AssertionError as error:
                raise AssertionError(f"{ufunc}") from error
    assert is_in_loops(compiled) or dtype == "float16"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_agree_to_a_few_units_of_the_last_place(dtype):
    a, b = pairs(dtype)
    a = np.concatenate([a, np.linspace(-1, 1, 400, dtype=dtype), np.geomspace(1e-45, 1e38, 400)])
    a = a.astype(dtype)
    b = np.resize(b, a.shape)

    def step(a, b):
        return [u(*(a, b)[: u.nin]) for u in CLOSE]

    with np.errstate(all="ignore"):
        compiled = in_loops(step)
        for ufunc, got, expected in zip(CLOSE, compiled(a, b), step(a, b), strict=True):
            assert got.dtype == expected.dtype
            finite = np.isfinite(expected) & np.isfinite(got)
            off = np.abs(got - expected)[finite] / np.spacing(np.abs(expected[finite]))
            assert off.max(initial=0) <= 4, ufunc
            unlike = ~finite & ~np.isnan(expected)
            np.testing.assert_array_equal(got[unlike], expected[unlike], err_msg=ufunc.__name__)
            np.testing.assert_array_equal(np.isnan(got), np.isnan(expected), str(ufunc))
            zero = expected == 0
            np.testing.assert_array_equal(np.signbit(got[zero]), np.signbit(expected[zero]))
    assert is_in_loops(compiled)


def test_python_numbers_take_on_the_dtype_of_what_they_meet():
    state = {"rate": 0.1, "count": 1}

    def step(x):
        state["count"] += 1
        return (x * state["rate"] + 1.1) / state["count"] - x * 3

    x = np.linspace(0, 1, 50, dtype=np.float32)
    compiled = in_loops(step)
    for count in (2, 3, 4):
        same_bits(compiled(x), (x * 0.1 + 1.1) / count - x * 3)
    assert is_in_loops(compiled)


# --- shapes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["plain", "strided", "fortran", "reversed"])
@pytest.mark.parametrize("shape", [(1,), (4,), (9000,), (70, 300), (3, 5, 7), (1, 6)])
def test_shapes_broadcasting_and_layouts(shape, layout):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape)
    if layout == "strided":
        x = np.repeat(x, 2, axis=-1)[..., ::2]
    elif layout == "fortran":
        x = np.asfortranarray(x)
    elif layout == "reversed":
        x = x[..., ::-1]
    row, column = rng.normal(size=shape[-1:]), rng.normal(size=(shape[0], *[1] * (len(shape) - 1)))

    def step(x, row, column):
        y = x * row + (column if len(shape) > 1 else 1)
        positive = (y > 0).sum()
        return y * 2 - x, y.sum(), y.sum(axis=0), y.sum(-1, keepdims=True), y.mean(), positive

    compiled = in_loops(step)
    results, expected = compiled(x, row, column), step(x, row, column)
    same_bits(results[0], expected[0])
    for got, wanted in zip(results[1:], expected[1:], strict=True):
        assert np.shape(got) == np.shape(wanted)
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-11)
    assert is_in_loops(compiled)


def test_results_are_the_same_in_every_run_and_for_any_number_of_threads():
    x = np.random.default_rng(0).normal(size=200_001).astype(np.float32)
    found = set()
    for threads in (1, 2):
        step = in_loops(lambda x: (np.tanh(x) * x).sum(), threads)
        found |= {step(x).tobytes() for _ in range(5)}
        assert is_in_loops(step)
        assert ("prange" in step.source) == (threads > 1)
    assert len(found) == 1
    np.testing.assert_allclose(step(x), (np.tanh(x) * x).astype(float).sum(), rtol=1e-6)


# --- steps ------------------------------------------------------------------------------------


def test_a_long_chain_on_few_elements_is_one_loop():
    x = tnn.Tensor(np.linspace(-1, 1, 4), requires_grad=True, name="x")

    def function():
        x.grad = None
        h = x
        for _ in range(60):
            h = np.tanh(h * 1.1 + 0.1)
        loss = h.sum()
        loss.backward()
        return loss

    expected, gradient = function().item(), (function(), x.grad)[1]
    step = in_loops(function)
    np.testing.assert_allclose(step().item(), expected, rtol=1e-12)
    np.testing.assert_allclose(x.grad, gradient, rtol=1e-10)
    assert step.source.count("def in_a_loop_compiled") == 1
    assert is_in_loops(step)


def test_training_gives_what_numpy_gives():
    def made(wrap):
        w = tnn.Tensor(np.linspace(-1, 1, 12).reshape(4, 3), requires_grad=True, name="w")
        optimizer = tnn.optim.Adam([w], learning_rate=0.1)

        @wrap
        def step(x):
            loss = (tnn.activations.sigmoid(x @ w) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        return step, w

    compiled, w = made(in_loops)
    eager, other = made(lambda f: f)
    for seed in range(4):
        x = np.random.default_rng(seed).normal(size=(5, 4))
        np.testing.assert_allclose(compiled(x).item(), eager(x).item(), rtol=1e-12)
        np.testing.assert_allclose(w.numpy(), other.numpy(), rtol=1e-10)
    assert is_in_loops(compiled)
    assert compiled.stats.numba_seconds > 0


# --- the cache --------------------------------------------------------------------------------

SCRIPT = """
import numpy as np, tinygrad_nn as tnn
step = tnn.compile(lambda x: np.tanh(x) * 2 + 1, target="numba", threads=1)
print(step(np.arange(5.0)).sum(), step.stats.eager_calls)
"""


def run(folder):
    environment = os.environ | {"TINYGRAD_NN_CACHE": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_what_is_compiled_is_kept_for_the_next_process(tmp_path):
    first = run(tmp_path)
    kept = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    assert any(file.suffix == ".nbc" for file in kept)
    assert run(tmp_path) == first
    assert first[1] == "0"
    after = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    assert after == kept


def test_without_a_folder_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("")
    assert run(tmp_path / "file" / "folder")[1] == "0"


def test_a_text_is_written_once_and_repaired(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_NN_CACHE", str(tmp_path))
    file = stored("x = 1\n")
    assert file.read_text() == "x = 1\n"
    file.write_text("half")
    assert stored("x = 1\n") == file
    assert file.read_text() == "x = 1\n"
    assert [f.name for f in tmp_path.iterdir()] == [file.name]


def test_the_folder_is_the_users_cache(monkeypatch):
    monkeypatch.delenv("TINYGRAD_NN_CACHE")
    assert cache_folder().name == "tinygrad_nn"
    assert cache_folder().is_absolute()


def test_missing_numba_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(tnn.errors.ArgumentError, match=r"pip install 'tinygrad_nn\[numba\]'"):
        tnn.compile(lambda x: x, target="numba")


# --- random programs --------------------------------------------------------------------------

CHAINED = [
    np.add, np.subtract, np.multiply, np.divide, np.maximum, np.negative, np.square, np.absolute,
    np.sqrt, np.greater, np.where, "astype", "number",
]  # fmt: skip


def grown(rng, arrays, length=10):
    """The values that some random calls make."""
    values = list(arrays)
    for _ in range(length):
        operation = CHAINED[rng.integers(len(CHAINED))]
        operands = [values[rng.integers(len(values))] for _ in range(3)]
        if operation == "astype":
            made = operands[0].astype(["float32", "float64"][rng.integers(2)])
        elif operation == "number":
            made = operands[0] * float(rng.integers(-3, 4)) + 1
        elif operation is np.where:
            made = np.where(operands[0] > 0, operands[1], operands[2])
        elif np.bool in [o.dtype for o in operands[: operation.nin]]:
            made = operands[0] * 2
        else:
            made = operation(*operands[: operation.nin])
        values.append(made)
    return values[len(arrays) :]


@pytest.mark.parametrize("seed", range(25))
def test_random_programs_give_the_same_bits(seed):
    shape = [(7,), (33, 4), (2, 3, 5), (9001,), (1, 1)][seed % 5]
    dtypes = [["float32", "float64", "int32", "int64"][n] for n in (seed % 4, seed % 3)]
    with np.errstate(all="ignore"):
        a = np.resize(pairs("float64")[0], shape).astype(dtypes[0])
        b = np.resize(pairs("float64")[1], shape[-1:]).astype(dtypes[1])

        def step(a, b):
            return grown(np.random.default_rng(seed), (a, b))

        compiled = in_loops(step, 1 + seed % 2)
        for got, expected in zip(compiled(a, b), step(a, b), strict=True):
            assert got.dtype == expected.dtype
            np.testing.assert_array_equal(got, expected)
    assert is_in_loops(compiled)


def test_loops_beside_matrix_products_have_one_thread():
    x = np.ones((600, 600))
    alone = tnn.compile(lambda x: np.tanh(x) * x + 1, target="numba", threads=2)
    alone(x)
    assert "prange" in alone.source
    beside = tnn.compile(lambda x: np.tanh(x @ x) * x + 1, target="numba", threads=2)
    np.testing.assert_allclose(beside(x), np.tanh(x @ x) * x + 1)
    assert "prange" not in beside.source
