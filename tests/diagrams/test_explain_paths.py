"""The chain rule of a gradient: its paths, their sum, and what stands beside it."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_nn as tnn
from tinygrad_nn.diagrams import GradientExplanation
from tinygrad_nn.errors import ArgumentError, GradientError
from tinygrad_nn.primitives import TABLE, Derivative, stop_gradient
from tinygrad_nn.verify import Verdict


def leaf(data, name=None):
    return tnn.Tensor(data, requires_grad=True, name=name)


def jacobian(node, k):
    """∂y/∂x of one operation by its k-th input, by differences: y.size rows, x.size columns."""
    x, step = node.inputs[k].value, 1e-6
    columns = []
    for i in range(x.size):
        sides = []
        for t in (step, -step):
            moved = x.copy()
            moved.flat[i] += t
            operands = [moved if j == k else v for j, v in enumerate(node.operands)]
            sides.append(node.primitive.evaluate(operands, node.static or {}))
        columns.append(np.ravel(sides[0] - sides[1]) / (2 * step))
    return np.stack(columns, axis=1)


def products_of_all_paths(loss, start, element):
    """The product along every path that does not vanish, by dense Jacobians and brute force."""
    nodes = tnn.Graph([loss]).nodes
    edges = [
        (n, k, jacobian(n, k))
        for n in nodes
        for k, i in enumerate(n.inputs)
        if n.primitive is not None and i in nodes and i.tracked
    ]
    found, waiting = [], [(start._node, element, 1.0)]
    while waiting:
        node, i, product = waiting.pop()
        if node is loss._node:
            found.append(product)
            continue
        for user, k, table in edges:
            if user.inputs[k] is node:
                for j in np.flatnonzero(np.abs(table[:, i]) > 1e-7):
                    waiting.append((user, int(j), product * table[j, i]))
    return sorted(found)


# --- numbers worked out by hand ---------------------------------------------------------------


def test_the_notebooks_neuron_by_hand():
    inputs = tnn.Tensor([1.0, 2.0, 3.0], name="inputs")
    weights, bias = leaf([0.2, 0.8, -0.5], "weights"), leaf(2.0, "bias")
    output = tnn.activations.relu(np.dot(inputs, weights) + bias)  # 0.2 + 1.6 − 1.5 + 2 = 2.3
    loss = (output - 1.0) ** 2
    for i, x in enumerate([1.0, 2.0, 3.0]):
        e = tnn.explain(loss, parameter="weights", index=i)
        (path,) = e.paths
        assert e.complete
        assert e.found == 1
        # ∂(y − 1)²/∂y = 2·1.3; then 1 for relu, add and subtract; then the input.
        assert [step.value for step in path.steps] == pytest.approx([2.6, 1, 1, 1, x])
        assert path.product == pytest.approx(2.6 * x)
        assert e.total == e.gradient == pytest.approx(2.6 * x)
        assert e.numeric == pytest.approx(2.6 * x)
        assert e.verdict is Verdict.PASS
    assert tnn.explain(loss, parameter=bias).gradient == pytest.approx(2.6)


def test_a_step_names_both_elements_the_formula_and_its_numbers():
    w = leaf([[0.5, -1.0]], "w")
    loss = np.sum(np.tanh(w))
    last, first = reversed(tnn.explain(loss, index=(0, 1)).paths[0].steps)
    assert (last.result, last.result_index) == ("tanh", (0, 1))
    assert (last.operand, last.operand_index) == ("w", (0, 1))
    assert last.formula == TABLE["numpy.tanh"].derivatives[0].formula
    assert dict(last.numbers) == {"g": 1.0, "y": pytest.approx(np.tanh(-1.0))}
    assert last.value == pytest.approx(1 - np.tanh(-1.0) ** 2)
    assert (first.result, first.result_index, first.value) == ("sum", (), 1.0)


def test_every_use_of_a_value_is_a_path_of_its_own():
    x = leaf(3.0, "x")
    assert [p.product for p in tnn.explain(x * x + x).paths] == [3.0, 3.0, 1.0]
    together = tnn.explain(np.concatenate([leaf([1.0], "a"), leaf([2.0])]).sum())
    assert [p.product for p in together.paths] == [1.0]
    twice = leaf([1.0, 2.0])
    e = tnn.explain(np.stack([twice, twice * 5.0]).sum(), index=1)
    assert sorted(p.product for p in e.paths) == [1.0, 5.0]


def test_broadcasting_makes_a_path_for_each_repetition():
    biases = leaf([1.0, 2.0], "biases")
    x = tnn.Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    e = tnn.explain(np.sum((x + biases) ** 2), index=0)
    assert sorted(p.product for p in e.paths) == [4.0, 8.0, 12.0]  # 2·(1 + 1), 2·(3 + 1), 2·(5 + 1)
    assert (
        "axis 0 of the second was repeated 3 times, so backward sums its gradient over axis 0"
        in (" ".join(e.shapes))
    )


def test_the_gradient_of_softmax_and_cross_entropy_is_the_sum_of_its_paths():
    z = leaf([[1.0, -0.5, 0.3]], "logits")
    p = np.exp(z.numpy()) / np.exp(z.numpy()).sum()
    loss = -np.log(tnn.activations.softmax(z)[0, 1])
    e = tnn.explain(loss, index=(0, 1))
    assert e.total == pytest.approx(p[0, 1] - 1)
    assert e.complete
    assert len(e.paths) > 1
    assert sum(path.product for path in e.paths) == pytest.approx(e.gradient)
    assert e.verdict is Verdict.PASS


# --- against brute force ----------------------------------------------------------------------

STEPS = {
    "tanh": lambda h, w: np.tanh(h),
    "matmul": lambda h, w: h @ w,
    "multiply": lambda h, w: h * h,
    "residual": lambda h, w: h + np.sin(h),
    "softmax": lambda h, w: tnn.activations.log_softmax(h),
    "broadcast": lambda h, w: h * w[0] - h[:, :1],
    "transpose": lambda h, w: np.transpose(np.exp(-h)) @ h,
    "stack": lambda h, w: np.concatenate([h, 2.0 * h])[1:3],
    "einsum": lambda h, w: np.einsum("ij,kj->ik", h, w),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=3), st.integers(0, 2**31))
def test_paths_are_those_of_brute_force_over_dense_jacobians(names, seed):
    rng = np.random.default_rng(seed)
    x, w = leaf(rng.uniform(0.2, 1.0, (2, 2)), "x"), leaf(rng.uniform(0.2, 1.0, (2, 2)), "w")
    h = x * 1.0
    for name in names:
        h = STEPS[name](h, w)
    loss = np.mean(h * tnn.Tensor(rng.uniform(0.5, 1.5, h.shape)))
    expected = products_of_all_paths(loss, x, 3)
    e = tnn.explain(loss, parameter="x", index=(1, 1), paths=2000)
    assert e.total == pytest.approx(sum(expected), rel=1e-5, abs=1e-7)
    assert e.total == pytest.approx(e.gradient, rel=1e-9, abs=1e-12)
    if e.complete:
        found = sorted(p.product for p in e.paths if abs(p.product) > 1e-7)
        expected = [p for p in expected if abs(p) > 1e-7]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    assert e.right


@pytest.mark.parametrize("name", sorted(TABLE))
def test_columns_of_every_row_are_those_of_its_jacobian(name, rng):
    from tinygrad_nn.diagrams.explain.elements import Elements
    from tinygrad_nn.verify.table.sampling import sample

    row = TABLE[name]
    if not any(row.derivatives):
        return
    for call in row.calls:
        arrays = sample(row, call, rng)
        tensors = [leaf(a) if a.dtype.kind == "f" else a for a in arrays]
        y = row(*tensors, **call.static)
        if not y.size:
            continue
        places = [k for k, t in enumerate(tensors) if isinstance(t, tnn.Tensor)]
        for k in places:
            if not row.variadic and row.derivatives[k] is None:
                continue
            table = jacobian(y._node, k)
            elements = Elements(y._node, np.ones_like(y.numpy()), tensors[k]._node)
            for i in range(tensors[k].size):
                column = np.zeros(y.size)
                where, values = elements.column((y._node, k), i)
                column[where] = values
                np.testing.assert_allclose(column, table[:, i], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("call", TABLE["numpy.matmul"].calls)
def test_the_factor_of_a_product_of_matrices_is_named(call, rng):
    a, b = (leaf(rng.standard_normal(shape)) for shape in call.shapes)
    loss = np.sum(np.matmul(a, b) * rng.standard_normal(np.matmul(a, b).shape))
    for parameter, other, letter in ((a, b, "b"), (b, a, "a")):
        for path in tnn.explain(loss, parameter=parameter).paths:
            step = path.steps[-1]
            ((name, value),) = step.numbers
            assert value == step.value
            index = tuple(int(i) for i in name[2:-1].split(","))
            assert name.startswith(f"{letter}[")
            assert other.numpy()[index] == step.value


# --- what is found, and what is left ----------------------------------------------------------


def test_of_many_paths_the_largest_are_shown_and_the_rest_together():
    x = leaf(2.0, "x")
    factors = np.arange(1.0, 31.0)
    e = tnn.explain((x * factors).sum(), paths=3)
    assert [p.product for p in e.paths] == [30.0, 29.0, 28.0]
    assert (e.found, e.left_out, e.complete) == (30, 27, True)
    assert e.total == factors.sum()
    text = str(e)
    assert "the 3 largest of 30 paths" in text
    line = next(line for line in text.splitlines() if "remaining paths together" in line)
    assert float(line.split("together")[1].split()[0]) == factors.sum() - 87


def test_where_not_all_paths_can_be_found_the_sum_is_still_over_all():
    h = start = leaf(0.3, "x")
    for _ in range(40):
        h = h + 0.1 * np.sin(h)  # 2⁴⁰ paths
    e = tnn.explain(h, parameter=start, paths=4)
    assert not e.complete
    assert e.total == pytest.approx(e.gradient, rel=1e-12)
    assert e.paths[0].product == pytest.approx(1.0)  # through the sums alone
    assert "largest paths found" in str(e)


def test_a_path_that_a_zero_closes_is_shown_as_such():
    x = leaf([-1.0, 2.0], "x")
    e = tnn.explain(np.sum(tnn.activations.relu(x) * 3.0), index=0)
    assert (e.found, e.closed, e.gradient, e.total) == (0, 1, 0.0, 0.0)
    (path,) = e.paths
    assert path.closed
    assert [s.value for s in path.steps] == [1.0, 3.0, 0.0]
    assert "closed by a local derivative of 0" in str(e)
    many = tnn.explain(np.sum(leaf(-1.0, "x") * np.zeros(100_000)), paths=2)
    assert (len(many.paths), many.closed, many.found) == (2, 100_000, 0)


def test_a_chain_of_five_thousand_operations_is_abbreviated():
    h = x = leaf(0.5, "x")
    for _ in range(5000):
        h = h * 1.0001
    e = tnn.explain(h, parameter=x)
    text = str(e)
    assert e.total == pytest.approx(1.0001**5000)
    assert len(e.paths[0].steps) == 5000
    assert "… 4,980 more steps, together × 1.645" in text
    assert len(text) < 5000
    assert max(map(len, text.splitlines())) <= 100
    assert len(e.markdown()) < 10_000


def test_the_spirals_network_is_explained():
    X, y = tnn.data.spiral(100, 3, 0)
    model = tnn.nn.Sequential(
        tnn.nn.Dense(2, 64, rng=0, dtype=np.float32, name="hidden"),
        tnn.activations.relu,
        tnn.nn.Dense(64, 3, rng=1, dtype=np.float32, name="output"),
        name="network",
    )
    loss = tnn.losses.sparse_categorical_cross_entropy(y, model(X), from_logits=True)
    e = tnn.explain(loss, parameter="hidden/weights")
    assert e.complete
    assert e.total == pytest.approx(e.gradient, rel=1e-4)
    assert e.verdict is Verdict.PASS
    assert np.abs(e.gradient) == pytest.approx(
        np.abs(tnn.grad(lambda w: loss_with(model, X, y, w))(model.parameters()[0].numpy())).max()
    )


def loss_with(model, X, y, weights):
    first, _, last = model.layers
    hidden = tnn.activations.relu(X @ weights + first.biases.detach())
    logits = hidden @ last.weights.detach() + last.biases.detach()
    return tnn.losses.sparse_categorical_cross_entropy(y, logits, from_logits=True)


def test_float32_stays_float32_and_is_checked_in_float64():
    x = tnn.Tensor([0.1, 0.2], dtype=np.float32, requires_grad=True, name="x")
    e = tnn.explain(np.sum(np.exp(x) * x), index=1)
    expected = float(np.float32(np.exp(0.2) * 1.2))
    assert e.gradient == pytest.approx(expected, rel=1e-6)
    assert e.total == pytest.approx(expected, rel=1e-6)
    assert e.numeric == pytest.approx(np.exp(np.float32(0.2), dtype=float) * 1.2, rel=1e-7)
    assert e.verdict is Verdict.PASS
    assert not e.notes


# --- kinks, guards and mistakes ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "note"),
    [
        (tnn.activations.relu, "relu at exactly 0: the derivative there is taken to be 0"),
        (np.abs, "absolute at exactly 0: the derivative there is taken to be 0"),
        (
            lambda x: np.maximum(x, 0.0),
            "maximum at exactly a = 0, b = 0: the derivative there is taken to be 0.5",
        ),
        (
            lambda x: np.clip(x, None, 0.0),
            "clip at exactly a = 0, h = 0: the derivative there is taken to be 1",
        ),
    ],
)
def test_kinks_on_the_way_are_pointed_out(f, note):
    e = tnn.explain(f(leaf([0.0, 1.0], "x")).sum(), index=0)
    assert e.paths[0].steps[-1].notes == (note,)
    assert e.verdict is Verdict.KINK
    assert e.right
    assert any("there is a kink" in line for line in e.notes)
    beside = tnn.explain(f(leaf([1e-9, 1.0], "x")).sum(), index=0)
    assert not [note for path in beside.paths for step in path.steps for note in step.notes]


def test_where_backward_keeps_an_unselected_branch_silent_the_difference_is_told():
    x = leaf([0.0, 4.0], "x")
    with np.errstate(divide="ignore"):
        loss = np.where(x.data > 0, np.log(x), 0.0).sum()
    e = tnn.explain(loss, index=0)
    assert np.isnan(e.total)
    assert e.gradient == 0.0
    assert any("did not select" in note for note in e.notes)
    assert np.isfinite(tnn.explain(loss, index=1).total)


def test_a_wrong_rule_shows_beside_the_numbers(monkeypatch):
    row = TABLE["numpy.tanh"]
    wrong = Derivative("g·(1 − y)", lambda g, y, a: g * (1 - y))
    monkeypatch.setattr(row, "derivatives", (wrong,))
    e = tnn.explain(np.sum(np.tanh(leaf([0.5, -0.3], "x"))), index=0)
    assert e.paths[0].steps[-1].value == pytest.approx(1 - np.tanh(0.5))
    assert e.total == e.gradient == pytest.approx(1 - np.tanh(0.5))
    assert e.numeric == pytest.approx(1 - np.tanh(0.5) ** 2)
    assert e.verdict is Verdict.WRONG
    assert not e.right
    assert any(
        note.startswith("∂tanh[0]/∂x[0] is wrong: the rule of tanh says 0.5379, a finite "
                        "difference of it alone 0.7864")
        for note in e.notes
    )  # fmt: skip
    assert "WRONG" in str(e)
    assert "WRONG" in e.markdown()
    assert "WRONG" in e.html()


def test_a_step_that_is_right_is_not_suspected(monkeypatch):
    """Of two operations one is wrong; only that one is named, wherever it is."""
    row = TABLE["numpy.exp"]
    monkeypatch.setattr(row, "derivatives", (Derivative("g", lambda g, y, a: g),))
    x = leaf([0.5, -0.3], "x")
    e = tnn.explain(np.sum(np.exp(np.tanh(x) @ np.ones((2, 2))) * x), index=0)
    said = [note for note in e.notes if "is wrong" in note]
    assert said
    assert all(note.startswith("∂exp[") for note in said)


def test_digits_that_float32_loses_are_told():
    z = tnn.Tensor(np.float32(1e-4), requires_grad=True, name="z")
    e = tnn.explain((1.0 - np.cos(z)) / (z * z))  # its slope is nearly 0
    assert e.gradient > 1000
    assert any("in float32 digits are lost" in note for note in e.notes)
    assert not e.right
    assert e.verdict is Verdict.UNSTABLE  # in float64 few digits are left as well


def test_what_is_held_constant_stays_so_in_the_difference():
    x = leaf(3.0, "x")
    e = tnn.explain(x * stop_gradient(x))
    assert [p.product for p in e.paths] == [3.0]
    assert e.numeric == pytest.approx(3.0)
    assert e.verdict is Verdict.PASS


# --- users' own rows, checkpoints -------------------------------------------------------------


def test_rows_of_the_users_own():
    @tnn.primitive(derivatives={"q": ("g·3q²", lambda g, y, q: g * (3 * q**2))}, elementwise=True)
    def cube(q):
        return q * q * q

    # A rule that leaves NumPy, so that it cannot be recorded.
    @tnn.primitive(derivatives={"q": lambda g, y, q: [float(3 * v**2) for v in q] * np.array(g)})
    def plain_cube(q):
        return q * q * q

    for f in (cube, plain_cube):
        e = tnn.explain(f(leaf([0.5, 2.0], "x")).sum(), index=1)
        assert e.total == e.gradient == pytest.approx(12.0)
        assert e.numeric == pytest.approx(12.0)
    step = tnn.explain(cube(leaf([2.0])).sum()).paths[0].steps[-1]
    assert dict(step.numbers) == {"q": 2.0, "g": 1.0}


def test_a_checkpoint_is_one_step():
    w = leaf([2.0, 1.0], "w")
    block = tnn.checkpoint(lambda a: np.tanh(a * w) ** 2)
    x = leaf([0.3, -0.7], "x")
    e = tnn.explain(block(x).sum(), parameter="x", index=0)
    assert [s.operation for s in e.paths[0].steps] == ["sum", "checkpoint"]
    t = np.tanh(0.6)
    assert e.total == pytest.approx(2 * t * (1 - t * t) * 2)
    assert e.verdict is Verdict.PASS
    closed = tnn.explain(block(x).sum(), parameter="w", index=0)  # what f closes over
    assert closed.total == pytest.approx(2 * t * (1 - t * t) * 0.3)
    assert any("no finite difference" in note for note in closed.notes)


# --- what is chosen ---------------------------------------------------------------------------


def network():
    model = tnn.nn.Sequential(
        tnn.nn.Dense(2, 3, rng=0, name="hidden"), tnn.nn.Dense(3, 1, rng=1, name="out"), name="net"
    )
    return model, np.sum(np.tanh(model(tnn.Tensor([[1.0, 2.0]], name="inputs"))))


def test_a_parameter_is_chosen_by_its_tensor_its_name_or_its_place():
    model, loss = network()
    assert tnn.explain(loss).parameter == "weights"  # the first that collects a gradient
    first, last = model.layers
    for name, tensor in (("hidden/weights", first.weights), ("net/out/biases", last.biases)):
        by_name, by_tensor = tnn.explain(loss, parameter=name), tnn.explain(loss, parameter=tensor)
        assert by_name.text == by_tensor.text
        gradient = tnn.grad(loss_by)(tensor.numpy(), model, tensor)
        assert abs(by_name.gradient) == pytest.approx(np.abs(gradient).max())
        assert f"of {by_name.scope}, multiply" in by_name.text.replace("\n", " ")
    assert by_name.scope == "net/out"
    assert tnn.explain(loss, parameter="tanh").gradient == 1.0  # an interior value


def loss_by(value, model, parameter):
    with_value = {id(parameter): value}
    h = np.array([[1.0, 2.0]])
    for layer in model.layers:
        w = with_value.get(id(layer.weights), layer.weights.numpy())
        b = with_value.get(id(layer.biases), layer.biases.numpy())
        h = h @ w + b
    return np.sum(np.tanh(h))


def test_a_parameter_is_found_after_its_data_was_replaced():
    w = leaf([1.0, 2.0], "w")
    loss = np.sum(w * w)
    with tnn.no_grad():
        w -= 0.5
    assert tnn.explain(loss, parameter=w).gradient == 4.0


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"parameter": "weights"}, "fits 2: net/hidden/weights and net/out/weights"),
        ({"parameter": "nothing"}, "there are net/hidden/weights, net/hidden/biases"),
        ({"parameter": "inputs"}, "no gradient flows"),
        ({"parameter": 3}, "expected a Tensor or a name"),
        ({"parameter": "hidden/weights", "index": (0, 3)}, r"of shape \(2, 3\); got \(0, 3\)"),
        ({"parameter": "hidden/weights", "index": 1}, "an integer for each axis"),
        ({"parameter": "hidden/weights", "index": "a"}, "an integer for each axis"),
        ({"parameter": "hidden/weights", "index": (True, 0)}, "an integer for each axis"),
        ({"paths": 0}, "a positive number of paths"),
        ({"paths": True}, "a positive number of paths"),
    ],
)
def test_what_cannot_be_chosen_is_told_with_what_there_is(choice, told):
    _, loss = network()
    with pytest.raises(ArgumentError, match=told):
        tnn.explain(loss, **choice)


def test_an_index_counts_from_the_end_as_python_does():
    x = leaf([1.0, 2.0, 3.0])
    assert tnn.explain(np.sum(x * x), index=-1).index == (2,)
    assert tnn.explain(np.sum(x * x)).index == (2,)  # the largest gradient
    assert tnn.explain(np.sum(x)).index == (0,)  # the first of equals


def test_a_tensor_of_another_graph_and_a_constant_are_refused():
    _, loss = network()
    with pytest.raises(ArgumentError, match="got another"):
        tnn.explain(loss, parameter=leaf(1.0, "stranger"))
    with pytest.raises(ArgumentError, match="expected a Tensor or a function"):
        tnn.explain(3.0)
    with pytest.raises(ArgumentError, match="expected a Tensor or a function"):
        tnn.explain(np.ndarray)
    with pytest.raises(ArgumentError, match="expected a Tensor alone"):
        tnn.explain(loss, np.ones(2))


def test_what_is_no_scalar_needs_the_gradient_that_backward_was_given():
    x = leaf([1.0, 2.0], "x")
    y = x * x
    with pytest.raises(GradientError, match=r"backward\(gradient\)"):
        tnn.explain(y)
    y.backward(np.array([10.0, 0.5]))
    e = tnn.explain(y, index=1)
    assert e.gradient == e.total == 2.0  # 0.5·(2 + 2)
    assert e.paths[0].steps[0].value == 0.5
    assert e.numeric == pytest.approx(2.0)
    with pytest.raises(GradientError, match="explain"):
        tnn.explain(tnn.Tensor(1.0) * 2.0)


def test_what_several_backward_passes_collected_is_told():
    x = leaf(2.0, "x")
    loss = x * x
    loss.backward()
    assert not tnn.explain(loss).notes
    loss.backward()
    assert any(".grad holds 8" in note for note in tnn.explain(loss).notes)


def test_a_value_by_itself_and_by_the_output_itself():
    x = leaf(2.0, "x")
    for of, by in ((x, None), (x * 3.0, "multiply")):
        e = tnn.explain(of, parameter=by)
        assert e.gradient == e.total == 1.0
        assert len(e.paths) == 1


def test_titles_that_several_values_share_are_numbered_in_the_order_of_the_recording():
    x = leaf(1.0, "add 2")
    e = tnn.explain(((x + 1.0) + 2.0) + 3.0)
    assert e.paths[0].titles == ("loss", "add 4", "add 3", "add", "add 2")


def test_the_same_recording_gives_the_same_text():
    texts = set()
    for _ in range(2):
        _, loss = network()
        e = tnn.explain(loss, parameter="hidden/weights")
        assert isinstance(e, GradientExplanation)
        texts.add((e.text, e.markdown(), e.html()))
    assert len(texts) == 1


def test_an_explanation_is_plain_data_that_nobody_changes():
    e = tnn.explain(leaf(2.0) * 3.0)
    for name, value in itertools.product(("total", "paths"), (0, None)):
        with pytest.raises(AttributeError):
            setattr(e, name, value)
