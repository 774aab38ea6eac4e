"""Arrays under two names: where a step writes into one, it has to be seen under the other."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .slots import ArraySink, Sink, Source, TensorSink, TensorSource, identity, owned

__all__ = ["overlap_check"]


def overlap_check(
    sinks: Sequence[Sink], sources: Sequence[Source]
) -> Callable[[Sequence[Any]], bool] | None:
    """Whether something that a program writes is something else that it reads, by another name.

    What was one array, or one Tensor, while the step was traced is read only once. So any two that
    are one now were not then, and the program knows nothing of it. None if there is nothing to ask.
    """
    arrays = [
        (sink.source, other)
        for sink in sinks
        for other in sources
        if isinstance(sink, ArraySink) and not isinstance(other, TensorSource)
        if identity(other) != identity(sink.source)
    ]
    tensors = [
        (sink.owner, other.owner)
        for sink in sinks
        for other in sources
        if isinstance(sink, TensorSink) and isinstance(other, TensorSource)
        # Two that are around the step are two for good: only an argument may be any of them.
        if isinstance(sink.owner, int) != isinstance(other.owner, int)
    ]
    if not arrays and not tensors:
        return None

    def overlaps(arguments: Sequence[Any]) -> bool:
        return any(owned(a, arguments) is owned(b, arguments) for a, b in tensors) or any(
            np.may_share_memory(a.read(arguments), b.read(arguments)) for a, b in arrays
        )

    return overlaps
