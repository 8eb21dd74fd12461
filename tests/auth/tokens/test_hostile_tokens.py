"""Texts that only an attacker would send as a token: each is refused like any other wrong one."""

import base64
from urllib.parse import quote_from_bytes

import httpx
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from src.http.middleware import SMALL_BODY_BYTES
from tests.auth.support import CONFIRM, FORM, JSON, TOKEN, code, refresh, whoami
from tests.support import Account

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
DEEP = b'{"alg":' + b"[" * 1000 + b"]" * 1000 + b"}"
HOSTILE = [
    b"",
    b" ",
    b".",
    b"..",
    b"...",
    b"a.b.c",
    b"null",
    b"true",
    b"e30.e30.e30",  # three empty objects
    b"bnVsbA.bnVsbA.",  # null, null
    b"W10.W10.W10",  # lists
    base64.urlsafe_b64encode(DEEP) + b".e30.e30",
    base64.urlsafe_b64encode(b'{"alg":"ES256"}') + b"." + base64.urlsafe_b64encode(DEEP) + b".e30",
    base64.urlsafe_b64encode(b'{"alg":' + b"9" * 3000 + b"}") + b".e30.e30",
    base64.urlsafe_b64encode(b'{"alg":NaN}') + b".e30.e30",
    base64.urlsafe_b64encode(b'{"alg":"\\ud800"}') + b".e30.e30",
    base64.urlsafe_b64encode(b"\xff\xfe") + b".e30.e30",
    b"a" * 1_000_000,
    b"." * 100_000,
    b"A" * 70,  # the form of an opaque token
    b"_" * 70,
    b"\x00",
    b"A" * 69 + b"\x00",
    "\u00e9".encode() * 35,
    "\U0001f600".encode() * 20,
    b"\xed\xa0\x80",  # a lone surrogate
    b"\xff\xfe\x00\x01",
    b"%00%FF%ED%A0%80",
    b"' OR 1=1 --",
    b"<script>",
    b"${jndi:ldap://x}",
]
MUTATED = examples(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def edits(draw: st.DrawFn) -> tuple[int, int, bytes]:
    """Where to cut, how much to leave out, and what to put there instead."""
    return draw(st.integers(0, 600)), draw(st.integers(0, 600)), draw(st.binary(max_size=40))


def mutated(token: str, edit: tuple[int, int, bytes]) -> bytes:
    """A genuine token after an edit."""
    start, length, replacement = edit
    text = token.encode()
    return text[:start] + replacement + text[start + length :]


async def test_no_hostile_bearer_token_is_more_than_wrong(client: httpx.AsyncClient) -> None:
    outcomes = {token[:60]: code(await whoami(client, token)) for token in HOSTILE}
    assert outcomes == dict.fromkeys(outcomes, (401, "invalid_access_token"))


async def test_no_hostile_refresh_token_is_more_than_wrong(client: httpx.AsyncClient) -> None:
    for token in HOSTILE:
        form = f"grant_type=refresh_token&refresh_token={quote_from_bytes(token)}"
        answer = await client.post(TOKEN, content=form, headers=FORM)
        assert answer.status_code == (413 if len(form) > SMALL_BODY_BYTES else 400), token[:60]
        if answer.status_code == 400:
            assert answer.json()["error"] in {"invalid_grant", "invalid_request"}


async def test_no_hostile_link_token_is_more_than_wrong(client: httpx.AsyncClient) -> None:
    for token in HOSTILE:
        for text in (token.decode("latin-1"), token.decode(errors="replace")):
            answer = await client.post(CONFIRM, json={"token": text, "registration_secret": text})
            assert code(answer) in {
                (400, "invalid_token"),
                (422, "validation_error"),
                (413, "content_too_large"),
            }, token[:60]
    for literal in (b'"\\ud800"', b'"\\udfff\\ud800"', b"NaN", b"-Infinity", b"9" * 5000, b"1e999"):
        answer = await client.post(CONFIRM, content=b'{"token":%b}' % literal, headers=JSON)
        assert answer.status_code in {400, 422}, literal[:60]


async def test_a_token_has_one_spelling(client: httpx.AsyncClient, ann: Account) -> None:
    """Base64 that decodes to the same bytes is another text (RFC 4648, section 3.5)."""
    for token, try_it in ((ann.access_token, whoami), (ann.refresh_token, refresh)):
        last = ALPHABET.index(token[-1])
        same_bits = {token[:-1] + ALPHABET[last ^ spare] for spare in range(1, 16)}
        padded = {
            token + "=",
            token + "==",
            token + "!",
            token + "\x7f",
            token[:-9] + "?" + token[-9:],
        }
        for variant in same_bits | padded:
            assert (await try_it(client, variant)).status_code in {400, 401}, variant
        assert (await try_it(client, token)).status_code == 200


@MUTATED
@given(token=st.binary(max_size=300))
async def test_no_bytes_are_a_bearer_token(client: httpx.AsyncClient, token: bytes) -> None:
    assert code(await whoami(client, token)) == (401, "invalid_access_token")


@MUTATED
@given(edit=edits())
async def test_a_mutated_bearer_token_is_refused(
    client: httpx.AsyncClient, ann: Account, edit: tuple[int, int, bytes]
) -> None:
    token = mutated(ann.access_token, edit)
    if token.strip() != ann.access_token.encode():
        assert code(await whoami(client, token)) == (401, "invalid_access_token")


@MUTATED
@given(edit=edits())
async def test_a_mutated_refresh_token_is_refused_and_does_no_harm(
    client: httpx.AsyncClient, ann: Account, edit: tuple[int, int, bytes]
) -> None:
    token = mutated(ann.refresh_token, edit)
    if token != ann.refresh_token.encode():
        form = f"grant_type=refresh_token&refresh_token={quote_from_bytes(token)}"
        answer = await client.post(TOKEN, content=form, headers=FORM)
        assert answer.status_code == 400
        assert answer.json()["error"] in {"invalid_grant", "invalid_request"}
    assert (await whoami(client, ann.access_token)).status_code == 200


@MUTATED
@given(body=st.binary(max_size=200) | st.text(alphabet="a=&%+0F;", max_size=60).map(str.encode))
async def test_no_form_is_more_than_a_400(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post(TOKEN, content=body, headers=FORM)
    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_request", "unsupported_grant_type"}
