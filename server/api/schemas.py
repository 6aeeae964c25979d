"""Pydantic models of requests and responses. Times are whole seconds UTC; an `id` is a public id and never changes."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from ansim.finding import LEVELS
from server.api.responses import MAX_LIMIT
from server.models.checklists import ANSWERS
from server.models.findings import DISPOSITIONS, STATUSES
from server.models.inspections import DRAWN, OUTCOMES, PASSWORD, REOPENED, RESULTS, TYPED
from server.models.outside import KINDS as NOTIFICATION_KINDS
from server.models.outside import TEST
from server.models.people import ADMIN, ROLES
from server.models.photos import PHOTO_KINDS
from server.models.places import BLOCKS, METHODS, PLANNED
from server.services.outside import change_feed
from server.services.people import accounts
from server.services.reporting import exports
from server.services.sensors import command_queue, fleet
from server.services.sensors.operations import MAINTENANCE_COMMANDS, RADIO_COMMANDS


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a character that cannot be stored")
    return text


class OneOf:
    """Annotation of a str that is one of these; a Literal cannot be made from a tuple of another module."""

    def __init__(self, values: Iterable[str]):
        self._values = list(values)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(self._values)


Time = Annotated[int, Field(ge=0, le=1 << 40)]
Short = Annotated[str, Field(max_length=200), AfterValidator(_storable)]
Long = Annotated[str, Field(max_length=1000), AfterValidator(_storable)]
Id = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_storable)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Page(_In):
    """Which part of a list."""

    cursor: Annotated[str, Field(max_length=100)] = ""
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 50


class FacilityQuery(Page):
    search: Short = ""
    organisation: Short = ""


class RestroomQuery(Page):
    search: Short = ""
    facility: Short = ""
    block: Annotated[str, OneOf(BLOCKS)] | None = None
    due_before_s: Time | None = None
    retired: bool = False


class InspectionQuery(Page):
    restroom: Short = ""
    facility: Short = ""
    result: Annotated[str, OneOf((*RESULTS, REOPENED, "running"))] | None = None
    since_s: Time | None = None  # both go by `finished_s`, while it runs by `started_s`
    until_s: Time | None = None


class FindingQuery(Page):
    status: Annotated[str, OneOf(STATUSES)] | None = None
    level: Annotated[str, OneOf(LEVELS)] | None = None  # the highest that it has reached
    restroom: Short = ""
    facility: Short = ""
    since_s: Time | None = None  # both go by `happened_s`
    until_s: Time | None = None


class CommandIn(_In):
    """
    What a sensor is to do now. follow, stop_following and movement_test need `finding`, dwell `channel` and `seconds`.

    emitter  for selftest: address of the sensor that sends a test signal
    """

    name: Annotated[str, OneOf(RADIO_COMMANDS)]
    finding: Short = ""
    channel: Annotated[int, Field(ge=1, le=13)] | None = None
    seconds: Annotated[int, Field(ge=1, le=600)] | None = None
    emitter: Annotated[str, Field(pattern="^([0-9a-f]{2}:){5}[0-9a-f]{2}$")] | None = None


class MoveIn(_In):
    """The organisation that a facility moves to."""

    organisation: Id


class MaintenanceIn(_In):
    """A lasting change of a sensor. settings needs `changes`: fields of a sensor's settings."""

    name: Annotated[str, OneOf(MAINTENANCE_COMMANDS)]
    changes: Annotated[dict[Id, int | bool | Short | list[int]], Field(max_length=20)] = {}


class LogQuery(Page):
    kind: Short = ""
    subject: Short = ""


class ReportQuery(_In):
    year: Annotated[int, Field(ge=2000, le=2200)]
    half: Annotated[int, Field(ge=0, le=2)] = 0  # 0: the whole year
    of: Short = ""  # the id of an organisation, a facility or a restroom; nothing: all places


class Participant(_In):
    name: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_storable)]
    agency: Annotated[str, Field(max_length=100), AfterValidator(_storable)] = ""


class ChangesQuery(Page):
    """cursor of the answer before; the first time changed_since, or neither for everything."""

    changed_since: Time | None = None


class HoleQuery(Page):
    state: Annotated[str, OneOf(("open", "closed", "all"))] = "open"


class PhotoQuery(_In):
    small: bool = False


class ProofQuery(_In):
    names: bool = False  # with the personal fields that are not erased


class ExportQuery(_In):
    format: Annotated[str, OneOf(exports.FORMATS)] = "jsonl"
    facility: Short = ""
    since_s: Time | None = None
    until_s: Time | None = None


class WebhookIn(_In):
    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)]
    url: Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_storable)]
    kinds: Annotated[list[Annotated[str, OneOf(NOTIFICATION_KINDS)]], Field(min_length=1, max_length=20)]
    place: Short = ""  # the id of an organisation or a facility; nothing: all places
    language: Annotated[str, OneOf(("en", "ko"))] = "en"  # of `text`


class Start(_In):
    restroom: Id
    sensors: Annotated[list[Id], Field(max_length=20)] = []
    people: Annotated[list[Participant], Field(max_length=20)] = []


class AnswerIn(_In):
    answer: Annotated[str, OneOf(ANSWERS)]
    note: Long = ""  # needed for "suspicious" and "na", and for "ok" in place of "suspicious"
    # `newest` of the line that the person saw; an answer that was not seen is not replaced but stands beside this one
    seen: Annotated[int, Field(ge=0, le=1 << 60)] = 0


class AnswersIn(_In):
    stall: Annotated[int, Field(ge=0, le=500)]  # 0: the room itself
    answers: Annotated[dict[Id, AnswerIn], Field(min_length=1, max_length=100)]


class StepIn(_In):
    method: Annotated[str, OneOf(METHODS)]
    outcome: Annotated[str, OneOf(OUTCOMES)]
    note: Long = ""
    # `id` of the newest step of this method that the person saw; one that was not seen is not replaced
    seen: Annotated[int, Field(ge=0, le=1 << 60)] = 0


class ResultIn(_In):
    result: Annotated[str, OneOf(RESULTS)]
    reason: Long = ""
    note: Long = ""


class Police(_In):
    called_s: Time
    station: Short
    receipt: Short = ""
    custody: Short = ""


class DispositionIn(_In):
    kind: Annotated[str, OneOf(DISPOSITIONS)]
    reason: Long
    police: Police | None = None


class OrganisationOut(BaseModel):
    id: str
    name: str
    name_en: str


class FacilityOut(BaseModel):
    id: str
    name: str
    name_en: str
    address: str
    organisation: OrganisationOut


class RestroomOut(BaseModel):
    id: str
    facility: str
    facility_name: str
    name: str
    name_en: str
    block: Annotated[str, OneOf(BLOCKS)]
    floor: str
    stalls: int
    address: str
    latitude: float | None
    longitude: float | None
    opening_hours: str
    owner: str
    external_ids: list[list[str]]  # [[source, value], ...]
    created_s: int
    retired_s: int | None
    running: bool
    last_inspected_s: int | None
    last_result: Annotated[str, OneOf((*RESULTS, REOPENED))] | None  # "reopened": more followed "none_found"
    due_s: int | None  # due from then on
    due_method: Annotated[str, OneOf(PLANNED)] | None


class StepOut(BaseModel):
    id: int
    method: Annotated[str, OneOf(METHODS)]
    outcome: Annotated[
        str, OneOf((*OUTCOMES, REOPENED))
    ]  # "reopened": something open or suspicious followed "none_found"
    note: str
    at_s: int  # when the step was done
    received_s: int  # when it was stored
    by: str | None


class ResultOut(BaseModel):
    result: Annotated[str, OneOf(RESULTS)]
    methods: list[Annotated[str, OneOf(METHODS)]]
    reason: str
    note: str
    coverage: dict | None  # channels and seconds listened; see docs/api.md
    final_coverage: dict | None  # the same once the last sweeps have come, if that was after the result
    at_s: int
    by: str | None


class InspectionRow(BaseModel):
    id: str
    restroom: str
    facility: str
    started_s: int
    finished_s: int | None
    # as it stands: "reopened" if something suspicious followed "none_found"; null while it runs
    result: Annotated[str, OneOf((*RESULTS, REOPENED))] | None
    methods: list[Annotated[str, OneOf(METHODS)]]
    corrected: bool
    provisional: bool  # it rests on a sensor whose last sweep is missing


class InspectionOut(InspectionRow):
    people: list[dict[str, str]]  # [{"name", "agency"}, ...]
    sensors: list[str]
    steps: list[StepOut]  # all of them, the newest of a method counts
    results: list[ResultOut]  # all of them, the newest counts
    findings: list[str]


class GivenOut(BaseModel):
    answer: Annotated[str, OneOf(ANSWERS)]
    note: str
    at_s: int
    by: str | None


class AnswerOut(BaseModel):
    item: str
    text: str
    answer: Annotated[str, OneOf(ANSWERS)] | None
    note: str
    newest: int  # goes into `seen` of an answer
    contested: list[GivenOut]  # answers of people who had not seen each other's, until one of them settles it


class PartOut(BaseModel):
    stall: int
    lines: list[AnswerOut]


class ChecklistOut(BaseModel):
    version: int | None
    parts: list[PartOut]


class FindingRow(BaseModel):
    id: str
    status: Annotated[str, OneOf(STATUSES)]
    level: Annotated[str, OneOf(LEVELS)]  # at present
    alarmed_s: int | None  # when it became an alarm for the first time; null: never
    likely: str  # the innocent cause that a notice which is over most likely was
    lasted_s: int | None  # how long a notice that is over lasted
    detector: str
    sensor: str
    restroom: str | None
    inspection: str | None
    created_s: int
    changed_s: int
    happened_s: int  # first_at_s if it is plausible, else created_s
    first_at_s: int | None
    last_at_s: int | None
    score: int
    score_max: int
    rssi_dbm: int
    channel: int
    disposition: Annotated[str, OneOf(DISPOSITIONS)] | None


class DispositionOut(BaseModel):
    kind: Annotated[str, OneOf(DISPOSITIONS)]
    reason: str
    police: dict | None
    at_s: int
    by: str | None


class FindingOut(FindingRow):
    evidence: list[list]  # [[rule, value, threshold, weight], ...]
    considered: list[list]  # [[cause, "for" | "against" | "open"], ...]
    dispositions: list[DispositionOut]  # newest first


class HoleOut(BaseModel):
    id: str
    restroom: str
    facility: str
    stall: int  # 0: the room itself
    place: str
    found_s: int
    sticker_s: int | None
    ticket: str
    closed_s: int | None


class PhotoOut(BaseModel):
    """sha256 is of the file as received, as in the log; GET /photos/{id} returns a copy without EXIF."""

    id: str
    sha256: str
    size_bytes: int
    media_type: str
    width: int
    height: int
    kind: Annotated[str, OneOf(PHOTO_KINDS)]
    note: str
    received_s: int


class PhotosOut(BaseModel):
    items: list[PhotoOut]


class ChangeOut(BaseModel):
    """facts: the log entry's body. Of inspection, finding and hole only the one of `type` is there, as it is now."""

    at_s: int
    kind: str
    type: Annotated[str, OneOf(change_feed.TYPES)]
    id: str
    facts: dict[str, Any]
    inspection: InspectionRow | None
    finding: FindingRow | None
    hole: HoleOut | None


class ChangesOut(BaseModel):
    items: list[ChangeOut]
    cursor: str  # continue here, at once if `more`, else later
    more: bool


class SignatureOut(BaseModel):
    name: str
    kind: Annotated[str, OneOf((DRAWN, TYPED, PASSWORD))]
    at_s: int
    hash: str


class EntryRef(BaseModel):
    n: int
    hash: str


class HeadOut(EntryRef):
    at_s: int
    key: str
    signature: str


class CertificateOut(BaseModel):
    """
    record_hash       what the participants signed
    record_unchanged  the record gives that hash today; not after names in it were erased
    superseded_s      when an alarm followed that rules the result out; null: it stands
    """

    inspection: InspectionRow
    corrects: int
    not_done: list[Annotated[str, OneOf(METHODS)]]
    coverage: dict[str, Any] | None
    signatures: list[SignatureOut]
    record_hash: str
    record_unchanged: bool
    log_entry: EntryRef | None
    head: HeadOut | None
    photos: int
    photos_changed: int
    late_findings: list[str]
    superseded_s: int | None


class WebhookOut(BaseModel):
    """host: scheme and host of the address, which itself is not shown."""

    id: str
    name: str
    kinds: list[Annotated[str, OneOf(NOTIFICATION_KINDS)]]
    host: str
    place: str | None
    language: str
    created_s: int
    ended_s: int | None


class WebhookMade(WebhookOut):
    secret: str  # the signing key, 64 hex digits used as text


class WebhooksOut(BaseModel):
    items: list[WebhookOut]


class DeliveryOut(BaseModel):
    """due_s: the next attempt; null: sent or given up."""

    notification: str
    kind: Annotated[str, OneOf((*NOTIFICATION_KINDS, TEST))]
    status: Annotated[str, OneOf(("waiting", "sent", "failed"))]
    tries: int
    error: str
    due_s: int | None
    ended_s: int | None


class DeliveriesOut(BaseModel):
    items: list[DeliveryOut]


class SensorOut(BaseModel):
    name: str
    label: str
    status: Annotated[str, OneOf(fleet.STATES)]
    restroom: str | None
    last_seen_s: int | None
    version: str
    board: str
    battery_percent: int | None
    capabilities: list[str]
    enrolled_s: int
    revoked_s: int | None


class CommandOut(BaseModel):
    """
    status  waiting, sent, done, refused (with `error`, a code of the sensor), expired
    slots   of a movement test: [[start_ms, length_ms, 1 movement | 0 stillness], ...], counted from acknowledged_ms
    """

    id: str
    name: str
    status: Annotated[str, OneOf(command_queue.STATUSES)]
    error: str
    created_s: int
    expires_s: int
    acknowledged_ms: int | None
    slots: list[list[int]]


class CommandsOut(BaseModel):
    items: list[CommandOut]


class LogEntryOut(BaseModel):
    n: int
    at_s: int
    kind: str
    subject: str
    body: dict
    personal: str | None  # digest of the fields that can be forgotten
    hash: str


class CountsOut(BaseModel):
    """docs/reports.md says what each of them counts."""

    restrooms: int
    inspected: int
    enough_times: int
    overdue: int
    inspections: int
    none_found: int
    reopened: int
    not_completed: int
    referred: int
    eye: int
    rf: int
    lens: int
    corrected: int
    provisional: int
    covered: int
    coverage_percent: int | None
    alarms: int
    open: int
    listed: int
    as_known_emitter: int
    as_neighbour: int
    as_false: int
    as_unresolved: int
    as_referred: int
    notices: int
    false_permille: int | None


class ReportRowOut(CountsOut):
    id: str
    name: str


class ReportOut(BaseModel):
    since_s: int
    until_s: int
    made_s: int
    by: Annotated[str, OneOf(("organisation", "facility", "restroom"))]
    total: CountsOut
    rows: list[ReportRowOut]


class MeOut(BaseModel):
    user: str
    role: Annotated[str, OneOf(ROLES)]
    everywhere: bool
    scopes: list[Annotated[str, OneOf(accounts.RIGHTS[ADMIN])]]
    expires_s: int


class ProblemOut(BaseModel):
    """An RFC 9457 problem document. Programs read `code`; `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    values: dict[str, Any]


class ClaimIn(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"code": "ABCD-EFGH", "device": "hall-1", "label": ""}]})
    code: Annotated[str, Field(max_length=200)]
    device: Annotated[str, Field(max_length=200)]
    label: Annotated[str, Field(max_length=200)]


class ClaimOut(BaseModel):
    """The sensor's key, and the broker's address as sensors reach it, as far as the server knows it."""

    key: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    broker: str | None = None
    port: int | None = None
    tls: bool | None = None
    ca: str | None = None


class NotificationOut(BaseModel):
    """One notification in the body of a webhook. subject: public id of what it is about, or a sensor's name."""

    id: str
    kind: Annotated[str, OneOf((*NOTIFICATION_KINDS, TEST))]
    at_s: int
    facility: str | None
    subject: str
    facts: dict[str, Any]
    text: str
    page: str | None = None  # address of the page about it


class WebhookBody(BaseModel):
    version: Literal[1]
    subscription: str
    notices: list[NotificationOut]


def _page(name: str, item: type[BaseModel]) -> type[BaseModel]:
    return type(
        name, (BaseModel,), {"__annotations__": {"items": list[item], "next": str | None}, "__module__": __name__}
    )


FacilityPage = _page("FacilityPage", FacilityOut)
RestroomPage = _page("RestroomPage", RestroomOut)
InspectionPage = _page("InspectionPage", InspectionRow)
FindingPage = _page("FindingPage", FindingRow)
HolePage = _page("HolePage", HoleOut)
SensorPage = _page("SensorPage", SensorOut)
LogPage = _page("LogPage", LogEntryOut)
