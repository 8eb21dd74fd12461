"""The forms of OAuth's endpoints as the OpenAPI document has them; `token_request` reads them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from typing_extensions import TypeAliasType

from src.auth.clients.token_request import FORM_TYPE, MFA_GRANT, PUBLIC_CLIENT_ID
from src.auth.schemas import EXAMPLE_PASSWORD
from src.schemas import left_out

SIGN_IN_GRANTS = ["password", MFA_GRANT]
GRANTS = [*SIGN_IN_GRANTS, "refresh_token"]

SignInGrant = TypeAliasType(
    "SignInGrant", Annotated[str, Field(json_schema_extra={"enum": SIGN_IN_GRANTS})]
)
GrantType = TypeAliasType("GrantType", Annotated[str, Field(json_schema_extra={"enum": GRANTS})])
Secret = Annotated[str, Field(json_schema_extra={"format": "password"})]


def in_document(form: type[BaseModel], *media_types: str) -> dict[str, Any]:
    """What an operation of the document has about its body."""
    schema = form.model_json_schema(ref_template="#/components/schemas/{model}")
    content = {media_type: {"schema": schema} for media_type in (FORM_TYPE, *media_types)}
    return {"requestBody": {"required": True, "content": content}}


class CookieSignIn(BaseModel):
    """A username and a password; then, if it is asked for, mfa_token and code."""

    grant_type: Annotated[SignInGrant, Field(examples=["password"])] = left_out()
    username: Annotated[
        str,
        Field(description="The e-mail address or the username", examples=["ann@example.com"]),
    ] = left_out()
    password: Annotated[Secret, Field(examples=[EXAMPLE_PASSWORD])] = left_out()
    mfa_token: Annotated[str, Field(description="What the error mfa_required came with")] = (
        left_out()
    )
    code: Annotated[
        str,
        Field(
            description="Of the authenticator app, or a recovery code: with mfa_token, or at once "
            "with the password"
        ),
    ] = left_out()
    scope: Annotated[str, Field(description="Scopes separated by spaces")] = left_out()
    include: Annotated[Literal["user"], Field(description="The answer has the account as well")] = (
        left_out()
    )
    client_id: Annotated[
        str,
        Field(
            description=f"{PUBLIC_CLIENT_ID} for every front end, which may also leave it out",
            examples=[PUBLIC_CLIENT_ID],
        ),
    ] = left_out()


class TokenForm(CookieSignIn):
    """A username and a password; mfa_token and code; or a refresh token."""

    grant_type: Annotated[GrantType, Field(examples=["password"])] = left_out()
    refresh_token: str = left_out()
    client_secret: Annotated[
        Secret, Field(description=f"Of another client than {PUBLIC_CLIENT_ID}, which has none")
    ] = left_out()


class RevocationForm(BaseModel):
    """A token of one's own, and which client has it."""

    token: Annotated[
        str, Field(description="An access token or a refresh token", examples=["a token"])
    ]
    token_type_hint: Annotated[str, Field(description="Not needed")] = left_out()
    client_id: Annotated[
        str,
        Field(
            description="If not in the Authorization header; "
            f"{PUBLIC_CLIENT_ID} for front ends, which may revoke their tokens"
        ),
    ] = left_out()
    client_secret: Secret = left_out()


class IntrospectionForm(RevocationForm):
    """A token, and the client that asks, if it is not in the Authorization header."""
