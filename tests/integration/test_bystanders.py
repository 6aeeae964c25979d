"""
A crowd of phones and the whole system: real firmware, broker, ingest, database. No phone's address may be stored.

The traffic is simulated and runs faster than real time; findings, messages and the server's rows are real.
"""

import pytest
from sqlalchemy import select

from server.models import Finding, Sweep
from server.services.findings import dispositions, findings
from server.services.people.accounts import SYSTEM
from tests.support.database_values import ANY_ADDRESS, list_values
from tests.support.server_kit import Server
from tests.support.waiting import wait_for
from tools.simulate import SCENES, settings_for
from tools.traffic import scene
from tools.virtual_sensor.sensor import VirtualSensor

SPEED = 40
SWEEPS = 3  # of each sensor: one every minute of the scene's time
WITH_A_CAMERA = "camera_station"
HEARD = ("crowded", "look_alikes", WITH_A_CAMERA)
# Where an address may stand while a finding waits for a person.
OPEN_FINDING = {"finding.address", "finding.bssid", "finding_event.exact"}


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path / "data").start_inside()
    yield made
    made.end()


@pytest.fixture
def air():
    """{name: Scene} of what each sensor hears."""
    return {name: scene.load(SCENES / f"{name}.json") for name in HEARD}


@pytest.fixture
def listening(server, air, tmp_path):
    """A virtual sensor for each scene, started."""
    started = []
    for number, (name, heard) in enumerate(air.items(), 1):
        settings = settings_for(f"hall-{number}", server.enrol(f"hall-{number}"), port=server.port, uplink="ethernet")
        started.append(VirtualSensor(settings, heard, tmp_path / name, SPEED, "1M"))
        started[-1].start()
    yield started
    for one in started:
        one.stop()


def spellings(address):
    digits = address.replace(":", "")
    return {address.encode(), address.upper().encode(), digits.encode(), bytes.fromhex(digits)}


def columns_with(session, addresses):
    wanted = {spelled for address in addresses for spelled in spellings(address)}
    return {name for name, value in list_values(session) if any(one in value for one in wanted)}


def test_a_crowd_passes_and_none_of_its_addresses_stays(server, air, listening):
    def heard():
        with server.sessions() as session:
            sweeps = list(session.scalars(select(Sweep.sensor_id)))
            return all(sweeps.count(number) >= SWEEPS for number in (1, 2, 3)) and session.scalar(
                select(Finding.id).where(Finding.status == "open")
            )

    wait_for(heard, 120)
    for one in listening:
        one.stop()
    server.end()

    crowd = {
        address
        for name in air.keys() - {WITH_A_CAMERA}
        for index in range(len(air[name].emitters))
        for address in air[name].addresses(index)
        if address
    }
    with server.sessions() as session:
        still_open = session.execute(select(Finding.address, Finding.bssid).where(Finding.status == "open")).all()
        raised = {address for row in still_open for address in row if address}
        assert sum(session.scalars(select(Sweep.stations))) > 20 and len(crowd) > 15 and raised
        assert columns_with(session, crowd - raised) == set()
        told = {name for name, value in list_values(session) if ANY_ADDRESS.search(value)}
        assert told <= OPEN_FINDING, told

    with server.sessions.begin() as session:
        for one in findings.list_findings(session, SYSTEM, status="open", limit=99).rows:
            dispositions.dispose(session, one, SYSTEM, "false", "looked at it")
    with server.sessions() as session:
        assert {name for name, value in list_values(session) if ANY_ADDRESS.search(value)} == set()
        assert columns_with(session, crowd | raised) == set()
