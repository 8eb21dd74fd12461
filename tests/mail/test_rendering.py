"""What mails say, and what their values cannot do."""

import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import get_args

import jinja2
import pytest

from src.auth.security_events import Notice
from src.http.branding import Brand
from src.http.templating import TEMPLATES_DIR
from src.locales import LOCALES
from src.mail import rendering
from src.mail.rendering import RenderedMail
from tests.mail.support import VALUES

LOGO = "https://cdn.example.com/logo.png"
PLAZA = Brand("Plaza", "#1f5fd0", None)


def render(
    template: str, locale: str, values: Mapping[str, object], brand: Brand = PLAZA
) -> RenderedMail:
    """The mail, of Plaza unless it is of another brand."""
    return rendering.render(template, locale, values, brand)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", VALUES)
def test_every_mail_makes_sense_in_both_forms(template: str, locale: str) -> None:
    mail = render(template, locale, VALUES[template])
    assert mail.locale == locale
    assert mail.subject
    for body in (mail.text, mail.html):
        assert str(VALUES[template].get("display_name", "")) in body
        assert "https://plaza.example/" in body
    assert "<" not in mail.text
    assert f"<title>{mail.subject}</title>" in mail.html
    assert f'<html lang="{locale}">' in mail.html


def test_every_mail_exists_in_every_language_and_form() -> None:
    paths = (TEMPLATES_DIR / "mail").glob("*.*.*")
    names = {path.name for path in paths if path.suffix != ".jinja"}
    mails = {name.split(".")[0] for name in names}
    assert mails == VALUES.keys()
    assert names == {
        f"{mail}.{locale}.{form}"
        for mail in mails
        for locale in LOCALES
        for form in ("txt", "html")
    }


@pytest.mark.parametrize("locale", LOCALES)
def test_every_security_event_has_words_of_its_own(locale: str) -> None:
    told = {}
    for event in get_args(Notice):
        mail = render("security_notice", locale, VALUES["security_notice"] | {"event": event})
        told[event] = (mail.subject, mail.text)
        assert mail.subject.isascii() == (locale == "en"), event
        for body in (mail.text, mail.html):
            assert "Firefox on Linux, 192.0.2.7" in body, event
            assert "2026-03-01 12:00 UTC" in body, event
        assert "\n\n\n" not in mail.text, event
    assert len(set(told.values())) == len({subject for subject, _ in told.values()}) == len(told)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", VALUES)
def test_no_sentence_of_a_text_is_broken(template: str, locale: str) -> None:
    """Whoever shows it breaks lines where their window ends; breaks of ours would be in between."""
    events = get_args(Notice) if template == "security_notice" else [None]
    for event in events:
        text = render(template, locale, VALUES[template] | ({"event": event} if event else {})).text
        for line in filter(None, text.splitlines()):
            facts = line == "Plaza" or line.startswith(
                ("https://", "When:", "From:", "Когда:", "Откуда:")
            )
            assert facts or line.endswith((".", ",", ":", "!")), line


@pytest.mark.parametrize("locale", LOCALES)
def test_a_new_password_is_advised_where_it_helps(locale: str) -> None:
    """Not where the account is gone, another's address, or in an administrator's hands."""
    advised = set()
    for event in get_args(Notice):
        mail = render("security_notice", locale, VALUES["security_notice"] | {"event": event})
        advised |= {event for body in (mail.text, mail.html) if "/forgot-password" in body}
    assert set(get_args(Notice)) - advised == {
        "account.deleted",
        "account.disabled",
        "account.enabled",
        "email.changed",
        "roles.changed",
        "sessions.ended_by_administrator",
    }


@pytest.mark.parametrize("locale", LOCALES)
def test_a_notice_says_from_where_only_if_it_is_known(locale: str) -> None:
    values = VALUES["security_notice"]
    without_address = render("security_notice", locale, values | {"address": None})
    assert "Firefox on Linux\n" in without_address.text
    by_administrator = render("security_notice", locale, values | {"address": None, "device": ""})
    for text in ("From", "Откуда", "None"):
        assert text not in by_administrator.text
        assert text not in by_administrator.html


@pytest.mark.parametrize("template", ["address_in_use", "already_registered", "security_notice"])
def test_a_person_without_a_name_is_greeted(template: str) -> None:
    values = VALUES[template] | {"display_name": ""}
    assert render(template, "en", values).text.startswith("Hello,\n")
    assert render(template, "ru", values).text.startswith("Здравствуйте!\n")


@pytest.mark.parametrize(
    ("locale", "language"),
    [("en", "en"), ("ru", "ru"), ("ru-RU", "ru"), ("RU_ru", "ru"), ("de", "en"), ("../en", "en")],
)
def test_a_locale_without_templates_is_english(locale: str, language: str) -> None:
    assert render("confirm_email", locale, VALUES["confirm_email"]).locale == language


def test_values_are_escaped_in_html_and_plain_in_text() -> None:
    values = {
        "display_name": "<script>alert(1)</script>",
        "sign_in_url": 'https://plaza.example/?a=1&b="><img src=x>',
    }
    mail = render("already_registered", "en", values)
    assert "<script" not in mail.html
    assert "<img" not in mail.html
    assert "?a=1&amp;b=&#34;&gt;&lt;img" in mail.html
    assert "Hello <script>alert(1)</script>," in mail.text
    assert '?a=1&b="><img src=x>' in mail.text


def test_a_value_cannot_add_a_line() -> None:
    values = VALUES["already_registered"] | {"display_name": "Ann\r\n\u2028Act:\x00 \x1bnow\ud800"}
    text = render("already_registered", "en", values).text
    assert text.splitlines()[0] == "Hello Ann Act: now,"


def test_a_subject_cannot_carry_a_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail/hello.en.txt").write_text("Subject: Hello {{ name }}\n\nHi\n")
    (tmp_path / "mail/hello.en.html").write_text("Hi")
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(tmp_path), autoescape=True)
    monkeypatch.setattr(rendering, "templates", environment)
    mail = render("hello", "en", {"name": "Ann\r\nBcc: eve@example.com\r\n\r\nBuy"})
    assert mail.subject == "Hello Ann Bcc: eve@example.com Buy"
    assert mail.text == "Hi\n"


def test_a_text_without_a_subject_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail/hello.en.txt").write_text("Hi\n")
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(tmp_path), autoescape=True)
    monkeypatch.setattr(rendering, "templates", environment)
    with pytest.raises(ValueError, match=r"mail/hello\.en\.txt must begin with a line 'Subject:"):
        render("hello", "en", {})


def test_a_missing_template_is_an_error() -> None:
    with pytest.raises(jinja2.TemplateNotFound):
        render("no_such_mail", "en", {})


@pytest.mark.parametrize(
    ("template", "missing"), [(template, name) for template in VALUES for name in VALUES[template]]
)
def test_a_missing_value_is_an_error(template: str, missing: str) -> None:
    values = {name: value for name, value in VALUES[template].items() if name != missing}
    with pytest.raises(jinja2.UndefinedError, match=missing):
        render(template, "en", values)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("template", VALUES)
def test_a_mail_is_that_of_its_brand(template: str, locale: str) -> None:
    name = "</style></title>\"'><script>alert(1)</script>{{ 7 * 7 }}"
    events = get_args(Notice) if template == "security_notice" else [None]
    for event in events:
        values = VALUES[template] | ({"event": event} if event else {})
        mail = render(template, locale, values, Brand(name, "#ffe600", None))
        for body in (mail.text, unescape(mail.html)):
            assert name in body
            assert "Plaza" not in body
        assert "<script" not in mail.html
        assert "Plaza" not in mail.subject
        with_logo = render(template, locale, values, Brand(name, "#ffe600", LOGO)).html
        [alt] = re.findall(rf'<img [^>]*src="{LOGO}" alt="([^"]*)"', with_logo)
        assert unescape(alt) == name
        assert "<img" not in mail.html
        assert LOGO not in mail.html


def test_a_button_can_be_read_in_the_brands_colour() -> None:
    mail = render("confirm_email", "en", VALUES["confirm_email"], Brand("Acme", "#ffe600", None))
    [style] = re.findall('class="button"[^>]* style="([^"]*)"', mail.html)
    assert "background: #ffe600; color: #000000" in style
    [style] = re.findall('class="link"[^>]* style="([^"]*)"', mail.html)
    assert "#ffe600" not in style  # on white
