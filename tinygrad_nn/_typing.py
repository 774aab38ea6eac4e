"""The few type names that every room shares."""

from collections.abc import Callable
from typing import Any, TypeAlias

# An ndarray, a Tensor, or any array that speaks NumPy's protocols. They are interchangeable
# by design, and the protocols are dynamic, so a precise union would promise more than it checks.
Array: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]
Axis: TypeAlias = int | tuple[int, ...] | None
Seed: TypeAlias = Any  # numpy.random.Generator, numpy.random.RandomState, an integer, or None
Rule: TypeAlias = Callable[..., Array]
