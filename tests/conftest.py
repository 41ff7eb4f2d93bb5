"""What several modules of tests share: one browser for all of them."""

import os

import pytest
from playwright.sync_api import sync_playwright

from tools.browser import FLAGS, NAMES, find_browser


def give_up(reason):
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def browser():
    program = find_browser()
    if program is None:
        give_up(f"no browser to read the book with: none of {', '.join(NAMES)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()
