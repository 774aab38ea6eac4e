import platform
import subprocess
import sys

import pytest

# In a process of its own, whose memory no other test has shaped.
CODE = """
import resource
import numpy as np
import tinygrad_nn as tnn

x = tnn.Tensor(np.ones(500_000, dtype=np.float32), requires_grad=True)

def step():
    x.grad = None
    np.mean(np.tanh(x * 0.5 + 0.1) ** 2).backward()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

for _ in range(3):
    step()
before = faults()
for _ in range(10):
    step()
print((faults() - before) / 10)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries differ")
def test_the_memory_of_one_recording_serves_the_next():
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    pages = 500_000 * 4 / 4096  # of a single one of the dozen arrays of a step
    assert float(ran.stdout) < pages
