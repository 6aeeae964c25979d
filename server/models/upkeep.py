"""Which process does work that only one of several may do."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from server.models.base import Base, Count


class Lease(Base):
    """A lease and its holder, see services/upkeep/leader_election.py."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    holder: Mapped[str] = mapped_column(String(32))  # a process; "": nobody
    beat: Mapped[Count]  # raised by the holder every few seconds
