"""Dask arrays through the same rows, forward and backward: lazy all the way, and right.

Nothing may be computed while a graph is recorded or walked. What Dask itself cannot do is listed,
and the list is exact: what is on it must fail, so that nothing stays on it for no reason.
"""

import numpy as np
import pytest
from sampling import CASES, COMPOSED_CASES, assert_near, run, sample

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.nn import Dense, Sequential

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

NOT_IN_DASK = {
    "NumPy's function of that name is not implemented": (
        "eigh linalg.eigvalsh linalg.pinv linalg.slogdet log_det linalg.det cofactors lstsq "
        "convolve polymul correlate unwrap sort partition unique unique_values union1d quantile "
        "percentile median nanquantile nanpercentile nanmedian geomspace"
    ),
    "elements cannot be put back, or taken, by index arrays": (
        "scatter((3,3),),shape=(3,4),index=(slice(None,None,None),arr "
        "scatter((3,),),shape=(2,4),index=(array([0,1,0]),array([1,1, "
        "take delete resize diagonal linalg.diagonal trace linalg.trace diag diagflat corrcoef "
        "repeat((3,2),),repeats=[1,0,2],axis=0"
    ),
    "another factor than NumPy's": "cholesky linalg.cholesky",
    "other options of its own": "nan_to_num((3,),),nan=1.0",
}
NOT = {name for names in NOT_IN_DASK.values() for name in names.split()}
LAPACK = {"svd", "qr", "solved", "linalg.inv", "linalg.solve"}
FREE_SIGNS = {"svd", "qr"}  # singular vectors may be turned around
GATHERS = ("edge", "reflect", "symmetric", "wrap", "median", "linear_ramp")


def is_refused(case):
    """Whether Dask cannot do this: by name, by a whole call, or by a kind of call."""
    name = case.row.qualified_name.removeprefix("numpy.").removeprefix("tinygrad_nn.")
    static = case.call.static
    index = static.get("index") if name == "getitem" else None
    parts = index if isinstance(index, tuple) else (index,)
    return (
        name in NOT
        or str(case) in NOT
        or any(isinstance(part, np.ndarray) for part in parts)
        or (name in LAPACK and any(len(shape) > 2 for shape in case.call.shapes))
        or (name == "linalg.norm" and len(case.call.shapes[0]) > 2)
        or (name == "pad" and static.get("mode") in GATHERS)
        or static.get("n") == 0  # a constant matrix, which is NumPy's
    )


EVERY = CASES + COMPOSED_CASES
WORKING = [case for case in EVERY if not is_refused(case)]
REFUSED = [case for case in EVERY if is_refused(case)]


def eager(*args, **kwargs):
    raise AssertionError("a Dask array was computed while recording or walking")


def several(y):
    return y if isinstance(y, (tuple, list)) else (y,)


def differentiated(case, arrays, rng, wrap):
    """What a case gives, and the gradients of its inputs, for arrays of one library."""
    tensors = [
        Tensor(wrap(a), requires_grad=True) if a.dtype.kind == "f" else wrap(a) for a in arrays
    ]
    outputs = several(run(case.row, tensors, case.call.static))
    for y in outputs:
        if y.requires_grad:
            y.backward(wrap(rng.normal(size=y.shape)))
    inputs = [t for t in tensors if isinstance(t, Tensor)]
    return [y.data for y in outputs], [t.grad.data for t in inputs if t.grad is not None]


@pytest.mark.parametrize("case", WORKING, ids=str)
def test_every_row_that_dask_can_evaluate_stays_lazy_and_is_right(case, rng):
    arrays = sample(case, rng)
    with dask.config.set(scheduler=eager):
        lazy = differentiated(case, arrays, np.random.default_rng(1), da.asarray)
    expected = differentiated(case, arrays, np.random.default_rng(1), np.asarray)
    for found, truth in zip(lazy, expected, strict=True):
        assert len(found) == len(truth)
        for a, b in zip(found, truth, strict=True):
            assert isinstance(a, da.Array)
            if case.row.name not in FREE_SIGNS:
                assert_near(a.compute(), b, 1e-10)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_dask_cannot_do_fails_and_never_turns_into_numpy(case, rng):
    arrays = sample(case, rng)

    def attempt():
        with dask.config.set(scheduler=eager):
            lazy = differentiated(case, arrays, rng, da.asarray)
        assert all(isinstance(a, da.Array) for found in lazy for a in found)

    failures = (TypeError, ValueError, NotImplementedError, AssertionError, FutureWarning)
    with pytest.raises(failures):
        attempt()


def test_a_network_trains_on_dask_arrays(rng):
    X, y = rng.normal(size=(64, 3)), rng.integers(0, 2, 64).astype(float)
    model = Sequential(Dense(3, 8, rng=0), tnn.activations.tanh, Dense(8, 1, rng=1))

    def gradients(X, y):
        for p in model.parameters():
            p.grad = None
        loss = tnn.losses.mean_squared_error(y, model(X)[:, 0])
        loss.backward()
        return loss.data, [p.grad.data for p in model.parameters()]

    with dask.config.set(scheduler=eager):
        loss, lazy = gradients(da.from_array(X, chunks=16), da.from_array(y, chunks=16))
    expected_loss, expected = gradients(X, y)
    assert isinstance(loss, da.Array)
    assert_near(loss.compute(), expected_loss, 1e-12)
    for a, b in zip(lazy, expected, strict=True):
        assert isinstance(a, da.Array)
        assert_near(a.compute(), b, 1e-12)


def test_second_derivatives_of_dask_arrays_are_lazy_too(rng):
    x = rng.normal(size=(4, 3))
    t = rng.normal(size=(4, 3))
    f = lambda x: np.sum(np.tanh(x) ** 2 * x)
    with dask.config.set(scheduler=eager):
        lazy = tnn.hvp(f, da.from_array(x), da.from_array(t))
    assert isinstance(lazy, da.Array)
    assert_near(lazy.compute(), tnn.hvp(f, x, t), 1e-12)
