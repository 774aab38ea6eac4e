"""Unstable formulas are found in every spelling, measured, and stable ones are left alone."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn import activations as act
from tinygrad_nn import losses
from tinygrad_nn.errors import ArgumentError
from tinygrad_nn.verify.stability.lint import lint
from tinygrad_nn.verify.stability.unstable import RULES

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])
X = [[1.0, 2.0, -3.0], [0.5, 0.0, -1.0]]
ONE_HOT = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
NO_DISTRIBUTION = [[0.1, 0.2, 0.3], [0.5, 0.6, 1.0]]


def tensor(data, dtype=np.float64):
    return tnn.Tensor(data, dtype=dtype, requires_grad=True, name="x")


def rules(f, data, dtype=np.float64):
    with np.errstate(all="ignore"):
        return [finding.rule for finding in lint(f(tensor(data, dtype)))]


def only(f, data, dtype=np.float64):
    with np.errstate(all="ignore"):
        (finding,) = lint(f(tensor(data, dtype)))
    return finding


def shifted(x):
    return x - np.max(x, axis=-1, keepdims=True)


SIGMOIDS = [
    act.sigmoid,
    lambda x: 1 / (1 + np.exp(-x)),
    lambda x: 1 / (np.exp(-x) + 1.0),
    lambda x: 1 / (1 + np.exp(-1 * x)),
    lambda x: 1 / (1 + np.exp(0 - x)),
    lambda x: np.exp(x) / (1 + np.exp(x)),
    lambda x: np.reciprocal(1 + np.exp(-x)),
    lambda x: (1 + np.exp(-x)) ** -1,
    lambda x: 0.5 * (1 + np.tanh(x / 2)),
    lambda x: (np.tanh(0.5 * x) + 1) / 2,
    lambda x: 0.5 + 0.5 * np.tanh(x / 2),
    lambda x: np.where(x > 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x))),
    lambda x: np.exp(-act.softplus(-x)),
]
SOFTMAXES = [
    act.softmax,
    lambda x: np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True),
    lambda x: np.exp(x) / np.exp(x).sum(axis=1).reshape(-1, 1),
    lambda x: np.exp(x) / np.exp(x).sum(axis=1)[:, None],
    lambda x: np.exp(x) / np.expand_dims(np.einsum("ij->i", np.exp(x)), -1),
    lambda x: (np.exp(x).T / np.exp(x).sum(axis=1)).T,
    lambda x: np.exp(shifted(x)) / np.sum(np.exp(shifted(x)), axis=-1, keepdims=True),
    lambda x: np.exp(x - x.numpy().max()) / np.exp(x - x.numpy().max()).sum(-1, keepdims=True),
    lambda x: np.exp(x) / (np.sum(np.exp(x), axis=-1, keepdims=True) + 1e-9),
    lambda x: np.exp(x) * (1 / np.sum(np.exp(x), axis=-1, keepdims=True)),
    lambda x: np.exp(act.log_softmax(x)),
    lambda x: act.softmax(x, axis=0),
]
MOVES = [
    lambda p: p,
    lambda p: np.clip(p, 1e-7, 1 - 1e-7),
    lambda p: p + 1e-9,
    lambda p: np.maximum(p, 1e-12),
    lambda p: p.T.reshape(3, 2)[1:],
    lambda p: p.astype(np.float32),
]


# --- found, in every spelling -----------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_the_logarithm_of_a_softmax(softmax, dtype):
    assert rules(lambda x: -np.mean(np.log(softmax(x))), X, dtype) == ["log-of-softmax"]


@DTYPES
@pytest.mark.parametrize("sigmoid", SIGMOIDS)
def test_the_logarithms_of_a_sigmoid(sigmoid, dtype):
    def by_hand(x):
        p = sigmoid(x)
        return -np.mean(ONE_HOT * np.log(p) + (1 - ONE_HOT) * np.log(1 - p))

    assert sorted(rules(by_hand, X, dtype)) == ["log-of-one-minus-sigmoid", "log-of-sigmoid"]
    assert rules(lambda x: np.log1p(-sigmoid(x)), X, dtype) == ["log-of-one-minus-sigmoid"]


@pytest.mark.parametrize("move", MOVES)
def test_moves_and_bounds_hide_nothing(move):
    assert rules(lambda x: np.log(move(act.softmax(x))).sum(), X) == ["log-of-softmax"]
    assert rules(lambda x: np.log2(move(act.sigmoid(x))).sum(), X) == ["log-of-sigmoid"]
    assert rules(lambda x: np.log(act.softmax(x)[[0, 1], [2, 0]]).sum(), X) == ["log-of-softmax"]


@pytest.mark.parametrize(
    ("rule", "f"),
    [
        ("log-sum-exp", lambda x: np.log(np.sum(np.exp(x), axis=-1))),
        ("log-sum-exp", lambda x: np.log(np.exp(x).sum(axis=0, keepdims=True))),
        ("log-sum-exp", lambda x: np.log(np.mean(np.exp(x)))),
        ("log-sum-exp", lambda x: np.log(np.exp(x[0]) + np.exp(x[1]))),
        ("softplus-overflow", lambda x: np.log(1 + np.exp(x))),
        ("softplus-overflow", lambda x: np.log1p(np.exp(x))),
        ("softplus-overflow", lambda x: np.log(np.exp(-x) + 1)),
        ("variance-by-moments", lambda x: np.mean(x**2) - np.mean(x) ** 2),
        ("variance-by-moments", lambda x: np.mean(x * x) - np.square(np.mean(x))),
        ("variance-by-moments", lambda x: (x * x).sum() / 6 - (x.sum() / 6) ** 2),
        ("variance-by-moments", lambda x: np.mean(x**2, axis=0) - x.mean(axis=0) * x.mean(axis=0)),
        ("softmax-of-softmax", lambda x: act.softmax(act.softmax(x))),
        ("softmax-of-softmax", lambda x: SOFTMAXES[1](SOFTMAXES[6](x))),
    ],
)
def test_formulas_that_overflow_or_cancel(rule, f):
    assert rules(f, X) == [rule]


@pytest.mark.parametrize(
    "length",
    [
        lambda x: np.sqrt(np.sum(x**2)),
        lambda x: np.sqrt(np.sum(x * x, axis=-1)),
        lambda x: np.sqrt(np.square(x).sum(axis=-1, keepdims=True)),
        lambda x: np.sum(x**2) ** 0.5,
        lambda x: np.sqrt(np.mean(x**2)),
        lambda x: np.sqrt(np.sum(x**2) / 6),
        lambda x: np.sqrt(np.einsum("ij,ij->i", x, x)),
        lambda x: np.sqrt(np.dot(x[0], x[0])),
        lambda x: np.sqrt(np.inner(x[1], x[1])),
        lambda x: np.sqrt(x[:, 0] ** 2 + x[:, 1] ** 2),
        lambda x: np.sqrt(np.var(x, axis=1)),
        lambda x: np.sqrt(x**2),
    ],
)
@DTYPES
def test_lengths_of_zero_and_those_alone(length, dtype):
    finding = only(length, np.zeros((2, 3)), dtype)
    assert finding.rule == "norm-near-zero"
    assert (finding.error, finding.gradient_error) == (0, np.inf)
    assert rules(length, [[1.0, 2.0, 3.0], [2.0, -1.0, 0.5]], dtype) == []


@pytest.mark.parametrize("product", [lambda x: x * np.log(x), lambda x: np.log(x) * x])
@DTYPES
def test_x_log_x_at_zero_and_there_alone(product, dtype):
    finding = only(lambda x: -product(x).sum(), [0.5, 0.0], dtype)
    assert (finding.rule, finding.index, finding.exact, finding.error) == (
        "x-log-x", (1,), 0.0, np.inf,
    )  # fmt: skip
    assert np.isnan(finding.recorded)
    assert rules(product, [0.5, 1e-30], dtype) == []


@pytest.mark.parametrize(
    ("rule", "f"),
    [
        ("log-of-one-plus", lambda x: np.log(1 + x)),
        ("log-of-one-plus", lambda x: np.log(x + 1.0)),
        ("log-of-one-plus", lambda x: np.log(1 - x)),
        ("exp-minus-one", lambda x: np.exp(x) - 1),
        ("exp-minus-one", lambda x: -1 + np.exp(x)),
    ],
)
@pytest.mark.parametrize(("dtype", "small"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_what_loses_small_numbers_and_those_alone(rule, f, dtype, small):
    finding = only(f, [0.5, small], dtype)
    assert (finding.rule, finding.index) == (rule, (1,))
    assert 1e-7 < finding.error < 1
    assert rules(f, [0.5, 0.0, 0.25], dtype) == []


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: losses.categorical_cross_entropy(ONE_HOT, act.softmax(x), from_logits=True),
        lambda x: losses.sparse_categorical_cross_entropy([1, 0], act.softmax(x), from_logits=True),
        lambda x: losses.sparse_categorical_cross_entropy([1, 0], act.sigmoid(x), from_logits=True),
        lambda x: losses.binary_cross_entropy(ONE_HOT, act.sigmoid(x), from_logits=True),
        lambda x: losses.binary_cross_entropy(ONE_HOT, SIGMOIDS[1](x), from_logits=True),
        lambda x: act.log_softmax(SOFTMAXES[2](x)),
        lambda x: np.logaddexp.reduce(act.softmax(x), axis=-1),
        lambda x: np.log1p(np.exp(act.sigmoid(x))),
        lambda x: np.logaddexp(0, act.sigmoid(x)),
    ],
)
def test_probabilities_given_for_logits(loss):
    assert rules(loss, X) == ["probabilities-as-logits"]


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: losses.categorical_cross_entropy(ONE_HOT, x),
        lambda x: losses.sparse_categorical_cross_entropy([1, 0], x),
        lambda x: losses.kl_divergence(ONE_HOT, x),
        lambda x: -np.mean(np.sum(ONE_HOT * np.log(x), axis=-1)),
        lambda x: -np.sum(ONE_HOT * np.log(np.clip(x, 1e-7, 1 - 1e-7))),
        lambda x: -np.log(x[np.arange(2), [1, 0]]).mean(),
        lambda x: np.mean(-np.log(x[np.arange(2), [1, 0]])),
    ],
)
def test_what_is_no_distribution_given_for_probabilities(loss):
    assert rules(loss, NO_DISTRIBUTION) == ["logits-as-probabilities"]
    assert rules(lambda x: loss(x / x.sum(axis=-1, keepdims=True)), NO_DISTRIBUTION) == []


def test_the_axis_of_the_classes_is_the_one_that_is_summed():
    columns = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])

    def loss(x):
        return -np.mean(np.sum(columns * np.log(x), axis=0))

    assert rules(loss, np.transpose(NO_DISTRIBUTION)) == ["logits-as-probabilities"]
    assert rules(lambda x: loss(x / x.sum(axis=0)), np.transpose(NO_DISTRIBUTION)) == []


def test_logits_given_for_probabilities_of_yes_and_no():
    def by_hand(x):
        return -np.mean(ONE_HOT * np.log(x) + (1 - ONE_HOT) * np.log(1 - x))

    assert rules(by_hand, X) == ["logits-as-probabilities"]
    assert rules(by_hand, NO_DISTRIBUTION) == []


# --- found, without a name ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "data", "row"),
    [
        (lambda x: 1 - np.cos(x), 1e-9, "subtract"),
        (lambda x: np.sqrt(x + 1) - np.sqrt(x), 1e15, "subtract"),
        (lambda x: x[0] ** 2 - x[1] ** 2, [1e8, 1e8 + 1], "subtract"),
        (lambda x: 1 - np.tanh(x) ** 2, 20.0, "subtract"),
        (lambda x: x - np.sin(x), 1e-5, "subtract"),
        (lambda x: np.mean(1 - np.cos(x)), [1.0, 1e-9], "subtract"),
        (lambda x: np.arctan(1 - np.cos(x)), 1e-9, "subtract"),
        (lambda x: (1 - np.cos(x)) / x**2, 1e-9, "subtract"),
        (lambda x: (1 + x) ** 1e10, 1e-10, "power"),
    ],
)
def test_digits_are_missed_whatever_the_formula(f, data, row):
    finding = only(f, data)
    assert (finding.rule, finding.node.primitive.name) == ("lost-digits", row)
    assert finding.error > 4e-9
    assert finding.source.file == __file__
    assert "digits are lost here" in str(finding)


@pytest.mark.parametrize(
    ("f", "data", "times"),
    [
        (lambda x: np.log(np.exp(x)), 800.0, 1),
        (lambda x: np.exp(x) / np.sum(np.exp(x)), [800.0, 801.0, 1.0], 2),
        (lambda x: 1 / (1 + np.exp(-x)), -800.0, 1),
    ],
)
def test_what_overflows_on_the_way_to_a_number(f, data, times):
    with np.errstate(all="ignore"):
        findings = list(lint(f(tensor(data))))
    assert [(f.rule, f.node.primitive.name) for f in findings] == [("overflow", "exp")] * times
    assert "exactly too large for a float" in str(findings[0])
    assert "subtract the maximum first" in findings[0].advice


@pytest.mark.parametrize(
    ("f", "data"),
    [
        (lambda x: np.where(x > 0, 1 - np.cos(x), x).sum(), -1e-9),
        (lambda x: np.where(x > 0, 1 / (1 + np.exp(-x)), act.sigmoid(x)).sum(), [-800.0, 3.0]),
        (lambda x: np.exp(x), 800.0),
        (lambda x: 5 + (1 - np.cos(x)), 1e-9),
        (lambda x: np.sum(x - np.mean(x)), [0.1, 0.1, 0.1]),
    ],
)
def test_what_no_result_depends_on_is_left_alone(f, data):
    assert rules(f, data) == []


def test_a_named_formula_is_not_reported_again():
    assert rules(lambda x: np.log(np.sum(np.exp(x))), [800.0, 1.0]) == ["log-sum-exp"]
    assert rules(lambda x: np.mean(x**2) - np.mean(x) ** 2, [1e8, 1e8 + 1]) == [
        "variance-by-moments"
    ]


def test_a_long_recording_is_read_where_numbers_come_near_zero():
    x = y = tensor(1e-9)
    for _ in range(4000):
        y = y * 1.0
    report = lint((1 - np.cos(y)) * x)
    assert [f.rule for f in report] == ["lost-digits"]
    assert "too much to compute" in str(lint(y + x))


# --- left alone -------------------------------------------------------------------------------

EXTREME = [[1000.0, -1000.0, 0.0], [1e-9, -1e-9, 90.0]]


@pytest.mark.parametrize(
    "f",
    [
        *(getattr(act, name) for name in act.__all__),
        lambda x: losses.categorical_cross_entropy(ONE_HOT, x, from_logits=True),
        lambda x: losses.sparse_categorical_cross_entropy([1, 0], x, from_logits=True),
        lambda x: losses.binary_cross_entropy(ONE_HOT, x, from_logits=True),
        lambda x: losses.categorical_cross_entropy(ONE_HOT, act.softmax(x)),
        lambda x: losses.sparse_categorical_cross_entropy([1, 0], act.softmax(x)),
        lambda x: losses.binary_cross_entropy(ONE_HOT, act.sigmoid(x)),
        lambda x: losses.kl_divergence(ONE_HOT, act.softmax(x)),
        lambda x: losses.kl_divergence(act.softmax(x), act.softmax(2 * x)),
        lambda x: losses.mean_squared_error(ONE_HOT, x),
        lambda x: losses.mean_absolute_error(ONE_HOT, x),
        lambda x: losses.huber(ONE_HOT, x),
        lambda x: losses.contrastive([1, 0], x, x),
        lambda x: losses.triplet(x, x, x),
    ],
)
@pytest.mark.parametrize(
    "data", [X, EXTREME, [[30.0, -30.0, 0.0], [-30.0, 30.0, 1.0]], [[0.1, 0.2, 0.3], [5.0, 4.0, 9]]]
)
@DTYPES
def test_the_library_is_clean(f, data, dtype):
    assert rules(f, data, dtype) == []


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.logaddexp.reduce(x, axis=-1),
        lambda x: x - np.logaddexp.reduce(x, axis=-1, keepdims=True),
        lambda x: shifted(x) - np.log(np.sum(np.exp(shifted(x)), axis=-1, keepdims=True)),
        lambda x: np.log(np.sum(np.exp(x - x.numpy().max()))) + x.numpy().max(),
        lambda x: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0),
        lambda x: np.logaddexp(0, x),
        lambda x: np.log1p(x**2),
        lambda x: np.expm1(x),
        lambda x: np.linalg.norm(0 * x),
        lambda x: np.sqrt(np.sum((0 * x) ** 2) + 1e-12),
        lambda x: np.sqrt(np.maximum(np.sum((0 * x) ** 2), 1e-12)),
        lambda x: np.hypot(0 * x, 0 * x),
        lambda x: np.std(0 * x),
        lambda x: np.var(x) / np.mean(x**2),
        lambda x: np.mean(x**2) - np.mean(x * ONE_HOT) ** 2,
        lambda x: np.log(np.sum(x**2)),
        lambda x: np.log(1 + x**2),
        lambda x: np.tanh(x) * np.log(1.5 + act.sigmoid(x)),
        lambda x: act.softmax(act.softmax(x) @ np.ones((3, 3))),
        lambda x: np.exp(x) / np.sum(np.exp(2 * x), axis=-1, keepdims=True),
        lambda x: np.log(np.exp(x) / (2 + np.exp(x))),
        lambda x: np.where(x > 0, x, 0) * np.log(np.where(x > 0, x, 1)),
        lambda x: np.where(x > 0, x * np.log(x), 0),
        lambda x: np.where(x > 0, np.sqrt(x**2), 0),
        lambda x: np.sum(np.array([0.2, 0.3, 0.5]) * np.log(x**2 + 1), axis=-1),
        lambda x: np.sum(np.full((2, 3), 1 / 3) * np.log(x**2 + 1), axis=-1),
        lambda x: -np.log((x**2 + 1)[:, 0]).sum(),
        lambda x: np.sum(x * x[::-1]) ** 0.5,
    ],
)
def test_stable_formulas_and_lookalikes_are_clean(f):
    assert rules(f, [[1.0, 2.0, -3.0], [0.0, 0.5, -1.0]]) == []


def test_other_elements_and_other_tensors_are_no_square():
    x, other = tensor([0.0, 0.0]), tensor([0.0, 0.0])
    for y in (np.sqrt(x[0] * x[1]), np.sqrt(np.sum(x * other)), np.sqrt(np.sum(x * (x + 0.0)))):
        assert lint(y)
    assert not lint(np.sqrt(np.sum(x * x.reshape(2))))


def test_a_classifier_is_clean():
    model = tnn.nn.Sequential(tnn.nn.Dense(2, 8, rng=0), act.relu, tnn.nn.Dense(8, 3, rng=1))
    points, labels = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 3
    loss = losses.sparse_categorical_cross_entropy(labels, model(points), from_logits=True)
    report = lint(loss)
    assert report
    assert list(report) == []
    assert str(report) == (
        f"none of the {len(RULES)} known unstable formulas is there, and no operation was seen to "
        "lose half of its digits"
    )


@pytest.mark.parametrize("scale", [1.0, 30.0])
@DTYPES
def test_stacks_of_layers_are_clean(scale, dtype):
    nn, rng = tnn.nn, np.random.default_rng(1)
    model = nn.Sequential(
        nn.Dense(4, 8, rng=0, dtype=dtype), act.tanh, nn.Dense(8, 8, rng=1, dtype=dtype),
        act.softplus, nn.Dense(8, 3, rng=2, dtype=dtype),
    )  # fmt: skip
    points = (scale * rng.normal(size=(16, 4))).astype(dtype)
    loss = losses.sparse_categorical_cross_entropy(
        np.arange(16) % 3, model(points), from_logits=True
    )
    assert list(lint(loss)) == []


# --- what a finding says ----------------------------------------------------------------------


def test_a_finding_measures_what_the_formula_costs():
    finding = only(lambda x: np.log(act.softmax(x)), [[0.0, 1000.0]])
    assert (finding.index, finding.recorded, finding.exact) == ((0, 0), -np.inf, -1000.0)
    assert (finding.error, finding.gradient_error) == (np.inf, np.inf)
    variance = only(lambda x: np.mean(x**2) - np.mean(x) ** 2, 1e8 + np.arange(3.0))
    assert variance.index == ()
    assert variance.exact == pytest.approx(2 / 3, rel=1e-15)
    assert variance.error > 0.1


def test_a_length_below_what_squares_can_hold_is_found_with_its_true_value():
    finding = only(lambda x: np.sqrt(np.sum(x**2)), [3e-200, 4e-200])
    assert finding.recorded == 0
    assert finding.exact == pytest.approx(5e-200, rel=1e-15)
    assert (finding.error, finding.gradient_error) == (pytest.approx(1), np.inf)


def test_what_no_digits_suffice_for_is_not_measured():
    finding = only(lambda x: np.log(1 - act.sigmoid(x)), [1e7])
    assert (finding.rule, finding.exact) == ("log-of-one-minus-sigmoid", None)


def test_a_finding_names_the_layer_and_the_line():
    x = tensor(X)
    with tnn.scope("head"), tnn.scope("loss"):
        loss = np.log(act.softmax(x)).sum()  # this line
    report = lint(loss)
    (finding,) = report
    assert finding.scope == "head/loss"
    assert finding.source.file == __file__
    text = str(report)
    assert "# this line" in text
    assert "write instead: activations.log_softmax(x)" in text
    assert not report
    assert len(report) == 1


def test_a_line_in_a_loop_is_one_finding():
    x = tensor([0.1, 3.0])
    total = sum(np.log(act.sigmoid(k * x)).sum() for k in range(20))
    (finding,) = lint(total)
    assert finding.times == 20
    assert "20 times" in str(finding)


def test_large_arrays_are_measured_on_the_rows_likeliest_to_go_wrong():
    data = np.random.default_rng(0).normal(size=(2000, 50))
    data[1234, 7] = 800
    finding = only(lambda x: np.log(act.softmax(x)), data)
    assert finding.index[0] == 1234
    assert finding.error == np.inf
    assert finding.exact < -700


def test_rows_that_depend_on_one_another_are_not_measured_apart():
    data = np.random.default_rng(0).normal(size=(2000, 50))
    finding = only(lambda x: np.log(act.softmax(x, axis=0)), data)
    assert (finding.index, finding.exact, finding.error) == (None, None, None)
    assert "here:" not in str(finding)


def test_a_graph_of_a_hundred_thousand_nodes_is_read():
    x = y = tensor([0.1])
    for _ in range(50_000):
        y = y * 0.5 + x
    assert lint(np.log(y).sum())


def test_a_leaf_is_clean_and_anything_else_is_refused():
    assert lint(tensor(X))
    assert lint(tnn.Graph([tensor(X)]))
    with pytest.raises(ArgumentError, match="expected a Tensor or a Graph; got ndarray"):
        lint(np.ones(3))
