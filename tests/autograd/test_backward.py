import gc
import threading
import time
import weakref

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Graph, Tensor
from tinygrad_nn.autograd.backward import plan, unbroadcast, walk
from tinygrad_nn.errors import GradientError, MissingDerivativeError, ShapeError
from tinygrad_nn.primitives import Derivative, Primitive, Trait


def leaf(data, dtype=np.float64):
    return Tensor(np.array(data, dtype), requires_grad=True)


# --- the chain rule, once ---------------------------------------------------------------------


def test_backward_twice_adds_the_same_gradient_exactly(rng):
    x, w = leaf(rng.normal(size=(5, 3))), leaf(rng.normal(size=(3, 2)))
    loss = (np.tanh(x @ w) ** 2).mean()
    loss.backward()
    first = [t.grad.numpy().copy() for t in (x, w)]
    held = x.grad
    loss.backward()
    for t, g in zip((x, w), first, strict=True):
        np.testing.assert_array_equal(t.grad.numpy(), g + g)
    np.testing.assert_array_equal(held.numpy(), first[0])  # a gradient taken earlier stays


def test_several_losses_add_up_and_a_gradient_assigned_by_hand_counts(rng):
    x = leaf([1.0, 2.0])
    x.grad = [10.0, 20.0]
    shared = x * x
    (shared * 3).sum().backward()
    shared.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [10 + 8 * 1, 20 + 8 * 2])


def test_every_path_through_a_diamond_counts_once():
    x = leaf(0.7)
    a = x * x
    y = a * a + a * x + a
    y.backward()
    assert x.grad.item() == pytest.approx(4 * 0.7**3 + 3 * 0.7**2 + 2 * 0.7)


def test_a_leaf_is_its_own_output_and_a_repeated_argument_counts_twice(rng):
    x, g = leaf([1.0, 2.0]), rng.normal(size=2)
    x.backward(g)
    np.testing.assert_array_equal(x.grad.numpy(), g)
    x.grad = None
    np.stack([x, x, x * x]).backward(np.stack([g, 2 * g, 3 * g]))
    np.testing.assert_allclose(x.grad.numpy(), 3 * g + 6 * g * x.numpy())


def test_a_non_scalar_needs_a_cotangent_of_its_shape(rng):
    x, g = leaf(rng.normal(size=(2, 3)), np.float32), rng.normal(size=(2, 3))
    y = x * x
    with pytest.raises(GradientError, match=r"scalar.*\(2, 3\)"):
        y.backward()
    with pytest.raises(ShapeError, match=r"\(2, 3\).*\(3,\)"):
        y.backward(np.ones(3))
    with pytest.raises(ShapeError):
        y.backward(1.0)
    y.backward(g)
    np.testing.assert_allclose(x.grad.numpy(), 2 * g * x.numpy(), rtol=1e-6)
    y.backward(Tensor(g))
    y.backward(g.tolist())
    np.testing.assert_allclose(x.grad.numpy(), 6 * g * x.numpy(), rtol=1e-6)


def test_backward_without_anything_to_differentiate_says_so():
    with pytest.raises(GradientError, match="requires_grad"):
        Tensor(1.0).backward()
    with tnn.no_grad():
        constant = leaf(2.0) * 3
    with pytest.raises(RuntimeError, match="requires_grad"):
        constant.backward()


def test_backward_runs_under_no_grad_and_leaves_interior_results_without_gradients():
    x = leaf([1.0, 2.0])
    y = x * x
    loss = y.sum()
    with tnn.no_grad():
        loss.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 4])
    assert y.grad is None


def test_a_missing_derivative_leaves_no_gradient_half_added():
    x, c = leaf([1.0, 2.0]), leaf([0.0, 1.0])
    by_first = Derivative("g·b", lambda g, y, a, b: g * b)
    half = Primitive(np.multiply, "a·b", Trait.NONE, by_first, None, name="test.half")
    y = (x * 3).sum() + half(x, c).sum()
    with pytest.raises(MissingDerivativeError, match=r"test\.half"):
        y.backward()
    assert x.grad is None
    assert c.grad is None


def test_a_rebound_leaf_collects_what_old_and_new_values_receive():
    w = leaf(2.0)
    before = w * w
    with tnn.no_grad():
        w += 1.0
    (before + w * w).backward()
    assert w.grad.item() == 2 * 2.0 + 2 * 3.0


@pytest.mark.parametrize(
    ("shape", "to"),
    [((2, 3, 4), (3, 1)), ((2, 3), ()), ((0, 3), (1, 3)), ((3,), (3,)), ((1, 1), (1,))],
)
def test_unbroadcast_sums_what_broadcasting_repeated(shape, to, rng):
    g, expected = rng.normal(size=shape), np.zeros(to)
    where = np.broadcast_to(np.arange(expected.size).reshape(to), shape)
    np.add.at(expected.reshape(-1), where.ravel(), g.ravel())
    np.testing.assert_allclose(unbroadcast(g, to), expected, rtol=1e-13, atol=1e-15)
    with pytest.raises(GradientError, match="derivative"):
        unbroadcast(rng.normal(size=(2, 3)), (7, 7))


def test_the_walk_yields_each_nodes_complete_gradient_outputs_first():
    x = leaf(3.0)
    a = x * x
    y = a * a
    seen = [(node, g.item()) for node, g in walk(plan([y._node]), [(y._node, np.array(1.5))])]
    assert seen == [(y._node, 1.5), (a._node, 27.0), (x._node, 162.0)]
    only = [node for node, _ in walk(plan([y._node], {a._node}), [(y._node, np.array(1.0))])]
    assert only == [y._node, a._node]


# --- a recorded array is never written --------------------------------------------------------


class _Subclass(np.ndarray):
    """Arrays of user classes, memory maps among them, are written into as well."""


USES = {
    "operand": lambda x, a: x * a,
    "subclass": lambda x, a: x * a.view(_Subclass),
    "view": lambda x, a: x * a[::-1],
    "broadcast": lambda x, a: x * np.broadcast_to(a[0], 3),
    "0-d": lambda x, a: x * a[:1].reshape(()),
    "reflected": lambda x, a: a / x + a**x,
    "ufunc": lambda x, a: np.multiply(a, x),
    "list": lambda x, a: x * [a[0:1].reshape(()), 1.0, 2.0],
    "constant": lambda x, a: x * Tensor(a),
    "condition": lambda x, a: np.where(a > 2.5, x, a * x),
    "condition itself": lambda x, a: np.where(a.view(np.int64), x, 2 * x),
    "clip bound": lambda x, a: np.clip(x, a, None) * a,
    "atleast": lambda x, a: x * np.atleast_1d(Tensor(1.0), a)[1],
    "broadcast arrays": lambda x, a: x * np.broadcast_arrays(Tensor(1.0), a)[1],
    "out": lambda x, a: x * np.add(Tensor([1.0, 2.0, 3.0]), 1.0, out=a),
}


@pytest.mark.parametrize("use", USES)
def test_writing_into_ones_own_arrays_after_the_forward_pass_changes_no_gradient(use, rng):
    results = []
    g = rng.normal(size=3)
    for overwrite in (False, True):
        x, a = leaf([0.5, 1.5, 2.0]), np.array([2.0, 3.0, 4.0])
        y = USES[use](x, a)
        if overwrite:
            a[:] = np.nan
        y.backward(g)
        results.append(x.grad.numpy())
    np.testing.assert_array_equal(*results)
    assert np.all(np.isfinite(results[0]))


@pytest.mark.parametrize("make", [lambda: [1, 0], lambda: np.array([1, 0])])
@pytest.mark.parametrize("use", [np.transpose, lambda x, i: x[i], lambda x, i: x[:, i]])
def test_indices_and_axes_may_be_overwritten_after_the_forward_pass(make, use, rng):
    x, own, g = leaf(rng.normal(size=(2, 2))), make(), rng.normal(size=(2, 2))
    y = use(x, own)
    own[:] = [0, 1]
    y.backward(g)
    positions = use(np.arange(4).reshape(2, 2), make())
    expected = np.bincount(positions.ravel(), g.ravel(), minlength=4).reshape(2, 2)
    np.testing.assert_allclose(x.grad.numpy(), expected)


def test_the_cotangent_may_be_overwritten_and_is_not_shared_with_the_gradient(rng):
    x, g = leaf([1.0, 2.0]), rng.normal(size=2)
    expected = g.copy()
    (x + 0.0).backward(g)
    g[:] = np.nan
    np.testing.assert_array_equal(x.grad.numpy(), expected)
    a, b = leaf([1.0]), leaf([2.0])
    (a + b).backward([1.5])
    a.grad *= 2
    assert b.grad.item() == 1.5


# --- size, and freeing ------------------------------------------------------------------------


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_chain_of_200_000_nodes_records_differentiates_and_is_freed(in_thread):
    def work():
        x = y = leaf(1.0)
        for _ in range(200_000):
            y = y * 0.99999
        y.backward()
        assert len(Graph([y._node])) == 200_001
        gone = weakref.ref(y)
        del y
        assert gone() is None
        done.append(x.grad.item())

    done = []
    if in_thread:  # threads have small stacks
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    else:
        work()
    assert done == [pytest.approx(0.99999**200_000)]


def test_a_fan_of_200_000_nodes_records_and_differentiates():
    x = total = leaf(0.5)
    for branch in [x * 2.0 for _ in range(100_000)]:
        total = total + branch
    total.backward()
    assert x.grad.item() == 200_001


@pytest.mark.parametrize("join", [np.stack, np.concatenate])
def test_joining_four_times_as_many_pieces_does_not_take_sixteen_times_as_long(join):
    def seconds(count):
        joined = join([leaf([1.0]) for _ in range(count)])
        start = time.process_time()
        joined.backward(np.ones(joined.shape))
        return time.process_time() - start

    assert min(seconds(8000) for _ in range(2)) < 9 * min(seconds(2000) for _ in range(3))


def test_a_graph_has_no_cycles_and_dies_with_its_last_handle(rng):
    def build():
        """Compute and differentiate; keep nothing but weak references to what was made."""
        w = leaf(rng.normal(size=(3, 3)))
        y = np.tanh(w @ w)[[0, 0]] / np.concatenate([w, w]).std()
        loss = np.where(y > 0, y, 0).sum() * np.linalg.norm(w)
        tnn.grad(lambda v: (v * tnn.grad(lambda u: (u**3).sum())(v)).sum())(w.numpy())
        loss.backward()
        values = [node.value for node in Graph([loss._node])]
        return [weakref.ref(made) for made in (w, y, loss, *values)]

    build()  # whatever the first call leaves in caches
    gc.collect()
    gc.disable()
    try:
        made = build()
        assert [reference() for reference in made] == [None] * len(made)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_training_with_the_collector_off_leaves_nothing_behind(rng):
    w, x = leaf(rng.normal(size=(3, 2))), rng.normal(size=(4, 3))

    def step():
        loss = (np.tanh(x @ w) ** 2).mean()
        w.grad = None
        loss.backward()
        with tnn.no_grad():
            w.data = w - 0.1 * w.grad
        cubes = lambda v: (v**3).sum()
        tnn.hvp(cubes, x[0], x[1])
        tnn.jvp(np.tanh, x, x)
        tnn.hessian(cubes)(x[0])

    step()
    gc.collect()
    gc.disable()
    try:
        step()
        before = len(gc.get_objects())
        for _ in range(20):
            step()
        assert len(gc.get_objects()) <= before + 2
    finally:
        gc.enable()
