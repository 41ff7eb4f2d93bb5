"""The browser that reads the built book, and prints it."""

import os
import shutil

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
PLACES = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    *(
        os.path.join(os.environ[base], "Google", "Chrome", "Application", "chrome.exe")
        for base in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
        if base in os.environ
    ),
]


def find_browser():
    """The path of Chromium or Chrome, or None."""
    found = [shutil.which(command) for command in NAMES]
    found += [place for place in PLACES if os.path.exists(place)]
    return next(filter(None, found), None)
