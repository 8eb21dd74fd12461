"""Posts."""

from src.features import Feature
from src.posts import personal_data, router, tasks
from src.posts.feeds import router as feeds
from src.posts.feeds import sitemaps
from src.posts.following import router as following
from src.posts.previews import router as previews
from src.posts.reactions import reads as reaction_reads
from src.posts.reactions import router as reactions
from src.posts.revisions import router as revisions
from src.posts.tags import router as tags

FEATURE = Feature(
    # Feeds come first: their addresses are in the form of a post's.
    routers=[
        feeds.router,
        router.router,
        revisions.router,
        previews.router,
        reactions.router,
        following.router,
        tags.router,
    ],
    pages=[previews.pages, feeds.pages],
    tags={"posts": "Texts in Markdown: drafts, and what is published."},
    tasks=tasks.TASKS,
    schedules=tasks.SCHEDULES,
    personal_data=personal_data.PERSONAL_DATA + reaction_reads.PERSONAL_DATA,
    lifespan=sitemaps.lifespan,
)
