"""Text that others read: one form of it, nothing that shows nothing, nothing that runs over."""

import unicodedata
from collections.abc import Callable
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from src.schemas import Text
from src.validation.text import NotTextError, is_visible, text_in_lines, text_in_one_line

SHOWS_NOTHING = {
    "nothing": "",
    "blanks": " \t\u00a0\u2003\u3000",
    "line ends": "\n\r\n\u2028",
    "zero width space": "\u200b",
    "Hangul fillers": "\u3164\uffa0\u115f\u1160",
    "Braille blank": "\u2800",
    "soft hyphen": "\u00ad",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "joiners": "\u200d\u200c",
    "variation selectors": "\ufe0f\ufe00\U000e0100",
    "Mongolian separators": "\u180e\u180b",
    "tags": "\U000e0041\U000e007f",
    "directions": "\u200e\u200f\u061c",
    "marks alone": "\u0301",
    "a mark on a blank": " \u0301",
    "an enclosing mark": "\u20dd",
    "Khmer inherent vowels": "\u17b4\u17b5",
    "shorthand controls": "\U0001bca0",
    "music without a note": "\U0001d173\U0001d159",
    "hieroglyphic blanks": "\U00013441\U00013442",
    "an object": "\ufffc",
    "private use": "\ue000\uf8ff\U0010fffd",
    "unassigned but ignorable": "\u2065\ufff0\U000e0fff",
}
SHOWS_SOMETHING = ["a", "-", "\u0439", "\u4f60", "\u0e2a", "1\ufe0f\u20e3", "\u2764\ufe0f", "_"]
SHOWS_SOMETHING += ["\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "\u0915\u094d\u0937"]
SHOWS_SOMETHING += ["\U0001fae9", "\U0001fc00", "\u1112\u1161\u11ab", "\u200bx", "x\ue000"]
TIBETAN_STACK = "\u0f67\u0f90\u0fb5\u0fa8\u0fb3\u0fba\u0fbc\u0fbb\u0f82"
NOT_TEXT = {
    "NUL": "a\0b",
    "escape": "a\x1b[31mb",
    "delete": "a\x7fb",
    "C1": "a\x9bb",
    "noncharacters": "a\ufdd0b",
    "the last code point": "a\U0010ffffb",
    "half of a pair": "a\ud800b",
    "override": "a\u202eb",
}
BOTH: list[Callable[[str], str]] = [text_in_lines, text_in_one_line]


def fault(check: Callable[[str], str], text: str) -> str:
    """What is wrong with a text."""
    with pytest.raises(NotTextError) as caught:
        check(text)
    return caught.value.fault


@pytest.mark.parametrize("text", SHOWS_NOTHING.values(), ids=SHOWS_NOTHING)
def test_what_shows_nothing_is_no_text(text: str) -> None:
    assert not is_visible(text)
    for check in BOTH:
        assert fault(check, text) == "text_invisible"
        assert fault(check, text * 3 + "\n" + text) == "text_invisible"


@pytest.mark.parametrize("text", SHOWS_SOMETHING, ids=ascii)
def test_what_shows_something_is_text(text: str) -> None:
    assert text_in_one_line(f" {text}\u2003") == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("text", NOT_TEXT.values(), ids=NOT_TEXT)
def test_control_characters_and_overrides_are_refused(text: str) -> None:
    for check in BOTH:
        assert fault(check, text) == "text_control_character"


def test_a_line_has_no_line_breaks_and_turns_nothing_around_it() -> None:
    for end in ("\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"):
        assert fault(text_in_one_line, f"a{end}b") == "text_line_break"
        assert text_in_lines(f"a{end}b{end}") == "a\nb\n"
        assert text_in_one_line(f"{end}a{end}") == "a"
    for character in "\t\u202a\u202b\u202c\u2066\u2067\u2068\u2069":
        assert fault(text_in_one_line, f"a{character}b") == "text_control_character"
        assert text_in_lines(f"a{character}b") == f"a{character}b"


def test_marks_stand_on_letters_and_not_too_many() -> None:
    assert text_in_one_line(TIBETAN_STACK) == TIBETAN_STACK
    many = "b a" + "\u0301\u0316" * 50_000, "a" + "\U0001d16d\U0001d165" * 50_000
    for text in ("\u0301a", "\u0947a", "a" + "\u0335" * 9, *many):
        for check in BOTH:
            assert fault(check, text) == "text_marks"


def test_a_length_counts_what_is_stored() -> None:
    field: TypeAdapter[str] = TypeAdapter(Annotated[str, Text(3)])
    assert field.validate_python("e\u0301" * 3) == "\u00e9" * 3
    assert field.validate_python(" abc ") == "abc"
    # NFC makes two characters of this one.
    assert field.validate_python("\u0958") == "\u0915\u093c"
    for text in ("abcd", "\u0958\u0958", "e\u0301" * 4, "a" * 1_000_000):
        with pytest.raises(ValidationError, match="at most 3 characters"):
            field.validate_python(text)


def test_what_may_be_empty_is_empty_when_it_is_blank() -> None:
    field: TypeAdapter[str] = TypeAdapter(Annotated[str, Text(3, lines=True, empty=True)])
    assert field.validate_python("") == field.validate_python(" \n ") == ""
    with pytest.raises(ValidationError, match="shows nothing"):
        field.validate_python("\u200b")
    assert TypeAdapter(Annotated[str, Text(3)]).json_schema() == {
        "type": "string",
        "minLength": 1,
        "maxLength": 3,
    }


@given(st.text(max_size=20), st.sampled_from(BOTH))
def test_the_form_is_stable_whatever_the_spelling(text: str, check: Callable[[str], str]) -> None:
    try:
        form = check(text)
    except NotTextError:
        return
    assert check(form) == form
    assert check(unicodedata.normalize("NFD", form)) == form
    form.encode()
