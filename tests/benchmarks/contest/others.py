"""How busy other programs keep the machine while every contestant rests."""

import os
import time
from pathlib import Path

ASLEEP = 0.1  # seconds after a round, in which its threads fall asleep
LOOK = 0.05  # seconds of looking at the machine


class Others:
    """The processors that others kept busy, on average over all rests so far."""

    def __init__(self):
        self.busy, self.seconds = 0.0, 0.0

    def rest(self):
        """Wait before a round, with an eye on the machine."""
        time.sleep(ASLEEP)
        start, before = time.perf_counter(), busy_seconds()
        time.sleep(LOOK)
        self.busy += busy_seconds() - before
        self.seconds += time.perf_counter() - start

    def processors(self):
        """How many were busy."""
        return self.busy / self.seconds


def busy_seconds():
    """The seconds that all processors have worked since the start; zero where nobody counts."""
    counts = Path("/proc/stat")
    if not counts.exists():
        return 0.0
    user, nice, system, _idle, _wait, *interrupts = map(
        int, counts.read_text().split(maxsplit=9)[1:9]
    )
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
