"""
The web server, and the commands of the processes beside it.

    flask --app server run|ingest|broker|db-upgrade|...
    gunicorn "server:create_app()"

Nothing connects or starts by importing this.
"""


def create_app(settings=None):
    """
    Return the Flask application. `settings` are config.Settings; without them the environment's are used.

    Raises BadSettings with every problem at once.
    """
    from server import app

    return app.create(settings)
