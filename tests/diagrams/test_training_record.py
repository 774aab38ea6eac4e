"""What a record keeps of a run, against independent counts, and that it leaves no trace."""

import functools
from itertools import pairwise

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.diagrams import TrainingRecord
from tinygrad_nn.diagrams.movie.histograms import BINS, histogram, magnitudes
from tinygrad_nn.diagrams.movie.record import GRID
from tinygrad_nn.diagrams.movie.schedule import Schedule
from tinygrad_nn.diagrams.regions import box_around, grid_points, outlines
from tinygrad_nn.diagrams.scales import decades, thinned, ticks
from tinygrad_nn.errors import ArgumentError

cross_entropy = functools.partial(tnn.losses.sparse_categorical_cross_entropy, from_logits=True)
binary_logits = functools.partial(tnn.losses.binary_cross_entropy, from_logits=True)


def network(*sizes, activation=tnn.activations.relu, dtype=np.float64):
    layers = []
    for i, (n, m) in enumerate(pairwise(sizes)):
        layers += [tnn.nn.Dense(n, m, rng=i, dtype=dtype, name=f"layer {i + 1}"), activation]
    return tnn.nn.Sequential(*layers[:-1], name="network")


def train(model, X, y, loss, epochs, rate=0.1, **options):
    record = TrainingRecord(model, X, y, loss, **options)
    optimizer = tnn.optim.SGD(model.parameters(), learning_rate=rate)
    with np.errstate(all="ignore"):
        for _ in range(epochs):
            value = loss(y, model(tnn.Tensor(X)))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            record.add(value)
    return record


@pytest.fixture
def data(rng):
    X = rng.normal(size=(40, 2))
    return X, (X[:, 0] > 0).astype(np.int64) + (X[:, 1] > 0.5)


# --- which epochs are kept --------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 2, 3, 10, 40])
@pytest.mark.parametrize("epochs", [1, 7, 100, 2000])
@pytest.mark.parametrize("known", [0, 0.1, 1])
def test_kept_epochs_are_few_reach_all_over_and_are_denser_at_first(most, epochs, known):
    schedule = Schedule(most, int(epochs * known) or None)
    kept = [0]
    for epoch in range(1, epochs + 1):
        if schedule.reach(epoch):
            kept = [k for k in kept if k in schedule]
        if epoch in schedule:
            kept.append(epoch)
    assert kept == [k for k in range(epochs + 1) if k in schedule]  # nothing was missed
    assert kept[0] == 0
    assert len(kept) <= most + 1
    assert epochs < 4 * most or len(kept) >= most // 2
    gaps = np.diff(kept)
    assert not gaps.size or np.all(np.diff(gaps) >= -1)
    if known == 1:
        assert kept[-1] == epochs


def test_the_record_keeps_a_bounded_number_and_always_both_ends(data):
    record = train(network(2, 3, 3), *data, cross_entropy, 150, snapshots=8)
    epochs = [s.epoch for s in record.finish()]
    assert epochs[0] == 0
    assert epochs[-1] == 150
    assert len(epochs) <= 10
    assert epochs == sorted(set(epochs))
    assert len(record.losses) == 150


def test_finishing_twice_measures_once_and_training_may_go_on(data):
    model = network(2, 3, 3)
    record = train(model, *data, cross_entropy, 13, snapshots=3)
    first = record.finish()
    assert first[-1].epoch == 13
    assert record.finish()[-1] is first[-1]
    record.add(1.0)
    assert [s.epoch for s in record.finish()][-1] == 14
    assert 13 not in [s.epoch for s in record.finish()]


# --- what is measured -------------------------------------------------------------------------


def test_losses_and_metrics_are_of_the_model_after_the_epoch(data):
    X, y = data
    model = network(2, 3, 3)
    record = train(model, X, y, cross_entropy, 5, metrics={"accuracy": tnn.metrics.accuracy})
    last = record.finish()[-1]
    outputs = model(X).numpy()
    assert last.loss == cross_entropy(y, outputs)
    assert last.metrics == {"accuracy": np.mean(np.argmax(outputs, axis=1) == y)}


def test_the_confusion_matrix_counts_each_sample_in_its_row(data):
    X, y = data
    model = network(2, 3, 3)
    last = train(model, X, y, cross_entropy, 30).finish()[-1]
    expected = np.zeros((3, 3), dtype=int)
    for truth, scores in zip(y, model(X).numpy(), strict=True):
        expected[truth, max(range(3), key=lambda c: scores[c])] += 1
    np.testing.assert_array_equal(last.confusion, expected)


def test_parameters_and_gradients_are_spread_as_numpy_says(data):
    X, y = data
    model = network(2, 3, 3)
    record = train(model, X, y, cross_entropy, 3)
    last = record.finish()[-1]
    model.zero_grad()
    cross_entropy(y, model(tnn.Tensor(X))).backward()
    for parameter, spread in zip(record.parameters, last.spreads, strict=True):
        values, gradient = parameter.tensor.numpy(), parameter.tensor.grad.numpy()
        counts, edges = np.histogram(values, BINS)
        assert spread.values.counts == tuple(counts)
        assert (spread.values.low, spread.values.high) == (edges[0], edges[-1])
        logs = np.log10(np.abs(gradient[gradient != 0]))
        assert sum(spread.gradient.counts) == logs.size
        np.testing.assert_allclose(
            [spread.gradient.low, spread.gradient.high], [logs.min(), logs.max()]
        )
        np.testing.assert_allclose(spread.gradient.norm, np.sqrt(np.sum(gradient**2)))


def test_parameters_are_named_by_the_layers_that_use_them(data):
    record = TrainingRecord(network(2, 3, 3), *data, cross_entropy)
    assert [p.name for p in record.parameters] == [
        *("layer 1 weights", "layer 1 biases", "layer 2 weights", "layer 2 biases")
    ]
    assert [p.layer for p in record.parameters] == ["layer 1"] * 2 + ["layer 2"] * 2


def test_parameters_without_layers_and_names_have_numbers(data):
    class Model:
        def __init__(self):
            self.w = tnn.Tensor(np.ones((2, 3)), requires_grad=True)
            self.unused = tnn.Tensor(1.0, requires_grad=True)

        def parameters(self):
            return [self.unused, self.w]

        def __call__(self, X):
            return X @ self.w

    record = TrainingRecord(Model(), *data, cross_entropy)
    assert [p.name for p in record.parameters] == ["parameter 1", "parameter 0"]
    assert record.finish()[-1].spreads[1].gradient is None


@pytest.mark.parametrize("gradient", [None, 7.0])
@pytest.mark.parametrize("inside_no_grad", [False, True])
def test_measuring_leaves_gradients_and_parameters_as_they_were(data, gradient, inside_no_grad):
    model = network(2, 3, 3)
    for parameter in model.parameters():
        parameter.grad = None if gradient is None else np.full(parameter.shape, gradient)
    before = [p.numpy().copy() for p in model.parameters()]
    if inside_no_grad:
        with tnn.no_grad():
            record = TrainingRecord(model, *data, cross_entropy)
            record.add(1.0)
    else:
        record = TrainingRecord(model, *data, cross_entropy)
        record.add(1.0)
    for parameter, value, spread in zip(
        model.parameters(), before, record.finish()[-1].spreads, strict=True
    ):
        np.testing.assert_array_equal(parameter.numpy(), value)
        assert spread.gradient.norm > 0
        if gradient is None:
            assert parameter.grad is None
        else:
            np.testing.assert_array_equal(parameter.grad.numpy(), gradient)


def test_the_data_are_copied(data):
    X, y = data
    model = network(2, 3, 3)
    record = TrainingRecord(model, X, y, cross_entropy)
    expected = record.finish()[0].loss
    X[:], y[:] = 0, 0
    record.add(1.0)
    assert record.finish()[-1].loss == expected


def test_the_plane_is_what_the_model_says_of_each_cell(data):
    X, y = data
    model = network(2, 3, 3, dtype=np.float32)
    record = TrainingRecord(model, X.astype(np.float32), y, cross_entropy)
    points = grid_points(record.box, GRID)
    assert points.shape == (GRID**2, 2)
    assert points[:, 0].min() < X[:, 0].min() < X[:, 0].max() < points[:, 0].max()
    assert points[0, 1] == points[:, 1].max()  # the first row is at the top
    expected = np.argmax(model(points.astype(np.float32)).numpy(), axis=1)
    np.testing.assert_array_equal(record.finish()[0].grid, expected)


def test_inputs_that_are_no_points_of_a_plane_have_no_regions(rng):
    X, y = rng.normal(size=(10, 3)), rng.integers(0, 2, 10)
    record = TrainingRecord(network(3, 4, 2), X, y, cross_entropy)
    assert record.box is None
    assert record.finish()[0].grid is None


def test_whole_numbers_have_points_between_them(rng):
    X, y = rng.integers(0, 3, (10, 2)), rng.integers(0, 2, 10)
    record = TrainingRecord(network(2, 4, 2), X, y, cross_entropy)
    assert record.box is not None
    assert record.finish()[0].grid.shape == (GRID**2,)


# --- what outputs mean ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int64, np.float32, bool])
@pytest.mark.parametrize("shape", [(40,), (40, 1)])
@pytest.mark.parametrize("logits", [False, True])
def test_one_output_for_yes_or_no_is_cut_where_the_loss_is_indifferent(data, dtype, shape, logits):
    X = data[0]
    truth = X[:, 0] + X[:, 1] > 0
    y = truth.astype(dtype).reshape(shape)

    class Model(tnn.nn.Dense):
        def forward(self, x):
            z = super().forward(x).reshape(-1, *shape[1:])
            return z if logits else tnn.activations.sigmoid(z)

    model = Model(2, 1, rng=0)
    loss = binary_logits if logits else tnn.losses.binary_cross_entropy
    loss_of_numbers = lambda y, p: loss(np.asarray(y, dtype=np.float64), p)
    record = train(model, X, y, loss_of_numbers, 60, rate=1.0)
    last = record.finish()[-1]
    outputs = model(X).numpy().reshape(-1)
    says = outputs > (0 if logits else 0.5)
    expected = [[np.sum(~truth & ~says), np.sum(~truth & says)],
                [np.sum(truth & ~says), np.sum(truth & says)]]  # fmt: skip
    np.testing.assert_array_equal(last.confusion, expected)
    assert np.trace(last.confusion) > 35
    assert set(np.unique(last.grid)) == {0, 1}


def test_one_hot_rows_are_classes(data):
    X, y = data
    loss = functools.partial(tnn.losses.categorical_cross_entropy, from_logits=True)
    record = TrainingRecord(network(2, 3, 3), X, np.eye(3)[y], loss)
    assert record.finish()[0].confusion.sum(axis=1).tolist() == np.bincount(y).tolist()


@pytest.mark.parametrize("shape", [(40,), (40, 1), (40, 2)])
def test_other_numbers_are_values(data, rng, shape):
    X, y = data[0], rng.normal(size=shape)
    model = network(2, 4, 1 if len(shape) == 1 else shape[1])
    flat = lambda y, p: tnn.losses.mean_squared_error(y, p.reshape(*shape))
    record = TrainingRecord(model, X, y, flat)
    last = record.finish()[0]
    assert last.confusion is None
    assert (record.box is None) == (shape == (40, 2))
    if record.box is not None:
        expected = model(grid_points(record.box, GRID)).numpy()[:, 0]
        np.testing.assert_array_equal(last.grid, expected)


def test_a_model_that_has_diverged_is_measured_all_the_same(data):
    X, y = data
    model = network(2, 3, 3)
    probabilities = lambda y, z: tnn.losses.sparse_categorical_cross_entropy(
        y, tnn.activations.softmax(z)
    )
    record = TrainingRecord(model, X, y, probabilities, metrics={"accuracy": tnn.metrics.accuracy})
    model.parameters()[0].data = np.full((2, 3), np.nan)
    record.add(np.nan)
    last = record.finish()[-1]
    assert np.isnan(last.loss)
    assert last.confusion.sum() == 0
    assert set(last.grid) == {-1}
    assert last.spreads[0].values.nonfinite == 6


def test_a_metric_that_refuses_what_diverged_does_not_end_training_but_one_that_is_wrong_does(data):
    def picky(y, outputs):
        if np.isnan(outputs.numpy()).any():
            raise ValueError("Input contains NaN")
        return 1.0

    model = network(2, 3, 3)
    record = TrainingRecord(model, *data, cross_entropy, metrics={"picky": picky})
    model.parameters()[0].data = np.full((2, 3), np.nan)
    record.add(np.nan)
    first, last = record.finish()
    assert first.metrics == {"picky": 1.0}
    assert np.isnan(last.metrics["picky"])
    with pytest.raises(ValueError, match="NaN"):
        TrainingRecord(model, *data, cross_entropy, metrics={"picky": picky})


# --- units without a slope --------------------------------------------------------------------


def rectifiers():
    yield "relu", tnn.activations.relu
    yield "maximum", lambda x: np.maximum(x, 0)
    yield "where", lambda x: np.where(x > 0, x, 0.0)
    yield "clip", lambda x: np.clip(x, 0, 6)


@pytest.mark.parametrize(("name", "activation"), [*rectifiers()])
def test_planted_dead_units_are_counted_whatever_the_relu_is_written_as(data, name, activation):
    model = network(2, 8, 3, activation=activation)
    biases = np.zeros(8)
    biases[:3] = -100.0
    model.layers[0].biases.data = biases
    found = TrainingRecord(model, *data, cross_entropy).finish()[0].activations
    hidden = activation(model.layers[0](data[0])).numpy()
    dead = np.flatnonzero(np.all(hidden == 0, axis=0))
    assert set(dead) >= {0, 1, 2}
    assert [(a.name, a.units, a.resting) for a in found] == [
        (f"{name} after layer 1", 8, len(dead))
    ]
    assert found[0].share == np.mean(hidden == 0)


def test_leaky_units_are_never_dead(data):
    model = network(2, 8, 3, activation=tnn.activations.leaky_relu)
    assert TrainingRecord(model, *data, cross_entropy).finish()[0].activations == ()


@pytest.mark.parametrize("activation", [tnn.activations.sigmoid, tnn.activations.tanh])
def test_saturated_units_are_counted_but_not_those_of_the_outputs(data, activation):
    X, y = data[0], data[1][:, None].astype(float) / 2
    model = network(2, 6, 1, activation=activation)
    model = tnn.nn.Sequential(*model.layers, activation, name="network")
    model.layers[0].biases.data = [50.0, 50.0, -50.0, 0.0, 0.0, 0.0]
    record = TrainingRecord(model, X, y, tnn.losses.mean_squared_error)
    found = record.finish()[0].activations
    hidden = activation(model.layers[0](X)).numpy()
    low = 0 if activation is tnn.activations.sigmoid else -1
    flat = (hidden <= low + 0.01) | (hidden >= 0.99)
    assert len(found) == 1
    assert found[0].bounded
    assert found[0].resting == np.sum(np.all(flat, axis=0)) >= 3
    assert found[0].share == np.mean(flat)


# --- histograms, grids and scales -------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "counts"),
    [([], ()), ([np.nan, np.inf], ()), ([2.0, 2.0, np.nan], (2,)), ([1.0, 1.0 + 2e-16], (2,))],
)
def test_histograms_of_what_cannot_be_put_into_bins(values, counts):
    found = histogram(np.array(values))
    assert found.counts == counts
    assert found.size == len(values)
    assert found.nonfinite == np.sum(~np.isfinite(values))


def test_histograms_count_what_is_in_no_bin(rng):
    values = np.concatenate([rng.normal(size=50), [0.0, 0.0, np.inf, -np.inf, np.nan]])
    plain, sizes = histogram(values), magnitudes(values)
    assert sum(plain.counts) == 52
    assert sum(sizes.counts) == 50
    assert plain.zeros == sizes.zeros == 2
    assert plain.nonfinite == sizes.nonfinite == 3
    assert plain.mean == np.mean(values[:52])
    with np.errstate(all="ignore"):
        assert sum(histogram(np.array([-1.7e308, 0.0, 1.7e308])).counts) == 3


def test_outlines_cover_each_cell_once(rng):
    kinds = rng.integers(-1, 3, (12, 12))
    covered = np.full((12, 12), -1)
    for kind, path in enumerate(outlines(kinds, 3)):
        for part in path.split("z")[:-1]:
            start, rest = part[1:].split("h", 1)
            x, y = map(int, start.split())
            covered[y, x : x + int(rest.split("v")[0])] = kind
    np.testing.assert_array_equal(covered, kinds)


@pytest.mark.parametrize("points", [[[1.0, 2.0]], [[np.nan, 0.0], [3.0, 0.0]], [[0.0, 1e9]] * 3])
def test_a_box_has_room_even_around_one_point(points):
    box = box_around(np.array(points))
    assert box.left < box.right
    assert box.bottom < box.top


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (-3.0, 7.0), (0.97, 0.99), (5.0, 5.0), (0.0, 3e-9), (-1e30, 0.0)]
)
def test_ticks_are_few_even_and_around_the_values(low, high):
    marks = ticks(low, high)
    assert marks[0] <= low + 1e-9 * abs(low)
    assert marks[-1] >= high - 1e-9 * abs(high)
    assert 2 <= len(marks) <= 7
    np.testing.assert_allclose(np.diff(marks), marks[1] - marks[0])


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (1e-12, 1e9), (0.2, 0.3)])
def test_decades_are_few_and_around_the_values(low, high):
    marks = decades(low, high)
    assert 10.0 ** marks[0] <= low
    assert high <= 10.0 ** marks[-1]
    assert 2 <= len(marks) <= 6


def test_thinning_keeps_spikes_and_gaps(rng):
    values = rng.normal(size=10_000)
    values[1234], values[4321], values[7777] = 99.0, -99.0, np.nan
    kept = thinned(values, 100)
    assert {0, 1234, 4321, 7777, 9999} <= set(kept)
    assert len(kept) <= 401
    assert thinned([1.0, 2.0], 100) == [0, 1]


# --- what is refused --------------------------------------------------------------------------


def refused():
    X, y = np.zeros((4, 2)), np.zeros(4, dtype=np.int64)
    model = network(2, 3, 2)
    none = functools.partial(cross_entropy, reduction="none")
    yield (lambda x: x, X, y, cross_entropy), {}, "a model"
    yield (model, X, y[:3], cross_entropy), {}, "a row for each sample"
    yield (model, X[:0], y[:0], cross_entropy), {}, "a row for each sample"
    yield (model, X, np.array(list("abcd")), cross_entropy), {}, "number the classes"
    yield (model, X, y, "loss"), {}, "expected a loss"
    yield (model, X, y, none), {}, "reduction='mean'"
    yield (model, X, y, lambda y, p: 1.0), {}, "a loss that returns a Tensor"
    yield (model, X, y, cross_entropy), {"snapshots": 0}, "snapshots of at least 1"
    yield (model, X, y, cross_entropy), {"epochs": 2.5}, "epochs of at least 1"
    yield (model, X, y, cross_entropy), {"metrics": [len]}, "a dict of functions"
    yield (model, X, y, cross_entropy), {"classes": ["one"]}, "2 names of classes"
    yield (model, X, y, cross_entropy), {"classes": "ab"}, "2 names of classes"


@pytest.mark.parametrize(("arguments", "options", "said"), [*refused()])
def test_what_cannot_be_recorded_is_told_at_once(arguments, options, said):
    with pytest.raises(ArgumentError, match=said):
        TrainingRecord(*arguments, **options)


@pytest.mark.parametrize("number", ["much", [1.0, 2.0], None])
def test_what_is_no_number_is_not_added(data, number):
    record = TrainingRecord(network(2, 3, 3), *data, cross_entropy)
    with pytest.raises(ArgumentError, match="expected a number for loss"):
        record.add(number)
    with pytest.raises(ArgumentError, match="expected a number for accuracy"):
        record.add(1.0, accuracy=number)
    assert record.losses == []
    record.add(1.0)
    record.add(2.0, late=3.0)
    np.testing.assert_array_equal(record.told["late"], [np.nan, 3.0])
