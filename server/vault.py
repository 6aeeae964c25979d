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

from server.config import BadSettings, Settings

SECRET_BYTES = 32
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
    """Return the vault of an installation; makes the secret on the first start. Raises BadSettings."""
    hex_digits = settings.secret.get_secret_value()
    return Vault(bytes.fromhex(hex_digits) if hex_digits else _secret_file(settings.data / "secret"))


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
