"""Tokens that we did not issue, or not for this: each is a plain 401 (RFC 8725)."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from src.config import Settings
from src.ids import uuid7
from tests.auth.support import code, register, segment, whoami
from tests.support import Account, Accounts, Inbox

Json: TypeAlias = dict[str, Any]
Signer: TypeAlias = Callable[[bytes], bytes]

REQUIRED = ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "sid", "scope", "auth_time"]
FAR_FUTURE, LONG_AGO = 4_000_000_000, 1_000_000_000


def encode(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def es256(key: ec.EllipticCurvePrivateKey) -> Signer:
    """Signs with a P-256 key (RFC 7518, section 3.4)."""

    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    return sign


def hs256(secret: bytes) -> Signer:
    """Signs with a shared secret."""
    return lambda data: hmac.digest(secret, data, hashlib.sha256)


@dataclass(frozen=True)
class Forge:
    """A genuine token taken apart, and the key it was signed with."""

    header: Json
    claims: Json
    key: ec.EllipticCurvePrivateKey
    own_key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def token(self, header: Json, claims: Json, sign: Signer | None = None) -> str:
        """A token with the genuine signature algorithm and key unless told otherwise."""
        text = f"{encode(orjson.dumps(header))}.{encode(orjson.dumps(claims))}"
        return f"{text}.{encode((sign or es256(self.key))(text.encode()))}"

    def with_header(self, **changed: object) -> str:
        return self.token(self.header | changed, self.claims)

    def with_claims(self, **changed: object) -> str:
        return self.token(self.header, self.claims | changed)

    def without_claim(self, name: str) -> str:
        return self.token(self.header, {k: v for k, v in self.claims.items() if k != name})


@pytest.fixture
def forge(settings: Settings, ann: Account) -> Forge:
    """What a forger could want, and more than they can have: the genuine key."""
    key = load_pem_private_key(settings.jwt_private_key.get_secret_value().encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Forge(segment(ann.access_token, 0), segment(ann.access_token, 1), key)


async def assert_refused(client: httpx.AsyncClient, tokens: dict[str, str]) -> None:
    """Check that each token is an ordinary 401 and no reason is given away."""
    answers = {name: await whoami(client, token) for name, token in tokens.items()}
    wrong = {
        name: a.text for name, a in answers.items() if code(a) != (401, "invalid_access_token")
    }
    assert wrong == {}
    assert len({answer.headers["www-authenticate"] for answer in answers.values()}) == 1


async def test_the_forge_makes_good_tokens(client: httpx.AsyncClient, forge: Forge) -> None:
    """Otherwise every refusal below could be for another reason."""
    for token in (forge.with_header(), forge.with_claims(), forge.with_claims(nbf=LONG_AGO)):
        assert (await whoami(client, token)).status_code == 200


async def test_another_algorithm_is_refused(client: httpx.AsyncClient, forge: Forge) -> None:
    tokens = {}
    genuine = forge.token(forge.header, forge.claims).rpartition(".")[2]
    for none in ("none", "None", "NONE", "", None):
        unsigned = forge.token(forge.header | {"alg": none}, forge.claims, lambda _: b"")
        tokens[f"alg {none!r}, no signature"] = unsigned
        tokens[f"alg {none!r}, the genuine signature"] = unsigned + genuine
    public = forge.key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    numbers = public.public_numbers()
    jwk = {"crv": "P-256", "kty": "EC"} | {
        name: encode(number.to_bytes(32)) for name, number in (("x", numbers.x), ("y", numbers.y))
    }
    secrets = {
        "PEM": pem,
        "PEM, stripped": pem.strip(),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "point": public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        "JWK": orjson.dumps(jwk),
        "kid": forge.header["kid"].encode(),
        "nothing": b"",
    }
    for name, secret in secrets.items():
        for algorithm in ("HS256", "ES256"):
            header = forge.header | {"alg": algorithm}
            tokens[f"{algorithm}, HMAC with {name}"] = forge.token(
                header, forge.claims, hs256(secret)
            )
    rsa_key = rsa.generate_private_key(65537, 2048)
    tokens["RS256"] = forge.token(
        forge.header | {"alg": "RS256"},
        forge.claims,
        lambda data: rsa_key.sign(data, padding.PKCS1v15(), hashes.SHA256()),
    )
    tokens["ES384 with our key"] = forge.with_header(alg="ES384")
    await assert_refused(client, tokens)


async def test_another_key_is_refused_wherever_it_is_named(
    client: httpx.AsyncClient, forge: Forge
) -> None:
    numbers = forge.own_key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": encode(numbers.x.to_bytes(32))}
    jwk["y"] = encode(numbers.y.to_bytes(32))
    headers: dict[str, Json] = {
        "our kid": {},
        "unknown kid": {"kid": "another"},
        "jwk": {"jwk": jwk},
        "jwk, its kid": {"jwk": jwk, "kid": "own"},
        "jku": {"jku": "https://evil.test/jwks.json"},
        "x5u": {"x5u": "https://evil.test/cert.pem"},
        "x5c": {"x5c": ["AAAA"]},
        "kid as a path": {"kid": "../../../../dev/null"},
        "kid as SQL": {"kid": "x' UNION SELECT 'key"},
    }
    sign = es256(forge.own_key)
    await assert_refused(
        client,
        {
            name: forge.token(forge.header | changed, forge.claims, sign)
            for name, changed in headers.items()
        }
        | {"a signature of zeros": forge.token(forge.header, forge.claims, lambda _: bytes(64))},
    )


async def test_a_strange_header_is_refused_even_with_our_signature(
    client: httpx.AsyncClient, forge: Forge
) -> None:
    without_typ = {name: value for name, value in forge.header.items() if name != "typ"}
    await assert_refused(
        client,
        {
            "typ JWT": forge.with_header(typ="JWT"),
            "typ of another token": forge.with_header(typ="rt+jwt"),
            "no typ": forge.token(without_typ, forge.claims),
            "unknown kid": forge.with_header(kid="another"),
            "kid of another type": forge.with_header(kid=[forge.header["kid"]]),
            "crit": forge.with_header(crit=["exp"], exp=FAR_FUTURE),
            "b64": forge.with_header(b64=False, crit=["b64"]),
            "zip": forge.with_header(zip="DEF"),
            "cty": forge.with_header(cty="JWT"),
            "jwk": forge.with_header(jwk={}),
            "jku": forge.with_header(jku="https://plaza.test/.well-known/jwks.json"),
        },
    )


async def test_every_required_claim_is_required(client: httpx.AsyncClient, forge: Forge) -> None:
    tokens = {f"no {name}": forge.without_claim(name) for name in REQUIRED}
    tokens |= {f"{name} null": forge.with_claims(**{name: None}) for name in REQUIRED}
    tokens |= {f"{name} of another type": forge.with_claims(**{name: []}) for name in REQUIRED}
    await assert_refused(client, tokens)


async def test_a_wrong_claim_is_refused_even_with_our_signature(
    client: httpx.AsyncClient, accounts: Accounts, forge: Forge
) -> None:
    bob = segment((await accounts.sign_in("bob")).access_token, 1)
    now = forge.claims["iat"]
    await assert_refused(
        client,
        {
            "iss of another": forge.with_claims(iss="https://evil.test"),
            "iss with a slash": forge.with_claims(iss="http://plaza.test/"),
            "aud of another": forge.with_claims(aud="https://evil.test"),
            "aud of others": forge.with_claims(aud=["https://evil.test"]),
            "expired": forge.with_claims(exp=now),
            "expired long ago": forge.with_claims(exp=LONG_AGO),
            "expired before time": forge.with_claims(exp=-1),
            "not yet valid": forge.with_claims(nbf=now + 60),
            "issued in the future": forge.with_claims(iat=now + 60, exp=now + 660),
            "nobody's session": forge.with_claims(sid=str(uuid7())),
            "nobody": forge.with_claims(sub=str(uuid7())),
            "somebody else": forge.with_claims(sub=bob["sub"]),
            "somebody else's session": forge.with_claims(sid=bob["sid"]),
            "sub no uuid": forge.with_claims(sub="ann"),
            "auth_time beyond the calendar": forge.with_claims(auth_time=10**18),
            "auth_time before it": forge.with_claims(auth_time=-(10**18)),
        },
    )


async def test_tokens_for_other_purposes_are_refused(
    client: httpx.AsyncClient, ann: Account, inbox: Inbox
) -> None:
    secret = await register(client, "bob@x.test")
    mailed = await inbox.token("bob@x.test")
    await assert_refused(
        client,
        {
            "refresh token": ann.refresh_token,
            "e-mail token": mailed,
            "registration secret": secret,
            "user id": ann.id,
        },
    )


async def test_tokens_of_another_installation_are_refused(
    client: httpx.AsyncClient, forge: Forge
) -> None:
    other = {"iss": "https://other.test", "aud": "https://other.test"}
    await assert_refused(
        client,
        {
            "our key, another address": forge.with_claims(**other),
            "another key, our address": forge.token(
                forge.header, forge.claims, es256(forge.own_key)
            ),
            "issued there for here": forge.with_claims(iss=other["iss"]),
            "issued here for there": forge.with_claims(aud=other["aud"]),
        },
    )
