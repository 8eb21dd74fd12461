"""Which post has which slug: each belongs to one post, and so do those that it had before."""

import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy import Delete, Insert, Select, delete, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert

from src.posts.models import PostSlug
from src.posts.slugs.rules import numbered
from src.sql.statements import Query, Runner, Statement

MAX_FORMER = 20
# The first few numbers are taken in turn; of many posts of one title, the end is looked for.
_FIRST_LOOK = [*range(2, 10), *(2**power for power in range(4, 25))]
_LOOKED_AT_ONCE = 30
_NOBODY = UUID(int=0)


@Query
def _taken(slugs: list[str], post_id: UUID) -> Select[str]:
    return select(PostSlug.slug).where(
        PostSlug.slug == func.any(slugs), PostSlug.post_id != post_id
    )


@Statement
def _take(slug: str, post_id: UUID, taken_at: datetime) -> Insert:
    new = insert(PostSlug).values(slug=slug, post_id=post_id, taken_at=taken_at)
    return new.on_conflict_do_update(
        index_elements=[PostSlug.slug],
        set_={"taken_at": new.excluded.taken_at},
        where=PostSlug.post_id == new.excluded.post_id,
    ).returning(PostSlug.slug)


@Statement
def _forget_oldest(post_id: UUID, slug: str) -> Delete:
    former = (
        select(PostSlug.slug)
        .where(PostSlug.post_id == post_id, PostSlug.slug != slug)
        .order_by(PostSlug.taken_at.desc(), PostSlug.slug)
        .offset(literal_column(str(MAX_FORMER)))
    )
    return delete(PostSlug).where(PostSlug.slug.in_(former))


async def take_slug(work: Runner, stem: str, post_id: UUID, now: datetime) -> str:
    """Give the post the plain slug, one that it had before, or the next number.

    Those that it had still lead to it, except the oldest.
    """
    slug = stem
    while not await _take.run(work, slug=slug, post_id=post_id, taken_at=now):
        slug = await free_slug(work, stem, post_id)
    await _forget_oldest.run(work, post_id=post_id, slug=slug)
    return slug


async def free_slug(runner: Runner, stem: str, post_id: UUID = _NOBODY) -> str:
    """A numbered slug that no other post has, as far as is seen now; the first, if it is low."""
    taken, free, numbers = 1, 0, _FIRST_LOOK
    while numbers:
        found = await _taken.all(
            runner, slugs=[numbered(stem, number) for number in numbers], post_id=post_id
        )
        slugs = {slug for (slug,) in found}
        for number in numbers:
            if numbered(stem, number) not in slugs:
                free = number
                break
            taken = number
        if not free:  # more than anybody counts
            return f"{stem}-{secrets.token_hex(8)}"
        between = range(taken + 1, free)
        numbers = [*between[:: len(between) // _LOOKED_AT_ONCE + 1]]
    return numbered(stem, free)
