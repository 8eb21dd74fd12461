"""The pages of an account: forgotten password to new password, and a change of address."""

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chromium import WAIT_SECONDS, console_errors, visible
from tests.browser.conftest import Server, mailed_link

pytestmark = pytest.mark.browser

EMAIL, NEW_EMAIL = "bob.forgetful@example.com", "bob.remembers@example.com"
OLD, NEW = "a password they forgot", "a heron in the shallows"


def test_forgotten_password_and_new_address(server: Server, browser: Chrome) -> None:
    secret = post(server, "auth/register", email=EMAIL, password=OLD).json()["registration_secret"]
    token = mailed_link(server, EMAIL, 1).rpartition("=")[2]
    post(server, "auth/email/confirm", token=token, registration_secret=secret)

    browser.get(f"{server.origin}/forgot-password")
    submit(browser, "email", EMAIL, "done")
    assert visible(browser, "nav a").text == "Sign in"
    browser.get(mailed_link(server, EMAIL, 2))
    assert visible(browser, "h1").text == "Set a new password"
    # A password manager learns whose password it is, where this browser asked for the link.
    assert field(browser, "username").get_attribute("value") == EMAIL
    assert field(browser, "username").get_attribute("autocomplete") == "username"
    assert field(browser, "password").get_attribute("autocomplete") == "new-password"
    rules = set()
    for weak in ("short", EMAIL, "password123"):
        submit(browser, "password", weak, "failed")
        rules.add(visible(browser, ".error").text)
    assert len(rules) == 3
    assert "8" in " ".join(rules)
    console_errors(browser)  # the 422 is one
    submit(browser, "password", NEW, "done")
    assert not browser.find_element("css selector", "form").is_displayed()
    assert "Sign in" in visible(browser, "#result").text
    assert sign_in(server, EMAIL, OLD).status_code == 400
    signed_in = sign_in(server, EMAIL, NEW)
    assert signed_in.status_code == 200
    browser.refresh()
    assert field(browser, "username").get_attribute("value") == ""
    submit(browser, "password", NEW, "failed")  # the link is used
    assert "does not work any more" in visible(browser, "#result").text
    assert not browser.find_element("css selector", "form").is_displayed()
    visible(browser, "#next a").click()
    assert visible(browser, "h1").text == "Forgot your password?"
    console_errors(browser)
    browser.get(f"{server.origin}/reset-password")  # a link that was cut short
    assert "does not work any more" in visible(browser, "#result").text
    assert not browser.find_element("css selector", "form").is_displayed()

    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    change = {"new_email": NEW_EMAIL, "current_password": NEW}
    post(server, "users/me/email", headers, **change)
    browser.get(mailed_link(server, NEW_EMAIL, 1))
    assert "password of your account" in visible(browser, "form").text
    # A front end on this origin may have kept the secret of some registration: of no use here.
    browser.execute_script("localStorage.setItem('plaza.registration_secret', 'of another')")
    browser.refresh()
    visible(browser, "form button[type=submit]").click()
    submit(browser, "password", OLD, "failed")
    console_errors(browser)
    submit(browser, "password", NEW, "done")
    assert sign_in(server, NEW_EMAIL, NEW).status_code == 200
    assert console_errors(browser) == []


def test_a_link_that_is_used_says_what_to_do(server: Server, browser: Chrome) -> None:
    email = "carl.clicks.twice@example.com"
    post(server, "auth/register", email=email, password=OLD)
    link = mailed_link(server, email, 1)
    browser.get(f"{server.origin}/confirm-email")  # without a link: ask for one
    submit(browser, "email", email, "done", form="#resend")
    newer = mailed_link(server, email, 2)
    browser.get(link)
    submit(browser, "password", OLD, "failed")
    assert "a newer one was mailed" in visible(browser, "#result").text
    assert not browser.find_element("css selector", "#confirm").is_displayed()
    visible(browser, "#next a").click()
    assert visible(browser, "#resend").is_displayed()
    console_errors(browser)
    browser.get(newer)
    submit(browser, "password", OLD, "done")
    assert "You can sign in now" in visible(browser, "#result").text
    assert visible(browser, "nav a").get_attribute("href") == f"{server.origin}/docs"
    assert console_errors(browser) == []


def test_an_address_confirmed_already_is_no_failure(server: Server, browser: Chrome) -> None:
    """Whatever the link, what the API answers is shown so."""
    browser.get(f"{server.origin}/confirm-email?token=x")
    browser.execute_script(
        "window.fetch = async () => Response.json({code: 'email_already_confirmed'}, {status: 409})"
    )
    submit(browser, "password", OLD, "done")
    assert "confirmed already" in visible(browser, "#result").text
    assert not browser.find_element("css selector", "#next").is_displayed()
    assert not browser.find_element("css selector", "#confirm").is_displayed()


def test_a_phone_shows_addresses_in_one_piece(server: Server, browser: Chrome) -> None:
    email = "dora.with-a-hyphen@example.com"
    post(server, "auth/register", email=email, password=OLD)
    mailed_link(server, email, 1)
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True},
    )
    browser.get(f"{server.origin}/dev/mailbox")
    for address in browser.find_elements("css selector", ".address"):
        assert address.size["height"] < 2 * 16 * 1.5  # one line
    for path in ("/dev/mailbox", "/confirm-email", "/forgot-password", "/reset-password"):
        browser.get(f"{server.origin}{path}")
        width = "return document.documentElement.scrollWidth"
        assert browser.execute_script(width) <= 320


def field(browser: Chrome, name: str) -> WebElement:
    """A field of the page's form, seen or not."""
    element: WebElement = browser.find_element("css selector", f"form input[name={name}]")
    return element


def post(
    server: Server, path: str, headers: dict[str, str] | None = None, **body: str
) -> httpx.Response:
    """A successful call of the API."""
    url = f"{server.origin}/api/v1/{path}"
    answer = httpx.post(url, json=body, headers=headers, timeout=WAIT_SECONDS)
    assert answer.is_success, answer.text
    return answer


def sign_in(server: Server, email: str, password: str) -> httpx.Response:
    """The answer of the token endpoint."""
    form = {"username": email, "password": password}
    return httpx.post(f"{server.origin}/api/v1/auth/token", data=form)


def submit(browser: Chrome, field: str, value: str, state: str, form: str = "form") -> None:
    """Fill in the page's form, press its button, and see what comes of it."""
    element = visible(browser, f"{form} input[name={field}]")
    element.clear()
    element.send_keys(value)
    browser.execute_script("delete document.querySelector('#result').dataset.state")
    visible(browser, f"{form} button[type=submit]").click()
    WebDriverWait(browser, WAIT_SECONDS).until(
        lambda chrome: (
            chrome.find_element("css selector", "#result").get_attribute("data-state") == state
        )
    )
