"""The web server survives slow clients, many connections, and works with IPv6."""

import contextlib
import http.client
import re
import socket
import sys
import threading
import time
import urllib.request
from typing import NamedTuple

import pytest

from server import addresses, create_app, front, migrations
from server.config import Settings
from tests.support.ports import free_port
from tests.support.server_kit import Process, is_open
from tests.support.waiting import PATIENCE, wait_for

HALF_HEAD = b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
HALF_BODY = b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
HALF_BODY += b"Content-Length: 1000\r\n\r\nlogin="


class Web(NamedTuple):
    """A running web server."""

    process: Process
    port: int


@pytest.fixture
def web(tmp_path):
    """The web server as tools/run.py starts it."""
    migrations.upgrade(Settings(data=tmp_path))
    port = free_port()
    process = Process(
        [sys.executable, "-m", "server.front"], tmp_path / "web.log", ANSIM_DATA=str(tmp_path), ANSIM_PORT=str(port)
    )
    process.start()
    wait_for(lambda: is_open(port), 30)
    yield Web(process, port)
    process.end()


def ask(port, path="/healthz", host="127.0.0.1"):
    """Return (status, seconds) of a request."""
    began = time.monotonic()
    connection = http.client.HTTPConnection(host, port, timeout=20 * PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, time.monotonic() - began


def dial(port, data=b""):
    client = socket.create_connection(("127.0.0.1", port), 10)
    client.sendall(data)
    return client


@pytest.mark.parametrize("half", [b"", HALF_HEAD, HALF_BODY], ids=["nothing", "head", "body"])
def test_200_slow_clients_do_not_delay_the_health_check(web, half):
    ask(web.port)
    slow = [dial(web.port, half) for _ in range(200)]
    try:
        for _ in range(5):
            status, took_s = ask(web.port)
            assert status == 200 and took_s < 1
            for client in slow:
                with contextlib.suppress(OSError):
                    client.sendall(b"x" if half else b"")
    finally:
        for client in slow:
            client.close()


def test_of_one_address_the_connection_that_waits_longest_makes_room(web):
    idle = [dial(web.port) for _ in range(front.MAX_PER_NETWORK + 50)]

    assert ask(web.port)[0] == 200
    idle[0].settimeout(5)
    assert idle[0].recv(1) == b""
    for client in idle:
        client.close()


def test_it_stops_when_told_and_says_why_it_cannot_start(web, tmp_path):
    second = Process(
        [sys.executable, "-m", "server.front"],
        tmp_path / "second.log",
        ANSIM_DATA=str(tmp_path),
        ANSIM_PORT=str(web.port),
    ).start()
    wait_for(lambda: second.status is not None)
    assert second.status == 1 and "error: cannot listen" in second.output and "Traceback" not in second.output

    assert web.process.stop() == 0


@pytest.fixture
def serve():
    """A function that serves an application in a thread, and returns the port."""
    servers = []

    def start(application, host="127.0.0.1"):
        listening = addresses.listen(host, 0)
        server = front.make_server(application, listening)
        threading.Thread(target=server.run, daemon=True).start()
        servers.append(server)
        return listening.getsockname()[1]

    yield start
    for server in servers:
        server.task_dispatcher.shutdown()


def echo(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{len(body)} {environ['REMOTE_ADDR']} {environ.get('HTTP_X_FORWARDED_FOR')}".encode()]


def ends_after_s(client):
    began = time.monotonic()
    client.settimeout(20 * PATIENCE)
    with contextlib.suppress(ConnectionError):
        while client.recv(65536):
            pass
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("limit", "data"),
    [("IDLE_S", b""), ("HEAD_WITHIN_S", HALF_HEAD), ("BODY_WITHIN_S", HALF_BODY)],
)
def test_each_part_of_a_request_has_a_deadline(serve, monkeypatch, limit, data):
    monkeypatch.setattr(front, limit, 1)
    port = serve(echo)

    assert ends_after_s(dial(port, data)) >= 0.9


def test_bytes_that_drip_do_not_prolong_it(serve, monkeypatch):
    monkeypatch.setattr(front, "HEAD_WITHIN_S", 1)
    client, began = dial(serve(echo), HALF_HEAD), time.monotonic()

    with contextlib.suppress(OSError):
        while time.monotonic() - began < 10 * PATIENCE:
            client.sendall(b"x")
            time.sleep(0.1)

    assert time.monotonic() - began < 10 * PATIENCE


def test_a_client_that_does_not_read_its_answer_is_ended(serve, monkeypatch):
    monkeypatch.setattr(front, "UNREAD_S", 1)

    def large(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [bytes(64 << 20)]

    port = serve(large)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(4)

    got = 0
    with contextlib.suppress(ConnectionError):
        while part := client.recv(1 << 20):
            got += len(part)
    assert got < 64 << 20


def test_a_body_that_is_too_large_is_refused_before_it_is_read(serve):
    client = dial(serve(echo), b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")

    assert client.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("listens", "reached", "address"),
    [("::1", "::1", "::1"), ("[::]", "::1", "::1"), ("[::]", "127.0.0.1", "127.0.0.1")],
)
def test_it_serves_ipv6_and_names_ipv4_clients_as_such(serve, listens, reached, address):
    port = serve(echo, listens)
    request = urllib.request.Request(
        f"http://{addresses.in_url(reached)}:{port}/", headers={"X-Forwarded-For": "192.0.2.1"}
    )

    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.read().decode() == f"0 {address} None"


def test_a_half_sent_request_to_every_route_keeps_nobody_waiting(web, tmp_path):
    """Whatever the route: the body is read before the application has anything to do with it."""
    rules = [
        rule for rule in create_app(Settings(data=tmp_path)).url_map.iter_rules() if "POST" in (rule.methods or ())
    ]
    assert len(rules) > 60
    slow = []
    for rule in rules:
        path = re.sub(r"<[^>]*>", "1", rule.rule)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        slow.append(dial(web.port, head.encode() + b"Content-Length: 1000\r\n\r\nnote="))
    try:
        for _ in range(5):
            status, took_s = ask(web.port)
            assert status == 200 and took_s < 1
            for client in slow:
                client.sendall(b"x")
        for client in slow:  # none has got an answer
            client.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.recv(1)
    finally:
        for client in slow:
            client.close()


@pytest.mark.parametrize("target", [b"/login?next=\x8b\xff", b"//\x81", b"/api/v1/restrooms?search=\x8b", b"/r/\xff"])
def test_bytes_that_are_no_text_in_an_address_are_no_error_of_the_server(web, target):
    with dial(web.port, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as client:
        client.settimeout(20 * PATIENCE)
        status = client.recv(1 << 16).split()[1]

    assert status in (b"200", b"302", b"308", b"400", b"401", b"404"), status
