"""Which passwords are refused, and that the reason is told (NIST SP 800-63B, section 5.1.1.2)."""

import unicodedata

import httpx
import pytest

from src.auth.passwords.rules import normalize_password, weakness
from src.config import Settings
from tests.auth.support import REGISTER, code

EMAIL = "annemarie.kranz@x.test"
REFUSED = [
    ("1234567", "password_too_short"),
    ("\u0439" * 7, "password_too_short"),
    (unicodedata.normalize("NFD", "\u00e4" * 7), "password_too_short"),
    ("x7" * 128 + "y", "password_too_long"),
    ("\u044f" * 257, "password_too_long"),
    ("x7" * 500, "password_too_long"),
    ("password", "password_too_common"),
    ("PassWord", "password_too_common"),
    ("qwertyuiop", "password_too_common"),
    ("12345678", "password_too_common"),
    ("iloveyou", "password_too_common"),
    (" I love you ", "password_too_common"),
    ("friendofemily", "password_too_common"),
    ("12345678\u00a0", "password_too_common"),
    (" " * 12, "password_too_common"),
    ("annemarie.kranz@x.test", "password_is_email"),
    ("AnneMarie.Kranz@X.test", "password_is_email"),
    ("annemarie.kranz", "password_is_email"),
    ("ANNEMARIE.KRANZ", "password_is_email"),
    ("annemarie.kranz ", "password_is_email"),
]
ACCEPTED = [
    "no composition rules here",
    "onlyletters",
    "8 chars!",
    "73920461",
    "\u043f\u0430\u0440\u043e\u043b\u044c\u043a\u0430 \u043c\u043e\u044f",
    "\U0001f40e\U0001f50b\U0001f4ce\u2728\U0001f40e\U0001f50b\U0001f4ce\u2728",
    "x7" * 128,
    unicodedata.normalize("NFD", "\u00e4\u00eb" * 128),
    "not annemarie.kranz@x.test",
    "        .",
]


async def test_a_weak_password_is_a_422_with_the_reason(client: httpx.AsyncClient) -> None:
    for password, reason in REFUSED:
        body = {"email": EMAIL, "password": password}
        answer = await client.post(REGISTER, json=body)
        assert code(answer) == (422, "validation_error"), password
        [error] = answer.json()["errors"]
        assert error["loc"] == ["body", "password"]
        assert error["type"] == reason, password


async def test_a_weak_password_is_refused_for_known_addresses_too(
    client: httpx.AsyncClient,
) -> None:
    body = {"email": EMAIL, "password": "a good password"}
    assert (await client.post(REGISTER, json=body)).status_code == 202
    answer = await client.post(REGISTER, json=body | {"password": "password"})
    assert code(answer) == (422, "validation_error")


async def test_a_good_password_needs_no_composition(client: httpx.AsyncClient) -> None:
    for number, password in enumerate(ACCEPTED):
        body = {"email": f"ann{number}.kranz@x.test", "password": password}
        assert (await client.post(REGISTER, json=body)).status_code == 202, password


@pytest.mark.parametrize(("password", "reason"), REFUSED)
def test_weakness_tells_why(password: str, reason: str) -> None:
    weak = weakness(normalize_password(password), EMAIL)
    assert weak
    assert weak.type == reason


@pytest.mark.parametrize("password", ACCEPTED)
def test_weakness_finds_nothing(password: str) -> None:
    assert weakness(normalize_password(password), EMAIL) is None


class TestLongerMinimum:
    """PASSWORD_MIN_LENGTH."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"password_min_length": 15})

    async def test_it_holds(self, client: httpx.AsyncClient) -> None:
        short = await client.post(REGISTER, json={"email": EMAIL, "password": "x7" * 7})
        assert "at least 15" in short.json()["errors"][0]["msg"]
        enough = await client.post(REGISTER, json={"email": EMAIL, "password": "x7" * 7 + "y"})
        assert enough.status_code == 202


def test_normalizing_makes_composed_and_decomposed_alike_and_nothing_else() -> None:
    for text in ("\u00e4\u0439\u00e9", "\uac00\u1e9b\u0323"):
        nfd = unicodedata.normalize("NFD", text)
        assert nfd != text
        assert normalize_password(nfd) == normalize_password(text)
    for text in ("Aa", " a ", "\ufb01", "\u2168", "\uff21"):  # no case, blanks or compatibility
        assert normalize_password(text) == text
