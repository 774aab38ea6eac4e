"""Graphs of a million nodes: seconds to record, walk back and free, and bytes a node.

    python tests/benchmarks/scale.py [--nodes 1000000] [--repeats 3]
    python tests/benchmarks/scale.py --training

A chain is sin(sin(… sin(x))). A fan is sin(x) + sin(x) + …, one leaf used by half of the nodes, and
added up rather than concatenated, which takes some libraries quadratic time. Values are float64 of
shape (4,), and nothing raises the recursion limit. PyTorch and HIPS autograd take part where they
are installed. Each run has a process of its own, the libraries take turns, and medians are shown.

Bytes a node are the growth of resident memory (/proc/self/statm, so on Linux) from just before
the recording, after a small one as warm-up, to just after it, divided by the nodes, less the 32
bytes of a node's elements. The array object around them counts. PyTorch keeps no sums, so for its
fan that takes away too much.

With --training, a small network takes 20,000 steps without Python's cyclic garbage collector, and
resident memory is shown on the way.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np

START = np.linspace(0.1, 0.4, 4)
SHAPES = ("chain", "fan")


def build(sin, x, shape, nodes):
    y = sin(x)
    if shape == "chain":
        for _ in range(nodes - 1):
            y = sin(y)
    else:
        for _ in range(nodes // 2):
            y = y + sin(x)
    return y


def ours():
    import tinygrad_nn as tnn

    x = tnn.Tensor(START, requires_grad=True)

    def backward(loss):
        x.grad = None
        loss.backward()
        return x.grad.numpy()

    return lambda *graph: build(np.sin, x, *graph).sum(), backward


def pytorch():
    import torch

    x = torch.tensor(START, requires_grad=True)

    def backward(loss):
        x.grad = None
        loss.backward()
        return x.grad.numpy()

    return lambda *graph: build(torch.sin, x, *graph).sum(), backward


def hips():
    import autograd.numpy as anp
    from autograd import make_vjp

    def record(*graph):
        return make_vjp(lambda x: anp.sum(build(anp.sin, x, *graph)))(START)[0]

    return record, lambda pullback: pullback(1.0)


LIBRARIES = {  # what to import, and how to record and walk back
    "tinygrad_nn": ("tinygrad_nn", ours),
    "PyTorch": ("torch", pytorch),
    "HIPS autograd": ("autograd", hips),
}


def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(library, shape, nodes):
    """One run, in this process: what it took, and the gradient."""
    record, backward = LIBRARIES[library][1]()
    backward(record(shape, 1000))
    gc.collect()
    before, times = resident(), [time.perf_counter()]
    graph = record(shape, nodes)
    grown = resident() - before
    times.append(time.perf_counter())
    gradient = backward(graph)
    times.append(time.perf_counter())
    del graph
    times.append(time.perf_counter())
    phases = [end - start for start, end in pairwise(times)]
    return {
        "seconds": [*phases, sum(phases)],
        "bytes": grown / nodes - START.nbytes,
        "gradient": gradient.tolist(),
    }


def measured_apart(library, shape, nodes):
    """The same in a process of its own, or None where that process dies."""
    command = [sys.executable, __file__, "--nodes", str(nodes), "--run", library, shape]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{library}, {shape}: died, exit status {done.returncode}", done.stderr[-300:])
        return None
    return json.loads(done.stdout)


def compare(nodes, repeats):
    installed = [name for name, (module, _) in LIBRARIES.items() if find_spec(module)]
    runs = {(shape, library): [] for shape in SHAPES for library in installed}
    for _ in range(repeats):
        for (shape, library), results in runs.items():
            results.append(measured_apart(library, shape, nodes))
    print(f"{nodes} nodes, medians of {repeats}")
    print(f"{'':22s}  record  backward   free    all s   µs a node   bytes a node")
    for (shape, library), results in runs.items():
        results = [result for result in results if result]
        if not results:
            continue
        expected = runs[shape, "tinygrad_nn"][0]["gradient"]
        np.testing.assert_allclose(results[0]["gradient"], expected, rtol=1e-6, err_msg=library)
        phases = zip(*(result["seconds"] for result in results), strict=True)
        seconds = [statistics.median(times) for times in phases]
        size = statistics.median(result["bytes"] for result in results)
        print(
            f"{shape:6s}{library:16s}" + "".join(f"{s:8.2f}" for s in seconds),
            f"{seconds[-1] / nodes * 1e6:11.2f}{size:15.0f}",
        )


def train(steps=20_000):
    import tinygrad_nn as tnn

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((32, 2)), rng.integers(0, 3, 32)
    model = tnn.nn.Sequential(
        tnn.nn.Dense(2, 16, rng=rng), tnn.activations.relu, tnn.nn.Dense(16, 3, rng=rng)
    )
    optimizer = tnn.optim.Adam(model.parameters(), 0.01)
    gc.disable()
    for step in range(steps + 1):
        loss = tnn.losses.sparse_categorical_cross_entropy(y, model(X), from_logits=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in (100, 1000) or step % 4000 == 0:
            print(f"step {step:6d}   loss {loss:.4f}   {resident() / 2**20:.2f} MiB resident")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--training", action="store_true", help="the small network instead")
    parser.add_argument("--run", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.training:
        train()
    elif options.run:
        print(json.dumps(measure(*options.run, options.nodes)))
    else:
        compare(options.nodes, options.repeats)


if __name__ == "__main__":
    main()
