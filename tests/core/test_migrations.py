"""Migrations: they make what the models say, and can be undone."""

import asyncio
import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from src.config import PROJECT_ROOT
from tests.command_line import run
from tests.support import query

SCHEMA = """
    SELECT 'column' AS kind, table_name::text AS owner, column_name::text AS name,
           concat_ws(' ', udt_name, is_nullable, column_default) AS definition
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
    FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function', '', proname, pg_get_functiondef(oid)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'type', '', typname, typtype::text
    FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
    ORDER BY 1, 2, 3, 4
"""
CONFIG = Config(PROJECT_ROOT / "alembic.ini")


@pytest.fixture
def alembic(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., "asyncio.Future[None]"]:
    """Runs a command of Alembic on the test's database."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("ENVIRONMENT", "test")

    def run(name: str, *arguments: str) -> "asyncio.Future[None]":
        work = asyncio.to_thread(getattr(command, name), CONFIG, *arguments)
        return asyncio.ensure_future(work)

    return run


async def schema(database_url: str) -> list[asyncpg.Record]:
    """Everything in the schema but Alembic's own table."""
    found = await query(database_url, SCHEMA)
    return [row for row in found if row["owner"] != "alembic_version"]


async def test_the_models_are_what_the_migrations_make(
    alembic: Callable[..., "asyncio.Future[None]"],
) -> None:
    await alembic("check")


async def test_down_to_nothing_and_up_again(
    alembic: Callable[..., "asyncio.Future[None]"], database_url: str
) -> None:
    before = await schema(database_url)
    assert {row["kind"] for row in before} == {
        "column",
        "constraint",
        "index",
        "trigger",
        "function",
        "type",
    }
    await alembic("downgrade", "base")
    assert await schema(database_url) == []
    await alembic("upgrade", "head")
    assert await schema(database_url) == before


async def test_every_step_can_be_undone_and_done_again(
    alembic: Callable[..., "asyncio.Future[None]"], database_url: str
) -> None:
    steps = list(ScriptDirectory.from_config(CONFIG).walk_revisions())
    schemas = [await schema(database_url)]
    for _ in steps:
        await alembic("downgrade", "-1")
        schemas.append(await schema(database_url))
    assert schemas.pop() == []
    while schemas:
        await alembic("upgrade", "+1")
        assert await schema(database_url) == schemas.pop()


async def test_text_that_is_stored_already_gets_its_form(
    alembic: Callable[..., "asyncio.Future[None]"], database_url: str
) -> None:
    await alembic("downgrade", "text_in_one_form-1")
    await query(
        database_url,
        """
        INSERT INTO users (id, email, username, display_name, password_hash,
                           created_at, updated_at, version)
        VALUES (gen_random_uuid(), 'a@x.test', 'ann', U&'Andre\\0301', '', now(), now(), 1)
        """,
    )
    await query(
        database_url,
        """
        INSERT INTO posts (id, author_id, slug, title, summary, body, body_html, status, tags,
                           version, created_at, updated_at)
        SELECT gen_random_uuid(), id, U&'cafe\\0301-1', U&'e\\0301', '', U&'e\\0301', '', 'draft',
               ARRAY[U&'caf\\00e9', U&'cafe\\0301', 'b', U&'\\FF30y'], 1, now(), now()
        FROM users
        """,
    )
    await alembic("upgrade", "head")
    [user] = await query(database_url, "SELECT display_name, version FROM users")
    assert tuple(user) == ("Andr\u00e9", 1)
    [post] = await query(database_url, "SELECT slug, title, body, tags, version FROM posts")
    assert tuple(post) == ("caf\u00e9-1", "\u00e9", "e\u0301", ["caf\u00e9", "b", "py"], 1)


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(CONFIG).get_heads()) == 1


async def test_a_database_that_a_newer_version_has_migrated_is_said(
    environment: dict[str, str], database_url: str
) -> None:
    await query(database_url, "UPDATE alembic_version SET version_num = 'later'")
    done = await asyncio.to_thread(run, environment, "migrate")
    said = "The migrations do not fit the database: Can't locate revision identified by 'later'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


@pytest.mark.usefixtures("alembic")
def test_no_migration_is_made_of_nothing(tmp_path: Path) -> None:
    config = Config(PROJECT_ROOT / "alembic.ini", cmd_opts=Namespace(autogenerate=True))
    folders = PROJECT_ROOT / "alembic/versions", tmp_path
    config.set_main_option("version_locations", os.pathsep.join(map(str, folders)))
    with pytest.raises(CommandError, match=r"^Nothing has changed\. Is the model in src/models"):
        command.revision(config, autogenerate=True, version_path=str(tmp_path))
    assert not list(tmp_path.iterdir())
