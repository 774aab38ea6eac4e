"""Is this gradient right? Four answers. ``tinygrad-nn gradcheck FILE.py`` asks the same."""

import sys

import numpy as np

import tinygrad_nn as tnn

x, layer = np.array([[-1.5, 0.0, 2.0]]), tnn.nn.Dense(3, 2, rng=0)
wrong = tnn.primitive(lambda x: x**3, derivatives={"x": lambda g, y, x: g * 2 * x**2})
reports = {
    "right": tnn.gradcheck(lambda x: np.sum(np.sin(x) * x), x, order=2),
    "a layer's parameters too": tnn.gradcheck(layer, x, parameters=layer),
    "a kink at 0": tnn.gradcheck(lambda x: np.abs(x), x),
    "wrong on purpose": tnn.gradcheck(lambda x: wrong(x), x),
}
for title, report in reports.items():
    print(f"{title}: {'right' if report else 'NOT RIGHT'}\n{report}\n")
sys.exit(0 if [bool(report) for report in reports.values()] == [True, True, True, False] else 1)
