"""The pages of an account: forgotten password to new password, and a change of address."""

import time

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chromium import WAIT_SECONDS, console_errors, visible
from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

EMAIL, NEW_EMAIL = "bob.forgetful@example.com", "bob.remembers@example.com"
OLD, NEW = "a password he forgot", "a heron in the shallows"


def test_forgotten_password_and_new_address(server: Server, browser: Chrome) -> None:
    secret = post(server, "auth/register", email=EMAIL, password=OLD).json()["registration_secret"]
    token = mailed_link(server, EMAIL, 1).rpartition("=")[2]
    post(server, "auth/email/confirm", token=token, registration_secret=secret)

    browser.get(f"{server.origin}/forgot-password")
    submit(browser, "email", EMAIL, "done")
    browser.get(mailed_link(server, EMAIL, 2))
    assert visible(browser, "h1").text == "Set a new password"
    submit(browser, "password", "short", "failed")
    console_errors(browser)  # the 422 is one
    submit(browser, "password", NEW, "done")
    assert not browser.find_element("css selector", "form").is_displayed()
    assert sign_in(server, EMAIL, OLD).status_code == 400
    signed_in = sign_in(server, EMAIL, NEW)
    assert signed_in.status_code == 200
    browser.refresh()
    submit(browser, "password", NEW, "failed")  # the link is used
    assert "not valid any more" in visible(browser, "#result").text
    console_errors(browser)

    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    change = {"new_email": NEW_EMAIL, "current_password": NEW}
    post(server, "users/me/email", headers, **change)
    browser.get(mailed_link(server, NEW_EMAIL, 1))
    assert "password of your account" in visible(browser, "form").text
    # A front end on this origin may have kept the secret of some registration: of no use here.
    browser.execute_script("localStorage.setItem('plaza.registration_secret', 'of another')")
    browser.refresh()
    visible(browser, "form button").click()
    submit(browser, "password", OLD, "failed")
    console_errors(browser)
    submit(browser, "password", NEW, "done")
    assert sign_in(server, NEW_EMAIL, NEW).status_code == 200
    assert console_errors(browser) == []


def post(
    server: Server, path: str, headers: dict[str, str] | None = None, **body: str
) -> httpx.Response:
    """A successful call of the API."""
    answer = httpx.post(f"{server.origin}/api/v1/{path}", json=body, headers=headers)
    assert answer.is_success, answer.text
    return answer


def sign_in(server: Server, email: str, password: str) -> httpx.Response:
    """The answer of the token endpoint."""
    form = {"username": email, "password": password}
    return httpx.post(f"{server.origin}/api/v1/auth/token", data=form)


def mailed_link(server: Server, to: str, count: int) -> str:
    """The link in the `count`th mail to an address."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        mails = httpx.get(f"{server.origin}/dev/mailbox", params={"to": to}).json()["items"]
        if len(mails) >= count:
            return str(mails[-count]["links"][0])
        time.sleep(0.2)
    pytest.fail("no mail arrived")


def submit(browser: Chrome, field: str, value: str, state: str) -> None:
    """Fill in the page's form, press its button, and see what comes of it."""
    element = visible(browser, f"form input[name={field}]")
    element.clear()
    element.send_keys(value)
    browser.execute_script("delete document.querySelector('#result').dataset.state")
    visible(browser, "form button").click()
    visible(browser, "#result[data-state]")
    WebDriverWait(browser, WAIT_SECONDS).until(
        lambda chrome: (
            chrome.find_element("css selector", "#result").get_attribute("data-state") == state
        )
    )
