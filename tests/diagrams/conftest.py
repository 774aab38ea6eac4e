"""A browser for pages: Debian's chromium, where it and playwright are installed."""

import os
import shutil
from importlib.util import find_spec

import pytest


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window; tests that need it are skipped where there is none.

    With REQUIRE_BROWSER in the environment they fail there, so that nobody takes them for passed.
    """
    chromium = shutil.which("chromium")
    if chromium is None or find_spec("playwright") is None:
        missing = pytest.fail if "REQUIRE_BROWSER" in os.environ else pytest.skip
        missing("needs chromium and playwright: apt install chromium, pip install '.[browser]'")
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as driver,
        driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as opened,
    ):
        yield opened
