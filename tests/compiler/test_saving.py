"""Saved programs run by themselves, with NumPy alone, and come to the same weights."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from test_steps import STEPS, X, Y, training, values

import tinygrad_nn as tnn
from tinygrad_nn.data import spiral
from tinygrad_nn.errors import ArgumentError, OutputError, TraceError

ALONE = """
import sys
class Alone:  # nothing but NumPy and Python itself
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root not in sys.stdlib_module_names and root not in ("numpy", "train_step"):
            raise ImportError(f"{name} is not there")
sys.meta_path.insert(0, Alone())
sys.path.insert(0, sys.argv[1])
import numpy as np
import train_step as module
state = module.init_state()
batch = module.example_batch()
for _ in range(30):
    module.train_step(state, *batch)
np.savez(sys.argv[1] + "/after.npz", **{k: v for k, v in state.items() if not hasattr(v, "random")})
"""


def load(path):
    spec = importlib.util.spec_from_file_location("saved_step", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("target", ["numpy", "teaching"])
@pytest.mark.parametrize("make", STEPS, ids=lambda make: make.__name__)
def test_a_saved_step_goes_on_as_the_step_does(make, target, tmp_path):
    step, _ = make()
    step.__name__ = "train_step"
    compiled = tnn.compile(step, target=target)
    for _ in range(2):
        compiled(X, Y)
    module = load(compiled.save(tmp_path / "train_step.py", batch=(X, Y)))
    saved, batch = module.init_state(), module.example_batch()
    for _ in range(5):
        expected, found = compiled(X, Y), module.train_step(saved, *batch)
        for a, b in zip(values(expected), values(found), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-15)
    for key, value in compiled._ran.state_now((X, Y)).items():
        if isinstance(value, (np.ndarray, int, float)):
            np.testing.assert_allclose(saved[key], value, rtol=1e-12, atol=1e-15)


def test_a_module_trains_with_numpy_alone_to_the_same_weights(tmp_path):
    X, y = spiral(100, 3)
    model = tnn.nn.Sequential(
        tnn.nn.Dense(2, 16, rng=0, dtype=np.float32, name="hidden"),
        tnn.activations.relu,
        tnn.nn.Dense(16, 3, rng=1, dtype=np.float32, name="output"),
    )
    optimizer = tnn.optim.Adam(model.parameters(), 0.02)

    @tnn.compile
    def train_step(X, y):
        loss = tnn.losses.sparse_categorical_cross_entropy(y, model(X), from_logits=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    train_step(X, y)
    train_step.save(tmp_path / "train_step.py", batch=(X, y))
    for _ in range(30):
        train_step(X, y)
    subprocess.run([sys.executable, "-I", "-c", ALONE, str(tmp_path)], check=True, timeout=60)
    with np.load(tmp_path / "after.npz") as after:
        weights = np.concatenate([p.numpy().ravel() for p in model.parameters()])
        assert sorted(after["parameters"]) == sorted(weights)


def test_a_module_runs_when_it_is_started(tmp_path):
    step, _ = training(model := tnn.nn.Dense(3, 2, rng=0), tnn.optim.SGD(model.parameters(), 0.1))
    compiled = tnn.compile(step)
    compiled(X, Y)
    path = compiled.save(tmp_path / "step.py")  # on random numbers
    ran = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, check=True, timeout=60
    )
    losses = [float(line.split()[1]) for line in ran.stdout.splitlines()]
    assert len(losses) == 10
    assert losses[-1] < losses[0]


def test_a_prediction_can_be_saved(tmp_path):
    model = tnn.nn.Dense(3, 2, rng=0)
    predict = tnn.compile(lambda x: tnn.activations.softmax(model(x)))
    expected = predict(X)
    predict._name = "predict"
    module = load(predict.save(tmp_path / "predict.py", batch=(X,)))
    (name,) = [n for n in vars(module) if n not in ("init_state", "example_batch") and callable(
        getattr(module, n)) and n[0] != "_" and n != "Path"]  # fmt: skip
    found = getattr(module, name)(module.init_state(), *module.example_batch())
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12)


def test_what_cannot_be_saved_says_why(tmp_path):
    with pytest.raises(TraceError, match="call"):
        tnn.compile(lambda x: x).save(tmp_path / "step.py")
    doubled = tnn.compile(lambda x: 2 * x)
    doubled(X)
    with pytest.raises(OutputError, match=r"\.py"):
        doubled.save(tmp_path / "step.txt")
    with pytest.raises(OutputError, match="expected to write"):
        doubled.save(tmp_path / "no" / "such" / "folder" / "step.py")


def test_a_step_that_updates_its_arguments_is_saved_with_them(tmp_path):
    @tnn.compile
    def step(w, x):
        loss = ((w * x) ** 2).sum()
        loss.backward()
        w.data = w.detach() - 0.1 * w.grad
        w.grad = None
        return loss

    w = tnn.Tensor(np.ones(3), requires_grad=True)
    step(w, X[0, :3])
    with pytest.raises(ArgumentError, match="batch=, the arguments"):
        step.save(tmp_path / "step.py")
    assert step.save(tmp_path / "step.py", batch=(w, X[0, :3])).exists()
