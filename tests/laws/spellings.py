"""Ways to call functions that move and multiply elements: a name, the call, and shapes.

A name begins with the function's own, so that a test can say which are called here. They are calls
for which the table itself has no sample.
"""

import warnings

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

__all__ = ["HOLES", "MOVING"]

NAN = np.nan
HOLES = np.array([[0, NAN, 0, 0], [NAN, 0, 0, NAN], [0, 0, 0, NAN]])  # added, to make NaN of some
PICK = np.array([[0, 2, 1], [1, 1, 0]])
CONSTANT = np.arange(6.0).reshape(2, 3) - 2.2
einsum = np.einsum


def quietly(f, *args):
    """Call what newer versions of NumPy advise against."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return f(*args)


# A call is a line, as in a table.
# fmt: off
MOVING = {
    # --- einsum
    "einsum: implicit": (lambda a, b: einsum("ij,jk", a, b), (2, 3), (3, 4)),
    "einsum: implicit, alphabetical": (lambda a: einsum("ba", a), (2, 3)),
    "einsum: capitals": (lambda a, b: einsum("iB,BA", a, b), (2, 3), (3, 4)),
    "einsum: trace": (lambda a: einsum("ii", a), (3, 3)),
    "einsum: diagonal": (lambda a: einsum("ii->i", a), (3, 3)),
    "einsum: diagonals": (lambda a: einsum("iijj->ji", a), (2, 2, 3, 3)),
    "einsum: three alike": (lambda a, b: einsum("iii,i->i", a, b), (2, 2, 2), (2,)),
    "einsum: repeated, summed": (lambda a, b: einsum("iij,j->", a, b), (2, 2, 3), (3,)),
    "einsum: ellipsis": (lambda a, b: einsum("...ij,...jk", a, b), (3, 2, 3), (3, 2)),
    "einsum: ellipsis, broadcast":
        (lambda a, b: einsum("...ij,...jk->...ik", a, b), (2, 1, 2, 3), (3, 3, 2)),
    "einsum: ellipsis in the middle": (lambda a, b: einsum("i...j,j->i...", a, b), (2, 2, 3), (3,)),
    "einsum: ellipsis of nothing": (lambda a: einsum("i...", a), (3,)),
    "einsum: ellipsis, repeated": (lambda a: einsum("...ii->...i", a), (2, 3, 3)),
    "einsum: spaces": (lambda a, b: einsum(" i j , j k -> k i ", a, b), (2, 3), (3, 4)),
    "einsum: scalar": (lambda a, b: einsum(",i->i", a, b), (), (3,)),
    "einsum: the same twice": (lambda a: einsum("ij,kj", a, a), (2, 3)),
    "einsum: a constant": (lambda a: einsum("ij,j", CONSTANT, a), (3,)),
    "einsum: sublists": (lambda a, b: einsum(a, [0, 1], b, [1, 2]), (2, 3), (3, 4)),
    "einsum: sublists, output": (lambda a, b: einsum(a, [5, 1], b, [1, 2], [2, 5]), (2, 3), (3, 4)),
    "einsum: sublists, ellipsis":
        (lambda a, b: einsum(a, [..., 0], b, [0], [...]), (2, 2, 3), (3,)),
    "einsum: sublists, beyond 26": (lambda a: einsum(a, [0, 26]), (2, 3)),
    "einsum: optimize": (lambda a, b, c: einsum("ij,jk,kl", a, b, c, optimize=True),
        (2, 3), (3, 2), (2, 4)),
    "einsum: optimal": (lambda a, b, c: einsum("ij,ik,i->jk", a, b, c, optimize="optimal"),
        (2, 3), (2, 2), (2,)),
    "einsum: path": (lambda a, b, c:
        einsum("ij,jk,kl->il", a, b, c, optimize=["einsum_path", (0, 1), (0, 1)]),
        (2, 3), (3, 2), (2, 4)),
    "einsum: out of one": (lambda a: einsum("ijk->ki", a), (2, 3, 2)),
    "einsum: dtype": (lambda a: einsum("ij->j", a, dtype=np.float64), (2, 3)),
    # --- choosing
    "choose": (lambda a, b, c: np.choose(PICK, [a, b, c]), (2, 3), (2, 3), (2, 3)),
    "choose: broadcast": (lambda a, b, c: np.choose(PICK, [a, b, c]), (3,), (2, 1), ()),
    "choose: wrap": (lambda a, b: np.choose(PICK + 1, [a, b], mode="wrap"), (2, 3), (2, 3)),
    "choose: clip": (lambda a, b: np.choose(PICK * 3 - 2, (a, b), mode="clip"), (2, 3), (2, 3)),
    "choose: rows": (lambda a: np.choose([0, 2, 1], a), (3, 3)),
    "select": (lambda a, b: np.select([a > 1, a < -1], [a * b, b]), (3, 4), (3, 4)),
    "select: default": (lambda a, b: np.select([a > 0], [a * a], b), (2, 3), (3,)),
    "piecewise": (lambda a: np.piecewise(a, [a < -1, a > 1], [np.exp, np.square]), (3, 4)),
    "piecewise: otherwise":
        (lambda a: np.piecewise(a, [a < 0, a > 1], [lambda x: x**3, 2.5, np.sin]), (3, 4)),
    "piecewise: overlap": (lambda a: np.piecewise(a, [a < 1, a < 0], [np.exp, np.cos]), (7,)),
    "piecewise: arguments":
        (lambda a: np.piecewise(a, [a > 0], [lambda x, k, m: x**k + m], 3, m=1), (5,)),
    "piecewise: one condition": (lambda a: np.piecewise(a, a > 0, [np.square, np.exp]), (5,)),
    "piecewise: a scalar": (lambda a: np.piecewise(a, [a > 0, a <= 0], [np.exp, np.sin]), ()),
    "where": (lambda a, b: np.where(a > 0, b, a), (2, 3), (3,)),
    "clip": (lambda a, b, c: np.clip(a, b - 2, c + 2), (3, 4), (4,), ()),
    "clip: keywords": (lambda a, b: np.clip(a, max=b), (2, 3), (3,)),
    "clip: low": (lambda a: np.clip(a, -0.5, None), (3, 4)),
    "clip: method": (lambda a: a.clip(-0.5, 0.6), (3, 4)),
    "nan_to_num": (lambda a: np.nan_to_num(a + HOLES, nan=2.0), (3, 4)),
    # --- picking
    "compress": (lambda a: np.compress([True, False, True], a, axis=0), (3, 4)),
    "compress: short": (lambda a: np.compress([False, True], a, axis=1), (3, 4)),
    "compress: flat": (lambda a: np.compress([0, 1, 0, 1, 1], a), (3, 4)),
    "extract": (lambda a: np.extract(CONSTANT > 0, a), (2, 3)),
    "extract: by itself": (lambda a: np.extract(a > 0, a), (2, 3)),
    "take_along_axis": (lambda a: np.take_along_axis(a, PICK, 1), (2, 3)),
    "take_along_axis: default": (lambda a: np.take_along_axis(a, np.argsort(a)), (2, 3)),
    "take_along_axis: first": (lambda a: np.take_along_axis(a, PICK % 2, axis=0), (2, 3)),
    "take_along_axis: flat": (lambda a: np.take_along_axis(a, np.array([5, 0, 5]), None), (2, 3)),
    "take_along_axis: broadcast": (lambda a: np.take_along_axis(a, PICK[:1], 1), (2, 3)),
    "take: wrap": (lambda a: np.take(a, [-5, 7, 2], axis=1, mode="wrap"), (2, 3)),
    "take: clip": (lambda a: np.take(a, [[-5, 7, 2]], mode="clip"), (2, 3)),
    "take: negative": (lambda a: a.take(-1, axis=-1), (2, 3)),
    "bincount": (lambda a: np.bincount([0, 2, 2, 4], weights=a), (4,)),
    "bincount: minlength": (lambda a: np.bincount(np.array([1, 1, 0]), a, minlength=5), (3,)),
    "unique: all": (lambda a: np.unique(np.concatenate([a, a]), True, True, True), (5,)),
    "unique: rows": (lambda a: np.unique(a, axis=0), (3, 2)),
    "sort: flat": (lambda a: np.sort(a, axis=None, kind="stable"), (2, 3)),
    "partition: several": (lambda a: np.sort(np.partition(a, (1, 4), axis=0)[:2], 0), (6, 2)),
    # --- putting in, joining, cutting
    "insert": (lambda a, b: np.insert(a, 1, b, axis=0), (3, 2), (2,)),
    "insert: scalar": (lambda a, b: np.insert(a, -1, b), (4,), ()),
    "insert: flat": (lambda a, b: np.insert(a, [0, 3, 3], b), (2, 3), (3,)),
    "insert: columns": (lambda a, b: np.insert(a, [1, 2], b, axis=1), (3, 2), (3, 2)),
    "insert: one for all": (lambda a, b: np.insert(a, [1, 2], b, axis=1), (3, 2), (3, 1)),
    "insert: slice": (lambda a, b: np.insert(a, slice(0, 4, 2), b), (4,), (2,)),
    "insert: mask": (lambda a, b: np.insert(a, np.array([True, False, True]), b), (3,), (2,)),
    "insert: a number": (lambda a: np.insert(a, 1, 7), (3,)),
    "delete: slice": (lambda a: np.delete(a, slice(None, None, 2), axis=1), (2, 5)),
    "delete: mask": (lambda a: np.delete(a, [True, False, True], 0), (3, 2)),
    "append: flat": (lambda a, b: np.append(a, b), (2, 2), (3, 1)),
    "block": (lambda a, b, c, d: np.block([[a, b], [c, d]]), (2, 2), (2, 1), (1, 2), (1, 1)),
    "block: one level": (lambda a, b: np.block([a, b, 1.0]), (3,), ()),
    "block: three levels": (lambda a, b: np.block([[[a, b]], [[b, a]]]), (2, 3), (2, 3)),
    "block: alone": (lambda a: np.block(a), (2, 3)),
    "block: constants": (lambda a: np.block([[a, np.ones((2, 1))], [np.zeros((1, 4))]]), (2, 3)),
    "stack: of rows": (lambda a: np.stack(a, axis=1), (2, 3)),
    "concatenate: of matrices": (lambda a: np.concatenate(a, axis=1), (2, 2, 3)),
    "concatenate: negative axis": (lambda a, b: np.concatenate((a, b), -1), (2, 2), (2, 1)),
    "vstack: of rows": (lambda a: np.vstack(a), (2, 3)),
    "hstack: dtype": (lambda a, b: np.hstack((a, b), dtype=np.float64), (2, 1), (2, 2)),
    "array_split: negative axis": (lambda a: np.array_split(a, 2, -1), (2, 5)),
    "split: places": (lambda a: np.split(a, [1, 1, 9]), (4,)),
    "hsplit: one axis": (lambda a: np.hsplit(a, 2), (4,)),
    "unstack": (lambda a: np.unstack(a), (2, 3)),
    "apply_along_axis": (lambda a: np.apply_along_axis(np.prod, 0, a), (3, 2)),
    "apply_along_axis: vectors":
        (lambda a: np.apply_along_axis(lambda x: np.cumsum(x)[1:] * x[0], 1, a), (2, 3, 2)),
    "apply_along_axis: matrices":
        (lambda a: np.apply_along_axis(lambda x: np.outer(x, x), -2, a), (2, 3, 2)),
    "apply_along_axis: arguments":
        (lambda a: np.apply_along_axis(lambda x, k, m: x**k * m, 0, a, 2, m=3.0), (3, 2)),
    # --- shapes
    "full_like": (lambda a, b: np.full_like(a, b), (2, 3), ()),
    "full_like: broadcast": (lambda a, b: np.full_like(a, b), (2, 3), (3,)),
    "full_like: shape": (lambda a, b: np.full_like(a, b, shape=(2, 2)), (3,), (2,)),
    "full_like: dtype": (lambda a, b: np.full_like(a, b, dtype=np.float64), (2,), ()),
    "fix": (lambda a: quietly(np.fix, a), (2, 3)),
    "astype": (lambda a: np.astype(a, np.float64), (2, 3)),
    "astype: copy": (lambda a: np.astype(a, np.float64, copy=False), (2, 3)),
    "meshgrid": (lambda a, b: np.meshgrid(a, b), (2,), (3,)),
    "meshgrid: ij": (lambda a, b: np.meshgrid(a, b, indexing="ij"), (2,), (3,)),
    "meshgrid: sparse": (lambda a, b: np.meshgrid(a, b, sparse=True), (2,), (3,)),
    "meshgrid: sparse ij":
        (lambda a, b, c: np.meshgrid(a, b, c, sparse=True, indexing="ij"), (2,), (3,), (2,)),
    "meshgrid: one": (lambda a: np.meshgrid(a), (3,)),
    "meshgrid: scalar": (lambda a, b: np.meshgrid(a, b, copy=False), (), (2,)),
    "broadcast_arrays": (lambda a, b, c: np.broadcast_arrays(a, b, c), (2, 1), (3,), ()),
    "atleast_2d: two": (lambda a, b: np.atleast_2d(a, b), (), (3,)),
    "atleast_3d: two": (lambda a, b: np.atleast_3d(a, b), (2,), (2, 3)),
    "reshape: by column": (lambda a: np.reshape(a, (3, -1), order="F"), (2, 6)),
    "ravel: method": (lambda a: a.ravel("F"), (2, 3)),
    "moveaxis: negative": (lambda a: np.moveaxis(a, (-1, 0), (0, -1)), (2, 3, 4)),
    "rollaxis: negative": (lambda a: np.rollaxis(a, -1, -1), (2, 3, 4)),
    "rot90: twice": (lambda a: np.rot90(a, -2, (1, 0)), (2, 3)),
    "rot90: four times": (lambda a: np.rot90(a, 4), (2, 3)),
    "resize: less": (lambda a: np.resize(a, 4), (2, 3)),
    "diag: out": (lambda a: np.diag(a, -2), (3, 4)),
    "tril: of a line": (lambda a: np.tril(a), (3,)),
    "triu: of a line": (lambda a: np.triu(a, 1), (3,)),
    "triu: many": (lambda a: np.triu(a, -1), (2, 3, 4)),
    "trace: negative": (lambda a: np.trace(a, -1, -1, 0), (3, 2, 3)),
    "diagonal: method": (lambda a: a.diagonal(1, 2, 1), (2, 3, 4)),
    "vander: columns": (lambda a: np.vander(a, 3), (4,)),
    "sliding_window_view: twice": (lambda a: sliding_window_view(a, (2, 2), (0, 0)), (5,)),
}
# fmt: on
