"""The reads of webhooks."""

from uuid import UUID

from src.sql.listing import listing
from src.sql.shapes import Shape
from src.sql.statements import Rows, read
from src.webhooks.models import Delivery, Webhook
from src.webhooks.schemas import DeliveryRead, WebhookRead

WEBHOOK = Shape.of(WebhookRead, Webhook)
DELIVERY = Shape.of(DeliveryRead, Delivery)


@read(WEBHOOK)
def webhook_by_id(rows: Rows, webhook_id: UUID) -> Rows:
    """The webhook."""
    return rows.where(Webhook.id == webhook_id)


@listing(WEBHOOK, by=Webhook.created_at)
def all_webhooks(rows: Rows) -> Rows:
    """Every webhook."""
    return rows


@listing(DELIVERY, by=Delivery.created_at)
def deliveries_of(rows: Rows, webhook_id: UUID) -> Rows:
    """What was sent to a webhook."""
    return rows.where(Delivery.webhook_id == webhook_id)
