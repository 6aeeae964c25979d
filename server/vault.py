"""
The installation's secret, and the keys derived from it.

    vault = open_vault(settings)
    sealed = vault.seal(device_key)          # for the database
    vault.key("web-session")                 # 32 bytes for this purpose only

The secret is ANSIM_SECRET, or the file `secret` in the data folder, which is made on the first start and readable by
its owner only. The database alone, without the secret, is not enough to read device keys, forge sessions, or reverse
pseudonyms.
"""

import hmac
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from server.config import BadSettings, Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker

SECRET_BYTES = 32
_LOST = "the secret is not the one of this database"
_ADVICE = (
    "Put the right file `secret` back from where you keep it (or set ANSIM_SECRET, or ANSIM_DATA to the right folder). "
    "Without it the sensors have to be enrolled again, and the log's heads cannot be signed; see docs/server.md."
)
_NONCE_BYTES = 12


class BadSeal(Exception):
    """The bytes were sealed with another secret: it was changed, or the database is of another installation."""


class Vault:
    """Derives keys from the secret and seals small values with AES-256-GCM."""

    def __init__(self, secret: bytes):
        self._secret = secret
        self._cipher = None

    def key(self, purpose: str) -> bytes:
        """Return the 32-byte key of a purpose; two purposes never share a key."""
        return hmac.digest(self._secret, purpose.encode(), "sha256")

    def seal(self, plain: bytes) -> bytes:
        """Return nonce and ciphertext, 28 bytes longer than `plain`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aes().encrypt(nonce, plain, None)

    def unseal(self, sealed: bytes) -> bytes:
        """Return the plain bytes. Raises BadSeal."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._aes().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except InvalidTag as error:
            raise BadSeal("sealed with another secret; is ANSIM_DATA or ANSIM_SECRET the right one?") from error

    def service_password(self, name: str) -> str:
        """Return the password of one of our processes at the embedded broker (64 hex digits)."""
        return hmac.digest(self.key("broker-service"), name.encode(), "sha256").hex()

    def _aes(self):
        if self._cipher is None:
            # Imported here: it takes as long as the rest of a start, and the web pages rarely need it.
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._cipher = AESGCM(self.key("seal"))
        return self._cipher


def open_vault(settings: Settings) -> Vault:
    """
    Return the vault of an installation; makes the secret on the first start.

    Raises BadSettings, also if the secret is missing beside a database that holds data sealed with it.
    """
    hex_digits = settings.secret.get_secret_value()
    if hex_digits:
        return Vault(bytes.fromhex(hex_digits))
    path = settings.data / "secret"
    if not path.exists() and _holds_data(settings):
        raise BadSettings(f"{_LOST}: {path} is missing, but the database has data. {_ADVICE}")
    return Vault(_secret_file(path))


def check(settings: Settings, sessions: "sessionmaker[Session]") -> None:
    """Raise BadSettings if the secret does not open what the database holds: call it before anything is served."""
    from sqlalchemy import select

    from server.models.outside import Subscription
    from server.models.sensors import Sensor

    keys = open_vault(settings)
    with sessions() as session:
        for column in (Sensor.key_sealed, Subscription.target_sealed):
            sealed = session.scalar(select(column).order_by(column.class_.id).limit(1))
            try:
                if sealed is not None:
                    keys.unseal(sealed)
            except BadSeal:
                raise BadSettings(f"{_LOST}: it does not open the keys in the database. {_ADVICE}") from None


def _holds_data(settings):
    from sqlalchemy import create_engine, text
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    url = make_url(settings.url())
    if url.get_backend_name() == "sqlite" and not os.path.exists(url.database or ""):
        return False
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return any(
                connection.execute(text(f"SELECT 1 FROM {table} LIMIT 1")).first() for table in ("log_entry", "sensor")
            )
    except SQLAlchemyError:
        return False  # no tables yet, or no database: then nothing starts anyway
    finally:
        engine.dispose()


def _secret_file(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Several processes may start at once: link() succeeds for one of them only, and the file is complete.
        draft = path.with_name(f".secret.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(SECRET_BYTES))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    try:
        secret = bytes.fromhex(path.read_text().strip())
    except ValueError as error:
        raise BadSettings("the file `secret` in ANSIM_DATA should hold 64 hex digits") from error
    if len(secret) != SECRET_BYTES:
        raise BadSettings("the file `secret` in ANSIM_DATA should hold 64 hex digits")
    return secret
