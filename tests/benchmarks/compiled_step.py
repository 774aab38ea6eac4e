"""Five works, done by hand, by tinygrad_nn as it is and compiled, and by its peers.

    python tests/benchmarks/compiled_step.py [WORK ...] [--rounds 20] [--json FILE]

spiral and digits train a small network with Adam, wide a large one with gradient descent; chain
takes gradients through a thousand operations on four values, elementwise through a few on a
million. All is float32, on two threads. contest/works.py says exactly what they are.

Each contestant has a process of its own, and they take turns: a round is so many calls that it
lasts about 0.2 s, and the table shows the median round. Before that, the losses of ten steps, or
the gradients, are compared with those of the reference, which is NumPy by hand; where they
disagree, that is printed and the exit status is 1. A contestant that is not installed is left out.

Other programs at work slow down most those contestants whose threads wait for each other, so that
how many processors they kept busy is printed too (from /proc/stat, so on Linux).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from contest.contestants import CONTESTANTS, REFERENCE
from contest.others import Others
from contest.works import THREADS, WORKS

ENVIRONMENT = {
    **dict.fromkeys(
        (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "NUMBA_NUM_THREADS",
            "NPROC",  # XLA's
            "PJRT_NPROC",  # XLA's newer name of it
        ),
        str(THREADS),
    ),
    "JAX_PLATFORMS": "cpu",
    "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1",  # so that the first call compiles
}


class Worker:
    """A contestant's process, ready to be timed."""

    def __init__(self, work, name, file):
        path = os.pathsep.join(
            filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH")))
        )
        self.title = f"{work}: {name}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "contest.worker", work, name, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": path},
        )
        self.file, self.seconds = file, []

    def __enter__(self):
        self.about = self.answer()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def answer(self):
        """What the process says next.

        Raises:
            SystemExit: it has ended.
        """
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.title}: ended with exit status {self.process.wait()}")
        return json.loads(line)

    def time_a_round(self):
        """Keep the seconds a call of one more round."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.seconds.append(self.answer())

    def numbers(self):
        """What it computed: the losses, or each gradient."""
        with np.load(self.file) as saved:
            return list(saved.values())


def taking_part():
    """The names of the contestants that can; each other one gets a line that says why not."""
    present = []
    for name, contestant in CONTESTANTS.items():
        if reason := contestant.absence():
            print(f"{name} is left out: {reason}")
        else:
            present.append(name)
    return present


def disagreements(workers):
    """A line for each contestant whose numbers are not those of the reference."""
    expected = workers[REFERENCE].numbers()
    for worker in workers.values():
        for i, (found, right) in enumerate(zip(worker.numbers(), expected, strict=False)):
            size = np.abs(right).max()
            near = found.shape == right.shape and np.allclose(
                found, right, rtol=1e-3, atol=1e-4 * size
            )
            if not near:
                off = np.abs(found - right).max() / size if found.shape == right.shape else "shape"
                yield f"{worker.title}: result {i} disagrees with {REFERENCE}: {off}"


def run(work, names, rounds):
    """Set up all contestants, compare their numbers and time them.

    Returns:
        The workers by name, and how many processors others kept busy meanwhile.

    Raises:
        SystemExit: the contestants disagree, or one of them ended.
    """
    others = Others()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        workers = {}
        for i, name in enumerate(names):
            worker = Worker(work, name, Path(folder, f"{i}.npz"))
            workers[name] = stack.enter_context(worker)
        if wrong := list(disagreements(workers)):
            raise SystemExit("\n".join(wrong))
        for _ in range(rounds):
            for worker in workers.values():
                others.rest()
                worker.time_a_round()
    return workers, others.processors()


def summary(workers):
    """For each contestant the median, its ratio to the reference's, and the spread."""
    reference = statistics.median(workers[REFERENCE].seconds)
    return {
        name: {
            "median": statistics.median(worker.seconds),
            "ratio": statistics.median(worker.seconds) / reference,
            "low": float(np.percentile(worker.seconds, 10)),
            "high": float(np.percentile(worker.seconds, 90)),
            **worker.about,
            "seconds": worker.seconds,
        }
        for name, worker in workers.items()
    }


def show(work, table, busy):
    """Print one work's table."""
    print(f"\n{work:32s}       median   ratio       10% to 90%   first call")
    for name, row in table.items():
        spread = f"{row['low'] * 1e6:.1f} to {row['high'] * 1e6:.1f}"
        print(
            f"{name:32s} {row['median'] * 1e6:9.1f} µs   {row['ratio']:5.2f} {spread:>20s}"
            f" {row['first_call']:8.2f} s",
        )
    print(f"Meanwhile other programs kept {busy:.1f} processors busy.", flush=True)


def at_least_one(text):
    """A count of rounds from the command line."""
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError("expected at least 1 round")
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"of {', '.join(WORKS)}; or all")
    parser.add_argument("--rounds", type=at_least_one, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep every round")
    options = parser.parse_args()
    if unknown := set(options.works) - set(WORKS):
        parser.error(f"no such work: {', '.join(sorted(unknown))}; choose from {', '.join(WORKS)}")
    present, tables, busy = taking_part(), {}, {}
    for work in options.works or WORKS:
        names = [name for name in present if work in CONTESTANTS[name].works]
        workers, busy[work] = run(work, names, options.rounds)
        tables[work] = summary(workers)
        show(work, tables[work], busy[work])
    if options.json:
        kept = {"rounds": options.rounds, "threads": THREADS, "busy": busy, "works": tables}
        options.json.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
