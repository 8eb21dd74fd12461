"""Dependencies about webhooks."""

from typing import Annotated

from fastapi import Depends, Security

from src.access.principals import Principal, current_principal
from src.dependencies import ClockDep, SessionDep, SettingsDep
from src.http.peer import PeerDep
from src.webhooks.service import WebhookService


async def get_webhook_service(
    session: SessionDep, settings: SettingsDep, clock: ClockDep, peer: PeerDep
) -> WebhookService:
    """The webhook service on the request's session."""
    return WebhookService(session, settings, clock, peer)


WebhookServiceDep = Annotated[WebhookService, Depends(get_webhook_service)]
WebhookManager = Annotated[Principal, Security(current_principal, scopes=["webhooks:manage"])]
