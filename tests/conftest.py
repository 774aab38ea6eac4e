"""What every test shares: seeded random numbers, and one profile for drawn examples."""

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

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
