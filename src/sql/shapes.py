"""Shapes: which fields a document has, and where in a row or an entity their values are."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

import asyncpg
from pydantic import BaseModel
from sqlalchemy.sql import SQLColumnExpression

Column: TypeAlias = SQLColumnExpression[Any]
Constant: TypeAlias = bool | int | None
Fields: TypeAlias = dict[str, Column | Constant]
Document: TypeAlias = dict[str, Any]


class Shape:
    """The shape of a document: each field is a column, a constant or an object of such fields.

    A document has its own fields in their order, then the objects: the same from a row and from an
    entity, whatever is a column or a constant, so that all have the same bytes and entity tag.
    """

    def __init__(self, fields: Mapping[str, Column | Constant | Fields]) -> None:
        self.fields = dict(fields)
        own = {name: value for name, value in fields.items() if not isinstance(value, dict)}
        self._own = _Object(own)
        self._objects = {
            name: _Object(value) for name, value in fields.items() if isinstance(value, dict)
        }
        self.columns: list[Column] = []
        self.of_row: Callable[[asyncpg.Record], Document] = self._compile()

    @classmethod
    def of(cls, schema: type[BaseModel], entity: Any, **given: Column | type[Any]) -> "Shape":
        """The shape of a schema: a field is the entity's attribute of that name.

        A field with a default is that constant. What is `given` is another column, or the entity of
        a nested schema.

        Raises:
            AttributeError: the entity has no attribute of a field's name.
        """
        fields: dict[str, Column | Constant | Fields] = {}
        for name, field in schema.model_fields.items():
            source = given.pop(name, None)
            if isinstance(source, type):
                nested = cls.of(cast("type[BaseModel]", field.annotation), source)
                fields[name] = cast("Fields", nested.fields)
            elif source is not None:
                fields[name] = source
            elif field.is_required():
                fields[name] = getattr(entity, name)
            else:
                fields[name] = field.get_default(call_default_factory=True)
        if given:
            raise AttributeError(f"{schema.__name__} has no {', '.join(given)}")
        return cls(fields)

    def of_values(self, values: Mapping[str, Any], **objects: Mapping[str, Any]) -> Document:
        """The document of values just written; the nested objects' values are given by name."""
        document = self._own.of_values(values)
        for name, nested in self._objects.items():
            document[name] = nested.of_values(objects[name])
        return document

    def of_entity(self, entity: object, **objects: Mapping[str, Any]) -> Document:
        """The same of an entity."""
        values = {name: getattr(entity, name) for name in self._own.columns}
        return self.of_values(values, **objects)

    def _compile(self) -> Callable[[asyncpg.Record], Document]:
        """A function from a row of `columns` to its document, written out as source.

        A dict display is three times as fast as putting the dict together in a loop, which is most
        of what a list costs in Python.
        """
        fields = self._own.source(self.columns)
        for name, nested in self._objects.items():
            fields.append(f"{name!r}: {{{', '.join(nested.source(self.columns))}}}")
        function: Callable[[asyncpg.Record], Document] = eval(  # noqa: S307 - of names in our code
            f"lambda row: {{{', '.join(fields)}}}"
        )
        return function


class _Object:
    """The columns and constants of one object."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self.columns: dict[str, Column] = {}
        for name, value in fields.items():
            if not isinstance(value, Constant):
                self.columns[name] = value

    def source(self, columns: list[Column]) -> list[str]:
        """The items of a dict display, for which the next columns of the row are taken."""
        items = []
        for name, value in self._fields.items():
            if isinstance(value, Constant):
                items.append(f"{name!r}: {value!r}")
            else:
                items.append(f"{name!r}: row[{len(columns)}]")
                columns.append(value)
        return items

    def of_values(self, values: Mapping[str, Any]) -> Document:
        return {
            name: value if isinstance(value, Constant) else values[name]
            for name, value in self._fields.items()
        }
