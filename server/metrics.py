"""Prometheus metrics at /metrics, for this machine or with a token."""

import hmac
import time

from flask import Flask, Response, abort, current_app, g, request

from server import security

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
    """The metrics of this web process and today's counters of the database; 403 without access."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    from server.services.intake import counters

    if not is_operator():
        abort(403)
    lines = generate_latest(_registry()[0])
    with current_app.extensions["sessions"]() as session:
        lines += counters.as_metrics(session).encode()
    return Response(lines, content_type=CONTENT_TYPE_LATEST)
