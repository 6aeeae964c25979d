"""
The notifying process: sends the outbox; every hour enqueues reminders of overdue inspections; verifies the log daily;
enqueues a notification if the installation cannot do its work for some minutes, such as without ingest.

    python -m server.notify        # or `flask --app server notify`

One process is enough. Of several, all send, and the holder of a lease does the hourly and daily work. Nothing is lost
while none runs: the outbox waits.
"""

import signal
import threading
import time
from zoneinfo import ZoneInfo

import structlog
from flask import Flask
from flask_babel import force_locale

from server import clock, ids
from server.config import Settings
from server.db import Sessions
from server.models.outside import CHAIN_BROKEN, NOT_READY, WEBHOOK, Delivery
from server.services.audit import tampered_rows, verification, witness
from server.services.inspecting import photos
from server.services.intake import heartbeat
from server.services.outside import channels, delivery_queue, notifications
from server.services.places import reminders
from server.services.upkeep import leader_election, readiness
from server.services.upkeep.leader_election import Lease
from server.vault import BadSeal
from server.wording import notifications as wording

TICK_S = 2
HOUR_S = 3600
VERIFY_LOG_S = 86400
# The page that a notification links to, by its kind; {} is its subject.
READY_EVERY_S = 30
NOT_READY_AFTER_S = 180  # a restart or an upgrade takes less
NOT_READY_AGAIN_S = 6 * 3600
_PAGES = {
    "finding_new": "/findings/{}",
    "finding_notice": "/findings/{}",
    "finding_escalated": "/findings/{}",
    "finding_disposed": "/findings/{}",
    "inspection_finished": "/inspections/{}",
    "inspection_corrected": "/inspections/{}",
    "inspection_reopened": "/inspections/{}",
    "inspection_overdue": "/plan",
    "inspection_asked": "/restrooms/{}",
    "sensor_silent": "/sensors/{}",
    "sensor_back": "/sensors/{}",
    "sensor_over_quota": "/sensors/{}",
    "message_refused": "/sensors/{}",
}

logger = structlog.get_logger()


def run(app: Flask, stopping: threading.Event) -> None:
    """Work until `stopping` is set."""
    sessions, next_hour, next_verification, next_lease = app.extensions["sessions"], 0.0, 0.0, 0.0
    lease, watch, next_look = Lease(sessions, leader_election.NOTIFY, ids.new(16)), ReadinessWatch(app), 0.0
    while not stopping.is_set():
        now_s, now = clock.now_s(), time.monotonic()
        if now >= next_lease:
            next_lease = now + leader_election.EVERY_S
            lease.keep(now)
        if lease.is_held and now >= next_hour:
            next_hour = now + HOUR_S
            with sessions.begin() as session:
                notifications.delete_old(session)
                reminders.remind(session, now_s, notifications.enqueue)
        if lease.is_held and now >= next_verification:
            next_verification = now + VERIFY_LOG_S
            verify_log(sessions, app.extensions["settings"])
        if lease.is_held and now >= next_look:
            next_look = now + READY_EVERY_S
            watch.look(now)
        while tick(app) and not stopping.is_set():
            pass
        stopping.wait(TICK_S)
    lease.release()


class ReadinessWatch:
    """Notices what keeps the installation from its work for NOT_READY_AFTER_S; see services/upkeep/readiness.py."""

    def __init__(self, app: Flask):
        self._extensions = app.extensions
        self._since: dict[str, float] = {}

    def look(self, now: float) -> None:
        """Look once, and enqueue a notification of each problem that lasts. now: seconds of time.monotonic()."""
        sessions, settings = self._extensions["sessions"], self._extensions["settings"]
        problems = readiness.list_problems(sessions, settings, self._extensions["vault"])
        if not heartbeat.is_known(settings.data):
            problems = [problem for problem in problems if problem != readiness.INGEST]  # it runs on another machine
        self._since = {problem: self._since.get(problem, now) for problem in problems}
        lasting = [problem for problem, since in self._since.items() if now - since >= NOT_READY_AFTER_S]
        if not lasting or readiness.DATABASE in problems:  # without a database there is no outbox
            return
        with sessions.begin() as session:
            for problem in lasting:
                if not notifications.is_recent(session, NOT_READY, problem, NOT_READY_AGAIN_S):
                    notifications.enqueue(session, NOT_READY, None, problem)
                    logger.error("the installation cannot do its work", problem=problem)


def tick(app: Flask) -> int:
    """Spread new notifications to their subscriptions and send one batch; return the number of its deliveries."""
    sessions, settings = app.extensions["sessions"], app.extensions["settings"]
    with sessions() as session:
        if not notifications.has_work(session):
            return 0
    with sessions.begin() as session:
        notifications.spread(session, ZoneInfo(settings.time_zone))
    with sessions.begin() as session:
        claimed = delivery_queue.claim(session)
    if not claimed:
        return 0
    error = _send(app, claimed)
    if error:
        logger.warning("notification not sent", subscription=claimed[0].subscription.public_id, why=error)
    with sessions.begin() as session:
        delivery_queue.settle(session, claimed, error, ZoneInfo(settings.time_zone))
    return len(claimed)


def _send(app: Flask, claimed: list[Delivery]) -> str:
    """Send a claimed batch; return why it failed, or ""."""
    subscription, vault = claimed[0].subscription, app.extensions["vault"]
    private = app.extensions["settings"].notice_private
    try:
        target = vault.unseal(subscription.target_sealed).decode()
        secret = vault.unseal(subscription.secret_sealed).decode() if subscription.way == WEBHOOK else ""
        channels.send(subscription.way, target, secret, message(app, claimed), private)
    except BadSeal:
        return "another secret"
    except channels.CannotSend as error:
        return str(error)
    except Exception as error:  # Apprise runs the code of many services; a failing one must not hold up the others
        return f"unexpected: {type(error).__name__}"
    return ""


def message(app: Flask, claimed: list[Delivery]) -> channels.Message:
    """Return the message for a batch of deliveries to one subscription."""
    subscription, public_url = claimed[0].subscription, app.extensions["settings"].public_url.rstrip("/")
    rows, lines = [], []
    with app.test_request_context(), force_locale(subscription.language):
        for notification in (delivery.notification for delivery in claimed):
            place = notification.facility
            name = (place.name_en or place.name if subscription.language == "en" else place.name) if place else ""
            line = wording.sentence(notification.kind, notification.subject, notification.facts, name)
            page = _PAGES.get(notification.kind, "").format(notification.subject)
            address = public_url + page if public_url and page else ""
            lines.append(line + (f"\n{address}" if address else ""))
            rows.append(
                {
                    "id": notification.public_id,
                    "kind": notification.kind,
                    "at_s": notification.at_s,
                    "facility": place.public_id if place else None,
                    "subject": notification.subject,
                    "facts": notification.facts,
                    "text": line,
                    **({"page": address} if address else {}),
                }
            )
        title = wording.title(len(rows), rows[0]["kind"])
        advice = wording.advice({row["kind"] for row in rows})
    text = "\n\n".join(lines + [advice] * bool(advice))
    body = {"version": 1, "subscription": subscription.public_id, "notices": rows}
    return channels.Message(title, text, body)


def verify_log(sessions: Sessions, settings: Settings) -> None:
    """Verify the log and what is derived from it; enqueue a notification if it is broken, once a day for one entry."""
    with sessions() as session:
        path = settings.witness_path()
        problem = verification.verify(session, known_heads=witness.read(path) if path else ()).problem
        if problem is None:
            different = next(tampered_rows.find_differences(session, photos.folder(settings)), None)
            problem = different and verification.Problem(different.n, f"{different.kind}_differs")
    if problem is None:
        return
    logger.error("the log is broken", entry=problem.n, what=problem.what)
    with sessions.begin() as session:
        if not notifications.is_recent(session, CHAIN_BROKEN, f"log-{problem.n}", VERIFY_LOG_S):
            notifications.enqueue(session, CHAIN_BROKEN, None, f"log-{problem.n}", entry=problem.n, what=problem.what)


def main() -> None:
    """Run until SIGTERM or SIGINT. Upgrades the database first."""
    from server import config, create_app, logging_setup, migrations

    app = create_app()
    settings: config.Settings = app.extensions["settings"]
    logging_setup.configure(settings.log_format)
    migrations.upgrade(settings)
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    run(app, stopping)


if __name__ == "__main__":
    main()
