"""
Limits for requests that guess or flood: sign-in, second-factor codes, and forms without an account.

    @throttling.limit_logins
    def login(): ...
"""

import hashlib
from collections.abc import Callable

from flask import Flask, Response, g, request, session
from flask_limiter import Limiter

from server import addresses, clock, throttle_storage
from server.db import Sessions


def get_network() -> str:
    """Return the client's address, of IPv6 its /64."""
    return addresses.network_of(request.remote_addr or "")


limiter = Limiter(get_network, default_limits=[])


def init(app: Flask, sessions: Sessions) -> None:
    """Throttle an app's views. The counts are in PostgreSQL, or, with SQLite, in this process's memory."""
    in_database = sessions.engine.dialect.name == "postgresql"
    app.config["RATELIMIT_STORAGE_URI"] = f"{throttle_storage.SCHEME}://" if in_database else "memory://"
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"sessions": sessions} if in_database else {}
    limiter.init_app(app)


def limit_logins(view: Callable) -> Callable:
    """Throttle a login view per address; services.people.attempts counts per account and address."""
    return limiter.limit("30 per minute; 300 per hour", methods=["POST"], deduct_when=_has_failed)(view)


def limit_code(view: Callable) -> Callable:
    """Throttle a view that takes a code: per address, and per user who has entered the password."""

    def name() -> str:
        return "code:" + str(session.get("halfway", [get_network()])[0])[:100]

    tries = {"methods": ["POST"], "deduct_when": _has_failed}
    view = limiter.limit("10 per minute; 100 per hour", **tries)(view)
    return limiter.limit("5 per minute; 30 per hour", key_func=name, **tries)(view)


def _has_failed(response: Response) -> bool:
    # Success is a redirect, or the page of a kept form (web/interrupted_forms.py). Only failures count, because a whole
    # shift signs in from one address of an office.
    return response.status_code != 302 and not g.get("signed_in", False)


def retry_after_s() -> int:
    """Return how many seconds a client that the limiter throttles has to wait."""
    limit = limiter.current_limit
    return max(1, int(limit.reset_at) - clock.now_s()) if limit else 60


def limit_programs(view: Callable) -> Callable:
    """Throttle the API per token, and per address without one; cost() of a request is more than 1 if it is dear."""
    return limiter.limit("1200 per minute", key_func=_token_digest, cost=cost)(view)


def cost() -> int:
    """Return what a request to the API costs: an export reads whole tables, a test sends a message to a stranger."""
    return max([COSTS.get(part, 1) for part in request.path.split("/")])


COSTS = {"exports": 60, "proof": 60, "certificate": 60, "test": 120}  # of paths with these parts


def _token_digest() -> str:
    shown = request.headers.get("Authorization", "")
    return "token:" + hashlib.sha256(shown.encode()).hexdigest() if shown else get_network()


def limit_strangers(view: Callable) -> Callable:
    """Throttle, per address, a form that needs no account."""
    return limiter.limit("5 per hour; 20 per day", methods=["POST"])(view)
