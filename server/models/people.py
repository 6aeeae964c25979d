"""The people who sign in."""

from sqlalchemy import Boolean, String
from sqlalchemy.orm import Mapped, mapped_column

from server import ids
from server.models.base import Base, Count, Id, Name, PublicId, TimeS, Word, key_of

ADMIN, MANAGER, INSPECTOR, VIEWER = "admin", "manager", "inspector", "viewer"
ROLES = (ADMIN, MANAGER, INSPECTOR, VIEWER)


class User(Base):
    """One person. Never deleted while the log names them; `disabled_s` ends what they can do."""

    __tablename__ = "user"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    login: Mapped[str] = mapped_column(String(100), unique=True)  # lower case
    name: Mapped[Name]
    role: Mapped[Word]  # one of ROLES
    organisation_id: Mapped[int | None] = key_of("organisation.id")
    password_hash: Mapped[str] = mapped_column(String(200))  # argon2id
    must_change_password: Mapped[bool] = mapped_column(Boolean, default=False)
    session_word: Mapped[str] = mapped_column(String(32))  # a new word ends every session this person has
    failed_logins: Mapped[Count]  # since the last good one
    locale: Mapped[str] = mapped_column(String(8), default="", server_default="")
    created_s: Mapped[TimeS]
    last_login_s: Mapped[int | None]
    disabled_s: Mapped[int | None]

    # What Flask-Login asks.
    is_authenticated = True
    is_anonymous = False

    @property
    def is_active(self) -> bool:
        return self.disabled_s is None

    def get_id(self) -> str:
        """What the session cookie holds: it stops fitting when the session word changes."""
        return f"{self.public_id}.{self.session_word}"
