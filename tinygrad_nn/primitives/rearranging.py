"""Turning, repeating, padding and masking arrays, composed of rows."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from .._typing import Array, Axis
from ..errors import MissingDerivativeError
from .arrays import as_array
from .choices import WHERE
from .indexing import SCATTER, by_position
from .primitive import Primitive, call, d
from .shaping import MOVES
from .table import define, rewrite

__all__: list[str] = []


# --- turning ----------------------------------------------------------------------------------


@rewrite("numpy.flip", "a, back to front", call((3, 4)), call((3, 4), axis=1))
def _flip(m: Array, axis: Axis = None) -> Array:
    m = as_array(m)
    axes = normalize_axis_tuple(range(m.ndim) if axis is None else axis, m.ndim)
    return m[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(m.ndim))]


@rewrite("numpy.fliplr", "a, right to left", call((3, 4)))
def _fliplr(m: Array) -> Array:
    return _flip(m, 1)


@rewrite("numpy.flipud", "a, upside down", call((3, 4)))
def _flipud(m: Array) -> Array:
    return _flip(m, 0)


@rewrite("numpy.rot90", "a, turned", call((3, 4)), call((2, 3, 4), k=3, axes=(1, 2)))
def _rot90(m: Array, k: int = 1, axes: Sequence[int] = (0, 1)) -> Array:
    first, second = normalize_axis_tuple(axes, m.ndim)
    k %= 4
    if k == 2:
        return _flip(_flip(m, first), second)
    if k == 1:
        return np.swapaxes(_flip(m, second), first, second)
    return _flip(np.swapaxes(m, first, second), second) if k == 3 else m


@rewrite(
    "numpy.roll",
    "a, its last elements first",
    call((5,), shift=2),
    call((3, 4), shift=3),
    call((3, 4), shift=(1, -1), axis=(0, 1)),
)
def _roll(a: Array, shift: Any, axis: Axis = None) -> Array:
    a = as_array(a)
    if axis is None:
        return np.reshape(_roll(np.reshape(a, (-1,)), shift, 0), a.shape)
    pairs = np.broadcast(shift, normalize_axis_tuple(axis, a.ndim, allow_duplicate=True))
    for steps, along in pairs:
        n = a.shape[along]
        cut = n - int(steps) % n if n else 0
        where = (slice(None),) * int(along)
        parts = [a[(*where, slice(cut, None))], a[(*where, slice(None, cut))]]
        a = np.concatenate(parts, axis=along) if 0 < cut < n else a
    return a


def _shifted(x: Array, axes: Axis, half: Any) -> Array:
    x = as_array(x)
    along = normalize_axis_tuple(range(x.ndim) if axes is None else axes, x.ndim)
    return _roll(x, [half(x.shape[i]) for i in along], along)


@rewrite("numpy.fft.fftshift", "a, its middle first", call((4,)), call((3, 5), axes=1))
def _fftshift(x: Array, axes: Axis = None) -> Array:
    return _shifted(x, axes, lambda n: n // 2)


@rewrite("numpy.fft.ifftshift", "a, its middle first, undone", call((5,)), call((3, 4)))
def _ifftshift(x: Array, axes: Axis = None) -> Array:
    return _shifted(x, axes, lambda n: -(n // 2))


# --- repeating --------------------------------------------------------------------------------


@rewrite("numpy.repeat", "each element of a, repeated", call((3,), repeats=2),
         call((3, 2), repeats=[1, 0, 2], axis=0), call((3, 2), repeats=2, axis=1))  # fmt: skip
def _repeat(a: Array, repeats: Any, axis: int | None = None) -> Array:
    a = as_array(a)
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    axis = normalize_axis_index(axis, a.ndim)
    if np.size(repeats) != 1:
        return a[(slice(None),) * axis + (np.repeat(np.arange(a.shape[axis]), repeats),)]
    times = int(np.reshape(repeats, ()))
    before, n, after = a.shape[:axis], a.shape[axis], a.shape[axis + 1 :]
    spread = np.broadcast_to(np.expand_dims(a, axis + 1), (*before, n, times, *after))
    return np.reshape(spread, (*before, n * times, *after))  # (…, n, times, …) -> (…, n·times, …)


@rewrite("numpy.tile", "copies of a, side by side", call((3,), reps=2), call((2, 3), reps=(2, 1)),
         call((2,), reps=(3, 2)))  # fmt: skip
def _tile(A: Array, reps: Any) -> Array:
    counts = tuple(operator.index(r) for r in np.atleast_1d(reps))
    A = as_array(A)
    ndim = max(A.ndim, len(counts))
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - A.ndim) + A.shape
    each = [n for length in shape for n in (1, length)]
    spread = [n for pair in zip(counts, shape, strict=True) for n in pair]
    tiled = np.broadcast_to(np.reshape(A, each), spread)  # (1, n, …) -> (times, n, …)
    return np.reshape(tiled, tuple(c * n for c, n in zip(counts, shape, strict=True)))


@rewrite("numpy.meshgrid", "coordinates of a grid", call((2,), (3,)), call((2,), (3,), (2,)))
def _meshgrid(
    *xi: Array, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Array, ...]:
    n = len(xi)
    axes = list(range(n))
    if indexing == "xy" and n > 1:
        axes[:2] = 1, 0  # the first coordinate runs along the second axis
    elif indexing not in ("xy", "ij"):
        raise ValueError("indexing must be 'xy' or 'ij'")
    lines = [
        np.reshape(as_array(x), (1,) * axis + (-1,) + (1,) * (n - axis - 1))
        for x, axis in zip(xi, axes, strict=True)
    ]
    return tuple(lines) if sparse else tuple(np.broadcast_arrays(*lines))


# --- diagonals and triangles --------------------------------------------------------------------


@rewrite(
    "numpy.diagonal",
    "the elements aᵢ,ᵢ₊ₖ",
    call((3, 4)),
    call((3, 4), offset=-1),
    call((2, 3, 4), offset=1, axis1=2, axis2=0),
)
def _diagonal(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Array:
    a = np.moveaxis(a, (axis1, axis2), (-2, -1))
    down, right = max(-offset, 0), max(offset, 0)
    places = np.arange(max(min(a.shape[-2] - down, a.shape[-1] - right), 0))
    return a[..., places + down, places + right]


@rewrite("numpy.linalg.diagonal", "the elements aᵢ,ᵢ₊ₖ", call((2, 3, 4)))
def _matrix_diagonal(x: Array, /, *, offset: int = 0) -> Array:
    return _diagonal(x, offset, -2, -1)


@rewrite("numpy.trace", "Σ aᵢᵢ", call((3, 4)), call((3, 2, 3), offset=1, axis1=0, axis2=2))
def _trace(
    a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None
) -> Array:
    line = _diagonal(a, offset, axis1, axis2)
    return np.sum(as_array(line, dtype), axis=-1)


@rewrite("numpy.linalg.trace", "Σ aᵢᵢ", call((2, 3, 3)))
def _matrix_trace(x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    return _trace(x, offset, -2, -1, dtype)


@rewrite("numpy.diag", "the diagonal, or a matrix with one", call((3,), k=1), call((3, 4), k=-1))
def _diag(v: Array, k: int = 0) -> Array:
    if v.ndim == 2:
        return _diagonal(v, k)
    if v.ndim != 1:
        raise ValueError("Input must be 1- or 2-d.")
    n = v.shape[0] + abs(k)
    places = np.arange(v.shape[0])
    return SCATTER(v, shape=(n, n), index=(places + max(-k, 0), places + max(k, 0)))


@rewrite("numpy.diagflat", "a matrix with a on its diagonal", call((2, 2), k=-1))
def _diagflat(v: Array, k: int = 0) -> Array:
    return _diag(np.ravel(as_array(v)), k)


@rewrite("numpy.tril", "a below its diagonal, else 0", call((3, 4)), call((2, 3, 3), k=-1))
def _tril(m: Array, k: int = 0) -> Array:
    return WHERE(_below(m, k), m, 0)


@rewrite("numpy.triu", "a above its diagonal, else 0", call((3, 4)), call((2, 3, 3), k=1))
def _triu(m: Array, k: int = 0) -> Array:
    return WHERE(_below(m, k - 1), 0, m)


def _below(m: Array, k: int) -> Array:
    """Where a matrix is on or below its k-th diagonal; a row stands for all rows of a square."""
    rows, columns = m.shape[-2:] if m.ndim > 1 else (m.shape[0], m.shape[0])
    return np.tri(rows, columns, k, dtype=bool)


@rewrite("numpy.vander", "the powers of a", call((3,)), call((3,), N=4, increasing=True))
def _vander(x: Array, N: int | None = None, increasing: bool = False) -> Array:
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    powers = np.arange(x.shape[0] if N is None else N)
    return np.expand_dims(x, 1) ** (powers if increasing else powers[::-1])


# --- padding ----------------------------------------------------------------------------------


def _pad_zeros(a: Array, widths: Sequence[tuple[int, int]]) -> Array:
    return np.pad(a, widths)


def _unpad(g: Array, y: Array, a: Array, *, widths: Sequence[tuple[int, int]]) -> Array:
    return g[tuple(slice(b, b + n) for (b, _), n in zip(widths, a.shape, strict=True))]


PAD: Primitive = define(
    _pad_zeros, "a, with zeros around it", MOVES,
    d("the part of g that a fills", _unpad), name="tinygrad_nn.pad", parameters="a widths",
    calls=(call((3,), widths=((1, 2),)), call((2, 3), widths=((0, 1), (2, 0)))),
)  # fmt: skip

_GATHERS = ("edge", "reflect", "symmetric", "wrap")
_STATISTICS: dict[str, Callable[..., Array]] = {
    "maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median,
}  # fmt: skip


@rewrite(
    "numpy.pad",
    "a, with something around it",
    call((3, 4), pad_width=1),
    call((3,), pad_width=(2, 1), mode="constant", constant_values=5.0),
    *(call((3, 4), pad_width=((1, 2), (0, 3)), mode=mode) for mode in (*_GATHERS, *_STATISTICS)),
    call((3, 4), pad_width=2, mode="linear_ramp", end_values=1.0),
    call((4,), pad_width=5, mode="reflect", reflect_type="odd"),
    call((4,), pad_width=5, mode="symmetric", reflect_type="odd"),
    call((5,), pad_width=2, mode="mean", stat_length=3),
)
def _pad(
    array: Array,
    pad_width: Any,
    mode: Any = "constant",
    **options: Any,
) -> Array:
    array = as_array(array)
    _check_pad(array.ndim, mode, options)
    constant_values, end_values = options.get("constant_values", 0), options.get("end_values", 0)
    stat_length, reflect_type = options.get("stat_length"), options.get("reflect_type", "even")
    if isinstance(pad_width, dict):
        axes = {axis % array.ndim: width for axis, width in pad_width.items()}
        pad_width = [_per_axis(axes.get(i, 0), 1)[0] for i in range(array.ndim)]
    widths = [(operator.index(b), operator.index(e)) for b, e in _per_axis(pad_width, array.ndim)]
    if array.ndim == 0:
        return array
    if mode in ("constant", "empty"):
        padded = PAD(array, widths=tuple(widths))
        if not np.any(constant_values):
            return padded
        around = np.pad(np.zeros_like(array), widths, constant_values=constant_values)
        return padded + around
    if mode in _GATHERS and reflect_type == "even":
        return by_position(lambda a: np.pad(a, widths, mode), array)
    ends, lengths = _per_axis(end_values, array.ndim), _per_axis(stat_length, array.ndim)
    for axis, width in enumerate(widths):
        if not any(width):
            continue
        line = np.moveaxis(array, axis, -1)
        if mode in _STATISTICS:
            line = _pad_with_statistic(line, width, _STATISTICS[mode], lengths[axis])
        elif mode == "linear_ramp":
            line = _pad_affine(line, width, mode, end_values=ends[axis])
        else:
            line = _pad_affine(line, width, mode, reflect_type=reflect_type)
        array = np.moveaxis(line, -1, axis)
    return array


def _check_pad(ndim: int, mode: Any, options: dict[str, Any]) -> None:
    """Refuse what NumPy refuses: each mode has options of its own."""
    if callable(mode):
        raise MissingDerivativeError(
            "numpy.pad: there is no derivative with a function for mode=; use a named mode, or "
            "compute under no_grad()"
        )
    np.pad(np.zeros((1,) * ndim, dtype=np.float64), 0, mode, **options)


def _per_axis(value: Any, ndim: int) -> list[tuple[Any, Any]]:
    """What NumPy makes of widths or values: one pair for each axis."""
    if value is None:
        return [(None, None)] * ndim
    return [tuple(pair) for pair in np.broadcast_to(np.asarray(value), (ndim, 2)).tolist()]


def _pad_with_statistic(
    a: Array, width: tuple[int, int], statistic: Callable[..., Array], lengths: tuple[Any, Any]
) -> Array:
    n = a.shape[-1]
    before, after = (n if length is None else min(length, n) for length in lengths)
    left = statistic(a[..., :before], axis=-1, keepdims=True)
    right = statistic(a[..., n - after :], axis=-1, keepdims=True)
    return np.concatenate([_widened(left, width[0]), a, _widened(right, width[1])], axis=-1)


def _pad_affine(a: Array, width: tuple[int, int], mode: Any, **options: Any) -> Array:
    """Pad the last axis by an affine map, from the few elements at its ends that it needs."""
    n, (before, after) = a.shape[-1], width
    left, right = (1, 1) if mode == "linear_ramp" else (before + 1, after + 1)
    if max(left, right) > n:  # it goes back and forth several times
        return _pad_by_matrix(a, width, mode, **options)
    first = _pad_by_matrix(a[..., :left], (before, 0), mode, **options)[..., :before]
    last = _pad_by_matrix(a[..., n - right :], (0, after), mode, **options)[..., right:]
    return np.concatenate([first, a, last], axis=-1)


def _pad_by_matrix(a: Array, width: tuple[int, int], mode: Any, **options: Any) -> Array:
    """The affine map by its matrix, which NumPy knows: it pads the identity."""
    n = a.shape[-1]
    constant = np.pad(np.zeros(n, dtype=a.dtype), [width], mode, **options)
    identity = np.eye(n, dtype=a.dtype)
    matrix = np.stack([np.pad(row, [width], mode, **options) - constant for row in identity])
    # Each new element is made of few old ones: the others must not turn 0·∞ into NaN.
    terms = int(np.max(np.count_nonzero(matrix, axis=0)))
    places = np.argsort(matrix == 0, axis=0, kind="stable")[:terms]  # (terms, padded)
    y = constant
    for place, factor in zip(places, np.take_along_axis(matrix, places, 0), strict=True):
        y = y + np.where(factor == 0, 0, a[..., place]) * factor
    return y


def _widened(a: Array, n: int) -> Array:
    return np.broadcast_to(a, (*a.shape[:-1], n))
