"""Training steps drawn at random: models, optimisers, and what people do between the calls."""

import copy
import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tinygrad_nn as tnn
from tinygrad_nn import nn, optim
from tinygrad_nn.autograd.containers import leaves

LARGE = (130, 130)  # more elements than a parameter has that is laid beside others
CLIPPING = ["none", "norm", "value"]
BETWEEN = ["nothing", "assign", "state", "copy", "deepcopy", "uneven", "rate"]


class Extra(nn.Module):
    """Scales and shifts by parameters of odd shapes, and some that serve in some steps alone."""

    def __init__(self, rng, dtype):
        self.scale = tnn.Tensor(np.asarray(1.5, dtype), requires_grad=True)
        self.shift = tnn.Tensor(np.full((1,), 0.1, dtype), requires_grad=True)
        self.corner = tnn.Tensor(np.full((1, 1), 0.2, dtype), requires_grad=True)
        self.rare = tnn.Tensor(rng.normal(size=3).astype(dtype), requires_grad=True)

    def forward(self, x, rare):
        """Scale and shift."""
        y = self.scale * x + self.shift * self.corner
        return y + self.rare.sum() if rare else y


class Net(nn.Module):
    """Layers of random sizes and precisions, one of them shared, one frozen, one perhaps large."""

    def __init__(self, rng, inputs, outputs):
        widths = [inputs, *(int(n) for n in rng.integers(1, 9, rng.integers(0, 5))), outputs]
        if rng.random() < 0.3:
            widths[1:1] = LARGE
        dtypes = [(np.float64,), (np.float32,), (np.float32, np.float64)][rng.integers(3)]
        self.layers = [
            nn.Dense(a, b, rng=int(rng.integers(99)), dtype=dtypes[rng.integers(len(dtypes))])
            for a, b in itertools.pairwise(widths)
        ]
        self.activations = [
            [np.tanh, tnn.activations.relu, tnn.activations.sigmoid, np.arctan][rng.integers(4)]
            for _ in self.layers
        ]
        self.extra = Extra(rng, dtypes[rng.integers(len(dtypes))])
        self.again = [
            b.weights.shape[0] == b.weights.shape[1] and rng.random() < 0.5 for b in self.layers
        ]
        if rng.random() < 0.3:
            self.layers[0].weights.requires_grad = False

    def forward(self, x, rare=True):
        """Through all layers, through square ones perhaps twice."""
        for i, layer in enumerate(self.layers):
            for _ in range(1 + self.again[i]):
                x = self.activations[i](layer(x))
        return self.extra(x, rare)


def optimizer_of(rng, parameters):
    """Any optimiser there is."""
    momentum = float(rng.choice([0.0, 0.9]))
    decay = float(rng.choice([0.0, 0.01]))
    if rng.random() < 0.5:
        return optim.Adam(parameters, 0.01, beta1=float(rng.choice([0.0, 0.9])))
    return optim.SGD(parameters, 0.05, momentum, bool(momentum and rng.random() < 0.5), decay)


@dataclass
class Training:
    """A model with its optimisers, and one step of its training."""

    model: Any
    optimizers: Any
    clipping: str
    decay: float  # of the weights, by hand
    average: Any  # running means of the parameters; None for none
    before: bool  # whether they follow before the update
    previous: bool  # whether gradients are kept beside
    kept: list[Any] = field(default_factory=list)

    def step(self, x, y, update=True, rare=True):
        """Forward, backward, and an update, or only the sum of the gradients."""
        loss = ((self.model(x, rare) - y) ** 2).mean()
        loss.backward()
        if not update:
            return loss
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        norm = sum((p.grad**2).sum() for p in parameters) ** 0.5
        for p in parameters:
            if self.clipping == "norm":
                p.grad = p.grad * np.minimum(1.0, 0.5 / (norm + 1e-6))
            elif self.clipping == "value":
                p.grad = np.clip(p.grad, -0.05, 0.05)
        if self.before:
            self.follow()
        for optimizer in self.optimizers:
            optimizer.step()
        if self.decay:
            with tnn.no_grad():
                for p in parameters:
                    p *= 1 - self.decay
        if not self.before:
            self.follow()
        if self.previous:
            self.kept = [p.grad for p in parameters]
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        return loss, norm

    def follow(self):
        """Let the running means of the parameters follow them."""
        if self.average is not None:
            pairs = zip(self.average, self.model.parameters(), strict=True)
            self.average = [0.9 * mean + 0.1 * p.detach() for mean, p in pairs]

    def state(self):
        """All that a step changes."""
        parameters = self.model.parameters()
        states = [optimizer.states for optimizer in self.optimizers]
        grads = [np.zeros(1) if p.grad is None else p.grad for p in parameters]
        return [*map(array, leaves((parameters, grads, states, self.average, self.kept)))]


def array(leaf):
    """A leaf as an array of its own dtype."""
    return leaf.numpy() if isinstance(leaf, tnn.Tensor) else np.asarray(leaf)


def training(seed):
    """The training of that number: the same again each time."""
    rng = np.random.default_rng(seed)
    model = Net(rng, 3, 2)
    trained = [p for p in model.parameters() if p.requires_grad]
    kind, middle = rng.random(), max(len(trained) // 2, 1)
    halves = [trained, trained] if kind < 0.15 else [trained[:middle], trained[middle:]]
    parts = [trained] if kind > 0.4 else halves
    average = [np.zeros(p.shape, p.dtype) for p in model.parameters()]
    return Training(
        model,
        [optimizer_of(rng, part) for part in parts],
        str(rng.choice(CLIPPING)),
        float(rng.choice([0.0, 0.01])),
        average if rng.random() < 0.3 else None,
        rng.random() < 0.5,
        rng.random() < 0.2,
    )


def meddle(run, rng):
    """What somebody does between two calls."""
    what = rng.choice(BETWEEN)
    optimizer = run.optimizers[rng.integers(len(run.optimizers))]
    p = optimizer.parameters[rng.integers(len(optimizer.parameters))]
    number = int(rng.integers(len(optimizer.states)))
    if what == "assign":
        p.data = rng.normal(size=p.shape).astype(p.dtype) * 0.1
    elif what == "state":
        optimizer.states = [optimizer.rule.init(p.data) for p in optimizer.parameters]
    elif what == "copy":
        optimizer.states = [dict(state) for state in optimizer.states]
    elif what == "deepcopy":
        optimizer.states[number] = copy.deepcopy(optimizer.states[number])
    elif what == "uneven" and "step" in optimizer.states[number]:
        optimizer.states[number]["step"] += 2
    elif what == "rate":
        optimizer.learning_rate *= 0.5
    return what
