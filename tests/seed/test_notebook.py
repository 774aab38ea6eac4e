"""Every output that the from-scratch notebook prints, character for character, by this package."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Tensor, losses
from tinygrad_nn.errors import ShapeError

SCRIPT = Path(__file__).with_name("notebook_cells_8_and_10.py")

INPUTS = [1.2, 2.3, 3.1, 4.2]
WEIGHTS = [[0.9, 0.1, -0.1, -0.3], [0.5, -0.91, 0.3, 0.2], [-0.1, 0.26, -0.26, -0.29]]
BIASES = [2, 3, 0.5]

X = [[1, 2, 3, 2.5], [2.0, 5.0, -1.0, 2.0], [-1.5, 2.7, 3.3, -0.8]]
WEIGHTS_1 = [[0.2, 0.8, -0.5, 1.0], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]]
BIASES_1 = [2, 3, 0.5]
WEIGHTS_2 = [[0.1, -0.14, 0.5], [-0.5, 0.12, -0.33], [-0.44, 0.73, -0.13]]
BIASES_2 = [-1, 2, -0.5]

CELL_2 = "[3.0, 2.4370000000000003, 0.17199999999999993]"
CELL_3 = "[1.74, 3.277, -1.046]"
CELL_5 = """\
[[ 4.8    1.21   2.385]
 [ 8.9   -1.81   0.2  ]
 [ 1.41   1.051  0.026]]"""
CELL_6 = """\
[[ 0.5031  -1.04185 -2.03875]
 [ 0.2434  -2.7332  -5.7633 ]
 [-0.99314  1.41254 -0.35655]]"""
CELL_7 = """\
[[ 0.10758131  1.03983522  0.24462411  0.31821498  0.18851053]
 [-0.08349796  0.70846411  0.00293357  0.44701525  0.36360538]
 [-0.50763245  0.55688422  0.07987797 -0.34889573  0.04553042]]
[[ 0.148296   -0.08397602]
 [ 0.14100315 -0.01340469]
 [ 0.20124979 -0.07290616]]
[[-0.00087785]
 [ 0.00167789]
 [ 0.00036128]]"""
CELL_8 = """\
[[ 0.          0.          0.        ]
 [-0.00104752  0.00113954 -0.00047984]
 [-0.00274148  0.00317292 -0.00086922]
 [-0.00421884  0.00526663 -0.00055913]
 [-0.00577077  0.00714014 -0.0008943 ]]"""
CELL_10 = "[" + "\n ".join(["[0.33333334 0.33333334 0.33333334]"] * 5) + "]"


def trained(data):
    """A parameter, so that every cell is recorded and not only computed."""
    return Tensor(data, requires_grad=True, dtype=np.float64)


def cell_1():
    inputs, weights, bias = Tensor([1.2, 2.3, 3.1]), trained([3.1, 2.1, 8.7]), trained(3)
    output = inputs[0] * weights[0] + inputs[1] * weights[1] + inputs[2] * weights[2] + bias
    print(output.item())


def cell_2():
    x, neurons = Tensor(INPUTS), []
    for w, b in zip(trained(WEIGHTS), trained(BIASES), strict=True):
        neurons.append(x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + b)  # the notebook forgets x[3]
    print([neuron.item() for neuron in neurons])


def cell_3():
    layer_outputs = []
    for neuron_weights, neuron_bias in zip(trained(WEIGHTS), trained(BIASES), strict=True):
        neuron_output = 0
        for n_input, weight in zip(Tensor(INPUTS), neuron_weights, strict=True):
            neuron_output += n_input * weight
        neuron_output += neuron_bias
        layer_outputs.append(neuron_output)
    print([output.item() for output in layer_outputs])


def cell_4():
    print((np.dot(Tensor([1, 2, 3, 2.5]), trained([0.2, 0.8, -0.5, 1.0])) + 2).item())


def cell_5():
    print((np.dot(X, trained(WEIGHTS_1).T) + BIASES_1).numpy())


def cell_6():
    layer1 = np.dot(X, trained(WEIGHTS_1).T) + BIASES_1
    print((np.dot(layer1, trained(WEIGHTS_2).T) + BIASES_2).numpy())


def given(weights, biases):
    """A Dense layer with the notebook's numbers; the notebook keeps a row for each neuron."""
    columns = np.transpose(weights)
    layer = tnn.nn.Dense(*columns.shape, initializer=lambda shape, rng, dtype: columns)
    layer.biases.data = biases
    return layer


def cell_5_by_layers():
    print(given(WEIGHTS_1, BIASES_1)(X).numpy())


def cell_6_by_layers():
    print(tnn.nn.Sequential(given(WEIGHTS_1, BIASES_1), given(WEIGHTS_2, BIASES_2))(X).numpy())


def cell_7():
    rng, output = np.random.RandomState(0), X
    sizes = [(4, 5), (5, 2), (2, 1)]
    # The notebook makes all its layers before it uses any, and so does this list.
    layers = [tnn.nn.Dense(*size, initializer="notebook", rng=rng) for size in sizes]
    for layer in layers:
        output = layer(output)
        print(output.numpy())


def cell_15():
    print(Tensor(0.0, name="Hello World").name)


PRINTED = {
    cell_1: "38.519999999999996",
    cell_2: CELL_2,
    cell_3: CELL_3,
    cell_4: "4.8",
    cell_5: CELL_5,
    cell_5_by_layers: CELL_5,
    cell_6: CELL_6,
    cell_6_by_layers: CELL_6,
    cell_7: CELL_7,
    cell_15: "Hello World",
}


@pytest.mark.parametrize("cell", PRINTED, ids=lambda cell: cell.__name__)
def test_a_cell_prints_what_the_notebook_prints(cell, capsys):
    cell()
    assert capsys.readouterr().out == PRINTED[cell] + "\n"


def run(*arguments):
    """Run Python in a fresh process, with warnings as errors, and return what it prints."""
    path = str(Path(tnn.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("order", ["init-first", "import-first"])
def test_cells_8_and_10_print_what_the_notebook_prints(order):
    assert run(str(SCRIPT), order) == f"{CELL_8}\n{CELL_10}\n"


ON_LISTS = """
import tinygrad_nn as tnn
logits, labels, one_hot = [[1.0, 2.0], [3.0, -1.0]], [1, 0], [[0, 1], [1, 0]]
w = tnn.Tensor([[0.5, -1.0], [2.0, 1.5]], requires_grad=True)
for name in tnn.activations.__all__:
    print(name, getattr(tnn.activations, name)(logits).tolist())
for name in ("mean_squared_error", "mean_absolute_error", "huber", "triplet"):
    arguments = [one_hot, logits, logits[::-1]][: 3 if name == "triplet" else 2]
    print(name, getattr(tnn.losses, name)(*arguments, reduction="none").tolist())
print(tnn.losses.contrastive(labels, logits, one_hot).tolist())
print(tnn.losses.sparse_categorical_cross_entropy(labels, logits, from_logits=True).tolist())
print(tnn.losses.categorical_cross_entropy(one_hot, logits, from_logits=True).tolist())
print(tnn.losses.binary_cross_entropy(labels, [0.5, 0.25]).tolist())
print(tnn.losses.kl_divergence(one_hot, [[0.5, 0.5], [0.25, 0.75]]).tolist())
print(tnn.metrics.accuracy(labels, logits), (logits @ w).tolist())
print(tnn.nn.Dense(2, 3, rng=0, initializer="glorot")(logits).tolist())
tnn.losses.sparse_categorical_cross_entropy(labels, logits @ w, from_logits=True).backward()
tnn.optim.Adam([w]).step()
print(w.tolist(), w.dtype, w.grad.tolist())
"""
AFTER_NNFS = """
import nnfs, numpy as np
nnfs.init()
try:
    np.dot([1.0], [2.0])
except AttributeError:
    pass
else:
    raise SystemExit("nnfs's np.dot takes lists now, so this test has nothing to guard against")
"""


def test_nnfs_breaks_np_dot_on_lists_and_nothing_of_ours():
    assert run("-c", AFTER_NNFS + ON_LISTS) == run("-c", ON_LISTS) != ""


# --- cell 9: the class of activation functions, which prints nothing ---------------------------


def softmax(inputs):
    exp_values = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
    return exp_values / np.sum(exp_values, axis=1, keepdims=True)


ACTIVATIONS = {  # the notebook's formulas; each derivative with what the notebook hands to it
    "relu": (lambda x: np.maximum(0, x), lambda x: np.where(x > 0, 1, 0), "input"),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y), "output"),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, "input"),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_cell_9_activations_and_their_derivatives(name):
    rng = np.random.default_rng(9)
    x, g = (
        np.append(rng.normal(0, 2, (20, 3)), [[0.0, -0.0, 1.0]], axis=0),
        rng.normal(size=(21, 3)),
    )
    function, derivative, of = ACTIVATIONS[name]
    recorded = Tensor(x, requires_grad=True)
    y = getattr(tnn.activations, name)(recorded)
    y.backward(g)
    expected = function(x)
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-14)
    slope = derivative(expected if of == "output" else x)
    np.testing.assert_allclose(recorded.grad.numpy(), g * slope, rtol=1e-13, atol=1e-15)


def test_cell_9_softmax_over_the_classes_of_each_sample():
    x = np.random.default_rng(9).normal(0, 3, (20, 4))
    np.testing.assert_allclose(tnn.activations.softmax(x), softmax(x), rtol=1e-14)


# --- the text: the neuron, shapes, losses ------------------------------------------------------


def test_cell_2_forgets_the_fourth_input_that_cell_3_counts():
    with_it = np.dot(WEIGHTS, INPUTS) + BIASES
    without = json.loads(CELL_2) - np.array(json.loads(CELL_3))
    np.testing.assert_allclose(with_it, json.loads(CELL_3), rtol=1e-14)
    np.testing.assert_allclose(without, -INPUTS[3] * np.array(WEIGHTS)[:, 3], rtol=1e-13)


def test_a_neuron_weighs_its_inputs_and_its_gradient_says_so():
    x, w, b = trained([1.2, 2.3, 3.1]), trained([3.1, 2.1, 8.7]), trained(3)
    (np.dot(x, w) + b).backward()
    assert w.grad.tolist() == [1.2, 2.3, 3.1]
    assert x.grad.tolist() == [3.1, 2.1, 8.7]
    assert b.grad.item() == 1.0


def test_the_shapes_of_the_text():
    assert Tensor([1, 2, 3]).shape == (3,)
    matrix = Tensor([[1, 2, 3], [4, 5, 6]])
    assert matrix.shape == (2, 3) == (len(matrix), len(matrix[0]))
    assert (Tensor(np.ones((4, 2))) @ matrix).shape == (4, 3)  # (m × n) · (n × p) -> (m × p)
    layer = tnn.nn.Dense(3, 5)
    with pytest.raises(ShapeError, match=r"expected inputs of shape \(batch, 3\); got \(7, 2\)"):
        layer(np.ones((7, 2)))
    layer(np.ones((7, 3))).sum().backward()
    assert [p.grad.shape for p in layer.parameters()] == [p.shape for p in layer.parameters()]


LN = {0.5: -0.6931471805599453, 0.7: -0.35667494393873245, 0.8: -0.22314355131420976}
PREDICTED = [[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]]


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "each"),
    [
        ("mean_squared_error", [1.0, 2.0, 3.0], [1.5, 2.0, 1.0], [0.25, 0.0, 4.0]),
        ("mean_absolute_error", [1.0, 2.0, 3.0], [1.5, 2.0, 1.0], [0.5, 0.0, 2.0]),
        ("binary_cross_entropy", [1, 0], [0.8, 0.3], [-LN[0.8], -LN[0.7]]),
        ("categorical_cross_entropy", [[0, 1, 0], [1, 0, 0]], PREDICTED, [-LN[0.7], -LN[0.5]]),
        ("sparse_categorical_cross_entropy", [1, 0], PREDICTED, [-LN[0.7], -LN[0.5]]),
    ],
)
def test_the_losses_of_the_text(loss, y_true, y_pred, each):
    function = getattr(losses, loss)
    np.testing.assert_allclose(function(y_true, y_pred, reduction="none"), each, rtol=1e-15)
    np.testing.assert_allclose(function(y_true, y_pred), sum(each) / len(each), rtol=1e-15)


def test_the_summary_table_leaves_out_the_absolute_value_of_mae():
    y, p = np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.0, 1.0])
    as_in_the_table = np.mean(y - p)  # errors of both signs cancel there
    assert as_in_the_table == 0.5
    assert losses.mean_absolute_error(y, p) == pytest.approx(2.5 / 3, rel=1e-15)
