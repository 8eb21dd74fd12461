"""The secrets of webhooks at rest."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from src.access.encryption import SecretBox
from src.config import Settings
from src.webhooks.models import Webhook


class WebhookSecrets:
    """Seals the keys that messages are signed with, and opens them."""

    def __init__(self, settings: Settings) -> None:
        self._box = SecretBox(settings.secret_key.get_secret_value(), "webhooks")

    def seal(self, secret: bytes, webhook_id: UUID) -> bytes:
        """The sealed secret of a webhook."""
        return self._box.seal(secret, webhook_id.bytes)

    def living(self, webhook: Webhook, now: datetime) -> Sequence[bytes]:
        """The webhook's secret, and the one before it while that is still valid.

        Those that were sealed with another SECRET_KEY are lost.
        """
        sealed = [webhook.secret]
        until = webhook.previous_secret_until
        if webhook.previous_secret and until and until > now:
            sealed.append(webhook.previous_secret)
        opened = []
        for one in sealed:
            with suppress(ValueError):
                opened.append(self._box.open(one, webhook.id.bytes))
        return opened
