"""Statistics composed of rows: order statistics, what ignores NaN, covariances.

A quantile is one element of the sorted values, or a mix of two neighbours. Which ones, and mixed
how, NumPy itself says when asked for that quantile of 0, 1, 2, …
"""

from typing import Any

import numpy as np

from .._typing import Array, Axis
from .arrays import as_array
from .primitive import call
from .shaping import as_rows
from .table import rewrite

__all__: list[str] = []

ALONG = (call((3, 4)), call((3, 4), axis=0), call((2, 3, 4), axis=(0, 2), keepdims=True))


# --- order statistics -------------------------------------------------------------------------


def _positions(counts: Array, q: Array, method: Any) -> Array:
    """Where the q-th quantile of so many sorted values lies: (…) and q's shape -> (…, q's shape).

    Between two integers it is a mix of the two.
    """
    positions = np.full((*counts.shape, *np.shape(q)), np.nan, dtype=np.float64)
    for n in np.unique(counts[counts > 0]):
        ladder = np.arange(n, dtype=np.float64)
        positions[counts == n] = np.quantile(ladder, q, method=method)
    return positions


def _mixed(rows: Array, positions: Array) -> Array:
    """The elements of sorted rows at positions, mixed where these lie between two."""
    lower, upper = np.floor(positions), np.ceil(positions)
    part = positions - lower
    batch = rows.shape[:-1]
    extra = positions.ndim - len(batch)
    index = [
        np.reshape(np.arange(n), (n,) + (1,) * (len(batch) - i - 1 + extra))
        for i, n in enumerate(batch)
    ]
    low = rows[(*index, np.nan_to_num(lower).astype(np.intp))]
    high = rows[(*index, np.nan_to_num(upper).astype(np.intp))]
    # An infinite neighbour that has no part in the mix must not make it NaN.
    return np.where(part == 0, low, low * (1 - part) + high * part)


_DISCRETE = ("lower", "higher", "nearest", "inverted_cdf", "closest_observation")  # no mixing


def _quantile(a: Array, q: Any, axis: Axis, method: Any, keepdims: bool, skip_nan: bool) -> Array:
    a = as_array(a)
    number = type(q) in (int, float)  # which has no dtype of its own
    q = np.asarray(q)
    exact = a.dtype if number or method in _DISCRETE else np.result_type(a.dtype, q.dtype)
    rows, kept = as_rows(a, axis)
    if rows.shape[-1] == 0:
        return np.full((*q.shape, *(kept if keepdims else rows.shape[:-1])), np.nan, dtype=exact)
    rows = np.sort(rows, axis=-1)  # NaN last
    nan = np.isnan(rows)
    if skip_nan:
        counts = np.asarray(np.sum(~nan, axis=-1))
    else:
        counts = np.full(rows.shape[:-1], rows.shape[-1], dtype=np.int64)
    y = _mixed(rows, _positions(counts, q, method).astype(exact))
    batch = rows.ndim - 1
    spoiled = counts == 0 if skip_nan else nan.any(axis=-1)
    if rows.dtype.kind == "f":
        y = np.where(np.reshape(spoiled, spoiled.shape + (1,) * q.ndim), np.nan, y)
    if q.ndim:  # its axes come first
        y = np.moveaxis(y, range(batch, batch + q.ndim), range(q.ndim))
    return np.reshape(y, (*q.shape, *kept)) if keepdims else y


def _percent(q: Any) -> Any:
    return q / 100 if type(q) in (int, float) else np.asarray(q) / 100


def _define_order_statistics(prefix: str, skip_nan: bool) -> None:
    without = ", NaN apart" if skip_nan else ""

    @rewrite(f"numpy.{prefix}quantile", f"the q-th quantile of a{without}",
             call((3, 4), q=0.3), call((3, 4), q=(0.1, 0.5, 1.0), axis=1),
             call((2, 3, 4), q=0.4, axis=(0, 2), keepdims=True))  # fmt: skip
    def quantile(
        a: Array,
        q: Any,
        axis: Axis = None,
        out: None = None,
        overwrite_input: bool = False,
        method: Any = "linear",
        keepdims: bool = False,
    ) -> Array:
        return _quantile(a, q, axis, method, keepdims, skip_nan)

    @rewrite(f"numpy.{prefix}percentile", f"the q-th percentile of a{without}",
             call((3, 4), q=30), call((3, 4), q=(10, 50), axis=-1))  # fmt: skip
    def percentile(
        a: Array,
        q: Any,
        axis: Axis = None,
        out: None = None,
        overwrite_input: bool = False,
        method: Any = "linear",
        keepdims: bool = False,
    ) -> Array:
        return _quantile(a, _percent(q), axis, method, keepdims, skip_nan)

    @rewrite(f"numpy.{prefix}median", f"the middle of a{without}", *ALONG)
    def median(
        a: Array,
        axis: Axis = None,
        out: None = None,
        overwrite_input: bool = False,
        keepdims: bool = False,
    ) -> Array:
        return _quantile(a, 0.5, axis, "linear", keepdims, skip_nan)


_define_order_statistics("", skip_nan=False)
_define_order_statistics("nan", skip_nan=True)


# --- what ignores NaN -------------------------------------------------------------------------


def _define_without_nan(name: str, formula: str, reduction: Any, neutral: float) -> None:
    """A reduction in which NaN counts as what changes nothing."""

    @rewrite(f"numpy.nan{name}", f"{formula}, NaN apart", *ALONG)
    def composed(
        a: Array, axis: Axis = None, dtype: Any = None, out: None = None, keepdims: bool = False
    ) -> Array:
        a = as_array(a, dtype)
        return reduction(np.where(np.isnan(a), neutral, a), axis=axis, keepdims=keepdims)


_define_without_nan("sum", "Σ a", np.sum, 0)
_define_without_nan("prod", "Π a", np.prod, 1)


def _define_running_without_nan(name: str, formula: str, running: Any, neutral: float) -> None:
    @rewrite(f"numpy.nan{name}", f"{formula}, NaN apart", call((3, 4)), call((3, 4), axis=1))
    def composed(a: Array, axis: int | None = None, dtype: Any = None, out: None = None) -> Array:
        a = as_array(a, dtype)
        return running(np.where(np.isnan(a), neutral, a), axis=axis)


_define_running_without_nan("cumsum", "a₁, a₁ + a₂, …", np.cumsum, 0)
_define_running_without_nan("cumprod", "a₁, a₁a₂, …", np.cumprod, 1)


def _define_extreme_without_nan(name: str, extreme: Any, neutral: float) -> None:
    @rewrite(f"numpy.nan{name}", f"{name} a, NaN apart", *ALONG)
    def composed(a: Array, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
        nothing = np.all(np.isnan(a), axis=axis, keepdims=keepdims)
        found = extreme(np.where(np.isnan(a), neutral, a), axis=axis, keepdims=keepdims)
        return np.where(nothing, np.nan, found)


_define_extreme_without_nan("max", np.max, -np.inf)
_define_extreme_without_nan("min", np.min, np.inf)


def _counted(a: Array, axis: Axis, keepdims: bool) -> Array:
    """How many numbers there are that are not NaN."""
    return np.sum(~np.isnan(a), axis=axis, keepdims=keepdims)


@rewrite("numpy.nanmean", "Σ a / n, NaN apart", *ALONG)
def _nanmean(
    a: Array, axis: Axis = None, dtype: Any = None, out: None = None, keepdims: bool = False
) -> Array:
    a = as_array(a, dtype)
    mean = np.nansum(a, axis=axis, keepdims=keepdims) / _counted(a, axis, keepdims)
    return as_array(mean, a.dtype)


@rewrite("numpy.nanvar", "Σ(a − ā)² / (n − ddof), NaN apart", *ALONG, call((3, 4), ddof=1))
def _nanvar(
    a: Array,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
) -> Array:
    a = as_array(a, dtype)
    deviation = np.where(np.isnan(a), 0, a - _nanmean(a, axis, keepdims=True))
    freedom = _counted(a, axis, keepdims) - ddof
    # As in NumPy, no degrees of freedom left make NaN of it.
    freedom = np.where(freedom <= 0, np.nan, freedom)
    variance = np.sum(np.square(deviation), axis=axis, keepdims=keepdims) / freedom
    return as_array(variance, a.dtype)


@rewrite("numpy.nanstd", "√(Σ(a − ā)² / (n − ddof)), NaN apart", *ALONG, call((3, 4), ddof=1))
def _nanstd(
    a: Array,
    axis: Axis = None,
    dtype: Any = None,
    out: None = None,
    ddof: float = 0,
    keepdims: bool = False,
) -> Array:
    variance = _nanvar(a, axis, dtype, ddof=ddof, keepdims=keepdims)
    # A constant has a kink in its spread: the subgradient is 0, as for std.
    level = variance == 0
    return np.where(level, 0, np.sqrt(np.where(level, 1, variance)))


# --- covariances ------------------------------------------------------------------------------


@rewrite("numpy.cov", "(X − x̄)(X − x̄)ᵀ / (n − ddof)", call((3, 5)), call((5, 2), rowvar=False))
def _cov(
    m: Array,
    y: Array = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    *,
    dtype: Any = None,
) -> Array:
    def rows(x: Array, turned: bool) -> Array:
        x = np.atleast_2d(as_array(x))
        if x.ndim > 2:
            raise ValueError("cov: more than two dimensions")
        return np.transpose(x) if turned else x

    x = rows(m, not rowvar and np.ndim(m) != 1)
    if y is not None:
        x = np.concatenate([x, rows(y, not rowvar and np.atleast_2d(y).shape[0] != 1)], axis=0)
    x = as_array(x, np.result_type(x.dtype, np.float64) if dtype is None else dtype)
    deviation = x - np.mean(x, axis=1, keepdims=True)
    freedom = max(x.shape[1] - (ddof if ddof is not None else 0 if bias else 1), 0.0)
    return np.squeeze(np.matmul(deviation, np.transpose(deviation)) / freedom)


@rewrite("numpy.corrcoef", "cov / (σ σᵀ)", call((3, 5)), call((5, 2), rowvar=False))
def _corrcoef(x: Array, y: Array = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    c = _cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    spread = np.sqrt(np.diagonal(c))
    return np.clip(c / np.expand_dims(spread, 1) / spread, -1, 1)
