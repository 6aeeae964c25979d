"""
Prometheus metrics at /metrics, for this machine or with a token.

Those of requests are of the web process that answers; the others are of the whole installation, read from the
database, so that every web process gives the same. docs/operations.md lists them.
"""

import hmac
import time

from flask import Flask, Response, abort, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from server import clock, security
from server.services.intake import counters
from server.services.upkeep import gauges, readiness

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def init(app: Flask) -> None:
    """Count requests and add the /metrics page."""
    app.before_request(_start)
    app.after_request(_count)
    app.add_url_rule("/metrics", view_func=page)


def _registry():
    # Made at first use: importing the library takes 60 ms, and commands need no metrics.
    metrics = current_app.extensions.get("metrics")
    if metrics is None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        registry = CollectorRegistry()
        labels = ("endpoint", "method", "status")
        metrics = current_app.extensions["metrics"] = (
            registry,
            Counter("ansim_web_requests_total", "Requests answered.", labels, registry=registry),
            Histogram("ansim_web_request_seconds", "Time to answer.", ("endpoint",), registry=registry),
        )
    return metrics


def _start() -> None:
    g.started = time.perf_counter()


def _count(response: Response) -> Response:
    _, requests, seconds = _registry()
    endpoint = request.endpoint or "none"
    # A client may send any method, and each would be a time series for ever.
    method = request.method if request.method in METHODS else "other"
    requests.labels(endpoint, method, response.status_code).inc()
    if "started" in g:
        seconds.labels(endpoint).observe(time.perf_counter() - g.started)
    return response


def is_operator() -> bool:
    """Return True if the request carries the metrics token or, without one in the settings, is of this machine."""
    token = current_app.extensions["settings"].metrics_token.get_secret_value()
    if token:
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode())
    return request.remote_addr in ("127.0.0.1", "::1")


@security.public
def page() -> Response:
    """The metrics of this web process and of the installation; 403 without access."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    if not is_operator():
        abort(403)
    lines = generate_latest(_registry()[0]) + generate_latest(_Installation(_problems(), *_read_database()))
    return Response(lines, content_type=CONTENT_TYPE_LATEST)


def _problems():
    extensions = current_app.extensions
    return readiness.list_problems(extensions["sessions"], extensions["settings"], extensions["vault"])


def _read_database():
    """Return ({outcome: messages}, Gauges) or, if the database does not answer, ({}, None)."""
    settings = current_app.extensions["settings"]
    try:
        with current_app.extensions["sessions"]() as session:
            return counters.sums(session), gauges.read(session, clock.now_s(), settings.silent_after_s)
    except SQLAlchemyError:
        return {}, None


class _Installation:
    """The state of the installation as metrics; a registry and its only collector in one."""

    def __init__(self, problems: list[str], messages: dict[str, int], numbers: gauges.Gauges | None):
        self._problems = problems
        self._messages = messages
        self._numbers = numbers

    def collect(self):
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        def gauge(name, text, value):
            return GaugeMetricFamily(f"ansim_{name}", text, value=value)

        def labelled(kind, name, text, label, values):
            family = kind(f"ansim_{name}", text, labels=[label])
            for key, value in values.items():
                family.add_metric([key], value)
            return family

        states = {code: int(code in self._problems) for code in readiness.PROBLEMS}
        yield labelled(GaugeMetricFamily, "problem", "1 if /readyz names this problem.", "code", states)
        numbers = self._numbers
        if numbers is None:
            return
        text = "Messages from sensors, by what became of them."
        yield labelled(CounterMetricFamily, "messages", text, "what", self._messages)
        yield labelled(GaugeMetricFamily, "sensors", "Sensors, by state.", "state", numbers.sensors)
        yield labelled(GaugeMetricFamily, "open_findings", "Findings to decide, by level.", "level", numbers.findings)
        text = "Notifications to one subscription each, by state."
        yield labelled(GaugeMetricFamily, "deliveries", text, "state", numbers.deliveries)
        yield gauge("running_inspections", "Inspections that run.", numbers.inspections)
        yield gauge("waiting_commands", "Commands that wait for their sensor.", numbers.commands)
        yield gauge("dead_letters", "Kept messages that could not be stored.", numbers.dead_letters)
        yield gauge("log_entries", "Entries of the log.", numbers.log_entries)
        yield gauge("log_unsigned_entries", "Entries of the log behind its newest signed head.", numbers.log_unsigned)
        if numbers.log_head_age_s is not None:
            yield gauge("log_head_age_seconds", "Age of the log's newest signed head.", numbers.log_head_age_s)
        if numbers.last_seen_age_s is not None:
            text = "Time since the newest message of any sensor."
            yield gauge("last_message_age_seconds", text, numbers.last_seen_age_s)
