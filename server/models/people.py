"""Users, their places, recovery codes, invitations, tokens, and the access log."""

from sqlalchemy import JSON, Boolean, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server import ids
from server.models.base import Base, Count, Id, Name, PublicId, TimeS, Word, key_of

ADMIN, MANAGER, INSPECTOR, VIEWER = "admin", "manager", "inspector", "viewer"
ROLES = (ADMIN, MANAGER, INSPECTOR, VIEWER)


class User(Base):
    """A person with an account. The row is never deleted; `disabled_s` ends the account."""

    __tablename__ = "user"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    login: Mapped[str] = mapped_column(String(100), unique=True)  # lower case
    name: Mapped[Name]
    role: Mapped[Word]  # one of ROLES
    everywhere: Mapped[bool] = mapped_column(Boolean, default=True, server_default="1")  # else in `places` only
    organisation_id: Mapped[int | None] = key_of("organisation.id")
    password_hash: Mapped[str] = mapped_column(String(200))  # argon2id
    must_change_password: Mapped[bool] = mapped_column(Boolean, default=False)
    password_expires_s: Mapped[int | None]  # the end of a one-time password
    session_word: Mapped[str] = mapped_column(String(32))  # a new word ends all sessions of the user
    failed_logins: Mapped[Count]  # since the last successful sign-in
    locale: Mapped[str] = mapped_column(String(8), default="", server_default="")
    created_s: Mapped[TimeS]
    last_login_s: Mapped[int | None]
    disabled_s: Mapped[int | None]
    erased_s: Mapped[int | None]  # name and login are erased; the row stays because records refer to it
    totp_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # the second factor's secret; None: no second factor
    totp_step: Mapped[Count]  # the newest 30 s step whose code was used; no code is accepted twice

    # Flask-Login's interface.
    is_authenticated = True
    is_anonymous = False

    @property
    def is_active(self) -> bool:
        return self.disabled_s is None

    def get_id(self) -> str:
        """Return the session cookie's id; it becomes invalid when the session word changes."""
        return f"{self.public_id}.{self.session_word}"


class UserSession(Base):
    """A session in a browser. The cookie has its secret; `agent` helps the user to recognise it."""

    __tablename__ = "user_session"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    user_id: Mapped[int] = key_of("user.id")
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256, hex
    agent: Mapped[Name]
    created_s: Mapped[TimeS]
    seen_s: Mapped[TimeS]  # to the minute
    ended_s: Mapped[int | None]


class FailedAttempt(Base):
    """Failed attempts of one account from one network. key: SHA-256, hex; see services.people.attempts."""

    __tablename__ = "failed_attempt"

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(String(64), unique=True)
    count: Mapped[Count]
    last_s: Mapped[TimeS]


class UserPlace(Base):
    """A place where a user's role holds, if it does not hold everywhere: a whole organisation or one facility."""

    __tablename__ = "user_place"
    __table_args__ = (UniqueConstraint("user_id", "organisation_id", "facility_id"),)

    id: Mapped[Id]
    user_id: Mapped[int] = key_of("user.id", index=False)
    organisation_id: Mapped[int | None] = key_of("organisation.id")
    facility_id: Mapped[int | None] = key_of("facility.id")


class RecoveryCode(Base):
    """A code that replaces the second factor once."""

    __tablename__ = "recovery_code"

    id: Mapped[Id]
    user_id: Mapped[int] = key_of("user.id")
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256, hex: the code is random, not chosen
    used_s: Mapped[int | None]


class Invitation(Base):
    """An invitation to make an account, once and until a time."""

    __tablename__ = "invitation"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256, hex
    name: Mapped[Name]
    role: Mapped[Word]
    everywhere: Mapped[bool] = mapped_column(Boolean)
    places: Mapped[list] = mapped_column(JSON)  # [["organisation" | "facility", row number], ...]
    created_s: Mapped[TimeS]
    created_by_id: Mapped[int | None] = key_of("user.id")
    expires_s: Mapped[TimeS]
    ended_s: Mapped[int | None]  # used or withdrawn
    user_id: Mapped[int | None] = key_of("user.id")  # the account that was made


class Token(Base):
    """What a program presents instead of a password. It may do what both its scopes and its user's role allow."""

    __tablename__ = "token"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    user_id: Mapped[int] = key_of("user.id")
    name: Mapped[Name]
    secret_hash: Mapped[str] = mapped_column(String(64))  # SHA-256, hex
    scopes: Mapped[list] = mapped_column(JSON)  # some of services.people.tokens.SCOPES
    created_s: Mapped[TimeS]
    expires_s: Mapped[TimeS]
    last_used_s: Mapped[int | None]  # to the hour
    revoked_s: Mapped[int | None]

    user: Mapped[User] = relationship()


class AccessEvent(Base):
    """A user saw or exported a record that is personal or about a finding, or signed in."""

    __tablename__ = "access_event"
    __table_args__ = (Index("ix_access_event_subject", "subject", "id"),)

    id: Mapped[Id]
    at_s: Mapped[TimeS] = mapped_column(index=True)
    user_id: Mapped[int | None] = key_of("user.id")
    token_id: Mapped[int | None] = key_of("token.id")
    kind: Mapped[Word]  # one of services.people.access_log.KINDS
    subject: Mapped[str] = mapped_column(String(64))  # public id of the record, or what was exported


class ThrottleCount(Base):
    """Requests of one client that a limit of server/throttling.py counts, until `ends_s`. key: SHA-256, hex."""

    __tablename__ = "throttle_count"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[Count]
    ends_s: Mapped[TimeS] = mapped_column(index=True)
