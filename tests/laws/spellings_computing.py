"""Ways to call functions that compute: a name, the call, and shapes, as in `spellings`."""

import numpy as np
from spellings import HOLES

__all__ = ["COMPUTING"]

NAN = np.nan
EMPTY = np.array([[0, NAN, 0, 0], [NAN, NAN, NAN, NAN], [0, 0, 0, NAN]])  # a row of nothing else
GRID = np.array([-2.0, -0.8, 0.7, 2.1])
CONSTANT = np.arange(6.0).reshape(2, 3) - 2.2
METHODS = [
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf",
    "hazen", "weibull", "linear", "median_unbiased", "normal_unbiased",
    "lower", "higher", "midpoint", "nearest",
]  # fmt: skip


def symmetric(a):
    return a + np.swapaxes(a, -1, -2)


def regular(a):
    return a + 8 * np.eye(a.shape[-1], dtype=a.dtype)


def positive(a):
    return np.abs(a) + 0.5


def blocked(a, shape):
    return np.reshape(regular(a), shape)


def increasing(a):
    return GRID + 0.2 * np.tanh(a)


def outer_of(ufunc):
    def call(a, b):
        if ufunc in (np.power, np.float_power):
            a = positive(a)
        return ufunc.outer(a, b)

    return call


OUTER = [
    np.add, np.subtract, np.multiply, np.divide, np.power, np.maximum, np.minimum, np.fmax, np.fmin,
    np.hypot, np.arctan2, np.logaddexp, np.logaddexp2, np.remainder, np.fmod, np.float_power,
    np.copysign, np.floor_divide,
]  # fmt: skip
REDUCE = [np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp]
RUNNING = [np.maximum, np.minimum]
MASK = np.array([[True, False, True], [False, True, True]])
NAN_FUNCTIONS = [
    np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nanmean, np.nanvar, np.nanstd, np.nanmedian,
]  # fmt: skip
linalg, pad = np.linalg, np.pad
ESTIMATE = {"ddof": 1, "keepdims": True}

# A call is a line, as in a table.
# fmt: off
COMPUTING = {
    # --- methods of ufuncs
    **{f"{f.__name__}.outer": (outer_of(f), (2, 2), (3,)) for f in OUTER},
    **{f"{f.__name__}.reduce": (f.reduce, (3, 4)) for f in REDUCE},
    **{f"{f.__name__}.reduce: kept": (lambda a, f=f: f.reduce(a, axis=1, keepdims=True), (3, 4))
       for f in REDUCE},
    **{f"{f.__name__}.reduce: all": (lambda a, f=f: f.reduce(a, axis=None), (2, 3))
       for f in REDUCE},
    **{f"{f.__name__}.reduce: two": (lambda a, f=f: f.reduce(a, axis=(0, 2)), (2, 3, 2))
       for f in REDUCE},
    "fmax.reduce: holes": (lambda a: np.fmax.reduce(a + HOLES, axis=0), (3, 4)),
    "fmin.reduce: holes": (lambda a: np.fmin.reduce(a + HOLES, axis=1), (3, 4)),
    "maximum.accumulate: holes": (lambda a: np.maximum.accumulate(a + HOLES, 1), (3, 4)),
    "add.accumulate": (np.add.accumulate, (3, 2)),
    "add.accumulate: columns": (lambda a: np.add.accumulate(a, axis=-1), (3, 2)),
    "multiply.accumulate": (np.multiply.accumulate, (3, 2)),
    "multiply.accumulate: columns": (lambda a: np.multiply.accumulate(a, 1), (3, 2)),
    **{f"{f.__name__}.accumulate": (f.accumulate, (4, 3)) for f in RUNNING},
    **{f"{f.__name__}.accumulate: last": (lambda a, f=f: f.accumulate(a, -1), (2, 3, 4))
       for f in RUNNING},
    # --- statistics
    **{f"{f.__name__}: some": (lambda a, f=f: f(a, axis=1, where=MASK), (2, 3))
       for f in (np.sum, np.prod, np.mean)},
    **{f"{f.__name__}: from": (lambda a, f=f: f(a, axis=0, initial=0.3, where=MASK), (2, 3))
       for f in (np.sum, np.prod, np.max, np.min)},
    **{f"{f.__name__}: dtype": (lambda a, f=f: f(a, axis=0, dtype=np.float64), (2, 3))
       for f in (np.sum, np.prod, np.mean)},
    **{f"{f.__name__}: holes": (lambda a, f=f: f(a + HOLES), (3, 4)) for f in NAN_FUNCTIONS},
    **{f"{f.__name__}: nothing": (lambda a, f=f: f(a + EMPTY, axis=1), (3, 4))
       for f in NAN_FUNCTIONS},
    **{f"{f.__name__}: kept": (lambda a, f=f: f(a + HOLES, axis=0, keepdims=True), (3, 4))
       for f in NAN_FUNCTIONS},
    "nanvar: ddof": (lambda a: np.nanvar(a + HOLES, axis=1, **ESTIMATE), (3, 4)),
    "nanstd: ddof": (lambda a: np.nanstd(a + HOLES, axis=0, ddof=1), (3, 4)),
    "nanstd: lines": (lambda a: np.nanstd(a + EMPTY, axis=1, ddof=1), (3, 4)),
    "nancumsum: holes": (lambda a: np.nancumsum(a + HOLES, axis=0), (3, 4)),
    "nancumprod: holes": (lambda a: np.nancumprod(a + HOLES), (3, 4)),
    "nanquantile: holes": (lambda a: np.nanquantile(a + HOLES, [0.2, 0.7], axis=0), (3, 4)),
    "nanquantile: nothing": (lambda a: np.nanquantile(a + EMPTY, 0.4, axis=1), (3, 4)),
    "nanpercentile: holes":
        (lambda a: np.nanpercentile(a + HOLES, 40, axis=1, keepdims=True), (3, 4)),
    **{f"quantile: {m}": (lambda a, m=m: np.quantile(a, [0.0, 0.23, 0.5, 1], 0, method=m), (5, 2))
       for m in METHODS},
    **{f"nanpercentile: {m}":
       (lambda a, m=m: np.nanpercentile(a + HOLES, (30, 65), 1, method=m), (3, 4))
       for m in METHODS},
    "quantile: many": (lambda a: np.quantile(a, [[0.1, 0.5], [0.7, 0.9]], axis=(0, -1)), (2, 3, 2)),
    "quantile: kept": (lambda a: np.quantile(a, [0.1, 0.5], axis=1, keepdims=True), (2, 3)),
    "quantile: one": (lambda a: np.quantile(a, np.float64(0.35)), (7,)),
    "quantile: NaN": (lambda a: np.quantile(a + HOLES, 0.5, axis=0), (3, 4)),
    "median: NaN": (lambda a: np.median(a + EMPTY, axis=0), (3, 4)),
    "percentile: scalar": (lambda a: np.percentile(a, 50), ()),
    "average": (lambda a, b: np.average(a, weights=positive(b)), (2, 3), (2, 3)),
    "average: line": (lambda a, b: np.average(a, 1, positive(b), keepdims=True), (2, 3), (3,)),
    "average: axes":
        (lambda a, b: np.average(a, axis=(2, 0), weights=positive(b)), (2, 3, 4), (4, 2)),
    "average: returned":
        (lambda a, b: np.average(a, axis=0, weights=positive(b), returned=True), (2, 3), (2,)),
    "average: returned count": (lambda a: np.average(a, axis=1, returned=True), (2, 3)),
    "average: constant weights": (lambda a: np.average(a, axis=0, weights=[1, 3]), (2, 3)),
    "cov": (lambda a, b: np.cov(a, b), (5,), (5,)),
    "cov: biased": (lambda a: np.cov(a, bias=True), (2, 4)),
    "cov: ddof": (lambda a, b: np.cov(a, b, rowvar=False, ddof=0), (4, 2), (4, 1)),
    "corrcoef": (lambda a, b: np.corrcoef(a, b), (5,), (5,)),
    "ptp": (lambda a: np.ptp(a, axis=(0, 1)), (2, 3)),
    "cumulative_sum: initial": (lambda a: np.cumulative_sum(a, axis=1, include_initial=True),
        (2, 3)),
    "cumulative_prod: initial": (lambda a: np.cumulative_prod(a, include_initial=True), (3,)),
    # --- samples of a function
    "interp": (lambda a: np.interp(a, GRID, [1.0, 3.0, -2.0, 0.5]), (2, 4)),
    "interp: all": (lambda a, b, c: np.interp(a, increasing(b), c), (3,), (4,), (4,)),
    "interp: one": (lambda a, b: np.interp(a, GRID, b), (), (4,)),
    "interp: ends": (lambda a, b, c, d: np.interp(3 * a, GRID, b, left=c, right=d),
        (5,), (4,), (), ()),
    "interp: period": (lambda a, b, c: np.interp(5 * a, increasing(b), c, period=4.6),
        (5,), (4,), (4,)),
    "interp: period, unordered": (lambda a, b: np.interp(a, GRID[::-1] * 3, b, period=-7.0),
        (5,), (4,)),
    "interp: one sample": (lambda a, b: np.interp(a, [0.1], b), (3,), (1,)),
    "gradient: a spacing": (lambda a: np.gradient(a, 0.5), (2, 4)),
    "gradient: spacings": (lambda a: np.gradient(a, 0.5, 2.0), (3, 4)),
    "gradient: a traced spacing": (lambda a, b: np.gradient(a, b), (4,), ()),
    "gradient: coordinates": (lambda a, b: np.gradient(a, increasing(b)), (4,), (4,)),
    "gradient: second order": (lambda a, b: np.gradient(a, increasing(b), axis=1, edge_order=2),
        (2, 4), (4,)),
    "gradient: mixed": (lambda a, b: np.gradient(a, increasing(b), 0.5, axis=(1, 0)),
        (3, 4), (4,)),
    "gradient: two axes": (lambda a: np.gradient(a, axis=(-1, 0), edge_order=2), (3, 2, 3)),
    "diff: around": (lambda a, b, c: np.diff(a, 2, 0, prepend=b, append=c), (3, 2), (), (2, 2)),
    "ediff1d: around": (lambda a, b, c: np.ediff1d(a, to_end=b, to_begin=c), (2, 2), (2,), ()),
    "trapezoid: places": (lambda a, b: np.trapezoid(a, b), (2, 4), (4,)),
    "trapezoid: places for each": (lambda a, b: np.trapezoid(a, b, axis=0), (4, 2), (4, 2)),
    "trapezoid: broadcast": (lambda a, b: np.trapezoid(a, b, axis=1), (3, 4), (1, 4)),
    "unwrap: period": (lambda a: np.unwrap(7 * a, period=4), (6,)),
    "unwrap: jump": (lambda a: np.unwrap(3 * a, 5.0, axis=0), (4, 2)),
    "linspace: step": (lambda a, b: np.linspace(a, b, 3, retstep=True), (), ()),
    "linspace: last axis": (lambda a, b: np.linspace(a, b, 4, axis=-1), (2,), (2,)),
    "linspace: broadcast": (lambda a, b: np.linspace(a, b, 3, endpoint=False), (2, 1), (3,)),
    "linspace: one": (lambda a, b: np.linspace(a, b, 1), (), ()),
    "logspace: base": (lambda a, b, c: np.logspace(a, b, 3, base=positive(c)), (), (), ()),
    "polyval: of a matrix": (lambda a, b: np.polyval(a, b), (4,), (2, 2)),
    "polyval: numbers": (lambda a: np.polyval([2.0, -1.0, 3.0], a), (3,)),
    "convolve: longer second": (lambda a, b: np.convolve(a, b, "valid"), (2,), (5,)),
    "correlate: full": (lambda a, b: np.correlate(a, b, "full"), (2,), (4,)),
    # --- elements
    "modf": (lambda a: np.modf(3 * a), (2, 3)),
    "frexp": (lambda a: np.frexp(a), (2, 3)),
    "ldexp": (lambda a: np.ldexp(a, [[1, 0, -2]]), (2, 3)),
    "divmod": (lambda a, b: np.divmod(3 * a, b), (2, 3), (3,)),
    "divmod: built in": (lambda a: divmod(a, 0.7), (2, 3)),
    "round: decimals": (lambda a: np.round(a, 1) * a, (2, 3)),
    "power: by number": (lambda a: np.power(2, a) + np.power(a, 3), (2, 3)),
    # --- products
    "tensordot: axes": (lambda a, b: np.tensordot(a, b, ([-1, 0], [0, -1])), (2, 4, 3), (3, 2)),
    "tensordot: an axis": (lambda a, b: np.tensordot(a, b, (1, 0)), (2, 3), (3, 2)),
    "vdot": (lambda a, b: np.vdot(a, b), (2, 3), (3, 2)),
    "vecdot: axis": (lambda a, b: np.vecdot(a, b, axis=0), (3, 2), (3, 1)),
    "matvec": (lambda a, b: np.matvec(a, b), (2, 3), (4, 3)),
    "vecmat": (lambda a, b: np.vecmat(a, b), (4, 2), (2, 3)),
    "kron: three axes": (lambda a, b: np.kron(a, b), (2, 1, 2), (2, 3)),
    "cross: axes": (lambda a, b: np.cross(a, b, 0, 1, 0), (3, 2), (2, 3)),
    "inner: matrices": (lambda a, b: np.inner(a, b), (2, 2, 3), (4, 3)),
    "dot: method": (lambda a, b: a.dot(b), (2, 3), (3,)),
    # --- linear algebra
    "linalg.slogdet": (lambda a: linalg.slogdet(a - regular(a) * 2), (2, 3, 3)),
    "linalg.eigh": (lambda a: linalg.eigh(symmetric(a)), (3, 3)),
    "linalg.eigh: upper": (lambda a: linalg.eigh(symmetric(a), "U"), (2, 2, 2)),
    "linalg.eigvalsh: upper": (lambda a: linalg.eigvalsh(symmetric(a), UPLO="U"), (3, 3)),
    "linalg.svd": (lambda a: linalg.svd(regular(a)), (3, 3)),
    "linalg.svd: tall": (lambda a: linalg.svd(a, full_matrices=False), (4, 2)),
    "linalg.svd: wide": (lambda a: linalg.svd(a, False), (2, 2, 3)),
    "linalg.svd: values": (lambda a: linalg.svd(a, compute_uv=False), (2, 3)),
    "linalg.svd: hermitian": (lambda a: linalg.svd(symmetric(a), hermitian=True), (3, 3)),
    "linalg.qr": (lambda a: linalg.qr(a), (4, 3)),
    "linalg.qr: wide": (lambda a: linalg.qr(regular(a[:, :2]) @ a), (2, 3)),
    "linalg.qr: complete": (lambda a: linalg.qr(regular(a), "complete"), (3, 3)),
    "linalg.qr: many": (lambda a: linalg.qr(a, mode="r"), (2, 3, 2)),
    "linalg.lstsq": (lambda a, b: linalg.lstsq(a, b), (4, 2), (4,)),
    "linalg.lstsq: several": (lambda a, b: linalg.lstsq(a, b, rcond=None), (4, 2), (4, 3)),
    "linalg.lstsq: square": (lambda a, b: linalg.lstsq(regular(a), b), (3, 3), (3,)),
    "linalg.lstsq: wide": (lambda a, b: linalg.lstsq(a, b), (2, 4), (2,)),
    "linalg.lstsq: cut": (lambda a, b: linalg.lstsq(a * [1, 1e-6], b, 1e-4)[0], (4, 2), (4,)),
    "linalg.cholesky": (lambda a: linalg.cholesky(regular(symmetric(a) / 2), upper=True), (3, 3)),
    "linalg.pinv: hermitian": (lambda a: linalg.pinv(regular(symmetric(a)), hermitian=True),
        (3, 3)),
    "linalg.pinv: cut": (lambda a: linalg.pinv(a * [1, 1, 1e-9], rcond=1e-6), (4, 3)),
    "linalg.tensorsolve": (lambda a, b: linalg.tensorsolve(blocked(a, (2, 2, 4)), b),
        (4, 4), (2, 2)),
    "linalg.tensorsolve: axes":
        (lambda a, b: linalg.tensorsolve(blocked(a, (4, 2, 2)), b, axes=(0,)), (4, 4), (2, 2)),
    "linalg.tensorinv: even": (lambda a: linalg.tensorinv(blocked(a, (2, 2, 4, 1))), (4, 4)),
    "linalg.norm: matrices": (lambda a: linalg.norm(a, 1, axis=(-1, 0)), (2, 3, 4)),
    "linalg.norm: kept": (lambda a: linalg.norm(a, -np.inf, (2, 1), keepdims=True), (2, 3, 4)),
    "linalg.norm: largest": (lambda a: linalg.norm(a, 2, (2, 0)), (2, 2, 3)),
    "linalg.norm: one axis": (lambda a: linalg.norm(a, 3, -2, True), (2, 3)),
    "linalg.vector_norm: axes": (lambda a: linalg.vector_norm(a, axis=(0, -1), ord=3), (2, 3, 2)),
    "linalg.vector_norm: kept":
        (lambda a: linalg.vector_norm(a, axis=(2, 0), keepdims=True, ord=np.inf), (2, 3, 2)),
    "linalg.matrix_norm": (lambda a: linalg.matrix_norm(a, keepdims=True, ord="nuc"), (2, 3, 2)),
    "linalg.cond: many": (lambda a: linalg.cond(a, "nuc"), (2, 3, 3)),
    "linalg.matrix_power: many": (lambda a: linalg.matrix_power(regular(a), -2), (2, 2, 2)),
    "linalg.multi_dot":
        (lambda a, b, c: linalg.multi_dot([a, b, CONSTANT, c]), (2,), (2, 2), (3, 2)),
    # --- padding
    "pad: values": (lambda a: pad(a, ((1, 0), (2, 1)), constant_values=((1, 2), (3, 4))), (2, 3)),
    "pad: one width each": (lambda a: pad(a, ((1,), (2,)), "edge"), (2, 3)),
    "pad: by axis": (lambda a: pad(a, {-1: (1, 2)}, mode="wrap"), (2, 3)),
    "pad: wrapped often": (lambda a: pad(a, 7, "wrap"), (2, 3)),
    "pad: reflected often": (lambda a: pad(a, (8, 5), "reflect"), (3,)),
    "pad: reflected, odd": (lambda a: pad(a, (4, 7), "reflect", reflect_type="odd"), (3,)),
    "pad: symmetric, odd": (lambda a: pad(a, (7, 4), "symmetric", reflect_type="odd"), (2, 3)),
    "pad: one element": (lambda a: pad(a, 3, "reflect"), (1,)),
    "pad: ramps": (lambda a: pad(a, 2, "linear_ramp", end_values=((1, -1), (0, 4))), (2, 3)),
    "pad: means": (lambda a: pad(a, (3, 1), "mean", stat_length=((1, 2), (2, 9))), (3, 4)),
    "pad: medians": (lambda a: pad(a, 1, "median", stat_length=(2, 3)), (5,)),
    "pad: largest": (lambda a: pad(a, ((0, 0), (1, 2)), "maximum", stat_length=2), (3, 4)),
}
# fmt: on
