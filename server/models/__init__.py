"""
The database tables. A time is in whole seconds since 1970-01-01 UTC; its name ends in `_s`.

Most rows are added, never edited: an event of an inspection or a finding is a new row that refers to it.
The few columns that change have the comment "current"; they repeat the values of the newest of these rows, so
that lists need no search.
"""

from server.models.audit import LogEntry, LogHead, LogPersonal, LogTip
from server.models.base import Base
from server.models.campaigns import (
    Campaign,
    CampaignAction,
    CampaignHandover,
    CampaignMember,
    CampaignStop,
    CampaignTeam,
)
from server.models.checklists import Checklist, ChecklistAnswer
from server.models.findings import Disposition, Finding, FindingEvent, PseudonymKey, StimulusResult
from server.models.inspections import (
    Inspection,
    InspectionPerson,
    InspectionResult,
    InspectionSensor,
    InspectionStep,
    OfflineVisit,
    Signature,
    SweepAssignment,
)
from server.models.intake import DeadLetter, DroppedRange, Proximity, Report, Selftest, SensorBoot, Sweep, Tally
from server.models.outside import Delivery, KeptAnswer, Notification, Subscription
from server.models.people import (
    AccessEvent,
    FailedAttempt,
    Invitation,
    RecoveryCode,
    ThrottleCount,
    Token,
    User,
    UserPlace,
    UserSession,
)
from server.models.photos import Hole, HoleEvent, Photo
from server.models.places import (
    ExternalId,
    Facility,
    FacilitySource,
    InspectionRequest,
    KnownEmitter,
    Organisation,
    Policy,
    Restroom,
    RestroomImport,
    RestroomUse,
    SiteNotice,
    VisitorReport,
)
from server.models.reporting import FrozenReport
from server.models.sensors import Claim, Command, Release, ReleaseFile, Rollout, RolloutSensor, Sensor
from server.models.upkeep import Lease

__all__ = [
    "AccessEvent",
    "Base",
    "Campaign",
    "CampaignAction",
    "CampaignHandover",
    "CampaignMember",
    "CampaignStop",
    "CampaignTeam",
    "Checklist",
    "ChecklistAnswer",
    "Claim",
    "Command",
    "DeadLetter",
    "Delivery",
    "Disposition",
    "DroppedRange",
    "ExternalId",
    "Facility",
    "FacilitySource",
    "FailedAttempt",
    "Finding",
    "FindingEvent",
    "FrozenReport",
    "Hole",
    "HoleEvent",
    "Inspection",
    "InspectionPerson",
    "InspectionRequest",
    "InspectionResult",
    "InspectionSensor",
    "InspectionStep",
    "Invitation",
    "KeptAnswer",
    "KnownEmitter",
    "Lease",
    "LogEntry",
    "LogHead",
    "LogPersonal",
    "LogTip",
    "Notification",
    "OfflineVisit",
    "Organisation",
    "Photo",
    "Policy",
    "Proximity",
    "PseudonymKey",
    "RecoveryCode",
    "Release",
    "ReleaseFile",
    "Report",
    "Restroom",
    "RestroomImport",
    "RestroomUse",
    "Rollout",
    "RolloutSensor",
    "Selftest",
    "Sensor",
    "SensorBoot",
    "Signature",
    "SiteNotice",
    "StimulusResult",
    "Subscription",
    "Sweep",
    "SweepAssignment",
    "Tally",
    "ThrottleCount",
    "Token",
    "User",
    "UserPlace",
    "UserSession",
    "VisitorReport",
]
