"""Awkward numbers and layouts, copies and pickles, and programs that branch on what is traced."""

import copy
import math
import pickle
from functools import reduce

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.errors import ConversionError, DtypeError, TinygradNNError

START = np.array([0.5, 1.5])


def leaf(data=START):
    return Tensor(np.array(data, dtype=np.float64), requires_grad=True)


def f(x):
    return np.tanh(x) * x + np.exp(x) / (x * x + 1)


# --- dtypes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "g", ">f4", ">f8"])
def test_every_float_is_computed_and_differentiated_in_its_own_dtype(dtype):
    x = np.array(START, dtype)
    native = x.dtype.newbyteorder("=")  # a Tensor computes in the machine's own byte order
    rtol = 20 * float(np.finfo(dtype).eps)
    expected = tnn.grad(lambda v: f(v).sum())(START.astype(np.longdouble))
    t = Tensor(x, requires_grad=True)
    f(t).sum().backward()
    hessian = tnn.hessian(lambda v: f(v).sum())(x)
    for found in (t.grad.numpy(), tnn.grad(lambda v: f(v).sum())(x), tnn.vjp(f, x)[1]([1, 1])[0],
                  tnn.elementwise_grad(f)(x)):  # fmt: skip
        assert found.dtype == native
        np.testing.assert_allclose(found.astype(np.longdouble), expected, rtol=rtol)
    assert hessian.dtype == native
    change = tnn.jvp(f, x, [1, 1])[1]
    assert change.dtype == f(x).dtype
    np.testing.assert_allclose(change.astype(np.longdouble), expected, rtol=rtol)
    for constant in (2, 2.0, True, Tensor(2), Tensor(True)):
        y = t * constant
        assert (
            y.dtype == (x * (constant.numpy() if isinstance(constant, Tensor) else constant)).dtype
        )
        t.grad = None
        y.sum().backward()
        assert t.grad.dtype == native


@pytest.mark.parametrize("dtype", ["?", "i1", "i8", "u1", "u8", ">i4"])
def test_integers_and_truths_are_computed_and_never_differentiated(dtype):
    n = np.array([1, 0], dtype)
    assert Tensor(n).dtype == n.dtype.newbyteorder("=")
    np.testing.assert_array_equal((Tensor(n) + Tensor(n)).numpy(), n + n)
    x = leaf()
    (x * Tensor(n) + x * n).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 0])
    for ask in (
        lambda: Tensor(n, requires_grad=True), lambda: setattr(Tensor(n), "requires_grad", True),
        lambda: tnn.grad(lambda v: v.sum())(n), lambda: tnn.jacobian(lambda v: v)(n),
        lambda: tnn.jvp(np.sum, n, n), lambda: tnn.hvp(np.sum, n, n),
    ):  # fmt: skip
        with pytest.raises(DtypeError, match=r"1\.0"):
            ask()


STRANGE = {
    "object": np.array([1.0, None], dtype=object),
    "structured": np.zeros(2, [("a", float)]),
    "record": np.rec.array([(1.0,), (2.0,)], dtype=[("a", float)]),
    "complex": np.array([1j, 2.0]),
    "string": np.array(["1", "2"]),
    "bytes": np.array([b"1", b"2"]),
    "variable string": np.array(["1", "2"], np.dtypes.StringDType()),
    "datetime": np.array(["2020", "2021"], "M8[Y]"),
    "timedelta": np.array([1, 2], "m8[s]"),
    "void": np.zeros(2, "V4"),
    "masked": np.ma.masked_array([1.0, 2.0], [True, False]),
}
PLACES = {
    "leaf": lambda s: Tensor(s),
    "leaf with a dtype": lambda s: Tensor(s, dtype=np.float64),
    "leaf in a list": lambda s: Tensor([s, s]),
    "operand": lambda s: leaf() * s,
    "operand before": lambda s: s * leaf(),
    "operand in a list": lambda s: leaf() * [s, s],
    "ufunc": lambda s: np.maximum(s, leaf()),
    "where": lambda s: np.where([True, False], leaf(), s),
    "concatenate": lambda s: np.concatenate([leaf(), s]),
    "array": lambda s: tnn.array([leaf(), s]),
    "index_update": lambda s: tnn.index_update(leaf(), slice(None), s),
    "index_add": lambda s: tnn.index_add(leaf(), slice(None), s),
    "data=": lambda s: setattr(leaf(), "data", s),
    "grad=": lambda s: setattr(leaf(), "grad", s),
    "backward": lambda s: (leaf() * 2).backward(s),
    "argument of grad": lambda s: tnn.grad(lambda v: 1.0)(s),
    "output": lambda s: tnn.jacobian(lambda v: s)(1.0),
    "cotangent": lambda s: tnn.vjp(lambda v: v * 2, START)[1](s),
    "tangent": lambda s: tnn.jvp(lambda v: v * 2, START, s),
    "astype": lambda s: leaf().astype(s.dtype) if not isinstance(s, np.ma.MaskedArray) else 1 / 0,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.filterwarnings("ignore:Casting complex")
def test_what_is_not_a_real_number_is_refused_wherever_it_comes_in(kind, place):
    with pytest.raises((TinygradNNError, ZeroDivisionError)):
        PLACES[place](STRANGE[kind])


# --- layouts ----------------------------------------------------------------------------------

A = np.arange(1.0, 13).reshape(3, 4)


class Subclass(np.ndarray):
    """An array of somebody else's kind."""


def unaligned():
    return np.frombuffer(b"\0" + A.tobytes(), np.uint8)[1:].view(np.float64).reshape(3, 4)


LAYOUTS = {
    "0-d": lambda: np.array(2.0),
    "NumPy scalar": lambda: np.float64(2.0),
    "Python number": lambda: 2.0,
    "empty": lambda: np.zeros((0, 3)),
    "empty inside": lambda: np.zeros((2, 0, 3)),
    "strided": lambda: A[::2, 1::2],
    "negative strides": lambda: A[::-1, ::-1],
    "Fortran": lambda: np.asfortranarray(A),
    "transposed": lambda: A.T,
    "broadcast": lambda: np.broadcast_to(A[0], (5, 4)),
    "overlapping": lambda: np.lib.stride_tricks.sliding_window_view(A[0].copy(), 2),
    "read-only": lambda: np.frombuffer(A.tobytes()),
    "unaligned": unaligned,
    "subclass": lambda: A.view(Subclass),
    "matrix": lambda: np.asmatrix(A),
    "65 axes less one": lambda: np.ones((1,) * 64),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_the_layout_of_an_array_changes_no_number(name):
    given = LAYOUTS[name]()
    plain = np.array(given).copy()
    expected = tnn.grad(lambda v: f(v).sum())(plain)
    found = tnn.grad(lambda v: f(v).sum())(given)
    x = Tensor(given, requires_grad=True)
    f(x).sum().backward()
    other = Tensor(np.ones_like(plain), requires_grad=True)
    (given * other * given).sum().backward()
    for g, e in ((found, expected), (x.grad.numpy(), expected), (other.grad.numpy(), plain**2)):
        assert type(g) is np.ndarray
        assert g.shape == plain.shape
        np.testing.assert_allclose(g, e, rtol=1e-14)
    assert type(x.numpy()) is np.ndarray


def test_a_memory_map_is_read_and_never_written_nor_kept(tmp_path):
    stored = np.memmap(tmp_path / "weights", dtype=float, mode="w+", shape=(3, 4))
    stored[:] = A
    stored.flush()
    for mode in ("r", "r+", "c"):
        given = np.memmap(tmp_path / "weights", dtype=float, mode=mode, shape=(3, 4))
        x = Tensor(given, requires_grad=True)
        y = (x * given).sum()
        if mode != "r":
            given[:] = -1
        y.backward()
        with tnn.no_grad():
            x -= x.grad
        np.testing.assert_array_equal(x.grad.numpy(), A)
        np.testing.assert_array_equal(x.numpy(), np.zeros((3, 4)))
        assert type(x.data) is type(x.grad.data) is np.ndarray
        stored[:] = A
    np.testing.assert_array_equal(stored, A)


# --- copies and pickles -----------------------------------------------------------------------

REMAKE = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {n}": lambda t, n=n: pickle.loads(pickle.dumps(t, n))
        for n in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("name", REMAKE)
def test_a_copy_has_the_value_and_the_flags_and_no_gradient_and_shares_nothing(name):
    w = Tensor(START, requires_grad=True, name="w")
    (w * w).sum().backward()
    for t in (w, w.grad, w * 2, Tensor([1, 2]) > 1, w.detach(), Tensor(np.float16(0.5), True)):
        again = REMAKE[name](t)
        assert (again.requires_grad, again.name, again.dtype) == (t.requires_grad, t.name, t.dtype)
        np.testing.assert_array_equal(again.numpy(), t.numpy())
        assert again.is_leaf
        assert again.grad is None
        assert not again.data.flags.writeable
    again = REMAKE[name](w)
    with tnn.no_grad():
        again -= 1.0
        assert REMAKE[name](w).requires_grad
    np.testing.assert_array_equal(w.numpy(), START)
    np.testing.assert_array_equal(w.grad.numpy(), 2 * START)


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_model_copied_with_its_optimiser_trains_alone_and_alike(remake, rng):
    def step(model, optimizer, x):
        optimizer.zero_grad()
        np.mean(model(x) ** 2).backward()
        optimizer.step()

    model = tnn.nn.Sequential(tnn.nn.Dense(3, 2, rng=0), tnn.activations.tanh)
    optimizer = tnn.optim.Adam(model.parameters(), learning_rate=0.1)
    x = rng.normal(size=(4, 3))
    step(model, optimizer, x)
    twin, its_optimizer = remake((model, optimizer))
    before = [p.numpy() for p in model.parameters()]
    step(twin, its_optimizer, x)
    for p, value in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.numpy(), value)
    step(model, optimizer, x)
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


# --- programs that look at traced values ------------------------------------------------------

PROGRAMS = {
    "if": (lambda x: x * x if x > 1 else 3 * x, 6.0, 2.0),
    "if not": (lambda x: x * x if not x < 5 else x**3, 27.0, 6.0 * 3),
    "while": (lambda x: reduce(lambda y, _: y * y if y < 50 else y, range(9), x), 108.0, 108.0),
    "for": (lambda x: sum(x**n for n in range(3)), 7.0, 2.0),
    "count by value": (lambda x: sum(x * x for _ in range(int(x.item()))), 18.0, 6.0),
    "and, or": (lambda x: (x and x * 2) * (x - x.detach() or x), 6.0 + 6.0, 4.0),
    "max, min": (lambda x: max(x, 1.0) * min(x * x, 100), 27.0, 18.0),
    "sorted": (lambda x: sorted([x**3, x, x**2])[1], 6.0, 2.0),
    "index by value": (lambda x: [x, x**2][int(x.item()) - 2], 6.0, 2.0),
    "a key": (lambda x: {x: x * x}[x] if x in [x] else x, 6.0, 2.0),
    "any, all": (lambda x: x * x if (x > 0).all() and np.any(x > 2) else x, 6.0, 2.0),
    "isinstance": (lambda x: x if isinstance(x, float) else x * x, 6.0, 2.0),
    "held": (lambda x: x * x.item() * x.detach(), 9.0, 0.0),
    "round": (lambda x: x * round(x) * (x // 2) * abs(x), 18.0, 6.0),
    "try": (lambda x: x * x if math.isfinite(x.item()) else x, 6.0, 2.0),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_branch_by_value_inside_transforms(name):
    program, slope, curvature = PROGRAMS[name]
    assert tnn.grad(program)(3.0) == pytest.approx(slope)
    assert tnn.jvp(program, 3.0, 1.0)[1] == pytest.approx(slope)
    assert tnn.grad(tnn.checkpoint(program))(3.0) == pytest.approx(slope)
    x = leaf(3.0)
    program(x).backward()
    assert x.grad.item() == pytest.approx(slope)
    assert tnn.grad(tnn.grad(program))(3.0) == pytest.approx(curvature)
    assert tnn.hessian(program)(3.0) == pytest.approx(curvature)


@pytest.mark.parametrize(
    "leave",
    [float, int, math.sqrt, np.float32, np.asarray, math.fsum, list.index, np.arange, np.deg2rad],
)  # fmt: skip
def test_leaving_the_library_inside_a_transform_raises_rather_than_losing_the_slope(leave):
    program = {
        math.fsum: lambda x: math.fsum([x, x]), list.index: lambda x: range(9)[slice(0, float(x))],
        np.arange: lambda x: np.arange(0, x).sum(), np.deg2rad: lambda x: np.full(2, x).sum(),
    }.get(leave, lambda x: x * leave(x))  # fmt: skip
    with pytest.raises(ConversionError, match=r"\.detach\(\)"):
        tnn.grad(program)(3.0)
