"""
The pages. Each view reads the request, asks a service, and picks a template; services decide.

    account      sign in, password, language
    places       restroom list, a restroom with its log, door sign
    inspections  start, follow live, finish, read, correct
    findings     list, one finding with its evidence, disposition
    sensors      list, one sensor, self-test
    public       what the code on a door leads to; no account needed
"""

from server.web import account, assets, errors, findings, inspections, page, places, public, sensors


def register(app) -> None:
    """Add the pages to the application. Called by server.create_app()."""
    assets.init(app)
    page.init(app)
    errors.init(app)
    for room in (account, places, inspections, findings, sensors, public):
        app.register_blueprint(room.bp)
