"""Brokers for tests, each in its own process on a port of its own: mosquitto and amqtt, plain and with TLS."""

import datetime
import os
import socket
import subprocess
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.waiting import wait_for

_AMQTT = """
import asyncio, sys, yaml
from amqtt.broker import Broker

async def main():
    broker = Broker(yaml.safe_load(open(sys.argv[1])))
    await broker.start()
    await asyncio.Event().wait()

asyncio.run(main())
"""


def certificate(folder: Path, name: str, issuer=None, host: str | None = None):
    """Write <name>.pem and <name>.key; return (certificate, key). Without an issuer it is an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host or name)])
    now = datetime.datetime.now(datetime.UTC)
    # Long before: a simulated board without NTP knows only the date of its program.
    begins = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    made = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return made, key


class Broker:
    """A broker process that can be killed and started again on the same port."""

    def __init__(self, command: list, port: int, folder: Path):
        self.port = port
        self._command = command
        self._log = folder / f"broker-{port}.log"
        self._process: subprocess.Popen | None = None

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        wait_for(self._listens)
        return self

    def _listens(self):
        assert self._process and self._process.poll() is None, self.log()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        """kill -9."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log(self) -> str:
        return self._log.read_text()


def mosquitto(folder: Path, port: int, users: dict | None = None, tls: str = "", client_ca: str = "") -> Broker:
    """Return a mosquitto that is not started yet. users: name -> password; tls: name of a certificate() in `folder`."""
    lines = [f"listener {port} 127.0.0.1", "max_queued_messages 0", "max_inflight_messages 3000"]
    if users is None:
        lines.append("allow_anonymous true")
    else:
        passwords = folder / f"passwords-{port}"
        passwords.write_text("".join(f"{name}:{password}\n" for name, password in users.items()))
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
        passwords.chmod(0o644)
        lines += ["allow_anonymous false", f"password_file {passwords}"]
    if tls:
        lines += [f"certfile {folder}/{tls}.pem", f"keyfile {folder}/{tls}.key"]
    if client_ca:
        lines += [f"cafile {folder}/{client_ca}.pem", "require_certificate true"]
    if os.geteuid() == 0:
        lines.append("user root")  # else it gives up the rights to read its own configuration
    config = folder / f"mosquitto-{port}.conf"
    config.write_text("\n".join(lines) + "\n")
    return Broker(["mosquitto", "-c", str(config)], port, folder)


def amqtt(folder: Path, port: int) -> Broker:
    """Return an amqtt that is not started yet and accepts every client."""
    config = folder / f"amqtt-{port}.yaml"
    config.write_text(
        f"listeners:\n  default:\n    type: tcp\n    bind: 127.0.0.1:{port}\n"
        "plugins:\n  amqtt.plugins.authentication.AnonymousAuthPlugin:\n    allow_anonymous: true\n"
    )
    script = folder / "amqtt_broker.py"
    script.write_text(_AMQTT)
    return Broker([sys.executable, str(script), str(config)], port, folder)
