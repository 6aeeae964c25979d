"""
Sample data for demonstrations. All places are invented.

    for name, key in fill(session, vault, sensors=3): ...     # the demo sensors and their keys

Repeating it changes nothing.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.places import ACCESSIBLE, FAMILY, MEN, UNISEX, WOMEN, ExternalId, Facility, Organisation, Restroom
from server.models.sensors import Sensor
from server.services.places import facilities, organisations, restrooms
from server.services.sensors import enrolment
from server.vault import Vault

SOURCE = "demo"
ORGANISATION = ("예시시 (가상)", "Sample City (invented)")
# (name, English name, address, position at sea, [(name, English name, block, stalls, floor), ...])
FACILITIES = (
    (
        "예시시청",
        "Sample City Hall",
        "예시시 가상로 1",
        (36.0120, 125.0200),
        (
            ("1층 여자화장실", "Women's, ground floor", WOMEN, 5, "1"),
            ("1층 남자화장실", "Men's, ground floor", MEN, 3, "1"),
            ("1층 장애인화장실", "Accessible, ground floor", ACCESSIBLE, 1, "1"),
            ("2층 여자화장실", "Women's, second floor", WOMEN, 4, "2"),
        ),
    ),
    (
        "가상역",
        "Imaginary Station",
        "예시시 가상역길 20",
        (36.0178, 125.0287),
        (
            ("대합실 여자화장실", "Women's, concourse", WOMEN, 8, "B1"),
            ("대합실 남자화장실", "Men's, concourse", MEN, 5, "B1"),
            ("가족화장실", "Family", FAMILY, 1, "B1"),
        ),
    ),
    (
        "본보기공원",
        "Model Park",
        "예시시 본보기길 7",
        (36.0061, 125.0312),
        (
            ("동문 여자화장실", "Women's, east gate", WOMEN, 3, "1"),
            ("동문 남자화장실", "Men's, east gate", MEN, 2, "1"),
            ("호숫가 화장실", "Lakeside", UNISEX, 2, "1"),
        ),
    ),
)


def fill(session: Session, vault: Vault, sensors: int = 3) -> list[tuple[str, bytes]]:
    """Add what is missing; return (name, key of 32 bytes) of every demo sensor."""
    rooms = _add_places(session)
    return [
        _load_or_enrol(session, vault, number, rooms[(number - 1) % len(rooms)]) for number in range(1, sensors + 1)
    ]


def _add_places(session: Session) -> list[Restroom]:
    """Add the places that are missing; return all sample restrooms."""
    sample_rooms = []
    name, name_en = ORGANISATION
    city = session.scalar(select(Organisation).where(Organisation.name == name))
    city = city or organisations.add(session, name, name_en)
    for number, (site, site_en, address, position, rooms) in enumerate(FACILITIES, 1):
        facility = session.scalar(
            select(Facility).where(Facility.name == site, Facility.organisation_id == city.id)
        ) or facilities.add(session, city, site, site_en, address)
        for row, (room, room_en, block, stalls, floor) in enumerate(rooms, 1):
            key = f"demo-{number}-{row}"
            query = select(Restroom).join(ExternalId).where(ExternalId.source == SOURCE, ExternalId.value == key)
            sample_rooms.append(
                session.scalar(query)
                or restrooms.add(
                    session,
                    facility,
                    room,
                    [(SOURCE, key)],
                    name_en=room_en,
                    block=block,
                    stalls=stalls,
                    floor=floor,
                    latitude=position[0],
                    longitude=position[1],
                    opening_hours="00:00-24:00",
                )
            )
    return sample_rooms


def _load_or_enrol(session: Session, vault: Vault, number: int, room: Restroom) -> tuple[str, bytes]:
    name = f"demo-{number}"
    sensor = session.scalar(select(Sensor).where(Sensor.name == name))
    if sensor:
        return name, vault.unseal(sensor.key_sealed)
    _, key = enrolment.enrol(session, vault, name, f"Demo sensor {number} (virtual)", restroom_id=room.id)
    return name, key
