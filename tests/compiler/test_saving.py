"""Saved programs run by themselves, with NumPy alone, and come to the same weights."""

import importlib.util
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from random_steps import array, training
from test_steps import STEPS, X, Y, values
from test_steps import training as training_step

import tinygrad_nn as tnn
from tinygrad_nn.autograd.containers import leaves
from tinygrad_nn.compiler.blocks.target import Target
from tinygrad_nn.compiler.step import CompiledStep
from tinygrad_nn.compiler.text.literals import literal
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
    model = tnn.nn.Dense(3, 2, rng=0)
    step, _ = training_step(model, tnn.optim.SGD(model.parameters(), 0.1))
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
    known = ("init_state", "example_batch", "main", "Path")
    (name,) = [
        n for n in vars(module) if callable(vars(module)[n]) and n[0] != "_" and n not in known
    ]
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


# --- any training, any names --------------------------------------------------------------------

SMALL_BLOCKS = {"least": 2, "least_plain": 2, "least_work": 2, "part_bytes": 512,
                "shared_bytes": 512, "least_shared": 32}  # fmt: skip
TARGETS = {
    "numpy": lambda: Target("numpy", 1),
    "blocks": lambda: Target("numpy", 2, **SMALL_BLOCKS),
    "teaching": lambda: Target("teaching", 1),
}
RUFF = shutil.which("ruff")


def check_style(folder):
    """Modules are to be read: a formatter finds nothing to do, and a linter nothing to say."""
    if RUFF is None:
        pytest.skip("ruff is not installed")
    for command in (
        ["format", "--check", "--diff", "--line-length", "88"],
        ["check", "--select", "E,F,W,I,B", "--ignore", "E501"],
    ):
        ran = subprocess.run(
            [RUFF, *command, "--isolated", "--no-cache", str(folder)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout


def copied(state):
    return {key: array(value).copy() for key, value in state.items()}


def assert_equal(expected, found):
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value)


@pytest.mark.parametrize(
    ("target", "seed"),
    [*(("numpy", s) for s in range(40, 46)), *(("blocks", s) for s in range(46, 50)),
     *(("teaching", s) for s in range(50, 55))],
)  # fmt: skip
def test_any_training_goes_on_in_its_module(target, seed, tmp_path):
    rng, run = np.random.default_rng(seed), training(seed)
    compiled = CompiledStep(run.step, ("update", "rare"), TARGETS[target]())
    x, y = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    for _ in range(3):
        compiled(x, y)
    compiled.save(tmp_path / "random.py")
    module = load(compiled.save(tmp_path / "given.py", batch=(x, y)))
    check_style(tmp_path)
    state, again = module.init_state(), module.init_state()
    first, batch = copied(state), module.example_batch()
    with pytest.raises(ValueError, match="expected x of shape"):
        module.step(state, x[1:], y[1:])
    assert_equal(first, copied(state))
    for _ in range(4):
        expected, found = compiled(x, y), module.step(state, *batch)
        for a, b in zip(leaves(expected), leaves(found), strict=True):
            np.testing.assert_array_equal(b, array(a))
    now = compiled._ran.state_now((x, y))
    assert_equal(copied(now), copied({key: state[key] for key in now}))
    assert_equal(first, copied(again))
    assert_equal(first, copied(module.init_state()))


def test_labels_are_checked_before_anything_is_written(tmp_path):
    model = tnn.nn.Dense(3, 4, rng=0)
    optimizer = tnn.optim.Adam(model.parameters(), 0.01)

    def step(x, labels):
        loss = tnn.losses.sparse_categorical_cross_entropy(labels, model(x), from_logits=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    compiled, labels = tnn.compile(step), np.arange(10) % 4
    compiled(X, labels)
    module = load(compiled.save(tmp_path / "step.py", batch=(X, labels)))
    state = module.init_state()
    before = copied(state)
    for wrong in (labels + 1, labels - 1):
        with pytest.raises(ValueError, match="label"):
            module.step(state, X, wrong)
    assert_equal(before, copied(state))


@pytest.mark.parametrize("target", ["numpy", "teaching"])
@pytest.mark.parametrize(
    "name", ["init_state", "example_batch", "main", "i", "batch", "result", "state", "np", "path"]
)
def test_names_of_the_module_may_be_those_of_the_users(name, target, tmp_path):
    layers = [tnn.nn.Dense(3, 8, rng=0, name=name), tnn.nn.Dense(8, 2, rng=1, name=name)]
    layers[0].weights.name = name
    step, _ = training_of(tnn.nn.Sequential(layers[0], tnn.activations.tanh, layers[1]))
    step.__name__ = name
    compiled = tnn.compile(step, target=target)
    compiled(X, Y)
    path = compiled.save(tmp_path / "step.py", batch=(X, Y))
    check_style(tmp_path)
    ran = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, check=True, timeout=60
    )
    expected = [compiled(X, Y).item() for _ in range(100)][::10]
    found = [float(line.split()[1]) for line in ran.stdout.splitlines()]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def training_of(model):
    return training_step(model, tnn.optim.SGD(model.parameters(), 0.1, 0.9))


@pytest.mark.parametrize("kind", ["MT19937", "PCG64", "Philox", "SFC64", "RandomState"])
def test_generators_and_odd_numbers_go_on_in_a_module(kind, tmp_path):
    made = getattr(np.random, kind)(3)
    rng = made if kind == "RandomState" else np.random.Generator(made)
    around = {"math": rng, "large": 1e300, "odd": np.array([-0.0, np.inf, 1e16, 0.1])}

    def step(x):
        around["odd"] = around["odd"] * 1.0
        around["large"] = around["large"] * 1.5
        return x * around["math"].normal(size=x.shape), around["large"], [x * complex(-0.0, 1e20)]

    compiled = tnn.compile(step)
    compiled(X)
    compiled.save(tmp_path / "random.py")
    module = load(compiled.save(tmp_path / "given.py", batch=(X,)))
    check_style(tmp_path)
    state = module.init_state()
    for _ in range(3):
        for a, b in zip(leaves(compiled(X)), leaves(module.step(state, X)), strict=True):
            np.testing.assert_array_equal(b, array(a))


def test_what_is_returned_is_written_as_formatters_have_it(tmp_path):
    def step(x):
        long = {f"a_very_long_name_for_{i}": x + i for i in range(9)}
        return x.max(), *(x * i for i in range(2, 20)), long, [x + 1], (x - 1,)

    compiled = tnn.compile(step)
    compiled(X)
    compiled.save(tmp_path / "several.py", batch=(X,))
    single = tnn.compile(lambda x: (x + 1,))
    single(X)
    single.save(tmp_path / "single.py")
    check_style(tmp_path)


@given(st.one_of(st.floats(), st.floats(0, 1).map(lambda x: 1 - round(x, 3))))
@example(1 - 0.9)
@example(1 - 1.1)
@example(-0.0)
def test_a_number_is_written_as_what_gives_it_back(number):
    text = literal(number)
    found = eval(text, {"np": np})
    same = np.float64(found).tobytes() == np.float64(number).tobytes()
    assert same or np.isnan([found, number]).all()
    assert text == "1 - 0.9" or number != 1 - 0.9
