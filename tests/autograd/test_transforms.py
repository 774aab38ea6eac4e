import math

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.errors import ArgumentError, DtypeError, GradientError, ShapeError


def is_plain(value):
    """Whether a transform kept its promise: arrays in, arrays out."""
    return type(value) is np.ndarray


def curved(x):
    """A scalar function of an array, with derivatives of every order and mixed ones."""
    return np.sum(np.exp(-x) * np.sin(3 * x)) + np.linalg.norm(x) * x.sum() ** 2


def smooth(x):
    """From (3,) to (2,), nothing about it symmetric."""
    return np.stack([np.sin(x[0]) * x[1] / x[2], np.sum(np.exp(x) * x[::-1])])


def difference(f, x, t, step=1e-4):
    """The directional derivative of a function on arrays, by five-point differences."""
    f1, f2, f3, f4 = (f(x + k * step * t) for k in (-2, -1, 1, 2))
    return (f1 - 8 * f2 + 8 * f3 - f4) / (12 * step)


@pytest.fixture
def x(rng):
    return rng.uniform(0.5, 1.5, 3)


@pytest.fixture
def t(rng):
    return rng.normal(size=3)


# --- against closed forms, differences, and one another ---------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("f", "derivative"),
    [
        (np.sin, lambda x, n: math.sin(x + n * math.pi / 2)),
        (lambda x: np.exp(2 * x), lambda x, n: 2**n * math.exp(2 * x)),
        (lambda x: x**5, lambda x, n: math.perm(5, n) * x ** (5 - n)),
        (lambda x: 1 / x, lambda x, n: (-1) ** n * math.factorial(n) / x ** (n + 1)),
        (np.log, lambda x, n: -((-1) ** n) * math.factorial(n - 1) / x**n),
        (np.sqrt, lambda x, n: math.prod(0.5 - k for k in range(n)) * x ** (0.5 - n)),
        (lambda x: x**3.5, lambda x, n: math.prod(3.5 - k for k in range(n)) * x ** (3.5 - n)),
    ],
)  # fmt: skip
def test_nested_transforms_agree_with_closed_forms_to_the_fourth_order(f, derivative, order):
    reverse = forward = mixed = f
    for i in range(order):
        reverse = tnn.grad(reverse)
        forward = (lambda f: lambda x: tnn.jvp(f, (x,), (1.0,))[1])(forward)
        mixed = (
            tnn.jacobian(mixed) if i % 2 else (lambda f: lambda x: tnn.vjp(f, x)[1](1.0)[0])(mixed)
        )
    for nested in (reverse, forward, mixed):
        value = nested(1.3)
        assert is_plain(value)
        assert value == pytest.approx(derivative(1.3, order), rel=1e-12)


def test_every_transform_agrees_with_differences(x, t, rng):
    y, dy = tnn.jvp(smooth, x, t)
    np.testing.assert_array_equal(y, smooth(x))
    np.testing.assert_allclose(dy, difference(smooth, x, t), rtol=1e-9)
    jacobian = tnn.jacobian(smooth)(x)
    np.testing.assert_allclose(jacobian @ t, dy, rtol=1e-13)
    y, pullback = tnn.vjp(smooth, x)
    for g in rng.normal(size=(2, 2)):  # a pullback may be called again
        np.testing.assert_allclose(pullback(g)[0], g @ jacobian, rtol=1e-13)
    value, gradient = tnn.value_and_grad(curved)(x)
    assert value == curved(x)
    np.testing.assert_array_equal(gradient, tnn.grad(curved)(x))
    assert gradient @ t == pytest.approx(difference(curved, x, t), rel=1e-9)


def test_second_order_transforms_agree_with_differences_and_one_another(x, t):
    product = tnn.hvp(curved, x, t)
    np.testing.assert_allclose(product, difference(tnn.grad(curved), x, t), rtol=1e-9)
    hessian = tnn.hessian(curved)(x)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)
    np.testing.assert_allclose(hessian @ t, product, rtol=1e-12)
    np.testing.assert_allclose(tnn.jvp(tnn.grad(curved), x, t)[1], product, rtol=1e-12)
    np.testing.assert_allclose(tnn.jacobian(tnn.grad(curved))(x), hessian, rtol=1e-13)
    third = tnn.jacobian(tnn.hessian(curved))(x)
    np.testing.assert_allclose(third @ t, difference(tnn.hessian(curved), x, t), rtol=1e-8)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_shapes_and_dtypes_of_what_transforms_return(dtype):
    x, t = np.ones((2, 3), dtype), np.ones((2, 3))
    f = lambda x: np.sum(x * x, axis=1)
    outcomes = {
        (2, 3): [tnn.grad(lambda x: f(x).sum())(x), tnn.vjp(f, x)[1](np.ones(2))[0],
                 tnn.hvp(lambda x: f(x).sum(), x, t)],
        (2,): [*tnn.jvp(f, x, t), tnn.vjp(f, x)[0]],
        (2, 2, 3): [tnn.jacobian(f)(x)],
        (2, 3, 2, 3): [tnn.hessian(lambda x: f(x).sum())(x)],
        (0, 3): [tnn.jacobian(lambda x: x[:0, 0])(x).sum(axis=1), tnn.grad(np.sum)(x[:0])],
    }  # fmt: skip
    for shape, values in outcomes.items():
        for value in values:
            assert is_plain(value)
            assert (value.shape, value.dtype) == (shape, dtype)


# --- arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argnums", "expected"),
    [
        (0, 15), (1, 10), (-1, 6), (-3, 15), ((0, 1), (15, 10)), ((2, 0), (6, 15)), ((1,), (10,)),
        ((0, 0), (15, 15)), ((2, -1), (6, 6)), ((), ()), (np.int64(1), 10),
    ],
)  # fmt: skip
def test_argnums_choose_the_arguments(argnums, expected):
    gradient = tnn.grad(lambda a, b, c: a * b * c, argnums)(2.0, 3.0, 5.0)
    assert isinstance(gradient, tuple) == isinstance(argnums, tuple)
    np.testing.assert_array_equal(gradient, expected)


def test_blocks_of_jacobians_and_hessians_follow_argnums(rng):
    a, b = rng.normal(size=2), rng.normal(size=3)
    f = lambda a, b: np.sum(a * a) * np.sum(b) + np.sum(b**3)
    (aa, ab), (ba, bb) = tnn.hessian(f, (0, 1))(a, b)
    np.testing.assert_allclose(aa, 2 * b.sum() * np.eye(2))
    np.testing.assert_allclose(ab, np.outer(2 * a, np.ones(3)))
    np.testing.assert_allclose(ba, ab.T)
    np.testing.assert_allclose(bb, np.diag(6 * b))
    np.testing.assert_allclose(tnn.hessian(f, -1)(a, b), bb)
    for_a, for_b = tnn.jacobian(lambda a, b: a[:, None] * b, (0, 1))(a, b)
    np.testing.assert_allclose(for_a, np.einsum("ik,j->ijk", np.eye(2), b))
    np.testing.assert_allclose(for_b, np.einsum("i,jk->ijk", a, np.eye(3)))
    da, db = rng.normal(size=2), rng.normal(size=3)
    pa, pb = tnn.hvp(f, (a, b), (da, db))
    np.testing.assert_allclose(pa, aa @ da + ab @ db)
    np.testing.assert_allclose(pb, ba @ da + bb @ db)


def test_other_arguments_pass_through_untouched():
    def f(x, flag, *, scale, data):
        assert flag == "yes"
        assert type(data) is np.ndarray
        return (x * scale * data).sum()

    data = np.array([1.0, 2.0])
    np.testing.assert_array_equal(
        tnn.grad(f)(np.array([3.0, 4.0]), "yes", scale=2, data=data), [2, 4]
    )
    np.testing.assert_array_equal(tnn.jacobian(f)(data, "yes", scale=2, data=data), [2, 4])


def test_what_does_not_depend_on_an_argument_gives_zeros_never_none(x, t):
    constant = lambda x: np.array([1.0, 2.0])
    np.testing.assert_array_equal(tnn.grad(lambda x: 3.0)(x), np.zeros(3))
    np.testing.assert_array_equal(tnn.grad(lambda x, y: x.sum(), 1)(x, t), np.zeros(3))
    np.testing.assert_array_equal(tnn.grad(lambda x: np.sum(np.argmax(x)))(x), np.zeros(3))
    np.testing.assert_array_equal(tnn.jacobian(constant)(x), np.zeros((2, 3)))
    np.testing.assert_array_equal(tnn.jvp(constant, x, t)[1], np.zeros(2))
    np.testing.assert_array_equal(tnn.vjp(constant, x)[1]([1.0, 1.0])[0], np.zeros(3))
    np.testing.assert_array_equal(tnn.hvp(np.sum, x, t), np.zeros(3))
    np.testing.assert_array_equal(tnn.hessian(lambda x: 1.0)(x), np.zeros((3, 3)))
    np.testing.assert_array_equal(tnn.grad(tnn.grad(lambda x: 2 * x))(1.0), 0.0)


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: tnn.grad(lambda x: x)(np.ones(2)), ShapeError, "scalar"),
        (lambda: tnn.hvp(lambda x: x, np.ones(2), np.ones(2)), ShapeError, "scalar"),
        (lambda: tnn.grad(np.sum)([1, 2]), DtypeError, "1.0"),
        (lambda: tnn.vjp(np.sum, True), DtypeError, "floating"),
        (lambda: tnn.grad(lambda x: (x, x))(1.0), GradientError, "tuple"),
        (lambda: tnn.grad(lambda x: None)(1.0), GradientError, "None"),
        (lambda: tnn.grad(np.sin, 1)(1.0), ArgumentError, "argnums"),
        (lambda: tnn.grad(np.sin, -2)(1.0), ArgumentError, "argnums"),
        (lambda: tnn.grad(np.sin, 0.5)(1.0), ArgumentError, "argnums"),
        (lambda: tnn.hessian(np.sin, "x")(1.0), ArgumentError, "argnums"),
        (lambda: tnn.jvp(np.sin, np.ones(2), np.ones(3)), ShapeError, r"\(2,\).*\(3,\)"),
        (lambda: tnn.jvp(np.sin, (1.0,), (1.0, 2.0)), ArgumentError, "one tangent for each"),
        (lambda: tnn.vjp(np.sin, np.ones(2))[1](1.0), ShapeError, r"\(2,\).*\(\)"),
    ],
)
def test_misuse_is_explained(call, kind, said):
    with pytest.raises(kind, match=said):
        call()


def test_arrays_that_go_in_and_come_out_are_shared_with_nobody(x, rng):
    original, g = x.copy(), rng.normal(size=3)
    y, pullback = tnn.vjp(lambda x: x, x)
    y[:] = x[:] = 99
    (back,) = pullback(g)
    np.testing.assert_array_equal(back, g)
    back[:] = 99
    np.testing.assert_array_equal(pullback(g)[0], g)
    _, pullback = tnn.vjp(lambda x: x * x, x)
    x[:] = original
    np.testing.assert_array_equal(pullback(g)[0], 2 * 99 * g)
    for_a, for_b = tnn.grad(lambda a, b: (a + b).sum(), (0, 1))(x, x)
    for_a[:] = 7
    np.testing.assert_array_equal(for_b, np.ones(3))


# --- nesting ----------------------------------------------------------------------------------

NESTED = {
    "Siskind and Pearlmutter": (lambda x: x * tnn.grad(lambda y: x + y)(1.0), 2.0, 1.0),
    "inner product": (lambda x: x * tnn.grad(lambda y: x * y)(3.0), 2.0, 4.0),
    "inner at outer": (lambda x: x * tnn.grad(lambda y: x * y * y)(x), 2.0, 6 * 2.0**2),
    "jvp closes over": (lambda x: x * tnn.jvp(lambda y: x * y, (3.0,), (1.0,))[1], 5.0, 10.0),
    "jvp along outer": (lambda x: tnn.jvp(lambda y: y**2, (3.0,), (x,))[1], 5.0, 6.0),
    "jvp at outer": (lambda x: tnn.jvp(lambda y: y**3, (x,), (1.0,))[1], 5.0, 30.0),
    "jvp in all": (lambda x: tnn.jvp(lambda y: x * y**2, (x,), (x,))[1], 2.0, 6 * 2.0**2),
    "vjp of outer": (lambda x: tnn.vjp(lambda y: y**2, 3.0)[1](x)[0], 5.0, 6.0),
    "hvp": (lambda x: tnn.hvp(lambda y: x * y**3, (2.0,), (x,)), 5.0, 12 * 2 * 5.0),
    "hessian": (lambda x: tnn.hessian(lambda a, b: x * a**2 * b, (0, 1))(2.0, 3.0)[0][1], 5.0, 4.0),
    "jacobian": (lambda x: tnn.jacobian(lambda y: x * x * y)(1.0), 3.0, 6.0),
    "unused inner": (lambda x: x * tnn.grad(lambda y: x)(1.0) + x, 3.0, 1.0),
    "constant inner": (lambda x: x * tnn.grad(lambda y: y**2)(4.0), 3.0, 8.0),
    "three deep": (
        lambda x: tnn.grad(lambda y: tnn.grad(lambda z: x * y * y * z**3)(y))(x), 2.0, 48 * 2.0**3,
    ),
    "both at once": (
        lambda x: np.multiply(*tnn.value_and_grad(lambda y: x * y * y)(2.0)), 3.0, 96.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NESTED)
def test_nested_perturbations_are_not_confused(name):
    f, at, expected = NESTED[name]
    for derivative in (tnn.grad(f)(at), tnn.jacobian(f)(at), tnn.jvp(f, (at,), (1.0,))[1]):
        assert is_plain(derivative)
        assert derivative == pytest.approx(expected, rel=1e-12)


def test_a_parameter_outside_makes_the_gradient_differentiable():
    w = Tensor(2.0, requires_grad=True)
    gradient = tnn.grad(lambda x: w * w * x**2)(3.0)
    assert isinstance(gradient, Tensor)
    gradient.backward()
    assert w.grad.item() == 2 * 2.0 * 2 * 3.0
    assert tnn.grad(lambda q: q * q)(w).item() == 4.0
    assert w.grad.item() == 24.0  # a transform adds to nobody's .grad


def test_backward_inside_a_transform_is_a_world_of_its_own():
    def f(x):
        w = Tensor(2.0, requires_grad=True)
        (w * w).backward()
        return x * w.grad

    assert tnn.grad(f)(3.0) == 4.0


def test_no_grad_inside_a_transform_makes_constants_and_outside_it_changes_nothing():
    def f(x):
        with tnn.no_grad():
            constant = x * 2
        return constant * x

    assert tnn.grad(f)(3.0) == 6.0
    cube, at = (lambda x: (x**3).sum()), np.array([1.0, 2.0])
    with tnn.no_grad():
        assert tnn.grad(tnn.grad(cube))(2.0) == 12.0
        assert tnn.grad(f)(3.0) == 6.0
        np.testing.assert_array_equal(tnn.hvp(cube, at, at), 6 * at * at)
        np.testing.assert_array_equal(tnn.hessian(cube)(at), np.diag(6 * at))
        np.testing.assert_array_equal(tnn.jvp(cube, at, at)[1], 3 * at**2 @ at)
        assert is_plain(tnn.grad(lambda x: x * Tensor(2.0, requires_grad=True))(3.0))


def test_a_deep_computation_differentiates_twice_without_recursion():
    def f(x):
        for _ in range(20_000):
            x = x * 1.0001
        return x * x

    assert tnn.grad(tnn.grad(f))(1.0) == pytest.approx(2 * 1.0001**40_000)
