"""What flows along the edges of a recording, in the right order and in a wrong one."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.autograd.backward import gradients, plan
from tinygrad_nn.diagrams.flow import Flow, order_of_arrival


def recording(rng):
    """Values that are used once, twice, by one operation twice, and broadcast."""
    x = tnn.Tensor(rng.standard_normal((3, 2)), requires_grad=True, name="x")
    w = tnn.Tensor(rng.standard_normal((2, 2)), requires_grad=True, name="w")
    b = tnn.Tensor(rng.standard_normal(2), requires_grad=True, name="b")
    h = np.tanh(x @ w + b)
    y = np.exp(h) * h + h * h
    graph = tnn.Graph([y])
    return graph, {graph.outputs[0]: rng.standard_normal(y.shape)}


def test_parts_add_up_to_the_gradients_of_the_walk(rng):
    graph, seeds = recording(rng)
    flow = Flow(graph, seeds)
    expected = gradients(plan(list(seeds)), list(seeds.items()))
    assert flow.gradients.keys() == expected.keys()
    for node, gradient in expected.items():
        np.testing.assert_allclose(flow.gradients[node], gradient, rtol=1e-14)
        arriving = [part for (user, k), part in flow.parts.items() if user.inputs[k] is node]
        if node not in seeds:
            np.testing.assert_allclose(sum(arriving), gradient, rtol=1e-14)
        for part in arriving:
            assert part.shape == node.value.shape


def test_each_edge_carries_what_the_row_sends_along_it():
    x = tnn.Tensor(3.0, requires_grad=True)
    y = x * x
    flow = Flow(tnn.Graph([y]), {y._node: np.array(10.0)})
    assert {k: float(part) for (_, k), part in flow.parts.items()} == {0: 30.0, 1: 30.0}
    assert flow.gradients[x._node] == 60.0


def test_an_unselected_branch_stays_silent():
    x = tnn.Tensor([0.0, 2.0], requires_grad=True)
    with np.errstate(divide="ignore"):
        y = np.where(x.data > 0, np.log(x), 0.0)
    flow = Flow(tnn.Graph([y]), {y._node: np.ones(2)})
    np.testing.assert_array_equal(flow.gradients[x._node], [0.0, 0.5])


def test_the_order_of_arrival_passes_on_too_early_where_paths_differ_in_length():
    x = tnn.Tensor(2.0, requires_grad=True)
    a = x * x
    y = a + np.sin(a)
    graph, seeds = tnn.Graph([y]), {y._node: np.array(1.0)}
    right, wrong = Flow(graph, seeds), Flow(graph, seeds, order_of_arrival(graph.outputs))
    assert right.gradients[x._node] == pytest.approx(4.0 * (1 + np.cos(4.0)))
    assert wrong.gradients[x._node] == pytest.approx(4.0)  # without the way through the sine
    assert sorted(order_of_arrival(graph.outputs), key=lambda n: n.number) == list(graph.nodes)
