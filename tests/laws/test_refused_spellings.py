"""What NumPy refuses is refused with a gradient too, and never answered with some number."""

import numpy as np
import pytest

from tinygrad_nn import Tensor
from tinygrad_nn.errors import TinygradNNError

linalg = np.linalg
REFUSED = {
    "clip: both spellings": (lambda a: np.clip(a, 0, 1, min=0.5), (3,)),
    "select: numbers": (lambda a: np.select([np.array([1, 0, 1])], [a]), (3,)),
    "select: lengths": (lambda a: np.select([a > 0], [a, a]), (3,)),
    "choose: which": (lambda a: np.choose([0, 2, 1], [a, a]), (3,)),
    "piecewise: functions": (lambda a: np.piecewise(a, [a > 0], [1, 2, 3]), (3,)),
    "take: where": (lambda a: np.take(a, 3), (3,)),
    "take: mode": (lambda a: np.take(a, 1, mode="round"), (3,)),
    "take_along_axis: dimensions": (lambda a: np.take_along_axis(a, np.array([0]), 1), (2, 3)),
    "take_along_axis: floats": (lambda a: np.take_along_axis(a, np.zeros((2, 1)), 1), (2, 3)),
    "compress: too long": (lambda a: np.compress([False, False, False, True], a), (3,)),
    "bincount: negative": (lambda a: np.bincount([0, -1, 2], a), (3,)),
    "bincount: lengths": (lambda a: np.bincount([0, 1], a), (3,)),
    "insert: where": (lambda a: np.insert(a, 5, 1.0), (3,)),
    "delete: where": (lambda a: np.delete(a, 5), (3,)),
    "block: shapes": (lambda a: np.block([[a, a], [a]]), (2, 3)),
    "block: depths": (lambda a: np.block([[a], a]), (2, 3)),
    "full_like: shape": (lambda a: np.full_like(np.ones(2) + a[:2], a), (3,)),
    "meshgrid: indexing": (lambda a: np.meshgrid(a, a, indexing="yx"), (3,)),
    "einsum: letters": (lambda a: np.einsum("ij->k", a), (2, 3)),
    "einsum: twice": (lambda a: np.einsum("ij->ii", a), (3, 3)),
    "einsum: lengths": (lambda a: np.einsum("ij,jk", a, a), (2, 3)),
    "einsum: too few": (lambda a: np.einsum("i", a), (2, 3)),
    "einsum: no ellipsis": (lambda a: np.einsum("...i->i", a), (2, 3)),
    "einsum: operands": (lambda a: np.einsum("i,i", a), (3,)),
    "einsum: diagonal": (lambda a: np.einsum("ii", a), (2, 3)),
    "repeat: negative": (lambda a: np.repeat(a, -1), (3,)),
    "repeat: lengths": (lambda a: np.repeat(a, [1, 2]), (3,)),
    "tile: negative": (lambda a: np.tile(a, -1), (3,)),
    "roll: shifts": (lambda a: np.roll(a, (1, 2, 3), (0, 1)), (2, 3)),
    "rot90: axes": (lambda a: np.rot90(a, 1, (0, 0)), (2, 3)),
    "flip: axis": (lambda a: np.flip(a, 2), (2, 3)),
    "pad: negative": (lambda a: np.pad(a, -1), (3,)),
    "pad: floats": (lambda a: np.pad(a, 1.5), (3,)),
    "pad: mode": (lambda a: np.pad(a, 1, "mirror"), (3,)),
    "pad: option of another mode": (lambda a: np.pad(a, 1, "edge", end_values=1), (3,)),
    "pad: no statistic": (lambda a: np.pad(a, 1, "maximum", stat_length=0), (3,)),
    "split: unequal": (lambda a: np.split(a, 2), (3,)),
    "diagonal: axes": (lambda a: np.diagonal(a, 0, 1, 1), (2, 3)),
    "diag: dimensions": (lambda a: np.diag(a), (2, 2, 2)),
    "vander: dimensions": (lambda a: np.vander(a), (2, 2)),
    "quantile: outside": (lambda a: np.quantile(a, 1.5), (3,)),
    "percentile: outside": (lambda a: np.percentile(a, [50, 101]), (3,)),
    "quantile: method": (lambda a: np.quantile(a, 0.5, method="best"), (3,)),
    "average: no weight": (lambda a: np.average(a, weights=[1, -1, 0]), (3,)),
    "average: weights": (lambda a: np.average(a, axis=0, weights=[1, 1]), (3, 2)),
    "cov: dimensions": (lambda a: np.cov(a), (2, 2, 2)),
    "diff: negative": (lambda a: np.diff(a, -1), (3,)),
    "diff: scalar": (lambda a: np.diff(a), ()),
    "gradient: one sample": (lambda a: np.gradient(a), (1,)),
    "gradient: coordinates": (lambda a: np.gradient(a, [0.0, 1.0]), (3,)),
    "gradient: edge order": (lambda a: np.gradient(a, edge_order=3), (5,)),
    "interp: lengths": (lambda a: np.interp(0.5, [0.0, 1.0], a), (3,)),
    "interp: no period": (lambda a: np.interp(0.5, [0.0, 1.0, 2.0], a, period=0), (3,)),
    "linspace: negative": (lambda a: np.linspace(a, 1.0, -1), ()),
    "convolve: mode": (lambda a: np.convolve(a, a, "half"), (3,)),
    "convolve: nothing": (lambda a: np.convolve(a, a), (0,)),
    "convolve: dimensions": (lambda a: np.convolve(a, a), (2, 2)),
    "cross: lengths": (lambda a: np.cross(a, a), (4,)),
    "tensordot: lengths": (lambda a: np.tensordot(a, a, 1), (2, 3)),
    "vdot: lengths": (lambda a: np.vdot(a, a[1:]), (3,)),
    "matvec: lengths": (lambda a: np.matvec(a, a.T), (2, 3)),
    "linalg.norm: order": (lambda a: linalg.norm(a, "fro"), (3,)),
    "linalg.norm: matrices": (lambda a: linalg.norm(a, 3), (2, 3)),
    "linalg.norm: same axis": (lambda a: linalg.norm(a, 2, (0, 0)), (2, 3)),
    "linalg.det: shape": (lambda a: linalg.det(a), (2, 3)),
    "linalg.eigh: shape": (lambda a: linalg.eigh(a), (2, 3)),
    "linalg.eigh: UPLO": (lambda a: linalg.eigh(a, "X"), (2, 2)),
    "linalg.cholesky: shape": (lambda a: linalg.cholesky(a), (2, 3)),
    "linalg.cond: shape": (lambda a: linalg.cond(a, 1), (2, 3)),
    "linalg.matrix_power: shape": (lambda a: linalg.matrix_power(a, 0), (2, 3)),
    "linalg.matrix_power: floats": (lambda a: linalg.matrix_power(a, 1.5), (2, 2)),
    "linalg.multi_dot: one": (lambda a: linalg.multi_dot([a]), (2, 2)),
    "linalg.tensorinv: shape": (lambda a: linalg.tensorinv(a), (2, 3, 2)),
    "linalg.lstsq: lengths": (lambda a: linalg.lstsq(a, np.ones(3)), (2, 2)),
    "linalg.diagonal: dimensions": (lambda a: linalg.diagonal(a), (3,)),
    "linalg.outer: dimensions": (lambda a: linalg.outer(a, a), (2, 2)),
    "linalg.cross: lengths": (lambda a: linalg.cross(a, a), (2,)),
    "logaddexp.reduce: axis": (lambda a: np.logaddexp.reduce(a, axis=2), (2, 3)),
    "add.accumulate: axis": (lambda a: np.add.accumulate(a, axis=None), (2, 3)),
    "sort: scalar": (lambda a: np.sort(a), ()),
    "partition: where": (lambda a: np.partition(a, 3), (3,)),
    "polyval: text": (lambda a: np.polyval(a, "x"), (3,)),
    "vsplit: dimensions": (lambda a: np.vsplit(a, 1), (3,)),
    "expand_dims: twice": (lambda a: np.expand_dims(a, (0, 0)), (3,)),
    "squeeze: length": (lambda a: np.squeeze(a, 0), (3,)),
    "matrix_transpose: dimensions": (lambda a: np.matrix_transpose(a), (3,)),
    "cumulative_sum: axis": (lambda a: np.cumulative_sum(a), (2, 2)),
    "sliding_window_view: too long":
        (lambda a: np.lib.stride_tricks.sliding_window_view(a, 4), (3,)),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("traced", [True, False], ids=["traced", "constant"])
def test_calls_that_numpy_refuses_raise_errors_of_the_package(name, traced, rng):
    f, shape = REFUSED[name]
    a = rng.normal(size=shape)
    with pytest.raises((TypeError, ValueError, LookupError, ArithmeticError)) as numpys:
        f(a)
    kinds = (TinygradNNError, np.linalg.LinAlgError, ZeroDivisionError)
    with pytest.raises(kinds) as found:
        f(Tensor(a, requires_grad=traced))
    if not isinstance(found.value, TinygradNNError):
        assert type(found.value) is type(numpys.value)
