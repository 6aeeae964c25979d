"""
The chained log: entries, the personal fields beside them, the chain's tip, and its signed heads.

Triggers refuse to change or remove an entry or a head, and to change personal fields; see migration 0003.
services/audit/log.py describes how the hashes are computed.
"""

from sqlalchemy import LargeBinary, String
from sqlalchemy import Text as LongText
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import BIG, Base, Id, TimeS


class LogEntry(Base):
    """One entry of the log. Never changed; a correction is another entry."""

    __tablename__ = "log_entry"

    n: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)  # 1, 2, 3, ... without a gap
    at_s: Mapped[TimeS]
    kind: Mapped[str] = mapped_column(String(64), index=True)  # such as "inspection.finished"
    subject: Mapped[str] = mapped_column(String(64), index=True)  # public id of the object that it is about
    body: Mapped[str] = mapped_column(LongText)  # canonical JSON, without personal data
    personal: Mapped[str | None] = mapped_column(String(64))  # salted digest of the personal fields, hex
    hash: Mapped[str] = mapped_column(String(64))  # hex


class LogPersonal(Base):
    """The personal fields of an entry. Deleting the row forgets them; the entry stays and can still be verified."""

    __tablename__ = "log_personal"

    n: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)  # the entry's
    salt: Mapped[str] = mapped_column(String(64))  # hex; prevents guessing names from the digest
    content: Mapped[str] = mapped_column(LongText)  # canonical JSON


class LogTip(Base):
    """The newest entry's number and hash: one row, whose lock lets one writer at a time add to the chain."""

    __tablename__ = "log_tip"

    id: Mapped[Id]
    n: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64))


class LogHead(Base):
    """A signed statement of the length of the log at a time and its newest hash."""

    __tablename__ = "log_head"

    n: Mapped[int] = mapped_column(BIG, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))
    at_s: Mapped[TimeS]
    key: Mapped[str] = mapped_column(String(64))  # the public key that checks it, hex
    signature: Mapped[str] = mapped_column(String(128))  # Ed25519, hex
    token: Mapped[bytes | None] = mapped_column(LargeBinary)  # a time stamp authority's answer (RFC 3161), if any
