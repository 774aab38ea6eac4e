"""Compiled equals eager: random programs over the table, and all that the package offers."""

import itertools

import numpy as np
import pytest
from programs import Drawn, assert_same, attempt, spreads
from scipy import special

import tinygrad_nn as tnn

X = np.arange(12.0).reshape(4, 3) / 5 - 1.1
OTHER = np.cos(np.arange(12.0)).reshape(4, 3)
LENGTHS = {2: 3, 3: 4, 4: 5, 5: 6}  # for another shape


@pytest.mark.parametrize("block", range(42))
def test_random_programs(block):
    for seed in range(50 * block, 50 * block + 50):
        rng, dtype = np.random.default_rng(seed), np.float32 if seed % 3 == 0 else np.float64
        drawn = attempt(Drawn, rng)
        if isinstance(drawn, np.linalg.LinAlgError):  # the numbers that it was tried on
            continue
        program = drawn.program
        compiled = tnn.compile(program)
        for call, lengths in enumerate((None, None, LENGTHS)):
            inputs = drawn.sample(rng, dtype, lengths)
            expected = attempt(program, inputs, 0.7 + call)
            found = attempt(compiled, inputs, 0.7 + call)
            try:
                try:
                    assert_same(expected, found, program.digits)
                except AssertionError:  # sums in another order, and what magnifies last bits
                    slack = spreads(program, inputs, 0.7 + call, expected)
                    assert_same(expected, found, program.digits, slack)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, call {call}: {program}: {error}") from error


def assert_compiled(function, *calls, digits=16, eager_calls=0):
    """Compare a function with the same compiled, on several lists of arguments."""
    compiled = tnn.compile(function)
    for arguments in calls:
        assert_same(attempt(function, *arguments), attempt(compiled, *arguments), digits)
    assert compiled.stats.eager_calls <= eager_calls


def with_gradient(function):
    """A function and its gradient by the first argument."""

    def both(x, *others):
        y, pull = tnn.vjp(lambda x: function(x, *others), x)
        return y, pull(np.cos(y) + 1.5)

    return both


# --- what the package offers ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", tnn.activations.__all__)
def test_activations(name, dtype):
    x = X.astype(dtype)
    function = with_gradient(getattr(tnn.activations, name))
    assert_compiled(function, [x], [20 * x], [-500 * x], [x[:2]])


SHARES = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)
LABELS = np.array([0, 2, 1, 2])
LOSSES = {
    "mean_squared_error": (X, [{}]),
    "mean_absolute_error": (X, [{}]),
    "huber": (X, [{}, {"delta": 0.3}]),
    "kl_divergence": (SHARES, [{}]),
    "binary_cross_entropy": (SHARES, [{}, {"from_logits": True}]),
    "categorical_cross_entropy": (np.eye(3)[LABELS], [{}, {"from_logits": True}]),
    "sparse_categorical_cross_entropy": (LABELS, [{}, {"from_logits": True}]),
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, reduction):
    truth, choices = LOSSES[name]
    loss = getattr(tnn.losses, name)
    for options in choices:
        point = OTHER if options.get("from_logits") or truth is X else SHARES[::-1]
        function = with_gradient(lambda x, y, o=options: loss(y, x, reduction=reduction, **o))
        assert_compiled(function, [point, truth], [point[::-1], truth], [point[:2], truth[:2]])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_of_pairs(reduction):
    pairs = np.array([1, 0, 1, 0])
    contrastive = with_gradient(
        lambda x, y, p: tnn.losses.contrastive(p, x, y, margin=4.0, reduction=reduction)
    )
    assert_compiled(contrastive, [X, OTHER, pairs], [OTHER, 2 * X, pairs[::-1]])
    triplet = with_gradient(
        lambda x, y, z: tnn.losses.triplet(x, y, z, margin=4.0, reduction=reduction)
    )
    assert_compiled(triplet, [X, OTHER, -X], [OTHER, X, X + 1])


OPTIMIZERS = [
    *(
        (tnn.optim.SGD, {"momentum": m, "nesterov": n, "weight_decay": d})
        for m, n, d in itertools.product((0.0, 0.9), (False, True), (0.0, 0.01))
        if m or not n
    ),
    *(
        (tnn.optim.Adam, {"beta1": a, "beta2": b, "epsilon": e})
        for a, b, e in itertools.product((0.0, 0.9), (0.9, 0.999), (1e-8, 1e-3))
    ),
]


def trained(compiled, make, options, dtype, steps=6):
    """Losses, parameters and gradients after some steps on other data each time."""
    model = tnn.nn.Sequential(
        tnn.nn.Dense(3, 4, rng=0, dtype=dtype), np.tanh, tnn.nn.Dense(4, 2, rng=1, dtype=dtype)
    )
    optimizer = make(model.parameters(), 0.05, **options)

    def step(x, y):
        loss = tnn.losses.mean_squared_error(y, model(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run = tnn.compile(step) if compiled else step
    rng = np.random.default_rng(0)
    losses = [
        run(rng.normal(size=(5, 3)).astype(dtype), rng.normal(size=(5, 2)).astype(dtype))
        for _ in range(steps)
    ]
    return losses, [p.numpy() for p in model.parameters()], [p.grad for p in model.parameters()]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("make", "options"), OPTIMIZERS)
def test_optimizers(make, options, dtype):
    assert_same(trained(False, make, options, dtype), trained(True, make, options, dtype), 64)


# --- long runs --------------------------------------------------------------------------------


def losses_of(compiled, make_step, steps):
    step, batches = make_step()
    run = tnn.compile(step) if compiled else step
    return [run(*batches(i)).item() for i in range(steps)]


def spiral():
    x, y = tnn.data.spiral(50, 3)
    x = np.asarray(x, np.float32)
    model = tnn.nn.Sequential(
        tnn.nn.Dense(2, 16, rng=0, dtype=np.float32),
        tnn.activations.relu,
        tnn.nn.Dense(16, 3, rng=1, dtype=np.float32),
    )
    optimizer = tnn.optim.Adam(model.parameters(), 0.02)

    def step(x, y):
        loss = tnn.losses.sparse_categorical_cross_entropy(y, model(x), from_logits=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, lambda i: (x, y)


def regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 5))
    y = x @ rng.normal(size=(5, 1)) + 0.1 * rng.normal(size=(64, 1))
    layer = tnn.nn.Dense(5, 1, rng=0)
    optimizer = tnn.optim.SGD(layer.parameters(), 0.01, 0.9)

    def step(x, y):
        loss = tnn.losses.mean_squared_error(y, layer(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step, lambda i: (x[i % 4 :: 4], y[i % 4 :: 4])


@pytest.mark.parametrize(("make_step", "tolerance"), [(spiral, 2e-3), (regression, 1e-11)])
def test_a_thousand_steps(make_step, tolerance):
    expected, found = (losses_of(compiled, make_step, 1000) for compiled in (False, True))
    np.testing.assert_allclose(found, expected, rtol=tolerance)
    assert found[-1] < 0.7 * found[0]


# --- derivatives inside, and functions of other kinds -----------------------------------------


def scalar(x):
    return (np.tanh(x) ** 3 * x[::-1]).sum()


TRANSFORMED = {
    "grad": tnn.grad(scalar),
    "value_and_grad": tnn.value_and_grad(scalar),
    "hessian": tnn.hessian(scalar),
    "jacobian": tnn.jacobian(lambda x: np.tanh(x @ x.T)),
    "jvp": lambda x: tnn.jvp(np.tanh, (x,), (x + 1,)),
    "hvp": lambda x: tnn.hvp(scalar, (x,), (x + 1,)),
    "third derivative": tnn.elementwise_grad(tnn.elementwise_grad(tnn.elementwise_grad(np.tanh))),
    "of a gradient's size": tnn.grad(lambda x: (tnn.grad(scalar)(x) ** 2).sum()),
    "checkpoint": tnn.grad(lambda x: tnn.checkpoint(scalar)(2 * x)),
    "grad of compiled": tnn.grad(tnn.compile(scalar)),
    "checkpoint of compiled": tnn.grad(tnn.checkpoint(tnn.compile(scalar))),
}


@pytest.mark.parametrize("name", TRANSFORMED)
def test_derivatives_inside(name):
    assert_compiled(TRANSFORMED[name], [X], [X + 0.3], [X[:2]], digits=64)


SYMMETRIC = X.T @ X + np.eye(3)
FUNCTIONS = {
    "factors": lambda a: [*np.linalg.svd(a), *np.linalg.qr(a), *np.linalg.eigh(a)],
    "slogdet": lambda a: np.linalg.slogdet(a)._asdict(),
    "inverse": lambda a: (np.linalg.inv(a), np.linalg.det(a), np.linalg.cholesky(a)),
    "solve": lambda a: (np.linalg.solve(a, a[0]), np.linalg.lstsq(a, a[0], rcond=None)[0]),
    "einsum": lambda a: (np.einsum("ij,jk->ik", a, a), np.einsum("ii", a), np.einsum("ij->j", a)),
    "order": lambda a: (np.sort(a, axis=0), np.argsort(a), np.partition(a, 1), np.median(a)),
    "joining": lambda a: (np.concatenate([a, 2 * a]), np.stack([a, a]), np.split(a, 3)),
    "padding": lambda a: (np.pad(a, 1), np.pad(a, 2, mode="reflect"), np.roll(a, 1), np.tile(a, 2)),
    "running": lambda a: (np.cumsum(a, axis=0), np.cumprod(a), np.diff(a), np.trapezoid(a)),
    "choosing": lambda a: (np.where(a > 1, a, 0), np.clip(a, 0.5, 1), np.take(a, [2, 0], axis=1)),
    "parts": lambda a: (np.divmod(a, 0.7), np.modf(a), np.frexp(a), np.meshgrid(a[0], a[1])),
    "integers": lambda a: (a.astype(int) // 2, a.astype(int) % 3, np.argmax(a, axis=1), a > 1),
    "bits": lambda a: ((a > 1) & (a < 2) | ~(a > 0), np.floor(a).astype(np.int8) << 1),
    "means": lambda a: (a.mean(), a.mean(dtype=np.float32), a.astype(np.float16).mean()),
    "indexing": lambda a: (a[np.argsort(a[:, 0])], a[..., None, 1], a[::-1, [0, 2]]),
    "writing": lambda a: written(a),
}  # fmt: skip


def written(a):
    out = np.zeros_like(a)
    out[0] += a[1]
    out[1:, 1] = 5
    out[2] *= 2
    out[a > 1] = -1
    np.add.at(out, (np.array([0, 0]), np.array([1, 1])), a[0, :2])
    total = out.sum()
    same = total
    total += 1
    return out, total, same


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    assert_compiled(FUNCTIONS[name], [SYMMETRIC], [SYMMETRIC * 1.3], digits=256)


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.int8, np.int64, np.uint8, np.bool_, np.float64]
)
def test_dtypes_and_layouts(dtype):
    def function(x):
        return x + x, x.sum(), x * 2, x.mean(), x[::-1], x > 1, np.where(x > 1, x, 0), x.T, x**2

    x = np.arange(12).reshape(3, 4).astype(dtype)
    frozen = x.copy()
    frozen.flags.writeable = False
    wide = np.repeat(x, 2, axis=1)[:, ::2]
    calls = [x, np.asfortranarray(x), x[::-1], wide, frozen, np.broadcast_to(x[0], (3, 4))]
    empty = [np.ones(shape, dtype) for shape in ((0, 4), (3, 0))]
    assert_compiled(function, *([a] for a in [*calls, *empty, dtype(3) * np.ones((), dtype)]))


@pytest.mark.filterwarnings("ignore:compile.*not NumPy's")
def test_functions_of_other_libraries(table_restored):
    slope = lambda g, y, x: g * 2 / np.sqrt(np.pi) * np.exp(-x * x)
    tnn.primitive(special.erf, derivatives={"x": slope})
    assert_compiled(with_gradient(special.erf), [X], [OTHER], [X[:2]])
    assert_compiled(lambda x: special.gammaln(x) + 1, [X**2 + 1], [OTHER**2 + 1])
    second = tnn.elementwise_grad(tnn.elementwise_grad(special.erf))
    assert_compiled(second, [X], [OTHER])


def test_a_loss_of_zero_keeps_its_sign():
    logits, labels = np.array([[0.0, -np.inf], [-np.inf, 0.0]]), np.array([0, 1])

    def loss(z, y):
        return tnn.losses.sparse_categorical_cross_entropy(y, z, from_logits=True)

    expected, found = loss(logits, labels), tnn.compile(loss)(logits, labels)
    assert expected == found == 0
    assert np.signbit(found) == np.signbit(expected)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, np.bool_, np.float32, np.float64])
def test_conversions_and_masks(dtype):
    def function(x):
        whole = np.round(x * 10).astype(dtype)
        factor = whole.astype(x.dtype) * (x > 0)
        return whole, factor, (x < 1) * factor, whole.astype(np.int16).sum()

    x = np.abs(np.sin(np.arange(600.0))).reshape(30, 20)
    assert_compiled(function, [x], [x[::-1]], [x.astype(np.float32)], [x[:2]])
