"""What is said of shapes: forward, broadcast, and the sums of backward."""

import numpy as np
import pytest

import tinygrad_nn as tnn


def shapes(f, *shapes_of):
    return " ".join(tnn.explain(f, *(np.ones(s) for s in shapes_of)).shapes)


@pytest.mark.parametrize(
    ("f", "of", "told"),
    [
        (np.matmul, [(2, 3), (3, 4)],
         "(2, 3) · (3, 4) → (2, 4): each of 2 × 4 outputs is a dot product of 3 numbers"),
        (np.matmul, [(2, 3), (3, 4)],
         "g·bᵀ is (2, 4) · (4, 3) → (2, 3), and aᵀ·g is (3, 2) · (2, 4) → (3, 4)"),
        (np.matmul, [(3,), (3,)], "(3,) · (3,) → (): the output is a dot product of 3 numbers"),
        (np.matmul, [(2, 3), (3,)], "(2, 3) · (3,) → (2,): each of 2 outputs"),
        (np.matmul, [(3,), (3, 4)], "the first is a vector, which has no axis to keep"),
        (np.matmul, [(5, 1, 2, 3), (4, 3, 2)],
         "axis 1 of the first was repeated 4 times, so backward sums its gradient over axis 1"),
        (np.matmul, [(5, 1, 2, 3), (4, 3, 2)],
         "axis 0 of the second was repeated 5 times, so backward sums its gradient over axis 0"),
        (np.matmul, [(5, 2, 3), (3,)], "one vector, was used for each of them"),
        (np.matmul, [(0, 3), (3, 2)], "each of 0 × 2 outputs"),
        (np.add, [(2, 4), (4,)], "(2, 4) + (4,) → (2, 4): axis 0 of the second was repeated 2 "
         "times, so backward sums its gradient over axis 0"),
        (np.add, [(3, 1), (1, 4)],
         "axis 1 of the first was repeated 4 times, so backward sums its gradient over axis 1"),
        (np.multiply, [(2, 3, 4), (3, 1)],
         "axes 0 and 2 of the second were repeated 2 and 4 times, so backward sums its gradient "
         "over axes 0 and 2"),
        (np.multiply, [(), (2, 3)], "the first, a single number, was used for each of 2 × 3 "
         "elements, so backward sums its gradient over all axes"),
        (np.add, [(0, 4), (4,)], "so its gradient is 0, a sum over nothing"),
        (np.subtract, [(2, 3), (2, 3)], "element by element, shapes alike"),
        (np.sum, [(2, 4)], "8 numbers become one; backward spreads its gradient over 2 × 4"),
        (lambda x: np.mean(x, axis=1), [(2, 4)],
         "(2, 4) → (2,): over axis 1: each of 2 outputs is made of 4 numbers"),
        (lambda x: np.max(x, axis=(0, -1), keepdims=True), [(2, 4, 3)],
         "(2, 4, 3) → (1, 4, 1): over axes 0 and 2, which stay with length 1: each of 1 × 4 × 1 "
         "outputs is made of 6 numbers"),
        (lambda x: x.reshape(4, 2), [(2, 4)], "(2, 4) → (4, 2): the same 8 numbers in another "
         "shape; backward gives the gradient the shape (2, 4) again"),
        (np.transpose, [(2, 3, 4)], "the axes in the order 2, 1 and 0; backward puts them back"),
        (lambda x: np.broadcast_to(x, (5, 3)), [(3,)], "axis 0 of it was repeated 5 times, so "
         "backward sums its gradient over axis 0"),
        (lambda x: x[1:, 0], [(3, 2)], "(3, 2) → (2,): picks 2 of 6 numbers; backward puts"),
        (lambda x, y: np.concatenate([x, y]), [(2, 3), (4, 3)],
         "(2, 3), (4, 3) → (6, 3): end to end along axis 0: 2 and 4 make 6"),
        (lambda x, y: np.stack([x, y], axis=1), [(2,), (2,)], "(2,), (2,) → (2, 2): 2 arrays"),
        (lambda x, y: np.einsum("ij,jk->ik", x, y), [(2, 3), (3, 4)],
         "ij,jk->ik with i = 2, j = 3, k = 4: products summed over j"),
        (np.linalg.inv, [(1, 1)], "inv: (1, 1) → (1, 1)"),
        (tnn.activations.log_softmax, [(2, 3)], "along axis -1 depend on one another"),
    ],
)  # fmt: skip
def test_shapes_in_words(f, of, told):
    assert told in shapes(f, *of)


@pytest.mark.parametrize(
    ("f", "arguments", "told"),
    [
        (np.add, ([[1, 2], [3, 4]], 2), "(2, 2) + () → (2, 2)"),
        (np.add, ((1, 2), (3.0, 4.0)), "(2,) + (2,) → (2,)"),
        (np.matmul, (np.ones((2, 3), dtype=int), np.ones((3, 4), dtype=int)), "→ (2, 4)"),
        (np.sum, (np.ones((2, 3)), 0), "over axis 0"),
        (np.transpose, (np.ones((2, 3)), (1, 0)), "the axes in the order 1 and 0"),
        (np.take, (np.ones(4), np.array([1, 2])), "picks 2 of 4 numbers"),
        (np.concatenate, ([np.ones(2), np.ones(3)],), "2 and 3 make 5"),
        (np.where, (np.array([True, False]), 1.0, np.ones(2)), "the second, a single number"),
    ],
)
def test_arguments_may_be_anything_that_makes_an_array(f, arguments, told):
    assert told in " ".join(tnn.explain(f, *arguments).shapes)


def test_the_sums_that_are_told_are_those_that_backward_makes(rng):
    """Where an axis is said to be summed, the gradient is the sum over it, and nowhere else."""
    for one, other in (((2, 4), (4,)), ((3, 1), (1, 4)), ((2, 1, 3), (5, 1)), ((), (2, 2))):
        a, b = (tnn.Tensor(rng.standard_normal(s), requires_grad=True) for s in (one, other))
        y = a * b
        g = rng.standard_normal(y.shape)
        y.backward(g)
        told = tnn.explain(np.multiply, a.numpy(), b.numpy()).shapes[0]
        for tensor, partner, name in ((a, b, "first"), (b, a, "second")):
            new = y.ndim - tensor.ndim
            axes = tuple(
                i for i in range(y.ndim)
                if i < new or (tensor.shape[i - new] == 1 != y.shape[i])
            )  # fmt: skip
            assert (f"of the {name}" in told or f"the {name}, a single" in told) == bool(axes)
            whole = np.sum(g * partner.numpy(), axis=axes, keepdims=True)
            np.testing.assert_allclose(tensor.grad.numpy(), whole.reshape(tensor.shape))


def test_a_constant_is_repeated_without_a_sum():
    x = tnn.Tensor(np.ones((2, 3)), requires_grad=True)
    (line, *_) = tnn.explain(np.sum(x * np.array([1.0, 2.0, 3.0]))).shapes
    assert "axis 0 of the second was repeated 2 times" in line
    assert "backward sums" not in line


def test_operations_that_do_the_same_share_a_line():
    x = tnn.Tensor(np.ones(3), requires_grad=True)
    lines = tnn.explain(np.sum(np.tanh(np.exp(np.tanh(x))))).shapes
    assert lines[0] == "tanh, exp and tanh 2: (3,) → (3,): element by element"
