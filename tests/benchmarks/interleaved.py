"""Time several functions in one process, taking turns, so that a noisy machine is fair to all."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping


def interleaved(
    functions: Mapping[str, Callable[[], object]], rounds: int = 40, calls: int = 50
) -> dict[str, float]:
    """The median seconds a call of each function, over rounds in which each takes its turn."""
    for function in functions.values():
        for _ in range(calls):
            function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            gc.collect()
            start = time.perf_counter()
            for _ in range(calls):
                function()
            seconds[name].append((time.perf_counter() - start) / calls)
    return {name: statistics.median(times) for name, times in seconds.items()}
