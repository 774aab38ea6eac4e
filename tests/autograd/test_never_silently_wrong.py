"""Whatever is changed between forward and backward: an error of ours, or no harm at all."""

import sys
import threading
import warnings
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.errors import GradientError, TinygradNNError

START = np.array([1.5, 2.0, 3.0])
REFUSED = (TinygradNNError, ValueError, TypeError, BufferError, AttributeError)


def leaf(data=START):
    return Tensor(np.array(data, dtype=np.float64), requires_grad=True)


def make_writeable(array):
    array.flags.writeable = True
    array[...] = 99


def with_no_grad(change):
    with tnn.no_grad():
        return change()


def through(view):
    """Write through an array in every way but ufunc.at, which ignores NumPy's read-only flag."""
    return {
        "item": lambda m: view(m).__setitem__(0, 99),
        "in place": lambda m: view(m).__iadd__(99),
        "out=": lambda m: np.add(1, 98, out=view(m)),
        "copyto": lambda m: np.copyto(view(m), 99),
        "put": lambda m: np.put(view(m), [0], 99),
        "put_along_axis": lambda m: np.put_along_axis(view(m), np.array([0]), 99, 0),
        "place": lambda m: np.place(view(m), [True] * 3, [99]),
        "putmask": lambda m: np.putmask(view(m), [True] * 3, 99),
        "fill_diagonal": lambda m: np.fill_diagonal(view(m)[None], 99),
        "fill": lambda m: view(m).fill(99),
        "sort": lambda m: view(m)[::-1].sort(),
        "partition": lambda m: view(m)[::-1].partition(1),
        "resize": lambda m: view(m).resize(1),
        "byteswap": lambda m: view(m).byteswap(inplace=True),
        "setfield": lambda m: view(m).setfield(99, np.float64),
        "flat": lambda m: view(m).flat.__setitem__(0, 99),
        "memoryview": lambda m: memoryview(view(m)).__setitem__(0, 99.0),
        "bytes": lambda m: memoryview(view(m)).cast("B").__setitem__(7, 99),
        "frombuffer": lambda m: make_writeable(np.frombuffer(view(m))),
        "dlpack": lambda m: np.from_dlpack(view(m)).__setitem__(0, 99),
        "ndarray": lambda m: make_writeable(np.ndarray(3, buffer=view(m))),
        "strides": lambda m: make_writeable(np.lib.stride_tricks.as_strided(view(m))),
        "other dtype": lambda m: make_writeable(view(m).view(np.int64)),
        "flags": lambda m: make_writeable(view(m)),
        "setflags": lambda m: (view(m).setflags(write=True), view(m).fill(99)),
        "nditer": lambda m: [
            e.__setitem__(..., 99) for e in np.nditer(view(m), op_flags=["readwrite"])
        ],
        "shuffle": lambda m: np.random.default_rng(1).shuffle(view(m)),
        "random": lambda m: np.random.default_rng(1).random(out=view(m)),
        "shape": lambda m: view(m).__setattr__("dtype", np.int64),
    }


# What a program may hold of x · e^x: the leaf, its arrays and views, what lies between, the result.
CHANGES = {
    **{f"data {k}": v for k, v in through(lambda m: m.x.data).items()},
    **{f"numpy() {k}": v for k, v in through(lambda m: m.x.numpy()).items() if "at" in k},
    **{f"between {k}": v for k, v in through(lambda m: m.between.data).items() if "fl" in k},
    **{f"detached {k}": v for k, v in through(lambda m: np.asarray(m.x.detach())).items()
       if k in ("flags", "memoryview")},
    "view of the leaf": lambda m: make_writeable(m.x.reshape(3, 1).data),
    "view between": lambda m: make_writeable(m.between[::-1].data),
    "transposed": lambda m: make_writeable(m.between.reshape(3, 1).T.data),
    "row": lambda m: make_writeable(next(iter(m.x.reshape(1, 3))).data),
    "broadcast": lambda m: make_writeable(np.broadcast_to(m.x, (2, 3)).data),
    "split": lambda m: make_writeable(np.split(m.x, 3)[0].data),
    "in a function": lambda m: np.apply_along_axis(lambda v: v.__iadd__(9), 0, m.x.detach()),
    "argument of a user's function": lambda m: tnn.primitive(lambda x: x.fill(9))(m.x),
    "constructor's array": lambda m: m.own.fill(99),
    "constructor's view": lambda m: m.own[::-1].sort(),
    "leaf data=": lambda m: setattr(m.x, "data", np.zeros(3)),
    "leaf data= of itself": lambda m: setattr(m.x, "data", m.x.data[::-1]),
    "leaf in place": lambda m: m.x.__imul__(0.0),
    "leaf in place, no_grad": lambda m: with_no_grad(lambda: m.x.__imul__(0.0)),
    "leaf item": lambda m: m.x.__setitem__(0, 9.0),
    "leaf out=": lambda m: np.multiply(m.x, 0, out=m.x),
    "leaf out=, no_grad": lambda m: with_no_grad(lambda: np.multiply(m.x, 0, out=m.x)),
    "leaf copyto, no_grad": lambda m: with_no_grad(lambda: np.copyto(m.x, 0)),
    "leaf sort": lambda m: m.x.sort(),
    "leaf fill, no_grad": lambda m: with_no_grad(lambda: m.x.fill(0)),
    "leaf frozen and thawed": lambda m: [setattr(m.x, "requires_grad", r) for r in (False, True)],
    "between data=": lambda m: setattr(m.between, "data", np.zeros(3)),
    "between in place": lambda m: m.between.__imul__(0.0),
    "between in place, no_grad": lambda m: with_no_grad(lambda: m.between.__imul__(0.0)),
    "between put, no_grad": lambda m: with_no_grad(lambda: np.put(m.between, [0], 9)),
    "between requires_grad": lambda m: setattr(m.between, "requires_grad", False),
    "result data=": lambda m: setattr(m.y, "data", 0.0),
    "result in place": lambda m: m.y.__imul__(0.0),
    "SGD": lambda m: (setattr(m.x, "grad", START), tnn.optim.SGD([m.x], learning_rate=1.0).step(),
                      setattr(m.x, "grad", None)),
    "Adam": lambda m: (setattr(m.x, "grad", START), tnn.optim.Adam([m.x], learning_rate=1.0).step(),
                       setattr(m.x, "grad", None)),
    "another backward": lambda m: (m.y.backward(), m.x.grad.numpy(), setattr(m.x, "grad", None)),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_no_change_between_forward_and_backward_changes_a_gradient_silently(name):
    own = START.copy()
    m = SimpleNamespace(own=own, x=Tensor(own, requires_grad=True))
    m.between = np.exp(m.x)
    m.y = (m.x * m.between).sum()
    with suppress(*REFUSED), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # some of these ways will go
        CHANGES[name](m)
    try:
        m.y.backward()
    except GradientError:
        return
    np.testing.assert_allclose(m.x.grad.numpy(), (1 + START) * np.exp(START), rtol=1e-12)


def test_a_gradient_that_a_program_writes_into_is_nobody_elses():
    a, b = leaf(), leaf()
    (a + b).sum().backward()
    with suppress(ValueError):
        make_writeable(a.grad.data)
    np.testing.assert_array_equal(b.grad.numpy(), [1, 1, 1])


# --- operands, indices and options that the program still holds -------------------------------


def read_only(array):
    array.flags.writeable = False
    return array


def reopened(array):
    array.flags.writeable = True
    array[...] = 0


OPERANDS = {
    "read-only, opened again": (lambda: read_only(START.copy()), lambda x, a: x * a, reopened),
    "read-only, add.at": (lambda: read_only(START.copy()), lambda x, a: x * a,
                          lambda a: np.add.at(a, [0], 9)),
    "read-only view": (lambda: START.copy(), lambda x, a: x * read_only(a[:]), lambda a: a.fill(0)),
    "bytes": (lambda: bytearray(START.tobytes()), lambda x, a: x * np.frombuffer(a),
              lambda a: a.reverse()),
    "list": (START.tolist, lambda x, a: x * a, lambda a: a.reverse()),
    "Tensor data=": (lambda: Tensor(START), lambda x, a: x * a,
                     lambda a: setattr(a, "data", np.zeros(3))),
    "Tensor in place": (lambda: Tensor(START), lambda x, a: x * a, lambda a: a.__iadd__(9.0)),
    "bincount": (lambda: np.array([0, 1, 2]), lambda x, a: np.bincount(a, x), lambda a: a.fill(0)),
    "bincount by list": (lambda: [0, 1, 2], lambda x, a: np.bincount(a, x), lambda a: a.reverse()),
    "take": (lambda: np.array([0, 0, 2]), lambda x, a: np.take(x, a), lambda a: a.fill(1)),
    "index in a tuple": (lambda: [0, 0, 2], lambda x, a: x[None][0, a], lambda a: a.reverse()),
    "nested index": (lambda: [[0, 1], [2, 2]], lambda x, a: x[a], lambda a: a[0].reverse()),
    "0-d index": (lambda: np.array(1), lambda x, a: x[a], lambda a: a.fill(0)),
    "0-d in a slice": (lambda: np.array(1), lambda x, a: x[slice(None, a)], lambda a: a.fill(0)),
    "choose": (lambda: np.array([0, 1, 0]), lambda x, a: np.choose(a, [x, 2 * x]),
               lambda a: a.fill(1)),
    "select": (lambda: np.array([True, False, True]), lambda x, a: np.select([a], [x], 5 * x),
               lambda a: a.fill(False)),
    "repeat": (lambda: [1, 2, 0], lambda x, a: np.repeat(x, a), lambda a: a.reverse()),
    "pad": (lambda: [[1, 2]], lambda x, a: np.pad(x, a), lambda a: a[0].reverse()),
    "pad by an array": (lambda: np.array([1, 2]), lambda x, a: np.pad(x, a), lambda a: a.fill(0)),
    "reshape": (lambda: [3, 1], lambda x, a: x.reshape(a), lambda a: a.reverse()),
    "axis": (lambda: [1, 0], lambda x, a: np.transpose(x[None] * x[:, None] ** 2, a),
             lambda a: a.reverse()),
    "axes of a product": (lambda: [[0], [0]], lambda x, a: np.tensordot(x, np.eye(3), a),
                          lambda a: a[1].__setitem__(0, 1)),
    "moveaxis": (lambda: [1, 0], lambda x, a: np.moveaxis(x[None], a, [0, 1]),
                 lambda a: a.reverse()),
    "tile": (lambda: [1, 2], lambda x, a: np.tile(x, a), lambda a: a.reverse()),
    "roll": (lambda: [1, 0], lambda x, a: np.roll(x[None] * [[1], [2]], a, (0, 1)),
             lambda a: a.reverse()),
    "split": (lambda: [1, 2], lambda x, a: np.split(x, a)[1], lambda a: a.reverse()),
    "quantile": (lambda: np.array([0.1, 0.7]), lambda x, a: np.quantile(x, a), lambda a: a.fill(0)),
    "weights": (lambda: np.arange(1.0, 4), lambda x, a: np.average(x, weights=a),
                lambda a: a.fill(1)),
    "spacing": (lambda: np.array([0, 1, 3.0]), lambda x, a: np.gradient(x, a),
                lambda a: a.__imul__(2)),
    "subscripts": (lambda: [0, 1], lambda x, a: np.einsum(x[None] * [[1], [2]], a, [1]),
                   lambda a: a.reverse()),
    "labels": (lambda: np.array([2]), lambda x, a: tnn.losses.sparse_categorical_cross_entropy(
        a, x[None], from_logits=True), lambda a: a.fill(0)),
    "truth": (lambda: START * 2, lambda x, a: tnn.losses.mean_squared_error(a, x),
              lambda a: a.fill(0)),
    "cotangent": (lambda: START.copy(), lambda x, a: tnn.vjp(lambda v: v * x, x)[1](a)[0],
                  lambda a: a.fill(0)),
    "tangent": (lambda: START.copy(), lambda x, a: tnn.jvp(lambda v: v * x, (x,), (a,))[1],
                lambda a: a.fill(0)),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERANDS)
def test_what_the_program_still_holds_may_be_overwritten_after_the_forward_pass(name):
    make, use, overwrite = OPERANDS[name]
    gradients = []
    for change in (False, True):
        x, held = leaf(), make()
        y = use(x, held)
        if change:
            with suppress(ValueError):  # NumPy itself may refuse
                overwrite(held)
        y.backward(np.arange(1.0, 1 + y.size).reshape(y.shape))
        gradients.append(x.grad.numpy())
    np.testing.assert_array_equal(*gradients)


# --- training, and threads --------------------------------------------------------------------


def test_updates_between_forward_and_backward_train_as_updates_after_it(rng):
    data, truth = rng.normal(size=(20, 3)), rng.normal(size=20)

    def train(early):
        w = leaf(np.zeros(3))
        pending = []
        for _ in range(10):
            loss = np.mean((data @ w - truth) ** 2)
            pending.append(loss)
            if not early:
                w.grad = None
                loss.backward()
            else:  # the gradient is asked for after another change to w, and w put back
                kept = w.numpy()
                with tnn.no_grad():
                    w -= 100.0
                w.grad = None
                loss.backward()
                w.data = kept
            with tnn.no_grad():
                w -= 0.1 * w.grad
        return w.numpy(), [p.item() for p in pending]

    for late, early in zip(train(False), train(True), strict=True):
        np.testing.assert_array_equal(early, late)


def test_threads_that_share_a_parameter_lose_none_of_its_gradient():
    w, times = leaf(), 300
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        work = lambda: [(w * 2.0).sum().backward() for _ in range(times)]
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    np.testing.assert_array_equal(w.grad.numpy(), [8.0 * times] * 3)


def test_transforms_and_graphs_of_one_thread_work_in_others(rng):
    x = leaf()
    y, pullback = tnn.vjp(lambda v: np.tanh(v) * v, START)
    shared, found = np.tanh(x) * x, []

    def work():
        shared.sum().backward()
        hessian = tnn.hessian(lambda v: np.sum(np.tanh(v) * v))(START)
        found.append((pullback(np.ones(3))[0], hessian))

    for _ in range(3):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    np.testing.assert_array_equal(shared.numpy(), y)
    np.testing.assert_allclose(x.grad.numpy(), 3 * found[0][0])
    for gradient, hessian in found[1:]:
        np.testing.assert_array_equal(gradient, found[0][0])
        np.testing.assert_array_equal(hessian, found[0][1])
