"""Posts."""

from src.features import Feature
from src.posts import personal_data, router, tasks
from src.posts.previews import router as previews
from src.posts.reactions import reads as reaction_reads
from src.posts.reactions import router as reactions
from src.posts.revisions import router as revisions
from src.posts.tags import router as tags

FEATURE = Feature(
    routers=[router.router, revisions.router, previews.router, reactions.router, tags.router],
    pages=[previews.pages],
    tags={"posts": "Texts in Markdown: drafts, and what is published."},
    tasks=tasks.TASKS,
    schedules=tasks.SCHEDULES,
    personal_data=personal_data.PERSONAL_DATA + reaction_reads.PERSONAL_DATA,
)
