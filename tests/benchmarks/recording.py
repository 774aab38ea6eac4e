"""What recording costs: a thousand small operations, beside the same NumPy calls made by hand.

    python tests/benchmarks/recording.py

A chain of 100 blocks of ten operations each, on float64 arrays of shape (4,), where hardly any
time goes into arithmetic. The hand-written passes make the very calls that a recording makes,
forward and backward, and keep the values that the derivatives need. PyTorch takes part where it is
installed. The forward pass includes freeing the graph; the backward pass walks one that is kept.
"""

import numpy as np
from interleaved import interleaved

import tinygrad_nn as tnn

BLOCKS, OPERATIONS = 100, 1000
START, SEED = np.linspace(-0.5, 0.5, 4), np.ones(4)


def block(namespace, x):
    a = x * 0.9
    b = namespace.sin(a)
    c = b + x
    d = c * 0.5
    e = namespace.exp(d)
    f = e * 0.3
    h = f - b
    i = namespace.tanh(h)
    j = i + 0.1
    return 1.0 - j


def chain(namespace, x):
    for _ in range(BLOCKS):
        x = block(namespace, x)
    return x


def hand_written():
    def forward():
        x = START
        saved = []
        for _ in range(BLOCKS):
            a = x * 0.9
            b = np.sin(a)
            c = b + x
            d = c * 0.5
            e = np.exp(d)
            f = e * 0.3
            h = f - b
            i = np.tanh(h)
            j = i + 0.1
            x = 1.0 - j
            saved.append((a, e, i))
        return saved

    def backward(saved):
        g = SEED
        for a, e, i in reversed(saved):
            gi = -g
            gh = gi * (1 - i * i)
            gb = -gh
            ge = gh * 0.3
            gd = ge * e
            gc = gd * 0.5
            gb = gb + gc
            ga = gb * np.cos(a)
            g = gc + ga * 0.9
        return g

    return forward, backward


def eager():
    x = tnn.Tensor(START, requires_grad=True)

    def backward(y):
        x.grad = None
        y.backward(SEED)
        return x.grad.numpy()

    return lambda: chain(np, x), backward


def torch_eager(torch):
    x, seed = torch.tensor(START, requires_grad=True), torch.tensor(SEED)

    def backward(y):
        x.grad = None
        y.backward(seed, retain_graph=True)
        return x.grad.numpy()

    return lambda: chain(torch, x), backward


def phases(forward, backward):
    graph = forward()
    return {
        "forward": forward,
        "backward": lambda: backward(graph),
        "both": lambda: backward(forward()),
    }


def main():
    libraries = {"NumPy by hand": hand_written(), "tinygrad_nn": eager()}
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: it takes no part")
    else:
        libraries["PyTorch"] = torch_eager(torch)
    for name, (forward, backward) in libraries.items():
        expected = hand_written()[1](hand_written()[0]())
        np.testing.assert_allclose(backward(forward()), expected, rtol=1e-9, err_msg=name)
    medians = interleaved(
        {
            (name, phase): function
            for name, passes in libraries.items()
            for phase, function in phases(*passes).items()
        },
        calls=20,
    )
    for phase in ("forward", "backward", "both"):
        each = {name: medians[name, phase] / OPERATIONS * 1e6 for name in libraries}
        print(f"{phase:9s}", end="")
        for name, micros in each.items():
            print(f"  {name} {micros:5.2f}", end="")
        print(f"  µs an operation;  over NumPy {each['tinygrad_nn'] - each['NumPy by hand']:5.2f}")
        if "PyTorch" in each:
            print(f"{'':9s}  ratio to PyTorch {each['tinygrad_nn'] / each['PyTorch']:.2f}")


if __name__ == "__main__":
    main()
