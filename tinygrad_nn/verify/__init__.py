"""READER: finite differences beside what backward computed."""

from .catalogue import LibraryReport, check_library, library_checks
from .gradcheck import (
    Finding,
    GradcheckReport,
    Verdict,
    gradcheck,
    gradcheck_parameters,
)
from .laws import check_laws
from .nodes import NodeCheck, check_nodes
from .rows import primitive

__all__ = [
    "Finding",
    "GradcheckReport",
    "LibraryReport",
    "NodeCheck",
    "Verdict",
    "check_laws",
    "check_library",
    "check_nodes",
    "gradcheck",
    "gradcheck_parameters",
    "library_checks",
    "primitive",
]
