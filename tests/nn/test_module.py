"""Module: which parameters are found, under which names, and what calling one does."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import Tensor
from tinygrad_nn.nn import Dense, Module, Sequential


def parameter(value=1.0):
    return Tensor(value, requires_grad=True)


class Holder(Module):
    def __init__(self, **attributes):
        vars(self).update(attributes)

    def forward(self, x):
        return x


def found(module):
    return dict(module.named_parameters())


def test_parameters_are_found_in_attributes_lists_tuples_dicts_and_modules():
    a, b, c, d, e = (parameter(float(i)) for i in range(5))
    inner = Holder(weights=d)
    module = Holder(a=a, items=[b, (c, [inner])], by_name={"scale": e, 3: [Holder(x=a)]})
    expected = {"a": a, "items.0": b, "items.1.0": c, "items.1.1.0.weights": d, "by_name.scale": e}
    got = found(module)
    assert list(got) == list(expected)
    assert all(got[path] is expected[path] for path in expected)
    assert [id(p) for p in module.parameters()] == [id(p) for p in expected.values()]


def test_a_shared_parameter_is_listed_once_under_its_first_name():
    layer = Dense(2, 2, rng=0)
    model = Sequential(layer, tnn.activations.tanh, layer)
    assert len(model.parameters()) == 2
    (weights, biases) = found(model)
    assert weights.endswith("0.weights")
    assert biases.endswith("0.biases")
    tied = Holder(encoder=layer.weights, decoder=layer.weights)
    assert list(found(tied)) == ["encoder"]
    model(np.ones((1, 2))).sum().backward()  # both uses add up in the one gradient
    x, w = np.ones((1, 2)), layer.weights.numpy()
    h = np.tanh(x @ w)
    expected = h.T @ np.ones((1, 2)) + x.T @ ((np.ones((1, 2)) @ w.T) * (1 - h**2))
    np.testing.assert_allclose(layer.weights.grad.numpy(), expected, rtol=1e-13)


def test_what_requires_no_gradient_is_no_parameter():
    frozen = parameter()
    module = Holder(data=Tensor([1.0]), array=np.ones(3), number=2.0, text="w", w=frozen)
    assert list(found(module)) == ["w"]
    frozen.requires_grad = False
    assert module.parameters() == []


def test_keys_that_look_alike_hide_no_parameter():
    one, two = parameter(1.0), parameter(2.0)
    assert {id(p) for p in Holder(d={1: one, "1": two}).parameters()} == {id(one), id(two)}


def test_modules_that_refer_to_each_other_are_walked_once():
    owner = Holder(w=parameter())
    owner.child = Holder(owner=owner, w=parameter())
    owner.everything = [owner, owner.child]
    owner.everything.append(owner.everything)
    assert {id(p) for p in owner.parameters()} == {id(owner.w), id(owner.child.w)}


class StoresItsOutput(Module):
    """Keeps self.output, as the layers of from-scratch notebooks do."""

    def __init__(self):
        self.dense = Dense(2, 3, rng=0)

    def forward(self, x):
        self.output = self.dense(x)
        return self.output


def test_a_stored_output_is_no_parameter():
    module = StoresItsOutput()
    module(np.ones((4, 2))).sum().backward()
    assert list(found(module)) == ["dense.weights", "dense.biases"]
    module.zero_grad()
    assert [p.grad for p in module.parameters()] == [None, None]


def test_zero_grad_forgets_what_backward_collected():
    layer = Dense(2, 3, rng=0)
    layer(np.ones((4, 2))).sum().backward()
    once = [p.grad.numpy() for p in layer.parameters()]
    layer(np.ones((4, 2))).sum().backward()
    for p, g in zip(layer.parameters(), once, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), 2 * g)
    layer.zero_grad()
    assert [p.grad for p in layer.parameters()] == [None, None]


def test_calling_runs_forward_with_all_arguments_within_a_scope():
    class Scaled(Module):
        def forward(self, x, factor=1.0):
            return x * factor

    module, x = Scaled(), parameter(3.0)
    assert module(x, factor=2.0).item() == 6.0
    assert module(x)._node.scope == ("scaled",)
    module.name = "half"
    assert module(x, 0.5)._node.scope == ("half",)


def test_a_module_without_forward_says_what_to_do():
    class Empty(Module):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty: .*forward") as caught:
        Empty()(1.0)
    assert isinstance(caught.value, tnn.TinygradNNError)


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"]
)
def test_a_copied_model_computes_the_same_and_learns_alone(again):
    model = Sequential(Dense(2, 3, rng=0), tnn.activations.relu, Dense(3, 1, rng=1))
    twin, x = again(model), np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_array_equal(twin(x).numpy(), model(x).numpy())
    before = model(x).numpy()
    twin(x).sum().backward()
    tnn.optim.SGD(twin.parameters(), 0.1).step()
    assert all(p.grad is None for p in model.parameters())
    np.testing.assert_array_equal(model(x).numpy(), before)
    assert not np.array_equal(twin(x).numpy(), before)
