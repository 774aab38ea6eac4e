"""Training: the demo's run, and the progress line it shows."""

from .demo import Demo, run_demo

__all__ = ["Demo", "run_demo"]
