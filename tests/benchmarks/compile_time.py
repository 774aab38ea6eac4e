"""What compiling costs, and what a compiled step allocates.

    python tests/benchmarks/compile_time.py

The seconds to trace a step and to emit its code are those of the first call less those of a later
one: for a training step of the spiral's network, and for the gradients of chains of more and more
operations, where the cost an operation should stay the same.

The bytes are those of one step after the first. The peak is how far the memory that Python and
NumPy allocate rises during the step; a temporary that takes the place of a freed one adds nothing
to it. What is kept is the growth of array data, NumPy's own domain of `tracemalloc`, over the step.
"""

import gc
import statistics
import time
import tracemalloc

import numpy as np
from contest.contestants import COMPILED, CONTESTANTS
from contest.works import WORKS, Chain

REPEATS = 3
LENGTHS = (100, 1_000, 10_000)
TRAINING = ("spiral", "digits", "wide")
BESIDE = ("NumPy by hand", "by hand with out=", "tinygrad_nn eager")


def timed(run):
    """The seconds of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compile_seconds(name, work):
    """The median seconds that the first call of a fresh step takes beyond a later one."""
    found = []
    for _ in range(REPEATS):
        run = CONTESTANTS[name].make(work)
        gc.collect()
        first = timed(run)
        found.append(first - statistics.median(timed(run) for _ in range(5)))
    return statistics.median(found)


def show_seconds(name):
    """Print what it takes to compile the spiral's step, and each chain."""
    print(f"\n{name}: to trace and emit")
    print(f"  spiral step            {compile_seconds(name, WORKS['spiral']) * 1e3:10.2f} ms")
    for operations in LENGTHS:
        seconds = compile_seconds(name, Chain(operations))
        each = seconds / operations * 1e6
        print(f"  chain of {operations:6d}        {seconds * 1e3:10.2f} ms {each:8.2f} µs each")


def array_bytes():
    """The bytes of all arrays that were allocated since tracing began and are alive."""
    arrays = tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)
    traces = tracemalloc.take_snapshot().filter_traces([arrays]).traces
    return sum(trace.size for trace in traces)


def allocated(name, work):
    """The peak of one step, and the array data that it leaves alive beyond what it frees."""
    tracemalloc.start()
    try:
        run = CONTESTANTS[name].make(work)
        run(), run()  # the first compiles, and the second replaces what that left
        gc.collect()
        kept = array_bytes()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        run()
        _, peak = tracemalloc.get_traced_memory()
        return peak - before, array_bytes() - kept
    finally:
        tracemalloc.stop()


def show_bytes(names):
    """Print what a training step allocates."""
    print(f"\n{'bytes of one step':32s}" + "".join(f"{work:>24s}" for work in TRAINING))
    print(" " * 32 + f"{'peak':>14s}{'kept':>10s}" * len(TRAINING))
    for name in names:
        found = (allocated(name, WORKS[work]) for work in TRAINING)
        print(f"{name:32s}" + "".join(f"{peak:14,d}{kept:10,d}" for peak, kept in found))


def main():
    present = []
    for name in COMPILED:
        if reason := CONTESTANTS[name].absence():
            print(f"{name} is left out: {reason}")
        else:
            present.append(name)
    for name in present:
        show_seconds(name)
    show_bytes([*BESIDE, *present])


if __name__ == "__main__":
    main()
