"""Metrics: plain numbers out of labels and scores."""

import numpy as np
import pytest

from tinygrad_nn import Tensor
from tinygrad_nn.errors import ShapeError
from tinygrad_nn.metrics import accuracy


@pytest.mark.parametrize("n", [1, 7, 100])
@pytest.mark.parametrize("classes", [2, 5])
def test_accuracy_counts_the_samples_whose_largest_score_is_at_their_label(n, classes):
    rng = np.random.default_rng(n)
    labels, scores = rng.integers(0, classes, n), rng.normal(size=(n, classes))
    hits = sum(max(range(classes), key=row.__getitem__) == k
               for k, row in zip(labels.tolist(), scores.tolist(), strict=True))  # fmt: skip
    assert accuracy(labels, scores) == pytest.approx(hits / n, rel=1e-15)
    assert accuracy(scores.argmax(-1), scores) == 1.0
    assert accuracy(scores.argmin(-1), scores) == 0.0


def test_lists_arrays_and_tensors_give_the_same_python_float():
    labels, scores = [0, 1, 2], [[0.9, 0.0, 0.1], [0.1, 0.2, 0.7], [0.2, 0.3, 0.5]]
    tensors = Tensor(labels), Tensor(scores, requires_grad=True)
    given = [(labels, scores), (np.array(labels), np.array(scores)), tensors]
    given += [(np.array(labels, np.uint8), np.array(scores, np.float32))]
    for pair in given:
        result = accuracy(*pair)
        assert type(result) is float
        assert result == pytest.approx(2 / 3, rel=1e-15)


def test_batch_axes_are_all_samples():
    scores = np.random.default_rng(0).normal(size=(4, 3, 5))
    labels = scores.argmax(-1)
    labels[0] = (labels[0] + 1) % 5
    assert accuracy(labels, scores) == pytest.approx(0.75, rel=1e-15)


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([], np.zeros((0, 3))),
        ([0, 1], np.zeros((3, 2))),
        ([[0], [1]], np.zeros((2, 2))),  # a column of labels would compare each with each
        ([[1, 0], [0, 1]], np.zeros((2, 2))),  # one-hot
        ([0, 1], np.zeros((2, 0))),
        (0, 0.5),
        ([1, 1], [[0.9], [0.8]]),  # one probability a sample has no largest score
        ([0, 1], [0.9, 0.8]),
    ],
    ids=["empty", "lengths", "column", "one-hot", "no classes", "0-d", "one class", "no axis"],
)
def test_shapes_that_do_not_belong_together_are_refused(labels, scores):
    with pytest.raises(ShapeError, match=r"accuracy: expected .*; got ") as caught:
        accuracy(labels, scores)
    assert isinstance(caught.value, ValueError)
