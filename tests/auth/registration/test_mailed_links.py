"""Where mailed links lead, and in which language: never where a request's headers say."""

import httpx
import pytest

from src.config import Settings
from src.mail.mailbox import StoredMail
from tests.auth.support import REGISTER, RESEND
from tests.support import PASSWORD, Accounts, Inbox

ANN = {"email": "ann@x.test", "password": PASSWORD}
POISON = [
    {"Host": "evil.test"},
    {"Host": "plaza.test@evil.test"},
    {"X-Forwarded-Host": "evil.test"},
    {"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "666"},
    {"Forwarded": 'for=1.2.3.4;host="evil.test";proto=https'},
    {"X-Original-Host": "evil.test", "X-Host": "evil.test", "X-HTTP-Host-Override": "evil.test"},
    {"X-Forwarded-Prefix": "/evil.test", "X-Original-URL": "/evil.test"},
    {"Origin": "https://evil.test", "Referer": "https://evil.test/"},
]


LANGUAGES = {
    "ru": "ru",
    "ru-RU,ru;q=0.9,en;q=0.8": "ru",
    "RU": "ru",
    "ru;q=1.0, en;q=0.5": "ru",
    "en;q=0.5, ru;q=0.9": "ru",
    "en": "en",
    "en-GB,ru;q=0.5": "en",
    "de-DE,de;q=0.9": "en",
    "run": "en",
    "*": "en",
    "": "en",
    "ru;q=nonsense": "en",
    "ru;q=0, en": "en",
    ";;,,=\u00ff": "en",
    ",".join(["en-US"] * 100): "en",
}
GREETING = "\u0417\u0434\u0440\u0430\u0432\u0441\u0442\u0432\u0443\u0439\u0442\u0435"


def words(mail: StoredMail) -> str:
    """All that a mail says."""
    return f"{mail.subject}\n{mail.sender}\n{mail.text}\n{mail.html}"


@pytest.mark.parametrize("frontend", [None, "https://app.example.test"])
class TestPoison:
    """With a front end or without."""

    @pytest.fixture
    def settings(self, settings: Settings, frontend: str | None) -> Settings:
        return settings.model_copy(update={"frontend_url": frontend, "email_links_per_hour": 50})

    async def test_no_header_gets_into_a_mail(
        self, client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox, frontend: str | None
    ) -> None:
        await accounts.add("known")
        for headers in POISON:
            await client.post(REGISTER, json=ANN, headers=headers)
            await client.post(RESEND, json={"email": ANN["email"]}, headers=headers)
            known = ANN | {"email": "known@x.test"}
            await client.post(REGISTER, json=known, headers=headers)
        await client.post(REGISTER, json=ANN | {"email": "last@x.test"})
        await inbox.mails("last@x.test", 1)
        home = frontend or "http://plaza.test"
        mails = inbox.mailbox.messages()
        assert len(mails) > len(POISON)
        for mail in mails:
            assert "evil" not in words(mail)
            assert [link for link in mail.links if not link.startswith(home)] == []


async def test_without_a_front_end_the_link_leads_to_our_page(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    await client.post(REGISTER, json=ANN)
    token = await inbox.token("ann@x.test")
    [mail] = await inbox.mails("ann@x.test", 1)
    assert mail.links == [f"http://plaza.test/confirm-email?token={token}"]
    assert mail.links[0] in (mail.html or "")


async def test_password_managers_find_the_page_for_a_new_password(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/.well-known/change-password")
    assert answer.status_code == 303
    assert answer.headers["location"] == "http://plaza.test/forgot-password"
    assert (await client.get(answer.headers["location"])).status_code == 200
    # By this they tell whether the server says 200 to everything.
    unknown = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
    assert (await client.get(unknown)).status_code == 404


async def test_no_field_of_our_pages_cuts_what_is_pasted(client: httpx.AsyncClient) -> None:
    for path in ("/confirm-email", "/reset-password", "/forgot-password"):
        page = await client.get(path)
        assert "<input" in page.text
        assert "maxlength" not in page.text


class TestWithAFrontEnd:
    """FRONTEND_URL is set, here with a path and a slash too many."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        changed = settings.model_dump() | {"frontend_url": "https://app.example.test/shop/"}
        return Settings(_env_file=None, **changed)

    async def test_the_token_is_in_the_fragment(
        self, client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
    ) -> None:
        await client.post(REGISTER, json=ANN)
        token = await inbox.token("ann@x.test")
        [mail] = await inbox.mails("ann@x.test", 1)
        assert mail.links == [f"https://app.example.test/shop/confirm-email#token={token}"]
        assert mail.links[0] in (mail.html or "")
        await accounts.add("known")
        await client.post(REGISTER, json=ANN | {"email": "known@x.test"})
        [notice] = await inbox.mails("known@x.test", 1)
        assert notice.links == ["https://app.example.test/shop"]

    async def test_password_managers_are_led_there(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/.well-known/change-password", headers={"Host": "evil.test"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "https://app.example.test/shop/forgot-password"


async def test_the_browsers_language_is_the_mails(client: httpx.AsyncClient, inbox: Inbox) -> None:
    outcomes = {}
    for number, accept_language in enumerate(LANGUAGES):
        headers = {b"Accept-Language": accept_language.encode("latin-1")}
        body = ANN | {"email": f"ann{number}@x.test"}
        answer = await client.post(REGISTER, json=body, headers=headers)
        assert answer.status_code == 202, accept_language
        again = await client.post(RESEND, json={"email": body["email"]}, headers=headers)
        assert again.status_code == 202, accept_language
        [mail, *_] = await inbox.mails(body["email"], 1)
        russian = {GREETING in mail.text, GREETING in (mail.html or ""), not mail.subject.isascii()}
        outcomes[accept_language] = "ru" if russian == {True} else "en"
        assert len(russian) == 1
    assert outcomes == LANGUAGES


async def test_the_owner_of_a_known_address_is_told_in_their_own_language(
    client: httpx.AsyncClient, accounts: Accounts, inbox: Inbox
) -> None:
    ann = await accounts.sign_in("ann")
    await client.patch("/api/v1/users/me", headers=ann.headers, json={"locale": "ru"})
    await client.post(REGISTER, json=ANN, headers={"Accept-Language": "en"})
    [mail] = await inbox.mails("ann@x.test", 1)
    assert not mail.subject.isascii()


async def test_what_a_stranger_calls_themselves_is_not_in_the_mail(
    client: httpx.AsyncClient, inbox: Inbox
) -> None:
    """Or our mail would carry their advertisement."""
    name = "Visit https://evil.test now"
    await client.post(REGISTER, json=ANN | {"display_name": name, "username": "evil-shop"})
    [mail] = await inbox.mails("ann@x.test", 1)
    assert "evil" not in words(mail)
