"""The compiler: a reader of the recording that writes plain NumPy, and runs it."""

from .step import CompiledStep, Stats, compile

__all__ = ["CompiledStep", "Stats", "compile"]
