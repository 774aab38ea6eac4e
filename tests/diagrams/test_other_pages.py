"""Pages without numbers that move: explanations and gradient checks, in a browser."""

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.verify import Results, checked
from tinygrad_nn.verify.command.page import as_html

HOSTILE = "</script><img src=x onerror=alert(1)><b>&\"'"


def explained():
    with tnn.scope(HOSTILE):
        x = tnn.Tensor([0.5, -1.0], requires_grad=True, name=HOSTILE)
        loss = np.tanh(x * x + x).sum()
    loss.name = HOSTILE
    return tnn.explain(loss).html()


def carded():
    def hostile(x):
        return np.tanh(x)

    hostile.__name__ = hostile.__qualname__ = HOSTILE
    return tnn.explain(hostile, np.ones(3)).html()


def gradient_checked():
    def doubled(x):
        return tnn.Tensor(x.numpy() * 2.0)  # cuts the gradient off, so the check has much to say

    checks = [
        checked(HOSTILE, lambda: tnn.gradcheck(np.sin, np.ones(2))),
        checked("wrong", lambda: tnn.gradcheck(lambda x: doubled(x) + x, np.ones(2))),
    ]
    return as_html(Results(checks), "1.0")


PAGES = {
    "gradient": explained,
    "card": carded,
    "plot": lambda: tnn.explain(np.tanh).html(),
    "check": gradient_checked,
}


@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_alone_and_names_are_text(browser, tmp_path, name, scheme, width):
    problems, requests = [], []
    file = tmp_path / "page.html"
    file.write_text(PAGES[name](), encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    assert page.locator("img").count() == 0
    if name in ("gradient", "check"):
        assert HOSTILE in page.locator("body").text_content()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert requests == [file.as_uri()]
    assert problems == []
    context.close()
