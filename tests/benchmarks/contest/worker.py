"""One contestant doing one work: `python -m contest.worker WORK CONTESTANT FILE`.

It saves its numbers to the file, warms up, says in a line of JSON how it did, and then times a
round for each line that it reads, until there are no more.
"""

import gc
import json
import os
import sys
import time

import numpy as np

from .contestants import CONTESTANTS
from .works import WORKS, Network

STEPS = 10  # of training, whose losses are compared
ROUND = 0.2  # seconds


def timed(run, calls):
    """The seconds that so many calls take."""
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return time.perf_counter() - start


def calls_of_a_round(run):
    """How many calls fill a round; finding out is the warm-up."""
    calls = 1
    while (seconds := timed(run, calls)) < ROUND / 2:
        calls *= 2
    return max(1, round(calls * ROUND / seconds))


def numbers(run, work):
    """The losses of the first steps, or the gradients, and the seconds of the first call."""
    start = time.perf_counter()
    first = run()
    seconds = time.perf_counter() - start
    if first is None:  # it only takes time
        return [], seconds
    if isinstance(work, Network):
        return [np.array([first, *(run() for _ in range(STEPS - 1))])], seconds
    return [np.asarray(gradient) for gradient in first], seconds


def main():
    work, name, file = WORKS[sys.argv[1]], *sys.argv[2:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    run = CONTESTANTS[name].make(work)
    found, first_call = numbers(run, work)
    np.savez(file, *found)
    calls = calls_of_a_round(run)
    print(json.dumps({"first_call": first_call, "calls": calls}), file=answers, flush=True)
    for _ in sys.stdin:
        gc.collect()
        timed(run, max(1, calls // 20))  # another contestant has just had the caches
        print(json.dumps(timed(run, calls) / calls), file=answers, flush=True)


if __name__ == "__main__":
    main()
