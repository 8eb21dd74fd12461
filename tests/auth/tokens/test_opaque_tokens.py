"""Opaque tokens: derived, bound to purpose, row, counter and salt, and hard to spell wrongly."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.auth.tokens.opaque_tokens import OpaqueTokens, ParsedToken, parse
from src.ids import uuid7

KEY = "a secret key of some length that nobody knows"
TOKENS = OpaqueTokens(KEY, "refresh-token")
NO_TOKENS = ["", "A", "A" * 69, "A" * 71, "A" * 69 + "=", "A" * 69 + "\n", "\u00e9" * 70]
NO_TOKENS += ["\ud800" * 70, "A" * 69 + "+", "A" * 69 + "/", " " * 70, "\x00" * 70, "A" * 10**6]
ROW = UUID("01a1ff54-72e1-7f56-84cd-6336acde08e3")


def parsed(text: str) -> ParsedToken:
    """The parts of a text that has the form of a token."""
    token = parse(text)
    assert token is not None
    return token


@given(row_id=st.uuids(), counter=st.integers(0, 2**32 - 1), salt=st.binary(max_size=32))
def test_a_token_names_its_row_and_verifies(row_id: UUID, counter: int, salt: bytes) -> None:
    text = TOKENS.issue(row_id, counter, salt)
    token = parsed(text)
    assert (token.row_id, token.counter) == (row_id, counter)
    assert TOKENS.verify(token, salt)
    assert TOKENS.issue(row_id, counter, salt) == text
    assert text.isascii()
    assert text.replace("-", "").replace("_", "").isalnum()  # goes into a URL as it is


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(OpaqueTokens(KEY, "email-link").issue(ROW, 1, b"salt"), id="purpose"),
        pytest.param(OpaqueTokens(KEY + "!", "refresh-token").issue(ROW, 1, b"salt"), id="key"),
        pytest.param(TOKENS.issue(ROW, 1, b"Salt"), id="salt"),
        pytest.param(TOKENS.issue(ROW, 1), id="no salt"),
    ],
)
def test_another_origin_does_not_verify(other: str) -> None:
    assert TOKENS.verify(parsed(TOKENS.issue(ROW, 1, b"salt")), b"salt")
    assert not TOKENS.verify(parsed(other), b"salt")


@pytest.mark.parametrize("changed", [(uuid7(), 1), (ROW, 2), (ROW, 0)])
def test_a_token_cannot_be_moved_to_another_row_or_counter(changed: tuple[UUID, int]) -> None:
    mac = parsed(TOKENS.issue(ROW, 1)).mac
    assert TOKENS.verify(ParsedToken(ROW, 1, mac))
    assert not TOKENS.verify(ParsedToken(*changed, mac))


@given(st.integers(0, 69), st.characters(codec="ascii"))
def test_every_character_counts(position: int, character: str) -> None:
    text = TOKENS.issue(ROW, 1, b"salt")
    other = text[:position] + character + text[position + 1 :]
    token = parse(other)
    assert other == text or token is None or not TOKENS.verify(token, b"salt")


@given(
    st.text() | st.text(min_size=70, max_size=70) | st.binary().map(lambda b: b.decode("latin-1"))
)
def test_any_text_is_parsed_or_not(text: str) -> None:
    token = parse(text)
    assert token is None or not TOKENS.verify(token)


@pytest.mark.parametrize("text", NO_TOKENS)
def test_what_has_not_the_form_is_no_token(text: str) -> None:
    assert parse(text) is None
