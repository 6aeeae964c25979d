"""
The second factor: a code of six digits from an app on the phone (TOTP, RFC 6238), and recovery codes for its loss.

    secret = new_secret()                                    # shown as a QR code, see address()
    codes = set_up(session, vault, user, secret, "123456")   # ten recovery codes, shown once
    passes(session, vault, user, "123456")                   # at every sign-in; also takes a recovery code, once
"""

import hashlib
import secrets

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from server import clock, ids
from server.models.people import RecoveryCode, User
from server.services.audit import log
from server.services.errors import Refused
from server.vault import Vault

STEP_S = 30
RECOVERY_CODES = 10
RECOVERY_CHARS = 12  # 60 bits; a guesser has five tries a minute
ISSUER = "Ansim"


def new_secret() -> str:
    """A new secret, 32 characters of base 32."""
    import pyotp

    return pyotp.random_base32()


def address(user: User, secret: str) -> str:
    """What the QR code for the app holds (otpauth://...)."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=user.login, issuer_name=ISSUER)


def set_up(session: Session, vault: Vault, user: User, secret: str, code: str) -> list[str]:
    """
    Turn the second factor on, if the code shows that the app has the secret; return new recovery codes.

    Raises Refused: code_wrong. Other sessions of the person end.
    """
    step = _step(secret, code, 0)
    if step is None:
        raise Refused("code_wrong")
    user = session.get(User, user.id)
    user.totp_sealed = vault.seal(secret.encode())
    user.totp_step = step
    user.session_word = secrets.token_hex(16)
    session.execute(RecoveryCode.__table__.delete().where(RecoveryCode.user_id == user.id))
    codes = [ids.new(RECOVERY_CHARS) for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(user_id=user.id, code_hash=_hash(user, one)) for one in codes)
    session.flush()
    log.add(session, "person.second_factor", user.public_id, {"set": True}, user)
    return codes


def passes(session: Session, vault: Vault, user: User, code: str) -> bool:
    """True if the code is right now, or is a recovery code; neither is taken twice. The session must be one that writes."""
    user = session.get(User, user.id, with_for_update=True, populate_existing=True)
    step = _step(vault.unseal(user.totp_sealed).decode(), code, user.totp_step)
    if step is not None:
        user.totp_step = step
        return True
    wanted = (RecoveryCode.code_hash == _hash(user, ids.clean(code)), RecoveryCode.used_s.is_(None))
    used = session.execute(update(RecoveryCode).where(*wanted).values(used_s=clock.now_s()))
    if used.rowcount:
        user.failed_logins = 0
        log.add(session, "person.recovery_code", user.public_id, {}, user)
        return True
    user.failed_logins += 1
    return False


def codes_left(session: Session, user: User) -> int:
    """How many recovery codes have not been used."""
    left = select(func.count(RecoveryCode.id)).where(RecoveryCode.user_id == user.id, RecoveryCode.used_s.is_(None))
    return session.scalar(left)


def _step(secret, code, after):
    """The 30 s step whose code this is, one earlier or later allowed for; None for none after `after`."""
    import pyotp

    totp, now = pyotp.TOTP(secret), clock.now_s() // STEP_S
    digits = "".join(code.split())
    for step in (now, now - 1, now + 1):
        if step > after and secrets.compare_digest(totp.generate_otp(step), digits.encode("ascii", "replace").decode()):
            return step
    return None


def _hash(user, code):
    return hashlib.sha256(f"{user.public_id}:{code}".encode()).hexdigest()
