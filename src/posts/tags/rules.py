"""Tags: what posts are found by, in one spelling."""

from unicodedata import normalize

from regex import V1, compile  # noqa: A004 - it knows the properties of Unicode, which re does not

from src.validation.text import MAX_GROWTH, MAX_MARKS, is_visible

MAX_TAG_LENGTH = 40
_LETTER, _MARK = r"[[\p{L}\p{N}_]--\p{DI}]", r"[\p{M}--\p{DI}]"
_TAG = compile(rf"{_LETTER}(?:{_LETTER}|[.+#-]|{_MARK}{{1,{MAX_MARKS}}}+(?!\p{{M}}))*", V1)


def normalize_tag(raw: str) -> str | None:
    """The tag in NFKC and lower case, or None if it is none.

    Forms that look alike are one tag, and so are upper and lower case; as in RFC 8265 it is lower
    case and not case folding, which would make `strasse` of `straße` and show it so.
    """
    if len(raw) > MAX_TAG_LENGTH * MAX_GROWTH:
        return None
    # Lower case may bring marks that compose, and NFKC brings capitals.
    tag = normalize("NFKC", normalize("NFKC", raw.strip()).lower())
    fits = len(tag) <= MAX_TAG_LENGTH and _TAG.fullmatch(tag) and is_visible(tag)
    return tag if fits else None
