"""Mail texts: a template and its values become a subject, a text and an HTML body."""

from collections.abc import Mapping
from dataclasses import dataclass

from src.http.branding import Brand
from src.http.templating import templates
from src.locales import DEFAULT_LOCALE, LOCALES

SUBJECT_LABEL = "Subject: "


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """What a mail says, in one language."""

    locale: str
    subject: str
    text: str
    html: str


def render(template: str, locale: str, context: Mapping[str, object], brand: Brand) -> RenderedMail:
    """Render `templates/mail/<template>.<locale>.txt` and `.html`.

    The first line of the text template is the subject. A locale without templates falls back to
    English. Values come from users: in HTML they are escaped, and everywhere each is one line, so
    that none can add a line or a header.

    Raises:
        jinja2.TemplateNotFound: there is no such mail.
        jinja2.UndefinedError: the context lacks a value that the template uses.
        ValueError: the text does not begin with a subject line.
    """
    language = _supported(locale)
    values = {key: _one_line(value) for key, value in context.items()}
    values |= {"locale": language, "brand": brand}
    name = f"mail/{template}.{language}"
    first_line, _, text = templates.get_template(f"{name}.txt").render(values).partition("\n")
    if not first_line.startswith(SUBJECT_LABEL):
        raise ValueError(f"{name}.txt must begin with a line '{SUBJECT_LABEL}…'")
    subject = first_line.removeprefix(SUBJECT_LABEL).strip()
    html = templates.get_template(f"{name}.html").render(values, subject=subject)
    return RenderedMail(language, subject, text.strip() + "\n", html)


def _supported(locale: str) -> str:
    """The language of a locale such as `ru-RU`, or English where we have no templates for it."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if language in LOCALES else DEFAULT_LOCALE


def _one_line(value: object) -> object:
    if not isinstance(value, str):
        return value
    return " ".join("".join(c if c.isprintable() else " " for c in value).split())
