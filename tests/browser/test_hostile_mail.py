"""A hostile mail in the mailbox: nothing in it runs, and nothing it names is fetched."""

import time
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from src.mail.mailbox import Mailbox
from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

HOSTILE = """
<link rel="stylesheet" href="{elsewhere}/style.css">
<style>@import "{elsewhere}/import.css"; body {{ background: url({elsewhere}/back.png) }}</style>
<meta http-equiv="refresh" content="0;url={elsewhere}/refresh">
<p>Read me</p>
<img src="{elsewhere}/pixel.png">
<img src="x" onerror="document.body.dataset.ran = 'handler'">
<script>document.body.dataset.ran = 'inline'</script>
<script src="{elsewhere}/script.js"></script>
<iframe src="{elsewhere}/frame"></iframe>
<form action="{elsewhere}/form"><button>Send</button></form>
"""


class Elsewhere(ThreadingHTTPServer):
    """Another origin, which remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Remember)
        self.paths: list[str] = []
        self.origin = f"http://127.0.0.1:{self.server_port}"


class _Remember(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Elsewhere)
        self.server.paths.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """Another origin that the browser could reach."""
    with Elsewhere() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_nothing_runs_and_nothing_is_fetched(
    server: Server, browser: Chrome, elsewhere: Elsewhere
) -> None:
    httpx.get(f"{elsewhere.origin}/is-it-there")
    mail = EmailMessage()
    mail["Subject"] = "Hostile"
    mail["To"] = mail["From"] = "eve@example.com"
    mail.set_content("Read me")
    mail.add_alternative(HOSTILE.format(elsewhere=elsewhere.origin), subtype="html")
    mail_id = Mailbox(server.data_dir / "mailbox").add(mail)

    browser.get(f"{server.origin}/dev/mailbox/{mail_id}")
    browser.switch_to.frame(browser.find_element(By.TAG_NAME, "iframe"))
    try_it(browser)
    browser.get(f"{server.origin}/dev/mailbox/{mail_id}/html")
    try_it(browser)

    assert elsewhere.paths == ["/is-it-there"]


def try_it(browser: Chrome) -> None:
    """Press the mail's button and see that its scripts have not run."""
    browser.find_element(By.TAG_NAME, "button").click()
    time.sleep(1)  # what would happen, happens now
    assert "Read me" in browser.find_element(By.TAG_NAME, "body").text
    assert browser.find_element(By.TAG_NAME, "body").get_attribute("data-ran") is None
