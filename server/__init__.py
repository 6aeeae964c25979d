"""
The web server, and the commands of the processes beside it.

    flask --app server run|ingest|broker|db-upgrade|...
    gunicorn "server:create_app()"

Nothing connects or starts by importing this.
"""


def create_app(settings=None):
    """
    Return the Flask application. `settings` are config.Settings; without them the environment's are used.

    Raises BadSettings with every problem at once; with the environment's settings it prints them and exits.
    """
    import sys

    from server import app, config

    if settings is None:
        try:
            settings = config.from_environment()
        except config.BadSettings as error:
            sys.exit(f"error: the settings in the environment are not usable:\n{error}")
    return app.create(settings)
