"""Every page and mail: readable in light and dark, on a phone and a desktop, in both languages."""

import asyncio
import base64
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from selenium.webdriver import ActionChains, Chrome, Keys

from src.config import Settings
from src.locales import LOCALES
from src.mail.gateway import Mailer
from src.mail.mailbox import Mailbox
from tests.browser.chromium import (
    WAIT_SECONDS,
    chromium,
    console_errors,
    foreign_requests,
    visible,
)
from tests.browser.conftest import Server, running_server
from tests.certificates import self_signed
from tests.mail.support import VALUES

pytestmark = pytest.mark.browser

PAGES = {
    "/": "h1",
    "/forgot-password": "form",
    "/confirm-email?token=x": "#confirm",
    "/confirm-email": "#resend",
    "/reset-password?token=x": "form",
    "/reset-password": "#result",
    "/dev/mailbox": "table",
}
FAULTS = (Path(__file__).parent / "looks.js").read_text()
REACHABLE = """
    return [...document.querySelectorAll("a, button, input")]
        .filter((one) => one.checkVisibility() && one.tabIndex >= 0);
"""
OTHER_IMAGE = """
    const [source, done] = arguments, image = new Image();
    image.onerror = () => done();
    image.src = source;
"""
# What no setting may bring into a page, in the most of a line.
HOSTILE = "</title></style><script>alert(1)</script>\"'>{{ 7 * 7 }}&amp;"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class LogoHost(ThreadingHTTPServer):
    """Serves a picture at every path, and remembers the requests."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Picture)
        self.socket = self_signed(folder)[1].wrap_socket(self.socket, server_side=True)
        self.origin = f"https://localhost:{self.server_port}"
        self.asked: list[tuple[str, str | None, str | None]] = []


class _Picture(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, LogoHost)
        self.server.asked.append((self.path, self.headers["Referer"], self.headers["Cookie"]))
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()
        self.wfile.write(PIXEL)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def logo_host(tmp_path: Path) -> Iterator[LogoHost]:
    """The server of a logo."""
    with LogoHost(tmp_path) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def look(browser: Chrome, scheme: str, width: int, locale: str) -> None:
    """Be a reader with this colour scheme, this width of a window and this language."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    metrics = {"width": width, "height": 700, "deviceScaleFactor": 1, "mobile": width < 500}
    agent = {"userAgent": "test", "acceptLanguage": locale}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.execute_cdp_cmd("Emulation.setUserAgentOverride", agent)


def require_readable(browser: Chrome, width: int, locale: str) -> None:
    """What is shown can be read without scrolling to the side, and says its language."""
    where = browser.current_url
    assert browser.execute_script(FAULTS) == [], where
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width, where
    assert browser.execute_script("return document.documentElement.lang") == locale, where
    assert browser.title, where


def mails(server: Server, locale: str, brand: Mapping[str, str]) -> list[str]:
    """One mail of each kind in the server's mailbox: where their HTML is."""
    settings = Settings(_env_file=None, data_dir=server.data_dir).model_copy(update=brand)
    mailer, mailbox = Mailer(settings), Mailbox.of(settings)
    for template, values in VALUES.items():
        sent = mailer.send(
            to="ann@example.com", template=template, locale=locale, context=values, key=template
        )
        asyncio.run(sent)
    newest = mailbox.messages("ann@example.com")[: len(VALUES)]
    return [f"{server.origin}/dev/mailbox/{mail.id}/html" for mail in newest]


@pytest.mark.parametrize("locale", LOCALES)
def test_pages_and_mails_are_readable(server: Server, browser: Chrome, locale: str) -> None:
    pages = mails(server, locale, {})
    for scheme, width in (("light", 320), ("dark", 1280)):
        look(browser, scheme, width, locale)
        for path, shown in PAGES.items():
            browser.get(server.origin + path)
            visible(browser, shown)
            require_readable(browser, width, locale)
        for url in [*pages, pages[0].removesuffix("/html")]:
            browser.get(url)
            require_readable(browser, width, locale)
    assert console_errors(browser) == []


@pytest.mark.parametrize(
    "path", ["/", "/forgot-password", "/reset-password?token=x", "/dev/mailbox"]
)
def test_the_keyboard_reaches_everything_and_shows_where(
    server: Server, browser: Chrome, path: str
) -> None:
    browser.get(server.origin + path)
    visible(browser, PAGES[path])
    reachable = browser.execute_script(REACHABLE)
    assert reachable
    for expected in reachable:
        ActionChains(browser).send_keys(Keys.TAB).perform()
        assert browser.switch_to.active_element == expected
        assert expected.value_of_css_property("outline-style") == "solid"
        assert float(expected.value_of_css_property("outline-width").removesuffix("px")) >= 2


def test_a_password_field_works_without_a_mouse(server: Server, browser: Chrome) -> None:
    browser.get(f"{server.origin}/reset-password?token=x")
    field = visible(browser, "#password")
    assert "8 to 256 characters" in field_description(browser)  # before the mistake
    field.send_keys("short", Keys.TAB, Keys.SPACE)
    assert field.get_attribute("type") == "text"
    assert browser.switch_to.active_element.text == "Hide password"
    field.send_keys(Keys.ENTER)
    visible(browser, "#error-password")
    assert browser.switch_to.active_element == field
    assert field.get_attribute("type") == "password"
    assert field.get_attribute("aria-invalid") == "true"
    assert "Use at least 8 characters" in field_description(browser)
    assert visible(browser, "button[type=submit]").text == "Save"


def field_description(browser: Chrome) -> str:
    """What a screen reader says of the password field beside its name."""
    [node] = browser.execute_cdp_cmd(
        "Accessibility.queryAXTree",
        {"objectId": object_of(browser, "#password"), "role": "textbox"},
    )["nodes"]
    assert node["name"]["value"] == "New password"
    return str(node["description"]["value"])


def object_of(browser: Chrome, selector: str) -> str:
    """An element, as the protocol of the browser calls it."""
    expression = f"document.querySelector({selector!r})"
    found = browser.execute_cdp_cmd("Runtime.evaluate", {"expression": expression})
    return str(found["result"]["objectId"])


@pytest.mark.parametrize("path", ["/forgot-password", "/confirm-email", "/reset-password?token=x"])
def test_without_scripts_no_form_is_sent(server: Server, browser: Chrome, path: str) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get(server.origin + path)
    assert visible(browser, "noscript p").text == "This page needs JavaScript."
    forms = browser.find_elements("css selector", "form")
    assert forms
    for form in forms:
        assert not form.is_displayed()
        assert form.get_attribute("method") == "post"


def test_a_hostile_name_and_a_logo_stay_in_their_place(logo_host: LogoHost, tmp_path: Path) -> None:
    logo = f"{logo_host.origin}/logo.png"
    brand = {"brand_name": HOSTILE, "brand_color": "#ffe600", "brand_logo_url": logo}
    environment = {name.upper(): value for name, value in brand.items()}
    with (
        running_server(**environment) as server,
        chromium(tmp_path / "profile", "--ignore-certificate-errors") as browser,
    ):
        for scheme, locale in (("light", "en"), ("dark", "ru")):
            look(browser, scheme, 320, locale)
            of_mails = mails(server, locale, brand)
            for url in [*of_mails, *(server.origin + path for path in PAGES)]:
                browser.get(url)
                image = visible(browser, f"img[src='{logo}']")
                assert image.get_attribute("alt") == HOSTILE
                assert image.get_property("naturalWidth") == 1, url  # it was let in
                assert (HOSTILE in browser.title) == (url not in of_mails), url
                require_readable(browser, 320, locale)
        assert console_errors(browser) == []
        browser.set_script_timeout(WAIT_SECONDS)
        browser.execute_async_script(OTHER_IMAGE, f"{logo_host.origin}/other.png")
        assert set(foreign_requests(browser, server.origin)) == {logo}
        assert set(logo_host.asked) == {("/logo.png", None, None)}
