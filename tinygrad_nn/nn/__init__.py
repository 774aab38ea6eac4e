"""Layers: parameters and a plain function of them."""

from .layers import Dense, Sequential
from .module import Module

__all__ = ["Dense", "Module", "Sequential"]
