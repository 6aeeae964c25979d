"""
Check logins in batches: up to MAX_TOGETHER waiting logins cost one query.

After a power cut a thousand sensors connect within seconds. Checked one by one, most would give up before their turn.
"""

import asyncio
from collections import Counter
from typing import NamedTuple

from server.broker.authentication import Authenticator

MAX_WAITING = 2000
MAX_PER_NETWORK = 500  # one address, or an IPv6 /64
MAX_TOGETHER = 200


class Busy(Exception):
    """Too many logins wait already; the client should try again later."""


class _Login(NamedTuple):
    user: str
    password: str
    network: str
    outcome: asyncio.Future[str]


class LoginQueue:
    """Passes logins on to an Authenticator, in the order they came."""

    def __init__(self, authenticator: Authenticator):
        self._authenticator = authenticator
        self._waiting: list[_Login] = []
        self._of_network: Counter[str] = Counter()
        self._working: asyncio.Task[None] | None = None

    async def check(self, network: str, user: str, password: str) -> str:
        """Return what Authenticator.check_all() says of one login. Raises Busy, SQLAlchemyError."""
        if len(self._waiting) >= MAX_WAITING or self._of_network[network] >= MAX_PER_NETWORK:
            raise Busy
        login = _Login(user, password, network, asyncio.get_running_loop().create_future())
        self._of_network[network] += 1
        self._waiting.append(login)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        try:
            return await login.outcome
        finally:
            self._of_network[network] -= 1
            if not self._of_network[network]:
                del self._of_network[network]

    async def _work(self):
        while self._waiting:
            logins, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
            try:
                outcomes = await asyncio.to_thread(
                    self._authenticator.check_all, [(login.user, login.password) for login in logins]
                )
            except Exception as error:  # passed on to each of those that wait for it
                for login in logins:
                    if not login.outcome.done():
                        login.outcome.set_exception(error)
                continue
            for login, outcome in zip(logins, outcomes, strict=True):
                if not login.outcome.done():
                    login.outcome.set_result(outcome)
