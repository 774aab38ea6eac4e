"""Rows of a batch that the program did not select keep silent, whatever function they went through.

Where they are selected, what has no value is shown.
"""

import numpy as np
import pytest

import tinygrad_nn as tnn

CHOSEN = np.array([True, False])
GOOD = np.array([[1.5, 2.5, 0.5], [1.0, 2.0, 3.0]])

BATCHES = {  # from (2, 3) to (2,), and a row at which the slope has no finite value
    "norm": (lambda x: np.linalg.norm(x, axis=1), [np.inf, 1, 2]),
    "norm of order 3": (lambda x: np.linalg.norm(x, 3, axis=1), [np.inf, 1, 2]),
    "prod": (lambda x: np.prod(x, axis=1), [np.nan, 1, 2]),
    "std": (lambda x: np.std(x, axis=1), [np.inf, 1, 2]),
    "var": (lambda x: np.var(x, axis=1), [np.inf, 1, 2]),
    "cumprod": (lambda x: np.cumprod(x, axis=1)[:, -1], [np.inf, 0, 2]),
    "einsum": (lambda x: np.einsum("ij,ij->i", x, x), [np.inf, 1, 2]),
    "matmul": (lambda x: np.exp(x) @ np.ones(3), [1e4, 1, 2]),
    "log_softmax": (lambda x: tnn.activations.log_softmax(x)[:, 0], [-np.inf, -np.inf, -np.inf]),
    "log sum exp": (lambda x: np.logaddexp.reduce(x, axis=1), [np.nan, 1, 2]),
    "slogdet": (
        lambda x: np.linalg.slogdet(np.eye(3) * (x * x)[:, None, :])[1], [0.0, 1, 2],
    ),
    "sqrt of a sum": (lambda x: np.sqrt(np.sum(x * x, axis=1)), [0.0, 0, 0]),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", BATCHES)
def test_an_unselected_row_of_a_batch_contributes_exactly_zero(name, rng):
    f, bad = BATCHES[name]
    x, v = np.array([GOOD[0], bad]), rng.normal(size=(2, 3))
    expected = tnn.grad(lambda x: f(x).sum())(GOOD)[0]
    for choose in (lambda y: np.where(CHOSEN, y, 0.0).sum(), lambda y: y[0], lambda y: y[:1].sum()):
        gradient = tnn.grad(lambda x, choose=choose: choose(f(x)))(x)
        np.testing.assert_allclose(gradient[0], expected, rtol=1e-12)
        np.testing.assert_array_equal(gradient[1], [0, 0, 0])
    v[1] = 0
    along = tnn.jvp(lambda x: np.where(CHOSEN, f(x), 0.0), (x,), (v,))[1]
    np.testing.assert_allclose(along, [expected @ v[0], 0], rtol=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [n for n in BATCHES if n not in ("cumprod", "sqrt of a sum")])
def test_a_selected_row_shows_that_it_has_no_finite_slope(name):
    f, bad = BATCHES[name]
    gradient = tnn.grad(lambda x: f(x).sum())(np.array([GOOD[0], bad]))
    assert not np.all(np.isfinite(gradient[1]))
