"""What the talkers share: a clock, random numbers of their own, sockets, sizes of pictures."""

import os
import random
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator

KEY, CERTIFICATE = "/media/key.pem", "/media/certificate.pem"

# Of this program on this station in this scenario, so that a run can be repeated.
randomness = random.Random(" ".join([os.environ.get("AIRLAB_SEED", "1"), *sys.argv]))


def sleep_until(at_s: float) -> None:
    """Sleep until a time of time.monotonic()."""
    pause_s = at_s - time.monotonic()
    if pause_s > 0:
        time.sleep(pause_s)


def ticks(rate: float) -> Iterator[int]:
    """Yield 0, 1, 2 ... at `rate` per second. After a delay of more than a second the missed ticks are left out."""
    begun_s, count = time.monotonic(), 0
    while True:
        yield count
        count += 1
        due_s = begun_s + count / rate
        if time.monotonic() > due_s + 1:
            begun_s = time.monotonic() - count / rate
        sleep_until(due_s)


def picture_sizes(path: str) -> list[int]:
    """Return the sizes of a film's pictures in bytes."""
    with open(path + ".sizes", encoding="ascii") as file:
        return [int(line) for line in file]


def noise(size: int) -> bytes:
    """Return bytes that look encrypted."""
    return os.urandom(size)


def connect(host: str, port: str, is_tls: bool = False) -> socket.socket:
    """Return a TCP connection that sends small pieces at once, with TLS if asked for."""
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if is_tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(connection)
    return connection


def server_context() -> ssl.SSLContext:
    """Return a TLS context with the lab's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    return context


def serve(port: str, handle: Callable[[socket.socket], object]) -> None:
    """Accept connections for ever, each handled in a thread of its own."""
    server = socket.create_server(("", int(port)))
    while True:
        peer, _ = server.accept()
        threading.Thread(target=_handle, args=(handle, peer), daemon=True).start()


def _handle(handle, peer):
    try:
        handle(peer)
    except OSError:
        peer.close()


def datagrams(port: str = "0") -> socket.socket:
    """Return a UDP socket bound to a port."""
    datagram_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagram_socket.bind(("", int(port)))
    return datagram_socket
