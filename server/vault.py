"""
The installation's one secret, and the keys that come from it.

    vault = open_vault(settings)
    sealed = vault.seal(device_key)          # what the database holds
    vault.key("web-session")                 # 32 bytes that only this purpose uses

The secret is ANSIM_SECRET, or the file `secret` in the data folder, which is made on the
first start and readable by its owner only. Whoever has the database and not the secret
can read no device key, forge no session, and turn no pseudonym back.
"""

import hmac
import os
import secrets
from pathlib import Path

from server.config import BadSettings

SECRET_BYTES = 32
_NONCE_BYTES = 12


class BadSeal(Exception):
    """The bytes were not sealed with this secret: the secret was changed, or the database is another one's."""


class Vault:
    """Derives keys from the secret and seals small values with AES-256-GCM."""

    def __init__(self, secret: bytes):
        self._secret = secret
        self._cipher = None

    def key(self, purpose: str) -> bytes:
        """Return the 32 bytes that belong to a purpose; two purposes never share a key."""
        return hmac.digest(self._secret, purpose.encode(), "sha256")

    def seal(self, plain: bytes) -> bytes:
        """Return nonce and ciphertext, 28 bytes longer than `plain`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._aes().encrypt(nonce, plain, None)

    def unseal(self, sealed: bytes) -> bytes:
        """Return what was sealed. Raises BadSeal."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._aes().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except InvalidTag as error:
            raise BadSeal("sealed with another secret; is ANSIM_DATA or ANSIM_SECRET the right one?") from error

    def service_password(self, name: str) -> str:
        """Return what one of our own processes says to the embedded broker (64 hex digits)."""
        return hmac.digest(self.key("broker-service"), name.encode(), "sha256").hex()

    def _aes(self):
        if self._cipher is None:
            # Imported here because it takes as long as the rest of a start, and the web pages rarely need it.
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._cipher = AESGCM(self.key("seal"))
        return self._cipher


def open_vault(settings) -> Vault:
    """Return the vault of an installation; makes the secret on the first start. Raises BadSettings."""
    given = settings.secret.get_secret_value()
    return Vault(bytes.fromhex(given) if given else _secret_file(settings.data / "secret"))


def _secret_file(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Several processes may start at once: link() lets exactly one of them win, and never shows half a file.
        mine = path.with_name(f".secret.{os.getpid()}")
        mine.touch(mode=0o600)
        mine.write_text(secrets.token_hex(SECRET_BYTES))
        try:
            os.link(mine, path)
        except FileExistsError:
            pass
        finally:
            mine.unlink()
    try:
        secret = bytes.fromhex(path.read_text().strip())
    except ValueError as error:
        raise BadSettings("the file `secret` in ANSIM_DATA should hold 64 hex digits") from error
    if len(secret) != SECRET_BYTES:
        raise BadSettings("the file `secret` in ANSIM_DATA should hold 64 hex digits")
    return secret
