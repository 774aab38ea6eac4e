"""How explanations are written: LaTeX, Markdown, HTML, files, and names that mean harm."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import tinygrad_nn as tnn
from tinygrad_nn.diagrams.explain.formulas import latex, latex_text
from tinygrad_nn.errors import ArgumentError, OutputError
from tinygrad_nn.primitives import REWRITES, TABLE

FORMULAS = sorted(
    {row.formula for row in (*TABLE.values(), *REWRITES.values())}
    | {cell.formula for row in TABLE.values() for cell in row.derivatives if cell}
)
HOSTILE = [
    "</script><b>&\"'",
    "$x$ and `code`",
    "a|b_c*d",
    "[link](http://example.com)",
    r"\frac{1}{2}}",
    "control\x1b[31m\x07 and \u202e turned",
    "1. a list",
    "w" * 500,
    "www.example.com",
    "<!-- ![x](y) -->",
    "{{}",
    "שלום",
]


def balanced(text):
    """Whether braces and \\left-like pairs match, escaped braces apart."""
    depth = 0
    for c in re.sub(r"\\[{}]", "", text):
        depth += (c == "{") - (c == "}")
        if depth < 0:
            return False
    pairs = [(r"\lvert", r"\rvert"), (r"\lVert", r"\rVert"), (r"\lfloor", r"\rfloor"),
             (r"\lceil", r"\rceil")]  # fmt: skip
    return depth == 0 and all(text.count(a) == text.count(b) for a, b in pairs)


@pytest.mark.parametrize("formula", FORMULAS)
def test_every_formula_of_the_table_becomes_latex(formula):
    found = latex(formula)
    assert balanced(found)
    assert re.sub(r"\\text\{[^{}]*\}", "", found).isascii()
    assert not set("<>|`$") & set(found)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("g·b·aᵇ⁻¹", r"g\cdot b\cdot a^{b-1}"),
        ("g / √(1 − a²)", r"g / \sqrt{1 - a^{2}}"),
        ("√(Σ(a − ā)² / (n − ddof))",
         r"\sqrt{\sum (a - \bar{a})^{2} / (n - \operatorname{ddof} )}"),
        ("−a⁻ᵀ g yᵀ", r"-a^{-\top}\ g\ y^{\top}"),
        ("ln |det a|", r"\ln \lvert \det a\rvert"),
        ("g·[l ≤ a ≤ h]", r"g\cdot [l \le a \le h]"),
        ("g where c, else 0", r"g \text{ where } c, \text{ else } 0"),
        ("g·[a > b], half at a tie", r"g\cdot [a \gt b], \text{ half at a tie}"),
        ("∛a", r"\sqrt[3]{a}"),
        ("⌊a / b⌋", r"\lfloor a / b\rfloor"),
        ("g·y·σ(−a)", r"g\cdot y\cdot \sigma (-a)"),
        ("Vᵀ g_V / (wⱼ − wᵢ)", r"V^{\top}\ g_{V} / (w_{j} - w_{i})"),
        ("Σₖ aₖ·vₙ₋ₖ", r"\sum _{k} a_{k}\cdot v_{n-k}"),
        ("x̄", r"\bar{x}"),
    ],
)  # fmt: skip
def test_latex_of_some_formulas(formula, expected):
    assert latex(formula) == expected


@pytest.mark.parametrize(
    "text", [*HOSTILE, "|", "√(", "a}", "∫∫", "\u0304", "x_", "²", "ββ|‖|", "√" * 390, "√(" * 190]
)
def test_any_text_becomes_balanced_latex(text):
    for found in (latex(text), latex_text(text)):
        assert not {"<", ">", "|", "`"} & set(found)
        # Each brace is either LaTeX's own, which match, or escaped.
        assert re.sub(r"\\[{}]", "", found).count("{") == re.sub(r"\\[{}]", "", found).count("}")
        assert not re.search(r"(?<!\\)\$", found)


# --- names ------------------------------------------------------------------------------------


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.words = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_comment(self, data):
        self.tags.append("comment")

    def handle_data(self, data):
        self.words.append(data)


def explained(name, scope="s"):
    x = tnn.Tensor([1.0, 2.0], requires_grad=True, name=name)
    with tnn.scope(scope):
        loss = np.sum(np.tanh(x) * x)
    loss.name = name
    return tnn.explain(loss, index=0)


def printed(name):
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
    return shown if len(shown) <= 40 else shown[:39] + "…"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_shows_as_itself_and_is_no_markup(name):
    e, plain = explained(name), explained("name")
    assert printed(name) in e.text.replace("\n  ", "").replace("\n", "") or len(name) > 30
    assert all(c.isprintable() for line in e.text.splitlines() for c in line)
    assert max(map(len, e.text.splitlines())) <= 100
    seen, expected = Seen(), Seen()
    seen.feed(e.html())
    expected.feed(plain.html())
    assert seen.tags == expected.tags
    assert printed(name) in "".join(seen.words)


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_shows_a_name_as_itself(name):
    markdown_it = pytest.importorskip("markdown_it")
    reader = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    e, plain = explained(name), explained("name")
    # Formulas are read by another program; here they only must not break the table.
    without_math = [re.sub(r"(?<!\\)\$+[^$]*(?:\\\$[^$]*)*(?<!\\)\$+", "M", text)
                    for text in (e.markdown(), plain.markdown())]  # fmt: skip
    seen, expected = Seen(), Seen()
    for parser, text in zip((seen, expected), without_math, strict=True):
        parser.feed(reader.render(text))
    assert seen.tags == expected.tags
    assert printed(name) in "".join(seen.words)
    assert [line.count(" | ") for line in e.markdown().splitlines() if line.startswith("|")] == [
        line.count(" | ") for line in plain.markdown().splitlines() if line.startswith("|")
    ]


def test_a_hostile_function_shows_as_itself():
    def f(x):
        return np.tanh(x)

    f.__name__ = "<b>$f$"
    card = tnn.explain(f, np.ones(2))
    seen = Seen()
    seen.feed(card.html())
    assert "b" not in seen.tags
    assert "<b>$f$" in "".join(seen.words)
    assert "<b>" not in card.markdown()


# --- files and Jupyter ------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["gradient", "card"])
def test_an_explanation_is_saved_in_the_format_of_the_suffix(of, tmp_path):
    e = explained("x") if of == "gradient" else tnn.explain(np.tanh)
    assert e.save(tmp_path / "e.txt").read_text(encoding="utf-8") == f"{e.text}\n"
    assert e.save(tmp_path / "e.md").read_text(encoding="utf-8") == e.markdown()
    page = e.save(tmp_path / "e.HTML").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")  # no network
    with pytest.raises(ArgumentError, match="expected a name ending in"):
        e.save(tmp_path / "e.png")
    with pytest.raises(OutputError):
        e.save(tmp_path / "nowhere" / "e.md")


def test_jupyter_gets_text_and_markdown_and_for_cards_a_picture():
    e = explained("x")
    assert e._repr_mimebundle_() == {"text/plain": str(e), "text/markdown": e.markdown()}
    assert e._repr_markdown_() == e.markdown()
    card = tnn.explain(np.tanh)._repr_mimebundle_()
    assert "<svg" in card["text/html"]
    assert "\\tanh" in card["text/markdown"]
    assert "```" in card["text/markdown"]


def test_a_display_that_fails_says_so(monkeypatch):
    e = explained("x")
    monkeypatch.setattr(type(e), "markdown", lambda self: 1 / 0)
    assert "ZeroDivisionError" in e._repr_mimebundle_()["text/plain"]
    assert e._repr_markdown_() is None


def test_the_markdown_of_a_gradient_has_its_formulas_in_latex():
    text = explained("x").markdown()
    assert r"\frac{\partial \text{tanh}_{0}}{\partial \text{x}_{0}}" in text
    assert r"$g\cdot (1 - y^{2})$" in text
    assert "**PASS**" in text
    for formula in re.findall(r"\$\$(.*?)\$\$", text):
        assert balanced(formula)


def test_a_page_fits_narrow_windows(browser, tmp_path):
    for number, e in enumerate((explained("w" * 500), tnn.explain(np.tanh))):
        page = browser.new_page(viewport={"width": 400, "height": 700})
        page.goto(e.save(tmp_path / f"{number}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        page.close()
