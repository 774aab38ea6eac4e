"""Initializers: the distributions they draw from, and the randomness they draw with."""

import math

import numpy as np
import pytest
from scipy import stats

import tinygrad_nn as tnn
from tinygrad_nn.errors import ArgumentError, ShapeError
from tinygrad_nn.initializers import INITIALIZERS, as_random, glorot, he, notebook

each = pytest.mark.parametrize("initializer", [he, glorot, notebook])
SHAPES = [(1000, 400), (400, 1000), (3, 3, 100, 500)]


def expected_law(initializer, shape):
    fan_in, fan_out = math.prod(shape[:-1]), shape[-1]
    if initializer is he:
        return stats.norm(0, math.sqrt(2 / fan_in))
    if initializer is glorot:
        limit = math.sqrt(6 / (fan_in + fan_out))
        return stats.uniform(-limit, 2 * limit)
    return stats.norm(0, 0.1)


@each
@pytest.mark.parametrize("shape", SHAPES)
def test_values_follow_the_law_of_the_docstring(initializer, shape):
    values = initializer(shape, rng=1)
    law, n = expected_law(initializer, shape), math.prod(shape)
    assert values.shape == shape
    assert stats.kstest(values.ravel(), law.cdf).pvalue > 1e-3
    assert abs(values.mean()) < 5 * law.std() / math.sqrt(n)
    assert values.std() == pytest.approx(law.std(), rel=5 / math.sqrt(2 * n))
    if initializer is glorot:
        assert np.abs(values).max() == pytest.approx(law.support()[1], rel=20 / n)
    for axis in range(len(shape)):  # no axis repeats itself
        first, second = np.take(values, 0, axis).ravel(), np.take(values, 1, axis).ravel()
        assert abs(np.corrcoef(first, second)[0, 1]) < 5 / math.sqrt(first.size)


@each
@pytest.mark.parametrize(
    "source",
    [
        lambda: 7,
        lambda: np.int64(7),
        lambda: [7, 8],
        lambda: np.random.default_rng(7),
        lambda: np.random.RandomState(7),
        lambda: np.random.PCG64(7),
        lambda: np.random.SeedSequence(7),
    ],
    ids=["int", "int64", "list", "Generator", "RandomState", "bit generator", "SeedSequence"],
)
def test_each_kind_of_source_gives_the_same_values_twice(initializer, source):
    once, again = initializer((3, 4), rng=source()), initializer((3, 4), rng=source())
    np.testing.assert_array_equal(once, again)
    assert np.unique(once).size == 12


@each
def test_a_source_moves_on_and_none_starts_anywhere(initializer):
    for source in (np.random.default_rng(0), np.random.RandomState(0), None):
        first, second = initializer((3, 4), rng=source), initializer((3, 4), rng=source)
        assert not np.intersect1d(first, second).size


@each
def test_drawing_leaves_numpys_global_stream_alone(initializer):
    before = np.random.get_state()
    initializer((3, 4), rng=0)
    initializer((3, 4), rng=None)
    after = np.random.get_state()
    assert before[2] == after[2]
    np.testing.assert_array_equal(before[1], after[1])


@each
def test_a_dtype_rounds_the_same_draws(initializer):
    exact = initializer((5, 6), rng=3)
    assert exact.dtype == np.float64
    for dtype in (np.float32, np.float16, "float32"):
        rounded = initializer((5, 6), rng=3, dtype=dtype)
        assert rounded.dtype == dtype
        np.testing.assert_array_equal(rounded, exact.astype(dtype))


def test_the_notebooks_initializer_draws_what_randn_draws():
    legacy = np.random.RandomState(0)
    expected = [0.10 * legacy.randn(4, 5), 0.10 * legacy.randn(5, 2)]
    ours = np.random.RandomState(0)
    for array in expected:
        np.testing.assert_array_equal(notebook(array.shape, rng=ours), array)


def test_relu_layers_started_by_he_keep_the_size_of_their_signals():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 256))
    for _ in range(10):
        x = np.maximum(x @ he((256, 256), rng), 0)
    assert 0.5 < np.mean(np.square(x)) < 2.0  # 1 at the start; 2⁻¹⁰ without the factor 2


def test_every_initializer_has_a_name_that_dense_knows():
    assert set(INITIALIZERS.values()) == {he, glorot, notebook}
    for name, initializer in INITIALIZERS.items():
        layer = tnn.nn.Dense(3, 4, initializer=name, rng=5)
        np.testing.assert_array_equal(layer.weights.numpy(), initializer((3, 4), rng=5))


@pytest.mark.parametrize("initializer", [he, glorot])
@pytest.mark.parametrize("shape", [(), (3,), (0, 3), (3, 0), (-1, 1), (-2, 3), (3, -2), 5, None])
def test_a_shape_without_fans_is_refused(initializer, shape):
    with pytest.raises(ShapeError, match=r"expected a shape .*; got ") as caught:
        initializer(shape, rng=0)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("source", [-1, 1.5, "seed", np.random, np.random.RandomState, object()])
def test_what_is_no_source_of_randomness_is_refused(source):
    with pytest.raises(ArgumentError, match=r"rng: expected .*Generator.*; got ") as caught:
        as_random(source)
    assert isinstance(caught.value, ValueError)


def test_a_source_is_itself():
    for source in (np.random.default_rng(0), np.random.RandomState(0)):
        assert as_random(source) is source
