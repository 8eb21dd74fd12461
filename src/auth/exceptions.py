"""Errors of accounts, and those of the token endpoint with RFC 6749's fields."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from src.exceptions import AppError, ConflictError, OverloadedError


class InvalidLinkError(AppError):
    """The mailed link is malformed, used, replaced by a newer one or expired."""

    status = 400
    code = "invalid_token"
    title = "This link is not valid any more"


class EmailAlreadyConfirmedError(AppError):
    """The mailed link has confirmed its address already, or another link to it has."""

    status = 400
    code = "email_already_confirmed"
    title = "This address is confirmed already: sign in"


class ConfirmationProofRequiredError(AppError):
    """The link is good, but whoever follows it has to show that the account is theirs."""

    status = 400
    code = "confirmation_proof_required"
    title = "Confirm with the password of your account"


class TooManyRequestsError(AppError):
    """A throttle is full."""

    status = 429
    code = "too_many_requests"
    title = "Too many requests: wait a while"

    def __init__(self, retry_after: int) -> None:
        super().__init__(headers={"Retry-After": str(retry_after)})


class TooManyFailuresError(AppError):
    """Too many wrong passwords or codes in a row; the same whether this one is right."""

    status = 429
    code = "too_many_failures"
    title = "Too many wrong attempts: wait a while"

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            headers={"Retry-After": str(retry_after)},
            error="temporarily_unavailable",  # where a token was asked for
            error_description=self.title,
        )


class WrongPasswordError(AppError):
    """The current password, asked for again before something grave, is wrong."""

    status = 400
    code = "wrong_password"
    title = "The current password is wrong"


class NoSigningKeyError(OverloadedError):
    """Every key that could sign has ended: somebody has to run `python -m src keys rotate`."""

    code = "no_signing_key"
    title = "No tokens can be issued now"


class OriginNotAllowedError(AppError):
    """The request does not say that it comes from a page of ours, so it may be another site's."""

    status = 403
    code = "origin_not_allowed"
    title = "This origin may not do that"


class CrossSiteError(AppError):
    """A page of ours on another site: its browser would drop the cookie without a word."""

    status = 403
    code = "cross_site"
    title = (
        "This page is on another site than the API, so the browser would drop the cookie: "
        "use one host name for both, or send the calls through the server of the page"
    )


class TokenError(AppError):
    """An error of the token endpoint (RFC 6749, section 5.2)."""

    status = 400
    error: ClassVar[str] = "invalid_request"

    def __init__(self, detail: str | None = None, **headers: str) -> None:
        super().__init__(
            detail,
            headers={"Pragma": "no-cache", **headers},
            error=self.error,
            error_description=detail or self.title,
        )


class InvalidTokenRequestError(TokenError):
    """A parameter is missing, repeated or malformed, or the body is not a form."""

    code = error = "invalid_request"
    title = "The token request is not valid"


class DuplicateCookieError(TokenError):
    """A cookie of ours came more than once: another host of the domain may have set one of them."""

    code = "duplicate_cookie"
    title = "A cookie of this server came twice: sign out, which clears it, and sign in again"


class InvalidClientError(TokenError):
    """Unknown client or wrong client credentials, in the form or missing."""

    code = error = "invalid_client"
    title = "The client is not known"

    def __init__(self, **headers: str) -> None:
        super().__init__(
            "A front end is the client plaza, or names none; any other sends its secret", **headers
        )


class InvalidBasicClientError(InvalidClientError):
    """The same in answer to an Authorization header (RFC 6749, section 5.2).

    Only there: at the challenge, a browser asks its user for a name and a password.
    """

    status = 401

    def __init__(self) -> None:
        super().__init__(**{"WWW-Authenticate": 'Basic realm="plaza"'})


class ClientNotAllowedError(TokenError):
    """The client is known, but this is not for it."""

    status = 403
    code = "client_not_allowed"
    error = "unauthorized_client"
    title = "The client may not do this"


class InvalidGrantError(TokenError):
    """Wrong password, unknown or disabled user; or a refresh token that is not good any more."""

    code = error = "invalid_grant"
    title = "The credentials are not valid"


class EmailNotConfirmedError(TokenError):
    """The password is right, but the address is not confirmed."""

    error = "invalid_grant"
    code = "email_not_confirmed"
    title = "Confirm your e-mail address first"


class MfaRequiredError(TokenError):
    """The password is right, and the second factor is asked for: send it with `mfa_token`."""

    code = error = "mfa_required"
    title = "Send a code of your authenticator app"
    members: ClassVar[Mapping[str, Any]] = {
        "mfa_token": Annotated[str, Field(description="For the second step")],
        "expires_in": Annotated[int, Field(description="The seconds for which it holds")],
    }

    def __init__(self, mfa_token: str, expires_in: int) -> None:
        super().__init__()
        self.fields |= {"mfa_token": mfa_token, "expires_in": expires_in}


class InvalidMfaCodeError(AppError):
    """A code that is wrong, spent or expired."""

    status = 400
    code = "invalid_code"
    title = "The code is not valid"

    def __init__(self) -> None:
        # RFC 6749's fields, for where it is the answer of the token endpoint.
        super().__init__(error="invalid_grant", error_description=self.title)


class SecondFactorUnavailableError(AppError):
    """The secret shared with the app cannot be read: SECRET_KEY or the row is not what it was."""

    status = 503
    code = "second_factor_unavailable"
    title = "Codes of the app cannot be checked: use a recovery code"

    def __init__(self) -> None:
        super().__init__(error="temporarily_unavailable", error_description=self.title)


class MfaAlreadyEnabledError(ConflictError):
    """An authenticator app is confirmed already."""

    code = "mfa_already_enabled"
    title = "Two-factor authentication is on already"


class MfaNotEnrolledError(ConflictError):
    """There is no secret to confirm."""

    code = "mfa_not_enrolled"
    title = "Add an authenticator app first"


class MfaNotEnabledError(ConflictError):
    """Two-factor authentication is off."""

    code = "mfa_not_enabled"
    title = "Two-factor authentication is not on"


class UnauthorizedClientError(TokenError):
    """A client that may not do this, here: sign in for a browser."""

    code = error = "unauthorized_client"
    title = "This client cannot sign in here"


class UnsupportedGrantTypeError(TokenError):
    """The grant is none of those that the metadata lists."""

    code = error = "unsupported_grant_type"
    title = "This grant type is not supported"


class InvalidScopeError(TokenError):
    """An unknown scope, or one that goes beyond what was granted."""

    code = error = "invalid_scope"
    title = "The scope is unknown or too wide"
