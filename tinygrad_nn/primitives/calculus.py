"""Differences, slopes, interpolation and integrals of samples, composed of rows."""

import operator
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from .._typing import Array, Axis
from .arrays import as_array, as_operand
from .primitive import POSITIVE, call
from .table import rewrite

__all__: list[str] = []


def _part(a: Array, axis: int, start: int | None, stop: int | None) -> Array:
    return a[(slice(None),) * axis + (slice(start, stop),)]


@rewrite("numpy.diff", "aᵢ₊₁ − aᵢ", call((5,)), call((3, 4), n=2, axis=0))
def _diff(
    a: Array, n: int = 1, axis: int = -1, prepend: Any = np._NoValue, append: Any = np._NoValue
) -> Array:
    a = as_array(a)
    axis = normalize_axis_index(axis, a.ndim)
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    if n == 0:
        return a
    pieces = [_edge(x, a, axis) for x in (prepend, a, append) if x is not np._NoValue]
    a = np.concatenate(pieces, axis=axis) if len(pieces) > 1 else a
    for _ in range(n):
        a = _part(a, axis, 1, None) - _part(a, axis, None, -1)
    return a


def _edge(x: Array, a: Array, axis: int) -> Array:
    x = as_array(x)
    return x if x.ndim else np.broadcast_to(x, (*a.shape[:axis], 1, *a.shape[axis + 1 :]))


@rewrite("numpy.ediff1d", "aᵢ₊₁ − aᵢ, over all elements", call((3, 2)))
def _ediff1d(ary: Array, to_end: Array = None, to_begin: Array = None) -> Array:
    steps = _diff(np.ravel(as_array(ary)))
    around = [
        None if x is None else np.ravel(as_array(x)).astype(steps.dtype) for x in (to_begin, to_end)
    ]
    pieces = [x for x in (around[0], steps, around[1]) if x is not None]
    return np.concatenate(pieces) if len(pieces) > 1 else steps


# --- slopes -----------------------------------------------------------------------------------


@rewrite(
    "numpy.gradient",
    "the slope of samples along each axis",
    call((5,)),
    call((3, 4)),
    call((3, 4), axis=1, edge_order=2),
)
def _gradient(f: Array, *varargs: Any, axis: Axis = None, edge_order: int = 1) -> Any:
    f = as_array(f)
    axes = normalize_axis_tuple(range(f.ndim) if axis is None else axis, f.ndim)
    spacings = list(varargs) or [1.0]
    if len(spacings) == 1 and np.ndim(spacings[0]) == 0:
        spacings *= len(axes)
    if len(spacings) != len(axes):
        raise ValueError("gradient needs no spacing, one, or one for each axis")
    slopes = [_slope(f, h, axis, edge_order) for h, axis in zip(spacings, axes, strict=True)]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _slope(f: Array, spacing: Any, axis: int, edge_order: int) -> Array:
    n = f.shape[axis]
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    if n < edge_order + 1:
        raise ValueError("gradient needs more samples than edge_order")
    f = np.moveaxis(f, axis, -1)
    # The slope between neighbours, and how much each counts: the more, the nearer it is.
    if np.ndim(spacing) == 0:
        steps = (f[..., 1:] - f[..., :-1]) / spacing
        before, after, first_part, last_part = 0.5, 0.5, 0.5, 0.5
    else:
        h = _diff(as_array(spacing))
        if h.shape != (n - 1,):
            raise ValueError("gradient needs a coordinate for each sample along the axis")
        steps = (f[..., 1:] - f[..., :-1]) / h
        before, after = h[:-1] / (h[:-1] + h[1:]), h[1:] / (h[:-1] + h[1:])
        first_part, last_part = before[:1], after[-1:]
    inside = after * steps[..., :-1] + before * steps[..., 1:]
    first, last = steps[..., :1], steps[..., -1:]
    if edge_order == 2:  # go on as the slope itself changes
        first = first - (steps[..., 1:2] - first) * first_part
        last = last + (last - steps[..., -2:-1]) * last_part
    slope = np.moveaxis(np.concatenate([first, inside, last], axis=-1), -1, axis)
    # As in NumPy, the samples decide the dtype, unless they are integers.
    return as_array(slope, f.dtype if f.dtype.kind == "f" else None)


# --- interpolation and integrals ----------------------------------------------------------------


@rewrite("numpy.interp", "the polygon through (xp, fp), at x")
def _interp(
    x: Array,
    xp: Array,
    fp: Array,
    left: Array = None,
    right: Array = None,
    period: float | None = None,
) -> Array:
    x, xp, fp = as_array(x), as_array(xp), as_array(fp)
    if xp.ndim != 1 or fp.shape != xp.shape or not xp.size:
        raise ValueError("interp needs as many fp as xp, in one dimension")
    if period is not None:
        if period == 0:
            raise ValueError("period must be a non-zero value")
        period = abs(period)
        x, xp = x % period, xp % period
        order = np.argsort(xp)
        xp, fp = xp[order], fp[order]
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
        left = right = None
    n = xp.shape[0]
    i = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, max(n - 2, 0))
    j = np.minimum(i + 1, n - 1)
    x0, x1, f0, f1 = xp[i], xp[j], fp[i], fp[j]
    width = np.where(x1 == x0, 1, x1 - x0)
    y = f0 + (x - x0) * ((f1 - f0) / width)
    y = np.where(x == x1, f1, y)  # exactly, at a sample
    y = np.where(x < xp[0], fp[0] if left is None else left, y)
    y = np.where(x > xp[-1], fp[-1] if right is None else right, y)
    return as_array(y, np.float64)  # as in NumPy


@rewrite("numpy.trapezoid", "∫ a dx, by trapezoids", call((5,)), call((3, 4), dx=0.5, axis=0))
def _trapezoid(y: Array, x: Array = None, dx: Any = 1.0, axis: int = -1) -> Array:
    y, own = as_array(y), axis
    axis = normalize_axis_index(axis, y.ndim)
    means = (_part(y, axis, 1, None) + _part(y, axis, None, -1)) / 2
    if x is None:
        return np.sum(means * dx, axis=axis)
    x = as_array(x)
    if x.ndim == 1:
        after = (1,) * (y.ndim - axis - 1)
        return np.sum(means * np.reshape(_diff(x), (-1, *after)), axis=axis)
    return np.sum(means * _diff(x, axis=own), axis=axis)


@rewrite("numpy.linspace", "from a to b in equal steps", call((), (), num=5),
         call((2,), (2,), num=3, endpoint=False))  # fmt: skip
def _linspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: None = None,
) -> Any:
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    start, stop = as_operand(start), as_operand(stop)  # a Python number has no dtype of its own
    ndim = max(np.ndim(start), np.ndim(stop))
    steps = num - 1 if endpoint else num
    real = np.result_type(start, stop, 0.0)
    places = np.reshape(np.arange(num), (-1,) + (1,) * ndim).astype(real)  # (num, 1, ...)
    step = (stop - start) / steps if steps > 0 else np.nan
    y = start + places * (stop - start) / steps if steps > 0 else start + 0 * places * stop
    if endpoint and num > 1:  # the end exactly, and not as rounding leaves it
        y = np.where(places == num - 1, stop, y)
    y = np.moveaxis(as_array(y, dtype), 0, axis)
    return (y, step) if retstep else y


@rewrite("numpy.logspace", "powers in equal steps", call((), (), num=4))
def _logspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    dtype: Any = None,
    axis: int = 0,
) -> Array:
    base = as_operand(base)
    ndim = max(np.ndim(start), np.ndim(stop), np.ndim(base))
    if np.ndim(base):  # it broadcasts with start and stop, and not with the samples
        start, stop, base = (np.reshape(x, (1,) * (ndim - np.ndim(x)) + np.shape(x))
                             for x in (as_array(start), as_array(stop), base))  # fmt: skip
        base = np.expand_dims(base, axis)
    y = base ** _linspace(start, stop, num, endpoint, axis=axis)
    return as_array(y, dtype)


@rewrite("numpy.geomspace", "from a to b by equal factors", call((), (), num=4),
         domains=(POSITIVE, POSITIVE))  # fmt: skip
def _geomspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Array:
    start, stop = as_array(start), as_array(stop)
    if np.any(start == 0) or np.any(stop == 0):
        raise ValueError("Geometric sequence cannot include zero")
    exponent = _linspace(np.zeros_like(start / stop), 1, num, endpoint)
    y = start * (stop / start) ** exponent
    y = np.moveaxis(y, 0, axis)
    return as_array(y, np.result_type(y.dtype, np.float64) if dtype is None else dtype)


@rewrite("numpy.polyval", "p₀·xⁿ + … + pₙ", call((3,), (2, 2)), call((1,), (2,)))
def _polyval(p: Array, x: Array) -> Array:
    p, x = as_array(p), as_array(x)
    y = np.zeros_like(x)
    for i in range(p.shape[0]):  # Horner's scheme
        y = y * x + p[i]
    return y


def _define_polynomial_sum(name: str, formula: str, second: Any) -> None:
    @rewrite(f"numpy.{name}", formula, call((3,), (2,)), call((2,), (4,)))
    def composed(a1: Array, a2: Array) -> Array:
        a1, a2 = np.atleast_1d(as_array(a1)), np.atleast_1d(as_array(a2))
        n = max(a1.shape[0], a2.shape[0])
        grown = [np.pad(a, (n - a.shape[0], 0)) for a in (a1, a2)]
        return second(*grown)


_define_polynomial_sum("polyadd", "p + q, of polynomials", np.add)
_define_polynomial_sum("polysub", "p − q, of polynomials", np.subtract)


@rewrite("numpy.polymul", "p·q, of polynomials", call((3,), (2,)))
def _polymul(a1: Array, a2: Array) -> Array:
    return np.convolve(_without_leading_zeros(a1), _without_leading_zeros(a2))


def _without_leading_zeros(p: Array) -> Array:
    p = np.atleast_1d(as_array(p))
    places = np.flatnonzero(p)
    return p[int(places[0]) :] if len(places) else p[-1:]


@rewrite("numpy.polyder", "p′, of a polynomial", call((4,)), call((4,), m=2))
def _polyder(p: Array, m: int = 1) -> Array:
    p = as_array(p)
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    for _ in range(m):
        p = p[:-1] * np.arange(p.shape[0] - 1, 0, -1)
    return p
