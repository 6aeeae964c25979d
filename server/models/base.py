"""Column types that the tables share."""

from typing import Annotated

from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase, mapped_column

# SQLite numbers its rows only in columns of its own INTEGER type.
BIG = BigInteger().with_variant(Integer, "sqlite")

Id = Annotated[int, mapped_column(BIG, primary_key=True)]
PublicId = Annotated[str, mapped_column(String(16), unique=True)]
TimeS = Annotated[int, mapped_column(BIG)]
Count = Annotated[int, mapped_column(BIG, default=0, server_default="0")]
Word = Annotated[str, mapped_column(String(32))]
Text = Annotated[str, mapped_column(String(2000), default="", server_default="")]
Name = Annotated[str, mapped_column(String(200), default="", server_default="")]
SortKey = Annotated[str, mapped_column(String(420), default="", server_default="")]
Json = Annotated[list, mapped_column(JSON)]


class Base(DeclarativeBase):
    """All tables. Constraints have names, so that migrations can change them on every database."""

    type_annotation_map = {int: BIG}  # seconds outgrow 32 bits in 2038

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def key_of(target: str, index: bool = True, **options):
    """Return a column that refers to a row of another table."""
    return mapped_column(BIG, ForeignKey(target), index=index, **options)
