"""
The web server, and the commands of the other processes.

    flask --app server run|ingest|broker|db-upgrade|...
    gunicorn "server:create_app()"

Importing this connects and starts nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from server.config import Settings


def create_app(settings: "Settings | None" = None) -> "Flask":
    """
    Return the Flask application.

    settings  None: those of the environment; if they are bad, their problems are printed and the process exits
    """
    import sys

    from server import app, config

    if settings is None:
        try:
            return app.create(config.from_environment())
        except config.BadSettings as error:
            sys.exit(f"error: the settings in the environment are not usable:\n{error}")
    return app.create(settings)
