"""Accounts: users, their passwords, roles and the rights of each role. Every change is logged."""

import secrets
from functools import cache

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from server import clock, ids
from server.db import Sessions
from server.models.people import ADMIN, INSPECTOR, MANAGER, ROLES, VIEWER, RecoveryCode, Token, User, UserSession
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import failed_attempts

SEE, INSPECT, DISPOSE, MANAGE, ADMINISTER = "see", "inspect", "dispose", "manage", "admin"
RIGHTS = {
    VIEWER: (SEE,),
    INSPECTOR: (SEE, INSPECT, DISPOSE),
    MANAGER: (SEE, INSPECT, DISPOSE, MANAGE),
    ADMIN: (SEE, INSPECT, DISPOSE, MANAGE, ADMINISTER),
}


class System:
    """The user of commands, ingest and timers: it holds every right everywhere. Use SYSTEM."""

    id = None
    name = login = public_id = ""
    is_authenticated = is_active = everywhere = True


SYSTEM = System()
Actor = User | System

MIN_PASSWORD = 12  # characters; OWASP ASVS 5.0, 6.2.1 asks for 8 and advises 15
MAX_PASSWORD = 200
ONE_TIME_S = 3 * 86400  # how long a one-time password is accepted
LEAST_GUESSES_LOG10 = 10  # a password that zxcvbn's lists and patterns find with fewer guesses is refused
_SCORED = 72  # characters that zxcvbn looks at; it takes long for more

FIRST_ADMIN = "admin"


class BadLogin(Exception):
    """
    Unknown login, wrong password, or disabled account; the answer does not say which.

    user_id  the account, for the access log; None if the login is unknown
    """

    def __init__(self, user_id: int | None = None):
        super().__init__()
        self.user_id = user_id


@cache
def _hasher():
    from argon2 import PasswordHasher

    return PasswordHasher()  # argon2id, RFC 9106's low-memory profile: 64 MiB, 3 passes


@cache
def _dummy_hash():
    # Verified if the login is unknown, so that the answer takes as long as for a known one.
    return _hasher().hash(secrets.token_hex(16))


def may(user, right: str) -> bool:
    """True if a user (SYSTEM: always) has a right: SEE, INSPECT, DISPOSE, MANAGE or ADMINISTER."""
    if user is SYSTEM:
        return True
    return bool(user) and user.is_authenticated and user.is_active and right in RIGHTS.get(user.role, ())


def authenticate(session: Session, login: str, password: str) -> User:
    """
    Return the user who signs in. Raises BadLogin. The session must be one that writes.

    Pages use sign_in(), which hashes outside the transaction.
    """
    user = session.scalar(select(User).where(User.login == normalize_login(login)))
    return _finish_login(user, password, _verify(user, password))


def sign_in(sessions: Sessions, login: str, password: str, address: str) -> User:
    """
    Return the user who signs in from an address, and count the attempt.

    The password is verified between two short transactions, because argon2 takes long.
    Raises BadLogin and failed_attempts.TooManyAttempts.
    """
    name = normalize_login(login)
    failed_attempts.check(sessions, "password", name, address)
    with sessions() as session:
        known = session.scalar(select(User).where(User.login == name))
    rehashed = _verify(known, password)
    try:
        with sessions.begin() as session:
            user = session.get_one(User, known.id, with_for_update=True) if known else None
            if user is not None and known is not None and user.password_hash != known.password_hash:
                raise BadLogin(user.id)
            _finish_login(user, password, rehashed)
    except BadLogin:
        failed_attempts.failed(sessions, "password", name, address)
        if known is not None:
            with sessions.begin() as session:
                session.get_one(User, known.id, with_for_update=True).failed_logins += 1
        raise
    assert user is not None
    failed_attempts.succeeded(sessions, "password", name, address)
    return user


def confirm(sessions: Sessions, user: User, password: str, address: str) -> None:
    """
    Ask a signed-in user for the password again, and count the attempt.

    Raises Refused: wrong_password, too_many_attempts(wait_s).
    """
    try:
        failed_attempts.check(sessions, "password", user.login, address)
    except failed_attempts.TooManyAttempts as error:
        raise Refused("too_many_attempts", wait_s=error.wait_s) from None
    try:
        check_current_password(user, password)
    except Refused:
        failed_attempts.failed(sessions, "password", user.login, address)
        raise
    failed_attempts.succeeded(sessions, "password", user.login, address)


def _verify(user: User | None, password: str) -> str | None:
    """Return a newer hash of the password, "" if none is needed, None if the password is wrong."""
    from argon2.exceptions import VerificationError

    try:
        _hasher().verify(user.password_hash if user else _dummy_hash(), password[:MAX_PASSWORD])
    except VerificationError:
        return None
    return _hasher().hash(password) if user and _hasher().check_needs_rehash(user.password_hash) else ""


def _finish_login(user: User | None, password: str, rehashed: str | None) -> User:
    now_s = clock.now_s()
    if user is None or rehashed is None or user.disabled_s is not None:
        if user is not None and rehashed is None:
            user.failed_logins += 1
        raise BadLogin(user.id if user else None)
    if user.must_change_password and user.password_expires_s is not None and user.password_expires_s <= now_s:
        raise BadLogin(user.id)
    if rehashed:
        user.password_hash = rehashed
    user.failed_logins = 0
    user.last_login_s = now_s
    return user


def load_by_session_id(session: Session, session_id: str) -> User | None:
    """Return the user of a session id (see User.get_id), None if the session has ended."""
    public_id, _, word = session_id.partition(".")
    user = session.scalar(select(User).where(User.public_id == public_id))
    if user is None or user.disabled_s is not None or not _equal(user.session_word, word):
        return None
    return user


def load_user(session: Session, public_id: str) -> User:
    """Return a user without looking at permissions; see scopes.load_user(). Raises NotFound."""
    user = session.scalar(select(User).where(User.public_id == public_id))
    if user is None:
        raise NotFound("person")
    return user


def list_users(session: Session) -> list[User]:
    """Return all users, by name."""
    return list(session.scalars(select(User).order_by(User.name, User.id)))


def add_user(
    session: Session, login: str, name: str, role: str, password: str | None = None, by: User | None = None, **fields
) -> tuple[User, str | None]:
    """
    Add a user; return (User, one-time password or None).

    password  None: generate a one-time password, which must be changed at the first sign-in
    by        the user who adds them; None: a command
    fields    other columns of User
    Raises Refused: login_taken, login_bad, role_unknown and check_new_password's.
    """
    login = normalize_login(login)
    if not 1 <= len(login) <= 100 or any(c.isspace() for c in login):
        raise Refused("login_bad")
    if role not in ROLES:
        raise Refused("role_unknown")
    if session.scalar(select(User.id).where(User.login == login)):
        raise Refused("login_taken")
    one_time = None
    if password is None:
        one_time = password = _new_password()
    else:
        check_new_password(password, login)
    user = User(
        login=login,
        name=name or login,
        role=role,
        password_hash=_hasher().hash(password),
        must_change_password=one_time is not None,
        password_expires_s=clock.now_s() + ONE_TIME_S if one_time is not None else None,
        session_word=secrets.token_hex(16),
        created_s=clock.now_s(),
        **fields,
    )
    session.add(user)
    session.flush()
    body = {"role": role, "everywhere": user.everywhere}
    log.add(session, "person.added", user.public_id, body, by, {"login": login, "name": user.name})
    return user, one_time


def create_first_admin(session: Session) -> tuple[str, str] | None:
    """
    Add the first administrator; return (login, one-time password), or None if there are other users.

    If the only user is that administrator and has never signed in, the password may have been lost with the terminal
    it was printed on: the call then sets another one.
    """
    users = session.scalars(select(User).limit(2)).all()
    if not users:
        user, password = add_user(session, FIRST_ADMIN, "Admin", ADMIN)
        return user.login, password or ""
    user = users[0]
    if len(users) == 1 and user.login == FIRST_ADMIN and user.must_change_password and user.last_login_s is None:
        return user.login, reset_password(session, user)
    return None


def check_current_password(user: User, password: str) -> None:
    """Ask for the password again before a sensitive change. Raises Refused: wrong_password."""
    from argon2.exceptions import VerificationError

    try:
        _hasher().verify(user.password_hash, password[:MAX_PASSWORD])
    except VerificationError:
        raise Refused("wrong_password") from None


def change_password(session: Session, user: User, old: str, new: str) -> None:
    """
    Set a new password; end all sessions and tokens of the user.

    Raises Refused: wrong_password and check_new_password's.
    """
    check_current_password(user, old)
    set_password(session, user, hash_new_password(user, old, new))


def hash_new_password(user: User, old: str, new: str) -> str:
    """Return the hash of a new password. Raises Refused: same_password and check_new_password's."""
    if old == new:
        raise Refused("same_password")
    check_new_password(new, user.login)
    return _hasher().hash(new)


def set_password(session: Session, user: User, password_hash: str) -> None:
    """Set the hash of a new password that the user chose; end all sessions and tokens of the user."""
    user = session.get_one(User, user.id)
    user.password_hash = password_hash
    user.must_change_password = False
    user.password_expires_s = None
    end_access(session, user, user)
    log.add(session, "person.password", user.public_id, {"reset": False}, user)


def reset_password(session: Session, user: User, by: User | None = None) -> str:
    """Set a one-time password, which expires after ONE_TIME_S; end all sessions and tokens; return the password."""
    user = session.get_one(User, user.id)
    password = _new_password()
    user.password_hash = _hasher().hash(password)
    user.must_change_password = True
    user.password_expires_s = clock.now_s() + ONE_TIME_S
    end_access(session, user, by)
    log.add(session, "person.password", user.public_id, {"reset": True}, by)
    return password


def check_new_password(password: str, login: str) -> None:
    """Raise Refused: password_too_short(least), password_too_long(most), password_common."""
    if len(password) < MIN_PASSWORD:
        raise Refused("password_too_short", least=MIN_PASSWORD)
    if len(password) > MAX_PASSWORD:
        raise Refused("password_too_long", most=MAX_PASSWORD)
    from zxcvbn import zxcvbn

    lower = password.lower()
    guesses = zxcvbn(password[:_SCORED], user_inputs=[login, "ansim"])["guesses_log10"]
    if guesses < LEAST_GUESSES_LOG10 or len(set(lower)) < 5 or (len(login) > 3 and login in lower):
        raise Refused("password_common")


def end_sessions(session: Session, user: User) -> None:
    """End all sessions of a user."""
    user.session_word = secrets.token_hex(16)
    alive = UserSession.user_id == user.id, UserSession.ended_s.is_(None)
    session.execute(update(UserSession).where(*alive).values(ended_s=clock.now_s()))


def end_access(session: Session, user: User, by: Actor | None = None) -> None:
    """End all sessions of a user, and revoke the tokens."""
    end_sessions(session, user)
    now_s = clock.now_s()
    tokens = select(Token).where(Token.user_id == user.id, Token.revoked_s.is_(None))
    for token in session.scalars(tokens.order_by(Token.id)):
        token.revoked_s = now_s
        log.add(session, "token.revoked", token.public_id, {}, by)


def disable(session: Session, user: User, by: User | None = None) -> None:
    """Disable an account and end its sessions. The name stays in the log. Raises Refused: last_admin."""
    user = session.get_one(User, user.id)
    check_not_last_admin(session, user)
    user.disabled_s = clock.now_s()
    end_sessions(session, user)  # the tokens do not work either until the account is enabled
    log.add(session, "person.disabled", user.public_id, {}, by)


def enable(session: Session, user: User, by: User | None = None) -> None:
    """Enable a disabled account. Raises NotFound for an erased user."""
    user = session.get_one(User, user.id)
    if user.erased_s is not None:
        raise NotFound("person")
    user.disabled_s = None
    log.add(session, "person.enabled", user.public_id, {}, by)


def set_role(session: Session, user: User, role: str, by: User | None = None) -> None:
    """Change a user's role; it takes effect with the next request. Raises Refused: role_unknown, last_admin."""
    user = session.get_one(User, user.id)
    if role not in ROLES:
        raise Refused("role_unknown")
    if role == user.role:
        return
    check_not_last_admin(session, user)
    before, user.role = user.role, role
    log.add(session, "person.role", user.public_id, {"before": before, "role": role}, by)


def reset_second_factor(session: Session, user: User, by: User | None = None) -> None:
    """Remove a lost second factor and end the user's sessions."""
    user = session.get_one(User, user.id)
    user.totp_sealed = None
    end_access(session, user, by)
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    log.add(session, "person.second_factor", user.public_id, {"set": False}, by)


def check_not_last_admin(session: Session, user: User) -> None:
    """Raise Refused: last_admin, if this user is the only enabled administrator whose role holds everywhere."""
    others = select(func.count(User.id)).where(User.role == ADMIN, User.disabled_s.is_(None), User.everywhere)
    is_admin = user.role == ADMIN and user.everywhere and user.disabled_s is None
    if is_admin and not session.scalar(others.where(User.id != user.id)):
        raise Refused("last_admin")


def normalize_login(login: str) -> str:
    """Return a login as it is stored: lower case, without blanks around it."""
    return login.strip().lower()


def _new_password() -> str:
    return "-".join(ids.new(5) for _ in range(4))


def _equal(a: str, b: str) -> bool:
    return secrets.compare_digest(a.encode(), b.encode())
