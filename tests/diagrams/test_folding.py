"""Scopes drawn folded: by depth, by name, and by themselves where there is too much to read."""

import re

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.errors import ArgumentError


def boxes(diagram):
    """The names of the boxes that are drawn, the legend's apart."""
    return re.findall(r"^\t+([ng]\d+) \[", diagram.source, re.M)


def titles(diagram):
    """What stands in bold on the boxes that are drawn."""
    return re.findall(r"<B>([^<]*)</B>", diagram.source)


def deep_model(blocks, activation=tnn.activations.tanh):
    layers = [
        tnn.nn.Sequential(tnn.nn.Dense(3, 3, rng=i, name="dense"), activation, name=f"block_{i}")
        for i in range(blocks)
    ]
    return tnn.nn.Sequential(tnn.nn.Dense(2, 3, rng=0, name="stem"), *layers, name="model")


def test_everything_is_open_where_there_is_room():
    diagram = tnn.draw(deep_model(2), np.ones((4, 2)))
    assert not [name for name in boxes(diagram) if name.startswith("g")]
    assert not diagram.notes
    for scope in ("model", "stem", "block_0", "block_1", "dense"):
        assert f"label=<{scope}>" in diagram.source


@pytest.mark.parametrize(("depth", "frames"), [(0, 0), (1, 1), (2, 4), (None, 6)])
def test_scopes_below_a_depth_are_folded(depth, frames):
    diagram = tnn.draw(deep_model(2), np.ones((4, 2)), depth=depth)
    assert (
        diagram.source.count("subgraph cluster_n") + diagram.source.count("subgraph cluster_g")
        == frames
    )
    assert len(boxes(diagram)) < 20


def test_scopes_are_folded_by_name_path_and_pattern():
    model, x = deep_model(2), np.ones((4, 2))
    assert "block_0" in titles(tnn.draw(model, x, collapse="block_0"))
    assert "dense" in titles(tnn.draw(model, x, collapse=["model/block_1/dense"]))
    folded = titles(tnn.draw(model, x, collapse=["block_*"]))
    assert {"block_0", "block_1"} <= {*folded}  # by name: each by itself
    assert titles(tnn.draw(model, x, collapse=True))[0] == "model"
    with pytest.raises(ArgumentError, match="names of scopes"):
        tnn.draw(model, x, collapse=[3])
    with pytest.raises(ArgumentError, match="names of scopes"):
        tnn.draw(model, x, collapse=3)
    with pytest.raises(ArgumentError, match="got 'nowhere'; the scopes are 'model'"):
        tnn.draw(model, x, collapse=["block_0", "nowhere"])


def test_beyond_max_nodes_what_repeats_is_drawn_once_with_its_number():
    diagram = tnn.draw(deep_model(50)(np.ones((4, 2))).sum())
    assert "block ×50" in titles(diagram)
    assert "weights" in titles(diagram)  # the stem is open: there is room
    assert len(boxes(diagram)) <= 150
    assert "folded to" in diagram.notes[0]
    assert "100 parameters of 600 numbers" in diagram.source
    assert diagram.notes[0].partition(";")[0] in diagram.source


def test_what_differs_is_not_taken_for_a_repetition():
    with tnn.scope("block_0"):
        x = tnn.Tensor(np.ones(3), requires_grad=True)
        y = np.sin(x) + 1.0
    with tnn.scope("block_1"):
        y = np.cos(y) + 1.0
    for _ in range(200):
        y = y + 1.0
    told = titles(tnn.draw(y, max_nodes=20))
    assert not [t for t in told if "×2" in t]


def test_operations_that_repeat_are_one_as_well():
    y = x = tnn.Tensor(np.ones(3), requires_grad=True, name="x")
    for _ in range(300):
        y = np.sin(y) * 1.5
    diagram = tnn.draw(y.sum() + x)
    assert "sin → multiply ×300" in titles(diagram)
    assert "600 operations" in diagram.source
    assert len(boxes(diagram)) == 4


FUNCTIONS = (np.sin, np.cos, np.tanh, np.square, np.arctan)


def test_operations_of_one_line_are_gathered_where_nothing_repeats(rng):
    y = tnn.Tensor(np.ones(3), requires_grad=True, name="x")
    for which in rng.integers(0, 5, 600):
        y = FUNCTIONS[which](y)
    diagram = tnn.draw(y.sum())
    assert "y = FUNCTIONS[which](y)" in titles(diagram)
    assert "600 operations" in diagram.source
    assert len(boxes(diagram)) <= 3


def test_a_program_without_anything_alike_is_drawn_in_parts(rng):
    lines = "\n".join(f"y = FUNCTIONS[{which}](y)" for which in rng.integers(0, 5, 2000))
    names = {"FUNCTIONS": FUNCTIONS, "y": tnn.Tensor(np.ones(2), requires_grad=True)}
    exec(lines, names)
    diagram = tnn.draw(names["y"])
    assert len(boxes(diagram)) <= 30
    assert "part 1 of 30" in titles(diagram)
    assert diagram.source.count("->") >= 29


def test_layers_and_activations_that_take_turns_are_one_unit():
    h = tnn.Tensor(np.ones((5, 3)), name="X")
    for i in range(120):
        h = np.tanh(tnn.nn.Dense(3, 3, rng=i, name=f"layer {i}")(h))
    diagram = tnn.draw((h**2).mean())
    assert titles(diagram)[:2] == ["X", "layer → tanh ×120"]
    assert len(boxes(diagram)) <= 5


def test_thousands_of_nodes_are_drawn():
    model = deep_model(1200)
    loss = model(np.ones((4, 2))).sum()
    loss.backward()
    assert len(tnn.Graph([loss])) > 5000
    diagram = tnn.draw(loss)
    assert b"block" in diagram.render("svg")
    assert len(boxes(diagram)) <= 150


def test_an_unreadable_picture_says_so():
    loss = deep_model(90)(np.ones((4, 2))).sum()
    for options in ({"collapse": False}, {"max_nodes": None}, {"max_nodes": 10_000}):
        diagram = tnn.draw(loss, **options)
        assert len(boxes(diagram)) > 400
        assert "too many to read" in diagram.notes[0]
        assert "too many to read" in diagram.source
        assert "too many to read" in repr(diagram)


@pytest.mark.parametrize("max_nodes", [1, 5, 40])
def test_as_few_boxes_as_asked_for(max_nodes):
    diagram = tnn.draw(deep_model(9), np.ones((4, 2)), max_nodes=max_nodes)
    assert 0 < len(boxes(diagram)) <= max_nodes


@pytest.mark.parametrize("options", [{"max_nodes": 0}, {"max_nodes": "3"}, {"depth": -1}])
def test_senseless_limits_are_refused(options):
    with pytest.raises(ArgumentError, match="expected"):
        tnn.draw(tnn.Tensor(1.0), **options)


def test_arrows_to_and_from_a_group_are_one_and_tell_its_arrays():
    a, b = (tnn.Tensor(np.ones(n), requires_grad=True, name=f"a{n}") for n in (2, 3))
    with tnn.scope("inside"):
        c = np.sin(a).sum() + np.cos(b).sum() + np.sin(b).sum()
    d = c * a
    source = tnn.draw(d, np.cos(a), np.exp(b), collapse="inside").source
    arrows = re.findall(r'(\w+) -> (\w+) \[label="?([^"\]]*)', source)
    group = next(n for n in boxes(tnn.draw(d, np.cos(a), np.exp(b), collapse="inside")) if "g" in n)
    assert sorted(label for _, target, label in arrows if target == group) == ["(2,)", "(3,)"]
    assert [label for start, _, label in arrows if start == group] == ["()"]


def test_scopes_within_one_another_without_end_are_drawn():
    y = tnn.Tensor(1.0, requires_grad=True)
    scopes = [tnn.scope(f"s{i}") for i in range(300)]
    for one in scopes:
        one.__enter__()
    y = y * 2.0
    for one in reversed(scopes):
        one.__exit__()
    assert b"<svg" in tnn.draw(y).render("svg")


def test_verdicts_within_a_group_are_told(monkeypatch):
    model = deep_model(2)
    loss = model(np.ones((4, 2))).sum()
    assert ">PASS<" in tnn.draw(loss, check=True, collapse="block_*").source
    from tinygrad_nn.primitives import TABLE, Derivative

    wrong = (Derivative("g", lambda g, y, a: 2.0 * g),)
    monkeypatch.setattr(TABLE["numpy.tanh"], "derivatives", wrong)
    source = tnn.draw(loss, check=True, collapse="block_*").source
    assert "gradients not right" in source
