"""Layers: shapes, gradients, names, errors, and a network that learns."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Graph, Tensor, TinygradNNError, activations, losses
from tinygrad_nn.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_nn.nn import Dense, Sequential


def scopes(output):
    return {node.scope for node in Graph([output._node]) if node.primitive is not None}


# --- Dense ------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [(), (1,), (7,), (0,), (2, 3)])
@pytest.mark.parametrize(("n", "m"), [(4, 3), (1, 1), (1, 5)])
def test_dense_computes_a_weighted_sum_and_its_gradients(batch, n, m):
    rng = np.random.default_rng(0)
    layer = Dense(n, m, rng=rng)
    layer.biases.data = rng.normal(size=m)
    x = Tensor(rng.normal(size=(*batch, n)), requires_grad=True)
    g = rng.normal(size=(*batch, m))
    y = layer(x)
    y.backward(g)
    w, rows, cotangents = layer.weights.numpy(), x.numpy().reshape(-1, n), g.reshape(-1, m)
    expected = np.einsum("bi,ij->bj", rows, w) + layer.biases.numpy()
    np.testing.assert_allclose(y.numpy(), expected.reshape(*batch, m), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(
        layer.weights.grad.numpy(), rows.T @ cotangents, rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(layer.biases.grad.numpy(), cotangents.sum(0), rtol=1e-12, atol=1e-14)
    back = (cotangents @ w.T).reshape(x.shape)
    np.testing.assert_allclose(x.grad.numpy(), back, rtol=1e-12, atol=1e-14)


def test_dense_starts_with_its_shapes_zero_biases_and_names():
    layer = Dense(4, 3, rng=0, name="hidden")
    assert (layer.weights.shape, layer.biases.shape) == ((4, 3), (3,))
    assert (layer.weights.name, layer.biases.name) == ("weights", "biases")
    assert not layer.biases.numpy().any()
    assert all(p.requires_grad for p in (layer.weights, layer.biases))
    assert repr(layer) == "Dense(4, 3, name='hidden')"


@pytest.mark.parametrize(
    "source", [lambda: 3, lambda: np.random.default_rng(3), lambda: np.random.RandomState(3)]
)
def test_the_same_source_of_randomness_gives_the_same_layer(source):
    one, two = Dense(3, 4, rng=source()), Dense(3, 4, rng=source())
    np.testing.assert_array_equal(one.weights.numpy(), two.weights.numpy())
    rng = source()
    if not isinstance(rng, int):  # a stream moves on from layer to layer
        assert not np.array_equal(
            Dense(3, 4, rng=rng).weights.data, Dense(3, 4, rng=rng).weights.data
        )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_of_a_layer_reaches_outputs_and_gradients(dtype):
    layer = Dense(4, 3, rng=0, dtype=dtype)
    y = layer(np.ones((2, 4), dtype))
    (y * y).mean().backward()
    assert {t.dtype for t in (y, *layer.parameters())} == {np.dtype(dtype)}
    assert {p.grad.dtype for p in layer.parameters()} == {np.dtype(dtype)}


def test_an_initializer_may_be_a_function_of_shape_source_and_dtype():
    called = []

    def counting(shape, rng, dtype):
        called.append((shape, rng, dtype))
        return np.arange(6).reshape(shape)  # integers become the layer's dtype

    layer = Dense(2, 3, initializer=counting, rng=5, dtype=np.float32)
    assert called == [((2, 3), 5, np.float32)]
    assert layer.weights.dtype == np.float32
    assert layer.weights.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_layer_keeps_its_own_copy_of_what_an_initializer_returned():
    shared = np.ones((2, 3))
    one, two = (Dense(2, 3, initializer=lambda shape, rng, dtype: shared) for _ in range(2))
    shared[...] = 9.0
    with tnn.no_grad():
        one.weights *= 5.0
    assert one.weights.tolist() == [[5.0] * 3] * 2
    assert two.weights.tolist() == [[1.0] * 3] * 2


def test_lists_arrays_and_tensors_give_the_same_output():
    layer, x = Dense(2, 3, rng=0), [[1.0, -2.0], [0.5, 3.0]]
    outputs = [layer(x).numpy(), layer(np.array(x)).numpy(), layer(Tensor(x)).numpy()]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    np.testing.assert_array_equal(outputs[0], outputs[2])


def test_a_wrong_input_is_refused_in_these_words():
    expected = (
        "Dense 'hidden': expected inputs of shape (batch, 2); got (300, 3). "
        "The last axis must equal in_features."
    )
    layer = Dense(2, 5, name="hidden")
    for model in (layer, Sequential(layer), Sequential(Dense(4, 2), layer)):
        with pytest.raises(ShapeError) as caught:
            layer(np.ones((300, 3))) if model is layer else model.layers[-1](np.ones((300, 3)))
        assert str(caught.value) == expected
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("shape", [(), (3,), (5, 3), (2, 5), (2, 0), (0,)])
@pytest.mark.parametrize("wrap", [np.asarray, Tensor, lambda a: a.tolist()])
def test_an_input_without_the_right_last_axis_is_refused(shape, wrap):
    with pytest.raises(
        ShapeError, match=r"^Dense 'l': expected inputs of shape \(batch, 2\); got "
    ):
        Dense(2, 3, name="l")(wrap(np.ones(shape)))


def test_a_layer_without_a_name_is_not_called_none():
    with pytest.raises(ShapeError, match=r"^Dense\b.*: expected inputs") as caught:
        Dense(2, 3)(np.ones((4, 3)))
    assert "None" not in str(caught.value)


@pytest.mark.parametrize(
    "sizes", [(0, 3), (3, 0), (-1, 3), (2.0, 3), ("2", 3), (None, 3), (2, [3])]
)
def test_sizes_that_are_not_positive_integers_are_refused(sizes):
    with pytest.raises(ArgumentError, match=r"^Dense: expected positive integer sizes; got "):
        Dense(*sizes)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"initializer": "xavier"}, ArgumentError),
        ({"initializer": None}, ArgumentError),
        ({"initializer": lambda shape, rng, dtype: np.zeros((3, 2))}, ShapeError),
        ({"initializer": lambda shape, rng, dtype: np.zeros(6)}, ShapeError),
        ({"initializer": lambda shape, rng, dtype: [["a"] * 3] * 2}, TinygradNNError),
        ({"rng": "seed"}, ArgumentError),
        ({"dtype": np.int64}, DtypeError),
        ({"dtype": np.complex128}, DtypeError),
        ({"dtype": "no such dtype"}, DtypeError),
    ],
)
def test_options_that_make_no_layer_are_refused(options, kind):
    with pytest.raises(kind):
        Dense(2, 3, **options)


@pytest.mark.parametrize(
    "x", [[["a", "b"]], [[None, 1.0]], [[1.0], [1.0, 2.0]], [[1j, 0.0]]],
    ids=["text", "objects", "ragged", "complex"],
)  # fmt: skip
def test_an_input_that_is_not_an_array_of_real_numbers_is_refused(x):
    with pytest.raises(TinygradNNError):
        Dense(2, 3)(x)


def test_a_layer_can_be_differentiated_twice():
    layer = Dense(3, 2, rng=1)
    x, v = np.random.default_rng(2).normal(size=(2, 3))

    def energy(z):
        return np.sum(np.square(np.tanh(layer(z))))

    h = 1e-6
    slope = tnn.grad(energy)
    with tnn.no_grad():  # or else the results would depend on the weights, and be Tensors
        expected = (slope(x + h * v) - slope(x - h * v)) / (2 * h)
        product = tnn.hvp(energy, x, v)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(product, expected, rtol=1e-6, atol=1e-9)


# --- Sequential -------------------------------------------------------------------------------


def test_sequential_applies_its_layers_in_order_and_names_the_nameless():
    model = Sequential(
        Dense(2, 4, rng=0),
        activations.relu,
        Dense(4, 3, rng=1, name="out"),
        Sequential(Dense(3, 2)),
    )
    x = np.random.default_rng(3).normal(size=(5, 2))
    first, last, inner = model.layers[0], model.layers[2], model.layers[3]
    assert [layer.name for layer in (first, last, inner, inner.layers[0])] == [
        "dense_0", "out", "sequential_3", "dense_0",
    ]  # fmt: skip
    by_hand = inner.layers[0](last(activations.relu(first(x))))
    np.testing.assert_array_equal(model(x).numpy(), by_hand.numpy())
    named = {"sequential/dense_0", "sequential/relu", "sequential/out"}
    assert {"/".join(s) for s in scopes(model(x))} == named | {"sequential/sequential_3/dense_0"}


def test_sequential_takes_any_function_and_shows_what_it_holds():
    class Doubling:
        def __call__(self, x):
            return 2 * x

    model = Sequential(np.tanh, Doubling(), lambda x: x + 1, Dense(2, 1, rng=0))
    x = np.array([[0.5, -0.5]])
    expected = (2 * np.tanh(x) + 1) @ model.layers[3].weights.numpy()
    np.testing.assert_allclose(model(x).numpy(), expected, rtol=1e-14)
    for part in ("Sequential(", "tanh", "Dense(2, 1", "lambda"):
        assert part in repr(model)
    assert Sequential()(x) is x


@pytest.mark.parametrize("layers", [(3,), (Dense(2, 2), None), ([Dense(2, 2)],), ("relu",)])
def test_sequential_refuses_what_cannot_be_called(layers):
    with pytest.raises(ArgumentError, match=r"^Sequential: expected layers and functions; got "):
        Sequential(*layers)


def test_scopes_are_left_again_when_a_layer_raises():
    model = Sequential(Dense(2, 3), Dense(2, 3), name="net")
    with pytest.raises(ShapeError):
        model(np.ones((4, 2)))
    assert scopes(Tensor([1.0], requires_grad=True) * 2) == {()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "optimizer", [lambda p: tnn.optim.SGD(p, 0.5, momentum=0.9), lambda p: tnn.optim.Adam(p, 0.02)]
)
def test_training_reduces_the_loss_and_learns_what_no_line_can_part(optimizer, dtype):
    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 1, (200, 2)).astype(dtype)
    labels = (x[:, 0] * x[:, 1] > 0).astype(int)  # the two diagonals: exclusive or
    model = Sequential(
        Dense(2, 16, rng=rng, dtype=dtype), activations.tanh, Dense(16, 2, rng=rng, dtype=dtype)
    )
    stepper = optimizer(model.parameters())

    def loss():
        return losses.sparse_categorical_cross_entropy(labels, model(x), from_logits=True)

    first = loss().item()
    for _ in range(150):
        stepper.zero_grad()
        loss().backward()
        stepper.step()
    assert loss().item() < 0.25 * first
    assert tnn.metrics.accuracy(labels, model(x)) > 0.95
    assert {p.dtype for p in model.parameters()} == {np.dtype(dtype)}
