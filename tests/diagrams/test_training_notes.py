"""Notes on a run: planted faults are named with their layer and epoch, and sound runs have none."""

import functools
import math

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.diagrams import TrainingRecord
from tinygrad_nn.diagrams.movie.notes import find_notes

cross_entropy = functools.partial(tnn.losses.sparse_categorical_cross_entropy, from_logits=True)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 2))
    return X, (X[:, 0] > 0).astype(np.int64)


def stack(depth, width, activation, scale=None):
    sizes = [2, *[width] * depth, 2]
    layers = []
    for i in range(depth + 1):
        layer = tnn.nn.Dense(sizes[i], sizes[i + 1], rng=i, name=f"dense {i + 1}")
        if scale is not None:
            layer.weights.data = scale * layer.weights.numpy()
        layers += [layer, activation]
    return tnn.nn.Sequential(*layers[:-1], name="stack")


def notes_of(record):
    return {note.kind: note for note in find_notes(record, record.finish())}


def run(model, X, y, epochs=1, rate=0.05):
    record = TrainingRecord(model, X, y, cross_entropy)
    optimizer = tnn.optim.SGD(model.parameters(), learning_rate=rate)
    with np.errstate(all="ignore"):
        for _ in range(epochs):
            loss = cross_entropy(y, model(X))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            record.add(loss)
    return record


def told(record, losses):
    """The record, with other losses told to it."""
    for loss in losses:
        record.add(loss)
    return notes_of(record)


def test_a_sound_run_has_no_notes(data):
    assert notes_of(run(stack(1, 16, tnn.activations.tanh), *data, epochs=40, rate=0.5)) == {}


def test_dead_units_are_named_with_their_layer_number_and_epoch(data):
    model = stack(1, 8, tnn.activations.relu)
    record = TrainingRecord(model, *data, cross_entropy)
    for epoch in range(1, 11):
        if epoch == 6:
            model.layers[0].biases.data = [-1e3] * 3 + [10.0] * 5
        record.add(1.0 / epoch)
    note = notes_of(record)["Dead units"]
    assert note.where == "relu after dense 1"
    assert note.seen.startswith("3 of 8 units are 0 for every sample at the end")
    assert note.seen.endswith("since epoch 6")
    assert "leaky_relu" in note.remedy


def test_units_that_came_back_to_life_are_not_noted(data):
    model = stack(1, 4, tnn.activations.relu)
    model.layers[0].biases.data = [-1e3] * 4
    record = TrainingRecord(model, *data, cross_entropy)
    model.layers[0].biases.data = [1e3] * 4
    assert "Dead units" not in told(record, [1.0])


def test_a_dead_layer_gets_no_gradient(data):
    model = stack(1, 4, tnn.activations.relu)
    model.layers[0].biases.data = [-1e3] * 4
    note = notes_of(run(model, *data))["Vanishing gradient"]
    assert note.where == "dense 1"
    assert "down to 0 of" in note.seen


def test_a_deep_stack_of_sigmoids_vanishes_in_its_first_layers(data):
    record = run(stack(10, 8, tnn.activations.sigmoid, scale=0.3), *data, epochs=5)
    note = notes_of(record)["Vanishing gradient"]
    assert note.where.startswith("dense 1, dense 2, dense 3")
    assert "dense 11" not in note.where
    assert "between epochs 0 and 5" in note.seen
    norms = {}  # by the walk of backward itself
    for parameter in record.parameters:
        parameter.tensor.grad = None
    cross_entropy(data[1], record._model(data[0])).backward()
    for parameter in record.parameters:
        square = float(np.sum(parameter.tensor.grad.numpy() ** 2))
        norms[parameter.layer] = norms.get(parameter.layer, 0.0) + square
    largest = math.sqrt(max(norms.values()))
    small = [layer for layer, square in norms.items() if math.sqrt(square) < 1e-4 * largest]
    assert note.where == ", ".join(small)


def test_huge_weights_explode(data):
    note = notes_of(run(stack(4, 16, tnn.activations.relu, scale=20.0), *data, rate=1e-9))
    assert "dense 1" in note["Exploding gradient"].where
    assert "times that of the weights" in note["Exploding gradient"].seen
    assert "Vanishing gradient" not in note


def test_a_gradient_that_is_not_finite_is_noted_once_with_its_first_epoch(data):
    model = stack(1, 4, tnn.activations.relu)
    record = TrainingRecord(model, *data, cross_entropy)
    for epoch in range(1, 6):
        if epoch == 3:
            model.layers[0].weights.data = np.full((2, 4), np.nan)
        record.add(1.0)
    notes = notes_of(record)
    assert notes["Exploding gradient"].seen.endswith("first seen at epoch 3")
    assert "dense 1" in notes["Exploding gradient"].where


@pytest.mark.parametrize(("bad", "shown"), [(np.nan, "NaN"), (np.inf, "∞"), (-np.inf, "-∞")])
def test_a_loss_that_is_not_finite_is_noted_with_its_first_epoch(data, bad, shown):
    record = TrainingRecord(stack(1, 4, tnn.activations.tanh), *data, cross_entropy)
    note = told(record, [1.0, 0.5, bad, np.nan])["The loss is not finite"]
    assert note.seen == f"first at epoch 3, where it is {shown}"


@pytest.mark.parametrize(
    ("losses", "kind"),
    [
        ([1.0] * 20, "The loss does not fall"),
        ([1.0 + i for i in range(20)], "The loss does not fall"),
        ([2.0, 1.0, *[1.8] * 18], "The loss rose again"),
        ([1.0] * 9, None),  # too few to say
        ([1.0 / (i + 1) for i in range(20)], None),
        ([-1.0 - i for i in range(20)], None),
    ],
)
def test_where_the_loss_is_going(data, losses, kind):
    record = TrainingRecord(stack(1, 4, tnn.activations.tanh), *data, cross_entropy)
    found = {k for k in told(record, losses) if k.startswith("The loss")}
    assert found == ({kind} if kind else set())


def test_saturated_activations_are_noted(data):
    model = stack(1, 8, tnn.activations.tanh, scale=500.0)
    note = notes_of(run(model, *data, rate=1e-9))["Saturated activations"]
    assert note.where == "tanh after dense 1"
    assert "since epoch 0" in note.seen


def test_a_parameter_that_is_not_used_is_noted(data):
    model = stack(1, 4, tnn.activations.tanh)
    model.forgotten = tnn.Tensor([1.0], requires_grad=True)
    note = notes_of(run(model, *data))["No gradient"]
    assert note.where == "forgotten"
    assert note.seen == "the loss does not depend on it"


def test_data_that_are_not_finite_are_to_blame_for_all_else(data):
    X, y = data
    X[3, 1] = np.nan
    notes = notes_of(run(stack(1, 4, tnn.activations.relu), X, y, epochs=3))
    assert [*notes] == ["The data are not finite"]
    assert notes["The data are not finite"].seen.startswith("1 of 120 numbers")


def test_outputs_that_are_not_numbers_give_no_class(data):
    X, y = data
    model = stack(1, 4, tnn.activations.tanh)
    record = run(model, X, y)
    model.layers[0].weights.data = np.full((2, 4), np.nan)
    record.add(np.nan)
    page = tnn.diagrams.training_report(record).html
    assert "0 of 60 right (0.0%); 60 have no class" in page
    assert "all 8 not finite" in page
