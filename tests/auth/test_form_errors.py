"""A form learns everything that is wrong with it at once, in the language of who filled it in."""

import httpx
import pytest
from fastapi import FastAPI

from src.config import Settings
from tests.auth.support import ME, REGISTER, code, rows
from tests.support import PASSWORD, Accounts

FORGOT, RESET = "/api/v1/auth/password/forgot", "/api/v1/auth/password/reset"
RESEND, CHANGE_EMAIL = "/api/v1/auth/email/resend", f"{ME}/email"
WRONG = {
    "email": "ann@@x.test",
    "password": "short",
    "username": "a!",
    "display_name": "\u3164",
    "role": "administrator",
}


def told(answer: httpx.Response) -> dict[str, str]:
    """The type of what is wrong with each field."""
    assert code(answer) == (422, "validation_error")
    return {error["loc"][-1]: error["type"] for error in answer.json()["errors"]}


async def test_all_that_is_wrong_is_told_at_once(client: httpx.AsyncClient, app: FastAPI) -> None:
    answer = await client.post(REGISTER, json=WRONG)
    assert told(answer) == {
        "email": "email_invalid",
        "password": "password_too_short",
        "username": "username_invalid",
        "display_name": "text_invisible",
        "role": "unknown_field",
    }
    own = {"email": "ann@x.test", "password": "ann@x.test", "username": "a"}
    assert told(await client.post(REGISTER, json=own)) == {
        "password": "password_is_email",
        "username": "username_too_short",
    }
    assert told(await client.post(REGISTER, json={})) == {"email": "missing", "password": "missing"}
    assert await rows(app, "SELECT 1 FROM users") == []


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("email", "", "email_invalid"),
        ("email", "a" * 65 + "@x.test", "email_invalid"),
        ("email", 1, "not_text"),
        ("username", "ab", "username_too_short"),
        ("username", "a" * 33, "username_too_long"),
        ("username", "\u0430nn", "username_invalid"),
        ("display_name", "", "text_empty"),
        ("display_name", "a\nb", "text_line_break"),
        ("display_name", "a" * 81, "text_too_long"),
        ("password", "", "password_too_short"),
        ("password", "x7" * 129, "password_too_long"),
        ("password", "x7" * 1000, "password_too_long"),
        ("password", "password", "password_too_common"),
        ("password", "Ann.Kranz@x.test", "password_is_email"),
        ("password", "annkranz\0", "password_invalid"),
    ],
)
async def test_each_rule_has_a_type_of_its_own(
    client: httpx.AsyncClient, field: str, value: object, kind: str
) -> None:
    good = {"email": "ann.kranz@x.test", "password": PASSWORD}
    assert told(await client.post(REGISTER, json=good | {field: value})) == {field: kind}


async def test_it_is_told_in_the_language_of_the_caller(client: httpx.AsyncClient) -> None:
    russian = await client.post(REGISTER, json=WRONG, headers={"Accept-Language": "ru, en;q=0.5"})
    english = await client.post(REGISTER, json=WRONG, headers={"Accept-Language": "de"})
    for answer, language in ((russian, "ru"), (english, "en")):
        assert answer.headers["content-language"] == language
        assert "Accept-Language" in answer.headers["vary"]
        assert told(answer) == told(english)
    assert russian.json()["title"] == "В запросе есть ошибки"
    messages = {error["loc"][-1]: error["msg"] for error in russian.json()["errors"]}
    assert messages["password"] == "Пароль слишком короткий. Минимум символов: 8"
    assert messages["email"] == "Это не адрес электронной почты"
    messages = {error["loc"][-1]: error["msg"] for error in english.json()["errors"]}
    assert messages["password"] == "Use at least 8 characters"
    assert messages["username"] == "A username has only the letters a-z, digits, _ and -"


async def test_other_problems_are_in_the_language_of_the_caller_too(
    client: httpx.AsyncClient,
) -> None:
    missing = await client.get("/api/v1/posts/none", headers={"Accept-Language": "ru"})
    assert (missing.json()["title"], missing.json()["code"]) == ("Не найдено", "not_found")
    assert missing.headers["content-language"] == "ru"
    unknown = await client.get("/nowhere", headers={"Accept-Language": "ru"})
    assert unknown.json()["title"] == "Не найдено"


async def test_every_form_with_a_new_password_has_the_same_rules(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    change = {"current_password": PASSWORD, "new_password": "password"}
    answer = await client.post(f"{ME}/password", json=change, headers=ann.headers)
    assert told(answer) == {"new_password": "password_too_common"}
    change["new_password"] = "ann@x.test"
    answer = await client.post(f"{ME}/password", json=change, headers=ann.headers)
    assert told(answer) == {"new_password": "password_is_email"}
    answer = await client.post(RESET, json={"token": "", "new_password": "short"})
    assert told(answer) == {"token": "text_empty", "new_password": "password_too_short"}


async def test_every_form_with_an_address_takes_the_same_ones(
    client: httpx.AsyncClient, accounts: Accounts
) -> None:
    ann = await accounts.sign_in("ann")
    for address in ("ann", "a" * 65 + "@x.test", "\u0439" * 33 + "@x.test", "ann@x.invalid"):
        for path, body in (
            (FORGOT, {"email": address}),
            (RESEND, {"email": address}),
            (CHANGE_EMAIL, {"new_email": address, "current_password": PASSWORD}),
        ):
            answer = await client.post(path, json=body, headers=ann.headers)
            assert set(told(answer).values()) == {"email_invalid"}, (path, address)


class TestOtherSettings:
    """What is wrong depends on the settings, and is found all the same at once."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"password_min_length": 15, "environment": "local"})

    async def test_they_hold(self, client: httpx.AsyncClient) -> None:
        wrong = {"email": "ann@x.test", "password": "x7" * 7, "username": "a"}
        answer = await client.post(REGISTER, json=wrong)
        assert told(answer) == {
            "email": "email_invalid",  # .test is for tests
            "password": "password_too_short",
            "username": "username_too_short",
        }
        assert answer.json()["errors"][1]["msg"] == "Use at least 15 characters"
        good = {"email": "ann@example.com", "password": "x7" * 7 + "y"}
        assert (await client.post(REGISTER, json=good)).status_code == 202

    async def test_the_document_says_so(self, app: FastAPI) -> None:
        schemas = app.openapi()["components"]["schemas"]
        for schema, field in (
            ("RegistrationCreate", "password"),
            ("PasswordReset", "new_password"),
            ("PasswordChange", "new_password"),
        ):
            assert schemas[schema]["properties"][field]["minLength"] == 15
        assert schemas["PasswordChange"]["properties"]["current_password"]["minLength"] == 1
