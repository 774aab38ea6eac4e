"""What a step may not do, and what may go wrong in it: refused, or as if it had run itself."""

import itertools
import random
import statistics
import threading
import warnings
from typing import NamedTuple

import numpy as np
import pytest
from programs import assert_same
from scipy import special

import tinygrad_nn as tnn
from tinygrad_nn.errors import ArgumentError, TraceError

X = np.arange(1.0, 4.0)
MASK = np.array([True, False, True])
unlooked = pytest.mark.filterwarnings("ignore:compile.*not NumPy's")


# --- what looks at values ---------------------------------------------------------------------

counter = itertools.count()
LOOKING = {
    "if": lambda x: x if x[0] > 0 else -x,
    "while": lambda x: [x for _ in iter(lambda: x.sum() > 9, True)],
    "and": lambda x: x[0] > 0 and x[1],
    "float": lambda x: float(x[0]) * x,
    "item": lambda x: x.sum().item(),
    "range": lambda x: [x for _ in range(x.astype(int)[0])],
    "slice": lambda x: x[: x.astype(int)[0]],
    "in": lambda x: x if 2.0 in x else -x,
    "allclose": lambda x: x if np.allclose(x, 1) else -x,
    "format": lambda x: f"{x[0]:.3f}",
    "mask": lambda x: x[x > 1],
    "closed mask": lambda x: x[MASK],
    "unique": lambda x: np.unique(x),
    "asarray": lambda x: np.asarray(x),
    "bytes": lambda x: x.tobytes(),
    "view": lambda x: x.view(np.int64),
    "order in memory": lambda x: np.tanh(x).ravel(order="K"),
    "Tensor's data": lambda x: tnn.Tensor(x).data,
    "put": lambda x: np.put(x, [0], 5.0),
    "putmask": lambda x: np.putmask(x, MASK, 5.0),
    "sort in place": lambda x: x.sort(),
    "nan_to_num in place": lambda x: np.nan_to_num(x, copy=False),
    "fill_diagonal": lambda x: np.fill_diagonal(x[None], 1.0),
    "iterator": lambda x: x * next(counter),
    "random": lambda x: x * random.random(),
    "numpy.random": lambda x: x * np.random.rand(),
    "repeat": lambda x: np.repeat(x, x.astype(int)),
    "reshape": lambda x: x.reshape(x[0].astype(int), -1),
    "nested": lambda x: tnn.grad(lambda x: x.sum() if x.sum() > 0 else -x.sum())(x),
}


@pytest.mark.parametrize("name", LOOKING)
def test_what_looks_at_values_is_refused(name):
    x = X.copy()
    with pytest.raises(TraceError, match=r"test_failing\.py"):
        tnn.compile(LOOKING[name])(x)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize("first", [X, -X])
def test_a_branch_on_data_raises_whichever_side_comes_first(first):
    step = tnn.compile(LOOKING["if"])
    for x in (first, -first, first):
        with pytest.raises(TraceError, match=r"np\.where"):
            step(x)


def test_loops_over_shapes_unroll():
    def f(x):
        total = x * 0
        for i in range(len(x)):
            total = total + x[i] ** i if i % 2 else total - x[i]
        return total

    step = tnn.compile(f)
    for n in (1, 3, 5):
        assert_same(f(np.arange(n) + 1.0), step(np.arange(n) + 1.0))


def test_writing_a_fraction_into_integers_is_refused():
    def f(x):
        x += 0.5
        return x

    x = np.arange(3)
    with pytest.raises(TypeError):
        tnn.compile(f)(x)
    np.testing.assert_array_equal(x, np.arange(3))


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "b"]),
        np.array([1, 2], dtype=object),
        np.ma.masked_array(X, [0, 1, 0]),
        np.rec.array([(1, 2.0)]),
    ],
    ids=["text", "objects", "masked", "records"],
)
def test_arrays_that_are_not_of_numbers_are_refused(array):
    step = tnn.compile(lambda x: x * 2)
    step(X)
    for _ in range(2):
        with pytest.raises(TraceError, match="plain arrays of numbers"):
            step(array)


# --- functions that are not NumPy's -----------------------------------------------------------


@tnn.primitive(derivatives={"x": lambda g, y, x, n: g * n * x ** (n - 1)})
def power(x, n=2):
    if (x > 1e6).any():  # values may be looked at here
        raise KeyError("large")
    if (x < -1e6).any():
        raise KeyboardInterrupt
    return np.asarray([float(v) ** n for v in x.ravel()]).reshape(x.shape)


def test_a_function_of_the_users_runs_as_it_is_after_one_warning():
    w = tnn.Tensor(X, requires_grad=True)

    def step(x):
        loss = (power(w * x, n=3) * special.gammaln(x + 1)).sum()
        w.grad = None
        loss.backward()
        return loss

    compiled = tnn.compile(step)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for x in (X, X + 1, np.ones((2, 3))):
            assert_same([compiled(x), w.grad], [step(x), w.grad])
    (warning,) = caught
    text = str(warning.message)
    assert "power at" in text
    assert "gammaln at" in text
    assert "test_failing.py" in text
    assert warning.filename == __file__
    assert compiled.stats.eager_calls == 0


@unlooked
def test_a_function_of_the_users_may_keep_its_arrays_and_is_called_each_time():
    class Memory:
        calls = 0
        last = None

    memory = Memory()

    @tnn.primitive(derivatives={"x": lambda g, y, x: g * memory.last})
    def half_square(x):
        memory.calls += 1
        memory.last = x
        return x * x / 2

    w = tnn.Tensor(X, requires_grad=True)

    def step(x):
        z = w * x
        loss = np.tanh(half_square(z + 1)).sum() + np.tanh(z * 2).sum()
        w.grad = None
        loss.backward()
        return loss, w.grad

    compiled = tnn.compile(step)
    compiled(X)
    before = memory.calls
    for i in range(3):
        assert_same(step(X + i), compiled(X + i))
    assert memory.calls == before + 6


@unlooked
def test_a_result_of_another_shape_is_what_it_is():
    @tnn.primitive(derivatives={"x": lambda g, y, x: g * np.ones_like(x)})
    def total(x):
        return x.sum(keepdims=bool(x[0] > 0))

    step = tnn.compile(lambda x: total(x))
    for x in (X, -X, X):
        assert_same(total(x), step(x))


@unlooked
def test_second_derivatives_through_a_function_of_the_users():
    second = tnn.elementwise_grad(tnn.elementwise_grad(lambda x: power(x, n=3)))
    step = tnn.compile(second)
    for x in (X, X + 1):
        assert_same(second(x), step(x))


def test_warnings_that_are_errors_leave_everything_as_it_was():
    step = tnn.compile(lambda x: power(x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="power"):
            step(X)
        assert_same(X**2, step(X))


# --- errors in the middle of a step -----------------------------------------------------------


class Everything:
    """A step with every kind of state."""

    def __init__(self):
        self.layer = tnn.nn.Dense(3, 3, rng=0)
        self.optimizer = tnn.optim.Adam(self.layer.parameters(), 0.1)
        self.rng, self.old = np.random.default_rng(0), np.random.RandomState(0)
        self.count, self.total, self.mean = 0, np.zeros(3), tnn.Tensor(np.zeros(3))

    def step(self, x):
        self.count += 1
        self.total += x[0]
        self.mean = 0.9 * self.mean + 0.1 * x[0]
        noise = self.rng.normal(size=3) + self.old.normal(size=3)
        loss = (power(x) * self.layer(x) + noise).sum()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss + power(x * 1.0).sum()

    def state(self):
        parameters = self.layer.parameters()
        gradients = [None if p.grad is None else p.grad.numpy().copy() for p in parameters]
        generators = self.rng.bit_generator.state, self.old.get_state()
        return repr(
            (
                [p.numpy().copy() for p in parameters], gradients, generators, self.count,
                self.total.copy(), self.mean.numpy().copy(), vars(self.optimizer),
            )
        )  # fmt: skip


@unlooked
@pytest.mark.parametrize("calls_before", [0, 1, 3])
@pytest.mark.parametrize(("size", "error"), [(1e7, KeyError), (-1e7, KeyboardInterrupt)])
def test_an_error_leaves_the_state_as_it_was(calls_before, size, error):
    everything, alike = Everything(), Everything()
    step = tnn.compile(everything.step)
    for _ in range(calls_before):
        step(np.ones((2, 3)))
        alike.step(np.ones((2, 3)))
    before = everything.state()
    with pytest.raises(error):
        step(np.full((2, 3), size))
    assert everything.state() == before
    assert_same(alike.step(np.ones((2, 3))), step(np.ones((2, 3))))
    assert everything.state() == alike.state()


@pytest.mark.parametrize("bad", [9, -5])
def test_labels_out_of_range(bad):
    layer = tnn.nn.Dense(3, 4, rng=0)
    optimizer = tnn.optim.Adam(layer.parameters(), 0.1)

    def step(x, y):
        loss = tnn.losses.sparse_categorical_cross_entropy(y, layer(x), from_logits=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x, labels = np.ones((2, 3)), np.array([0, bad])
    compiled = tnn.compile(step)
    with pytest.raises(ValueError, match="label") as eager:
        step(x, labels)
    for _ in range(2):
        before = [p.numpy().copy() for p in layer.parameters()]
        with pytest.raises(type(eager.value)) as found:
            compiled(x, labels)
        assert str(found.value) == str(eager.value)
        assert_same(before, [p.numpy() for p in layer.parameters()])
        compiled(x, np.array([0, 3]))


def test_errors_of_numpy_that_are_switched_on():
    w = tnn.Tensor(X, requires_grad=True)

    def step(x):
        loss = np.exp(w * x).sum()
        w.grad = None
        loss.backward()
        return loss

    compiled = tnn.compile(step)
    with np.errstate(all="raise"):
        assert_same([step(X), w.grad], [compiled(X), w.grad])
        with pytest.raises(FloatingPointError):
            compiled(np.full(3, 1e4))
    with pytest.warns(RuntimeWarning, match="overflow"):
        compiled(np.full(3, 1e4))


def test_what_a_step_ignores_is_ignored():
    @tnn.compile
    def step(x):
        with np.errstate(divide="ignore"):
            y = np.log(x)
        return np.maximum(y, -10) + 1 / (x - 5)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            assert_same(np.array([-10.2, -0.25]), step(np.array([0.0, 1.0])))
    assert step.stats.eager_calls == 0
    with pytest.warns(RuntimeWarning, match="divide"):
        step(np.array([5.0, 1.0]))


def test_calls_from_several_threads():
    w = tnn.Tensor(np.zeros(3), requires_grad=True)
    optimizer = tnn.optim.SGD([w], 1.0)

    @tnn.compile
    def step(x):
        loss = (w * x).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    errors = []

    def run():
        try:
            for _ in range(100):
                step(np.ones(3))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert_same(np.full(3, -400.0), w)


def test_compiled_functions_inside_each_other():
    inner = tnn.compile(lambda x: x * 2)
    outer = tnn.compile(lambda x: inner(x) + (outer(x[0]).sum() if x.ndim > 1 else 1))
    for _ in range(2):
        assert_same(2 * X + 1, outer(X))
        assert_same(2 * X[None] + (2 * X + 1).sum(), outer(X[None]))
        inner(X)
    assert outer.stats.traces == 2


# --- arguments, and names ---------------------------------------------------------------------


class Pair(NamedTuple):
    a: object
    b: object


class Twins(NamedTuple):
    a: object
    b: object


def test_arguments_of_every_kind():
    def f(tree, *rest, flag=None, mode="a", n=2, **more):
        scaled = tree if mode == "a" else tree._replace(a=tree.a * n)
        return scaled, [r + 1 for r in rest], {"none": flag, **more}

    step = tnn.compile(f, static="n")
    one, two = Pair(X, (X, [X])), Twins(2 * X, {"k": X, "a b": X, 3: X, (1, 2): X})
    for args, kwargs in (
        ((one,), {}), ((two,), {}), ((one, X, X), {"flag": True}), ((two, 3), {"mode": "b"}),
        ((one, 2.5), {"mode": "b", "n": 3}), ((one,), {"extra": X, "flag": "text"}),
        ((two, np.float32(2), np.array(3.0)), {"import os; x": 7}), ((one,), {"flag": False}),
    ):  # fmt: skip
        expected, found = f(*args, **kwargs), step(*args, **kwargs)
        assert_same(expected[:2], found[:2])
        assert type(found[0]) is type(expected[0])
        assert expected[2].keys() == found[2].keys()
    with pytest.raises(ArgumentError, match="static"):
        step(one, n={1})


def test_numbers_keep_their_kind():
    step = tnn.compile(lambda x, a: (x * a, x + a))
    for x, a in itertools.product(
        (X, X.astype(np.float32), np.arange(3)),
        (2, 2.5, True, -1, 10**12, np.float32(3), np.float64(2), np.int64(2), np.array(2.0)),
    ):
        assert_same((x * a, x + a), step(x, a))


def test_programs_are_not_kept_without_end():
    step = tnn.compile(lambda x: x * 2)
    for n in range(40):
        assert_same(np.full(n, 2.0), step(np.ones(n)))
    assert "16 programs" in repr(step)


HOSTILE = [
    "import os; x", "a\"b'c", '"""', "x\ny", "ünïcödé", "λ", "lambda", "None", "np", "state", "new",
    "math", "x" * 1000, "\\", "", "0", "#", "a\x00b", '__import__("os")', "print", "step", "sum",
]  # fmt: skip


def test_hostile_names_of_tensors():
    def make():
        tensors = [tnn.Tensor(X * i, requires_grad=True, name=n) for i, n in enumerate(HOSTILE)]
        tensors += [tnn.Tensor(X, requires_grad=True, name="np") for _ in range(3)]
        optimizer = tnn.optim.Adam(tensors, 0.1)

        def step(x):
            loss = sum((w * w * x).sum() for w in tensors)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss, {name: w * 1.0 for name, w in zip(HOSTILE, tensors, strict=False)}

        return step, tensors

    (step, tensors), (other, others) = make(), make()
    compiled = tnn.compile(other)
    for i in range(3):
        assert_same(step(X + i), compiled(X + i))
        assert_same(tensors, others)
    compile(compiled.source, "source", "exec")


ARGUMENTS = [
    "np", "math", "state", "new", "total", "d_x", "sum", "result", "f", "constant", "rows", "_",
    "__", "match", "X", "x_2", "product", "loss", "λ",
]  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_hostile_names_of_arguments(name):
    space = {}
    exec(
        f"import numpy\ndef f({name}, y):\n"
        f"    return ({name} * y).sum() * 2 + {name}.mean(), numpy.tanh({name} @ {name}), 2 * y",
        space,
    )
    step = tnn.compile(space["f"])
    for x in (X, X + 1):
        assert_same(space["f"](x, 2 * x), step(x, 2 * x))


def test_a_singular_matrix_in_the_first_call_decides_nothing():
    def step(a):
        y, pull = tnn.vjp(lambda a: np.linalg.qr(a)[1], a)
        return y, pull(np.ones_like(y))

    compiled = tnn.compile(step)
    regular = np.random.default_rng(0).normal(size=(2, 3, 3))
    singular = regular.copy()
    singular[0, :, 0] = 0
    for a in (singular, regular, singular, regular):
        with np.errstate(all="ignore"):
            assert_same(step(a), compiled(a), 256)
    with pytest.raises(np.linalg.LinAlgError):
        tnn.compile(np.linalg.inv)(np.zeros((2, 2)))


def test_a_property_that_refuses_the_new_state_leaves_the_rest():
    class Picky:
        value = np.zeros(2)

        def __setattr__(self, name, value):
            if self.__dict__.get("closed"):
                raise RuntimeError("closed")
            object.__setattr__(self, name, value)

    picky, weights = Picky(), tnn.Tensor(np.ones(2), requires_grad=True)

    @tnn.compile
    def step(x):
        weights.data = weights.detach() + x
        picky.value = picky.value + x
        return x.sum()

    step(np.ones(2))
    step(np.ones(2))
    picky.__dict__["closed"] = True
    with pytest.raises(RuntimeError, match="closed"):
        step(np.ones(2))
    np.testing.assert_array_equal(weights.numpy(), [3, 3])
    np.testing.assert_array_equal(picky.value, [2, 2])


def test_zeros_keep_the_sign_that_the_step_gives_them():
    x = np.array([-0.0, 0.0, np.nan, -1.0, 2.0])
    for function in (
        lambda x: np.maximum(x, 0.0),
        lambda x: np.maximum(0.0, x),
        tnn.activations.relu,
        lambda x: np.clip(x, 0.0, None),
    ):
        for target in ("numpy", "teaching"):
            expected = np.asarray(function(x))
            found = np.asarray(tnn.compile(function, target=target)(x))
            np.testing.assert_array_equal(found, expected)
            if target == "numpy":
                np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_a_learning_rate_computed_from_arrays_is_refused():
    optimizer = tnn.optim.SGD([tnn.Tensor(np.ones(2), requires_grad=True)], 0.1)

    @tnn.compile
    def step(x):
        optimizer.learning_rate = x.sum()
        return x

    with pytest.raises(TraceError, match=r"the learning_rate .*from Python numbers"):
        step(X)


def test_messages_name_the_line_of_the_step_not_that_of_a_library():
    with pytest.raises(TraceError, match=r"test_failing\.py.*statistics\.fmean"):
        tnn.compile(lambda x: statistics.fmean(x))(X)
