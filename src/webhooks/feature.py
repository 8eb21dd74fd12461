"""Webhooks: events are sent to other programs."""

from src.features import Feature
from src.webhooks import router, tasks

FEATURE = Feature(
    routers=[router.router],
    tags={"webhooks": "Events, sent to other programs as they happen."},
    tasks=tasks.TASKS,
    schedules=tasks.SCHEDULES,
    subscribers=tasks.SUBSCRIBERS,
)
