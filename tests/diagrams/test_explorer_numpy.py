"""The page's functions, which are NumPy's by name, give what NumPy's give."""

import numpy as np
import pytest
from explorer_recordings import recorded

from tinygrad_nn.diagrams.explorer import explorer_page
from tinygrad_nn.diagrams.explorer.functions import known_functions
from tinygrad_nn.diagrams.explorer.numbers import array_data, number

WHOLE = {"bitwise_and", "bitwise_or", "invert"}
OURS = {"getitem", "set_item", "add_at", "astype", "copy"}
BY_SHAPE = {"np.reshape", "np.ravel", "np.squeeze", "np.expand_dims"}  # the equation has the shape
UNARY = [n for n, p in known_functions().items() if list(p) == ["a"] and n not in OURS | BY_SHAPE]
BINARY = [n for n, p in known_functions().items() if list(p) == ["a", "b"] and n != "np.matmul"]
REDUCING = [n for n, p in known_functions().items() if {"axis", "keepdims"} <= set(p)]


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    graph, seeds, _ = recorded("chain")
    file = tmp_path_factory.mktemp("numpy") / "page.html"
    file.write_text(explorer_page(graph, seeds), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    yield page
    page.close()


def as_term(value):
    if isinstance(value, np.ndarray):
        return {"array": array_data(value, max(1, value.size))}
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if isinstance(value, (list, tuple)):
        return [as_term(v) for v in value]
    if value is Ellipsis:
        return {"ellipsis": True}
    return number(value) if isinstance(value, float) else value


def computed(page, name, arguments, like):
    """What the page makes of a call, in the shape and dtype of what it is compared with."""
    like = np.asarray(like)
    equation = [name, [as_term(a) for a in arguments], list(like.shape), str(like.dtype)]
    found = page.evaluate("e => run([e], [])[0].data.map(String)", equation)
    numbers = [float(x.replace("Infinity", "inf")) for x in found]
    return np.array(numbers).reshape(like.shape)


def check(page, name, arguments, expected):
    np.testing.assert_allclose(computed(page, name, arguments, expected), expected, rtol=1e-13)


def numpy_function(name):
    found = np
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return found


def samples(name):
    if name.split(".")[-1] in WHOLE:
        return np.array([[0, 1, 5], [-3, 6, 12]]), np.array([3, 6, -1])
    edges = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 0.5, -0.5, 1.5, -2.5, 1.0, -1.0, 3e-9])
    return edges.reshape(2, 6), np.array([0.5, -1.0, 2.0, 0.0, np.nan, np.inf])


@pytest.mark.parametrize("name", UNARY)
def test_a_function_of_one_array_is_numpys(page, name):
    a, _ = samples(name)
    with np.errstate(all="ignore"):
        check(page, name, [a], numpy_function(name)(a))


@pytest.mark.parametrize("name", BINARY)
def test_a_function_of_two_arrays_is_numpys(page, name):
    a, b = samples(name)
    with np.errstate(all="ignore"):
        check(page, name, [a, b], numpy_function(name)(a, b))
        check(page, name, [b, a], numpy_function(name)(b, a))


REDUCTIONS = [
    (name, axis)
    for name in REDUCING
    for axis in (None, 0, -1, (0, 2))
    if axis != (0, 2) or name not in ("np.argmax", "np.argmin")  # NumPy takes one axis there
]


@pytest.mark.parametrize(("name", "axis"), REDUCTIONS)
@pytest.mark.parametrize("keepdims", [False, True])
def test_a_reduction_is_numpys(page, name, axis, keepdims, rng):
    if axis is None and name == "np.linalg.norm":
        axis = 1
    a = rng.standard_normal((2, 3, 4))
    parameters = [p for p in known_functions()[name] if p != "*"]
    given = {"a": a, "axis": axis, "keepdims": keepdims, "ddof": 1}
    options = {p: given[p] for p in parameters if p != "a"}
    expected = numpy_function(name)(a, **options)
    check(page, name, [given[p] for p in parameters], expected)


def test_products_and_joins_are_numpys(page, rng):
    draw = rng.standard_normal
    for a, b in [((2, 3), (3, 4)), ((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,)),
                 ((5, 1, 2, 3), (4, 3, 2)), ((2, 3), (5, 3, 2)), ((3,), (2, 3, 4))]:  # fmt: skip
        x, y = draw(a), draw(b)
        check(page, "np.matmul", [x, y], np.matmul(x, y))
    x, y, z = draw((2, 3)), draw((3, 4)), draw((2, 3))
    for subscripts, *arrays in [("ij,jk->ik", x, y), ("ij->", x), ("ij,ij->j", x, z),
                                ("ii->i", draw((3, 3))), ("ij,jk,il->kl", x, y, z)]:  # fmt: skip
        check(page, "np.einsum", [subscripts, arrays], np.einsum(subscripts, *arrays))
    for axis in (0, 1, -1, None):
        check(page, "np.concatenate", [[x, z], axis], np.concatenate([x, z], axis=axis))
    for axis in (0, 1, 2, -1):
        check(page, "np.stack", [[x, z], axis], np.stack([x, z], axis=axis))
    for axes in (None, (2, 0, 1), (-1, 0, -2)):
        a = draw((2, 3, 4))
        check(page, "np.transpose", [a, axes], np.transpose(a, axes))
    check(page, "np.swapaxes", [a, 0, -1], np.swapaxes(a, 0, -1))
    check(page, "np.flip", [a, (0, 2)], np.flip(a, (0, 2)))
    check(page, "np.broadcast_to", [x, (4, 2, 3)], np.broadcast_to(x, (4, 2, 3)))
    for axis in (None, 0, 1, -1):
        check(page, "np.cumsum", [a, axis], np.cumsum(a, axis))
        check(page, "np.cumprod", [a, axis], np.cumprod(a, axis))
    check(page, "np.clip", [x, -0.5, None], np.clip(x, -0.5, None))
    check(page, "np.where", [x > 0, x, -1.0], np.where(x > 0, x, -1.0))
    check(page, "np.full_like", [x, 2.5], np.full_like(x, 2.5))
    check(page, "np.zeros_like", [x, None, (3,)], np.zeros_like(x, shape=(3,)))
    check(page, "np.ones_like", [x, None, None], np.ones_like(x))


INDICES = [
    1, -1, slice(None, None, -2), (slice(1, None), 1), (Ellipsis, None, slice(None, None, -1)),
    np.array([0, 2, 0]), (slice(None), np.array([0, -1])), (np.array([0, 1]), np.array([1, 2])),
    (np.array([0, 1]), slice(None), np.array([1, 2])), (0, slice(None), np.array([1, 2])),
    (np.array([[0], [2]]), np.array([1, 3])), (None, 2, Ellipsis),
    (np.array([True, False, True]), slice(1, 3)), (Ellipsis, np.array([[0, 1], [2, 3]])),
    (slice(5, 1), slice(-9, 9)), (),
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indices_select_and_write_as_numpys_do(page, index, rng):
    a = rng.standard_normal((3, 4, 5))
    check(page, "getitem", [a, index], a[index])
    values = rng.standard_normal(np.shape(a[index]))
    added, written = a.copy(), a.copy()
    np.add.at(added, index, values)
    check(page, "add_at", [a, index, values], added)
    if not isinstance(index, np.ndarray):  # where a place comes twice, which is last is not said
        written[index] = values
        check(page, "set_item", [a, index, values], written)


def test_dtypes_round_as_numpys_do(page):
    a = np.array([0.1, -2.7, 1e10, 3.0])
    for dtype in (np.float32, np.int64, np.bool_):
        check(page, "astype", [a, str(np.dtype(dtype))], a.astype(dtype))
    half = np.array([0.1, 0.7], np.float32)
    check(page, "np.multiply", [half, half], half * half)


def test_no_function_is_left_out():
    tested = {*UNARY, *BINARY, *REDUCING, *OURS, *BY_SHAPE, "np.matmul", "np.einsum"}
    joined = "concatenate stack transpose swapaxes flip cumsum cumprod broadcast_to clip where"
    tested |= {f"np.{n}" for n in f"{joined} full_like zeros_like ones_like".split()}
    assert tested == set(known_functions())
