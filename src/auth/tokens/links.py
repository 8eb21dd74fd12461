"""Mailed links: what each is for, how long it works, where it leads, and its token."""

from datetime import timedelta
from typing import Literal, TypeAlias, get_args
from uuid import UUID

from src.auth.tokens.opaque_tokens import OpaqueTokens, parse
from src.config import Settings

# Confirm a registered address, set a new password, change to another address.
LinkPurpose: TypeAlias = Literal["confirm", "reset", "change"]

PAGES: dict[LinkPurpose, str] = {
    "confirm": "/confirm-email",
    "reset": "/reset-password",
    "change": "/confirm-email",
}

FORGOT_PASSWORD_PAGE = "/forgot-password"


class LinkTokens:
    """Issues and reads the tokens of links; each purpose has a key of its own."""

    def __init__(self, settings: Settings) -> None:
        secret_key = settings.secret_key.get_secret_value()
        self._by_purpose: dict[LinkPurpose, OpaqueTokens] = {
            purpose: OpaqueTokens(secret_key, f"{purpose}-link")
            for purpose in get_args(LinkPurpose)
        }

    def issue(self, purpose: LinkPurpose, link_id: UUID) -> str:
        """The token of a link."""
        return self._by_purpose[purpose].issue(link_id)

    def read(self, text: str) -> tuple[LinkPurpose, UUID] | None:
        """What a token is for and the id of its link, or None when it is not ours."""
        token = parse(text)
        if token:
            for purpose, tokens in self._by_purpose.items():
                if tokens.verify(token):
                    return purpose, token.row_id
        return None


def link_lifetime(settings: Settings, purpose: LinkPurpose) -> timedelta:
    """How long a link works."""
    if purpose == "reset":
        return settings.password_reset_lifetime
    return settings.email_link_lifetime


def link_url(settings: Settings, purpose: LinkPurpose, token: str) -> str:
    """Where a mailed link leads: the front end if there is one, else our own page.

    For a front end the token is in the fragment, which its server and its logs never see.
    """
    if settings.frontend_url:
        return f"{settings.frontend_url}{PAGES[purpose]}#token={token}"
    return f"{settings.public_url}{PAGES[purpose]}?token={token}"


def forgot_password_url(settings: Settings) -> str:
    """Where one who cannot or should not use their password any more asks for a new one."""
    return f"{settings.frontend_url or settings.public_url}{FORGOT_PASSWORD_PAGE}"


def home_url(settings: Settings) -> str:
    """Where one signs in and registers: the front end, or what there is without one."""
    return settings.frontend_url or f"{settings.public_url}/docs"
