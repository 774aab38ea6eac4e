"""READER: pictures of the recording."""

from .diagram import Diagram
from .draw import draw
from .output import make_folder, write_file

__all__ = ["Diagram", "draw", "make_folder", "write_file"]
