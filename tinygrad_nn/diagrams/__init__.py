"""READER: pictures of the recording, and of training."""

from .diagram import Diagram
from .draw import draw
from .movie.record import TrainingRecord
from .movie.report import TrainingReport, training_report
from .output import make_folder, write_file

__all__ = [
    "Diagram",
    "TrainingRecord",
    "TrainingReport",
    "draw",
    "make_folder",
    "training_report",
    "write_file",
]
