"""
The server's settings: environment variables that begin with ANSIM_, checked as a whole before anything starts.

    settings = from_environment()        # raises BadSettings, which lists every problem

Values never appear in a problem, because some of them are secrets.
"""

import difflib
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

PREFIX = "ANSIM_"
_TILE = ("{z}", "{x}", "{y}")
_ROLE = "(admin|manager|inspector|viewer)"

Port = Annotated[int, Field(ge=1, le=65535)]


class BadSettings(Exception):
    """The settings cannot be used; the text has one problem a line and no values."""


class Settings(BaseModel):
    """All settings with their defaults. ANSIM_MQTT_PORT sets `mqtt_port`, and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    data: Path = Path("data")  # folder for the database, the secret and photos
    database_url: SecretStr = SecretStr("")  # "": SQLite in the data folder; else postgresql+psycopg://...
    secret: SecretStr = SecretStr("")  # 64 hex digits; "": the file `secret` in the data folder, made on first start

    log_key: Path | None = None  # file with 64 hex digits that signs the log's heads; None: made from the secret
    notice_private: bool = False  # notices may go to addresses in private networks, such as an office's mail relay
    timestamp_url: str = ""  # RFC 3161 time stamp authority for the log's heads; "": none

    host: str = "127.0.0.1"  # where the web server listens
    port: Port = 8000
    public_url: str = ""  # address people use, for QR codes; "": taken from the request
    https: bool = False  # people come by HTTPS: secure cookies and HSTS
    proxies: Annotated[int, Field(ge=0, le=5)] = 0  # trusted reverse proxies in front of the web server
    keep_raw_days: Annotated[int, Field(ge=1)] = 7  # `flask retention`, see docs/privacy.md: raw reports
    keep_keys_days: Annotated[int, Field(ge=1, le=7)] = 7  # keys of pseudonyms; shorter is allowed, longer is not
    keep_features_days: Annotated[int, Field(ge=1)] = 90  # what sensors measured of emitters, sweeps, orders, counts
    keep_inspections_days: Annotated[int, Field(ge=1)] = 1095  # names and notes of inspections, who looked
    keep_finds_days: Annotated[int, Field(ge=1)] = 3653  # cases for the police, with address and evidence
    second_factor_for: Annotated[str, Field(pattern=rf"^({_ROLE}(,{_ROLE})*)?$")] = (
        ""  # roles that have to use a second factor: "admin,manager"; everybody may
    )
    metrics_token: SecretStr = SecretStr("")  # "": /metrics answers this machine only
    map_tiles: str = ""  # address of map pictures with {z}, {x} and {y}, asked by people's browsers; "": a plain ground
    map_credit: str = ""  # who made the map, shown on it
    languages: Literal["ko,en", "en,ko", "ko", "en"] = "ko,en"
    time_zone: str = "Asia/Seoul"

    mqtt_host: str = "127.0.0.1"  # broker that ingest connects to
    mqtt_port: Port = 1883
    mqtt_bind: str = "127.0.0.1"  # where the embedded broker listens
    mqtt_ca: Path | None = None  # the authority of the broker's certificate: ingest then uses TLS
    mqtt_cert: Path | None = None  # the embedded broker's certificate and key: it then speaks TLS only
    mqtt_key: Path | None = None
    sensor_broker: str = ""  # the broker's name as sensors reach it, told to a board that is claimed; "": not told
    sensor_port: Annotated[int, Field(ge=0, le=65535)] = 0  # its port for sensors; 0: mqtt_port
    mqtt_user: str = ""  # account of ingest on a broker of your own; "": the embedded broker's service account
    mqtt_password: SecretStr = SecretStr("")
    share_group: Annotated[str, Field(pattern=r"^[a-z0-9-]{0,32}$")] = ""  # several ingest workers: $share/<group>/...
    worker: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,16}$")] = "1"  # tells ingest workers apart

    batch_messages: Annotated[int, Field(ge=1, le=5000)] = (
        300  # most in one transaction; a third of the broker's max_inflight_messages, see docs/server.md
    )
    batch_wait_ms: Annotated[int, Field(ge=0, le=1000)] = 20  # longest wait for a batch to fill
    silent_after_s: Annotated[int, Field(ge=30)] = 300  # a sensor not heard for so long is called silent
    ingest_metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0  # 0: none; else Prometheus on this machine only
    log_format: Literal["json", "text"] = "json"

    def url(self) -> str:
        """The database as SQLAlchemy writes it. A secret: it may hold a password."""
        return self.database_url.get_secret_value() or f"sqlite:///{self.data.absolute() / 'ansim.db'}"


def from_environment(environ=None) -> Settings:
    """Return the settings found in the environment. Raises BadSettings with all problems, one a line."""
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value != ""}
    known = {PREFIX + field.upper(): field for field in Settings.model_fields}
    problems = []
    for name in sorted(set(given) - set(known)):
        # Other programs of the project have variables of their own; only what looks like a slip is a problem.
        for close in difflib.get_close_matches(name, known, n=1, cutoff=0.85):
            problems.append(f"{name} is not a setting; {close} is")
    settings = None
    try:
        settings = Settings.model_validate({known[name]: value for name, value in given.items() if name in known})
        problems += _contradictions(settings)
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False, include_context=False):
            problems.append(f"{PREFIX}{str(one['loc'][0]).upper()}: {one['msg']}")
    if problems or settings is None:
        raise BadSettings("\n".join(problems))
    return settings


def _contradictions(settings):
    problems = []
    secret = settings.secret.get_secret_value()
    if secret and (len(secret) != 64 or any(c not in "0123456789abcdef" for c in secret)):
        problems.append("ANSIM_SECRET should be 64 hex digits, lower case")
    if bool(settings.mqtt_cert) != bool(settings.mqtt_key):
        problems.append("ANSIM_MQTT_CERT and ANSIM_MQTT_KEY go together")
    for field in ("mqtt_ca", "mqtt_cert", "mqtt_key", "log_key"):
        path = getattr(settings, field)
        if path and not path.is_file():
            problems.append(f"{PREFIX}{field.upper()}: no such file")
    if settings.database_url.get_secret_value() and not settings.url().startswith(("sqlite:", "postgresql+psycopg:")):
        problems.append("ANSIM_DATABASE_URL should begin with sqlite: or postgresql+psycopg:")
    tiles = settings.map_tiles
    if tiles and (not tiles.startswith(("https://", "http://", "/")) or any(part not in tiles for part in _TILE)):
        problems.append("ANSIM_MAP_TILES should be an address with {z}, {x} and {y} in it")
    if tiles and not settings.map_credit:
        problems.append("ANSIM_MAP_CREDIT should name who made the map of ANSIM_MAP_TILES")
    if not settings.data.is_dir() and settings.data.exists():
        problems.append("ANSIM_DATA should be a folder")
    return problems
