"""R4, the reference: the same answers the way most FastAPI templates give them.

ORM entities through a `get_db` dependency, `get_current_user`, `selectinload`, `response_model`,
commit and refresh. The tables, the schemas and the Markdown are Plaza's.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from jose import JWTError, jwt
from sqlalchemy import ARRAY, TIMESTAMP, ForeignKey, Text, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

from benchmarks.serving import serve
from src.config import Settings
from src.ids import uuid7
from src.posts.schemas import PostCreate, PostRead, PostSummary
from src.posts.slugs.rules import slug_stem
from src.posts.text.markdown import render_markdown
from src.schemas import Page
from src.sql.listing import encode_cursor
from src.users.schemas import UserRead

ALGORITHM = "HS256"
PAGE = 20

settings = Settings()
assert settings.database_url is not None
engine = create_async_engine(
    settings.database_url.get_secret_value().replace("postgresql://", "postgresql+asyncpg://", 1),
    pool_size=10,
)
new_session = async_sessionmaker(engine, expire_on_commit=False)
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")
app = FastAPI()


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {datetime: TIMESTAMP(timezone=True), str: Text()}


class Entity(Base):
    __abstract__ = True

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class User(Entity):
    __tablename__ = "users"

    email: Mapped[str]
    username: Mapped[str]
    requested_username: Mapped[str | None]
    display_name: Mapped[str]
    bio: Mapped[str]
    locale: Mapped[str]
    roles: Mapped[list[str]] = mapped_column(ARRAY(Text))
    mfa_enabled: Mapped[bool]
    password_hash: Mapped[str]
    email_verified_at: Mapped[datetime | None]
    email_undeliverable_at: Mapped[datetime | None]
    is_active: Mapped[bool]
    posts_count: Mapped[int]
    avatar_url = None

    @property
    def email_verified(self) -> bool:
        return self.email_verified_at is not None


class Post(Entity):
    __tablename__ = "posts"

    author_id: Mapped[UUID] = mapped_column(ForeignKey(User.id))
    slug: Mapped[str]
    title: Mapped[str]
    summary: Mapped[str]
    body: Mapped[str]
    body_html: Mapped[str]
    status: Mapped[str]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    published_at: Mapped[datetime | None]
    publish_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    likes_count: Mapped[int] = mapped_column(default=0)
    comments_count: Mapped[int] = mapped_column(default=0)

    author: Mapped[User] = relationship()
    slugs: Mapped[list["PostSlug"]] = relationship()
    cover_url = None
    liked = False
    bookmarked = False


class PostSlug(Base):
    __tablename__ = "post_slugs"

    slug: Mapped[str] = mapped_column(primary_key=True)
    post_id: Mapped[UUID] = mapped_column(ForeignKey(Post.id))
    taken_at: Mapped[datetime] = mapped_column(default=func.now())


async def get_db() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


Db = Annotated[AsyncSession, Depends(get_db)]


async def get_current_user(token: Annotated[str, Depends(oauth2_scheme)], db: Db) -> User:
    try:
        payload = jwt.decode(token, settings.secret_key.get_secret_value(), [ALGORITHM])
    except JWTError:
        raise HTTPException(401) from None
    user = await db.get(User, UUID(payload["sub"]))
    if user is None or not user.is_active:
        raise HTTPException(401)
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


@app.get("/api/v1/posts", response_model=Page[PostSummary])
async def list_posts(db: Db) -> dict[str, object]:
    result = await db.execute(
        select(Post)
        .options(selectinload(Post.author))
        .where(Post.status == "published", Post.deleted_at.is_(None))
        .order_by(Post.published_at.desc(), Post.id.desc())
        .limit(PAGE + 1)
    )
    posts = result.scalars().all()
    last = posts[PAGE - 1] if len(posts) > PAGE else None
    next_cursor = encode_cursor(last.published_at, last.id) if last and last.published_at else None
    return {"items": posts[:PAGE], "next_cursor": next_cursor}


@app.get("/api/v1/posts/{post_id}", response_model=PostRead)
async def read_post(post_id: UUID, db: Db) -> Post:
    result = await db.execute(
        select(Post)
        .options(selectinload(Post.author))
        .where(Post.id == post_id, Post.status == "published", Post.deleted_at.is_(None))
    )
    post = result.scalar_one_or_none()
    if post is None:
        raise HTTPException(404)
    return post


@app.get("/api/v1/users/me", response_model=UserRead)
async def read_me(user: CurrentUser) -> User:
    return user


@app.post("/api/v1/posts", response_model=PostRead, status_code=201)
async def create_post(data: PostCreate, user: CurrentUser, db: Db) -> Post:
    slug = slug_stem(data.title)
    post = Post(
        **data.model_dump(exclude={"slug"}),
        author=user,
        slug=slug,
        slugs=[PostSlug(slug=slug)],
        body_html=render_markdown(data.body),
    )
    db.add(post)
    await db.commit()
    await db.refresh(post)
    return post


if __name__ == "__main__":
    serve(app, settings)
