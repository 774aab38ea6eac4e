"""What a compiled step uses may change between its calls, in any way; the step must follow."""

import argparse
import collections
import copy
import dataclasses
import pickle
import types

import numpy as np
import pytest
from programs import assert_same

import tinygrad_nn as tnn
from tinygrad_nn.errors import GradientError, TraceError

X = np.arange(1.0, 4.0)
factor = 2.0
namespace = globals()


def scaled(x):
    return x * factor


class Layer:
    scale = 2.0

    def __init__(self):
        self.w = tnn.Tensor(np.ones(3), requires_grad=True, name="w")
        self.calls = 0

    def __call__(self, x):
        return x * self.scale

    @property
    def doubled(self):
        return 2 * self.scale

    @tnn.compile
    def step(self, x):
        self.calls += 1
        loss = (self.w * x).sum()
        self.w.grad = None
        loss.backward()
        return loss


@pytest.mark.parametrize(
    "holder",
    [types.SimpleNamespace(a=1.0), argparse.Namespace(a=1.0), Layer()],
    ids=lambda holder: type(holder).__name__,
)
def test_attributes(holder):
    holder.a = 1.0
    step = tnn.compile(lambda x: x * holder.a)
    for value in (1.0, 2.0, 3.0, X, 4, np.float64(0.5), np.float32(7)):
        holder.a = value
        assert_same(X * value, step(X))


@pytest.mark.parametrize("kind", [list, collections.deque])
def test_sequences(kind):
    arrays = kind([np.ones(3)])
    step = tnn.compile(lambda x: sum(a * x for a in arrays))
    assert_same(X, step(X))
    arrays[0] = np.full(3, 2.0)
    assert_same(2 * X, step(X))
    arrays.append(X)
    assert_same(2 * X + X * X, step(X))
    arrays.pop()
    assert_same(2 * X, step(X))


def test_mappings():
    numbers = collections.OrderedDict(a=1.0)
    shown = types.MappingProxyType(numbers)
    step = tnn.compile(lambda x: x * sum(numbers.values()))
    through = tnn.compile(lambda x: x * sum(shown.values()))
    for change in ({"a": 3.0}, {"b": X}, {"a": 5.0}):
        numbers.update(change)
        assert_same(X * sum(numbers.values()), step(X))
        assert_same(X * sum(numbers.values()), through(X))
    del numbers["b"]
    assert_same(5 * X, step(X))


def test_sets():
    flags = {"double"}
    step = tnn.compile(lambda x: 2 * x if "double" in flags else x)
    assert_same(2 * X, step(X))
    flags.clear()
    assert_same(X, step(X))
    flags.add("double")
    assert_same(2 * X, step(X))


def test_class_attributes_and_methods(monkeypatch):
    layer = Layer()
    step = tnn.compile(lambda x: layer(x) + layer.doubled)
    assert_same(2 * X + 4, step(X))
    monkeypatch.setattr(Layer, "scale", 3.0)
    assert_same(3 * X + 6, step(X))
    layer.scale = 5.0  # hides the other
    assert_same(5 * X + 10, step(X))
    monkeypatch.setattr(Layer, "__call__", lambda self, x: 7 * x)
    assert_same(7 * X + 10, step(X))
    monkeypatch.setattr(Layer, "doubled", property(lambda self: 1.0))
    assert_same(7 * X + 1, step(X))


def test_globals_and_functions(monkeypatch):
    step = tnn.compile(lambda x: scaled(x))
    assert_same(2 * X, step(X))
    monkeypatch.setitem(namespace, "factor", 4.0)
    assert_same(4 * X, step(X))
    monkeypatch.setattr(scaled, "__code__", (lambda x: x - 1).__code__)
    assert_same(X - 1, step(X))
    monkeypatch.setitem(namespace, "scaled", lambda x: 9 * x)
    assert_same(9 * X, step(X))


def test_closures_and_defaults():
    a = 2.0

    def f(x, b=1.0, *, c=1.0):
        return x * a * b * c

    step, around = tnn.compile(f), tnn.compile(lambda x: f(x))
    for new in (2.0, 3.0, 4.0, X, 5, np.float64(2)):
        a = new
        assert_same(f(X), step(X))
        assert_same(f(X), around(X))
    f.__defaults__, f.__kwdefaults__ = (3.0,), {"c": 2.0}
    assert_same(f(X), around(X))
    a = None
    with pytest.raises(TypeError):
        step(X)


def test_arrays_changed_in_place():
    table = np.ones(3)
    step = tnn.compile(lambda x: x * table)
    for value in (1.0, 2.0, 3.0):
        table[:] = value
        assert_same(X * value, step(X))
    table.shape = (3, 1)
    assert_same(X * table, step(X))


def test_arrays_of_other_kinds(tmp_path):
    complex_ones = X + 1j
    mapped = np.memmap(tmp_path / "numbers", dtype=float, mode="w+", shape=(3,))
    step = tnn.compile(lambda x: (np.abs(complex_ones) * x, complex_ones.imag, x * mapped))
    for value in (1.0, 2.0):
        complex_ones[:], mapped[:] = value * 1j, value
        assert_same((value * X, np.full(3, value), value * X), step(X))


def test_private_slots_and_properties_that_fail():
    class Slotted:
        __slots__ = ("__weights",)

        def __init__(self):
            self.__weights = X

        def use(self, x):
            return self.__weights * x

        def change(self):
            self.__weights = 2 * X

    class Failing:
        rate = 2.0

        @property
        def name(self):
            raise RuntimeError("not yet")

    slotted, failing = Slotted(), Failing()
    step = tnn.compile(lambda x: slotted.use(x) * failing.rate)
    assert_same(2 * X * X, step(X))
    slotted.change()
    assert_same(4 * X * X, step(X))


def test_flags_and_counters_that_the_step_keeps_itself():
    def make():
        s = types.SimpleNamespace(flag=True, rate=np.float64(1.0))
        s.nested = {"count": 0, "flag": True, "sum": np.zeros(3)}

        def step(x):
            if not hasattr(s, "total"):
                s.total = np.zeros(3)
            s.total = s.total + x
            s.rate = s.rate * 0.5
            s.flag = not s.flag
            n = s.nested
            s.nested = {"count": n["count"] + 1, "flag": not n["flag"], "sum": n["sum"] + x}
            y = s.total * s.rate * (2 if s.flag else 3)
            return y, n["sum"] * (5 if n["flag"] else 7) + n["count"]

        return step

    step, compiled = make(), tnn.compile(make())
    for i in range(6):
        assert_same(step(X + i), compiled(X + i))


def training(seed=0):
    model = tnn.nn.Dense(3, 2, rng=seed)
    box = {"optimizer": tnn.optim.Adam(model.parameters(), 0.1)}

    def step(x):
        loss = (model(x) ** 2).mean()
        box["optimizer"].zero_grad()
        loss.backward()
        box["optimizer"].step()
        return loss

    return step, model, box


def test_optimizers_and_parameters_replaced_between_calls():
    (step, model, box), (other, second, basket) = training(), training()
    compiled, x = tnn.compile(other), np.ones((2, 3))
    changes = {
        2: lambda m, b: b.update(optimizer=tnn.optim.Adam(m.parameters(), 0.05)),
        3: lambda m, b: setattr(b["optimizer"], "learning_rate", 0.2),
        4: lambda m, b: setattr(m.weights, "data", np.full((3, 2), 0.5)),
        7: lambda m, b: setattr(m, "weights", tnn.Tensor(np.ones((3, 2)), requires_grad=True)),
        8: lambda m, b: b.update(optimizer=tnn.optim.SGD(m.parameters(), 0.05, 0.9)),
    }
    for i in range(11):
        change = changes.get(i, lambda m, b: None)
        change(model, box)
        change(second, basket)
        assert_same(step(x + i), compiled(x + i))
        for p, q in zip(model.parameters(), second.parameters(), strict=True):
            assert_same(p, q)
            assert p.requires_grad == q.requires_grad


def test_gradients_that_are_asked_for_or_not():
    v, w = (tnn.Tensor(X, requires_grad=True) for _ in range(2))

    def step(x):
        loss = (v * w * x).sum()
        v.grad = None
        loss.backward()
        return loss

    compiled = tnn.compile(step)
    for wanted in (True, False, True, False):
        w.requires_grad = wanted
        before = 0 if w.grad is None else w.grad.numpy().copy()
        compiled(X)
        assert_same(X * X, v.grad)
        if wanted:
            assert_same(before + X * X, w.grad)
    with tnn.no_grad(), pytest.raises(GradientError):
        compiled(X)
    compiled(X)


def test_numbers_that_change_take_no_new_program():
    step, _, box = training()
    compiled = tnn.compile(step)
    for i in range(10):
        box["optimizer"].learning_rate = 0.1 / (1 + i)
        compiled(np.ones((2, 3)))
    assert compiled.stats.traces <= 2


def test_copies_and_pickles_of_models():
    step, model, _ = training()
    compiled, x = tnn.compile(step), np.ones((2, 3))
    compiled(x)
    copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    before = [p.numpy().copy() for p in model.parameters()]
    compiled(x)
    compiled(x)
    for other in copies:
        assert_same(before, [p.numpy() for p in other.parameters()])
    model.weights = copies[0].weights  # which is not in the optimiser
    compiled(x)
    assert_same(before[0], copies[1].weights)


def test_methods():
    one, two = Layer(), Layer()
    two.w.data = np.full(3, 2.0)
    for i in range(3):
        assert one.step(X).item() == X.sum()
        assert two.step(X).item() == 2 * X.sum()
        assert one.calls == two.calls == i + 1


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_generators(make):
    def f(x, rng):
        return x[rng.permutation(3)] * rng.normal(size=3) + rng.choice(5, size=3)

    step = tnn.compile(f)
    one, same = make(1), make(1)
    for _ in range(3):
        assert_same(f(X, one), step(X, same))
    other, alike = make(5), make(5)
    assert_same(f(X, other), step(X, alike))
    assert_same(f(X, one), step(X, same))


def test_lists_that_a_step_appends_to_are_refused():
    history = []
    with pytest.raises(TraceError, match="history"):
        tnn.compile(lambda x: history.append(x))(X)
    assert history == []


@pytest.mark.parametrize("numbers", [(0.0, -0.0), ((1.0, 0.0), (1.0, -0.0))])
def test_numbers_that_are_equal_but_others(numbers):
    around = {"b": numbers[0]}
    compiled = tnn.compile(lambda x: np.copysign(x, np.array(around["b"])), threads=1)
    for around["b"] in (*numbers, *numbers):
        x = np.ones(2)
        np.testing.assert_array_equal(compiled(x), np.copysign(x, around["b"]))


def test_nan_is_the_same_number():
    around = {"b": (1.0, float("nan"))}
    compiled = tnn.compile(lambda x: x + np.array(around["b"]))
    for _ in range(3):
        compiled(np.ones(2))
        around["b"] = 1.0, float("nan")
    assert compiled.stats.traces == 1


def test_the_state_of_before_may_be_returned():
    model = tnn.nn.Dense(3, 2, rng=0)
    optimizer = tnn.optim.SGD(model.parameters(), 0.1)

    @tnn.compile
    def step(x):
        before = model.weights.detach()
        loss = (model(x) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return before, before.T, before[0]

    for _ in range(5):
        expected = model.weights.numpy().copy()
        whole, turned, row = (tensor.numpy() for tensor in step(np.ones((4, 3))))
        np.testing.assert_array_equal(whole, expected)
        np.testing.assert_array_equal(turned, expected.T)
        np.testing.assert_array_equal(row, expected[0])


def test_frozen_objects_that_hold_more_than_their_fields():
    @dataclasses.dataclass(frozen=True)
    class Scale:
        factor: float

    scale = Scale(2.0)
    object.__setattr__(scale, "shift", 1.0)
    compiled = tnn.compile(lambda x: x * scale.factor + scale.shift)
    np.testing.assert_array_equal(compiled(np.ones(2)), [3, 3])
    object.__setattr__(scale, "shift", 5.0)
    np.testing.assert_array_equal(compiled(np.ones(2)), [7, 7])


def test_what_appears_after_the_first_call(monkeypatch):
    class Slotted:
        __slots__ = ("scale",)

    class Plain:
        pass

    slotted, plain, x = Slotted(), Plain(), np.ones(2)

    def with_global(x):
        try:
            return x * appearing
        except NameError:
            return x

    def follow(function, appear):
        compiled = tnn.compile(function)
        compiled(x)
        appear()
        for _ in range(2):
            np.testing.assert_array_equal(compiled(x), [3, 3])

    follow(lambda x: x * getattr(slotted, "scale", 1.0), lambda: setattr(slotted, "scale", 3.0))
    follow(lambda x: x * getattr(plain, "scale", 1.0), lambda: setattr(plain, "scale", 3.0))
    follow(lambda x: x * getattr(plain, "shared", 1.0), lambda: setattr(Plain, "shared", 3.0))
    follow(with_global, lambda: monkeypatch.setitem(globals(), "appearing", 3.0))
    follow(
        lambda x: x * max(1.0, 2.0),
        lambda: monkeypatch.setitem(globals(), "max", lambda *numbers: 3.0),
    )


def test_a_global_name_that_the_step_makes(monkeypatch):
    monkeypatch.delitem(globals(), "made_by_the_step", raising=False)

    def step(x):
        global made_by_the_step
        made_by_the_step = x.sum()
        return x

    compiled = tnn.compile(step)
    for size in (2, 2, 3):
        compiled(np.ones(size))
        assert globals()["made_by_the_step"] == size
