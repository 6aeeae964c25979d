"""
The pages. Each view reads the request, asks a service, and picks a template; services decide.

    account      sign in, password, language
    places       restroom list, a restroom with its log, door sign
    maps         the same on a map
    placing      editing restrooms, buildings, organisations
    imports      taking over restrooms from a file
    plans        overdue, work by week, next route, intervals
    inspections  start, follow live, finish, read, correct; with it checkin (where an inspector begins), eye (its list),
                 photos, holes, signing, and checklists (the lists' versions)
    findings     list, one finding with its evidence, disposition; false-alarm rates
    emitters     the devices known at a building
    campaigns    a sweep day: plan, live board, closing report
    sensors      list, one sensor: self-test, place, key; claim codes; rollouts
    updates      versions of the sensors' program and their roll-out
    notices      who outside is told of what, and what could not be delivered
    reports      half years as page, CSV, XLSX and PDF; the certificate of an inspection
    claims       where a board redeems a claim code
    people       accounts, roles and places, invitations
    log          the chained log, proofs, signed heads
    privacy      what is kept, each site's sign, who looked
    offline      inspecting without a network: the page a phone keeps, and what it hands over
    public       what the code on a door leads to; no account needed
"""

from server.web import (
    account,
    assets,
    campaigns,
    checkin,
    checklists,
    claims,
    emitters,
    errors,
    eye,
    findings,
    holes,
    inspections,
    log,
    maps,
    notices,
    offline,
    page,
    people,
    photos,
    places,
    placing,
    plans,
    privacy,
    public,
    reports,
    sensors,
    signing,
    updates,
)
from server.web import imports as imports_


def register(app) -> None:
    """Add the pages to the application. Called by server.create_app()."""
    assets.init(app)
    page.init(app)
    errors.init(app)
    for room in (
        account,
        places,
        maps,
        placing,
        imports_,
        plans,
        inspections,
        checkin,
        offline,
        eye,
        photos,
        holes,
        signing,
        checklists,
        findings,
        emitters,
        campaigns,
        sensors,
        claims,
        updates,
        people,
        log,
        notices,
        reports,
        privacy,
        public,
    ):
        app.register_blueprint(room.bp)
