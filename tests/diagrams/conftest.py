"""A browser for pages: Debian's chromium, where it and playwright are installed."""

import shutil

import pytest


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window; tests that need it are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium")
    with (
        playwright.sync_playwright() as driver,
        driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as opened,
    ):
        yield opened
