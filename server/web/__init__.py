"""
The pages. Each view reads the request, asks a service, and picks a template; services decide.

    account      sign in, password, language
    places       restroom list, a restroom with its log, door sign
    maps         the same on a map
    facilities   buildings and their restrooms
    organisations  the list, one with its buildings
    imports      taking over restrooms from a file
    plans        overdue, work by week, next route, intervals
    checkin      the number on a door, starting an inspection; sweeps: assigning a sweep by button
    inspections  live page and record; steps, results (finish, correct), participants, signatures, certificates, photos,
                 holes; checklists: their versions
    findings     list, one finding with its evidence, disposition; false-alarm rates
    emitters     the devices known at a building
    campaigns    a sweep day: plan, live board, closing report
    sensors      list, one sensor: self-test, place, key; claim codes; rollouts
    updates      versions of the sensors' program and their roll-out
    notices      who outside is told of what, and what could not be delivered
    reports      half years as page, CSV, XLSX and PDF
    claims       where a board redeems a claim code
    people       accounts, roles and places, invitations
    log          the chained log, proofs, signed heads
    privacy      what is kept, each site's sign, who looked
    offline      inspecting without a network: the page a phone keeps, and what it hands over
    public       what the code on a door leads to; no account needed
"""

from server.web import assets, errors, page
from server.web.audit import log
from server.web.findings import findings, known_emitters
from server.web.inspecting import (
    button_sweeps,
    campaigns,
    certificates,
    check_in,
    checklists,
    holes,
    inspections,
    offline_visits,
    participants,
    photos,
    results,
    signatures,
    steps,
)
from server.web.outside import notifications
from server.web.people import accounts, own_account, privacy
from server.web.places import facilities, maps, organisations, plans, public_page, restrooms
from server.web.places import imports as imports_
from server.web.reporting import half_years
from server.web.sensors import claims, rollout, sensors


def register(app) -> None:
    """Add the pages to the application. Called by server.create_app()."""
    assets.init(app)
    page.init(app)
    errors.init(app)
    for room in (
        own_account,
        restrooms,
        maps,
        facilities,
        organisations,
        imports_,
        plans,
        check_in,
        button_sweeps,
        inspections,
        steps,
        results,
        participants,
        signatures,
        certificates,
        offline_visits,
        photos,
        holes,
        checklists,
        findings,
        known_emitters,
        campaigns,
        sensors,
        claims,
        rollout,
        accounts,
        log,
        notifications,
        half_years,
        privacy,
        public_page,
    ):
        app.register_blueprint(room.bp)
