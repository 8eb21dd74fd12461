"""What the server publishes of itself: its keys (RFC 7517) and its metadata (RFC 8414)."""

import base64
from typing import Any

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI

from src.access.permissions import CLIENT_SCOPES, SCOPES
from tests.auth.oauth.support import INTROSPECT, JWKS, METADATA, REVOKE, add_client, rotate
from tests.auth.support import TOKEN, code, segment, whoami
from tests.auth.tokens.test_forged_tokens import encode, hs256
from tests.support import PASSWORD, Account, Accounts, FrozenClock

PUBLIC_MEMBERS = {"kty", "crv", "x", "y", "kid", "alg", "use"}


def decoded(text: str) -> bytes:
    """The bytes of a base64url text."""
    return base64.urlsafe_b64decode(text + "==")


def public_key(jwk: dict[str, str]) -> ec.EllipticCurvePublicKey:
    """The key that a JWK describes."""
    x, y = (int.from_bytes(decoded(jwk[name])) for name in ("x", "y"))
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


async def metadata_of(client: httpx.AsyncClient) -> dict[str, Any]:
    """The server's metadata."""
    answer = await client.get(METADATA)
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


async def test_the_key_set_holds_public_halves_only(
    app: FastAPI, client: httpx.AsyncClient, clock: FrozenClock
) -> None:
    for count in (1, 2):  # the key of the setting alone; with one of the table
        keys = (await client.get(JWKS)).json()["keys"]
        assert len(keys) == count
        for key in keys:
            assert key.keys() == PUBLIC_MEMBERS
            fixed = {name: key[name] for name in ("kty", "crv", "alg", "use")}
            assert fixed == {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig"}
        await rotate(app)
        clock.advance(app.state.settings.access_token_lifetime)


async def test_anybody_can_verify_a_token_with_the_key_set(
    client: httpx.AsyncClient, ann: Account
) -> None:
    [jwk] = (await client.get(JWKS)).json()["keys"]
    assert jwk["kid"] == segment(ann.access_token, 0)["kid"]
    signed, _, signature = ann.access_token.rpartition(".")
    raw = decoded(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public_key(jwk).verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))  # or it raises


async def test_a_published_key_is_no_secret_to_sign_with(
    client: httpx.AsyncClient, ann: Account
) -> None:
    """HMAC keyed with what everybody can read is no signature (RFC 8725, section 2.1)."""
    answer = await client.get(JWKS)
    [jwk] = answer.json()["keys"]
    pem = public_key(jwk).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secrets = [
        answer.content,
        orjson.dumps(jwk),
        orjson.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")}),
        *(jwk[name].encode() for name in ("x", "y", "kid")),
        decoded(jwk["x"]),
        decoded(jwk["x"]) + decoded(jwk["y"]),
        pem,
        pem.strip(),
    ]
    header, claims = segment(ann.access_token, 0), segment(ann.access_token, 1)
    for secret in secrets:
        for algorithm in ("HS256", "ES256"):
            named = header | {"alg": algorithm}
            text = f"{encode(orjson.dumps(named))}.{encode(orjson.dumps(claims))}"
            token = f"{text}.{encode(hs256(secret)(text.encode()))}"
            assert code(await whoami(client, token)) == (401, "invalid_access_token")


@pytest.mark.parametrize("path", [JWKS, METADATA])
async def test_both_may_be_cached_by_anybody(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert "set-cookie" not in answer.headers
    assert (await client.post(path)).status_code == 405


async def test_the_metadata_leads_to_endpoints_that_are_there(client: httpx.AsyncClient) -> None:
    metadata = await metadata_of(client)
    assert metadata["issuer"] == "http://plaza.test"
    assert metadata["jwks_uri"] == f"http://plaza.test{JWKS}"
    assert (await client.get(metadata["jwks_uri"])).status_code == 200
    assert (await client.get(metadata["service_documentation"])).status_code == 200
    endpoints = {name: url for name, url in metadata.items() if name.endswith("_endpoint")}
    assert endpoints == {
        "token_endpoint": f"http://plaza.test{TOKEN}",
        "revocation_endpoint": f"http://plaza.test{REVOKE}",
        "introspection_endpoint": f"http://plaza.test{INTROSPECT}",
    }
    for url in endpoints.values():
        assert code(await client.post(url)) == (400, "invalid_request")


async def test_a_foreign_host_is_nowhere_in_it(client: httpx.AsyncClient) -> None:
    headers = {"Host": "evil.test", "X-Forwarded-Host": "evil.test"}
    assert "evil.test" not in (await client.get(METADATA, headers=headers)).text


async def test_the_issuer_is_that_of_the_tokens(client: httpx.AsyncClient, ann: Account) -> None:
    assert segment(ann.access_token, 1)["iss"] == (await metadata_of(client))["issuer"]


async def test_the_grants_it_lists_are_those_that_are_supported(
    client: httpx.AsyncClient,
) -> None:
    listed = (await metadata_of(client))["grant_types_supported"]
    form = dict.fromkeys(("username", "password", "refresh_token", "mfa_token", "code"), "x")
    for grant in listed:
        answer = await client.post(TOKEN, data=form | {"grant_type": grant})
        assert code(answer) == (400, "invalid_grant"), grant
    for grant in ("authorization_code", "client_credentials", "implicit"):
        assert grant not in listed
        answer = await client.post(TOKEN, data=form | {"grant_type": grant})
        assert code(answer) == (400, "unsupported_grant_type")
    assert (await metadata_of(client))["response_types_supported"] == []


async def test_it_lists_the_scopes_of_users(client: httpx.AsyncClient) -> None:
    listed = set((await metadata_of(client))["scopes_supported"])
    assert listed == set(SCOPES)
    assert not listed & set(CLIENT_SCOPES)


async def test_clients_authenticate_in_every_way_it_lists(
    app: FastAPI, client: httpx.AsyncClient, ann: Account
) -> None:
    metadata = await metadata_of(client)
    shop = await add_client(app, "profile:read", "tokens:introspect")
    forms = {
        TOKEN: {"username": "ann", "password": PASSWORD},
        REVOKE: {"token": "x"},
        INTROSPECT: {"token": "x"},
    }
    for name, url in (("token", TOKEN), ("revocation", REVOKE), ("introspection", INTROSPECT)):
        answers = {
            "none": await client.post(url, data=forms[url]),
            "client_secret_basic": await client.post(url, data=forms[url], auth=shop),
            "client_secret_post": await client.post(url, data=forms[url] | shop.form),
        }
        working = {method for method, answer in answers.items() if answer.status_code == 200}
        assert working == set(metadata[f"{name}_endpoint_auth_methods_supported"])


async def test_a_front_end_finds_out_which_client_it_is(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    await accounts.add("ann")
    found = (await metadata_of(client))["public_client_id"]
    assert (await accounts.token("ann", client_id=found)).status_code == 200
    answer = await accounts.token("ann", client_id="my-app")
    assert code(answer) == (400, "invalid_client")
    assert found in answer.json()["error_description"]
