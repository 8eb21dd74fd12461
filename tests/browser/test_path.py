"""Pages and documentation under a path of another server, which a proxy strips."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.chromium import chromium, console_errors, foreign_requests, visible
from tests.browser.conftest import running_server
from tests.stripping_proxy import StrippingProxy, stripping_proxy

pytestmark = pytest.mark.browser


@pytest.fixture
def proxy() -> Iterator[StrippingProxy]:
    """The proxy, with Plaza behind it."""
    with stripping_proxy() as proxy, running_server(PUBLIC_URL=proxy.url) as server:
        proxy.target_port = urlsplit(server.origin).port or 0
        yield proxy


def test_forms_and_swagger_ui_reach_the_api(proxy: StrippingProxy, tmp_path: Path) -> None:
    with chromium(tmp_path / "profile") as browser:
        browser.get(proxy.url)
        assert f"curl -sS {proxy.url}/api/v1/" in visible(browser, "pre").text
        visible(browser, ".doors a[href$='/forgot-password']").click()
        visible(browser, "input[name=email]").send_keys("ann@example.com")
        visible(browser, "form button[type=submit]").click()
        visible(browser, "#result[data-state=done]")
        browser.get(f"{proxy.url}/docs")
        operation = ".opblock-get:has([data-path='/api/v1/posts'])"
        visible(browser, f"{operation} .opblock-summary-control").click()
        visible(browser, f"{operation} button.execute").click()
        answer = f"{operation} .live-responses-table .response"
        assert visible(browser, f"{answer} .response-col_status").text.startswith("200")
        assert console_errors(browser) == []
        assert foreign_requests(browser, proxy.url.removesuffix("/plaza")) == []
