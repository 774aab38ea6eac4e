"""What the explorer's page knows of a recording: its data, its size, and its arithmetic."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from explorer_recordings import RECORDINGS, recorded

import tinygrad_nn as tnn
from tinygrad_nn.diagrams.explorer import explorer_page
from tinygrad_nn.diagrams.explorer.arithmetic import arithmetic
from tinygrad_nn.diagrams.explorer.functions import known_functions
from tinygrad_nn.diagrams.explorer.masks import held, masks
from tinygrad_nn.diagrams.explorer.model import page_data
from tinygrad_nn.diagrams.explorer.numbers import array_data, limit_for
from tinygrad_nn.diagrams.flow import Flow
from tinygrad_nn.errors import ArgumentError
from tinygrad_nn.verify.nodes import check_nodes

OWN = {
    "getitem": lambda a, index: a[index],
    "astype": lambda a, dtype: a.astype(dtype),
    "copy": lambda a: a.copy(),
}


def set_item(a, index, values):
    new = a.copy()
    new[index] = values
    return new


def add_at(a, index, values):
    new = a.copy()
    np.add.at(new, index, values)
    return new


OWN |= {"set_item": set_item, "add_at": add_at}


def argument(term, registers):
    """One argument of an equation, read as the page reads it."""
    if isinstance(term, list):
        return tuple(argument(item, registers) for item in term)
    if not isinstance(term, dict):
        return term
    ((kind, value),) = term.items()
    if kind == "register":
        return registers[value]
    if kind == "array":
        return np.array(value["data"], value["dtype"]).reshape(value["shape"])
    if kind == "slice":
        return slice(*(argument(part, registers) for part in value))
    return Ellipsis if kind == "ellipsis" else float(value)


def run(equations, registers):
    """Run equations by NumPy, found by the names that they are written with."""
    registers = list(registers)
    for name, terms, shape, dtype in equations:
        function = OWN.get(name)
        if function is None:
            function = np
            for part in name.split(".")[1:]:
                function = getattr(function, part)
        values = [argument(term, registers) for term in terms]
        with np.errstate(all="ignore"):
            registers.append(called(name, function, values))
        assert registers[-1].shape == tuple(shape)
        assert str(registers[-1].dtype) == dtype
    return registers


def called(name, function, values):
    """Call a function as its key in the page's table says."""
    names = [n for n in known_functions()[name] if n not in ("*", "rest")]
    if "rest" in known_functions()[name]:
        return function(values[0], *values[1])
    if "*" not in known_functions()[name]:
        return function(*values)
    first = list(known_functions()[name]).index("*")
    given = dict(zip(names, values, strict=True))
    return function(*values[:first], **{n: given[n] for n in names[first:] if given[n] is not None})


def operands(node):
    return [v for v in node.operands if isinstance(v, (np.ndarray, np.generic))]


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_equations_give_the_values_and_the_parts_that_were_recorded(name):
    graph, seeds, _ = recorded(name)
    flow = Flow(graph, seeds)
    found = arithmetic(graph, flow)
    assert found.refusal == ""
    codes = json.loads(json.dumps(list(found.codes.values())))
    for node, code in zip(found.codes, codes, strict=True):
        mask = found.masks.get(node)
        inputs = operands(node) if mask is None else [mask.of.value]
        y = argument(code["value"], run(code["forward"], inputs))
        np.testing.assert_allclose(y, node.value, rtol=1e-14)
        if "backward" in code:
            registers = run(code["backward"], [*inputs, node.value, flow.gradients[node]])
            sent = {int(k): argument(term, registers) for k, term in code["parts"].items()}
            assert sent.keys() == {k for user, k in flow.parts if user is node}
            for k, part in sent.items():
                if name == "unselected":  # without the guard, 0·∞ is NaN where it should be silent
                    part = np.where(np.isfinite(part), part, 0.0)
                np.testing.assert_allclose(part, flow.parts[node, k], rtol=1e-14)


def test_every_row_can_be_written_down_or_is_refused_with_a_reason(rng):
    unknown = {}
    for name in ("exp", "floor", "arctan2", "cumsum", "prod", "var", "sort", "linalg.svd"):
        function = np
        for part in name.split("."):
            function = getattr(function, part)
        x = tnn.Tensor(rng.standard_normal((3, 3)), requires_grad=True)
        y = function(x, x) if name == "arctan2" else function(x)
        graph = tnn.Graph([np.sum(y[0] if name == "linalg.svd" else y)])
        found = arithmetic(graph, Flow(graph, {graph.outputs[0]: np.ones(())}))
        unknown[name] = found.refusal
    assert unknown.pop("linalg.svd").startswith("the page ")
    assert set(unknown.values()) == {""}


def refusal(output):
    graph = tnn.Graph([output])
    return arithmetic(graph, Flow(graph, {graph.outputs[0]: np.ones_like(output.data)})).refusal


def test_what_the_page_cannot_compute_is_said_in_a_sentence(table_restored):
    w = tnn.Tensor(np.ones((10, 30)), requires_grad=True)
    assert refusal(np.sum(w)) == "300 parameters; up to 200 can be edited"
    x = tnn.Tensor(np.ones((200, 101)))
    v = tnn.Tensor(np.ones(101), requires_grad=True)
    assert refusal(np.sum(x @ v)).endswith("numbers come in; up to 20,000 are kept in a page")
    half = tnn.Tensor(np.ones(2), requires_grad=True, dtype=np.float16)
    assert refusal(np.sum(half)) == "the page does not compute in float16"
    y = v
    for _ in range(1000):
        y = np.sin(y)
    assert refusal(y) == "1,001 nodes; up to 1,000 are computed again"
    inverse = np.linalg.inv(tnn.Tensor(np.eye(2), requires_grad=True))
    assert refusal(inverse) == "the page does not know numpy.linalg.inv"

    @tnn.primitive(derivatives={"x": lambda g, y, x: g})
    def foreign(x):
        return np.asarray([float(e) for e in np.ravel(x)]).reshape(np.shape(x))

    assert refusal(foreign(v)) == "the page does not know foreign"
    assert refusal(tnn.Tensor([1, 2])) == "there is no number to change"


def test_options_that_the_page_does_not_have_are_refused():
    a = tnn.Tensor(np.eye(2), requires_grad=True)
    assert refusal(np.sum(np.linalg.norm(a, 3, axis=1))) == (
        "the page does not know these options of numpy.linalg.norm"
    )
    assert refusal(np.sum(np.pad(a, 1))) == "the page does not know numpy.pad"


def test_a_comparison_is_found_again_and_a_mask_of_other_origin_is_held():
    x = tnn.Tensor([-1.0, 0.5, 2.0], requires_grad=True)
    graph = tnn.Graph([tnn.activations.leaky_relu(x)])
    (mask,) = masks(graph).values()
    assert mask.of is x._node
    assert mask.how is np.greater
    assert held(graph, masks(graph)) == []
    outside = tnn.Graph([np.where(np.array([True, False, True]), x, 0.0)])
    assert masks(outside) == {}
    assert held(outside, masks(outside)) == [outside.outputs[0]]
    logits = tnn.Graph([tnn.losses.binary_cross_entropy([0.0, 1.0, 1.0], x, from_logits=True)])
    assert masks(logits) == {}  # its weights were made from the mask as well: none moves alone


# --- data ---------------------------------------------------------------------------------------


def data_of(name="network", **options):
    graph, seeds, _ = recorded(name)
    return graph, page_data(graph, seeds, check_nodes(graph, seeds[graph.outputs[0]]))


def test_nodes_have_what_the_cards_show():
    graph, data = data_of()
    (matmul, *_) = [n for n in data["nodes"] if n["title"] == "matmul"]
    assert matmul["operation"]["formula"] == "a b"
    assert matmul["operation"]["letters"] == ["a", "b"]
    assert matmul["operation"]["derivatives"] == ["g bᵀ", "aᵀ g"]
    assert data["scopes"][matmul["scope"]] == ["hidden"]
    assert matmul["source"]["file"] == "explorer_recordings.py"
    assert "X @ w1 + b1" in matmul["source"]["text"]
    assert matmul["check"]["verdict"] == "PASS"
    w1 = data["nodes"][matmul["inputs"][1]["node"]]
    assert (w1["kind"], w1["title"]) == ("parameter", "w1")
    assert data["scopes"][w1["scope"]] == ["hidden"]  # where it is used
    assert data["nodes"][data["outputs"][0]]["kind"] == "output"
    assert len(data["nodes"]) > len(graph)  # constants stand behind the recording's own


def test_gradients_and_parts_of_both_orders_are_there():
    graph, seeds, _ = recorded("diamond")
    data = page_data(graph, seeds, {})
    flow = Flow(graph, seeds)
    for node, shown in zip(graph.nodes, data["nodes"], strict=False):
        np.testing.assert_array_equal(shown["gradient"]["data"], flow.gradients[node].ravel())
        for k, operand in enumerate(shown["inputs"]):
            if (node, k) in flow.parts:
                np.testing.assert_array_equal(operand["part"]["data"], flow.parts[node, k].ravel())
    wrong = [n["title"] for n in data["nodes"] if isinstance(n.get("wrong"), dict)]
    assert set(wrong) == {"x", "tanh"}
    assert sorted(data["orders"]["right"]) == sorted(data["orders"]["wrong"])
    assert data["orders"]["right"] != data["orders"]["wrong"]


def test_without_seeds_there_is_the_way_forward_alone():
    graph, _, _ = recorded("diamond")
    data = page_data(graph, {}, {})
    assert data["orders"] == {"right": [], "wrong": []}
    assert not any("gradient" in node for node in data["nodes"])
    assert data["refusal"] == ""


def test_large_arrays_are_cut_and_summed_up(rng):
    array = rng.standard_normal((100, 200))
    array[0, :3] = 0.0, np.nan, np.inf
    data = array_data(array)
    assert data["corner"] == [32, 32]
    assert data["data"][:3] == [0.0, "NaN", "Infinity"]
    np.testing.assert_array_equal(data["data"][33:64], array[1, 1:32])
    finite = array[np.isfinite(array)]
    summary = data["summary"]
    assert (summary["zeros"], summary["nan"], summary["infinite"]) == (1, 1, 1)
    assert summary["min"] == finite.min()
    assert summary["max"] == finite.max()
    assert summary["mean"] == pytest.approx(finite.mean())
    assert sum(summary["histogram"]) == finite.size
    assert array_data(rng.standard_normal((9, 9, 9, 9)))["corner"] == [1, 9, 9, 9]
    assert array_data(np.arange(5000))["corner"] == [1024]
    assert array_data(np.full(2000, np.nan))["summary"]["nan"] == 2000


def test_all_arrays_together_have_a_bound():
    assert limit_for([10] * 100) == 1024
    limit = limit_for([10] * 100 + [5000] * 1000)
    assert 100 * 10 + 1000 * limit <= 150_000
    assert limit_for([5000] * 10_000) == 15


def test_a_large_recording_makes_a_small_page():
    w = tnn.Tensor(np.linspace(-1, 1, 3600).reshape(60, 60), requires_grad=True, name="w" * 500)
    x = w
    for i in range(1250):
        with tnn.scope(f"layer {i}" + "y" * 500):
            x = np.tanh(x + w) * 0.5
    y = np.sum(x)
    graph = tnn.Graph([y])
    assert len(graph) > 3700
    page = explorer_page(graph, {graph.outputs[0]: np.ones(())})
    assert len(page.encode()) < 10_000_000


def test_nothing_in_the_data_can_end_its_script():
    name = "</script><!--\u2028{{SCRIPT}}\ud800&amp;"
    x = tnn.Tensor(1.0, requires_grad=True, name=name)
    graph = tnn.Graph([x * x])
    page = explorer_page(graph, {graph.outputs[0]: np.ones(())}, title=name)
    page.encode()  # halves of characters are written out
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1]
    assert not set("<>&\u2028\u2029") & set(text)
    titles = {node["title"] for node in json.loads(text)["nodes"]}
    assert name.replace("\ud800", "") in {t.replace("\ud800", "") for t in titles}
    assert page.count("<script") == 2
    assert page.count("</script>") == 2


def test_the_page_is_the_same_each_time_and_names_no_other_place():
    def page():
        graph, seeds, _ = recorded("network")
        return explorer_page(graph, seeds, theme="dark", title="a network")

    assert page() == page()
    assert '<html lang="en" data-theme="dark">' in page()
    addresses = set(re.findall(r"https?://[^\s\"']+", page()))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert " src=" not in page()
    assert page().count("href=") == 1  # the icon, which is empty


def test_the_scripts_of_a_page_do_not_name_two_things_alike():
    graph, seeds, _ = recorded("chain")
    page = explorer_page(graph, seeds)
    names = re.findall(r"^(?:function|const|let|class) (\w+)", page, re.M)
    assert len(names) > 100
    assert len(names) == len(set(names))


def test_files_of_the_page_are_short():
    folder = Path(explorer_page.__code__.co_filename).parent
    files = [f for f in folder.iterdir() if f.suffix in (".js", ".css", ".html")]
    assert len(files) > 10
    for file in files:
        lines = file.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 400
        assert max(map(len, lines)) <= 100, file


def test_an_unknown_theme_is_refused():
    graph, seeds, _ = recorded("chain")
    with pytest.raises(ArgumentError, match="expected the theme 'light' or 'dark'"):
        explorer_page(graph, seeds, theme="blue")
