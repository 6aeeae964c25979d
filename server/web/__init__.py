"""
The pages, by blueprint. A view reads the request, calls a service, and renders a template; services have the rules.

    start        what waits for a person, by role
    account      sign-in, password, second factor, API tokens, language
    places       restroom list, a restroom with its log, door sign
    maps         the same on a map
    facilities   buildings and their restrooms
    organisations  the list, one with its buildings
    imports      taking over restrooms from a file
    plans        overdue, work by week, next route, intervals
    checkin      the number on a door, starting an inspection; sweeps: assigning a sweep by button
    work         what an inspector has to finish, to sign and to hand over, and what comes next
    inspections  live page and record; steps, results (finish, correct), participants, signatures, certificates, photos,
                 holes; checklists: their versions
    findings     list, one finding with its evidence, disposition; false-alarm rates
    signal       a finding's transmitter, live: following it, the movement test
    emitters     the devices known at a building
    campaigns    a sweep day: plan, live board, closing report
    sensors      list, one sensor: self-test, place, key; claim codes; rollouts
    dead_letters messages of sensors that could not be stored
    updates      versions of the sensors' program and their roll-out
    notifications  subscriptions, and the deliveries that failed
    reports      half years as page, CSV, XLSX and PDF
    claims       where a board redeems a claim code
    people       accounts, roles and places, invitations
    log          the chained log, proofs, signed heads
    privacy      retention times, the privacy sign of a site, the access log
    offline      inspecting without a network: the page that a phone stores, and the upload of its visits
    public       the page of the QR code on a door; no account needed
"""

from flask import Flask

from server.web import assets, errors, form_submissions, page, start
from server.web.audit import log
from server.web.findings import findings, known_emitters, signal
from server.web.inspecting import (
    button_sweeps,
    campaigns,
    certificates,
    check_in,
    checklists,
    holes,
    inspections,
    my_work,
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
from server.web.sensors import claims, dead_letters, rollout, sensors


def register(app: Flask) -> None:
    """Add the pages to the application. Called by server.create_app()."""
    assets.init(app)
    page.init(app)
    errors.init(app)
    form_submissions.init(app)
    for module in (
        start,
        own_account,
        restrooms,
        maps,
        facilities,
        organisations,
        imports_,
        plans,
        check_in,
        button_sweeps,
        my_work,
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
        signal,
        known_emitters,
        campaigns,
        sensors,
        claims,
        rollout,
        dead_letters,
        accounts,
        log,
        notifications,
        half_years,
        privacy,
        public_page,
    ):
        app.register_blueprint(module.bp)
