"""
The web server: waitress with deadlines and limits by address.

    python -m server.front

waitress reads whole requests in one thread that never waits for a client, and gives them to its worker threads only
then. So half-sent requests cost a socket and no thread; with threads that read (gunicorn's gthread), eight of them
block the site. What waitress lacks is here: a deadline for each part of a request, and limits of connections. Times
are of the monotonic clock; waitress's own timeout follows the clock of the machine and is switched off.
"""

import contextlib
import logging
import signal
import socket
import sys
import time
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from server import addresses, config, create_app, logging_setup, vault
from server.config import Settings

THREADS = 8  # pages wait for the database, not for the processor
HEAD_WITHIN_S = 15  # from the first byte of a request, or the begin of a connection, to the end of the header
BODY_WITHIN_S = 30  # for the body, and in addition ...
BODY_BYTES_PER_S = 50_000  # ... its length at this rate: a photo from a phone with a bad connection
IDLE_S = 30  # between two requests of a connection
UNREAD_S = 60  # a client that takes nothing of its answer for so long
MAX_BODY_BYTES = 17 << 20  # the application's limit for photos is 16 MB
MAX_HEAD_BYTES = 32 << 10
MAX_CONNECTIONS = 1000
MAX_PER_NETWORK = 250  # of one address or IPv6 /64: an office with a hundred users has about so many
_WATCH_EVERY_S = 1
_NEVER_S = 10**10


class _Channel(HTTPChannel):
    """A connection that knows since when its client is awaited."""

    def __init__(self, *args: Any, **kwargs: Any):
        self.since = time.monotonic()  # the connection began, or its last answer ended
        self.began: float | None = None  # the first byte of a request that is not complete came
        self.moved = self.since  # bytes were written
        super().__init__(*args, **kwargs)

    def received(self, data: bytes) -> bool:
        result = super().received(data)
        if self.request is None:
            self.began = None
        elif self.began is None:
            self.began = time.monotonic()
        return result

    def service(self) -> None:
        super().service()
        self.since = self.moved = time.monotonic()

    def _flush_some(self, do_close: bool = True) -> bool:
        has_sent = super()._flush_some(do_close=do_close)  # pyright: ignore[reportAttributeAccessIssue]
        if has_sent:
            self.since = self.moved = time.monotonic()
        return has_sent

    def is_waiting(self) -> bool:
        """Return True if the client, and not the application, has to do something."""
        return not self.requests

    def is_late(self, now: float) -> bool:
        """Return True if the client has kept the server waiting for too long."""
        if self.total_outbufs_len:
            return now - self.moved > UNREAD_S
        if not self.is_waiting():
            return False
        if self.began is None:
            return now - self.since > IDLE_S
        request = self.request
        if request is None or not request.headers_finished:
            return now - self.began > HEAD_WITHIN_S
        return now - self.began > BODY_WITHIN_S + (request.content_length or MAX_BODY_BYTES) / BODY_BYTES_PER_S

    def hang_up(self) -> None:
        """End the connection; the loop then closes it, also if the client reads nothing."""
        with contextlib.suppress(OSError):
            if self.socket is not None:
                self.socket.shutdown(socket.SHUT_RDWR)
        self.will_close = True


class _Server(TcpWSGIServer):
    """waitress's server, which ends connections of late clients and of networks that have too many."""

    channel_class = _Channel
    watched = 0.0
    active_channels: dict[int, _Channel]  # pyright: ignore[reportIncompatibleVariableOverride]  # waitress has no types

    def fix_addr(self, addr):
        # IPv4 clients of a dual-stack socket have addresses such as ::ffff:192.0.2.1.
        return (addr[0].removeprefix("::ffff:") if "." in addr[0] else addr[0], *addr[1:])

    def handle_accept(self) -> None:
        before = len(self.active_channels)
        super().handle_accept()
        if len(self.active_channels) > before:
            self._make_room(next(reversed(self.active_channels.values())))

    def _make_room(self, newest):
        """End a connection of the network of the newest one if it has too many, or one of the network with most."""
        open_ones = [channel for channel in self.active_channels.values() if not channel.will_close]
        by_network: dict[str, list[_Channel]] = {}
        for channel in open_ones:
            by_network.setdefault(addresses.network_of(channel.addr[0]), []).append(channel)
        group = by_network.get(addresses.network_of(newest.addr[0]), [])
        if len(group) <= MAX_PER_NETWORK:
            if len(open_ones) <= MAX_CONNECTIONS:
                return
            group = max(by_network.values(), key=len)
        waiting = [channel for channel in group if channel.is_waiting() and channel is not newest]
        min(waiting, key=lambda channel: channel.since, default=newest).hang_up()

    def readable(self) -> bool:
        now = time.monotonic()
        if now - self.watched >= _WATCH_EVERY_S:
            self.watched = now
            for channel in list(self.active_channels.values()):
                if not channel.will_close and channel.is_late(now):
                    channel.hang_up()
        return super().readable()


def make_server(application: Any, listening: socket.socket, trust_proxies: bool = False) -> TcpWSGIServer:
    """Return a server for a WSGI application that listens on this socket; call its run()."""
    limits = Adjustments(
        sockets=[listening],
        threads=THREADS,
        ident=None,
        connection_limit=MAX_CONNECTIONS + 100,  # never reached: waitress would stop accepting
        channel_timeout=_NEVER_S,
        max_request_body_size=MAX_BODY_BYTES,
        max_request_header_size=MAX_HEAD_BYTES,
        inbuf_overflow=64 << 10,  # longer bodies are kept in a file
        asyncore_use_poll=True,  # select() knows file numbers up to 1,023 only
        clear_untrusted_proxy_headers=not trust_proxies,  # else werkzeug's ProxyFix reads them
    )
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(THREADS)
    address = (listening.family, listening.type, listening.proto, listening.getsockname())
    return _Server(
        application, {}, True, listening, dispatcher=dispatcher, adj=limits, bind_socket=False, sockinfo=address
    )


def run(settings: Settings) -> None:
    """Serve until interrupted. Raises OSError if the address cannot be used."""
    config.make_files_private()
    logging_setup.configure(settings.log_format)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each request that waits for a thread
    application = create_app(settings)
    vault.check(settings, application.extensions["sessions"])
    server = make_server(application, addresses.listen(settings.host, settings.port), settings.proxies > 0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server.run()


if __name__ == "__main__":
    try:
        run(config.from_environment())
    except config.BadSettings as error:
        sys.exit(f"error: the settings are not usable:\n{error}")
    except OSError as error:
        sys.exit(f"error: cannot listen ({error.strerror}); set ANSIM_HOST and ANSIM_PORT to a free address")
