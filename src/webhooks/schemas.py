"""What travels about webhooks."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field
from typing_extensions import TypeAliasType

from src.schemas import Input, Output, Text, left_out
from src.validation.invalid_values import invalid
from src.validation.settings import validation_settings
from src.webhooks.kinds import SELECTIONS
from src.webhooks.targets import (
    MAX_URL_LENGTH,
    AddressRefusedError,
    BadTargetError,
    InsecureTargetError,
    literal_address,
    parsed,
    require_reachable,
)


def _target(url: str) -> str:
    """A URL that something may be sent to; what a name stands for is seen when it is sent."""
    settings = validation_settings.get()
    allowed = settings.webhook_allowed_networks if settings else []
    try:
        target = parsed(url)
        secure = target.scheme == "https" or not (settings and settings.webhook_encryption_required)
        if address := literal_address(target):
            require_reachable(address, allowed, encrypted=secure)
        elif not (secure or allowed):
            raise InsecureTargetError
    except AddressRefusedError:
        raise invalid("webhook_address_refused") from None
    except InsecureTargetError:
        raise invalid("webhook_url_insecure") from None
    except BadTargetError:
        raise invalid("webhook_url_invalid") from None
    return url


def _known(kind: str) -> str:
    if kind not in SELECTIONS:
        raise invalid("event_kind_unknown")
    return kind


def _once(kinds: list[str]) -> list[str]:
    return list(dict.fromkeys(kinds))


WebhookUrl = TypeAliasType(
    "WebhookUrl",
    Annotated[
        str,
        Field(
            min_length=1, max_length=MAX_URL_LENGTH, examples=["https://hooks.example.com/plaza"]
        ),
        AfterValidator(_target),
    ],
)
EventKind = TypeAliasType(
    "EventKind",
    Annotated[
        str,
        Field(max_length=64, examples=["post.*"], json_schema_extra={"enum": list(SELECTIONS)}),
        AfterValidator(_known),
    ],
)
EventKinds = Annotated[
    list[EventKind],
    Field(min_length=1, max_length=len(SELECTIONS), examples=[["post.*", "user.registered"]]),
    AfterValidator(_once),
]
Description = Annotated[str, Text(200, empty=True), Field(examples=["Search index"])]
DisabledReason = TypeAliasType("DisabledReason", Literal["by_administrator", "failing", "gone"])
DeliveryStatus = TypeAliasType("DeliveryStatus", Literal["pending", "succeeded", "failed"])


class WebhookCreate(Input):
    """A new webhook. Its secret is read at `/webhooks/{webhook_id}/secret`."""

    url: WebhookUrl
    kinds: EventKinds
    description: Description = ""


class WebhookUpdate(Input):
    """The fields to change; those left out stay as they are."""

    url: WebhookUrl = left_out()
    kinds: EventKinds = left_out()
    description: Description = left_out()
    is_active: bool = left_out()


class WebhookRead(Output):
    """A webhook."""

    id: UUID
    url: str
    kinds: list[str]
    description: str
    is_active: bool
    disabled_at: datetime | None
    disabled_reason: Annotated[
        DisabledReason | None,
        Field(description="`failing`: nothing got through for five days; `gone`: it answered 410"),
    ]
    version: int
    created_at: datetime
    updated_at: datetime


class WebhookSecret(Output):
    """What messages are signed with."""

    secret: Annotated[str, Field(examples=["whsec_…"])]
    previous_secret_until: Annotated[
        datetime | None, Field(description="Until when messages are signed with the old one, too")
    ]


class DeliveryRead(Output):
    """An event for a webhook, and what came of sending it."""

    id: UUID
    event_id: Annotated[UUID, Field(description="What `webhook-id` is, at every attempt")]
    kind: str
    payload: Annotated[str, Field(description="The body, as it is sent")]
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    last_status: Annotated[int | None, Field(description="The status of the last answer")]
    last_error: Annotated[str | None, Field(description="The kind of the last failure")]
    last_answer: Annotated[
        str | None, Field(description="The beginning of the last answer, if it was text")
    ]
