"""
The pages. Each view reads the request, asks a service, and picks a template; services decide.

    account      sign in, password, language
    places       restroom list, a restroom with its log, door sign
    inspections  start, follow live, finish, read, correct
    findings     list, one finding with its evidence, disposition
    sensors      list, one sensor: self-test, place, key; claim codes; rollouts
    updates      versions of the sensors' program and their roll-out
    claims       where a board redeems a claim code
    public       what the code on a door leads to; no account needed
"""

from server.web import account, assets, claims, errors, findings, inspections, page, places, public, sensors, updates


def register(app) -> None:
    """Add the pages to the application. Called by server.create_app()."""
    assets.init(app)
    page.init(app)
    errors.init(app)
    for room in (account, places, inspections, findings, sensors, claims, updates, public):
        app.register_blueprint(room.bp)
