"""Posts."""

from src.features import Feature
from src.posts import personal_data, router

FEATURE = Feature(
    routers=[router.router],
    tags={"posts": "Texts in Markdown: drafts, and what is published."},
    personal_data=personal_data.PERSONAL_DATA,
)
