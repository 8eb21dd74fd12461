"""The mailbox over HTTP: pages for browsers, JSON for scripts."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from src.addresses.localhost import local_url
from src.config import Settings
from src.mail.mailbox import Mailbox
from src.main import create_app
from tests.mail.support import mailer, message, send_confirmation

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, which here needs no database."""
    async with client_of(settings) as client:
        yield client


def client_of(settings: Settings) -> httpx.AsyncClient:
    """A client of the application with these settings."""
    transport = httpx.ASGITransport(create_app(settings))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")


async def test_json_lists_the_newest_first(
    client: httpx.AsyncClient, settings: Settings, mailbox: Mailbox
) -> None:
    assert (await client.get("/dev/mailbox")).json() == {"items": []}
    await send_confirmation(mailer(settings))
    response = await client.get("/dev/mailbox")
    assert response.headers["content-type"] == "application/json"
    assert response.headers["vary"] == "Accept"
    assert response.headers["cache-control"] == "no-store"
    [item] = response.json()["items"]
    assert item.keys() == {"id", "to", "from", "subject", "date", "text", "html", "links"}
    assert item["from"] == "Plaza <no-reply@plaza.example>"
    assert item["links"] == ["https://plaza.example/c"]
    one = await client.get(f"/dev/mailbox/{item['id']}")
    assert one.json() == item


async def test_to_narrows_the_list(client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    mailbox.add(message("For Ann", to="ann@example.com"))
    mailbox.add(message("For Eve", to="eve@example.com"))
    response = await client.get("/dev/mailbox", params={"to": "ann@example.com"})
    assert [item["subject"] for item in response.json()["items"]] == ["For Ann"]
    page = await client.get("/dev/mailbox", params={"to": "ann@example.com"}, headers=BROWSER)
    assert "For Ann" in page.text
    assert "For Eve" not in page.text
    everything = await client.get("/dev/mailbox", params={"to": ""}, headers=BROWSER)
    assert "For Eve" in everything.text


async def test_a_browser_gets_pages(client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    empty = await client.get("/dev/mailbox", headers=BROWSER)
    assert "No mail yet." in empty.text
    mail_id = mailbox.add(message("Welcome & hello", "Open https://plaza.example/c?a=1&b=2"))
    listing = await client.get("/dev/mailbox", headers=BROWSER)
    assert listing.headers["content-type"] == "text/html; charset=utf-8"
    assert f'<a href="/dev/mailbox/{mail_id}">Welcome &amp; hello</a>' in listing.text
    page = await client.get(f"/dev/mailbox/{mail_id}", headers=BROWSER)
    assert '<a href="https://plaza.example/c?a=1&amp;b=2">' in page.text
    assert "<iframe" not in page.text  # this mail has no HTML
    for response in (listing, page):
        policy = response.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; ")
        assert "unsafe" not in policy
        assert "script-src" not in policy


async def test_the_html_of_a_mail_cannot_run_anything(
    client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    mail = message("<script>alert(1)</script>", "</pre><script>alert(2)</script>")
    mail.add_alternative("<script>alert(3)</script>", subtype="html")
    mail_id = mailbox.add(mail)
    page = await client.get(f"/dev/mailbox/{mail_id}", headers=BROWSER)
    assert "<script" not in page.text
    assert '<iframe title="HTML of the mail" sandbox="allow-popups ' in page.text
    html = await client.get(f"/dev/mailbox/{mail_id}/html", headers=BROWSER)
    assert html.text.strip() == "<script>alert(3)</script>"
    directives = html.headers["content-security-policy"].split("; ")
    assert directives[0] == "sandbox allow-popups allow-popups-to-escape-sandbox"
    assert "default-src 'none'" in directives
    assert "frame-ancestors 'self'" in directives
    assert "img-src data: " in directives


async def test_a_mail_may_load_the_logo_and_nothing_else(
    settings: Settings, mailbox: Mailbox
) -> None:
    logo = "https://cdn.example.com/logo.png"
    mail = message()
    mail.add_alternative(f"<img src={logo}>", subtype="html")
    mail_id = mailbox.add(mail)
    async with client_of(settings.model_copy(update={"brand_logo_url": logo})) as client:
        html = await client.get(f"/dev/mailbox/{mail_id}/html")
    directives = html.headers["content-security-policy"].split("; ")
    assert f"img-src data: {logo}" in directives
    assert [part for part in directives if "http" in part] == [f"img-src data: {logo}"]


async def test_the_raw_text(client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    mail_id = mailbox.add(message(text="<b>Привет</b>"))
    response = await client.get(f"/dev/mailbox/{mail_id}/text")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text == "<b>Привет</b>\n"


async def test_what_is_not_there_is_404(client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    text_only = mailbox.add(message())
    for path in ("0" * 32, "..%2f..%2fsecrets", f"{'0' * 32}/html", "x/text", f"{text_only}/html"):
        response = await client.get(f"/dev/mailbox/{path}")
        assert (response.status_code, path) == (404, path)
        assert response.headers["content-type"] == "application/problem+json"


async def test_it_can_be_emptied(client: httpx.AsyncClient, mailbox: Mailbox) -> None:
    mailbox.add(message())
    response = await client.delete("/dev/mailbox")
    assert (response.status_code, response.content) == (204, b"")
    assert mailbox.messages() == []


async def refusals(client: httpx.AsyncClient, mail_id: str, **headers: str) -> list[str | None]:
    """What each way to read or delete mail is refused with; None where it is not."""
    answers = [
        await client.request(method, f"/dev/mailbox{path}", headers=headers)
        for method, path in (
            ("GET", ""),
            ("GET", f"/{mail_id}"),
            ("GET", f"/{mail_id}/text"),
            ("DELETE", ""),
        )
    ]
    return [answer.json()["code"] if answer.is_error else None for answer in answers]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "localhost@evil.example",
        "127.0.0.1.evil.example:8000",
        "[::1].evil.example",
        "192.168.1.7:8000",
        "0.0.0.0:8000",
        "localhost:8000, evil.example",
        "",
    ],
)
async def test_a_name_that_was_made_to_lead_here_reads_and_deletes_nothing(
    client: httpx.AsyncClient, mailbox: Mailbox, host: str
) -> None:
    mail_id = mailbox.add(message())
    assert set(await refusals(client, mail_id, Host=host)) == {"local_only"}
    assert len(mailbox.messages()) == 1
    page = await client.get("/dev/mailbox", headers={"Host": host} | BROWSER)
    assert page.status_code == 403
    assert page.headers["content-type"] == "application/problem+json"
    assert local_url("127.0.0.1", 8000) in page.json()["detail"]  # where to open it


async def test_two_hosts_are_none(client: httpx.AsyncClient) -> None:
    hosts = [("Host", "localhost:8000"), ("Host", "evil.example")]
    assert (await client.get("/dev/mailbox", headers=hosts)).status_code == 403


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000"]
)
async def test_each_name_of_this_machine_is_answered(
    client: httpx.AsyncClient, mailbox: Mailbox, host: str
) -> None:
    assert set(await refusals(client, mailbox.add(message()), Host=host)) == {None}


async def test_the_public_address_is_answered(settings: Settings, mailbox: Mailbox) -> None:
    public = settings.model_copy(update={"public_url": "http://Plaza.Lan:8080"})
    async with client_of(public) as client:
        assert set(await refusals(client, mailbox.add(message()), Host="plaza.lan:8080")) == {None}


async def test_a_page_of_another_site_can_only_lead_here(
    client: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    mail_id = mailbox.add(message())
    for mode, dest in (("no-cors", "image"), ("cors", "empty"), ("navigate", "iframe"), ("", "")):
        foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        assert set(await refusals(client, mail_id, **foreign)) == {"local_only"}
    link = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    assert await refusals(client, mail_id, **link) == [None, None, None, "local_only"]
    assert len(mailbox.messages()) == 1
    for site in ("same-origin", "same-site", "none"):
        own = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
        assert (await client.get("/dev/mailbox", headers=own)).status_code == 200


async def test_production_has_no_mailbox(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None,
        environment="production",
        data_dir=tmp_path,
        database_url=SecretStr("postgresql://database.example/plaza"),
        public_url="https://plaza.example",
        secret_key=SecretStr("s" * 32),
        jwt_private_key=Settings(_env_file=None, data_dir=tmp_path).jwt_private_key,
        smtp_url=SecretStr("smtps://mail.example"),
    )
    mail_id = Mailbox.of(settings).add(message())
    async with client_of(settings) as client:
        for path in ("", f"/{mail_id}", f"/{mail_id}/html", f"/{mail_id}/text"):
            assert (await client.get(f"/dev/mailbox{path}")).status_code == 404
        assert (await client.delete("/dev/mailbox")).status_code == 404
    assert len(Mailbox.of(settings).messages()) == 1
