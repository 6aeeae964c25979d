"""
The notifying process: sends what notices.tell() wrote, and by the clock reminds of what is overdue and checks the log.

    python -m server.notify        # or `flask --app server notify`

One is enough; several do no harm. Nothing is lost when it does not run: the outbox waits.
"""

import signal
import threading
from zoneinfo import ZoneInfo

import structlog
from flask_babel import force_locale

from server import clock
from server.models.outside import CHAIN_BROKEN, WEBHOOK
from server.services.audit import verification
from server.services.outside import channels, notifications
from server.services.places import reminders
from server.vault import BadSeal

TICK_S = 2
HOUR_S = 3600
CHECK_LOG_S = 86400
# A page of its own for each kind of notice.
_PAGES = {
    "finding_new": "/findings/{}",
    "inspection_overdue": "/plan",
    "inspection_asked": "/restrooms/{}",
    "sensor_silent": "/sensors/{}",
}

log = structlog.get_logger()


def run(app, stopping: threading.Event) -> None:
    """Work until `stopping` is set."""
    sessions, next_hour_s, next_check_s = app.extensions["sessions"], 0, 0
    while not stopping.is_set():
        now_s = clock.now_s()
        if now_s >= next_hour_s:
            next_hour_s = now_s + HOUR_S
            with sessions.begin() as session:
                notifications.forget(session)
                reminders.remind(session, now_s, notifications.enqueue)
        if now_s >= next_check_s:
            next_check_s = now_s + CHECK_LOG_S
            check_log(sessions)
        while tick(app) and not stopping.is_set():
            pass
        stopping.wait(TICK_S)


def tick(app) -> int:
    """Give new notices to their subscriptions and send one batch; return how many deliveries it had."""
    sessions, settings = app.extensions["sessions"], app.extensions["settings"]
    with sessions() as session:
        if not notifications.has_work(session):
            return 0
    with sessions.begin() as session:
        notifications.spread(session, ZoneInfo(settings.time_zone))
    with sessions.begin() as session:
        taken = notifications.claim(session)
    if not taken:
        return 0
    error = _send(app, taken)
    if error:
        log.warning("notice not sent", subscription=taken[0].subscription.public_id, why=error)
    with sessions.begin() as session:
        notifications.settle(session, taken, error, ZoneInfo(settings.time_zone))
    return len(taken)


def _send(app, taken):
    """Send a claimed batch; return why it failed, or ""."""
    one, vault = taken[0].subscription, app.extensions["vault"]
    private = app.extensions["settings"].notice_private
    try:
        target = vault.unseal(one.target_sealed).decode()
        secret = vault.unseal(one.secret_sealed).decode() if one.way == WEBHOOK else None
        channels.send(one.way, target, secret, message(app, taken), private)
    except BadSeal:
        return "another secret"
    except channels.CannotSend as error:
        return str(error)
    except Exception as error:  # a hundred services' code runs here; one that breaks must not hold up the others
        return f"unexpected: {type(error).__name__}"
    return ""


def message(app, taken) -> channels.Message:
    """What a batch of deliveries to one subscription says, for people and for programs."""
    from server.wording import notices as words

    one, public_url = taken[0].subscription, app.extensions["settings"].public_url.rstrip("/")
    rows, lines = [], []
    with app.test_request_context(), force_locale(one.language):
        for notice in (delivery.notice for delivery in taken):
            place = notice.facility
            name = (place.name_en or place.name if one.language == "en" else place.name) if place else ""
            line = words.sentence(notice.kind, notice.subject, notice.facts, name)
            page = _PAGES.get(notice.kind, "").format(notice.subject)
            address = public_url + page if public_url and page else ""
            lines.append(line + (f"\n{address}" if address else ""))
            rows.append(
                {
                    "id": notice.public_id,
                    "kind": notice.kind,
                    "at_s": notice.at_s,
                    "facility": place.public_id if place else None,
                    "subject": notice.subject,
                    "facts": notice.facts,
                    "text": line,
                    **({"page": address} if address else {}),
                }
            )
        title = words.title(len(rows), rows[0]["kind"])
        advice = words.advice({row["kind"] for row in rows})
    text = "\n\n".join(lines + [advice] * bool(advice))
    body = {"version": 1, "subscription": one.public_id, "notices": rows}
    return channels.Message(title, text, body)


def check_log(sessions) -> None:
    """Go through the whole log; tell if it is not as it was written."""
    with sessions() as session:
        problem = verification.check(session).problem
    if problem is None:
        return
    log.error("the log is broken", entry=problem.n, what=problem.what)
    with sessions.begin() as session:
        if not notifications.told_lately(session, CHAIN_BROKEN, f"log-{problem.n}", CHECK_LOG_S):
            notifications.enqueue(session, CHAIN_BROKEN, None, f"log-{problem.n}", entry=problem.n, what=problem.what)


def main() -> None:
    """The process: run until SIGTERM or SIGINT. Brings the database up to date first."""
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
