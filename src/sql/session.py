"""A session of SQLAlchemy's ORM, with the words that services share."""

from datetime import datetime
from typing import Any, TypeVar, cast

import asyncpg
from pydantic import BaseModel
from sqlalchemy import ColumnExpressionArgument, select
from sqlalchemy.ext.asyncio import AsyncSession

from src.exceptions import DatabaseUnavailableError, NotFoundError
from src.sql.tables import Base, Timestamped

Entity = TypeVar("Entity", bound=Base)
Changed = TypeVar("Changed", bound=Timestamped)


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

    async def locked(
        self, kind: type[Entity], *conditions: ColumnExpressionArgument[bool]
    ) -> Entity:
        """The entity of the conditions as it is now.

        Until the transaction ends, nobody else changes or deletes it.

        Raises:
            NotFoundError: there is none.
        """
        which = select(kind).where(*conditions).with_for_update(key_share=True)
        found = await self.scalar(which.execution_options(populate_existing=True))
        if found is None:
            raise NotFoundError
        return found

    async def change(self, entity: Changed, changes: BaseModel, now: datetime) -> Changed:
        """Give the entity the fields that were sent."""
        for name, value in changes.model_dump(exclude_unset=True).items():
            setattr(entity, name, value)
        if self.is_modified(entity):
            entity.updated_at = now
            await self.flush()
        return entity


async def driver_connection(session: AsyncSession) -> asyncpg.Connection:
    """The session's own asyncpg connection, inside the session's transaction."""
    connection = await session.connection()
    driver: Any = (await connection.get_raw_connection()).driver_connection
    if not driver.is_in_transaction():  # SQLAlchemy begins with its first statement, not before
        await connection.exec_driver_sql("SELECT 1")
    return cast("asyncpg.Connection", driver)
