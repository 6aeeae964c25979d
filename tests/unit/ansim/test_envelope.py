"""The envelope: what is signed comes back, everything else is refused."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansim import envelope

KEY = bytes(range(32))
TOPIC = "ansim/1/hall-1/report"


@given(st.binary(max_size=200), st.binary(max_size=300))
def test_our_hmac_is_the_standard_one(key, message):
    assert envelope.hmac_sha256(key, message) == hmac.new(key, message, hashlib.sha256).digest()


@given(st.binary(min_size=2, max_size=400))
def test_what_was_sealed_comes_back_byte_for_byte(body):
    assert envelope.unseal(KEY, TOPIC, envelope.seal(KEY, TOPIC, body)) == body


@given(st.binary(min_size=2, max_size=60), st.data())
def test_one_flipped_bit_anywhere_is_refused(body, data):
    message = bytearray(envelope.seal(KEY, TOPIC, body))
    message[data.draw(st.integers(0, len(message) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(envelope.BadEnvelope):
        envelope.unseal(KEY, TOPIC, bytes(message))


@pytest.mark.parametrize(
    ("key", "topic"), [(bytes(32), TOPIC), (KEY, "ansim/1/hall-2/report"), (KEY, "ansim/1/hall-1/state")]
)
def test_a_message_of_another_device_or_topic_is_refused(key, topic):
    with pytest.raises(envelope.BadEnvelope, match="wrong signature"):
        envelope.unseal(key, topic, envelope.seal(KEY, TOPIC, b"{}"))


@given(st.binary(max_size=300))
def test_rubbish_is_refused(message):
    with pytest.raises(envelope.BadEnvelope):
        envelope.unseal(KEY, TOPIC, message)


def test_a_message_too_long_is_refused_before_it_is_hashed():
    with pytest.raises(envelope.BadEnvelope, match="1000000 bytes"):
        envelope.unseal(KEY, TOPIC, b"x" * 1_000_000)


def test_the_broker_password_is_not_the_key():
    password = envelope.broker_password(KEY)

    assert len(password) == 64
    assert password != KEY.hex()
