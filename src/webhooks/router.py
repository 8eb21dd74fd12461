"""Webhooks over HTTP."""

from fastapi import APIRouter, Request, Response

from src.dependencies import ReadsDep, SessionDep
from src.http.responses import NOT_KEPT, DocumentResponse, IfMatchDep, created, versioned
from src.idempotency.keys import IdempotencyDep
from src.pagination import PageDep, page_response
from src.schemas import Id, Page
from src.webhooks.dependencies import WebhookManager, WebhookServiceDep
from src.webhooks.reads import DELIVERY, WEBHOOK, all_webhooks, deliveries_of, webhook_by_id
from src.webhooks.schemas import (
    DeliveryRead,
    WebhookCreate,
    WebhookRead,
    WebhookSecret,
    WebhookUpdate,
)

router = APIRouter(prefix="/webhooks", tags=["webhooks"])


@router.get("", response_model=Page[WebhookRead])
async def list_webhooks(
    request: Request, which: PageDep, _: WebhookManager, reads: ReadsDep
) -> Response:
    """List webhooks, newest first."""
    return page_response(request, which, await all_webhooks.page(reads, which))


@router.post("", status_code=201, response_model=WebhookRead)
async def create_webhook(
    request: Request,
    admin: WebhookManager,
    data: WebhookCreate,
    webhooks: WebhookServiceDep,
    session: SessionDep,
    idempotency: IdempotencyDep,
) -> Response:
    """Have events sent to a URL. The secret that they are signed with is read on its own."""

    async def answer() -> Response:
        webhook = await webhooks.create(admin.user_id, data)
        return created(request, WEBHOOK.of_entity(webhook))

    return await idempotency.once(session, answer)


@router.get("/{webhook_id}", response_model=WebhookRead)
async def get_webhook(
    request: Request, webhook_id: Id, _: WebhookManager, reads: ReadsDep
) -> Response:
    """Get a webhook."""
    return versioned(request, await webhook_by_id.one(reads, webhook_id=webhook_id))


@router.patch("/{webhook_id}", response_model=WebhookRead)
async def update_webhook(
    request: Request,
    webhook_id: Id,
    admin: WebhookManager,
    changes: WebhookUpdate,
    if_match: IfMatchDep,
    webhooks: WebhookServiceDep,
) -> Response:
    """Change, disable or enable a webhook. Enabled again, it gets what has waited for it."""
    webhook = await webhooks.change(admin.user_id, webhook_id, changes, if_match)
    return versioned(request, WEBHOOK.of_entity(webhook))


@router.delete("/{webhook_id}", status_code=204, response_class=Response)
async def delete_webhook(
    webhook_id: Id, admin: WebhookManager, if_match: IfMatchDep, webhooks: WebhookServiceDep
) -> None:
    """Delete a webhook with its deliveries."""
    await webhooks.delete(admin.user_id, webhook_id, if_match)


@router.get("/{webhook_id}/secret", response_model=WebhookSecret)
async def get_webhook_secret(
    webhook_id: Id, _: WebhookManager, webhooks: WebhookServiceDep
) -> Response:
    """Get the secret that a webhook's messages are signed with."""
    return DocumentResponse(await webhooks.secret(webhook_id), headers=NOT_KEPT)


@router.post("/{webhook_id}/rotate-secret", response_model=WebhookSecret)
async def rotate_webhook_secret(
    webhook_id: Id, admin: WebhookManager, webhooks: WebhookServiceDep
) -> Response:
    """Make a new secret. For 24 hours, messages are signed with the old one, too."""
    document = await webhooks.rotate_secret(admin.user_id, webhook_id)
    return DocumentResponse(document, headers=NOT_KEPT)


@router.post("/{webhook_id}/test", status_code=202, response_model=DeliveryRead)
async def test_webhook(
    webhook_id: Id, admin: WebhookManager, webhooks: WebhookServiceDep
) -> Response:
    """Send a message that tells of nothing. Its type is `webhook.test`.

    The list of deliveries says what came of it.
    """
    delivery = await webhooks.test(admin.user_id, webhook_id)
    return DocumentResponse(DELIVERY.of_entity(delivery), status_code=202)


@router.get("/{webhook_id}/deliveries", response_model=Page[DeliveryRead])
async def list_deliveries(
    request: Request, webhook_id: Id, which: PageDep, _: WebhookManager, reads: ReadsDep
) -> Response:
    """List what was sent to a webhook in the last 30 days, newest first."""
    await webhook_by_id.one(reads, webhook_id=webhook_id)
    listed = await deliveries_of.page(reads, which, webhook_id=webhook_id)
    return page_response(request, which, listed)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/retry", status_code=202, response_model=DeliveryRead
)
async def retry_delivery(
    webhook_id: Id, delivery_id: Id, admin: WebhookManager, webhooks: WebhookServiceDep
) -> Response:
    """Send a message again, whatever came of it before. It has the same `webhook-id`."""
    delivery = await webhooks.retry(admin.user_id, webhook_id, delivery_id)
    return DocumentResponse(DELIVERY.of_entity(delivery), status_code=202)
