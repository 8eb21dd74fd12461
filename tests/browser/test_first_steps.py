"""A newcomer's first minutes: register, confirm by mail, sign in at /docs, call the API."""

import subprocess

import httpx
import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chromium import WAIT_SECONDS, console_errors, visible
from tests.browser.conftest import Server, mailed_link

pytestmark = pytest.mark.browser

GREETING = "thank you for registering at Plaza"
EMAIL = "ann.newcomer@example.com"
PASSWORD = "correct horse battery staple"


def test_from_registration_to_the_first_call(server: Server, browser: Chrome) -> None:
    register(server)
    read_the_mail(server, browser)
    follow_its_link_and_confirm(browser)
    authorize_in_swagger_ui(server, browser)
    assert EMAIL in call_users_me(browser)
    browser.get(f"{server.origin}/docs")  # the authorization is kept
    assert EMAIL in call_users_me(browser)
    assert console_errors(browser) == []


def test_the_steps_of_the_start_page_work(server: Server, browser: Chrome) -> None:
    browser.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    browser.get(f"{server.origin}/")
    password = visible(browser, ".steps code").text
    # ann@example.com is somebody whom other tests have registered.
    register, call = (
        copied(browser, button).replace("ann@example.com", "bea@example.com")
        for button in buttons(browser)
    )
    assert '"confirmation_sent"' in run(register)
    browser.get(mailed_link(server, "bea@example.com", 1))
    visible(browser, "form#confirm input[name=password]").send_keys(password, Keys.ENTER)
    visible(browser, "#result[data-state=done]")
    assert '"email":"bea@example.com"' in run(call)
    assert console_errors(browser) == []


def buttons(browser: Chrome) -> list[WebElement]:
    """Those that copy commands."""
    return browser.find_elements(By.CSS_SELECTOR, ".steps button")


def copied(browser: Chrome, button: WebElement) -> str:
    """What a button puts on the clipboard."""
    button.click()
    WebDriverWait(browser, WAIT_SECONDS).until(lambda _: button.text == "Copied")
    return str(browser.execute_script("return navigator.clipboard.readText()"))


def run(command: str) -> str:
    """What a command of the page prints in a shell."""
    return subprocess.run(
        ["/bin/sh", "-euc", command], capture_output=True, text=True, check=True
    ).stdout


def test_what_swagger_ui_suggests_can_be_sent(server: Server, browser: Chrome) -> None:
    browser.get(f"{server.origin}/docs")
    assert execute(browser, "post", "/api/v1/auth/register")[0] == "202"
    # The right password of an account that is not confirmed.
    status, body = execute(browser, "post", "/api/v1/auth/token")
    assert status == "400"
    assert "email_not_confirmed" in body


def test_redoc_shows_the_api(server: Server, browser: Chrome) -> None:
    browser.get(f"{server.origin}/redoc")
    visible(browser, "[data-section-id='tag/users'], li[data-item-id='tag/users']")
    assert console_errors(browser) == []


def register(server: Server) -> None:
    """Register through the API, and wait until the mail is there."""
    account = {"email": EMAIL, "password": PASSWORD, "display_name": "Ann Newcomer"}
    response = httpx.post(f"{server.origin}/api/v1/auth/register", json=account)
    assert response.status_code == 202, response.text
    mailed_link(server, EMAIL, 1)


def read_the_mail(server: Server, browser: Chrome) -> None:
    """Find the mail in the mailbox, look at both of its forms, and come back to it."""
    browser.get(f"{server.origin}/dev/mailbox")
    row = visible(browser, "tbody tr")
    assert EMAIL in row.text
    row.find_element(By.TAG_NAME, "a").click()
    assert GREETING in visible(browser, "#text pre").text
    browser.switch_to.frame(visible(browser, "iframe"))
    assert GREETING in visible(browser, "body").text
    browser.switch_to.default_content()
    for form in ("html", "text"):
        visible(browser, f"#{form} h2 a").click()
        assert browser.current_url.endswith(f"/{form}")
        assert GREETING in visible(browser, "body").text
        browser.back()
    assert console_errors(browser) == []


def follow_its_link_and_confirm(browser: Chrome) -> None:
    """Confirm on the page behind the link, with the password: this browser has no secret."""
    visible(browser, "#links a").click()
    visible(browser, "form#confirm input[name=password]").send_keys(PASSWORD)
    visible(browser, "form#confirm button[type=submit]").click()
    visible(browser, "#result[data-state]")
    result = visible(browser, "#result")
    assert result.get_attribute("data-state") == "done", result.text
    assert console_errors(browser) == []


def authorize_in_swagger_ui(server: Server, browser: Chrome) -> None:
    """Sign in with the password form of /docs."""
    browser.get(f"{server.origin}/docs")
    visible(browser, ".auth-wrapper button.authorize").click()
    visible(browser, "#oauth_username").send_keys(EMAIL)
    visible(browser, "#oauth_password").send_keys(PASSWORD)
    form = ".auth-container:has(#oauth_username):not(:has(.auth-container))"
    visible(browser, f"{form} button[aria-label^='Apply']").click()
    visible(browser, "button[aria-label='Remove authorization'] + button.btn-done").click()
    assert console_errors(browser) == []


def call_users_me(browser: Chrome) -> str:
    """Execute GET /api/v1/users/me in Swagger UI and return the shown body."""
    status, body = execute(browser, "get", "/api/v1/users/me")
    assert status == "200"
    return body


def execute(browser: Chrome, method: str, path: str) -> tuple[str, str]:
    """Execute an operation in Swagger UI as it is filled in: the shown status and body."""
    operation = f".opblock-{method}:has([data-path='{path}'])"
    visible(browser, f"{operation} .opblock-summary-control").click()
    visible(browser, f"{operation} button.execute").click()
    answer = f"{operation} .live-responses-table .response"
    status = visible(browser, f"{answer} .response-col_status").text.split()[0]
    return status, visible(browser, f"{answer} .microlight").text
