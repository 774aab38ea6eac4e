import copy
import math
import operator
import pickle

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.errors import (
    AssignmentError,
    ConversionError,
    DtypeError,
    GradientError,
    ShapeError,
    TinygradNNError,
)


def leaf(data=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), **options):
    return Tensor(np.array(data, dtype=options.pop("dtype", np.float64)), True, **options)


# --- making one -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype"),
    [(1.5, "f8"), ([[1, 2], [3, 4]], "i8"), (True, "?"), ((1.0, 2), "f8"), ([], "f8")]
    + [(np.ones(2, t), t) for t in ("f2", "f4", "f8", "g", "u1", "i4", "?")]
    + [(np.ones(2, ">f8"), "f8")],  # in the machine's own byte order
)
def test_a_tensor_keeps_value_shape_and_dtype(data, dtype):
    t, expected = Tensor(data), np.array(data)
    assert (t.shape, t.ndim, t.size, t.dtype) == (
        expected.shape,
        expected.ndim,
        expected.size,
        t.dtype,
    )
    assert t.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(t.numpy(), expected)
    assert t.tolist() == expected.tolist()
    assert not t.requires_grad
    assert t.grad is None


def test_dtype_and_name_are_kept_and_another_tensor_is_copied_without_history():
    t = Tensor([1, 2], requires_grad=True, dtype=np.float32, name="w")
    assert (t.dtype, t.name, t.requires_grad) == (np.float32, "w", True)
    with pytest.raises(ConversionError, match="detach"):
        Tensor(t * 2)
    again = Tensor((t * 2).detach())
    assert not again.requires_grad
    np.testing.assert_array_equal(again.numpy(), np.array([2, 4], np.float32))


@pytest.mark.parametrize("data", [1j, "a", None, [None], object(), {1: 2}, np.array("2020", "M8")])
def test_what_is_not_a_real_number_is_refused(data):
    with pytest.raises(DtypeError):
        Tensor(data)


def test_ragged_lists_and_masked_arrays_are_refused():
    with pytest.raises(ShapeError, match="rectangular"):
        Tensor([[1.0], [1.0, 2.0]])
    with pytest.raises(DtypeError, match="mask"):
        Tensor(np.ma.masked_array([1.0, 2.0], [True, False]))


@pytest.mark.parametrize("view", [np.s_[:], np.s_[::-1], np.s_[::2], np.s_[..., None]])
def test_the_constructor_copies_so_later_writes_do_not_reach_it(view):
    data = np.arange(4.0)
    t = Tensor(data[view])
    expected = data[view].copy()
    data[:] = 99
    np.testing.assert_array_equal(t.numpy(), expected)


# --- its value --------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [lambda t: t.data, Tensor.numpy, lambda t: t.grad.data])
def test_every_view_of_a_value_is_read_only(read):
    t = leaf()
    t.sum().backward()
    view = read(t)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        np.add(view, 1, out=view)


def test_assigning_data_rebinds_a_copy_and_disturbs_no_graph():
    w, new = leaf(), np.full((2, 3), 7.0)
    y = (w * w).sum()
    w.data = new
    new[:] = 0
    np.testing.assert_array_equal(w.numpy(), np.full((2, 3), 7.0))
    y.backward()
    np.testing.assert_array_equal(w.grad.numpy(), 2 * np.arange(1.0, 7).reshape(2, 3))


def test_assigning_data_keeps_dtype_and_refuses_other_shapes_and_computed_tensors():
    w = leaf(dtype=np.float32)
    w.data = np.ones((2, 3))
    assert w.dtype == np.float32
    assert w.requires_grad
    with pytest.raises(ShapeError, match=r"\(2, 3\).*\(3,\)"):
        w.data = np.ones(3)
    with pytest.raises(AssignmentError, match="detach"):
        (w * 2).data = np.ones((2, 3))


def test_item_assignment_is_a_type_error_that_says_what_to_do():
    for t in (leaf(), leaf() * 2, Tensor([[1.0]])):
        with pytest.raises(TypeError, match=r"index_update"):
            t[0] = 1.0


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (lambda w: operator.iadd(w, 1.0), 3.0), (lambda w: operator.isub(w, 1.0), 1.0),
        (lambda w: operator.imul(w, 4.0), 8.0), (lambda w: operator.itruediv(w, 4.0), 0.5),
        (lambda w: operator.ipow(w, 3.0), 8.0), (lambda w: operator.ifloordiv(w, 1.5), 1.0),
        (lambda w: operator.imod(w, 1.5), 0.5), (lambda w: operator.isub(w, w.grad / 2), 0.0),
    ],
)  # fmt: skip
def test_in_place_operators_train_under_no_grad_and_raise_outside(update, expected):
    w = Tensor(np.full(2, 2.0, np.float32), requires_grad=True, name="w")
    before, y = w.data, (w * w).sum()
    y.backward()
    with pytest.raises(AssignmentError, match="no_grad"):
        update(w)
    with tnn.no_grad():
        assert update(w) is w
    np.testing.assert_array_equal(w.numpy(), np.full(2, expected, np.float32))
    assert (w.dtype, w.requires_grad, w.name) == (np.float32, True, "w")
    np.testing.assert_array_equal(before, [2, 2])
    y.backward()  # the old graph still differentiates at the old value
    np.testing.assert_array_equal(w.grad.numpy(), [8, 8])


def test_in_place_operators_refuse_to_change_the_shape():
    w = leaf(np.ones(3))
    with tnn.no_grad(), pytest.raises(ShapeError):
        w += np.ones((2, 3))
    assert w.shape == (3,)


# --- its gradient -----------------------------------------------------------------------------


def test_a_gradient_is_a_constant_tensor_of_the_values_shape_and_dtype(rng):
    w = leaf(dtype=np.float32)
    assert w.grad is None
    g = rng.normal(size=(2, 3))
    (w * 3).backward(g)
    assert isinstance(w.grad, Tensor)
    assert (w.grad.shape, w.grad.dtype, w.grad.requires_grad) == (w.shape, np.float32, False)
    np.testing.assert_allclose(w.grad.numpy(), 3 * g, rtol=1e-6)


def test_a_gradient_can_be_assigned_changed_in_place_and_forgotten(rng):
    w, g = leaf(dtype=np.float32), rng.normal(size=(2, 3))
    w.grad = g
    expected = g.astype(np.float32)
    g[:] = 0
    np.testing.assert_array_equal(w.grad.numpy(), expected)
    w.grad *= 0.5
    np.testing.assert_array_equal(w.grad.numpy(), expected * 0.5)
    assert w.grad.dtype == np.float32
    with pytest.raises(ShapeError):
        w.grad = np.ones(3)
    w.grad = None
    assert w.grad is None


def test_computed_and_constant_tensors_collect_no_gradient():
    w = leaf()
    y = w * 2
    y.sum().backward()
    assert y.grad is None
    for t in (y, Tensor([1.0])):
        with pytest.raises(GradientError):
            t.grad = np.ones(t.shape)


def test_requires_grad_can_be_switched_on_leaves_only():
    t = Tensor([1.0, 2.0])
    t.requires_grad = True
    (t * t).sum().backward()
    np.testing.assert_array_equal(t.grad.numpy(), [2, 4])
    t.requires_grad = False
    assert not (t * t).requires_grad
    with pytest.raises(GradientError, match="detach"):
        (leaf() * 2).requires_grad = False


def test_detach_is_the_same_value_as_a_constant():
    w = leaf(name="w")
    y = w * w.detach()
    y.sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), w.numpy())
    assert not w.detach().requires_grad
    assert w.detach().name == "w"


# --- leaving the library ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert",
    [
        np.asarray, np.array, float, int, complex, math.exp, math.floor, math.sqrt,
        lambda t: np.array([t, t]), lambda t: np.asarray([[t], [t]]), lambda t: Tensor([t, t]),
        lambda t: np.sum([t, t]), lambda t: np.float64(t), lambda t: np.ones(2).__setitem__(..., t),
        lambda t: np.random.default_rng(0).normal(t), lambda t: operator.add(t, [t, t]),
    ],
)  # fmt: skip
def test_a_conversion_that_would_lose_the_history_raises_and_says_what_to_do(convert):
    for t in (leaf(1.5), leaf(1.5) * 2):
        with pytest.raises(ConversionError, match=r"\.numpy\(\).*\.item\(\).*\.detach\(\)"):
            convert(t)
        with pytest.raises(TypeError):
            convert(t)


def test_constants_convert_freely():
    t = Tensor(1.5)
    assert (float(t), int(t), math.exp(t)) == (1.5, 1, math.exp(1.5))
    np.testing.assert_array_equal(np.array([t, t]), [1.5, 1.5])
    np.testing.assert_array_equal(np.asarray(Tensor([1, 2]), dtype=np.float32), [1, 2])
    assert [10, 20, 30][Tensor(1)] == 20


def test_item_print_format_and_truth_work_on_a_traced_tensor():
    t = leaf(1.25, name="loss") * 2
    assert (t.item(), type(t.item())) == (2.5, float)
    assert f"{t:.1f} {t:>6.2f}" == "2.5   2.50"
    assert f"{t}" == str(t) == repr(t) == "Tensor(2.5, requires_grad=True)"
    assert bool(t)
    assert (
        leaf(name="w", dtype=np.float32)
        .__repr__()
        .endswith("dtype=float32, requires_grad=True, name='w')")
    )
    with pytest.raises(ShapeError, match="one element"):
        leaf().item()


def test_length_iteration_containment_and_hash_are_as_for_arrays():
    t = leaf()
    rows = list(t)
    assert len(t) == len(rows) == 2
    (rows[0] * rows[1]).sum().backward()
    np.testing.assert_array_equal(t.grad.numpy(), t.numpy()[::-1])
    assert 3.0 in t
    assert 9.0 not in t
    assert len({t, t, leaf()}) == 2
    with pytest.raises(TypeError):
        len(leaf(1.0))
    with pytest.raises(ValueError, match="ambiguous"):
        bool(t)


@pytest.mark.parametrize(
    "remake", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))]
)
def test_copies_and_pickles_keep_the_value_and_drop_the_graph(remake):
    w = leaf(dtype=np.float32, name="w")
    y = w * 2
    for t in (w, y, Tensor([1, 2], name="c")):
        again = remake(t)
        np.testing.assert_array_equal(again.numpy(), t.numpy())
        assert (again.dtype, again.name, again.requires_grad) == (t.dtype, t.name, t.requires_grad)
        assert again.grad is None
    again = remake(y)
    (again * again).sum().backward()
    assert w.grad is None
    np.testing.assert_array_equal(again.grad.numpy(), 2 * y.numpy())


def test_a_deep_copy_of_a_structure_keeps_shared_tensors_shared():
    w = leaf()
    a, b = copy.deepcopy([w, w])
    assert a is b
    assert a is not w


def test_every_error_is_one_of_ours_and_one_of_pythons():
    for name in tnn.errors.__all__:
        kind = getattr(tnn.errors, name)
        assert issubclass(kind, TinygradNNError)
        assert kind is TinygradNNError or issubclass(
            kind, (ValueError, TypeError, IndexError, RuntimeError, NotImplementedError, OSError)
        )
