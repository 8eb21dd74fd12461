"""Another host of the domain, and another site, cannot put their cookies in the place of ours."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chromium import WAIT_SECONDS, chromium
from tests.browser.conftest import running_server
from tests.browser.tls import TlsFront
from tests.certificates import self_signed

pytestmark = pytest.mark.browser

OURS, SIBLING, ELSEWHERE = "app.example.com", "evil.example.com", "evil.test"
RULES = "--host-resolver-rules=" + ", ".join(
    [*(f"MAP {host} 127.0.0.1" for host in (OURS, SIBLING, ELSEWHERE)), "MAP * ~NOTFOUND"]
)
PASSWORD = "correct horse battery"
COOKIE, DEVICE = "__Host-plaza_refresh", "__Host-plaza_device"
# By way of Set-Cookie, each character a byte.
IMITATIONS = [
    f"\xa0{COOKIE}=%s",
    f"\xc2\xa0{COOKIE}=%s",
    f"{COOKIE}\xa0=%s",
    f"\x85{COOKIE}=%s",
    f"__HOST-{COOKIE[7:]}=%s",
    f"%%20{COOKIE}=%s",
    f'"{COOKIE}"=%s',
    f"={COOKIE}=%s",
    f"{COOKIE}=%s",
]
FETCH = """
    const [path, form, done] = arguments;
    const body = form && new URLSearchParams(form);
    fetch(`/api/v1/auth/web/${path}`, { method: "POST", body }).then(async (answer) => {
        const text = await answer.text();
        done([answer.status, text ? JSON.parse(text).code ?? null : null]);
    });
"""
FORM = """<form method="post" action="{action}">
<input name="username" value="eve"><input name="password" value="{password}"></form>
<script>document.forms[0].submit()</script>"""


class EvilPages(BaseHTTPRequestHandler):
    """Set the cookie that is asked for, or send a form to the action that is asked for."""

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query, encoding="latin-1")
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        for cookie in query.get("cookie", []):
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        for action in query.get("action", []):
            self.wfile.write(FORM.format(action=action, password=PASSWORD).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@dataclass(frozen=True, slots=True)
class Ann:
    """Her browser, the origin of Plaza, the port of evil hosts, and the token Eve would toss."""

    browser: Chrome
    origin: str
    evil_port: int
    eves_token: str

    def meet(self, host: str, **query: str) -> None:
        """Visit an evil host."""
        arguments = urlencode(query, encoding="latin-1")
        self.browser.get(f"https://{host}:{self.evil_port}/?{arguments}")

    def post(self, path: str, **form: str) -> tuple[int, str | None]:
        """The status that a page of ours gets from /auth/web, and the code of a problem."""
        if not self.browser.current_url.startswith(self.origin):
            self.browser.get(f"{self.origin}/forgot-password")
        status, problem = self.browser.execute_async_script(FETCH, path, form or None)
        return status, problem

    def sign_in(self) -> None:
        """Leave her session in the browser."""
        assert self.post("login", username="ann", password=PASSWORD) == (200, None)

    def cookies(self) -> dict[str, str]:
        """What the browser keeps, for whatever host."""
        found = self.browser.execute_cdp_cmd("Storage.getCookies", {})["cookies"]
        return {one["name"]: one["value"] for one in found}

    def holds(self, token: str) -> bool:
        """Whether the browser keeps it in some cookie."""
        return any(token in value for value in self.cookies().values())


@pytest.fixture(scope="module")
def ann(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ann]:
    """Plaza at its host, evil pages at others, and a browser that believes all of it."""
    folder = tmp_path_factory.mktemp("tossed")
    _, context = self_signed(folder)
    front, evil = TlsFront(context), ThreadingHTTPServer(("127.0.0.1", 0), EvilPages)
    evil.socket = context.wrap_socket(evil.socket, server_side=True)
    origin = f"https://{OURS}:{front.port}"
    with (
        serving(front),
        serving(evil),
        running_server(PUBLIC_URL=origin) as server,
        httpx.Client(base_url=server.origin, headers={"Origin": origin}) as plaza,
        chromium(folder / "profile", RULES, "--ignore-certificate-errors") as browser,
    ):
        front.target_port = plaza.base_url.port or 0
        for name in ("ann", "eve"):
            register(plaza, name)
        form = {"username": "eve", "password": PASSWORD}
        answer = plaza.post("/api/v1/auth/web/login", data=form)
        yield Ann(browser, origin, evil.server_port, answer.cookies[COOKIE])


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Serve in a thread."""
    with server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def register(plaza: httpx.Client, username: str) -> None:
    email = f"{username}@example.com"
    body = {"email": email, "username": username, "password": PASSWORD}
    secret = plaza.post("/api/v1/auth/register", json=body).json()["registration_secret"]
    deadline = time.monotonic() + WAIT_SECONDS
    while not (mails := plaza.get("/dev/mailbox", params={"to": email}).json()["items"]):
        assert time.monotonic() < deadline, "no mail arrived"
        time.sleep(0.1)
    proof = {"token": mails[0]["links"][0].rpartition("=")[2], "registration_secret": secret}
    assert plaza.post("/api/v1/auth/email/confirm", json=proof).is_success


def test_no_host_of_the_domain_signs_ann_in_as_somebody_else(ann: Ann) -> None:
    taken = []
    for imitation in IMITATIONS:
        cookie = f"{imitation % ann.eves_token}; Domain=example.com; Path=/; Secure"
        ann.sign_in()
        ann.meet(SIBLING, cookie=cookie)
        if ann.holds(ann.eves_token):
            taken.append(imitation)
            assert ann.post("refresh") == (400, "duplicate_cookie"), imitation
            assert ann.post("logout") == (204, None)
            assert not ann.holds(ann.eves_token)
            ann.meet(SIBLING, cookie=cookie)
            assert ann.post("refresh") == (400, "invalid_grant"), imitation
        else:
            assert ann.post("refresh") == (200, None), imitation
        assert ann.post("logout") == (204, None)
    assert IMITATIONS[0] in taken  # or this browser shows nothing


def test_a_form_of_another_site_leaves_the_device_known(ann: Ann) -> None:
    ann.sign_in()
    for host in (ELSEWHERE, SIBLING):
        device = ann.cookies()[DEVICE]
        ann.meet(host, action=f"{ann.origin}/api/v1/auth/token")
        WebDriverWait(ann.browser, WAIT_SECONDS).until(
            lambda browser: "access_token" in browser.page_source
        )
        assert ann.cookies()[DEVICE] == device
