"""READER: finite differences beside what backward computed."""

from .gradcheck import gradcheck
from .laws import check_laws
from .nodes import NodeCheck, check_nodes
from .report import GradcheckReport
from .results import Result, Results, checked
from .rows import primitive
from .stability.lint import LintFinding, LintReport, lint
from .stability.nonfinite import NonfiniteTrace, trace_nonfinite
from .table.catalogue import LibraryCheck, check_library, library_checks
from .table.selftest import SelfTestReport, self_test
from .verdicts import Element, Finding, Verdict

__all__ = [
    "Element",
    "Finding",
    "GradcheckReport",
    "LibraryCheck",
    "LintFinding",
    "LintReport",
    "NodeCheck",
    "NonfiniteTrace",
    "Result",
    "Results",
    "SelfTestReport",
    "Verdict",
    "check_laws",
    "check_library",
    "check_nodes",
    "checked",
    "gradcheck",
    "library_checks",
    "lint",
    "primitive",
    "self_test",
    "trace_nonfinite",
]
