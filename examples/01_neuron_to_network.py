"""From one neuron to a network that takes its first training step.

The road of the from-scratch notebook, walked with Tensors: they compute what the notebook
computes, and remember how, so that ``backward()`` can tell every derivative.

Run it with ``python examples/01_neuron_to_network.py``.
"""

import numpy as np
from nnfs.datasets import spiral_data

import tinygrad_nn as tnn
from tinygrad_nn import Tensor, activations, losses


def heading(text):
    """Print the title of a step."""
    print(f"\n--- {text}")


heading("One neuron: multiply each input by its weight, add up, add the bias")
inputs = Tensor([1.2, 2.3, 3.1])
weights = Tensor([3.1, 2.1, 8.7], requires_grad=True)
bias = Tensor(3.0, requires_grad=True)
output = inputs[0] * weights[0] + inputs[1] * weights[1] + inputs[2] * weights[2] + bias
print("output:", output.item())
output.backward()  # how much does the output move when a weight moves? By that weight's input.
print("derivative by the weights:", weights.grad.tolist(), "and by the bias:", bias.grad.item())

heading("Three neurons, written out")
input_layer = Tensor([1.2, 2.3, 3.1, 4.2])
layer_weights = Tensor([[0.9, 0.1, -0.1, -0.3], [0.5, -0.91, 0.3, 0.2], [-0.1, 0.26, -0.26, -0.29]])
layer_biases = Tensor([2, 3, 0.5])
# A slip to learn from: there are four inputs, but the notebook's cell 2 stops after the third.
# Python cannot know that a term is missing, so nothing complains: 3.0 where it should be 1.74.
x, w, b = input_layer, layer_weights, layer_biases
forgetful = [x[0] * w[i][0] + x[1] * w[i][1] + x[2] * w[i][2] + b[i] for i in range(3)]
print("without the fourth input:", [neuron.item() for neuron in forgetful])

heading("The same with a loop, which forgets nothing")
layer_outputs = []
for neuron_weights, neuron_bias in zip(layer_weights, layer_biases, strict=True):
    neuron_output = 0
    for n_input, weight in zip(input_layer, neuron_weights, strict=True):
        neuron_output += n_input * weight
    layer_outputs.append(neuron_output + neuron_bias)
print("with all four inputs:    ", [neuron.item() for neuron in layer_outputs])

heading("The dot product is that loop in one call")
print("one neuron:", (np.dot(Tensor([1, 2, 3, 2.5]), Tensor([0.2, 0.8, -0.5, 1.0])) + 2).item())

heading("A batch: three samples at once, and two layers one after the other")
batch = Tensor([[1, 2, 3, 2.5], [2.0, 5.0, -1.0, 2.0], [-1.5, 2.7, 3.3, -0.8]])
l1_weights = Tensor([[0.2, 0.8, -0.5, 1.0], [0.5, -0.91, 0.26, -0.5], [-0.26, -0.27, 0.17, 0.87]])
l1_biases, l2_biases = Tensor([2, 3, 0.5]), Tensor([-1, 2, -0.5])
l2_weights = Tensor([[0.1, -0.14, 0.5], [-0.5, 0.12, -0.33], [-0.44, 0.73, -0.13]])
# Each row of weights is one neuron, so we transpose: (3, 4) · (4, 3) -> (3 samples, 3 neurons).
l1_output = np.dot(batch, l1_weights.T) + l1_biases
l2_output = np.dot(l1_output, l2_weights.T) + l2_biases
print("first layer:", l1_output.numpy(), "second layer:", l2_output.numpy(), sep="\n")

heading("Layers as objects; the notebook's seed 0 gives the notebook's numbers")
random = np.random.RandomState(0)
layers = [
    tnn.nn.Dense(n_inputs, n_neurons, initializer="notebook", rng=random, name=name)
    for n_inputs, n_neurons, name in [(4, 5, "first"), (5, 2, "second"), (2, 1, "third")]
]
output = batch
for layer in layers:
    output = layer(output)
    print(f"{layer.name} layer, output {output.shape}: first sample {output.numpy()[0]}")
try:
    layers[0](l1_output)  # three values a sample, where the layer has weights for four
except ValueError as error:
    print("a wrong shape:", error)

heading("Spiral data: three arms that no straight line can part")
np.random.seed(0)  # spiral_data draws from NumPy's global stream
X, y = spiral_data(samples=100, classes=3)
print("X", X.shape, "y", y.shape, "classes", sorted(set(y.tolist())))

heading("Activation functions, and their derivatives by backward()")
z = [-2.0, 0.0, 0.5, 2.0]
for name in ("relu", "sigmoid", "tanh"):
    point = Tensor(z, requires_grad=True)
    value = getattr(activations, name)(point)
    value.sum().backward()  # each value depends on its own z, so the sum keeps them apart
    print(f"{name:>7}: {value.numpy().round(4)}  derivative: {point.grad.numpy().round(4)}")
# A slip to learn from: the notebook's dsigmoid wants the OUTPUT of the sigmoid, a·(1 − a), but
# its dtanh wants the INPUT of tanh, 1 − tanh(z)². Both are right; mixing them up is not:
a = activations.sigmoid(np.array(z))
print("sigmoid: a·(1 − a) of the output", (a * (1 - a)).round(4), "is that derivative;")
print("         z·(1 − z) of the input ", (np.array(z) * (1 - np.array(z))).round(4), "is not")
probabilities = activations.softmax([[1.0, 2.0, 3.0]])
print("softmax:", probabilities.round(4), "with the sum", round(probabilities.sum(), 12))

heading("Loss functions: how far off are we?")
target, prediction = [1.0, 2.0, 3.0], [1.5, 2.0, 1.0]
print("MSE:", losses.mean_squared_error(target, prediction).round(4))
print("MAE:", losses.mean_absolute_error(target, prediction).round(4))
# A slip to learn from: the row for MAE in the notebook's table leaves out the bars of |y − ŷ|.
# Without them an error of −0.5 and one of +2 partly cancel, and a bad model looks better:
print("MAE without the absolute value:", np.mean(np.subtract(target, prediction)).round(4))
print(
    "binary cross-entropy of a sure, right answer:",
    losses.binary_cross_entropy([1], [0.9]).round(4),
)
print(
    "               and of a sure, wrong answer:", losses.binary_cross_entropy([0], [0.9]).round(4)
)
one_hot, labels, p = [[0, 1, 0]], [1], [[0.1, 0.7, 0.2]]
print("categorical, with one-hot targets: ", losses.categorical_cross_entropy(one_hot, p).round(4))
print(
    "sparse, with labels: the same, ", losses.sparse_categorical_cross_entropy(labels, p).round(4)
)

heading("One training step: forward, loss, backward, a step down the slope")
model = tnn.nn.Sequential(
    tnn.nn.Dense(2, 16, rng=0, name="hidden"),
    activations.relu,
    tnn.nn.Dense(16, 3, rng=1, name="output"),
)
optimizer = tnn.optim.SGD(model.parameters(), learning_rate=0.5)
loss = losses.sparse_categorical_cross_entropy(y, model(X), from_logits=True)
loss.backward()
for name, parameter in model.named_parameters():
    print(f"{name}: shape {parameter.shape}, and its gradient has the same {parameter.grad.shape}")
optimizer.step()
after = losses.sparse_categorical_cross_entropy(y, model(X), from_logits=True)
print(f"loss before the step {loss.item():.4f}, after it {after.item():.4f}")
print(f"accuracy {tnn.metrics.accuracy(y, model(X)):.2f}; many such steps are called training")
