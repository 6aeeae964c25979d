"""
The server's settings: environment variables that begin with ANSIM_, checked as a whole before anything starts.

    settings = from_environment()        # raises BadSettings, which lists every problem

Values never appear in a problem, because some of them are secrets.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

PREFIX = "ANSIM_"
_TILE = ("{z}", "{x}", "{y}")
_BLANK = re.compile(r"[\s\x00-\x1f]")
_ROLE = "(admin|manager|inspector|viewer)"

Port = Annotated[int, Field(ge=1, le=65535)]
Days = Annotated[int, Field(ge=1, le=36_500)]
Amount = Annotated[int, Field(ge=1, le=1 << 53)]


class BadSettings(Exception):
    """The settings cannot be used; the text has one problem a line and no values."""


class Settings(BaseModel):
    """All settings with their defaults. ANSIM_MQTT_PORT sets `mqtt_port`, and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data: Path = Path("data")  # folder for the database, the secret and photos
    database_url: SecretStr = SecretStr("")  # "": SQLite in the data folder; else postgresql+psycopg://...
    secret: SecretStr = SecretStr("")  # 64 hex digits; "": the file `secret` in the data folder, made on first start

    log_key: Path | None = None  # file with 64 hex digits that signs the log's heads; None: made from the secret
    notice_private: bool = False  # notifications may go to addresses in private networks, such as a mail relay
    witness: Path | None = None  # file or git work tree for the log's signed heads; None: see witness_path()
    timestamp_url: str = ""  # RFC 3161 time stamp authority for the log's heads; "": none

    host: str = "127.0.0.1"  # where the web server listens
    port: Port = 8000
    public_url: str = ""  # address of the site for visitors, for QR codes; "": taken from the request
    https: bool = False  # the site is reached by HTTPS: secure cookies and HSTS
    proxies: Annotated[int, Field(ge=0, le=5)] = 0  # trusted reverse proxies in front of the web server
    keep_raw_days: Days = 7  # `flask retention`, see docs/privacy.md: raw reports
    keep_keys_days: Annotated[int, Field(ge=1, le=7)] = 7  # keys of pseudonyms; shorter is allowed, longer is not
    keep_features_days: Days = 90  # measurements of emitters, sweeps, commands, counters
    keep_inspections_days: Days = 1095  # names and notes of inspections, the access log
    keep_finds_days: Days = 3653  # cases for the police, with address and evidence
    session_hours: Annotated[int, Field(ge=1, le=24)] = 12  # longest life of a session; also of a form
    session_idle_minutes: Annotated[int, Field(ge=5, le=1440)] = 240  # a session ends after so long without a request
    second_factor_for: Annotated[str, Field(pattern=rf"^({_ROLE}(,{_ROLE})*)?$")] = (
        ""  # roles that need a second factor: "admin,manager"; optional for the others
    )
    metrics_token: SecretStr = SecretStr("")  # "": /metrics is for this machine only
    map_tiles: str = ""  # address of map tiles with {z}, {x} and {y}, fetched by browsers; "": a plain background
    map_credit: str = ""  # attribution of the map, shown on it
    languages: Literal["ko,en", "en,ko", "ko", "en"] = "ko,en"
    time_zone: str = "Asia/Seoul"

    mqtt_host: str = "127.0.0.1"  # broker that ingest connects to
    mqtt_port: Port = 1883
    mqtt_bind: str = "127.0.0.1"  # where the embedded broker listens
    mqtt_ca: Path | None = None  # the authority of the broker's certificate: ingest then uses TLS
    mqtt_cert: Path | None = None  # the embedded broker's certificate and key: it then speaks TLS only
    mqtt_key: Path | None = None
    sensor_broker: str = ""  # the broker's host name for sensors, sent to a board that is claimed; "": not sent
    sensor_port: Annotated[int, Field(ge=0, le=65535)] = 0  # its port for sensors; 0: mqtt_port
    mqtt_reader: bool = False  # an account that reads sensors' state and health; `flask broker-reader` prints it
    broker_token: SecretStr = SecretStr("")  # with it a broker asks this server who may connect: broker/http_access.py
    home_assistant: bool = False  # announce sensors to Home Assistant on the broker
    mqtt_user: str = ""  # account of ingest on an external broker; "": the embedded broker's service account
    mqtt_password: SecretStr = SecretStr("")
    share_group: Annotated[str, Field(pattern=r"^[a-z0-9-]{0,32}$")] = ""  # several ingest workers: $share/<group>/...
    worker: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,16}$")] = "1"  # tells ingest workers apart

    batch_messages: Annotated[int, Field(ge=1, le=5000)] = (
        1000  # most in one transaction; a third of the broker's max_inflight_messages, see docs/server.md
    )
    batch_wait_ms: Annotated[int, Field(ge=0, le=1000)] = 20  # longest wait for a batch to fill
    silent_after_s: Annotated[int, Field(ge=30, le=86_400)] = (
        300  # a sensor counts as silent after so long without a message
    )
    ingest_metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0  # 0: none; else Prometheus on this machine only
    # Quotas of one sensor, see docs/server.md: over them it is slowed down, and people are notified.
    quota_messages_minute: Amount = 3000  # the full journal of a sensor (512 kB) is 1,100 reports
    quota_messages_day: Amount = 60_000  # a sensor makes 2,000 to 5,000 a day
    quota_bytes_minute: Amount = 4_000_000
    quota_bytes_day: Amount = 100_000_000
    quota_findings_minute: Amount = 60  # alarms, which are written to the log
    quota_findings_day: Amount = 1000
    quota_notices_minute: Amount = 300
    quota_notices_day: Amount = 5000
    quota_gaps_minute: Amount = 60  # missing reports, and starts of the sensor
    quota_gaps_day: Amount = 1000
    quota_seq_jump: Amount = 100_000  # most numbers that may be missing between two reports
    log_format: Literal["json", "text"] = "json"

    def url(self) -> str:
        """Return the database's URL for SQLAlchemy. A secret: it may contain a password."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.data.absolute() / 'ansim.db'}"

    def witness_path(self) -> Path | None:
        """
        Return where the log's heads are published: `witness`, or with PostgreSQL a file in the data folder.

        There the database is usually administered by others than the data folder. None with SQLite, which lies in it.
        """
        if self.witness or self.url().startswith("sqlite:"):
            return self.witness
        return self.data / "log-heads.jsonl"


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings found in the environment. Raises BadSettings with all problems, one a line."""
    environ = os.environ if environ is None else environ
    variables = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value != ""}
    known = {PREFIX + field.upper(): field for field in Settings.model_fields}
    problems = []
    for name in sorted(set(variables) - set(known)):
        # Other programs of the project have variables of their own; only what looks like a typing error is a problem.
        for close in difflib.get_close_matches(name, known, n=1, cutoff=0.85):
            problems.append(f"{name} is not a setting; {close} is")
    settings = None
    try:
        settings = Settings.model_validate({known[name]: value for name, value in variables.items() if name in known})
        problems += _contradictions(settings)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            problems.append(f"{PREFIX}{str(problem['loc'][0]).upper()}: {problem['msg']}")
    if problems or settings is None:
        raise BadSettings("\n".join(problems))
    return settings


def make_files_private() -> None:
    """Let every file of this process be for its owner only, from its first byte on. Call it first in a program."""
    os.umask(0o077)


def _contradictions(settings: Settings) -> list[str]:
    problems = []
    secret = settings.secret.get_secret_value()
    if secret and (len(secret) != 64 or any(c not in "0123456789abcdef" for c in secret)):
        problems.append("ANSIM_SECRET should be 64 hex digits, lower case")
    try:
        ZoneInfo(settings.time_zone)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        problems.append("ANSIM_TIME_ZONE should be a name of the time zone database, such as Asia/Seoul")
    problems += _address_problems(settings)
    if settings.https and settings.proxies and not settings.public_url:
        problems.append("ANSIM_PUBLIC_URL is needed behind a proxy: invitations and door codes contain it")
    if bool(settings.mqtt_cert) != bool(settings.mqtt_key):
        problems.append("ANSIM_MQTT_CERT and ANSIM_MQTT_KEY go together")
    for field in ("mqtt_ca", "mqtt_cert", "mqtt_key", "log_key"):
        path = getattr(settings, field)
        if path and not path.is_file():
            problems.append(f"{PREFIX}{field.upper()}: no such file")
    problems += _database_problems(settings)
    tiles = settings.map_tiles
    if tiles and (not tiles.startswith(("https://", "http://", "/")) or any(part not in tiles for part in _TILE)):
        problems.append("ANSIM_MAP_TILES should be an address with {z}, {x} and {y} in it")
    if tiles and not settings.map_credit:
        problems.append("ANSIM_MAP_CREDIT should name who made the map of ANSIM_MAP_TILES")
    if not settings.data.is_dir() and settings.data.exists():
        problems.append("ANSIM_DATA should be a folder")
    return problems


def _address_problems(settings: Settings) -> list[str]:
    problems = []
    for field in ("public_url", "timestamp_url"):
        text = getattr(settings, field)
        name = PREFIX + field.upper()
        try:
            parts = urlsplit(text)
            is_plain = not parts.username and not parts.fragment and parts.port != 0
        except ValueError:
            problems.append(f"{name} should be an address such as https://ansim.example.org")
            continue
        if text and (
            parts.scheme not in ("http", "https") or not parts.hostname or not is_plain or _BLANK.search(text)
        ):
            problems.append(f"{name} should begin with https:// or http:// and name a host")
    if settings.https and settings.public_url.startswith("http://"):
        problems.append("ANSIM_PUBLIC_URL should begin with https://, because ANSIM_HTTPS is set")
    for field in ("host", "mqtt_host", "mqtt_bind", "sensor_broker"):
        text = getattr(settings, field)
        if _BLANK.search(text) or "/" in text or (not text and field != "sensor_broker"):
            problems.append(f"{PREFIX}{field.upper()} should be a host name or an address, without a scheme")
    return problems


def _database_problems(settings: Settings) -> list[str]:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    given = settings.database_url.get_secret_value()
    if not given:
        return []
    try:
        driver = make_url(given).drivername
    except (ArgumentError, ValueError):
        driver = ""
    if driver not in ("sqlite", "postgresql+psycopg"):
        return ["ANSIM_DATABASE_URL should be sqlite:///<file> or postgresql+psycopg://<user>:<password>@<host>/<name>"]
    return []
