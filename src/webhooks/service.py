"""Rules about webhooks. Each change is in the audit log."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select, text

from src.audit import log as audit
from src.clock import Clock
from src.config import Settings
from src.http.peer import Peer
from src.http.responses import IfMatch
from src.ids import uuid7
from src.sql.session import DatabaseSession
from src.sql.shapes import Document
from src.webhooks import deliveries
from src.webhooks.exceptions import (
    TooManyWebhooksError,
    WebhookDisabledError,
    WebhookSecretLostError,
)
from src.webhooks.kinds import TEST
from src.webhooks.models import Delivery, Webhook
from src.webhooks.schemas import WebhookCreate, WebhookUpdate
from src.webhooks.secrets import WebhookSecrets
from src.webhooks.signatures import new_secret, secret_text
from src.webhooks.tasks import DueDelivery, deliver

MAX_WEBHOOKS = 50
OLD_SECRET_VALID_FOR = timedelta(hours=24)
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended('webhooks', 0))")


class WebhookService:
    """Changes to webhooks by an administrator, in the caller's transaction.

    Every method raises NotFoundError when there is no such webhook or delivery.
    """

    def __init__(
        self, session: DatabaseSession, settings: Settings, clock: Clock, peer: Peer
    ) -> None:
        self._session = session
        self._secrets = WebhookSecrets(settings)
        self._now = clock.now()
        self._peer = peer

    async def create(self, admin_id: UUID, data: WebhookCreate) -> Webhook:
        """A new webhook, with a secret of its own.

        Raises:
            TooManyWebhooksError: there are as many as there may be.
        """
        await self._session.execute(_ONE_AT_A_TIME)
        count = await self._session.scalar(select(func.count()).select_from(Webhook))
        if (count or 0) >= MAX_WEBHOOKS:
            raise TooManyWebhooksError
        webhook_id = uuid7()
        webhook = Webhook(
            id=webhook_id,
            **data.model_dump(),
            is_active=True,
            secret=self._secrets.seal(new_secret(), webhook_id),
            created_at=self._now,
            updated_at=self._now,
        )
        await self._session.insert(webhook)
        await self._record("created", admin_id, webhook_id, kinds=webhook.kinds)
        return webhook

    async def change(
        self, admin_id: UUID, webhook_id: UUID, changes: WebhookUpdate, if_match: IfMatch
    ) -> Webhook:
        """Change the given fields. Once it is enabled again, what waited is sent.

        Raises:
            PreconditionFailedError: it has changed since the caller read it.
        """
        webhook = await self._locked(webhook_id, if_match)
        was_active, version = webhook.is_active, webhook.version
        if changes.is_active is True and not was_active:
            webhook.disabled_at = webhook.disabled_reason = webhook.failing_since = None
            await deliver.enqueue(self._session, DueDelivery(webhook_id=webhook_id))
        if changes.is_active is False and was_active:
            webhook.disabled_at, webhook.disabled_reason = self._now, "by_administrator"
        await self._session.change(webhook, changes, self._now)
        if webhook.version != version:
            action = "updated"
            if webhook.is_active != was_active:
                action = "enabled" if webhook.is_active else "disabled"
            await self._record(
                action, admin_id, webhook_id, changed=sorted(changes.model_fields_set)
            )
        return webhook

    async def delete(self, admin_id: UUID, webhook_id: UUID, if_match: IfMatch) -> None:
        """Delete it with its deliveries.

        Raises:
            PreconditionFailedError: it has changed since the caller read it.
        """
        await self._session.delete(await self._locked(webhook_id, if_match))
        await self._session.flush()
        await self._record("deleted", admin_id, webhook_id)

    async def secret(self, webhook_id: UUID) -> Document:
        """Its secret.

        Raises:
            WebhookSecretLostError: it was sealed with another SECRET_KEY.
        """
        return self._document(await self._locked(webhook_id))

    async def rotate_secret(self, admin_id: UUID, webhook_id: UUID) -> Document:
        """A new secret. The old one stays valid for a day; one before that ends now."""
        webhook = await self._locked(webhook_id)
        webhook.previous_secret = webhook.secret
        webhook.previous_secret_until = self._now + OLD_SECRET_VALID_FOR
        webhook.secret = self._secrets.seal(new_secret(), webhook_id)
        webhook.updated_at = self._now
        await self._session.flush()
        await self._record("secret_rotated", admin_id, webhook_id)
        return self._document(webhook)

    async def test(self, admin_id: UUID, webhook_id: UUID) -> Delivery:
        """Send a message that tells of nothing.

        Raises:
            WebhookDisabledError: nothing is sent to it.
        """
        await self._active(webhook_id)
        payload = deliveries.payload_of(TEST, self._now, {"webhook_id": webhook_id})
        delivery_id = await deliveries.add(
            self._session, webhook_id, event_id=uuid7(), kind=TEST, payload=payload, now=self._now
        )
        await deliver.enqueue(self._session, DueDelivery(webhook_id=webhook_id))
        await self._record("tested", admin_id, webhook_id)
        return await self._session.locked(Delivery, Delivery.id == delivery_id)

    async def retry(self, admin_id: UUID, webhook_id: UUID, delivery_id: UUID) -> Delivery:
        """Send it once more, now, whatever came of it; one that is just being sent stays as it is.

        Raises:
            WebhookDisabledError: nothing is sent to the webhook.
        """
        await self._active(webhook_id)
        delivery = await self._session.locked(
            Delivery, Delivery.id == delivery_id, Delivery.webhook_id == webhook_id
        )
        if delivery.taken_until is None or delivery.taken_until <= self._now:
            delivery.status, delivery.attempts = "pending", 0
            delivery.next_attempt_at, delivery.taken_until = self._now, None
            await self._session.flush()
            await deliver.enqueue(self._session, DueDelivery(webhook_id=webhook_id))
            await self._record("retried", admin_id, webhook_id, delivery_id=str(delivery_id))
        return delivery

    async def _active(self, webhook_id: UUID) -> None:
        webhook = await self._locked(webhook_id)
        if not webhook.is_active:
            raise WebhookDisabledError

    async def _locked(self, webhook_id: UUID, if_match: IfMatch | None = None) -> Webhook:
        webhook = await self._session.locked(Webhook, Webhook.id == webhook_id)
        if if_match:
            if_match.check(webhook.version)
        return webhook

    def _document(self, webhook: Webhook) -> Document:
        keys = self._secrets.living(webhook, self._now)
        if not keys:
            raise WebhookSecretLostError
        until = webhook.previous_secret_until if len(keys) > 1 else None
        return {"secret": secret_text(keys[0]), "previous_secret_until": until}

    async def _record(
        self, action: str, admin_id: UUID, webhook_id: UUID, **details: object
    ) -> None:
        await audit.record(
            self._session,
            f"webhook.{action}",
            at=self._now,
            peer=self._peer,
            actor_id=admin_id,
            user_id=None,
            webhook_id=str(webhook_id),
            **details,
        )
