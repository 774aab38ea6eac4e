"""The results of checks as text for other programs: JSON, and the XML that CI servers read."""

import json
import math
import re
from collections import Counter
from collections.abc import Collection
from typing import Any
from xml.etree import ElementTree

import numpy as np

from ..results import Result, Results
from ..text import distinct, one_line
from ..verdicts import Element, Finding, Verdict
from .importing import user_line

__all__ = ["as_json", "as_junit", "error_text", "printable"]

_FORMAT = 1  # one more whenever what a reader relies on changes
_ALL_ELEMENTS = 1024
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_json(results: Results, version: str) -> str:
    """Everything that was found, as strict JSON.

    The text is one object::

        format     1; a reader should refuse numbers that it does not know
        version    of this package
        right      whether all is right
        checks     how many there were
        seconds    that they took together
        verdicts   how many checks have each verdict, such as {"PASS": 3, "ERROR": 1}
        results    a list, and in it for each check:
          name, verdict ("PASS", …, or "ERROR"), right, seconds
          error    null, or the exception, and the user's line that raised it
          blame    null, or where the first mistake is made
          findings a list, and in it for each input and order:
            name, shape, order, verdict, right
            directions  along how many random directions a large input was probed; 0 for none
            counts      how many elements have each verdict
            worst       the worst element, or null
            elements    all of them; of more than 1,024 only the worst, and what is not right

    An element has an index, output (null, or which one of a Jacobian), verdict, right, analytic,
    numeric, error_bar, slopes and interval (null, or two numbers at a kink), and jump. Numbers that
    JSON does not know are the strings "NaN", "Infinity" and "-Infinity".

    Args:
        results: of the checks.
        version: of this package.

    Example:
        >>> import json, tinygrad_nn as tnn
        >>> from tinygrad_nn.verify import Results, checked
        >>> from tinygrad_nn.verify.command.writers import as_json
        >>> results = Results([checked("square", lambda: tnn.gradcheck(lambda x: x * x, 3.0))])
        >>> found = json.loads(as_json(results, "1.0"))
        >>> found["verdicts"], found["results"][0]["findings"][0]["worst"]["analytic"]
        ({'PASS': 1}, 6.0)
    """
    whole = {
        "format": _FORMAT,
        "version": version,
        "right": bool(results),
        "checks": len(results),
        "seconds": sum(result.seconds for result in results.results),
        "verdicts": dict(Counter(result.summary for result in results.results)),
        "results": [_result(result) for result in results.results],
    }
    return json.dumps(_strict(whole), ensure_ascii=False, allow_nan=False) + "\n"


def _result(result: Result) -> dict[str, Any]:
    report = result.report
    blame = None if report is None or result.right else report.blame
    return {
        "name": result.name,
        "verdict": result.summary,
        "right": result.right,
        "seconds": result.seconds,
        "error": None if result.error is None else error_text(result.error),
        "blame": None if blame is None else str(blame).removeprefix("blame: "),
        "findings": [] if report is None else [_finding(f) for f in report.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    elements = finding.elements
    if len(elements) > _ALL_ELEMENTS:
        worst = finding.worst
        elements = tuple(e for e in elements if e is worst or not e.right)
    return {
        "name": finding.name,
        "shape": finding.shape,
        "order": finding.order,
        "verdict": finding.verdict.value,
        "right": finding.right,
        "directions": finding.directions,
        "counts": {verdict.value: count for verdict, count in finding.counts.items()},
        "worst": _element(finding.worst) if elements else None,
        "elements": [_element(element) for element in elements],
    }


def _element(element: Element) -> dict[str, Any]:
    numbers = ("analytic", "numeric", "error_bar", "slopes", "interval", "jump")
    return {
        "index": element.index,
        "output": element.output,
        "verdict": element.verdict.value,
        "right": element.right,
        **{name: getattr(element, name) for name in numbers},
    }


def _strict(value: Any) -> Any:
    """The same of what JSON knows."""
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_strict(item) for item in value]
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, np.generic):
        return _strict(value.item())
    if value is None or isinstance(value, (bool, int)):
        return value
    number = float(value)
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def printable(text: str) -> str:
    """The text without halves of characters, which file names may have and UTF-8 has not."""
    return text.encode("utf-8", "backslashreplace").decode()


def error_text(error: BaseException) -> str:
    """An exception in one line, with the user's line that it came through.

    Example:
        >>> from tinygrad_nn.verify.command.writers import error_text
        >>> error_text(ValueError("no"))
        'ValueError: no'
    """
    text, line = one_line(error), user_line(error)
    if line is None or str(line) in text:
        return text
    return f"{text.rstrip('.')}, at {line}" + (f": {line.text}" if line.text else "")


# --- the XML of JUnit -------------------------------------------------------------------------


def as_junit(results: Results, fail_on: Collection[Verdict] = ()) -> str:
    """One test case for each check, as the servers of CI show them.

    What fails has a failure with the table of its findings; what ended with an exception, an error.

    Args:
        results: of the checks.
        fail_on: the verdicts that fail; by default all that is not right.

    Example:
        >>> import tinygrad_nn as tnn
        >>> from tinygrad_nn.verify import Results, checked
        >>> from tinygrad_nn.verify.command.writers import as_junit
        >>> results = Results([checked("square", lambda: tnn.gradcheck(lambda x: x * x, 3.0))])
        >>> print(as_junit(results).splitlines()[1][:50])
        <testsuites tests="1" failures="0" errors="0" time
    """
    counts = {
        "tests": str(len(results)),
        "failures": str(sum(r.report is not None and r.fails(fail_on) for r in results.results)),
        "errors": str(sum(r.report is None for r in results.results)),
        "time": _seconds(sum(r.seconds for r in results.results)),
    }
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": "tinygrad_nn gradcheck", "skipped": "0", **counts}
    )
    # Servers would show one of several checks that share a name.
    names = distinct(result.name for result in results.results)
    for name, result in zip(names, results.results, strict=True):
        suite.append(_case(name, result, fail_on))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(
        root, encoding="unicode"
    )


def _case(name: str, result: Result, fail_on: Collection[Verdict]) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        {"classname": "gradcheck", "name": _legal(name), "time": _seconds(result.seconds)},
    )
    if result.error is not None:
        kind = {"type": _legal(type(result.error).__name__)}
        text = _legal(error_text(result.error))
        ElementTree.SubElement(case, "error", kind | {"message": text}).text = text
    elif result.fails(fail_on):
        message = f"{result.name}: {result.told}"
        kind = {"type": result.summary, "message": _legal(message)}
        ElementTree.SubElement(case, "failure", kind).text = _legal(str(result.report))
    return case


def _legal(text: str) -> str:
    """The text without the control characters that XML forbids."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", printable(text))


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
