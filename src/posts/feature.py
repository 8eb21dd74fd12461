"""Posts."""

from src.features import Feature
from src.posts import personal_data, router, tasks
from src.posts.previews import router as previews
from src.posts.revisions import router as revisions

FEATURE = Feature(
    routers=[router.router, revisions.router, previews.router],
    pages=[previews.pages],
    tags={"posts": "Texts in Markdown: drafts, and what is published."},
    tasks=tasks.TASKS,
    schedules=tasks.SCHEDULES,
    personal_data=personal_data.PERSONAL_DATA,
)
