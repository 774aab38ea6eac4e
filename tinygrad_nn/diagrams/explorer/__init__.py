"""READER: one HTML page in which a person steps through a recorded computation."""

from .page import explorer_page

__all__ = ["explorer_page"]
