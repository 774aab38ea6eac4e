"""READER: pictures of the recording, explanations of gradients, and pages about both."""

from .diagram import Diagram
from .draw import draw
from .explain import Card, Explanation, GradientExplanation, explain
from .movie.record import TrainingRecord
from .movie.report import TrainingReport, training_report
from .output import make_folder, write_file

__all__ = [
    "Card",
    "Diagram",
    "Explanation",
    "GradientExplanation",
    "TrainingRecord",
    "TrainingReport",
    "draw",
    "explain",
    "make_folder",
    "training_report",
    "write_file",
]
