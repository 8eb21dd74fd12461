"""What mails say, and what their values cannot do."""

from pathlib import Path

import jinja2
import pytest

from src.mail import rendering
from src.mail.rendering import LOCALES, render
from src.templating import TEMPLATES_DIR

VALUES: dict[str, dict[str, object]] = {
    "confirm_email": {"link": "https://plaza.example/c", "expires_hours": 24},
    "already_registered": {"display_name": "Ann", "sign_in_url": "https://plaza.example/s"},
}


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
    names = {path.name for path in (TEMPLATES_DIR / "mail").glob("*.*.*")}
    mails = {name.split(".")[0] for name in names}
    assert mails >= VALUES.keys()
    assert names == {
        f"{mail}.{locale}.{form}"
        for mail in mails
        for locale in LOCALES
        for form in ("txt", "html")
    }


def test_a_person_without_a_name_is_greeted() -> None:
    values = VALUES["already_registered"] | {"display_name": ""}
    assert render("already_registered", "en", values).text.startswith("Hello,\n")
    assert render("already_registered", "ru", values).text.startswith("Здравствуйте!\n")


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
