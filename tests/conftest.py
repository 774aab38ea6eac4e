"""What tests share: seeded random numbers, one profile for drawn examples, and what to restore."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tinygrad_nn.primitives import TABLE, table

settings.register_profile(
    "laws",
    deadline=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("laws")


@pytest.fixture
def rng():
    """Random numbers that are the same in every run, and fresh for every test."""
    return np.random.default_rng(20240229)


@pytest.fixture
def sixty_digits():
    """mpmath computes with 60 digits."""
    with mp.workdps(60):
        yield


@pytest.fixture
def table_restored():
    """The table is left as it was."""
    rows = dict(TABLE)
    yield
    TABLE.clear()
    TABLE.update(rows)
    table._found.clear()
