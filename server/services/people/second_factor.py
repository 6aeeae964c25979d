"""
The second factor: six-digit codes from an authenticator app (TOTP, RFC 6238), and recovery codes.

    secret = new_secret()                                    # shown as a QR code of provisioning_uri()
    codes = set_up(session, vault, user, secret, "123456")   # ten recovery codes, shown once
    verify(session, vault, user, "123456")                   # at every sign-in; also accepts a recovery code, once
"""

import hashlib
import secrets

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from server import clock, ids
from server.db import execute_count
from server.models.people import RecoveryCode, User
from server.services.audit import log
from server.services.errors import Refused
from server.services.people import accounts
from server.vault import Vault

STEP_S = 30
RECOVERY_CODES = 10
RECOVERY_CHARS = 12  # 60 bits; sign-in allows five attempts a minute
ISSUER = "Ansim"


def new_secret() -> str:
    """Return a new secret, 32 characters of base 32."""
    import pyotp

    return pyotp.random_base32()


def provisioning_uri(user: User, secret: str) -> str:
    """Return the otpauth:// URI for the app's QR code."""
    from pyotp.totp import TOTP

    return TOTP(secret).provisioning_uri(name=user.login, issuer_name=ISSUER)


def set_up(session: Session, vault: Vault, user: User, secret: str, code: str) -> list[str]:
    """
    Enable the second factor if the code proves that the app has the secret; return new recovery codes.

    Raises Refused: code_wrong. Other sessions of the user end.
    """
    step = _step(secret, code, 0)
    if step is None:
        raise Refused("code_wrong")
    user = session.get_one(User, user.id)
    user.totp_sealed = vault.seal(secret.encode())
    user.totp_step = step
    accounts.end_access(session, user, user)
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = [ids.new(RECOVERY_CHARS) for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(user_id=user.id, code_hash=_hash(user, recovery_code)) for recovery_code in codes)
    session.flush()
    log.add(session, "person.second_factor", user.public_id, {"set": True}, user)
    return codes


def verify(session: Session, vault: Vault, user: User, code: str) -> bool:
    """True for the current code or a recovery code, each accepted once. The session must be one that writes."""
    user = session.get_one(User, user.id, with_for_update=True, populate_existing=True)
    if user.totp_sealed is None:
        return False
    step = _step(vault.unseal(user.totp_sealed).decode(), code, user.totp_step)
    if step is not None:
        user.totp_step = step
        return True
    unused = (RecoveryCode.code_hash == _hash(user, ids.clean(code)), RecoveryCode.used_s.is_(None))
    if execute_count(session, update(RecoveryCode).where(*unused).values(used_s=clock.now_s())):
        user.failed_logins = 0
        log.add(session, "person.recovery_code", user.public_id, {}, user)
        return True
    user.failed_logins += 1
    return False


def count_recovery_codes(session: Session, user: User) -> int:
    """Return the number of unused recovery codes."""
    unused = select(func.count(RecoveryCode.id)).where(RecoveryCode.user_id == user.id, RecoveryCode.used_s.is_(None))
    return session.scalar(unused) or 0


def _step(secret: str, code: str, after: int) -> int | None:
    """
    Return the 30 s step that a code belongs to: the current one, or one before or after.

    None unless later than `after`.
    """
    from pyotp.totp import TOTP

    totp, now = TOTP(secret), clock.now_s() // STEP_S
    digits = "".join(code.split())
    for step in (now, now - 1, now + 1):
        if step > after and secrets.compare_digest(totp.generate_otp(step), digits.encode("ascii", "replace").decode()):
            return step
    return None


def _hash(user: User, code: str) -> str:
    return hashlib.sha256(f"{user.public_id}:{code}".encode()).hexdigest()
