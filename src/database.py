"""The database: its connections, and transactions apart from the request's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    async_sessionmaker,
    create_async_engine,
)

from src.config import Settings
from src.exceptions import DatabaseRefusedError, DatabaseUnavailableError
from src.progress import waiting
from src.sql import embedded_postgres
from src.sql.pool import Pool
from src.sql.session import DatabaseSession


@dataclass(frozen=True, slots=True)
class Database:
    """The connections of one process: ORM sessions, and FIFO pools for compiled statements."""

    url: str
    engine: AsyncEngine
    sessions: async_sessionmaker[DatabaseSession]
    reads: Pool
    writes: Pool

    @classmethod
    def open(cls, url: str, settings: Settings) -> "Database":
        """Prepare the pools for `url` (`postgresql://…`); connections open when first needed."""
        statement_timeout = f"{int(settings.statement_timeout_seconds * 1000)}ms"
        # PostgreSQL's own limit comes first; this one is for when it is silent.
        silence_seconds = settings.statement_timeout_seconds + 1

        async def connect(command_timeout: float | None = None) -> asyncpg.Connection:
            return await connect_to(
                url,
                timeout=settings.database_wait_seconds,
                command_timeout=command_timeout,
                server_settings={
                    "application_name": "plaza",
                    "timezone": "UTC",
                    "statement_timeout": statement_timeout,
                    "idle_in_transaction_session_timeout": statement_timeout,
                },
            )

        def pool(size: int) -> Pool:
            return Pool(connect, size, settings.database_wait_seconds, silence_seconds)

        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=partial(connect, silence_seconds),
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_timeout=settings.database_wait_seconds,
        )
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
        event.listen(engine.sync_engine, "handle_error", _name_outage)
        return cls(
            url=url,
            engine=engine,
            sessions=async_sessionmaker(engine, class_=DatabaseSession, expire_on_commit=False),
            reads=pool(settings.read_pool_size),
            writes=pool(settings.database_pool_size),
        )

    async def close(self) -> None:
        """Close every connection."""
        await self.reads.close()
        await self.writes.close()
        await self.engine.dispose()

    async def require_accepting(self) -> None:
        """Find out before anything is started; a database that is away may come back.

        Raises:
            DatabaseRefusedError: PostgreSQL takes no connection.
        """
        try:
            async with self.engine.connect():
                pass
        except DatabaseRefusedError:
            raise
        except DatabaseUnavailableError:
            pass

    @asynccontextmanager
    async def independent_transaction(self) -> AsyncIterator[DatabaseSession]:
        """A transaction of its own, committed at the end of the block.

        For what must outlive the request's rollback: attempt counters, throttles, revocations.
        """
        async with self.sessions.begin() as session:
            yield session


async def connect_to(url: str, **options: Any) -> asyncpg.Connection:
    """A connection, with `options` of `asyncpg.connect`, whose own errors may repeat the URL.

    Raises:
        DatabaseRefusedError: PostgreSQL or its client does not take the URL.
        DatabaseUnavailableError: it is away.
    """
    try:
        return await asyncpg.connect(url, **options)
    except (OSError, asyncpg.PostgresConnectionError) as error:
        raise DatabaseUnavailableError(type(error).__name__) from error
    except (
        ValueError,
        asyncpg.InterfaceError,
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
        asyncpg.SyntaxOrAccessError,
        asyncpg.DataError,
    ) as error:  # its text may repeat a part of the URL
        raise DatabaseRefusedError(type(error).__name__) from None


def _refuse_closed(connection: DBAPIConnection, *_: object) -> None:
    """Let the pool replace a connection that PostgreSQL closed meanwhile, at no cost of a query."""
    driver_connection: asyncpg.Connection = connection.driver_connection
    if driver_connection.is_closed():
        raise DisconnectionError


def _name_outage(context: ExceptionContext) -> DatabaseUnavailableError | None:
    """A lost connection, or an error of the network: here nothing but the database is talked to.

    Whoever is cancelled has lost it too, and is cancelled.
    """
    error = context.original_exception
    if isinstance(error, OSError) or (context.is_disconnect and isinstance(error, Exception)):
        return DatabaseUnavailableError(type(error).__name__)
    return None


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the settings while the block runs: DATABASE_URL, or the embedded one."""
    if settings.database_url:
        url = settings.database_url.get_secret_value()
    else:
        with waiting("Starting PostgreSQL"):
            url = await asyncio.to_thread(embedded_postgres.start, settings.data_dir)
    database = Database.open(url, settings)
    try:
        yield database
    finally:
        await database.close()
        if not settings.database_url:
            await asyncio.to_thread(embedded_postgres.stop, settings.data_dir)
