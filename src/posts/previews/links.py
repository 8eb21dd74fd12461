"""Links that show a draft to whoever has them, for a while."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from src.auth.tokens.opaque_tokens import OpaqueTokens, parse
from src.config import Settings

LIFETIME = timedelta(days=7)
PAGE = "/preview-post"


class PreviewLink(NamedTuple):
    """Where a link leads, and its token alone."""

    url: str
    token: str
    expires_at: datetime


class PreviewLinks:
    """Makes links and reads them; what they need is in the token, so nothing is stored."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = OpaqueTokens(settings.secret_key.get_secret_value(), "post-preview")
        self._settings = settings

    def make(self, post_id: UUID, now: datetime) -> PreviewLink:
        """A link to the front end, which sees the token in the fragment, or to our own page."""
        expires_at = (now + LIFETIME).replace(microsecond=0)
        token = self._tokens.issue(post_id, int(expires_at.timestamp()))
        if front_end := self._settings.frontend_url:
            url = f"{front_end}{PAGE}#token={token}"
        else:
            url = f"{self._settings.public_url}{PAGE}?token={token}"
        return PreviewLink(url, token, expires_at)

    def read(self, text: str, now: datetime) -> UUID | None:
        """The post that a token shows now, if it is one of ours."""
        token = parse(text)
        if token is None or not self._tokens.verify(token):
            return None
        expires_at = datetime.fromtimestamp(token.counter, UTC)
        return token.row_id if now < expires_at else None
