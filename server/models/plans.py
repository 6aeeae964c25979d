"""How often what has to be inspected."""

from sqlalchemy.orm import Mapped

from server.models.base import Base, Id, TimeS, Word, key_of
from server.models.inspections import EYE, LENS, RF

SELFTEST = "selftest"  # of the fixed sensors in a restroom; the law wants their malfunctions inspected too
PLANNED = (EYE, RF, LENS, SELFTEST)


class Policy(Base):
    """
    An interval for one method at one scope. Rows are added; the newest of a scope counts.

    The scope is a restroom, a facility, an organisation, or (all three null) everything; the narrowest
    one with a row decides. Where there is none, the law's interval holds: services.plans.LEGAL_DAYS.
    """

    __tablename__ = "inspection_policy"

    id: Mapped[Id]
    organisation_id: Mapped[int | None] = key_of("organisation.id")
    facility_id: Mapped[int | None] = key_of("facility.id")
    restroom_id: Mapped[int | None] = key_of("restroom.id")
    method: Mapped[Word]  # one of PLANNED
    days: Mapped[int | None]  # interval; 0: not asked for here; null: this scope says nothing any more
    set_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")
