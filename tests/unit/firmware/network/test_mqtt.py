"""The parts of the MQTT client that need no broker; tests/integration/test_mqtt.py has the others."""

import base64
import errno

import pytest

from firmware.network.mqtt import ders, reason, tls_context

PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


def pem(data: bytes) -> str:
    return PEM.format(base64.encodebytes(data).decode().strip())


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_certificate_of_a_text_is_found(newline):
    text = "subject: us\n" + pem(b"first" * 30) + "\n" + pem(b"second")

    assert ders(text.replace("\n", newline)) == [b"first" * 30, b"second"]


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA", "-----END CERTIFICATE-----"])
def test_a_text_without_a_certificate_gives_none(text):
    assert ders(text) == []


def test_tls_without_an_authority_is_refused():
    with pytest.raises(ValueError, match="no certificate to verify the broker against"):
        tls_context("")


def test_the_reason_of_a_failure_is_short():
    assert reason(OSError(errno.ECONNREFUSED, "Connection refused")) == "ECONNREFUSED"
    assert reason(OSError(-9984, "MBEDTLS_ERR_X509_CERT_VERIFY_FAILED")) == "MBEDTLS_ERR_X509_CERT_VERIFY_FAILED"
    assert reason(OSError(-202)) == "its name cannot be resolved"
    assert reason(ValueError("\nThe certificate validity has expired\n")) == "The certificate validity has expired"
    assert reason(ValueError("invalid cert")) == "invalid cert"
    assert reason(OSError()) == "OSError"
