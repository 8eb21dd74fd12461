"""Statements: parameters go in, rows become documents of a declared shape."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import (
    Uuid,
    bindparam,
    column,
    func,
    insert,
    literal,
    literal_column,
    null,
    select,
    table,
)
from sqlalchemy.types import Integer, Text

from src.auth.models import Throttle
from src.database import Database
from src.ids import uuid7
from src.sql.shapes import Shape
from src.sql.statements import Read, Statement

NUMBER = column("number", Integer)
NUMBERS = func.generate_series(1, bindparam("upto", type_=Integer)).alias("number")

numbers = Read(
    Shape({"number": NUMBER}), lambda rows: rows.select_from(NUMBERS).order_by(NUMBER.desc())
)
nested = Read(
    Shape(
        {
            "constant": 7,
            "first": literal_column("1"),
            "group": {"number": NUMBER, "flag": False, "double": NUMBER * 2, "nothing": null()},
            "last": literal_column("'z'"),
            "constants": {"nothing": None, "zero": 0},
        }
    ),
    lambda rows: rows.select_from(NUMBERS).order_by(NUMBER),
)
echo = Read(
    Shape({"text": bindparam("text", type_=Text), "id": bindparam("id", type_=Uuid)}),
    lambda rows: rows,
)


async def test_all_gives_every_row_in_order(database: Database) -> None:
    found = await numbers.all(database.reads, upto=3)
    assert found == [{"number": 3}, {"number": 2}, {"number": 1}]


async def test_all_of_nothing_is_empty(database: Database) -> None:
    assert await numbers.all(database.reads, upto=0) == []


async def test_first_gives_one_row_or_none(database: Database) -> None:
    assert await numbers.first(database.reads, upto=3) == {"number": 3}
    assert await numbers.first(database.reads, upto=0) is None


async def test_columns_come_first_then_constants_then_objects(database: Database) -> None:
    first, second = await nested.all(database.reads, upto=2)
    assert first == {
        "first": 1,
        "last": "z",
        "constant": 7,
        "group": {"number": 1, "double": 2, "nothing": None, "flag": False},
        "constants": {"nothing": None, "zero": 0},
    }
    assert list(first) == ["first", "last", "constant", "group", "constants"]
    assert second["group"] == {"number": 2, "double": 4, "nothing": None, "flag": False}


def test_values_just_written_make_the_same_document_as_their_row() -> None:
    shape = Shape(
        {"a": literal_column("1"), "one": 1, "b": literal_column("2"), "of": {"c": null(), "d": 4}}
    )
    document = shape.of_values({"b": "B", "a": "A", "more": "x"}, of={"c": "C", "more": "x"})
    assert document == {"a": "A", "b": "B", "one": 1, "of": {"c": "C", "d": 4}}
    assert list(document) == ["a", "b", "one", "of"]


async def test_ids_go_in_as_uuid_or_text_and_come_out_as_text(database: Database) -> None:
    row_id = uuid7()
    for given in (row_id, str(row_id)):
        found = await echo.first(database.reads, text="x", id=given)
        assert found == {"text": "x", "id": str(row_id)}
    assert UUID(str(row_id)) == row_id


@pytest.mark.parametrize("given", [{"text": "x"}, {"text": "x", "id": None, "idd": None}])
async def test_the_parameters_are_all_given_and_no_others(
    database: Database, given: dict[str, object]
) -> None:
    with pytest.raises(TypeError):
        await echo.first(database.reads, **given)


async def test_an_insert_takes_all_columns(database: Database) -> None:
    """A column left out would be NULL, whatever its default."""
    insert_throttle = Statement(insert(Throttle))
    throttle = {"key": b"x", "count": 1, "window_started_at": datetime.now(UTC)}
    with pytest.raises(TypeError):
        await insert_throttle.run(database.writes, {"key": b"x"})
    await insert_throttle.run(database.writes, throttle)
    async with database.sessions() as session:
        assert await session.scalar(select(Throttle.count).where(Throttle.key == b"x")) == 1


async def test_a_value_is_never_part_of_the_sql(database: Database) -> None:
    hostile = "'); DROP TABLE users; --\\ %s %(x)s $1 :text"
    found = await echo.first(database.reads, text=hostile, id=None)
    assert found == {"text": hostile, "id": None}
    assert hostile not in echo.sql


async def test_a_literal_keeps_its_value_beside_parameters(database: Database) -> None:
    read = Read(
        Shape({"literal": literal("fixed"), "given": bindparam("given", type_=Text)}),
        lambda rows: rows.where(literal(7) == bindparam("seven", type_=Integer)),
    )
    assert await read.first(database.reads, given="x", seven=7) == {
        "literal": "fixed",
        "given": "x",
    }
    assert await read.first(database.reads, given="x", seven=8) is None


async def test_a_parameter_may_be_used_twice(database: Database) -> None:
    read = Read(
        Shape({"first": bindparam("same", type_=Text), "second": bindparam("same", type_=Text)}),
        lambda rows: rows,
    )
    assert await read.first(database.reads, same="x") == {"first": "x", "second": "x"}


async def test_a_read_sees_what_was_committed_just_now(database: Database) -> None:
    throttles = Read(
        Shape({"count": func.count()}), lambda rows: rows.select_from(table("alembic_version"))
    )
    assert await throttles.first(database.reads) == {"count": 1}
    async with database.independent_transaction() as session:
        await session.execute(table("alembic_version").delete())
        assert await throttles.first(database.reads) == {"count": 1}
    assert await throttles.first(database.reads) == {"count": 0}
