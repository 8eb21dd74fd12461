"""Access tokens without an application: their times, and texts that are none."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from src.auth.jwt import CLOCK_SKEW, AccessTokens, Claims, thumbprint
from src.config import Settings
from src.ids import uuid7

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ISSUER = "https://plaza.test"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> AccessTokens:
    """An issuer with a key of its own."""
    settings = Settings(
        _env_file=None, environment="test", data_dir=tmp_path_factory.mktemp("keys")
    )
    return AccessTokens(settings.jwt_private_key.get_secret_value(), ISSUER)


def claims(**changed: int) -> Claims:
    """Claims that are good for a minute from `NOW`."""
    start = int(NOW.timestamp())
    times = {"iat": start, "exp": start + 60, "auth_time": start} | changed
    return Claims(
        iss=ISSUER,
        aud=ISSUER,
        sub=uuid7(),
        client_id="plaza",
        jti=uuid7(),
        sid=uuid7(),
        scope="profile:read",
        **times,
    )


def test_what_is_issued_verifies_until_it_expires(tokens: AccessTokens) -> None:
    issued = claims()
    token = tokens.issue(issued)
    assert tokens.verify(token, NOW) == issued
    assert tokens.verify(token, NOW + timedelta(seconds=60) - SECOND) == issued
    assert tokens.verify(token, NOW + timedelta(seconds=60)) is None


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_from_the_future_waits_but_for_the_skew_of_clocks(
    tokens: AccessTokens, claim: str
) -> None:
    start = int((NOW + CLOCK_SKEW).timestamp())
    later = {"exp": start + 600}
    assert tokens.verify(tokens.issue(claims(**{claim: start}, **later)), NOW) is not None
    assert tokens.verify(tokens.issue(claims(**{claim: start + 1}, **later)), NOW) is None


@given(st.text() | st.from_regex(r"\A[\w-]*\.[\w-]*\.[\w-]*\Z") | st.text('eyJ.{}[]"0', min_size=9))
def test_no_text_is_a_token_or_an_error(tokens: AccessTokens, text: str) -> None:
    assert tokens.verify(text, NOW) is None


@pytest.mark.parametrize(
    "text", ["\ud800", "\ud800.\udfff.\x00", "\u0661" * 100, "." * 10**6, "a" * 10**7, "e30.e30."]
)
def test_hostile_texts_are_no_tokens(tokens: AccessTokens, text: str) -> None:
    assert tokens.verify(text, NOW) is None


def test_claims_cannot_be_changed_once_verified() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        claims().scope = "posts:write"  # type: ignore[misc]


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    """Two keys differ, the order and number of other members do not matter."""
    key = {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "BBBB"}
    shuffled = {"use": "sig", "y": "BBBB", "x": "AAAA", "kid": "k", "crv": "P-256", "kty": "EC"}
    assert thumbprint(key) == thumbprint(shuffled)
    assert thumbprint(key) != thumbprint(key | {"y": "CCCC"})
    canonical = b'{"crv":"P-256","kty":"EC","x":"AAAA","y":"BBBB"}'
    digest = base64.urlsafe_b64encode(hashlib.sha256(canonical).digest())
    assert thumbprint(key) == digest.decode().rstrip("=")
