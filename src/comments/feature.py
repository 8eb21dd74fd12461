"""Comments on posts."""

from src.comments import reads, router
from src.features import Feature

FEATURE = Feature(
    routers=[router.router],
    tags={"comments": "What people say about posts, in threads."},
    personal_data=reads.PERSONAL_DATA,
)
