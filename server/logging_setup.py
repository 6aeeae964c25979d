"""Diagnostic logging to stderr, one line per record, as JSON or text. No secrets, no payloads."""

import logging
import sys

import structlog

# Libraries that log payloads, or a line for each connection.
_QUIET = ("amqtt", "transitions", "paho", "alembic", "websockets")


def configure(log_format: str) -> None:
    """Set up structlog and the standard library's logging. log_format: "json" or "text"."""
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    render = (
        structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[structlog.processors.add_log_level, stamp, structlog.processors.format_exc_info, render],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
