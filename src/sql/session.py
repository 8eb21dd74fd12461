"""A session of SQLAlchemy's ORM, with the words that services share."""

from datetime import datetime
from typing import Any, TypeVar, cast

import asyncpg
from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from src.exceptions import DatabaseUnavailableError, NotFoundError
from src.sql.tables import Base, Timestamped

Entity = TypeVar("Entity", bound=Base)


class DatabaseSession(AsyncSession):
    """A session whose transaction runs compiled statements, too (`src.sql.statements.Runner`)."""

    async def fetch(
        self, sql: str, arguments: list[object], *, replan: bool = False
    ) -> list[asyncpg.Record]:
        """Run one statement; what is changed and not flushed, it does not see.

        Raises:
            DatabaseUnavailableError: the database is away.
        """
        driver = await driver_connection(self)
        try:
            if replan:
                return await (await driver.prepare(sql)).fetch(*arguments)
            return await driver.fetch(sql, *arguments)
        except OSError as error:
            raise DatabaseUnavailableError(type(error).__name__) from error

    async def write(self, sql: str, arguments: list[object]) -> None:
        """Run one statement for its effect.

        Raises:
            DatabaseUnavailableError: the database is away.
        """
        await self.fetch(sql, arguments)

    async def insert(self, entity: Entity) -> Entity:
        """Write a new row."""
        self.add(entity)
        await self.flush()
        return entity

    async def locked(self, which: Select[Entity]) -> Entity:
        """The entity as it is now; until the transaction ends, nobody else changes or deletes it.

        Raises:
            NotFoundError: there is none.
        """
        found = await self.scalar(
            which.with_for_update(key_share=True).execution_options(populate_existing=True)
        )
        if found is None:
            raise NotFoundError
        return found

    async def change(self, entity: Timestamped, changes: BaseModel, now: datetime) -> bool:
        """Give the entity the fields that were sent; whether that changes anything."""
        for name, value in changes.model_dump(exclude_unset=True).items():
            setattr(entity, name, value)
        if not self.is_modified(entity):
            return False
        entity.updated_at = now
        await self.flush()
        return True


async def driver_connection(session: AsyncSession) -> asyncpg.Connection:
    """The session's own asyncpg connection, inside the session's transaction."""
    connection = await session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if not driver.is_in_transaction():  # SQLAlchemy begins with its first statement, not before
        await connection.exec_driver_sql("SELECT 1")
    return cast("asyncpg.Connection", driver)
