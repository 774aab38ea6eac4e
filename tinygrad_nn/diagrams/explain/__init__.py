"""A gradient by the chain rule, and a function by its derivatives, in words and numbers."""

from .card import Card
from .explain import explain
from .explanation import Explanation
from .gradient import GradientExplanation

__all__ = ["Card", "Explanation", "GradientExplanation", "explain"]
