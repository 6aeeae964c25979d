"""
Cameras that no package brings: TLS to a cloud, PPPP, MJPEG over HTTP, pictures over UDP, snapshots, clips.

The pictures are as long as a real encoder made them (media.py); their bytes are noise, as if encrypted.
"""

import contextlib
import socket
import struct
import threading
import time

from tools.airlab.guest.talk.common import (
    connect,
    datagrams,
    noise,
    picture_sizes,
    randomness,
    serve,
    sleep_until,
    ticks,
)

PPPP_PIECE = 1024
PPPP_HEADER = 32
PPPP_UNACKNOWLEDGED = 600  # datagrams kept for repeating
PPPP_REPEAT_AFTER_S = 0.25
PPPP_DATA, PPPP_ACK = b"\xf1\xd0", b"\xf1\xd1"
ALIVE_EVERY_S = 1


def tls_camera(host: str, port: str, path: str, fps: str, pictures: str) -> None:
    """A cloud camera: so many pictures at a time by one TLS connection. One at a time is a live stream."""
    connection, sizes, at_once = connect(host, port, True), picture_sizes(path), int(pictures)
    for count in ticks(float(fps) / at_once):
        size = sum(sizes[(count * at_once + index) % len(sizes)] for index in range(at_once))
        connection.sendall(struct.pack(">I", size) + noise(size))


def pieces(host: str, port: str, path: str, fps: str, seconds: str) -> None:
    """A cloud camera that uploads a piece of so many seconds in a TLS connection of its own each time."""
    sizes, at_once = picture_sizes(path), int(float(fps) * float(seconds))
    for count in ticks(1 / float(seconds)):
        size = sum(sizes[(count * at_once + index) % len(sizes)] for index in range(at_once))
        _post(host, port, size, True)


def snapshots(host: str, port: str, path: str, every_s: str, tls: str = "") -> None:
    """A picture every so many seconds by HTTP POST, a connection each."""
    sizes = picture_sizes(path)
    for count in ticks(1 / float(every_s)):
        _post(host, port, sizes[count % len(sizes)], bool(tls))


def clips(host: str, port: str, path: str, fps: str, clip_s: str, low_s: str, high_s: str) -> None:
    """A camera that uploads a clip of `clip_s` after something has moved, with pauses of low_s to high_s."""
    sizes, length, index = picture_sizes(path), int(float(clip_s) * float(fps)), 0
    while True:
        time.sleep(float(clip_s))
        _post(host, port, sum(sizes[(index + count) % len(sizes)] for count in range(length)), True)
        index += length
        time.sleep(randomness.uniform(float(low_s), float(high_s)))


def live_clips(host: str, port: str, path: str, fps: str, clip_s: str, low_s: str, high_s: str) -> None:
    """A camera that streams while something moves: `clip_s` at a time, with pauses of low_s to high_s."""
    sizes, length, index = picture_sizes(path), int(float(clip_s) * float(fps)), 0
    while True:
        connection = connect(host, port, True)
        for count in ticks(float(fps)):
            if count == length:
                break
            connection.sendall(noise(sizes[(index + count) % len(sizes)]))
        connection.close()
        index += length
        time.sleep(randomness.uniform(float(low_s), float(high_s)))


def idle_camera(host: str, port: str) -> None:
    """A camera that nobody watches: it tells its cloud every few seconds that it is there."""
    connection = connect(host, port, True)
    while True:
        connection.sendall(noise(randomness.randint(60, 400)))
        time.sleep(randomness.uniform(2, 20))


def _post(host, port, size, is_tls):
    try:
        with connect(host, port, is_tls) as connection:
            connection.sendall(
                b"POST /up HTTP/1.1\r\nHost: lab\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
            )
            connection.sendall(noise(size))
            connection.recv(2000)
    except OSError as error:
        print(error, flush=True)


def mjpeg_camera(path: str, fps: str, port: str = "81") -> None:
    """As the ESP32-CAM's web server: pictures in a multipart answer, each sent as soon as it is there."""
    sizes = picture_sizes(path)

    def handle(peer):
        peer.recv(2000)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n")
        for count in ticks(float(fps)):
            size = sizes[count % len(sizes)]
            head = b"\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % size
            peer.sendall(head + noise(size))

    serve(port, handle)


def udp_camera(path: str, fps: str, piece: str = "1100", port: str = "8070") -> None:
    """Pictures in pieces by UDP to whoever says hello; nothing is acknowledged or repeated, as with toy cameras."""
    socket_, sizes = datagrams(port), picture_sizes(path)
    _, viewer = socket_.recvfrom(2000)
    for count in ticks(float(fps)):
        rest = sizes[count % len(sizes)]
        while rest > 0:
            socket_.sendto(noise(8 + min(rest, int(piece))), viewer)
            rest -= int(piece)


def udp_viewer(host: str, port: str = "8070") -> None:
    """Says hello every second and takes what comes."""
    socket_ = datagrams()
    socket_.settimeout(0.5)
    said_s = 0.0
    while True:
        if time.monotonic() - said_s >= ALIVE_EVERY_S:
            said_s = time.monotonic()
            socket_.sendto(b"hello", (host, int(port)))
        with contextlib.suppress(TimeoutError):
            socket_.recv(4000)


class PpppCamera:
    """UDP in pieces of 1,024 bytes and a header, repeated until the viewer acknowledges them."""

    def __init__(self, port: str):
        self._socket = datagrams(port)
        _, self._viewer = self._socket.recvfrom(100)
        self._index = 0
        self._unacknowledged: dict[int, tuple[bytes, float]] = {}  # index -> datagram, when sent
        self._lock = threading.Lock()
        for target in (self._listen, self._repeat):
            threading.Thread(target=target, daemon=True).start()

    def send(self, body: bytes, channel: int) -> None:
        """Send the pieces of a picture (channel 1) or of sound (channel 2)."""
        for start in range(0, len(body), PPPP_PIECE):
            piece = body[start : start + PPPP_PIECE]
            datagram = PPPP_DATA + struct.pack(">HBBH", len(piece) + 4, 0xD1, channel, self._index) + piece
            with self._lock:
                if len(self._unacknowledged) < PPPP_UNACKNOWLEDGED:
                    self._unacknowledged[self._index] = datagram, time.monotonic()
            self._index = (self._index + 1) & 0xFFFF
            self._socket.sendto(datagram, self._viewer)

    def _listen(self):
        while True:
            answer = self._socket.recv(2048)
            if answer[:2] == PPPP_ACK:
                with self._lock:
                    for start in range(8, len(answer), 2):
                        self._unacknowledged.pop(struct.unpack_from(">H", answer, start)[0], None)

    def _repeat(self):
        while True:
            time.sleep(PPPP_REPEAT_AFTER_S / 2)
            now_s = time.monotonic()
            with self._lock:
                late = [
                    (index, datagram)
                    for index, (datagram, sent_s) in self._unacknowledged.items()
                    if now_s - sent_s > PPPP_REPEAT_AFTER_S
                ][:40]
                self._unacknowledged.update({index: (datagram, now_s) for index, datagram in late})
            for _, datagram in late:
                self._socket.sendto(datagram, self._viewer)


def pppp_camera(path: str, fps: str, audio: str = "0", port: str = "32108") -> None:
    """A PPPP camera, with G.711 sound if `audio` is 1."""
    camera, sizes = PpppCamera(port), picture_sizes(path)
    for count in ticks(float(fps)):
        camera.send(noise(PPPP_HEADER + sizes[count % len(sizes)]), 1)
        if audio == "1" and count % 2 == 0:
            camera.send(noise(PPPP_HEADER + 640), 2)


def pppp_viewer(host: str, group: str = "1", port: str = "32108") -> None:
    """A PPPP viewer that acknowledges `group` datagrams at a time."""
    socket_ = datagrams()
    target = (host, int(port))
    socket_.sendto(b"\xf1\x30\0\0", target)
    socket_.settimeout(1)
    held: list[int] = []
    alive_s = time.monotonic()
    while True:
        try:
            datagram = socket_.recv(2048)
        except TimeoutError:
            socket_.sendto(b"\xf1\x30\0\0", target)
            continue
        if datagram[:2] == PPPP_DATA:
            held.append(struct.unpack_from(">H", datagram, 6)[0])
            if len(held) >= int(group):
                head = struct.pack(">HBBH", 4 + 2 * len(held), 0xD1, datagram[5], len(held))
                socket_.sendto(PPPP_ACK + head + b"".join(struct.pack(">H", index) for index in held), target)
                held.clear()
        if time.monotonic() - alive_s > ALIVE_EVERY_S:
            alive_s = time.monotonic()
            socket_.sendto(b"\xf1\xe0\0\0", target)


def udp_push(host: str, port: str, path: str, fps: str, piece: str = "1200", seconds: str = "0") -> None:
    """Send the pictures of a film by UDP as they are filmed, spread over a few milliseconds as an encoder does."""
    socket_ = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sizes, begun_s = picture_sizes(path), time.monotonic()
    for count in ticks(float(fps)):
        if float(seconds) and time.monotonic() - begun_s > float(seconds):
            return
        rest, number = sizes[count % len(sizes)], 0
        while rest > 0:
            socket_.sendto(noise(12 + min(rest, int(piece))), (host, int(port)))
            rest -= int(piece)
            number += 1
            if number % 4 == 0:
                sleep_until(time.monotonic() + 0.002)
