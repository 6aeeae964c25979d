"""
A small MQTT 3.1.1 client for asyncio; one object is one connection.

    client = Client("hall-1", "hall-1", password, will=(topic, payload))
    await client.connect("broker.example", 8883, tls_context(ca_pem))
    await client.subscribe("ansim/1/hall-1/cmd")
    await client.publish(topic, payload, qos=1)     # returns once the broker has acknowledged it
    topic, payload = await client.receive()
    await client.disconnect()

Every failure is a BrokerError with one line that says what happened. The client cannot be used after it; make a new
one. No call waits for ever: a background task ends the connection when the broker does not accept, acknowledge or
answer within `answer_s`, and that ends all waiting calls.

Source: MQTT Version 3.1.1, OASIS Standard, 29 October 2014. QoS 2 and persistent sessions are left out: the journal
already delivers at least once.
"""

import asyncio
import binascii
import errno
import gc
import struct
from collections import deque

from firmware import shared_buffer

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 3, 4, 8, 9, 12, 13, 14
MAX_RECEIVED_BYTES = 12288  # the longest message is a part of a signature table with its envelope
MAX_PENDING = 8  # received messages, together MAX_RECEIVED_BYTES at most; the oldest is dropped
MAX_IN_FLIGHT = 16  # publishes that are not acknowledged yet
_MAX_TOPIC_BYTES = 128
_MAX_OTHER_BYTES = 16  # no other packet from a broker is longer
_CHUNK_BYTES = 256


TimedOut = asyncio.TimeoutError  # MicroPython has no other


class BrokerError(Exception):
    """The connection could not be made or has ended; the text says why in one line."""


class Client:
    """
    client_id, user, password  text
    will          (topic, payload): published by the broker, retained, if the connection breaks; None for none
    keepalive_s   the broker ends the connection after 1.5 times this silence; the client pings after half of it
    answer_s      longest wait for any answer
    connect_s     longest wait for TCP, TLS and CONNACK together

    problem       why the connection ended, None while it has not
    pending       how many received messages receive() has not returned yet
    """

    def __init__(self, client_id, user, password, will=None, keepalive_s=60, answer_s=10, connect_s=20):
        self.problem = None
        self._credentials = (client_id, user, password)
        self._will = will
        self._keepalive_s = keepalive_s
        self._answer_s = answer_s
        self._connect_s = connect_s
        self._reader = self._writer = None
        self._tasks = []
        self._sending = asyncio.Lock()
        self._changed = asyncio.Event()  # something was acknowledged or received, or the connection ended
        self._in_flight = set()  # ids of packets that wait for PUBACK or SUBACK
        self._granted = 0  # the newest SUBACK's return code
        self._messages = deque((), MAX_PENDING)
        self._last_id = 0
        self._ack_age = self._ping_age = None  # seconds waited for the next acknowledgement, for the ping's answer

    async def connect(self, host: str, port: int, tls=None) -> None:
        """Connect and log in. tls is an SSLContext, None for a plain connection. Raises BrokerError."""
        try:
            await asyncio.wait_for(self._open(host, port, tls), self._connect_s)
        except TimedOut:
            self._end("no answer from %s:%d within %d s" % (host, port, self._connect_s))
        except (OSError, ValueError, EOFError) as error:
            self._end("cannot connect to %s:%d: %s" % (host, port, reason(error)))
        except BrokerError as error:
            self.problem = "%s:%d: %s" % (host, port, error)
        if self.problem:
            await self._close()
            raise BrokerError(self.problem)
        self._tasks = [asyncio.create_task(self._guard(self._read())), asyncio.create_task(self._watch())]

    async def publish(self, topic: str, payload, qos: int = 0, retain: bool = False, wait: bool = True) -> None:
        """
        Publish bytes, or a tuple of their parts. With QoS 1 return once it is acknowledged, or with wait=False once it
        is sent.

        Waits while MAX_IN_FLIGHT publishes are on the way. Raises BrokerError.
        """
        name = topic.encode()
        packet_id = 0
        if qos:
            while len(self._in_flight) >= MAX_IN_FLIGHT:
                await self._wait_for_change()
            packet_id = self._new_id()
        id_bytes = struct.pack("!H", packet_id) if qos else b""
        head = (struct.pack("!H", len(name)), name, id_bytes)
        payload = payload if isinstance(payload, tuple) else (payload,)
        await self._send(PUBLISH << 4 | qos << 1 | retain, *(head + payload))
        payload = None  # not kept through the wait
        while wait and packet_id in self._in_flight:
            await self._wait_for_change()

    async def subscribe(self, topic: str, qos: int = 1) -> None:
        """Subscribe and wait for the acknowledgement. Raises BrokerError, also if the broker refuses."""
        name = topic.encode()
        packet_id = self._new_id()
        await self._send(SUBSCRIBE << 4 | 2, struct.pack("!HH", packet_id, len(name)), name, bytes((qos,)))
        while packet_id in self._in_flight:
            await self._wait_for_change()
        if self._granted > 1:
            raise BrokerError("the broker refused the subscription to " + topic)

    async def receive(self):
        """Return (topic, payload) of the next message. Raises BrokerError once the connection has ended."""
        while not self._messages:
            await self._wait_for_change()
        return self._messages.popleft()

    @property
    def pending(self) -> int:
        return len(self._messages)

    async def disconnect(self, orderly: bool = True) -> None:
        """
        Close the connection; also to be called after a failure. Never raises.

        orderly  send DISCONNECT first, so that the broker does not publish the will
        """
        if orderly and not self.problem:
            try:
                await self._send(DISCONNECT << 4)
            except BrokerError:
                pass
        self._end("disconnected")
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        await self._close()

    async def _open(self, host, port, tls):
        if tls:
            streams = await asyncio.open_connection(host, port, ssl=tls, server_hostname=host)
        else:
            streams = await asyncio.open_connection(host, port)
        self._reader, self._writer = streams
        client_id, user, password = self._credentials  # pyright: ignore[reportGeneralTypeIssues]
        flags = 0xC2  # user name, password, clean session
        if self._will:
            flags |= 0x2C  # will, of QoS 1, retained
        parts = [struct.pack("!HIBBH", 4, 0x4D515454, 4, flags, self._keepalive_s)]  # "MQTT", level 4
        for text in (client_id,) + (self._will or ()) + (user, password):
            data = text if isinstance(text, bytes) else text.encode()
            parts.append(struct.pack("!H", len(data)))
            parts.append(data)
        await self._send(CONNECT << 4, *parts)
        self._credentials = self._will = parts = None  # not needed again
        answer = await self._reader.readexactly(4)
        if answer[:2] != b"\x20\x02":
            raise BrokerError("this is no MQTT broker")
        if answer[3]:
            raise BrokerError("the broker refuses: %s" % _refusal(answer[3]))

    async def _send(self, first, *parts):
        """Send one packet. Raises BrokerError."""
        length = sum([len(part) for part in parts])
        head = bytearray((first,))
        while length > 127:
            head.append(0x80 | length & 0x7F)
            length >>= 7
        head.append(length)
        async with self._sending:
            if self.problem:
                raise BrokerError(self.problem)
            try:
                # In one piece: a second small write would wait for the peer's delayed ACK (Nagle).
                may_share = hasattr(self._writer, "out_buf")  # MicroPython copies the bytes it cannot send at once
                self._writer.write(_joined((bytes(head),) + parts, may_share))
                if getattr(self._writer, "out_buf", True):
                    await asyncio.wait_for(self._writer.drain(), self._answer_s)
                else:  # MicroPython has sent all already; let other tasks run
                    await asyncio.sleep(0)
            except TimedOut:
                self._end("the broker accepts no data any more")
            except OSError as error:
                self._end("connection lost: " + reason(error))
            if self.problem:
                raise BrokerError(self.problem)

    def _new_id(self):
        while True:
            self._last_id = self._last_id % 65535 + 1
            if self._last_id not in self._in_flight:
                break
        if not self._in_flight:
            self._ack_age = 0
        self._in_flight.add(self._last_id)
        return self._last_id

    def _end(self, problem):
        """Note that the connection has ended, and wake all waiting calls."""
        self.problem = self.problem or problem
        self._changed.set()

    async def _wait_for_change(self):
        """Wait for the next acknowledgement or message. Raises BrokerError if the connection has ended."""
        if self.problem:
            raise BrokerError(self.problem)
        self._changed.clear()
        await self._changed.wait()

    async def _close(self):
        writer, self._reader, self._writer = self._writer, None, None
        if writer:
            writer.close()
            try:
                await writer.wait_closed()
            except OSError:  # it was closed already
                pass
        gc.collect()  # a half-open socket is closed only by its finaliser

    async def _watch(self):
        """Keep the connection alive; end it when the broker does not answer."""
        idle_s = 0
        tick_s = min(1, self._answer_s / 4)
        while not self.problem:
            await asyncio.sleep(tick_s)
            idle_s += tick_s
            for waited_s, action in ((self._ack_age, "acknowledge"), (self._ping_age, "answer")):
                if waited_s is not None and waited_s >= self._answer_s:
                    self._end("the broker does not %s any more" % action)
            if self._in_flight:
                self._ack_age += tick_s  # pyright: ignore[reportOperatorIssue]
            if self._ping_age is not None:
                self._ping_age += tick_s
            elif idle_s >= self._keepalive_s / 2:
                idle_s = self._ping_age = 0
                try:
                    await self._send(PINGREQ << 4)
                except BrokerError:
                    return

    async def _guard(self, coroutine):
        try:
            await coroutine
        except EOFError:
            self._end("the broker closed the connection")
        except OSError as error:
            self._end("connection lost: " + reason(error))
        except UnicodeError:
            self._end("the broker sent a malformed topic")
        except BrokerError as error:
            self._end(str(error))

    async def _read(self):
        """Read packets for ever. Raises BrokerError for a malformed packet."""
        while True:
            head = await self._reader.readexactly(2)
            length = await self._read_length(head[1])
            kind = head[0] >> 4
            if kind == PUBLISH:
                await self._read_publish(head[0] & 15, length)
                continue
            if length > _MAX_OTHER_BYTES or head[0] & 15:
                raise BrokerError("the broker sent a malformed packet of kind %d" % kind)
            body = await self._reader.readexactly(length)
            if kind == PINGRESP and length == 0:
                self._ping_age = None
            elif (kind == PUBACK and length == 2) or (kind == SUBACK and length == 3):
                self._in_flight.discard(body[0] << 8 | body[1])
                self._granted = body[2] if kind == SUBACK else self._granted
                self._ack_age = 0
                self._changed.set()
            else:
                raise BrokerError("the broker sent a malformed packet of kind %d" % kind)

    async def _read_length(self, byte):
        """Return the "remaining length", whose first byte is given; section 2.2.3."""
        length, shift = byte & 0x7F, 7
        while byte & 0x80:
            if shift > 21:
                raise BrokerError("the broker sent a malformed length")
            byte = (await self._reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
        return length

    async def _read_publish(self, flags, length):
        qos = flags >> 1 & 3
        if qos > 1 or length < 2:
            raise BrokerError("the broker sent a malformed message")
        name_length = struct.unpack("!H", await self._reader.readexactly(2))[0]
        rest = length - 2 - name_length - 2 * qos
        if rest < 0:
            raise BrokerError("the broker sent a malformed message")
        fits = length <= MAX_RECEIVED_BYTES and name_length <= _MAX_TOPIC_BYTES
        name = await self._read_bytes(name_length, fits)
        packet_id = await self._reader.readexactly(2 * qos)
        payload = await self._read_bytes(rest, fits)
        if fits:
            while len(self._messages) == MAX_PENDING or self._pending_bytes() + rest > MAX_RECEIVED_BYTES:
                self._messages.popleft()
            self._messages.append((name.decode(), payload))  # pyright: ignore[reportArgumentType]
            self._changed.set()
        if qos:
            await self._send(PUBACK << 4, packet_id)

    def _pending_bytes(self):
        return sum([len(payload) for _, payload in self._messages])  # pyright: ignore[reportGeneralTypeIssues]

    async def _read_bytes(self, length, keep):
        """Read `length` bytes and return them; without `keep` discard them in small chunks."""
        if keep:
            return await self._reader.readexactly(length)
        while length:
            length -= len(await self._reader.readexactly(min(length, _CHUNK_BYTES)))
        return None


def _refusal(code):
    """Return the reason in a CONNACK."""
    reasons = {  # here, so that it takes no heap meanwhile
        1: "it does not speak MQTT 3.1.1",
        2: "it rejects the client id",
        3: "it is not available",
        4: "wrong user name or password",
        5: "not authorised",
    }
    return reasons.get(code, "code %d" % code)


def _joined(parts, may_share):
    """Join the parts; with `may_share` in shared_buffer.buffer, which is valid until the next await."""
    length = sum([len(part) for part in parts])
    packet = shared_buffer.buffer
    if not may_share or length > len(packet):
        return b"".join(parts)
    at = 0
    for part in parts:
        packet[at : at + len(part)] = part
        at += len(part)
    return memoryview(packet)[:length]


def tls_context(ca_pem: str, client_cert_pem: str = "", client_key_pem: str = ""):
    """
    Return an SSLContext that accepts only a broker whose certificate comes from this authority.

    ca_pem                          one or more certificates
    client_cert_pem, client_key_pem  both or neither

    Raises ValueError if one of them cannot be read. mbedTLS checks the dates of certificates by the
    chip's clock; see Clock.set_chip_clock().
    """
    import ssl  # 5 kB of heap that a sensor without TLS saves

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    authorities = ders(ca_pem)
    if not authorities:
        raise ValueError("no certificate to verify the broker against")
    for authority in authorities:
        context.load_verify_locations(cadata=authority)
    if client_cert_pem:
        context.load_cert_chain(ders(client_cert_pem)[0], ders(client_key_pem)[0])
    return context


def ders(pem: str) -> list:
    """Return what is inside each BEGIN and END of a PEM text, as bytes. Raises ValueError."""
    blocks, lines = [], None
    for line in pem.split("\n"):
        line = line.strip()
        if line.startswith("-----BEGIN "):
            lines = []
        elif line.startswith("-----END ") and lines is not None:
            blocks.append(binascii.a2b_base64("".join(lines)))
            lines = None
        elif lines is not None:
            lines.append(line)
    return blocks


def reason(error) -> str:
    """Return a short text for an OSError or ValueError of a socket or of TLS."""
    number = error.args[0] if error.args else 0
    if number in (-200, -202):  # lwIP's EAI_NONAME and EAI_FAIL, which MicroPython passes on as numbers
        return "its name cannot be resolved"
    if isinstance(number, int) and number in errno.errorcode:
        return errno.errorcode[number]
    # mbedTLS puts what is wrong with a certificate into lines, such as "The certificate validity has expired".
    return " ".join(str(error.args[-1]).split()) if error.args else type(error).__name__
