"""The results of checks as one page of HTML, which needs nothing from anywhere else."""

from collections import Counter
from collections.abc import Sequence
from html import escape

from ..report import COLUMNS, GradcheckReport
from ..results import Result, Results
from ..text import table
from ..verdicts import Finding
from .writers import error_text, printable

__all__ = ["as_html"]

_UNDECIDED = {"JUMP", "UNSTABLE", "NONDETERMINISTIC"}
# Best first. A mark stands beside each colour, which alone would not tell everybody.
_MARKS = {"right": "✓", "undecided": "?", "wrong": "✗"}
_MEANINGS = {
    "UNUSED": "the output does not depend on the input, and the gradient is zero",
    "PASS": "the gradient agrees with differences, whose error bar would not hide a fault",
    "KINK": "the slopes to either side differ; right if the gradient lies between them",
    "JUMP": "the function jumps here, so nothing is confirmed",
    "UNSTABLE": "no difference can be trusted, so nothing is confirmed",
    "NONDETERMINISTIC": "two runs on the same inputs differ, so nothing is confirmed",
    "WRONG": "the gradient disagrees by more than the error bar allows",
    "ERROR": "the check ended with an exception",
}

# Blue, amber and vermilion: they differ in lightness too, for those who see few colours.
_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --soft: #f1f3f6;
  --line: #c9ced6; --dim: #57606a; --right: #0072b2; --undecided: #a06a00; --wrong: #c24100; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --paper: #15181d; --soft: #20252d;
  --line: #3d444f; --dim: #a3adba; --right: #56b4e9; --undecided: #f0c340; --wrong: #ff8a4c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; font: 1rem/1.45 system-ui, sans-serif;
  color: var(--ink); background: var(--paper); }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; }
.right > .verdict { color: var(--right); } .undecided > .verdict { color: var(--undecided); }
.wrong > .verdict { color: var(--wrong); }
.verdict { font-weight: 650; white-space: nowrap; }
.counts { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; }
#controls { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0 .5rem; }
#controls[hidden] { display: none; }
input, select, button { font: inherit; color: inherit; background: var(--soft); min-width: 0;
  border: 1px solid var(--line); border-radius: .3rem; padding: .25rem .6rem; }
input { flex: 1 1 12rem; } ::placeholder { color: var(--dim); opacity: 1; }
#results { list-style: none; margin: 0; padding: 0; }
#results > li { border-bottom: 1px solid var(--line); }
#head, summary { display: grid; grid-template-columns: 13.5rem 1fr 6rem 5rem; gap: .2rem .8rem;
  padding: .35rem .2rem; }
#head { color: var(--dim); font-size: .9rem; border-bottom: 1px solid var(--line); margin: 0; }
summary { cursor: pointer; }
summary > .verdict::before { content: "▸"; display: inline-block; width: 1.1em;
  color: var(--dim); } details[open] > summary > .verdict::before { content: "▾"; }
summary:hover, summary:focus-visible { background: var(--soft); }
.name { overflow-wrap: anywhere; } .shapes { color: var(--dim); }
.number { text-align: right; color: var(--dim); }
.found { padding: .2rem 0 1rem 1rem; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .15rem .9rem .15rem 0; white-space: nowrap; }
th { font-weight: 500; color: var(--dim); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--soft); padding: .6rem;
  border-radius: .3rem; font-size: .85rem; }
figure { margin: .8rem 0; } figure svg { max-width: 100%; height: auto; }
@media (prefers-color-scheme: dark) { figure svg { filter: invert(.9) hue-rotate(180deg); } }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 .8rem; } dd { margin: 0; }
figcaption, footer, .empty { color: var(--dim); font-size: .9rem; }
@media (max-width: 40rem) { summary { grid-template-columns: 1fr auto auto; }
  .name { grid-column: 1 / -1; grid-row: 1; } .found { padding-left: 0; } #head { display: none; }
  table { font-size: .75rem; } th, td { padding-right: .35rem; } select { flex: 1 1 8rem; }
  dl { display: block; } dd { margin: 0 0 .3rem; } }
@media print { #controls { display: none; } }
"""

_SCRIPT = """
const list = document.getElementById("results"), rows = [...list.children];
const controls = document.getElementById("controls"), none = document.getElementById("none");
const [words, kind, order] = controls.elements;
const by = {
  found: (a, b) => a.dataset.number - b.dataset.number,
  name: (a, b) => a.dataset.name.localeCompare(b.dataset.name),
  worst: (a, b) => b.dataset.badness - a.dataset.badness,
  error: (a, b) => b.dataset.error - a.dataset.error,
  seconds: (a, b) => b.dataset.seconds - a.dataset.seconds,
};
function show() {
  const wanted = words.value.toLowerCase();
  let shown = 0;
  for (const row of rows) {
    const fits = row.dataset.name.toLowerCase().includes(wanted) &&
      (!kind.value || row.dataset.verdict === kind.value ||
        (kind.value === "not right" && row.dataset.right === "no"));
    row.hidden = !fits;
    shown += fits;
  }
  none.hidden = shown > 0;
}
controls.hidden = false;
controls.addEventListener("submit", event => event.preventDefault());
controls.addEventListener("input", show);
order.addEventListener("change", () => list.append(...rows.sort(by[order.value])));
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gradient check: {outcome}</title>
<style>{style}</style>
</head>
<body>
<h1>Gradient check</h1>
<p class="{kind}">{checks}:
<span class="verdict">{mark} {outcome}</span></p>
<ul class="counts">{counts}</ul>
<form id="controls" hidden>
<input type="search" placeholder="part of a name" aria-label="part of a name">
<select aria-label="which verdicts"><option value="">all verdicts</option>
<option>not right</option>{verdicts}</select>
<select aria-label="in which order"><option value="found">as checked</option>
<option value="worst">worst first</option><option value="name">by name</option>
<option value="error">largest error first</option><option value="seconds">slowest first</option>
</select>
</form>
<p id="none" class="empty" hidden>No check is like that.</p>
<p id="head"><span>verdict</span><span>name and shapes</span>
<span class="number">largest error</span><span class="number">time</span></p>
<ul id="results">
{rows}
</ul>
<footer><p>Each line opens. Of a function with several outputs, the numbers belong to a sum of them
with random weights. Errors are relative to the largest gradient by the same input.</p>
<dl>{meanings}</dl>
<p>tinygrad_nn {version}</p></footer>
<script>{script}</script>
</body>
</html>
"""


def as_html(results: Results, version: str) -> str:
    """A page for people: a summary, and each check with its findings, to be searched and sorted.

    What is not right shows whom to blame, and the error of a difference against its step. The page
    is one file, light or dark as the reader's system is, and works without its script.

    Args:
        results: of the checks.
        version: of this package.

    Example:
        >>> import tinygrad_nn as tnn
        >>> from tinygrad_nn.verify import Results, checked
        >>> from tinygrad_nn.verify.command.page import as_html
        >>> results = Results([checked("square", lambda: tnn.gradcheck(lambda x: x * x, 3.0))])
        >>> "<title>Gradient check: all right</title>" in as_html(results, "1.0")
        True
    """
    wrong = len(results.wrong)
    outcome = f"{wrong} not right" if wrong else "all right"
    kind = "wrong" if wrong else "right"
    seconds = sum(result.seconds for result in results.results)
    verdicts = dict.fromkeys(result.summary for result in results.results)
    shown = {*verdicts, *(f.verdict.value for r in results.results for f in _findings(r))}
    page = _PAGE.format(
        outcome=outcome,
        kind=kind,
        mark=_MARKS[kind],
        checks=f"{len(results)} check{'s' * (len(results) != 1)}, {seconds:.1f} s",
        counts=_counts(results),
        verdicts="".join(f"<option>{verdict}</option>" for verdict in verdicts),
        rows="\n".join(_row(i, result) for i, result in enumerate(results.results)),
        meanings="".join(
            f"<dt>{verdict}</dt><dd>{meaning}</dd>"
            for verdict, meaning in _MEANINGS.items()
            if verdict in shown
        ),
        version=escape(version),
        style=_STYLE,
        script=_SCRIPT,
    )
    return printable(page)


def _counts(results: Results) -> str:
    """How many checks have each verdict, what is right first."""
    found = Counter((_kind(result), result.told) for result in results.results)
    kinds = list(_MARKS)
    return "".join(
        f'<li class="{kind}"><span class="verdict">{_MARKS[kind]} {verdict}</span> {count}</li>'
        for (kind, verdict), count in sorted(found.items(), key=lambda one: kinds.index(one[0][0]))
    )


def _findings(result: Result) -> Sequence[Finding]:
    return () if result.report is None else result.report.findings


def _kind(result: Result) -> str:
    if result.right:
        return "right"
    return "undecided" if result.summary in _UNDECIDED else "wrong"


def _row(number: int, result: Result) -> str:
    report, kind = result.report, _kind(result)
    error = 0.0 if report is None else report.largest_error
    badness = list(_MARKS).index(kind) * 1000 + (999 if report is None else report.verdict.badness)
    data = {
        "number": number,
        "name": result.name,
        "verdict": result.summary,
        "right": "yes" if result.right else "no",
        "badness": badness,
        "error": 1e308 if error != error or error > 1e308 else error,  # NaN cannot be sorted by
        "seconds": f"{result.seconds:.6f}",
    }
    marks = " ".join(f'data-{key}="{escape(str(value))}"' for key, value in data.items())
    shapes = " ".join(str(finding.shape) for finding in _findings(result) if finding.order == 1)
    found = _error(result) if report is None else _found(report)
    return (
        f'<li {marks}><details><summary class="{kind}">'
        f'<span class="verdict">{_MARKS[kind]} {result.told}</span>'
        f'<span class="name">{escape(result.name)} '
        f'<span class="shapes">{escape(shapes)}</span></span>'
        f'<span class="number">{"" if report is None else f"{error:.1e}"}</span>'
        f'<span class="number">{result.seconds:.2f} s</span></summary>'
        f'<div class="found">{found}</div></details></li>'
    )


def _error(result: Result) -> str:
    text = "" if result.error is None else error_text(result.error)
    return f"<pre>{escape(text)}</pre>"


def _found(report: GradcheckReport) -> str:
    """The findings of one check, what the table cannot say, and curves of what is not right."""
    rows = "".join(_cells("td", row) for row in report.rows)
    parts = [f'<div class="wide"><table>{_cells("th", COLUMNS)}{rows}</table></div>']
    notes = str(report).removeprefix(table(COLUMNS, report.rows)).strip()
    if notes:
        parts.append(f"<pre>{escape(notes)}</pre>")
    parts += [_curve(report, finding) for finding in report.findings if not finding.right]
    return "".join(parts)


def _cells(kind: str, texts: Sequence[str]) -> str:
    cells = "".join(f"<{kind}>{escape(text)}</{kind}>" for text in texts)
    return f"<tr>{cells}</tr>"


def _curve(report: GradcheckReport, finding: Finding) -> str:
    """The picture of a difference's error against its step."""
    try:
        curve = report.step_curve(finding.name, order=finding.order)
        picture = curve.svg()
    except Exception:  # a user's function may fail at other steps: the page is whole without it
        return ""
    drawing = picture[max(picture.find("<svg"), 0) :]  # without the head of a file of its own
    told = f"{escape(curve.name)}: how far differences with each step, and the gradient, are off"
    return f"<figure>{drawing}<figcaption>{told}</figcaption></figure>"
