"""Listeners: a web server, sinks, echoes, and servers that send."""

import http.server
import socketserver
import ssl
import time

from tools.airlab.guest.talk.common import datagrams, noise, randomness, serve, server_context, sleep_until

PIECE = 65536
BUFFER_S = 5  # of a player, filled at once


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /zero/SIZE returns bytes, also in ranges; PUT and POST take anything."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size, first, status = int(self.path.split("?")[0].split("/")[2]), 0, 200
        if "Range" in self.headers:
            start, end = self.headers["Range"].split("=")[1].split("-")
            first, status = int(start), 206
            size = (int(end) if end else size - 1) - first + 1
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        while size > 0:
            size -= self.wfile.write(noise(min(size, PIECE)))

    def do_PUT(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline().strip() or b"0", 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_DELETE = do_PUT  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep the log for problems."""


class _Server(http.server.ThreadingHTTPServer):
    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # http.server's own asks DNS for a name
        self.server_name, self.server_port = "lab", self.server_address[1]


def web(port: str = "80", tls: str = "") -> None:
    """A web server, with TLS if `tls` is given."""
    server = _Server(("", int(port)), Handler)
    if tls:
        server.socket = server_context().wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def sink(port: str, tls: str = "") -> None:
    """Take whatever comes by TCP."""
    context = server_context() if tls else None

    def handle(peer):
        try:
            connection = context.wrap_socket(peer, server_side=True) if context else peer
            while connection.recv(PIECE):
                pass
        except (ConnectionError, ssl.SSLError):
            pass

    serve(port, handle)


def tcp_echo(port: str) -> None:
    """Answer every request of a TCP client with as many bytes."""

    def handle(peer):
        while data := peer.recv(PIECE):
            peer.sendall(data)

    serve(port, handle)


def stream_down(port: str, kbps: str, piece: str) -> None:
    """Send a stream to whoever connects; the first seconds at once, into the player's buffer."""

    def handle(peer):
        peer.recv(PIECE)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n")
        begun_s, sent = time.monotonic() - BUFFER_S, 0
        while True:
            peer.sendall(noise(int(piece)))
            sent += int(piece)
            sleep_until(begun_s + sent * 8 / (float(kbps) * 1000))

    serve(port, handle)


def udp_sink(port: str) -> None:
    """Take whatever comes by UDP."""
    socket_ = datagrams(port)
    while True:
        socket_.recv(PIECE)


def udp_echo(port: str) -> None:
    """Return every datagram to its sender."""
    socket_ = datagrams(port)
    while True:
        data, peer = socket_.recvfrom(PIECE)
        socket_.sendto(data, peer)


def udp_server(port: str, rate: str, low: str, high: str) -> None:
    """A game server: once spoken to it answers at its own rate, low to high bytes at a time."""
    socket_ = datagrams(port)
    _, peer = socket_.recvfrom(PIECE)
    begun_s, count = time.monotonic(), 0
    while True:
        socket_.sendto(noise(randomness.randint(int(low), int(high))), peer)
        count += 1
        sleep_until(begun_s + count / float(rate))
