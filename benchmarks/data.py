"""The rows that every server answers from: the same at every run."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from passlib.context import CryptContext

from benchmarks.environment import BCRYPT_ROUNDS
from src.access.permissions import OWN_SCOPES
from src.posts.text.markdown import render_markdown

USERS = 10_000
POSTS = 100_000
SESSIONS = 2_000
TEXTS = 200
PASSWORD = "correct horse battery staple"
SCOPE = " ".join(OWN_SCOPES)

# No time of a row is a whole second: those are written in two ways, with and without a fraction.
_FIRST_DAY = datetime(2024, 1, 1, microsecond=1, tzinfo=UTC)
_NEVER = datetime(2100, 1, 1, tzinfo=UTC)
_STEP = timedelta(seconds=601, microseconds=7)
_WORDS = """
plaza market fountain bench evening light stone bread music letter river garden window people walk
talk bring carry open close early late quiet loud green yellow narrow wide and the of with under
over near between again often never always
""".split()  # noqa: SIM905 - a list of literals would take a page


def user_id(number: int) -> UUID:
    """The id of the user with this number, from 0 to `USERS` - 1."""
    return _uuid7(1, number)


def session_id(number: int) -> UUID:
    """The id of the session with this number, from 0 to `SESSIONS` - 1."""
    return _uuid7(2, number)


def session_user(number: int) -> int:
    """The number of the user who has this session."""
    return number * (USERS // SESSIONS)


def post_id(number: int) -> UUID:
    """The id of the post with this number, from 0 to `POSTS` - 1; the last is the newest."""
    return _uuid7(3, number)


def email(number: int) -> str:
    """The address that the user with this number signs in with; the password is `PASSWORD`."""
    return f"user{number}@plaza.test"


def hash_of_password(rounds: int) -> str:
    """A hash of `PASSWORD` of this cost."""
    hashed: str = CryptContext(["bcrypt_sha256"], bcrypt_sha256__rounds=rounds).hash(PASSWORD)
    return hashed


def words(source: random.Random, length: int) -> str:
    """Words of about this many characters in all."""
    chosen: list[str] = []
    while sum(map(len, chosen)) + len(chosen) < length:
        chosen.append(source.choice(_WORDS))
    return " ".join(chosen).capitalize()


async def fill(connection: asyncpg.Connection) -> None:
    """Fill a migrated, empty database."""
    source = random.Random("plaza")
    authors = [source.randrange(USERS) for _ in range(POSTS)]
    posts_count = Counter(authors)
    await connection.execute("ALTER TABLE posts DISABLE TRIGGER USER")
    await _copy(connection, "users", _users(posts_count))
    await _copy(connection, "sessions", _sessions())
    await _copy(connection, "posts", _posts(source, authors))
    await connection.execute("INSERT INTO post_slugs SELECT slug, id, created_at FROM posts")
    await connection.execute("""
        INSERT INTO post_search
        SELECT id, author_id, published_at, post_document(title, summary, tags, body) FROM posts
    """)
    await connection.execute("""
        INSERT INTO tags SELECT tag, count(*) FROM posts, unnest(tags) AS tag GROUP BY tag
    """)
    await connection.execute("ALTER TABLE posts ENABLE TRIGGER USER")
    await connection.execute("VACUUM ANALYZE")


async def _copy(
    connection: asyncpg.Connection, table: str, rows: Iterator[dict[str, object]]
) -> None:
    first = next(rows)

    def records() -> Iterator[tuple[object, ...]]:
        yield tuple(first.values())
        for row in rows:
            yield tuple(row.values())

    await connection.copy_records_to_table(table, columns=list(first), records=records())


def _users(posts_count: Counter[int]) -> Iterator[dict[str, object]]:
    password_hash = hash_of_password(BCRYPT_ROUNDS)
    for number in range(USERS):
        at = _FIRST_DAY + number * _STEP
        yield {
            "id": user_id(number),
            "email": email(number),
            "username": f"user-{number}",
            "display_name": f"User Number {number}",
            "bio": f"Writes about plaza {number % 97} and what happens there in the evening.",
            "locale": "en",
            "password_hash": password_hash,
            "email_verified_at": at,
            "posts_count": posts_count[number],
            "version": 1,
            "created_at": at,
            "updated_at": at,
        }


def _sessions() -> Iterator[dict[str, object]]:
    for number in range(SESSIONS):
        at = _FIRST_DAY + number * _STEP
        yield {
            "id": session_id(number),
            "user_id": user_id(session_user(number)),
            "scope": SCOPE,
            "refresh_salt": number.to_bytes(16, "big"),
            "refresh_generation": 0,
            "created_at": at,
            "refreshed_at": at,
            "idle_expires_at": _NEVER,
            "expires_at": _NEVER,
        }


def _posts(source: random.Random, authors: list[int]) -> Iterator[dict[str, object]]:
    bodies = [_body(source) for _ in range(TEXTS)]
    texts = [(body, render_markdown(body)) for body in bodies]
    for number, author in enumerate(authors):
        at = _FIRST_DAY + number * _STEP
        body, body_html = texts[number % TEXTS]
        title = words(source, 40)
        yield {
            "id": post_id(number),
            "author_id": user_id(author),
            "slug": f"{title.lower().replace(' ', '-')}-{number:08x}",
            "title": title,
            "summary": words(source, 120),
            "body": body,
            "body_html": body_html,
            "status": "published",
            "tags": sorted(source.sample(_WORDS, 3)),
            "published_at": at,
            "version": 1,
            "created_at": at,
            "updated_at": at,
        }


def _body(source: random.Random) -> str:
    """About 1 kB of Markdown."""
    paragraphs = [words(source, 280) for _ in range(3)]
    items = [f"- {words(source, 30)}" for _ in range(3)]
    return "\n\n".join([f"## {words(source, 30)}", *paragraphs, "\n".join(items)])


def _uuid7(kind: int, number: int) -> UUID:
    """A UUIDv7 of the row's time; the rows of a table ascend."""
    milliseconds = int((_FIRST_DAY + number * _STEP).timestamp() * 1000)
    entropy = random.Random(kind << 32 | number).getrandbits(62)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | kind << 64 | 0x2 << 62 | entropy)
