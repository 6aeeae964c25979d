"""
Failed attempts to prove who one is, with growing delays.

    failed_attempts.check(sessions, "login", account, address)     # raises TooManyAttempts
    failed_attempts.failed(sessions, "login", account, address)
    failed_attempts.succeeded(sessions, "login", account, address)

Attempts are counted per account and network together, in a transaction of their own, so that a stranger cannot lock
somebody out from elsewhere, and a rolled-back request still counts.
"""

import hashlib

from sqlalchemy import delete, select

from server import addresses, clock
from server.db import Sessions, insert
from server.models.people import FailedAttempt

FREE = 5  # attempts without a delay
FIRST_DELAY_S = 15
LONGEST_DELAY_S = 900
FORGET_S = 86400  # an attempt counts for so long after the last one


class TooManyAttempts(Exception):
    """wait_s: seconds until the next attempt is accepted."""

    def __init__(self, wait_s: int):
        super().__init__()
        self.wait_s = wait_s


def check(sessions: Sessions, purpose: str, account: str, address: str) -> None:
    """Raise TooManyAttempts while a delay runs. account: a canonical id, such as a normalised login or a public id."""
    with sessions() as session:
        row = session.scalar(select(FailedAttempt).where(FailedAttempt.key == _key(purpose, account, address)))
    if row is not None and row.count >= FREE:
        delay_s = min(LONGEST_DELAY_S, FIRST_DELAY_S << min(row.count - FREE, 10))
        # A clock that was set back must not make the delay longer than it is.
        wait_s = min(delay_s, row.last_s + delay_s - clock.now_s())
        if wait_s > 0:
            raise TooManyAttempts(wait_s)


def failed(sessions: Sessions, purpose: str, account: str, address: str) -> None:
    """Count a failed attempt."""
    key, now_s = _key(purpose, account, address), clock.now_s()
    with sessions.begin() as session:
        session.execute(insert(session, FailedAttempt).values(key=key, count=0, last_s=now_s).on_conflict_do_nothing())
        row = session.scalars(select(FailedAttempt).where(FailedAttempt.key == key).with_for_update()).one()
        row.count = 1 if row.last_s < now_s - FORGET_S else row.count + 1
        row.last_s = now_s


def succeeded(sessions: Sessions, purpose: str, account: str, address: str) -> None:
    """Forget the failed attempts."""
    with sessions() as session:
        query = select(FailedAttempt.id).where(FailedAttempt.key == _key(purpose, account, address))
        row_id = session.scalar(query)
    if row_id is not None:
        with sessions.begin() as session:
            session.execute(delete(FailedAttempt).where(FailedAttempt.id == row_id))


def _key(purpose: str, account: str, address: str) -> str:
    # A digest: neither logins that somebody tried nor addresses are kept in plain text.
    text = "\0".join((purpose, account, addresses.network_of(address)))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
