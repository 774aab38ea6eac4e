"""Training steps whose programs are kept beside the tests, to be read when they change."""

import numpy as np

import tinygrad_nn as tnn
from tinygrad_nn import losses, nn, optim

RNG = np.random.default_rng(0)


def trained(model, optimizer, loss_of):
    """A step that trains a model by a loss of its outputs."""

    def train_step(x, y):
        loss = loss_of(y, model(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return train_step


def spiral():
    """A classifier of points: relu, softmax cross entropy, Adam, float32."""
    model = nn.Sequential(
        nn.Dense(2, 64, rng=0, dtype=np.float32, name="hidden"),
        tnn.activations.relu,
        nn.Dense(64, 3, rng=1, dtype=np.float32, name="output"),
    )
    loss = lambda y, z: losses.sparse_categorical_cross_entropy(y, z, from_logits=True)
    step = trained(model, optim.Adam(model.parameters(), 0.02), loss)
    return step, (RNG.normal(size=(300, 2)).astype(np.float32), np.arange(300) % 3)


def regression():
    """A curve through points: tanh, Huber, momentum."""
    model = nn.Sequential(
        nn.Dense(1, 16, rng=0, name="hidden"),
        tnn.activations.tanh,
        nn.Dense(16, 1, rng=1, name="output"),
    )
    step = trained(model, optim.SGD(model.parameters(), 0.01, 0.9), losses.huber)
    return step, (RNG.normal(size=(32, 1)), RNG.normal(size=(32, 1)))


class Dropout(nn.Module):
    """Leaves out units by chance."""

    def __init__(self, rate, seed):
        self.rate, self.rng = rate, np.random.default_rng(seed)

    def forward(self, x):
        """Scale what is left, so that the expected output stays."""
        return x * (self.rng.random(x.shape) >= self.rate) / (1 - self.rate)


def dropout():
    """Yes or no, with dropout: binary cross entropy, plain descent."""
    model = nn.Sequential(
        nn.Dense(4, 8, rng=0, name="hidden"),
        tnn.activations.sigmoid,
        Dropout(0.5, 1),
        nn.Dense(8, 1, rng=2, name="output"),
    )
    loss = lambda y, z: losses.binary_cross_entropy(y, z, from_logits=True)
    step = trained(model, optim.SGD(model.parameters(), 0.1), loss)
    return step, (RNG.normal(size=(16, 4)), np.ones((16, 1)))


class BatchNorm(nn.Module):
    """Centres and scales each feature over the batch, and remembers the means."""

    def __init__(self, features):
        self.gain = tnn.Tensor(np.ones(features), requires_grad=True)
        self.mean = np.zeros(features)

    def forward(self, x):
        """Normalise by the batch, and let the running mean follow."""
        mean = np.mean(x, axis=0)
        self.mean = tnn.Tensor(0.9 * self.mean + 0.1 * mean.detach())
        return self.gain * (x - mean) / np.sqrt(np.var(x, axis=0) + 1e-5)


def batch_norm():
    """Running statistics beside the parameters."""
    model = nn.Sequential(nn.Dense(3, 5, rng=0), BatchNorm(5), nn.Dense(5, 1, rng=1))
    step = trained(model, optim.SGD(model.parameters(), 0.1), losses.mean_squared_error)
    return step, (RNG.normal(size=(20, 3)), RNG.normal(size=(20, 1)))


def embeddings():
    """Three towers that share a layer, and gradients that are clipped."""
    tower = nn.Dense(6, 2, rng=0, name="tower")
    optimizer = optim.Adam(tower.parameters(), 0.01)

    def train_step(anchor, positive, negative):
        loss = losses.triplet(tower(anchor), tower(positive), tower(negative))
        optimizer.zero_grad()
        loss.backward()
        norm = sum(np.sum(p.grad**2) for p in tower.parameters()) ** 0.5
        for p in tower.parameters():
            p.grad = p.grad * np.minimum(1.0, 1.0 / norm)
        optimizer.step()
        return loss

    return train_step, tuple(RNG.normal(size=(3, 12, 6)))


MODELS = [spiral, regression, dropout, batch_norm, embeddings]


def source(make, target):
    """The program of a model's step."""
    step, arguments = make()
    compiled = tnn.compile(step, target=target)
    compiled(*arguments)
    return compiled.source
