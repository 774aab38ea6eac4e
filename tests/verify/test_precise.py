"""Numbers of sixty digits agree with mpmath, and so do rows and derivatives computed on them."""

import mpmath as mp
import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import activations as act
from tinygrad_nn.primitives import TABLE
from tinygrad_nn.verify.stability.decimals import Precise, digits, lifted
from tinygrad_nn.verify.stability.precise import evaluate, pulled, relative_error, weights
from tinygrad_nn.verify.table.sampling import sample

POINTS = [-700.5, -30.25, -1.5, -0.3, -1e-30, 1e-200, 1e-4, 0.4, 0.999, 2.0, 33.5, 1e3]
EVERYWHERE = ["exp", "exp2", "expm1", "sinh", "cosh", "tanh", "arcsinh", "square", "negative"]
EVERYWHERE += ["sin", "cos", "tan"]
POSITIVE = ["log", "log2", "log10", "sqrt", "reciprocal"]
ORACLES = {
    "exp2": lambda x: mp.mpf(2) ** x, "log2": lambda x: mp.log(x, 2), "square": lambda x: x * x,
    "negative": lambda x: -x, "reciprocal": lambda x: 1 / x, "arcsinh": mp.asinh,
    "arccosh": mp.acosh, "arctanh": mp.atanh,
}  # fmt: skip


def close(value, right):
    return abs(mp.mpf(str(value)) - right) <= abs(right) * mp.mpf("1e-50")


def evaluated(y, *entries):
    part = [n for n in tnn.Graph([y]).nodes if n.primitive is not None]
    return evaluate(part, {e._node: e.numpy() for e in entries}), part


# --- the numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "points"),
    [
        *((name, POINTS) for name in EVERYWHERE),
        *((name, [p for p in POINTS if p > 0]) for name in POSITIVE),
        ("log1p", [p for p in POINTS if p > -1]),
        ("arctanh", [p for p in POINTS if abs(p) < 1]),
        ("arccosh", [1.5, 2.0, 1e3]),
    ],
)
def test_functions_of_numpy_agree_with_mpmath(name, points, sixty_digits):
    oracle = ORACLES.get(name) or getattr(mp, name)
    with digits(110), mp.workdps(400):  # sinh near 0 cancels, in the oracle as well
        values = getattr(np, name)(lifted(np.array(points)))
        assert [
            p for p, v in zip(points, values, strict=True) if not close(v, oracle(mp.mpf(p)))
        ] == []


@pytest.mark.parametrize("operation", ["add", "subtract", "multiply", "divide", "power", "hypot"])
def test_operations_agree_with_mpmath_beside_any_number(operation, sixty_digits):
    named = {
        "add": mp.fadd, "subtract": mp.fsub, "multiply": mp.fmul, "divide": mp.fdiv,
        "power": mp.power, "hypot": mp.hypot,
    }  # fmt: skip
    others = () if operation == "hypot" else (np.array(3, dtype=object), np.float32(1.5))
    with digits():
        for a in (lifted(2.7), *others):
            for b in (lifted(0.3), lifted(0.5), lifted(2.0)):
                value = getattr(np, operation)(a, b)
                assert close(value, named[operation](mp.mpf(float(a)), mp.mpf(float(b))))


def test_infinities_and_nan_flow():
    with digits():
        zero, one = Precise(0), Precise(1)
        assert str(one / zero) == "Infinity"
        assert str(zero / 0) == "NaN"
        assert str(np.log(np.array(zero, dtype=object))) == "-Infinity"
        assert str(Precise(-1).sqrt()) == "NaN"
        assert not Precise(np.nan) < 1
        assert Precise(np.nan) != Precise(np.nan)
        assert Precise(0) ** 0 == 1
        assert float(Precise(-800).exp().log()) == -800
        assert [float(Precise(x).tanh()) for x in (np.inf, -np.inf)] == [1, -1]


def test_precision_is_of_the_block_alone():
    with digits(20):
        short = Precise(1) / 3
    with digits(40):
        long = Precise(1) / 3
    assert len(str(short)) == 22
    assert len(str(long)) == 42
    assert 0 < float(abs(long - short)) < 1e-19


def test_lifting_is_exact_and_leaves_what_are_no_floats():
    for dtype in (np.float16, np.float32, np.float64):
        values = np.array([[0.1, -np.inf], [1e-5, 3.0]], dtype=dtype)
        assert lifted(values).astype(np.float64).tolist() == values.tolist()
    assert lifted(np.float64(0.5)).shape == ()
    assert lifted(np.zeros((0, 2))).shape == (0, 2)
    assert lifted(np.array([1, 2])).dtype.kind == "i"
    assert lifted(np.array([True])).dtype == bool


# --- rows -------------------------------------------------------------------------------------

Z = [[1000.0, -1000.0, 0.5], [3.0, 2.0, -40.0]]


def softmax_oracle(row):
    total = mp.fsum(mp.exp(z) for z in row)
    return [mp.exp(z) / total for z in row]


@pytest.mark.parametrize(
    ("f", "oracle"),
    [
        (lambda z: np.log(act.softmax(z)), lambda z: [mp.log(p) for p in softmax_oracle(z)]),
        (act.log_softmax, lambda z: [mp.log(p) for p in softmax_oracle(z)]),
        (act.sigmoid, lambda z: [1 / (1 + mp.exp(-x)) for x in z]),
        (lambda z: np.log(1 - act.sigmoid(z)), lambda z: [-mp.log(1 + mp.exp(x)) for x in z]),
        (act.softplus, lambda z: [mp.log(1 + mp.exp(x)) for x in z]),
        (lambda z: np.logaddexp(0, z), lambda z: [mp.log(1 + mp.exp(x)) for x in z]),
        (lambda z: np.logaddexp.reduce(z, axis=-1, keepdims=True),
         lambda z: [mp.log(mp.fsum(map(mp.exp, z)))]),
        (lambda z: np.linalg.norm(z, axis=-1, keepdims=True),
         lambda z: [mp.sqrt(mp.fsum(x * x for x in z))]),
        (lambda z: np.var(z, axis=-1, keepdims=True),
         lambda z: [mp.fsum((x - mp.fsum(z) / 3) ** 2 for x in z) / 3]),
        (lambda z: np.std(z, axis=-1, keepdims=True),
         lambda z: [mp.sqrt(mp.fsum((x - mp.fsum(z) / 3) ** 2 for x in z) / 3)]),
        (lambda z: np.einsum("ij,ij->i", z, z)[:, None], lambda z: [mp.fsum(x * x for x in z)]),
        (lambda z: np.expand_dims(np.clip(z, -1, 1) @ np.array([1.0, 2.0, 3.0]), 1),
         lambda z: [mp.fsum(k * min(max(x, -1), 1) for k, x in enumerate(z, 1))]),
    ],
)  # fmt: skip
def test_rows_computed_again_agree_with_mpmath(f, oracle):
    z = tnn.Tensor(Z, requires_grad=True)
    with np.errstate(all="ignore"):
        y = f(z)
    found, _ = evaluated(y, z)
    assert found.sure
    with mp.workdps(2000):
        for values, row in zip(found.values[y._node], Z, strict=True):
            right = oracle([mp.mpf(x) for x in row])
            assert all(
                abs(mp.mpf(str(v)) - r) <= abs(r) * 1e-28
                for v, r in zip(values, right, strict=True)
            )


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_every_row_gives_on_such_numbers_what_it_gives_on_floats(row):
    for call in row.calls:
        xs = [
            tnn.Tensor(a, requires_grad=a.dtype.kind == "f")
            for a in sample(row, call, np.random.default_rng(0))
        ]
        y = row(*xs, **call.static)
        found, part = evaluated(y, *xs)
        assert found.values[y._node].astype(float) == pytest.approx(y.numpy(), rel=1e-9, abs=1e-9)
        slopes = pulled(found, part, y._node) if y.requires_grad else None
        if slopes is None:  # a rule that asks of its numbers what only floats can answer
            continue
        y.backward(weights(y._node))
        for x in xs:
            if x.grad is not None:
                right = x.grad.numpy()
                assert slopes[x._node].astype(float) == pytest.approx(right, rel=1e-8, abs=1e-8)


def test_what_needs_floats_is_rounded_and_named():
    x = tnn.Tensor([0.5, 1.0], requires_grad=True)
    y = np.log(2 + np.arctan(x))
    found, _ = evaluated(y, x)
    assert found.rounded == ("arctan",)
    assert found.values[y._node].astype(float) == pytest.approx(y.numpy(), rel=1e-15)


def test_numbers_that_a_float32_graph_meets_have_its_digits():
    x = tnn.Tensor([1.0], dtype=np.float32, requires_grad=True)
    y = x * 0.1
    found, _ = evaluated(y, x)
    assert float(found.values[y._node][0]) == float(np.float32(0.1))
    assert relative_error(y.numpy(), found.values[y._node]).tolist() == [0]


def test_too_much_work_is_declined():
    x = tnn.Tensor(np.ones((300, 300)), requires_grad=True)
    assert evaluated(np.exp(x), x)[0] is None
    assert evaluated(x @ x, x)[0] is None


def test_too_few_digits_are_owned_up_to():
    x = tnn.Tensor([1e6], requires_grad=True)
    with np.errstate(all="ignore"):
        y = np.log(1 - act.sigmoid(x))
    assert not evaluated(y, x)[0].sure


# --- gradients --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sqrt(np.sum(x**2, axis=-1)),
        lambda x: x * np.log(x),
        lambda x: np.log(act.softmax(x)),
        lambda x: act.softplus(x) / np.std(x),
        lambda x: np.einsum("ij,kj->ik", x, np.tanh(x)),
        lambda x: np.concatenate([x, np.max(x, axis=0, keepdims=True)]) ** 1.5,
        lambda x: np.where(x > 1, x, np.expm1(x)).T @ np.log1p(x),
    ],
)
def test_gradients_in_the_same_numbers_are_those_of_the_walker(f):
    x = tnn.Tensor([[0.5, 1.5, 2.0], [3.0, 0.25, 1.0]], requires_grad=True)
    y = f(x)
    found, part = evaluated(y, x)
    slopes = pulled(found, part, y._node)
    y.backward(weights(y._node))
    assert relative_error(x.grad.numpy(), slopes[x._node], overall=True).max() < 1e-14


def test_the_gradient_of_a_length_that_underflows():
    x = tnn.Tensor([3e-200, 4e-200], requires_grad=True)
    y = np.sqrt(np.sum(x**2))
    found, part = evaluated(y, x)
    assert pulled(found, part, y._node)[x._node].astype(float) == pytest.approx([0.6, 0.8])


def test_relative_errors():
    exact = lifted(np.array([2.0, 2.0, 0.0, np.inf, 1.0]))
    recorded = np.array([2.0, 3.0, 0.0, np.inf, np.nan])
    assert relative_error(recorded, exact).tolist() == [0, 0.5, 0, 0, np.inf]
    assert relative_error(recorded[:3], exact[:3] * 1, overall=True).tolist() == [0, 0.5, 0]


@pytest.mark.parametrize("x", [np.pi, np.pi / 2, 355.0, 1e22, -8e300, 1e-3, -0.0011, 6.3e15])
def test_angles_near_the_zeros_and_far_from_them(x, sixty_digits):
    with digits(), mp.workdps(900):
        assert close(Precise(x).sin(), mp.sin(mp.mpf(x)))
        assert close(Precise(x).cos(), mp.cos(mp.mpf(x)))
        assert close(Precise(x).tan(), mp.tan(mp.mpf(x)))


def test_a_number_meets_an_array_of_one_without_losing_digits():
    with digits():
        large = np.array(Precise(800).exp(), dtype=object)
        assert (Precise(1) / large).d > 0
