"""Every value in a database, for tests of what must not be stored."""

import re
from collections.abc import Iterator

from sqlalchemy import LargeBinary, select
from sqlalchemy.orm import Session

from server.models import Base

ANY_ADDRESS = re.compile(rb"(?i)\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b")  # a hardware address in text


def list_values(session: Session) -> Iterator[tuple[str, bytes]]:
    """Yield ("table.column", bytes) of every value in the database."""
    for table in Base.metadata.sorted_tables:
        for row in session.execute(select(table)):
            for column, value in zip(table.columns, row, strict=True):
                if isinstance(value, bytes | memoryview):
                    yield f"{table.name}.{column.name}", bytes(value)
                elif value is not None and not isinstance(column.type, LargeBinary):
                    yield f"{table.name}.{column.name}", str(value).encode()
