"""
The chained log: entries, the personal fields beside them, the chain's tip, and its signed heads.

Triggers refuse to change or remove an entry or a head, and to change personal fields; see migration 0003.
What the hashes are made of is in services/log.py.
"""

from sqlalchemy import LargeBinary, String
from sqlalchemy import Text as LongText
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import BIG, Base, Id, TimeS


class LogEntry(Base):
    """One thing that happened. Never changed; a correction is another entry."""

    __tablename__ = "log_entry"

    n: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)  # 1, 2, 3, ... without a gap
    at_s: Mapped[TimeS]
    kind: Mapped[str] = mapped_column(String(64), index=True)  # such as "inspection.finished"
    subject: Mapped[str] = mapped_column(String(64), index=True)  # the public id of what it is about
    body: Mapped[str] = mapped_column(LongText)  # canonical JSON, without personal data
    personal: Mapped[str | None] = mapped_column(String(64))  # salted digest of the personal fields, hex
    hash: Mapped[str] = mapped_column(String(64))  # hex


class LogPersonal(Base):
    """The personal fields of an entry. Removing the row makes them forgotten; the entry stays and still holds."""

    __tablename__ = "log_personal"

    n: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)  # the entry's
    salt: Mapped[str] = mapped_column(String(64))  # hex; without it nobody can try names against the digest
    content: Mapped[str] = mapped_column(LongText)  # canonical JSON


class LogTip(Base):
    """The newest entry's number and hash: one row, whose lock lets one writer at a time add to the chain."""

    __tablename__ = "log_tip"

    id: Mapped[Id]
    n: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))


class LogHead(Base):
    """A signed statement of how long the log was at a time, and with which newest hash."""

    __tablename__ = "log_head"

    n: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))
    at_s: Mapped[TimeS]
    key: Mapped[str] = mapped_column(String(64))  # the public key that checks it, hex
    signature: Mapped[str] = mapped_column(String(128))  # Ed25519, hex
    token: Mapped[bytes | None] = mapped_column(LargeBinary)  # a time stamp authority's answer (RFC 3161), if any
