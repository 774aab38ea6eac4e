"""Losses: what may be given to them, and what they answer to what may not."""

import re

import numpy as np
import pytest

from tinygrad_nn import Tensor, TinygradNNError, losses
from tinygrad_nn.errors import ArgumentError, DtypeError, ShapeError, ValueRangeError

# Each loss: its options, and its arguments where 0 and 1 are valid everywhere.
LOGITS = {"from_logits": True}
EACH, ROWS = (2, 3), (2, 3, 4)
CASES = {
    "mean_squared_error": ({}, (EACH, EACH)),
    "mean_absolute_error": ({}, (EACH, EACH)),
    "huber": ({"delta": 0.7}, (EACH, EACH)),
    "binary_cross_entropy": ({}, (EACH, EACH)),
    "binary_cross_entropy logits": (LOGITS, (EACH, EACH)),
    "categorical_cross_entropy": ({}, (ROWS, ROWS)),
    "categorical_cross_entropy logits": (LOGITS, (ROWS, ROWS)),
    "sparse_categorical_cross_entropy": ({}, (EACH, ROWS)),
    "sparse_categorical_cross_entropy logits": (LOGITS, (EACH, ROWS)),
    "kl_divergence": ({}, (ROWS, ROWS)),
    "contrastive": ({"margin": 1.5}, (EACH, ROWS, ROWS)),
    "triplet": ({"margin": 0.5}, (ROWS, ROWS, ROWS)),
}
each_loss = pytest.mark.parametrize("case", CASES)


def prepared(case, *, rounded=0):
    """The loss, its options and random arguments in [0, 1], the first few of them 0 or 1."""
    rng = np.random.default_rng(len(case))
    options, shapes = CASES[case]
    arrays = [rng.uniform(0.05, 0.95, s) for s in shapes]
    arrays = [np.rint(a) if i < rounded else a for i, a in enumerate(arrays)]
    if case.startswith("sparse"):
        arrays[0] = rng.integers(0, 4, EACH)
    return getattr(losses, case.split()[0]), options, arrays


def test_every_loss_is_tested_here():
    assert {case.split()[0] for case in CASES} == set(losses.__all__)


# --- kinds of arrays --------------------------------------------------------------------------


@each_loss
def test_lists_arrays_and_tensors_give_the_same_loss(case):
    function, options, arrays = prepared(case)
    expected = function(*arrays, **options)
    assert not isinstance(expected, Tensor)
    from_lists = function(*(a.tolist() for a in arrays), **options)
    assert from_lists == expected
    assert type(from_lists) is type(expected)
    for i, array in enumerate(arrays):
        trainable = array.dtype.kind == "f"
        one = [*arrays[:i], Tensor(array, requires_grad=trainable), *arrays[i + 1 :]]
        got = function(*one, **options)
        assert got.item() == expected
        if trainable:
            assert isinstance(got, Tensor)
            assert got.requires_grad


@each_loss
def test_arguments_are_neither_written_nor_watched(case):
    function, options, arrays = prepared(case)
    prediction = Tensor(arrays[-1], requires_grad=True)
    function(*arrays[:-1], prediction, **options).backward()
    expected = prediction.grad.numpy()
    prediction.grad = None
    before = [a.copy() for a in arrays]
    loss = function(*arrays[:-1], prediction, **options)
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)
        array[...] = 1 - array if array.dtype.kind == "f" else 3 - array  # a reused batch buffer
    loss.backward()
    np.testing.assert_array_equal(prediction.grad.numpy(), expected)


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8, np.bool_])
def test_float32_predictions_stay_float32_whatever_the_targets(case, dtype):
    function, options, (targets, *others) = prepared(case, rounded=1)
    expected = function(targets, *others, **options)
    if case == "triplet":
        dtype = np.float32  # it has no targets
    elif case.startswith("sparse") and dtype in (np.float32, np.bool_):
        dtype = np.int16  # labels are integers
    parameters = [Tensor(a, requires_grad=True, dtype=np.float32) for a in others]
    loss = function(targets.astype(dtype), *parameters, **options)
    loss.backward()
    assert loss.dtype == np.float32
    assert [p.grad.dtype for p in parameters] == [np.float32] * len(others)
    assert loss.item() == pytest.approx(float(expected), rel=1e-6)


@each_loss
@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.bool_])
def test_integers_and_booleans_count_as_the_numbers_they_are(case, dtype):
    function, options, arrays = prepared(case, rounded=3)
    given = [a.astype(dtype) for a in arrays]
    if case.startswith("sparse"):
        given[0] = arrays[0]
    got, expected = function(*given, **options), function(*arrays, **options)
    eps = float(np.finfo(got.dtype).eps)
    assert float(got) == pytest.approx(float(expected), rel=8 * eps)


class Column:
    """As the columns of data frames do, it joins others by label unless it is converted first."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape, self.ndim, self.dtype = self.values.shape, self.values.ndim, self.values.dtype

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        raise AssertionError(f"{ufunc.__name__} was left to the labels")

    __sub__ = __rsub__ = __mul__ = __rmul__ = lambda self, other: self.__array_ufunc__(np.add, "")


@each_loss
def test_the_columns_of_a_data_frame_count_by_position(case):
    function, options, arrays = prepared(case)
    expected = function(*arrays, **options)
    assert function(*map(Column, arrays), **options) == expected
    tensor = function(*map(Column, arrays[:-1]), Tensor(arrays[-1], requires_grad=True), **options)
    assert tensor.item() == expected


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "huber", "triplet"])
def test_pixels_do_not_wrap_around(name):
    pixels = np.array([[0, 250], [200, 3], [17, 90]], np.uint8)
    arguments = pixels if name == "triplet" else pixels[:2]
    expected = getattr(losses, name)(*arguments.astype(float), reduction="none")
    got = getattr(losses, name)(*arguments, reduction="none")
    np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "option"), [("huber", "delta"), ("contrastive", "margin"), ("triplet", "margin")]
)
def test_an_option_that_is_a_numpy_scalar_leaves_float32_alone(name, option):
    _, shapes = CASES[name]
    arrays = [np.ones(s, np.float32) for s in shapes]
    loss = getattr(losses, name)(*arrays, **{option: np.float64(1.0)}, reduction="none")
    assert loss.dtype == np.float32


def test_contrastive_takes_a_fraction_for_a_pair_of_integer_vectors():
    assert losses.contrastive([0.5], [[0, 0]], [[3, 4]], margin=7) == pytest.approx(14.5)


# --- errors -----------------------------------------------------------------------------------

TWO, FOUR, COLUMN = np.full(2, 0.5), np.full(4, 0.5), np.full((4, 1), 0.5)
GRID, DEEP = np.full((4, 2), 0.5), np.full((4, 3, 2), 0.5)
LABELS, HALF, NAN = np.array([0, 1, 1, 0]), 0.5, np.array([np.nan, 0.5])

SHAPES = {  # arguments whose shapes do not belong together, or that hold nothing
    "mean_squared_error": [(COLUMN, FOUR), (FOUR, COLUMN), (GRID, TWO), (FOUR, HALF), ([], [])],
    "mean_absolute_error": [(COLUMN, FOUR), (FOUR, COLUMN), (HALF, TWO), ([], [])],
    "huber": [(COLUMN, FOUR), (FOUR, COLUMN), (GRID, GRID.T), (GRID[:0], GRID[:0])],
    "binary_cross_entropy": [(COLUMN, FOUR), (LABELS, COLUMN), (TWO, FOUR), ([], [])],
    "categorical_cross_entropy": [(LABELS, GRID), (HALF, HALF), (GRID[:, :0], GRID[:, :0])],
    "sparse_categorical_cross_entropy": [
        (GRID, GRID), (LABELS[:, None], GRID), (LABELS[:2], GRID), (0, HALF), (LABELS, FOUR),
        (LABELS[:0], GRID[:0]), (LABELS, GRID[:, :0]), (LABELS, DEEP),
    ],
    "kl_divergence": [(GRID, DEEP), (HALF, HALF), (TWO, GRID), (GRID[:0], GRID[:0])],
    "contrastive": [
        (LABELS, GRID, GRID[:2]), (LABELS[:, None], GRID, GRID), (LABELS, FOUR, FOUR),
        (1, HALF, HALF), (LABELS[:0], GRID[:0], GRID[:0]), (LABELS, GRID[:, :0], GRID[:, :0]),
    ],
    "triplet": [
        (GRID, GRID, TWO), (GRID, TWO, GRID), (HALF, HALF, HALF), (GRID[:0], GRID[:0], GRID[:0]),
    ],
}  # fmt: skip
VALUES = [  # the loss, its arguments, options, what is raised
    ("binary_cross_entropy", ([1.0, 0.0], [0.5, 1.1]), {}, ValueRangeError),
    ("binary_cross_entropy", ([1.0, 0.0], [0.5, -0.1]), {}, ValueRangeError),
    ("binary_cross_entropy", ([1.0, 0.0], NAN), {}, ValueRangeError),
    ("binary_cross_entropy", (NAN, [0.5, 0.5]), {}, ValueRangeError),
    ("binary_cross_entropy", ([-1, 1], [0.5, 0.5]), LOGITS, ValueRangeError),
    ("categorical_cross_entropy", ([[0, 1]], [[-2.0, 3.0]]), {}, ValueRangeError),
    ("categorical_cross_entropy", ([[0, 2]], [[0.5, 0.5]]), LOGITS, ValueRangeError),
    ("categorical_cross_entropy", ([[0, 1]], [NAN]), {}, ValueRangeError),
    ("sparse_categorical_cross_entropy", ([2], [[0.5, 0.5]]), {}, ValueRangeError),
    ("sparse_categorical_cross_entropy", ([-1], [[0.5, 0.5]]), LOGITS, ValueRangeError),
    ("sparse_categorical_cross_entropy", ([0], [[-2.0, 3.0]]), {}, ValueRangeError),
    ("sparse_categorical_cross_entropy", ([0], [NAN]), {}, ValueRangeError),
    ("sparse_categorical_cross_entropy", ([0.0], [[0.5, 0.5]]), {}, DtypeError),
    ("sparse_categorical_cross_entropy", ([True], [[0.5, 0.5]]), LOGITS, DtypeError),
    ("kl_divergence", ([[0.5, 0.5]], [NAN]), {}, ValueRangeError),
    ("kl_divergence", ([[-0.5, 0.5]], [[0.5, 0.5]]), {}, ValueRangeError),
    ("contrastive", ([2], [[0.0]], [[1.0]]), {}, ValueRangeError),
    # A reduction given by position would be taken for from_logits, and logits for probabilities.
    ("binary_cross_entropy", ([1.0], [0.5], "sum"), {}, ArgumentError),
    ("categorical_cross_entropy", ([[0, 1]], [[0.5, 0.5]], "none"), {}, ArgumentError),
    ("sparse_categorical_cross_entropy", ([0], [[0.5, 0.5]], "sum"), {}, ArgumentError),
    ("contrastive", ([-1], [[0.0]], [[1.0]]), {}, ValueRangeError),
    *(("huber", ([1.0], [2.0]), {"delta": d}, ArgumentError) for d in (0, -1.0, np.inf, np.nan)),
    *(("huber", ([1.0], [2.0]), {"delta": d}, TinygradNNError) for d in (None, "1", [1.0, 2.0])),
    *(("triplet", [[[1.0]]] * 3, {"margin": m}, ArgumentError) for m in (-1, np.inf, np.nan)),
    ("contrastive", ([1], [[1.0]], [[1.0]]), {"margin": -0.1}, ArgumentError),
    ("contrastive", ([1], [[1.0]], [[1.0]]), {"margin": None}, TinygradNNError),
    ("mean_squared_error", (["a"], ["b"]), {}, DtypeError),
    ("mean_squared_error", ([1j], [0.0]), {}, DtypeError),
    ("huber", ([None], [0.0]), {}, DtypeError),
    ("categorical_cross_entropy", ([[0, 1]], [["a", "b"]]), LOGITS, DtypeError),
    ("mean_absolute_error", ([[1.0], [1.0, 2.0]], [1.0, 2.0]), {}, ShapeError),
]
BUILTINS = {
    ShapeError: ValueError,
    ValueRangeError: ValueError,
    ArgumentError: ValueError,
    DtypeError: TypeError,
    TinygradNNError: (ValueError, TypeError),
}
REFUSED = [
    *((name, a, {}, ShapeError) for name, every in SHAPES.items() for a in every),
    *((name, [Tensor(x) for x in a], {}, ShapeError) for name, e in SHAPES.items() for a in e),
    *VALUES,
    *((c.split()[0], prepared(c)[2], {"reduction": "avg"}, ArgumentError) for c in CASES),
    *(("huber", ([1.0], [2.0]), {"reduction": r}, ArgumentError) for r in (None, True, ["sum"])),
]
each_refused = pytest.mark.parametrize(
    ("name", "arguments", "options", "kind"),
    REFUSED,
    ids=[f"{i}-{name}-{kind.__name__}" for i, (name, _, _, kind) in enumerate(REFUSED)],
)


@each_refused
def test_what_a_loss_is_not_defined_on_is_refused(name, arguments, options, kind):
    with pytest.raises(kind) as caught:
        getattr(losses, name)(*arguments, **options)
    assert isinstance(caught.value, BUILTINS[kind])


@each_refused
def test_refusals_say_where_what_was_expected_what_came_and_what_to_do(
    name, arguments, options, kind
):
    with pytest.raises(kind) as caught:
        getattr(losses, name)(*arguments, **options)
    message = str(caught.value)
    assert re.fullmatch(rf"(?s){name}\b[^;]*: expected .+; got .+(; |\. )[A-Za-z].+", message), (
        message
    )


def test_one_hot_and_labels_are_told_apart():
    with pytest.raises(ShapeError, match=r"one-hot.* categorical_cross_entropy"):
        losses.sparse_categorical_cross_entropy(GRID, GRID)
    with pytest.raises(ShapeError, match=r"labels.* sparse_categorical_cross_entropy"):
        losses.categorical_cross_entropy(LABELS, GRID)


def test_a_transposed_batch_is_not_told_to_reshape_which_would_mix_its_samples():
    with pytest.raises(ShapeError) as caught:
        losses.mean_squared_error(GRID, GRID.T)
    assert "reshape" not in str(caught.value)
    with pytest.raises(ShapeError, match=r"\.reshape\(4,\)"):
        losses.mean_squared_error(COLUMN, FOUR)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounded_probabilities_may_pass_one_by_a_little(dtype):
    above = dtype(1) + 2 * np.finfo(dtype).eps
    assert losses.binary_cross_entropy([1], [above]) == pytest.approx(0, abs=1e-5)
    assert losses.categorical_cross_entropy([[1, 0]], dtype([[above, 0]])) < 1e-5
