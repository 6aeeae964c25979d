"""Who may sign in, with which password, and what they may then do. What is changed here stands in the log."""

import secrets
from functools import cache

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import clock, ids
from server.models.people import ADMIN, INSPECTOR, MANAGER, ROLES, VIEWER, RecoveryCode, User
from server.services.audit import log
from server.services.errors import NotFound, Refused

SEE, INSPECT, DISPOSE, MANAGE, ADMINISTER = "see", "inspect", "dispose", "manage", "admin"
RIGHTS = {
    VIEWER: (SEE,),
    INSPECTOR: (SEE, INSPECT, DISPOSE),
    MANAGER: (SEE, INSPECT, DISPOSE, MANAGE),
    ADMIN: (SEE, INSPECT, DISPOSE, MANAGE, ADMINISTER),
}


class System:
    """The program itself, where no person acts: it holds every right everywhere. Use SYSTEM."""

    id = None
    name = login = ""
    is_authenticated = is_active = everywhere = True


SYSTEM = System()
Actor = User | System

LEAST_PASSWORD = 12  # characters; OWASP ASVS 5.0, 6.2.1 asks for 8 and advises 15
MOST_PASSWORD = 200
# The beginnings of what everybody tries first; a long password that begins so is still refused.
_COMMON = ("password", "12345678", "qwertyui", "asdfghjk", "administrator", "ansim", "letmein", "iloveyou")

FIRST_ADMIN = "admin"


class BadLogin(Exception):
    """
    No such person, a wrong password, or a disabled account; which of them is nobody's business.

    user_id  whose account was tried, for the access log; None if there is no such person
    """

    def __init__(self, user_id: int | None = None):
        super().__init__()
        self.user_id = user_id


@cache
def _hasher():
    from argon2 import PasswordHasher

    return PasswordHasher()  # argon2id, RFC 9106's low-memory profile: 64 MiB, 3 passes


@cache
def _nobodys_hash():
    # Checked when the login is unknown, so that the answer takes as long as for a known one.
    return _hasher().hash(secrets.token_hex(16))


def may(user, right: str) -> bool:
    """True if a person has a right: SEE, INSPECT, DISPOSE, MANAGE or ADMINISTER."""
    if user is SYSTEM:
        return True
    return bool(user) and user.is_authenticated and user.is_active and right in RIGHTS.get(user.role, ())


def authenticate(session: Session, login: str, password: str) -> User:
    """Return the person. Raises BadLogin. The session must be one that writes."""
    from argon2.exceptions import VerificationError

    user = session.scalar(select(User).where(User.login == clean_login(login)))
    try:
        _hasher().verify(user.password_hash if user else _nobodys_hash(), password[:MOST_PASSWORD])
    except VerificationError:
        if user:
            user.failed_logins += 1
        raise BadLogin(user.id if user else None) from None
    if user is None or user.disabled_s is not None:
        raise BadLogin(user.id if user else None)
    if _hasher().check_needs_rehash(user.password_hash):
        user.password_hash = _hasher().hash(password)
    user.failed_logins = 0
    user.last_login_s = clock.now_s()
    return user


def by_session_id(session: Session, session_id: str) -> User | None:
    """Return whose session this is (see User.get_id), or None if it has ended."""
    public_id, _, word = session_id.partition(".")
    user = session.scalar(select(User).where(User.public_id == public_id))
    if user is None or user.disabled_s is not None or not _same(user.session_word, word):
        return None
    return user


def user(session: Session, public_id: str) -> User:
    """Return a person by public id. Raises NotFound."""
    found = session.scalar(select(User).where(User.public_id == public_id))
    if found is None:
        raise NotFound("person")
    return found


def users(session: Session) -> list[User]:
    """Everybody, by name."""
    return list(session.scalars(select(User).order_by(User.name, User.id)))


def add_user(session: Session, login: str, name: str, role: str, password: str | None = None, by=None, **fields):
    """
    Add a person; return (User, one-time password or None).

    Without a password one is made, which must be changed at the first sign-in.
    by      who adds them; None: a command line
    fields  other columns of User
    Raises Refused: login_taken, login_bad, role_unknown and check_password's.
    """
    login = clean_login(login)
    if not 1 <= len(login) <= 100 or any(c.isspace() for c in login):
        raise Refused("login_bad")
    if role not in ROLES:
        raise Refused("role_unknown")
    if session.scalar(select(User.id).where(User.login == login)):
        raise Refused("login_taken")
    once = None
    if password is None:
        once = password = "-".join(ids.new(5) for _ in range(4))
    else:
        check_password(password, login)
    added = User(
        login=login,
        name=name or login,
        role=role,
        password_hash=_hasher().hash(password),
        must_change_password=once is not None,
        session_word=secrets.token_hex(16),
        created_s=clock.now_s(),
        **fields,
    )
    session.add(added)
    session.flush()
    body = {"role": role, "everywhere": added.everywhere}
    log.add(session, "person.added", added.public_id, body, by, {"login": login, "name": added.name})
    return added, once


def create_first_admin(session: Session) -> tuple[str, str] | None:
    """
    Add the first administrator; return (login, one-time password), or None if there is anybody already.

    As long as that administrator has never signed in and is alone, the password may have been lost
    with the terminal it was printed on: then they get another one.
    """
    there = session.scalars(select(User).limit(2)).all()
    if there:
        only = there[0] if len(there) == 1 else None
        if only and only.login == FIRST_ADMIN and only.must_change_password and only.last_login_s is None:
            return only.login, reset_password(session, only)
        return None
    added, once = add_user(session, FIRST_ADMIN, "Admin", ADMIN)
    return added.login, once


def check_present(user: User, password: str) -> None:
    """Raises Refused: wrong_password, if this is not the person's password: asked again before what a thief would do."""
    from argon2.exceptions import VerificationError

    try:
        _hasher().verify(user.password_hash, password[:MOST_PASSWORD])
    except VerificationError:
        raise Refused("wrong_password") from None


def change_password(session: Session, user: User, old: str, new: str) -> None:
    """Set a new password and end every session of this person. Raises Refused: wrong_password and check_password's."""
    user = session.get(User, user.id)
    check_present(user, old)
    if old == new:
        raise Refused("same_password")
    check_password(new, user.login)
    user.password_hash = _hasher().hash(new)
    user.must_change_password = False
    user.session_word = secrets.token_hex(16)
    log.add(session, "person.password", user.public_id, {"reset": False}, user)


def reset_password(session: Session, user: User, by=None) -> str:
    """Give a person a one-time password and end their sessions; return it."""
    user = session.get(User, user.id)
    once = "-".join(ids.new(5) for _ in range(4))
    user.password_hash = _hasher().hash(once)
    user.must_change_password = True
    user.session_word = secrets.token_hex(16)
    log.add(session, "person.password", user.public_id, {"reset": True}, by)
    return once


def check_password(password: str, login: str) -> None:
    """Raises Refused: password_too_short(least), password_too_long(most), password_common."""
    if len(password) < LEAST_PASSWORD:
        raise Refused("password_too_short", least=LEAST_PASSWORD)
    if len(password) > MOST_PASSWORD:
        raise Refused("password_too_long", most=MOST_PASSWORD)
    plain = password.lower()
    if plain.startswith(_COMMON) or len(set(plain)) < 5 or (len(login) > 3 and login in plain):
        raise Refused("password_common")


def disable(session: Session, user: User, by=None) -> None:
    """End a person's account and every session of it. Their name stays in the log. Raises Refused: last_admin."""
    user = session.get(User, user.id)
    check_not_last_admin(session, user)
    user.disabled_s = clock.now_s()
    user.session_word = secrets.token_hex(16)
    log.add(session, "person.disabled", user.public_id, {}, by)


def enable(session: Session, user: User, by=None) -> None:
    """Let a disabled person sign in again. Raises NotFound for somebody who was erased."""
    user = session.get(User, user.id)
    if user.erased_s is not None:
        raise NotFound("person")
    user.disabled_s = None
    log.add(session, "person.enabled", user.public_id, {}, by)


def set_role(session: Session, user: User, role: str, by=None) -> None:
    """Give a person another role, from their next click on. Raises Refused: role_unknown, last_admin."""
    user = session.get(User, user.id)
    if role not in ROLES:
        raise Refused("role_unknown")
    if role == user.role:
        return
    check_not_last_admin(session, user)
    before, user.role = user.role, role
    log.add(session, "person.role", user.public_id, {"before": before, "role": role}, by)


def reset_second_factor(session: Session, user: User, by=None) -> None:
    """Take a lost second factor away and end the person's sessions; they can set up another one."""
    user = session.get(User, user.id)
    user.totp_sealed = None
    user.session_word = secrets.token_hex(16)
    session.execute(RecoveryCode.__table__.delete().where(RecoveryCode.user_id == user.id))
    log.add(session, "person.second_factor", user.public_id, {"set": False}, by)


def check_not_last_admin(session: Session, user: User) -> None:
    """Raises Refused: last_admin, if nobody else could administer everything."""
    others = select(func.count(User.id)).where(User.role == ADMIN, User.disabled_s.is_(None), User.everywhere)
    counts = user.role == ADMIN and user.everywhere and user.disabled_s is None
    if counts and not session.scalar(others.where(User.id != user.id)):
        raise Refused("last_admin")


def clean_login(login: str) -> str:
    """A login as it is stored: lower case, no blanks around it."""
    return login.strip().lower()


def _same(a, b):
    return secrets.compare_digest(a.encode(), b.encode())
