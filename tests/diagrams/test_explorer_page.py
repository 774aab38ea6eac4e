"""The explorer's page in a browser: what it shows, what it computes, and that nothing gets in."""

import re
import time

import numpy as np
import pytest
from explorer_recordings import RECORDINGS, gradients_at, recorded

import tinygrad_nn as tnn
from tinygrad_nn.diagrams.explorer import explorer_page
from tinygrad_nn.diagrams.flow import Flow
from tinygrad_nn.verify.nodes import check_nodes

HOSTILE = [
    '<b>&"',
    "</table><script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\u202eabc",
    "n" * 500,
    "{{DATA}}",
    "${alert(1)}`",
]


@pytest.fixture
def opened(browser, tmp_path):
    """Opens pages; none may complain, ask, or load anything."""
    contexts, problems = [], []

    def open_page(graph, seeds=None, *, width=1200, scheme="light", check=False, **options):
        out = graph.outputs[0]
        seeds = {out: np.ones_like(out.value)} if seeds is None else seeds
        checks = check_nodes(graph, seeds[out]) if check else {}
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(explorer_page(graph, seeds, checks=checks, **options), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
        )
        context.set_default_timeout(5000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: requests.append(request.url))
        requests = []
        page.goto(file.as_uri())
        assert requests == [file.as_uri()]
        page.requests = requests
        return page

    yield open_page
    for context in contexts:
        for page in context.pages:
            assert len(page.requests) == 1
        context.close()
    assert problems == []


def shown(page, method, *arguments):
    """What the page says of a node, as an array."""
    values = page.evaluate(
        "([method, args]) => window.explorer[method](...args).map(String)",
        [method, list(arguments)],
    )
    return np.array([float(v.replace("Infinity", "inf")) for v in values])


def press(page, keys):
    for key in keys.split():
        page.keyboard.press("Space" if key == "Space" else key)


def change(page, title, index, text):
    """Change a number as a person does: find the node, then type into the matrix."""
    page.keyboard.press("/")
    page.fill("#words", title)
    page.keyboard.press("Enter")
    page.locator(f'#panel td.editable[data-index="{index}"]').first.dblclick()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def live(page):
    return page.locator("#live").text_content()


def step_to(page, node):
    """Go on until the panel shows this node going backward."""
    steps = page.evaluate("window.explorer.steps")
    at = steps.index({"phase": "backward", "node": node})
    page.evaluate(
        """at => { const slider = document.getElementById("slider"); slider.value = at;
           slider.dispatchEvent(new Event("input")); }""",
        at,
    )


# --- numbers ------------------------------------------------------------------------------------


def test_a_person_steps_through_the_notebooks_neuron(opened):
    graph, _, _ = recorded("neuron")
    page = opened(graph, title="a neuron", check=True)
    panel = page.locator("#panel")
    assert page.title() == "a neuron"
    assert page.locator("#progress").text_content() == "step 0 of 6 · inputs"
    press(page, "ArrowRight")
    assert panel.locator("h2").text_content() == "matmul"
    assert panel.locator(".symbols").text_content() == "y = a b"
    assert panel.locator(".numbers").text_content() == "y = 1.2·3.1 + 2.3·2.1 + 3.1·8.7 = 35.52"
    assert panel.locator(".notyet").text_content() == "not yet"
    press(page, "ArrowRight")
    assert panel.locator(".numbers").text_content() == "y = 35.52 + 3 = 38.52"
    assert panel.locator("output").first.text_content().strip() == "38.519999999999996"
    assert live(page) == "forward step 2: add, value 38.52"
    press(page, "ArrowRight ArrowRight")
    assert page.locator("#progress").text_content() == "step 4 of 6 · backward"
    assert re.match(r"backward step 2 of 4: (bias|matmul), gradient 1$", live(page))
    press(page, "End")
    assert panel.locator("h2").text_content() == "weights"
    cells = panel.locator("figure").nth(1).locator("td[data-index]").all_text_contents()
    assert cells == ["1.2", "2.3", "3.1"]
    assert "✓ PASS" in panel.text_content()
    press(page, "ArrowLeft Home ArrowRight")
    assert "inputs @ weights + bias" in panel.locator(".source").text_content()
    press(page, "ArrowLeft")
    assert page.evaluate("window.explorer.step") == 0


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_page_shows_and_computes_what_python_does(opened, name):
    graph, seeds, leaves = recorded(name)
    page = opened(graph)
    assert page.evaluate("window.explorer.refusal") == ""
    flow = Flow(graph, seeds)
    for i, node in enumerate(graph.nodes):
        np.testing.assert_array_equal(shown(page, "value", i), node.value.ravel())
        if node in flow.gradients:
            np.testing.assert_array_equal(shown(page, "gradient", i), flow.gradients[node].ravel())
    values = {key: np.array(leaf.data) for key, leaf in leaves.items()}
    ids = {key: graph.nodes.index(leaf._node) for key, leaf in leaves.items()}
    for turn, (key, value) in enumerate(values.items()):
        index = (0,) * value.ndim if turn % 2 else tuple(n - 1 for n in value.shape)
        for number in (-1.25, 0.625):
            value[index] = number
            change(page, key, ",".join(map(str, index)), str(number))
            loss, gradients = gradients_at(name, values)
            out = len(graph) - 1
            np.testing.assert_allclose(shown(page, "value", out), loss, rtol=1e-9, atol=1e-12)
            for other, gradient in gradients.items():
                found = shown(page, "gradient", ids[other])
                np.testing.assert_allclose(found, gradient.ravel(), rtol=1e-9, atol=1e-12)
    assert "is now" in live(page)
    page.click("#reset")
    assert page.evaluate("window.explorer.edited") is False
    np.testing.assert_array_equal(shown(page, "value", len(graph) - 1), graph.outputs[0].value)


def test_numbers_of_float32_are_rounded_as_pythons_are(opened):
    graph, _, leaves = recorded("network", dtype=np.float32)
    assert graph.nodes[0].value.dtype == np.float32
    page = opened(graph)
    change(page, "w1", "0,1", "0.3")
    values = {key: np.array(leaf.data) for key, leaf in leaves.items()}
    values["w1"][0, 1] = 0.3
    loss, gradients = gradients_at("network", values, np.float32)
    np.testing.assert_allclose(shown(page, "value", len(graph) - 1), loss, rtol=1e-6)
    for key, gradient in gradients.items():
        found = shown(page, "gradient", graph.nodes.index(leaves[key]._node))
        assert np.all(found == found.astype(np.float32))
        np.testing.assert_allclose(found, gradient.ravel(), rtol=1e-6, atol=1e-7)


def test_the_panel_shows_the_parts_and_their_sum(opened):
    graph, seeds, _ = recorded("diamond")
    page, flow = opened(graph), Flow(graph, seeds)
    tanh = next(n for n in graph.nodes if n.primitive and n.primitive.name == "tanh")
    step_to(page, graph.nodes.index(tanh))
    panel = page.locator("#panel")
    uses = [(user, k) for user in graph.nodes for k, i in enumerate(user.inputs) if i is tanh]
    assert panel.locator(".uses").text_content() == (
        f"used {len(uses)} times: the gradient is the sum over {len(uses)} paths"
    )
    assert panel.locator(".arrivals li").count() == len(uses) == 4
    told = panel.locator(".arrivals").text_content()
    for use in uses:
        for x in flow.parts[use]:
            assert f"{x:.4g}" in told
    total = panel.locator("strong").last.text_content()
    assert [float(x) for x in re.findall(r"-?[\d.]+", total)] == pytest.approx(
        flow.gradients[tanh].tolist(), rel=1e-3
    )
    assert page.locator(".edge.active.backward").count() == 3  # a·a comes along one edge


def test_what_stays_as_recorded_is_said_after_a_change(opened):
    page = opened(recorded("sparse of logits")[0])
    note = page.locator("#editing")
    assert note.text_content() == (
        "Numbers of parameters and inputs can be changed: double-click, or Enter, on one."
    )
    change(page, "x", "0,0", "0.5")
    assert "As recorded stayed 1 value without a gradient" in note.text_content()  # the labels
    page.click("#reset")
    assert "stayed" not in note.text_content()


# --- the classic mistake --------------------------------------------------------------------------


def test_the_wrong_order_shows_what_it_gets_wrong(opened):
    graph, seeds, leaves = recorded("diamond")
    page = opened(graph)
    wrong = Flow(graph, seeds, [graph.nodes[i] for i in page.evaluate(
        "JSON.parse(document.getElementById('data').textContent).orders.wrong")])  # fmt: skip
    press(page, "w")
    banner = page.locator("#banner")
    assert "before its other users have sent theirs" in banner.text_content()
    x = leaves["x"]._node
    right = Flow(graph, seeds).gradients[x]
    row = banner.locator("tbody tr")
    assert row.count() == 1
    k = int(np.argmax(np.abs(right - wrong.gradients[x])))
    assert f"✓ {right[k]:.4g}" in row.text_content()
    assert f"✗ {wrong.gradients[x][k]:.4g}" in row.text_content()
    np.testing.assert_allclose(shown(page, "gradient", graph.nodes.index(x)), wrong.gradients[x])
    press(page, "End")
    tanh = next(n for n in graph.nodes if n.primitive and n.primitive.name == "tanh")
    step_to(page, graph.nodes.index(tanh))
    assert "visited too early: passed on" in page.locator("#panel").text_content()
    assert page.locator(".box.mistaken").count() == 1
    change(page, "x", "0", "0.75")  # the page walks in the wrong order by itself
    values = {"x": np.array([0.75, -0.5])}
    other, other_seeds, other_leaves = recorded("diamond", values)
    order = [other.nodes[graph.nodes.index(n)] for n in graph.nodes]
    arrival = page.evaluate("JSON.parse(document.getElementById('data').textContent).orders.wrong")
    expected = Flow(other, other_seeds, [order[i] for i in arrival])
    np.testing.assert_allclose(
        shown(page, "gradient", graph.nodes.index(x)),
        expected.gradients[other_leaves["x"]._node],
        rtol=1e-12,
    )
    press(page, "w")
    assert banner.is_hidden()


def test_where_the_wrong_order_is_right_it_says_so(opened):
    page = opened(recorded("chain")[0])
    page.select_option("#order", "wrong")
    assert "Here it makes no difference" in page.locator("#banner").text_content()


def test_without_a_seed_there_are_only_steps_forward(opened):
    page = opened(recorded("chain")[0], {})
    phases = {step["phase"] for step in page.evaluate("window.explorer.steps")}
    assert phases == {"start", "forward"}
    assert page.locator("#order").is_hidden()
    press(page, "w End")
    assert page.evaluate("window.explorer.order") == "right"
    change(page, "x", "0", "0.5")
    assert "is now" in live(page)


# --- names, widths, keys --------------------------------------------------------------------------


def hostile():
    x = tnn.Tensor([[1.0, 2.0]], requires_grad=True, name=HOSTILE[0])
    for name in HOSTILE[1:]:
        with tnn.scope(name):
            x = x * tnn.Tensor(2.0, requires_grad=True, name=name)
    return tnn.Graph([np.sum(x)])


@pytest.mark.parametrize("width", [400, 1200])
def test_hostile_names_are_text_and_nothing_else(opened, width):
    page = opened(hostile(), title=HOSTILE[1], width=width)
    names = "e => [...e.querySelectorAll('*')].map(x => x.localName)"
    elements = set(page.evaluate(f"({names})(document.documentElement)"))
    plain = opened(recorded("network")[0], width=width)
    plain.evaluate("window.explorer.steps.length")
    for _ in range(page.evaluate("window.explorer.steps.length")):
        press(page, "ArrowRight")
        elements |= set(page.evaluate(f"({names})(document.documentElement)"))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not elements & {"img", "b", "iframe", "object", "embed"}
    assert page.locator("script").count() == 2
    assert page.locator("h1").text_content() == HOSTILE[1]
    titles = page.locator("#graph title").all_text_contents()
    assert set(HOSTILE) <= set(titles)
    press(page, "/")
    page.fill("#words", HOSTILE[2])
    press(page, "Enter")
    assert page.locator("#panel h2").text_content() == HOSTILE[2]


@pytest.mark.parametrize("name", ["network", "shapes", "diamond"])
def test_nothing_is_wider_than_a_phone(opened, name):
    page = opened(recorded(name)[0], width=400, check=True)
    for _ in range(page.evaluate("window.explorer.steps.length")):
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        press(page, "ArrowRight")
    press(page, "w")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_keys_do_what_they_say_and_rest_while_somebody_types(opened):
    page = opened(recorded("network")[0])
    step = lambda: page.evaluate("window.explorer.step")
    press(page, "ArrowRight ArrowRight ArrowRight ArrowLeft")
    assert step() == 2
    press(page, "/")
    page.keyboard.type("w t c ?")
    press(page, "ArrowLeft Home End")
    assert step() == 2
    assert page.evaluate("window.explorer.order") == "right"
    page.locator("#progress").click()
    page.evaluate("document.activeElement.blur()")
    press(page, "t")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    boxes = page.locator("#graph .box").count()
    press(page, "c")
    assert page.locator("#graph .box").count() < boxes
    assert page.locator("#graph .box.branch.current").count() == 1
    press(page, "c")
    assert page.locator("#graph .box").count() == boxes
    press(page, "?")
    assert page.locator("#keys").is_visible()
    press(page, "Escape End")
    assert page.locator("#keys").is_hidden()
    assert step() == page.evaluate("window.explorer.steps.length") - 1
    press(page, "Home")
    page.select_option("#speed", "4")
    page.evaluate("document.activeElement.blur()")
    press(page, "Space")
    until = time.monotonic() + 10
    while step() < 2 and time.monotonic() < until:  # a policy of the page forbids to wait inside it
        page.wait_for_timeout(50)
    assert step() >= 2
    press(page, "Space")
    assert page.locator("#play").text_content() == "play"


def test_graph_nodes_are_buttons_that_can_be_reached_by_keys(opened):
    page = opened(recorded("network")[0])
    w1 = page.locator('#graph [role=button][aria-label^="w1, parameter"]')
    w1.focus()
    press(page, "Enter")
    assert page.locator("#panel h2").text_content() == "w1"
    cell = page.locator("#panel td.editable").first
    cell.focus()
    press(page, "ArrowDown Shift+ArrowRight")
    assert page.evaluate("document.activeElement.dataset.index") == "1,1"
    press(page, "Enter")
    page.keyboard.type("nonsense")
    press(page, "Enter")
    assert "expected a finite number; got nonsense" in page.locator("#panel").text_content()
    press(page, "Escape")
    assert page.evaluate("window.explorer.edited") is False
    scope = page.locator('#graph [role=button][aria-label="scope hidden: collapse"]')
    scope.focus()
    press(page, "Enter")
    closed = page.locator('#graph [aria-expanded=false][aria-label^="scope hidden"]')
    assert closed.count() == 1
    assert page.locator("#panel table caption").first.text_content().startswith("value")


def test_a_verdict_is_of_the_numbers_as_recorded_once_they_have_changed(opened):
    page = opened(recorded("chain")[0], check=True)
    change(page, "x", "0", "0.25")
    section = page.locator("#panel .check")
    assert "of the numbers as recorded" in section.text_content()
    page.click("#reset")
    assert "as recorded" not in section.text_content()


def test_a_wrong_gradient_is_marked_with_both_numbers(opened, monkeypatch):
    from tinygrad_nn.primitives import TABLE, Derivative

    graph = recorded("chain")[0]
    wrong = (Derivative("g", lambda g, y, a: 2.0 * g),)
    monkeypatch.setattr(TABLE["numpy.tanh"], "derivatives", wrong)
    page = opened(graph, check=True)
    page.locator('#graph [aria-label^="x, parameter"]').click()
    verdict = page.locator("#panel .check").text_content()
    assert "✗ WRONG, made by tanh" in verdict
    assert re.search(r"analytic -?[\d.]+ in a random direction, numeric -?[\d.]+", verdict)


def odd_recordings():
    """Values that a page meets seldom, each with what it must not stumble over."""
    leaf = tnn.Tensor([1.0, 2.0], requires_grad=True, name="alone")
    yield "a leaf alone", [leaf]
    empty = tnn.Tensor(np.zeros((0, 3)), requires_grad=True, name="empty")
    yield "no elements", [np.sum(empty * 2.0)]
    infinite = tnn.Tensor([np.nan, np.inf, -np.inf, 1e300, 5e-324], requires_grad=True)
    with np.errstate(all="ignore"):
        yield "not finite", [np.sum(infinite * infinite)]
    cube = tnn.Tensor(np.arange(2.0 * 3 * 4 * 5).reshape(2, 3, 4, 5), requires_grad=True)
    yield "many axes", [np.sum(np.swapaxes(cube, 1, 3) ** 2)]
    x = tnn.Tensor(2.0, requires_grad=True)
    yield "two outputs", [x * x, np.sin(x)]
    yield "untracked", [tnn.Tensor([1.0, 2.0], name="x")]
    yield "an output inside", [x * 3.0, np.exp(x * 3.0)]
    yield "large", [np.sum(tnn.Tensor(np.ones((500, 80)), requires_grad=True) * 1e-9)]


@pytest.mark.parametrize("about", [about for about, _ in odd_recordings()])
def test_odd_recordings_open_and_can_be_walked(opened, about):
    graph = tnn.Graph(dict(odd_recordings())[about])
    seeds = {out: np.ones_like(out.value) for out in graph.outputs if out.tracked}
    page = opened(graph, seeds, width=400)
    for _ in range(page.evaluate("window.explorer.steps.length")):
        press(page, "ArrowRight")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
    press(page, "w Home")
    page.locator("#graph [data-node='0']").click()
    assert page.locator("#panel h2").count() == 1


# --- pictures -------------------------------------------------------------------------------------

OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll("#graph .box")].map(b => b.getBBox());
  return boxes.flatMap((a, i) => boxes.slice(0, i).filter(b => a.x < b.x + b.width - 1 &&
    b.x < a.x + a.width - 1 && a.y < b.y + b.height - 1 && b.y < a.y + a.height - 1)).length;
}"""


@pytest.mark.parametrize("name", ["network", "diamond", "shapes", "sparse"])
def test_boxes_do_not_overlap(opened, name):
    page = opened(recorded(name)[0])
    assert page.evaluate(OVERLAPS) == 0


def test_scopes_that_come_back_and_nest_are_laid_out(opened):
    x = tnn.Tensor(0.5, requires_grad=True, name="x")
    y = x
    for _ in range(3):
        with tnn.scope("cell"):
            y = np.tanh(y * x)
            with tnn.scope("inner"):
                y = np.sin(y) + y
        with tnn.scope("other"):
            y = y * 2.0
    page = opened(tnn.Graph([y]))
    assert page.evaluate(OVERLAPS) == 0
    page.locator('#graph [aria-label="scope cell: collapse"]').focus()
    press(page, "Enter")
    assert page.evaluate(OVERLAPS) == 0
    assert page.locator("#graph .frame").count() == 1


def test_a_recording_of_thousands_of_nodes_opens_and_can_be_walked(opened):
    x = tnn.Tensor(0.5, requires_grad=True, name="x")
    y = x
    for _ in range(2500):
        y = np.sin(y) + x
    graph = tnn.Graph([y])
    page = opened(graph)
    assert page.locator("#graph .box").count() <= 100
    assert page.evaluate("window.explorer.steps.length") == 1 + 5000 + 5001
    press(page, "End")
    assert page.locator("#panel h2").text_content() == "x"
    press(page, "ArrowLeft c")
    assert page.locator("#graph .box:not(.branch).current").count() == 1
    assert page.evaluate(OVERLAPS) == 0
    assert "5,001 nodes; up to 1,000" in page.locator("#editing").text_content()


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = colour => {
    canvas.fillStyle = "#fff"; canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(c => c / 255)
      .map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return Math.min(...[...document.querySelectorAll("#panel td[data-index]")].map(cell => {
    const style = getComputedStyle(cell), a = light(style.color), b = light(style.backgroundColor);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_numbers_are_readable_on_every_colour(opened, theme):
    page = opened(recorded("relu")[0], theme=theme)
    press(page, "ArrowRight End")
    assert page.locator("#panel td.negative").count()
    assert page.locator("#panel td.positive").count()
    assert page.evaluate(CONTRAST) >= 4.5


NUMBERS = {"a": 2, "b": -3, "g": 1.5, "y": 0.25}


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("g·[b > a], half at a tie", "1.5·[(−3) > 2], half at a tie"),
        ("g where a is finite", "1.5 where a is finite"),
        ("eᵃ − 1", "e^(2) − 1"),
        ("g·b·aᵇ⁻¹", "1.5·(−3)·2^((−3)−1)"),
        ("g / 3y²", "1.5 / (3·0.25²)"),
        ("max(a, b)", "max(2, −3)"),
        ("a mod b", "2 mod (−3)"),
        ("log₂(2ᵃ + 2ᵇ)", "log₂(2^(2) + 2^(−3))"),
        ("−g·sin a", "−1.5·sin 2"),
    ],
)
def test_numbers_stand_in_the_places_of_letters_and_not_in_words(opened, formula, text):
    graph = tnn.Graph([tnn.Tensor(2.0, requires_grad=True) * 3.0])
    page = opened(graph)
    assert page.evaluate("([f, n]) => substituted(f, n)", [formula, NUMBERS]) == text
