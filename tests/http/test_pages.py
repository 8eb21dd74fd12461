"""Our own pages: their language, their brand, and what a hostile brand cannot do."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from html import unescape

import httpx
import pytest

from src.config import Settings
from src.http.templating import TEMPLATES_DIR
from src.locales import LOCALES
from src.main import create_app
from tests.support import talking_to

PAGES = ["/", "/confirm-email", "/forgot-password", "/reset-password", "/dev/mailbox"]
BROWSER = {"Accept": "text/html,*/*;q=0.8", "Host": "localhost"}
HOSTILE = "</title><script>alert(1)</script>\"'>{{ 7 * 7 }} &amp;"
LOGO = "https://cdn.example.com/acme/logo.png"
ACME = {"brand_name": HOSTILE, "brand_color": "#ffe600", "brand_logo_url": LOGO}


async def get(settings: Settings, path: str, **headers: str) -> httpx.Response:
    """What a browser gets."""
    async with talking_to(create_app(settings)) as client:
        return await client.get(path, headers=BROWSER | headers)


def keys(words: Mapping[str, object], path: str = "") -> Iterator[str]:
    """The paths of all words."""
    for key, value in words.items():
        yield path + key
        if isinstance(value, dict):
            yield from keys(value, f"{path}{key}.")


def test_both_languages_have_the_same_words() -> None:
    words = {
        locale: tomllib.loads((TEMPLATES_DIR / f"pages/{locale}.toml").read_text("utf-8"))
        for locale in LOCALES
    }
    assert len({tuple(keys(of_one)) for of_one in words.values()}) == 1
    # A template that asks for one of these would get a method.
    assert not {key.rpartition(".")[2] for key in keys(words["en"])} & set(dir(dict))


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("environment", ["local", "test"])
async def test_a_page_speaks_the_language_of_its_reader(
    plain_settings: Settings, path: str, environment: str
) -> None:
    settings = plain_settings.model_copy(update={"environment": environment})
    pages = {
        header: await get(settings, path, **{"Accept-Language": header})
        for header in ("en", "ru-RU,ru;q=0.9,en;q=0.8", "de")
    }
    assert len({page.text for page in pages.values()}) == 2
    for header, page in pages.items():
        assert page.status_code == 200
        assert f'<html lang="{"ru" if header.startswith("ru") else "en"}">' in page.text
        assert bool(re.search("[а-я]", page.text)) == header.startswith("ru")
        assert page.headers["x-robots-tag"] == "noindex"
        assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("environment", ["local", "test"])
async def test_a_hostile_name_is_text(
    plain_settings: Settings, path: str, environment: str
) -> None:
    settings = plain_settings.model_copy(update=ACME | {"environment": environment})
    page = await get(settings, path)
    assert "<script>" not in page.text
    assert "49" not in page.text
    [title] = re.findall("<title>(.*?)</title>", page.text)
    assert unescape(title).endswith(HOSTILE)
    [alt] = re.findall(rf'<img src="{LOGO}" alt="([^"]*)">', page.text)
    assert unescape(alt) == HOSTILE
    page = await get(settings.model_copy(update={"brand_logo_url": None}), path)
    assert "<img" not in page.text
    assert HOSTILE in unescape(page.text.partition("<header")[2])


@pytest.mark.parametrize("path", PAGES)
async def test_the_policy_lets_in_the_logo_and_nothing_else(
    plain_settings: Settings, path: str
) -> None:
    for settings in (plain_settings, plain_settings.model_copy(update=ACME)):
        [policy] = (await get(settings, path)).headers.get_list("content-security-policy")
        directives = dict(part.split(" ", 1) for part in policy.split("; "))
        assert directives.pop("default-src") == "'none'"
        assert directives.pop("img-src") == f"data: {settings.brand_logo_url or ''}".strip()
        assert directives.keys() >= {"form-action", "base-uri", "frame-ancestors"}
        assert set(directives.values()) <= {"'self'", "'none'"}


async def test_the_stylesheet_has_the_colour_and_no_more_of_the_settings(
    plain_settings: Settings,
) -> None:
    sheet = await get(plain_settings.model_copy(update=ACME), "/account-pages/page.css")
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert sheet.headers["cache-control"] == "no-cache"
    assert "--brand: #ffe600;" in sheet.text
    assert "--on-brand: #000000;" in sheet.text
    assert "script" not in sheet.text
    assert "example" not in sheet.text
    other = await get(plain_settings, "/account-pages/page.css")
    assert sheet.text != other.text


async def test_a_new_password_is_told_its_rules_before_the_mistake(
    plain_settings: Settings,
) -> None:
    rules = re.compile('<p class="hint" id="hint">(.*)</p>')
    [hint] = rules.findall((await get(plain_settings, "/reset-password")).text)
    assert hint.startswith("8 to 256 characters.")
    assert "breach" not in hint
    strict = {"password_min_length": 12, "breached_passwords_url": "https://breached.example"}
    page = await get(plain_settings.model_copy(update=strict), "/reset-password")
    [hint] = rules.findall(page.text)
    assert hint.startswith("12 to 256 characters.")
    assert "breach" in hint


@pytest.mark.parametrize(
    ("path", "autocomplete"),
    [
        ("/confirm-email", {"username", "current-password", "email"}),
        ("/reset-password", {"username", "new-password"}),
        ("/forgot-password", {"username"}),
    ],
)
async def test_password_managers_know_what_to_fill_in(
    plain_settings: Settings, path: str, autocomplete: set[str]
) -> None:
    page = await get(plain_settings, path)
    assert set(re.findall('autocomplete="([^"]*)"', page.text)) == autocomplete
    for form in re.findall("<form[^>]*>", page.text):
        assert 'method="post"' in form  # no password lands in an address
