"""
What the server remembers. Every time is whole seconds since 1970-01-01 UTC and ends in `_s`.

Records are added, never edited: what happens to an inspection or a finding is a new row
that points at it. The few fields that do change say "current" beside them; they repeat
what the newest of those rows says, so that lists need no search.
"""

from server.models.base import Base
from server.models.findings import Disposition, Finding, FindingEvent, PseudonymKey, StimulusResult
from server.models.fleet import Claim, Release, ReleaseFile, Rollout, RolloutSensor
from server.models.inspections import (
    Inspection,
    InspectionPerson,
    InspectionResult,
    InspectionSensor,
    InspectionStep,
)
from server.models.people import User
from server.models.places import ExternalId, Facility, KnownEmitter, Organisation, Restroom
from server.models.reports import DroppedRange, Proximity, Report, Selftest, SensorBoot, Sweep, Tally
from server.models.sensors import Command, Sensor

__all__ = [
    "Base",
    "Claim",
    "Command",
    "Disposition",
    "DroppedRange",
    "ExternalId",
    "Facility",
    "Finding",
    "FindingEvent",
    "Inspection",
    "InspectionPerson",
    "InspectionResult",
    "InspectionSensor",
    "InspectionStep",
    "KnownEmitter",
    "Organisation",
    "Proximity",
    "PseudonymKey",
    "Release",
    "ReleaseFile",
    "Report",
    "Restroom",
    "Rollout",
    "RolloutSensor",
    "Selftest",
    "Sensor",
    "SensorBoot",
    "StimulusResult",
    "Sweep",
    "Tally",
    "User",
]
