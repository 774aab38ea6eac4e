"""Data sets."""

from .spiral import spiral

__all__ = ["spiral"]
