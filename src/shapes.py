"""Shapes: which fields a document has, and where in a row or an entity their values are."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy.sql import SQLColumnExpression

Column: TypeAlias = SQLColumnExpression[Any]
Constant: TypeAlias = bool | int | None
Fields: TypeAlias = dict[str, Column | Constant]
Document: TypeAlias = dict[str, Any]


class Shape:
    """The shape of a document: each field is a column, a constant or an object of such fields.

    A document has the columns first, then the constants, then the objects: the same from a row and
    from an entity, so that both have the same bytes and the same entity tag.
    """

    def __init__(self, fields: Mapping[str, Column | Constant | Fields]) -> None:
        flat = {name: value for name, value in fields.items() if not isinstance(value, dict)}
        self.columns: list[Column] = []
        self._own = _Object(flat, self.columns)
        self._objects = [
            (name, _Object(value, self.columns))
            for name, value in fields.items()
            if isinstance(value, dict)
        ]

    def of_row(self, row: asyncpg.Record) -> Document:
        """The document of a row of `columns`."""
        document = self._own.of_row(row)
        for name, nested in self._objects:
            document[name] = nested.of_row(row)
        return document

    def of_values(self, values: Mapping[str, Any], **objects: Mapping[str, Any]) -> Document:
        """The document of values just written; the nested objects' values are given by name."""
        document = self._own.of_values(values)
        for name, nested in self._objects:
            document[name] = nested.of_values(objects[name])
        return document

    def of_entity(self, entity: object, **objects: Mapping[str, Any]) -> Document:
        """The same of an entity."""
        values = {name: getattr(entity, name) for name in self._own.names}
        return self.of_values(values, **objects)


class _Object:
    """The columns and constants of one object, and where in a row its columns are."""

    def __init__(self, fields: Fields, columns: list[Column]) -> None:
        """Take the next columns of the row."""
        own = {name: value for name, value in fields.items() if not isinstance(value, Constant)}
        self.names = tuple(own)
        self._constants = {
            name: value for name, value in fields.items() if isinstance(value, Constant)
        }
        self._part = slice(len(columns), len(columns) + len(own))
        columns.extend(own.values())

    def of_row(self, row: asyncpg.Record) -> Document:
        document: Document = dict(zip(self.names, row[self._part], strict=True))
        document.update(self._constants)
        return document

    def of_values(self, values: Mapping[str, Any]) -> Document:
        document: Document = {name: values[name] for name in self.names}
        document.update(self._constants)
        return document
