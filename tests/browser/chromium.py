"""Chromium: how it is started, and what is asked of it."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.wait import WebDriverWait

WAIT_SECONDS = 20
BROWSER_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,1000",
    # No name but this machine's resolves: a request to another host is refused.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def chromium(profile: Path, *flags: str) -> Chrome:
    """A browser without a window, to be used as a context manager. The last of two flags counts."""
    options = ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    for flag in (*BROWSER_FLAGS, *flags, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return Chrome(options, Service(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver")))


def visible(browser: Chrome, selector: str) -> WebElement:
    """The first element of a CSS selector, once it can be seen."""
    found = expected.visibility_of_element_located((By.CSS_SELECTOR, selector))
    element: WebElement = WebDriverWait(browser, WAIT_SECONDS).until(found)
    return element


def console_errors(browser: Chrome) -> list[str]:
    """What the console has reported as an error since the last call; CSP violations are errors."""
    return [entry["message"] for entry in _log(browser, "browser") if entry["level"] == "SEVERE"]


def foreign_requests(browser: Chrome, origin: str) -> list[str]:
    """What pages have requested elsewhere, except what their own CSP has stopped."""
    events = [json.loads(entry["message"])["message"] for entry in _log(browser, "performance")]
    stopped = {
        event["params"]["requestId"]
        for event in events
        if event["method"] == "Network.loadingFailed"
        and event["params"].get("blockedReason") == "csp"
    }
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
        and event["params"]["requestId"] not in stopped
        and not _belongs_to(origin, event["params"]["request"]["url"])
    ]


def _belongs_to(origin: str, url: str) -> bool:
    parts = urlsplit(url)
    local = {"about", "blob", "chrome", "data"}  # the browser's own pages, and no network
    return parts.scheme in local or f"{parts.scheme}://{parts.netloc}" == origin


def _log(browser: Chrome, kind: str) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return entries
