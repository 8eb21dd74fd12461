"""Access tokens without an application: their times, and texts that are none."""

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from src.auth.tokens.jwt import CLOCK_SKEW, Claims, Key, kid_of, sign, thumbprint, verify
from src.ids import uuid7
from src.settings.secrets import new_private_key

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ISSUER = "https://plaza.test"


@pytest.fixture(scope="module")
def key() -> Key:
    """A key of an issuer."""
    return Key.private(new_private_key())


def verified(token: str, key: Key, now: datetime = NOW) -> Claims | None:
    """What the issuer reads in a token."""
    return verify(token, key, now, issuer=ISSUER, audience=ISSUER)


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


def test_what_is_issued_verifies_until_it_expires(key: Key) -> None:
    issued = claims()
    token = sign(issued, key)
    assert verified(token, key) == issued
    assert verified(token, key, NOW + timedelta(seconds=60) - SECOND) == issued
    assert verified(token, key, NOW + timedelta(seconds=60)) is None


def test_the_public_half_verifies_and_does_not_sign(key: Key) -> None:
    public = Key.public(key.public_pem)
    issued = claims()
    assert public.kid == key.kid
    assert verified(sign(issued, key), public) == issued
    with pytest.raises(ValueError, match="does not sign"):
        sign(issued, public)


def test_another_key_does_not_verify_whatever_the_token_says(key: Key) -> None:
    another = Key.private(new_private_key())
    token = sign(claims(), key)
    assert kid_of(token) == key.kid
    assert verified(token, another) is None
    another.header["kid"], another.kid = key.kid, key.kid
    assert verified(token, another) is None


@pytest.mark.parametrize("make", [Key.private, Key.public])
def test_only_keys_on_p_256_are_keys(make: Callable[[str], Key]) -> None:
    pairs: list[ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey] = [
        ec.generate_private_key(ec.SECP384R1()),
        rsa.generate_private_key(65537, 2048),
    ]
    texts = ["", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"]
    for pair in pairs:
        private = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        texts.append((private if make == Key.private else public).decode())
    for text in texts:
        with pytest.raises(ValueError, match=r"."):
            make(text)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_from_the_future_waits_but_for_the_skew_of_clocks(key: Key, claim: str) -> None:
    start = int((NOW + CLOCK_SKEW).timestamp())
    later = {"exp": start + 600}
    assert verified(sign(claims(**{claim: start}, **later), key), key) is not None
    assert verified(sign(claims(**{claim: start + 1}, **later), key), key) is None


@pytest.mark.no_cover  # with it, texts take long to make
@given(st.text() | st.from_regex(r"\A[\w-]*\.[\w-]*\.[\w-]*\Z") | st.text('eyJ.{}[]"0', min_size=9))
def test_no_text_is_a_token_or_an_error(key: Key, text: str) -> None:
    assert kid_of(text) is None
    assert verified(text, key) is None


@pytest.mark.parametrize(
    "text", ["\ud800", "\ud800.\udfff.\x00", "\u0661" * 100, "." * 10**6, "a" * 10**7, "e30.e30."]
)
def test_hostile_texts_are_no_tokens(key: Key, text: str) -> None:
    assert kid_of(text) is None
    assert verified(text, key) is None


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
