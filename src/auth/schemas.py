"""What travels about accounts."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from src.auth.passwords.rules import MAX_LENGTH, MIN_LENGTH, normalize_password, weakness
from src.schemas import Input, Output, left_out
from src.users.schemas import Email, Username, UserRead
from src.validation.invalid_values import invalid
from src.validation.settings import validation_settings

EXAMPLE_PASSWORD = "correct horse battery staple"
MAX_READ_LENGTH = 1024  # of a password, before it is normalised
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # bcrypt takes no NUL, UTF-8 no half of a character


def _readable(password: str) -> str:
    if not password:
        raise invalid("text_empty")
    if len(password) > MAX_READ_LENGTH:
        raise invalid("password_too_long", max=MAX_LENGTH)
    if _UNSTORABLE.search(password):
        raise invalid("password_invalid")
    return password


def _min_length() -> int:
    settings = validation_settings.get()
    return settings.password_min_length if settings else MIN_LENGTH


class _Good:
    """Marks a new password: whatever needs neither database nor network is found at once.

    A schema whose field `email` comes before is held to not having it as the password.
    """

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[str], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_info_after_validator_function(cls._checked, handler(source))

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"minLength": _min_length(), "maxLength": MAX_LENGTH}

    @staticmethod
    def _checked(password: str, info: core_schema.ValidationInfo) -> str:
        if password:
            _readable(password)
        email = info.data.get("email")
        if weak := weakness(normalize_password(password), email, _min_length()):
            raise invalid(weak.type, **weak.parameters)
        return password


# One that is held against a hash.
Password = Annotated[
    str,
    AfterValidator(_readable),
    Field(
        examples=[EXAMPLE_PASSWORD],
        json_schema_extra={"minLength": 1, "maxLength": MAX_READ_LENGTH},
    ),
]
# One that is to be set. src.auth.passwords.policy asks for breached ones, too.
NewPassword = Annotated[str, _Good, Field(examples=[EXAMPLE_PASSWORD])]
LinkToken = Annotated[
    str, Field(min_length=1, max_length=200, examples=["what follows #token= in the mailed link"])
]


class AccountNamed(Input):
    """An account by its address or by its username: one of them."""

    # `Input` forbids other fields, so this is one of the two.
    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    email: Email = left_out()
    username: Username = left_out()

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise invalid("email_or_username")
        return self

    @property
    def name(self) -> str:
        """The one that was sent."""
        return self.email or self.username


AccessToken = Annotated[str, Field(examples=["an access token"])]
ExpiresIn = Annotated[
    int, Field(description="Seconds until the access token expires", examples=[600])
]
GrantedScope = Annotated[
    str, Field(description="Scopes separated by spaces", examples=["profile:read posts:read"])
]


class TokenRead(Output):
    """A successful token response (RFC 6749, section 5.1)."""

    access_token: AccessToken
    token_type: Literal["bearer"] = "bearer"
    expires_in: ExpiresIn
    refresh_token: Annotated[str, Field(examples=["a refresh token"])]
    scope: GrantedScope


class SessionTokenRead(TokenRead):
    """The same with the account of `GET /users/me`; null if the scopes do not allow to read it."""

    user: UserRead | None
