"""The compiler: a reader of the recording that writes plain NumPy, and runs it."""

from .program import Equation, Value
from .step import CompiledStep, Stats, compile

__all__ = ["CompiledStep", "Equation", "Stats", "Value", "compile"]
