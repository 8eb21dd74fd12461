"""The base of every table, and what many tables have."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import TIMESTAMP, MetaData, Text, Uuid, func
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from src.ids import uuid7


class Base(DeclarativeBase):
    """The base of every table. Relationships are declared with `lazy="raise"`."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: TIMESTAMP(timezone=True),
        str: Text(),
        UUID: Uuid(),
    }


class Identified:
    """A UUIDv7 primary key, made by us so that it is known before the row is written."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-1)


class Timestamped:
    """When the row was written and last changed; the service sets both from its clock."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=91)


class Versioned:
    """A number that each change of the row raises: a change made meanwhile is noticed."""

    version: Mapped[int] = mapped_column(sort_order=80)

    @declared_attr.directive
    @classmethod
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.version}
