"""R0, the floor: the least a Python process can do to give the same answers.

Raw ASGI, asyncpg, one prepared statement a request, JSON built by PostgreSQL. Nothing is validated,
there is no routing, no middleware and no error handling.
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import orjson
from asyncpg.prepared_stmt import PreparedStatement
from starlette.types import Receive, Scope, Send

from benchmarks.serving import serve
from src.auth.tokens import jwt
from src.config import Settings
from src.ids import uuid7
from src.posts.slugs.rules import slug_stem
from src.posts.text.markdown import render_markdown


def _time(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def _newest(columns: str, count: int) -> str:
    return f"""
        SELECT {columns} FROM posts WHERE status = 'published' AND deleted_at IS NULL
        ORDER BY published_at DESC, id DESC LIMIT {count}
    """


_SUMMARY = f"""
    'id', p.id, 'slug', p.slug, 'title', p.title, 'summary', p.summary, 'status', p.status,
    'tags', p.tags, 'version', p.version, 'created_at', {_time("p.created_at")},
    'updated_at', {_time("p.updated_at")}, 'published_at', {_time("p.published_at")},
    'publish_at', {_time("p.publish_at")}, 'likes_count', p.likes_count,
    'comments_count', p.comments_count, 'cover_url', null, 'liked', false, 'bookmarked', false,
    'author', json_build_object(
        'id', u.id, 'username', u.username, 'display_name', u.display_name, 'avatar_url', null
    )
"""
_FULL = f"json_build_object({_SUMMARY}, 'body', p.body, 'body_html', p.body_html)"
_CALLER = """
    FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.id = $1 AND s.user_id = $2 AND s.ended_at IS NULL AND s.expires_at > now()
        AND u.is_active
"""

LIST_POSTS = f"""
    SELECT json_build_object(
        'items', (
            SELECT json_agg(
                json_build_object({_SUMMARY}) ORDER BY p.published_at DESC, p.id DESC
            )
            FROM ({_newest("*", 20)}) AS p JOIN users u ON u.id = p.author_id
        ),
        'next_cursor', (
            SELECT translate(encode(
                int8send((extract(epoch FROM published_at) * 1000000)::bigint) || uuid_send(id),
                'base64'), '+/', '-_')
            FROM (
                SELECT *, lead(id) OVER (ORDER BY published_at DESC, id DESC) AS next_id
                FROM ({_newest("published_at, id", 21)}) AS keys
            ) AS neighbours
            WHERE next_id IS NOT NULL OFFSET 19
        )
    )
"""
READ_POST = f"""
    SELECT {_FULL} FROM posts p JOIN users u ON u.id = p.author_id
    WHERE p.id = $1 AND p.status = 'published' AND p.deleted_at IS NULL
"""
READ_ME = f"""
    SELECT json_build_object(
        'id', u.id, 'email', u.email, 'email_verified', u.email_verified_at IS NOT NULL,
        'email_undeliverable_at', u.email_undeliverable_at,
        'username', u.username, 'requested_username', u.requested_username,
        'display_name', u.display_name, 'bio', u.bio, 'locale', u.locale,
        'roles', u.roles, 'mfa_enabled', u.mfa_enabled,
        'avatar_url', null, 'posts_count', u.posts_count, 'version', u.version,
        'created_at', {_time("u.created_at")}, 'updated_at', {_time("u.updated_at")}
    ) {_CALLER}
"""
CREATE_POST = f"""
    WITH u AS (SELECT u.* {_CALLER}), p AS (
        INSERT INTO posts (
            id, author_id, slug, title, summary, body, body_html, status, tags, version,
            created_at, updated_at
        )
        SELECT $3, u.id, $4, $5, $6, $7, $8, 'draft', $9, 1, $10, $10 FROM u
        RETURNING *
    ), taken AS (
        INSERT INTO post_slugs (slug, post_id, taken_at) SELECT slug, id, created_at FROM p
    )
    SELECT {_FULL} FROM p, u
"""


class Statements:
    """Connections with every statement prepared, taken in turn."""

    def __init__(self) -> None:
        self._idle: asyncio.Queue[dict[str, PreparedStatement]] = asyncio.Queue()

    @asynccontextmanager
    async def connect(self, url: str, size: int) -> AsyncIterator[None]:
        connections = [await asyncpg.connect(url) for _ in range(size)]
        for connection in connections:
            self._idle.put_nowait(
                {
                    sql: await connection.prepare(sql)
                    for sql in (LIST_POSTS, READ_POST, READ_ME, CREATE_POST)
                }
            )
        yield
        for connection in connections:
            await connection.close()

    async def json(self, sql: str, *arguments: object) -> bytes:
        """The one JSON document that a statement gives; empty when it gives none."""
        prepared = await self._idle.get()
        try:
            text: str | None = await prepared[sql].fetchval(*arguments)
        finally:
            self._idle.put_nowait(prepared)
        return text.encode() if text else b""


class Floor:
    """The ASGI application."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._statements = Statements()
        self._key = jwt.Key.private(settings.jwt_private_key.get_secret_value())
        self._known: dict[bytes, tuple[UUID, UUID]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        path: str = scope["path"]
        status = 200
        if path == "/api/v1/users/me":
            body = await self._statements.json(READ_ME, *self._caller(scope))
        elif path != "/api/v1/posts":
            body = await self._statements.json(READ_POST, path[14:])
        elif scope["method"] == "GET":
            body = await self._statements.json(LIST_POSTS)
        else:
            status, body = 201, await self._create(scope, receive)
        await send(
            {
                "type": "http.response.start",
                "status": status if body else 404,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", b"%d" % len(body)),
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _create(self, scope: Scope, receive: Receive) -> bytes:
        data = b""
        while True:
            message = await receive()
            data += message["body"]
            if not message["more_body"]:
                break
        post = orjson.loads(data)
        return await self._statements.json(
            CREATE_POST,
            *self._caller(scope),
            uuid7(),
            slug_stem(post["title"]),
            post["title"],
            post["summary"],
            post["body"],
            render_markdown(post["body"]),
            post["tags"],
            datetime.now(UTC),
        )

    def _caller(self, scope: Scope) -> tuple[UUID, UUID]:
        """The session and user of the bearer token, whose signature is checked once."""
        token = next(value for name, value in scope["headers"] if name == b"authorization")
        known = self._known.get(token)
        if known is None:
            claims = jwt.verify(
                token.decode().removeprefix("Bearer "),
                self._key,
                datetime.now(UTC),
                issuer=self._settings.public_url,
                audience=self._settings.token_audience,
            )
            if claims is None:
                raise ValueError("not a token")
            known = self._known[token] = (claims.sid, claims.sub)
        return known

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        url = self._settings.database_url
        assert url is not None
        async with self._statements.connect(url.get_secret_value(), self._settings.read_pool_size):
            gc.collect()
            gc.freeze()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    _settings = Settings()
    serve(Floor(_settings), _settings)
