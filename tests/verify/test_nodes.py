"""The check of every gradient inside a recording."""

import numpy as np

import tinygrad_nn as tnn
from tinygrad_nn.primitives import TABLE, Derivative
from tinygrad_nn.verify import Verdict, check_nodes


def recorded_loss(dtype=np.float64):
    x = tnn.Tensor([[0.5, -1.0], [1.5, 2.0]], dtype=dtype, name="x")
    layer = tnn.nn.Dense(2, 3, rng=0, dtype=dtype)
    logits = np.tanh(layer(x)) * tnn.Tensor([1.0, 2.0, 3.0], dtype=dtype)
    return tnn.losses.sparse_categorical_cross_entropy([0, 2], tnn.activations.softmax(logits))


def checks_by_name(loss):
    graph = tnn.Graph([loss._node])
    checks = check_nodes(graph, np.ones(()))
    return {(n.primitive.name if n.primitive else n.name): check for n, check in checks.items()}


def test_every_node_of_a_right_graph_passes_also_in_float32():
    for dtype in (np.float64, np.float32):
        checks = checks_by_name(recorded_loss(dtype))
        assert {"weights", "biases", "matmul", "add", "tanh", "exp", "log"} <= checks.keys()
        assert {check.verdict for check in checks.values()} == {Verdict.PASS}


def test_a_planted_fault_shows_in_the_nodes_behind_it_and_not_in_those_before(monkeypatch):
    wrong = (Derivative("g", lambda g, y, a: g * (1 - y)),)
    loss = recorded_loss()
    monkeypatch.setattr(TABLE["numpy.tanh"], "derivatives", wrong)
    checks = checks_by_name(loss)
    assert checks["tanh"].verdict is Verdict.PASS  # its own gradient comes from what follows
    assert checks["matmul"].verdict is Verdict.WRONG
    assert checks["weights"].verdict is Verdict.WRONG
    assert checks["weights"].analytic != checks["weights"].numeric


def test_what_stop_gradient_holds_stays_where_it_is():
    x = tnn.Tensor([1.0, 3.0], requires_grad=True, name="x")
    y = np.sum(x * tnn.primitives.stop_gradient(x * x))
    checks = checks_by_name(y)
    assert checks["x"].verdict is Verdict.PASS


def test_constants_and_the_output_have_no_verdict():
    checks = checks_by_name(recorded_loss())
    assert "x" not in checks
    assert "mean" not in checks
