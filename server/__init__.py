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

    settings  None: those of the environment; if they are bad, or the secret is not the one of the database, the problem
              is printed and the process exits
    """
    import os
    import sys

    from server import app, config

    if settings is not None:
        return app.create(settings)
    config.make_files_private()
    try:
        application = app.create(config.from_environment())
        if os.environ.get("FLASK_RUN_FROM_CLI") != "true":  # commands repair what the check would refuse
            _check_secret(application)
    except config.BadSettings as error:
        sys.exit(f"error: the settings in the environment are not usable:\n{error}")
    return application


def _check_secret(application):
    import contextlib

    from sqlalchemy.exc import OperationalError, ProgrammingError

    from server import vault

    extensions = application.extensions
    # Without a database, or with one that does not answer, nothing can be compared; /readyz says so.
    with contextlib.suppress(OperationalError, ProgrammingError):
        vault.check(extensions["settings"], extensions["sessions"])
