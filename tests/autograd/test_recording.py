import _thread
import linecache
import sys
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Graph, Tensor
from tinygrad_nn._scope import here
from tinygrad_nn.autograd import enable_grad, is_recording
from tinygrad_nn.autograd.recording import state


def leaf(data=(1.0, 2.0)):
    return Tensor(np.array(data, dtype=np.float64), requires_grad=True)


@pytest.fixture(autouse=True)
def _recording_is_left_as_it_was():
    state.enabled, here.scope = True, ()  # whatever a failing test before this one left
    yield
    assert is_recording()
    assert here.scope == ()


# --- on and off -------------------------------------------------------------------------------


def test_no_grad_computes_the_same_values_and_records_nothing():
    x = leaf()
    expected = np.tanh(x * 3).numpy()
    with tnn.no_grad():
        y = np.tanh(x * 3)
        assert not is_recording()
    np.testing.assert_array_equal(y.numpy(), expected)
    assert not y.requires_grad
    assert y._node.inputs == ()
    assert (x * 3).requires_grad


def test_no_grad_and_enable_grad_nest_and_survive_errors():
    off, x = tnn.no_grad(), leaf()
    with off:
        with enable_grad():
            assert (x * 2).requires_grad
            with off:  # the same object again
                assert not (x * 2).requires_grad
            assert is_recording()
        assert not is_recording()
    with pytest.raises(KeyError), tnn.no_grad():
        raise KeyError
    assert is_recording()


def test_no_grad_is_a_decorator_that_may_recurse():
    @tnn.no_grad()
    def f(n):
        assert not is_recording()
        return n and f(n - 1)

    f(3)
    assert is_recording()


@pytest.mark.parametrize("make", [tnn.no_grad, enable_grad, lambda: tnn.scope("shared")])
def test_one_object_serves_two_threads_that_overlap(make):
    # A decorated function has one such object. Each thread must get its own state back.
    shared, after = make(), {}
    first_in, second_in, first_out = (threading.Event() for _ in range(3))

    def first():
        with tnn.scope("first"):
            with shared:
                first_in.set()
                second_in.wait(10)
            after["first"] = is_recording(), here.scope
            first_out.set()

    def second():
        with tnn.no_grad(), tnn.scope("second"):
            first_in.wait(10)
            with shared:
                second_in.set()
                first_out.wait(10)
            after["second"] = is_recording(), here.scope

    threads = [threading.Thread(target=f) for f in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert after == {"first": (True, ("first",)), "second": (False, ("second",))}


# --- threads ----------------------------------------------------------------------------------


def test_recording_and_scopes_are_per_thread():
    seen = []

    def work():
        x = leaf()
        seen.append((is_recording(), (x * 2)._node.scope, (x * 2).requires_grad))

    with tnn.no_grad(), tnn.scope("outer"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [(True, (), True)]


def test_two_threads_train_at_once_as_they_would_alone(rng):
    data = rng.normal(size=(4, 16, 3))

    def train(seed, out):
        w = Tensor(np.random.default_rng(seed).normal(size=(3, 2)), requires_grad=True)
        for step in range(60):
            with tnn.scope(f"model {seed}"):
                loss = (np.tanh(data[step % 4] @ w) ** 2).mean()
            w.grad = None
            loss.backward()
            assert {n.scope for n in Graph([loss._node]) if n.primitive} == {(f"model {seed}",)}
            with tnn.no_grad():
                w -= 0.5 * w.grad
        out[seed] = w.numpy()

    alone, together = {}, {}
    for seed in (1, 2, 3):
        train(seed, alone)
    threads = [threading.Thread(target=train, args=(seed, together)) for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in (1, 2, 3):
        np.testing.assert_array_equal(together[seed], alone[seed])


def test_a_tensor_made_in_one_thread_is_used_and_differentiated_in_another():
    x, results = leaf(), []
    y = x * x

    def work():
        (y * x).sum().backward()
        results.append(x.grad.numpy().tolist())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [[3.0, 12.0]]


# --- scopes -----------------------------------------------------------------------------------


def test_scopes_nest_and_name_the_nodes_recorded_inside():
    x = leaf()
    with tnn.scope("encoder"):
        a = x * 2
        with tnn.scope("hidden"):
            b = a * 3
        c = b * 4
    d = c * 5
    scopes = [t._node.scope for t in (a, b, c, d)]
    assert scopes == [("encoder",), ("encoder", "hidden"), ("encoder",), ()]
    with pytest.raises(KeyError), tnn.scope("failing"):
        raise KeyError
    assert (x * 2)._node.scope == ()


def test_one_scope_object_may_be_entered_again_while_it_is_open():
    again, x = tnn.scope("block"), leaf()
    with again, again:
        assert (x * 2)._node.scope == ("block", "block")
    assert (x * 2)._node.scope == ()


# --- source lines -----------------------------------------------------------------------------


def line_of(text):
    """The number of the one line of this file that ends with a text."""
    lines = linecache.getlines(__file__)
    (number,) = [i for i, line in enumerate(lines, 1) if line.rstrip().endswith(text)]
    return number


def test_every_way_of_calling_records_the_users_own_line():
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    made = {
        "operator": x * x,  # line: operator
        "reflected": 2 - x,  # line: reflected
        "method": x.sum(axis=0),  # line: method
        "ufunc": np.exp(x),  # line: ufunc
        "function": np.linalg.norm(x),  # line: function
        "rewritten": np.ravel(x),  # line: rewritten
        "index": x[0],  # line: index
        "layer": tnn.nn.Dense(2, 2)(x),  # line: layer
        "loss": tnn.losses.mean_squared_error([[1.0, 2.0]] * 2, x),  # line: loss
        "lambda": (lambda t: t * 3)(x),  # line: lambda
        "comprehension": [t * 2 for t in x][1],  # line: comprehension
    }
    for how, y in made.items():
        source = y._node.source
        assert Path(source.file) == Path(__file__)
        assert source.line == line_of(f"# line: {how}"), how
        assert source.text.startswith(f'"{how}": '), how
    assert source._replace(file="nowhere.py").text == ""
    names = {how: y._node.source.function for how, y in made.items()}
    assert names["operator"] == "test_every_way_of_calling_records_the_users_own_line"
    assert names["lambda"] == "<lambda>"


def test_an_expression_over_several_lines_is_found_on_its_own_line():
    x = leaf()
    y = (
        np.sin(x) + np.cos(x)  # line: inner
    )
    cosine = y._node.inputs[1]
    assert cosine.primitive.name == "cos"
    assert cosine.source.line == line_of("# line: inner")


def test_leaves_have_no_source_line_and_recording_keeps_no_frame_alive():
    def local():
        big = np.ones(10)
        kept.append(weakref.ref(big))
        return leaf() * 2

    kept = []
    y = local()
    assert y.requires_grad
    assert kept[0]() is None
    assert leaf()._node.source is None


def test_a_directory_beside_the_package_with_a_longer_name_is_the_users(tmp_path):
    beside = Path(tnn.__file__).parent.as_posix() + "_experiments/train.py"
    scope = {"x": leaf()}
    exec(compile("y = x * 2\nz = x.sum()", beside, "exec"), scope)
    assert Path(scope["z"]._node.source.file) == Path(beside)
    assert scope["z"]._node.source.line == 2


def test_a_thread_may_begin_with_an_operation(monkeypatch):
    raised, before = [], _thread._count()
    monkeypatch.setattr(sys, "unraisablehook", raised.append)
    for operation in (np.sin, np.sum, Tensor.__neg__):
        _thread.start_new_thread(operation, (leaf(),))  # no frame of the user's is below this one
    while _thread._count() > before:
        time.sleep(0.001)
    assert not raised
