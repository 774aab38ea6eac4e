"""Derivatives of any order, of any NumPy code: containers, forward mode, rows of your own.

python examples/02_derivatives.py
"""

import numpy as np

import tinygrad_nn as tnn

# --- a gradient comes back arranged as its argument -------------------------------------------

rng = np.random.default_rng(0)
X, y = rng.normal(size=(50, 3)), rng.normal(size=50)
parameters = {"hidden": (rng.normal(size=(3, 8)), np.zeros(8)), "out": rng.normal(size=8)}


def loss(p):
    """The mean squared error of a small network, in plain NumPy calls."""
    weights, biases = p["hidden"]
    return np.mean((np.tanh(X @ weights + biases) @ p["out"] - y) ** 2)


gradient = tnn.grad(loss)(parameters)
print("out receives", gradient["out"].shape)
print("hidden receives", [part.shape for part in gradient["hidden"]])

# --- forward mode, curvature, and derivatives element by element ------------------------------

x = np.linspace(-1.0, 1.0, 5)
value, slope = tnn.jvp(np.sinc, (x,), (np.ones(5),))
print("sinc, and its slope: ", np.round(value, 3), np.round(slope, 3))
print("its second derivative:", np.round(tnn.elementwise_grad(tnn.elementwise_grad(np.sinc))(x), 3))
print("a Hessian:", tnn.hessian(lambda v: np.prod(v))(np.array([2.0, 0.0, 3.0])).tolist())

# --- rows of your own, checked when they are defined ------------------------------------------


@tnn.primitive(
    derivatives={"x": ("g·eˣ·(1 + x)", lambda g, y, x: g * np.exp(x) * (1 + x))},
    formula="x·eˣ",
    check=(np.array([-1.0, 0.5]),),
)
def lambert_inverse(x):
    """The function x·eˣ, which NumPy does not know."""
    return x * np.exp(x)


print("third derivative:", tnn.grad(tnn.grad(tnn.grad(lambert_inverse)))(1.0), "=", 4 * np.e)

try:
    tnn.primitive(
        lambda x: x**3, derivatives={"x": lambda g, y, x: g * 2 * x**2}, check=(np.array([1.0]),)
    )
except tnn.errors.GradientError as error:
    print(f"a wrong derivative is found at once: {error}")

# --- memory for time --------------------------------------------------------------------------

block = tnn.checkpoint(lambda x: np.tanh(np.sin(x) ** 2 + x))
t = tnn.Tensor(x, requires_grad=True)
(block(block(t)) ** 2).sum().backward()
print(f"a graph of {len(tnn.Graph([block(block(t))]))} nodes, and the gradient {t.grad}")
