import operator
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.errors import (
    DtypeError,
    MissingDerivativeError,
    OutOfBoundsError,
    ShapeError,
    TinygradNNError,
)

X = np.array([[1.5, -2.25, 3.0], [0.5, 2.125, -1.0]])
ROOT = Path(tnn.__file__).parents[1]


def plain(value):
    """The arrays inside an answer, with the structure around them."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    return value.numpy() if isinstance(value, Tensor) else value


def assert_same(actual, expected):
    """Equal values, shapes, dtypes, and structure."""
    if isinstance(expected, tuple):
        for a, e in zip(actual, expected, strict=True):
            assert_same(a, e)
        return
    assert np.shape(actual) == np.shape(expected)
    assert np.asarray(actual).dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(actual, expected)


def assert_as_numpy(f, *arrays, traced=True):
    """f answers on Tensors what it answers on ndarrays."""
    leaves = [Tensor(a, requires_grad=traced and a.dtype.kind == "f") for a in arrays]
    assert_same(plain(f(*leaves)), f(*arrays))


# --- the same answers as NumPy ----------------------------------------------------------------

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv,
          operator.mod, operator.pow, operator.eq, operator.ne, operator.lt, operator.le,
          operator.gt, operator.ge, np.maximum, np.arctan2]  # fmt: skip
NUMBERS = st.sampled_from([np.float16, np.float32, np.float64, np.longdouble, np.int8, np.int64])


@pytest.mark.parametrize("f", BINARY, ids=lambda f: f.__name__)
@given(data=st.data())
def test_binary_operators_broadcast_and_promote_as_numpy(f, data):
    shapes = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_dims=3))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    a, b = (rng.integers(1, 5, s).astype(data.draw(NUMBERS)) for s in shapes.input_shapes)
    assert_as_numpy(f, a, b, traced=f is not np.arctan2)
    for x, number in ((a, 3), (a, 2.5), (a, np.float32(2)), (a, np.int64(2)), (a, [2.0])):
        assert_as_numpy(lambda x, n=number: f(x, n), x, traced=f is not np.arctan2)
        assert_as_numpy(lambda x, n=number: f(n, x), x, traced=f is not np.arctan2)


CALLS = {
    "methods": lambda x: (x.sum(), x.sum(0), x.sum(axis=1, keepdims=True), x.mean(0), x.max(1),
                          x.min(axis=(0, 1)), x.var(ddof=1), x.std(0), x.clip(0), x.clip(max=1)),
    "moves": lambda x: (x.T, x.reshape(3, 2), x.reshape(-1), x.reshape((6, 1)), x.flatten(),
                        x.transpose(1, 0), x.transpose((1, 0)), x.transpose(None), x.ravel("F"),
                        x[None].squeeze(0), x.swapaxes(0, 1), x.reshape(3, 2, order="F")),
    "argmax": lambda x: (x.argmax(), x.argmin(1), x.argsort(axis=0), x.any(), x.all(1)),
    "unary": lambda x: (-x, +x, abs(x), x.astype(np.float32), x.astype(int), x.copy(), ~(x > 0)),
    "keywords": lambda x: (np.sum(a=x), np.mean(x, 0, keepdims=True), np.max(a=x, axis=1),
                           np.sum(x, None, None), np.sum(x, 0, out=None), np.transpose(a=x),
                           np.mean(a=x, axis=-1), np.var(x, 0, None, None, 1), np.squeeze(a=x)),
    "clip": lambda x: (np.clip(x, 0, 1), np.clip(x, None, 1), np.clip(x, 0, None),
                       np.clip(x, min=0), np.clip(x, max=1), np.clip(x, a_min=0, a_max=1),
                       np.clip(a=x, a_min=0, a_max=None), np.clip(x, x * 0, [1.0, 2.0, 0.5])),
    "reduce": lambda x: (np.add.reduce(x), np.add.reduce(x, 1), np.add.reduce(x, axis=None),
                         np.add.reduce(x, axis=-1, keepdims=True), np.maximum.reduce(x),
                         np.minimum.reduce(x, 1), np.add.reduce(x, axis=(0, 1))),
    "where": lambda x: (np.where(x > 0, x, 0), np.where(x > 0, 1.0, x), np.where([True], x, x.T.T)),
    "one-argument where": lambda x: np.where(x > 0),
    "join": lambda x: (np.concatenate([x, x]), np.concatenate((x, x[:, :1]), 1), np.stack([x, x]),
                       np.concatenate([x, x], None), np.stack([x, x], axis=-1),
                       np.concatenate(x), np.stack(x), np.concatenate([x, [[1, 2, 3]]])),
    "dot": lambda x: (x @ x.T, x.dot(x.T), np.dot(x, x[0]), np.dot(x[0], x[1]), np.dot(2.0, x),
                      np.dot(x, x.T.reshape(1, 3, 2)), x[0] @ x.T, np.matmul(x[0], x[0]),
                      [1.0, 2.0] @ x, np.dot([1.0, 2.0, 3.0], x.T.reshape(1, 3, 2))),
    "index": lambda x: (x[0], x[-1, 1:], x[..., ::-2], x[None, :, None], x[x > 0], x[[0, 0, 1]],
                        x[np.array([[1]]), [0, 2]], x[:, np.newaxis, 1], x[()], x[[]], x[True],
                        x[np.bool_(False)], x[np.ix_([1, 0], [2, 2])], x[(0, 1), (2, 0)]),
    "axes": lambda x: (np.moveaxis(x, 0, 1), np.moveaxis(x, (0, 1), (1, 0)), np.moveaxis(x, -1, 0),
                       np.expand_dims(x, (0, -1)), np.broadcast_to(x, (2, 2, 3)),
                       np.broadcast_to(x[0], 3), np.ravel(x), np.reshape(x, -1),
                       np.reshape(x, shape=[3, 2]), np.reshape(x, (2, 3), order="F")),
    "asking": lambda x: (np.shape(x), np.ndim(x), np.size(x), np.result_type(x, np.float32),
                         np.isnan(x), np.zeros_like(x), np.array_equal(x, x), np.allclose(x, 0),
                         np.count_nonzero(x), np.iscomplexobj(x), np.ones_like(x, dtype=int)),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_calls_on_traced_tensors_answer_what_numpy_answers(name):
    assert_as_numpy(CALLS[name], X)
    assert_as_numpy(CALLS[name], np.asfortranarray(X)[:, ::-1])


@pytest.mark.parametrize(
    "name", [n for n in CALLS if n not in ("asking", "argmax", "one-argument where")]
)
def test_the_gradients_of_those_calls_agree_with_differences(name, rng):
    direction, x = rng.normal(size=X.shape), Tensor(X, requires_grad=True)
    ahead, behind = (CALLS[name](X + step * direction) for step in (1e-5, -1e-5))
    for y, above, below in zip(CALLS[name](x), ahead, behind, strict=True):
        if y.dtype == np.float64:
            x.grad, g = None, rng.normal(size=y.shape)
            y.backward(g)
            slope = np.sum(g * (above - below)) / 2e-5
            assert np.sum(x.grad.numpy() * direction) == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    "f",
    [
        np.fft.rfft, np.histogram, np.spacing, np.divide.accumulate, np.i0,
        lambda x: np.setdiff1d(x, [9.0]), lambda x: np.nextafter(1, x), np.subtract.reduce,
        lambda x: np.add(x, x, where=True), lambda x: np.add(1, x, dtype=np.float32),
        lambda x: np.std(x, where=x > 1), lambda x: np.var(x, mean=0.0),
        lambda x: np.heaviside.outer(x, x), lambda x: np.add.reduce(x, where=x > 1, axis=None),
    ],
)  # fmt: skip
def test_what_has_no_derivative_raises_by_name_when_needed_and_computes_otherwise(f):
    assert_as_numpy(f, X, traced=False)
    x = Tensor(X, requires_grad=True)
    with pytest.raises(NotImplementedError, match=r"numpy\.\w+") as caught:
        f(x)
    assert isinstance(caught.value, MissingDerivativeError)
    with tnn.no_grad():
        assert_same(plain(f(x)), f(X))


def test_a_function_of_another_library_is_named_as_what_it_is():
    scipy_special = pytest.importorskip("scipy.special")
    np.testing.assert_array_equal(scipy_special.expit(Tensor(X)).numpy(), scipy_special.expit(X))
    with pytest.raises(MissingDerivativeError, match="expit") as caught:
        scipy_special.expit(Tensor(X, requires_grad=True))
    assert "numpy.expit" not in str(caught.value)


# --- nothing is written, nothing is lost ------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda t: np.copyto(t, 0.0), lambda t: np.put(t, [0], [9.0]), lambda t: np.add.at(t, 0, 9),
        lambda t: np.fill_diagonal(t, 9.0), lambda t: np.place(t, [[True, True]], [9.0]),
        lambda t: np.putmask(t, [[True, True]], 9.0), lambda t: np.add(t, 1.0, out=t),
        lambda t: np.clip(t, 0, 1, out=t), lambda t: np.add(np.ones((1, 2)), 1.0, out=t),
        lambda t: np.nan_to_num(t, copy=False, nan=9.0), lambda t: np.cumsum(t, axis=1, out=t),
    ],
)  # fmt: skip
@pytest.mark.parametrize("requires_grad", [False, True])
def test_functions_that_write_cannot_reach_a_tensors_value(write, requires_grad):
    t = Tensor([[np.nan, 2.0]], requires_grad=requires_grad)
    with tnn.no_grad(), pytest.raises((TinygradNNError, ValueError)):
        write(t)
    np.testing.assert_array_equal(t.numpy(), [[np.nan, 2.0]])


@pytest.mark.parametrize("call", [lambda a, t, o: np.add(a, t, out=o), lambda a, t, o: np.sum(
    t, axis=0, out=o), lambda a, t, o: np.clip(t, 0, 1, out=o)])  # fmt: skip
def test_out_is_filled_for_constants_and_refused_for_traced_tensors(call):
    a, t = np.ones((1, 2)), Tensor([[0.25, 0.5]])
    out = np.zeros((1, 2)) if call(a, t.numpy(), None).ndim == 2 else np.zeros(2)
    call(a, t, out)
    np.testing.assert_array_equal(out, call(a, t.numpy(), None))
    t.requires_grad = True
    with pytest.raises(NotImplementedError, match="out"):
        call(a, t, out)


def test_in_place_operators_of_arrays_take_constants_and_refuse_traced_tensors():
    a = b = np.ones(3)
    a += Tensor([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(b, [2, 3, 4])
    assert a is b
    with pytest.raises(MissingDerivativeError, match="out"):
        b *= Tensor(np.ones(3), requires_grad=True)


@pytest.mark.parametrize("other", [1j, Fraction(1, 2), Decimal(2), np.array([1j]), "a", None,
                                   np.array([Fraction(1, 2)], dtype=object), object()])  # fmt: skip
@pytest.mark.parametrize("f", [operator.mul, operator.truediv, lambda a, b: operator.add(b, a)])
def test_what_is_not_a_real_number_cannot_swallow_a_gradient(f, other):
    with pytest.raises(DtypeError):
        f(Tensor([1.0, 2.0], requires_grad=True), other)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_subclasses_of_ndarray_are_taken_as_plain_arrays_and_masks_are_refused(rng):
    matrix, g = np.matrix([[1.0, 2.0], [3.0, 4.0]]), rng.normal(size=(2, 2))
    x = Tensor(rng.normal(size=(2, 2)), requires_grad=True)
    y = x * matrix  # a matrix would multiply as matrices do in the derivative, g·b
    y.backward(g)
    np.testing.assert_allclose(x.grad.numpy(), g * np.asarray(matrix))
    assert type(y.numpy()) is type(x.grad.numpy()) is np.ndarray
    with pytest.raises(DtypeError, match="mask"):
        x * np.ma.masked_array(g, g > 0)


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "kind", "said"),
    [
        (lambda x: x + np.ones(5), ShapeError, ["add", "(2, 3)", "(5,)"]),
        (lambda x: np.ones(5) - x, ShapeError, ["subtract", "(2, 3)", "(5,)"]),
        (lambda x: x @ np.ones(5), ShapeError, ["matmul", "(2, 3)", "(5,)"]),
        (lambda x: x < np.ones(5), ShapeError, ["less", "(2, 3)", "(5,)"]),
        (lambda x: x == Tensor(np.ones(5)), ShapeError, ["equal", "(2, 3)", "(5,)"]),
        (lambda x: x.reshape(4, 2), ShapeError, ["reshape", "(2, 3)"]),
        (lambda x: x.sum(axis=2), ShapeError, ["sum", "axis 2", "(2, 3)"]),
        (lambda x: np.concatenate([x, x.T]), ShapeError, ["concatenate", "(2, 3)", "(3, 2)"]),
        (lambda x: np.moveaxis(x, 5, 0), ShapeError, ["moveaxis|transpose", "(2, 3)"]),
        (lambda x: np.where(x > 0, x, np.ones(5)), ShapeError, ["where", "(2, 3)", "(5,)"]),
        (lambda x: x[:0].max(), ShapeError, ["max", "(0, 3)"]),
        (lambda x: x[2], OutOfBoundsError, ["getitem", "(2, 3)"]),
        (lambda x: x[:, [0, 7]], OutOfBoundsError, ["getitem", "(2, 3)", "7"]),
        (lambda x: x[0, 0, 0], OutOfBoundsError, ["getitem", "(2, 3)"]),
        (lambda x: x + None, DtypeError, ["add", "(2, 3)", "NoneType"]),
    ],
)
def test_errors_name_the_operation_the_shapes_the_scope_and_the_users_line(f, kind, said):
    for x in (Tensor(X, requires_grad=True), Tensor(X)):
        with pytest.raises(kind) as caught, tnn.scope("encoder"), tnn.scope("hidden"):
            f(x)
        for part in [
            "encoder/hidden/",
            f"{Path(__file__).name}:{f.__code__.co_firstlineno}",
            *said,
        ]:
            assert any(p in str(caught.value) for p in part.split("|"))


# --- nnfs -------------------------------------------------------------------------------------

ANSWERS = """
import numpy as np
x = np.arange(6.0).reshape(2, 3) / 7
f = lambda x: (np.tanh(x @ x.T).dot(x) ** 2 + x[[0, 0]] * x.dot(x[0])[:, None]).sum()
print(repr(tnn.grad(f)(x).tolist()), tnn.hessian(f)(x).tolist(), tnn.jacobian(np.exp)(x).dtype)
w = tnn.Tensor(x, requires_grad=True)
y = tnn.losses.categorical_cross_entropy(np.array([[0., 1, 0], [1, 0, 0]]), w * 3, True)
y.backward(); print(repr(w.grad.tolist()), w.grad.dtype, tnn.hvp(f, (x,), (x,)).tolist())
print(tnn.jacobian(lambda x: x[[1, 0, 1]])(x[0]).tolist(), tnn.nn.Dense(2, 2, rng=0)(x[:, :2]))
"""


def test_nnfs_init_before_or_after_our_import_changes_no_answer():
    init = "import nnfs; nnfs.init()\n"
    ours = "import tinygrad_nn as tnn\n"
    answers = {
        subprocess.run(
            [sys.executable, "-c", code + ANSWERS],
            capture_output=True, text=True, check=True, cwd=ROOT,
        ).stdout
        for code in (ours, init + ours, ours + init)
    }  # fmt: skip
    assert len(answers) == 1
    assert answers.pop().count("float64") == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.astype("foo"),
        lambda t: Tensor([1.0], dtype="zz"),
        lambda t: t * 10**400,
        lambda t: np.add(t, [[1], [1, 2]]),
        lambda t: tnn.activations.softmax(t, axis="a"),
        lambda t: tnn.activations.softmax(t, axis=0.0),
        lambda t: tnn.activations.leaky_relu(t, "a"),
        lambda t: tnn.activations.leaky_relu(t, np.nan),
        lambda t: tnn.nn.Dense(2, 2, dtype="zz"),
        lambda t: t.sum(axis=7),
        lambda t: t.sum(dim=0),
    ],
)
def test_what_makes_no_sense_is_refused_by_an_error_of_the_package(call):
    with pytest.raises(TinygradNNError) as caught:
        call(Tensor(X, requires_grad=True))
    assert isinstance(caught.value, (ValueError, TypeError))
    assert "\n" not in str(caught.value)
