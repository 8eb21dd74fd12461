"""Statements: parameters go in, rows become documents of a declared shape."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    Select,
    Uuid,
    bindparam,
    cast,
    column,
    func,
    literal,
    literal_column,
    null,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import Integer, Text

from src.auth.models import Throttle
from src.database import Database
from src.ids import uuid7
from src.sql.shapes import Shape
from src.sql.statements import NewRow, Query, Rows, read
from src.sql.transaction import Transaction

NUMBER = column("number", Integer)
TEXT, ID = bindparam("text", type_=Text), bindparam("row_id", type_=Uuid)


def counting(rows: Rows, upto: int) -> Rows:
    """From 1 up."""
    return rows.select_from(func.generate_series(1, cast(upto, Integer)).alias("number"))


@read(Shape({"number": NUMBER}))
def numbers(rows: Rows, upto: int) -> Rows:
    return counting(rows, upto).order_by(NUMBER.desc())


@read(
    Shape(
        {
            "constant": 7,
            "first": literal_column("1"),
            "group": {"number": NUMBER, "flag": False, "double": NUMBER * 2, "nothing": null()},
            "last": literal_column("'z'"),
            "constants": {"nothing": None, "zero": 0},
        }
    )
)
def nested(rows: Rows, upto: int) -> Rows:
    return counting(rows, upto).order_by(NUMBER)


@read(Shape({"text": TEXT, "id": ID}))
def echo(rows: Rows, text: str, row_id: UUID | str | None) -> Rows:
    return rows


@Query
def pairs(upto: int) -> Select[int, bool]:
    numbers = func.generate_series(1, cast(upto, Integer)).alias("number")
    return select(NUMBER, NUMBER > 1).select_from(numbers).order_by(NUMBER)


async def test_all_gives_every_row_in_order(database: Database) -> None:
    found = await numbers.all(database.reads, upto=3)
    assert found == [{"number": 3}, {"number": 2}, {"number": 1}]


async def test_all_of_nothing_is_empty(database: Database) -> None:
    assert await numbers.all(database.reads, upto=0) == []


async def test_first_gives_one_row_or_none(database: Database) -> None:
    assert await numbers.first(database.reads, upto=3) == {"number": 3}
    assert await numbers.first(database.reads, upto=0) is None


async def test_fields_keep_their_order_and_objects_come_last(database: Database) -> None:
    first, second = await nested.all(database.reads, upto=2)
    assert first == {
        "first": 1,
        "last": "z",
        "constant": 7,
        "group": {"number": 1, "double": 2, "nothing": None, "flag": False},
        "constants": {"nothing": None, "zero": 0},
    }
    assert list(first) == ["constant", "first", "last", "group", "constants"]
    assert second["group"] == {"number": 2, "double": 4, "nothing": None, "flag": False}


def test_values_just_written_make_the_same_document_as_their_row() -> None:
    shape = Shape(
        {"a": literal_column("1"), "one": 1, "b": literal_column("2"), "of": {"c": null(), "d": 4}}
    )
    document = shape.of_values({"b": "B", "a": "A", "more": "x"}, of={"c": "C", "more": "x"})
    assert document == {"a": "A", "b": "B", "one": 1, "of": {"c": "C", "d": 4}}
    assert list(document) == ["a", "one", "b", "of"]


async def test_a_query_gives_tuples(database: Database) -> None:
    assert await pairs.all(database.reads, upto=2) == [(1, False), (2, True)]
    assert await pairs.first(database.reads, upto=1) == (1, False)
    assert await pairs.first(database.reads, upto=0) is None


async def test_ids_are_uuids(database: Database) -> None:
    row_id = uuid7()
    for given in (row_id, str(row_id)):
        found = await echo.first(database.reads, text="x", row_id=given)
        assert found == {"text": "x", "id": row_id}
        assert isinstance(found["id"], UUID)


async def test_parameters_may_be_given_in_their_order(database: Database) -> None:
    assert await echo.first(database.reads, "x", row_id=None) == {"text": "x", "id": None}


@pytest.mark.parametrize("given", [{"text": "x"}, {"text": "x", "row_id": None, "id": None}])
async def test_the_parameters_are_all_given_and_no_others(
    database: Database, given: dict[str, Any]
) -> None:
    """Mypy says so before."""
    with pytest.raises(TypeError):
        await echo.first(database.reads, **given)


def test_a_parameter_that_the_statement_does_not_have_is_found_at_import() -> None:
    def forgetful(upto: int, more: int) -> Select[int]:
        return select(NUMBER).where(upto > NUMBER)

    with pytest.raises(TypeError, match="more"):
        Query(forgetful)


async def test_a_new_row_takes_all_columns(database: Database) -> None:
    """A column left out would be NULL, whatever its default."""
    new_throttle = NewRow(Throttle)
    throttle = {"key": b"x", "count": 1, "window_started_at": datetime.now(UTC)}
    with pytest.raises(TypeError):
        await new_throttle.write(database.writes, {"key": b"x"})
    await new_throttle.write(database.writes, throttle)
    async with database.sessions() as session:
        assert await session.scalar(select(Throttle.count).where(Throttle.key == b"x")) == 1


async def test_a_session_runs_statements_in_its_transaction(database: Database) -> None:
    new_throttle = NewRow(Throttle)
    throttle = {"key": b"x", "count": 1, "window_started_at": datetime.now(UTC)}
    async with database.sessions() as session:
        await new_throttle.write(session, throttle)
        assert await session.scalar(select(Throttle.count).where(Throttle.key == b"x")) == 1
        await session.rollback()
    async with database.independent_transaction() as session:
        assert await session.scalar(select(Throttle.count).where(Throttle.key == b"x")) is None
        await new_throttle.write(session, throttle)
        assert await pairs.all(session, upto=2) == [(1, False), (2, True)]
    async with database.sessions() as session:
        assert await session.scalar(select(Throttle.count).where(Throttle.key == b"x")) == 1


async def test_json_is_decoded_wherever_a_statement_runs(database: Database) -> None:
    @Query
    def document(text: str) -> Select[object]:
        return select(cast(cast(text, Text), JSONB))

    async with Transaction(database.writes) as transaction, database.sessions() as session:
        for runner in (database.reads, transaction, session):
            assert await document.first(runner, text='{"a": [1]}') == ({"a": [1]},)


async def test_a_value_is_never_part_of_the_sql(database: Database) -> None:
    hostile = "'); DROP TABLE users; --\\ %s %(x)s $1 :text"
    found = await echo.first(database.reads, text=hostile, row_id=None)
    assert found == {"text": hostile, "id": None}
    assert hostile not in echo.sql


async def test_a_literal_keeps_its_value_beside_parameters(database: Database) -> None:
    @Query
    def mixed(given: str, seven: int) -> Select[str, str]:
        return select(literal("fixed"), cast(given, Text)).where(literal(7) == seven)

    assert await mixed.first(database.reads, given="x", seven=7) == ("fixed", "x")
    assert await mixed.first(database.reads, given="x", seven=8) is None


async def test_a_parameter_may_be_used_twice(database: Database) -> None:
    @Query
    def twice(same: str) -> Select[str, str]:
        return select(cast(same, Text), func.upper(cast(same, Text)))

    assert await twice.first(database.reads, same="x") == ("x", "X")


async def test_a_read_sees_what_was_committed_just_now(database: Database) -> None:
    @Query
    def revisions() -> Select[int]:
        return select(func.count()).select_from(table("alembic_version"))

    assert await revisions.first(database.reads) == (1,)
    async with database.independent_transaction() as session:
        await session.execute(table("alembic_version").delete())
        assert await revisions.first(database.reads) == (1,)
    assert await revisions.first(database.reads) == (0,)
