"""Nothing is sent into a private network, whatever resolves the name, and a slow receiver is cut off."""

import socket
import threading
import time

import pytest

from server.services.outside import channels, private_networks, webhooks

MESSAGE = channels.Message("Title", "Text", {})


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("fe80::1%eth0", False),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
    ],
)
def test_an_address_is_public_or_not_in_every_spelling(address, public):
    assert private_networks.is_public(address) is public


def test_a_connection_inside_is_refused_within_the_block_and_only_there(receiver):
    where = ("127.0.0.1", receiver.server_port)

    with private_networks.public_only(), pytest.raises(private_networks.NotPublic):
        socket.create_connection(where, 5)
    socket.create_connection(where, 5).close()


def test_a_name_that_answers_differently_the_second_time_leads_apprise_nowhere(receiver, monkeypatch):
    monkeypatch.setattr(webhooks, "addresses", lambda *_: ["93.184.215.14"])
    target = f"ntfy://127.0.0.1:{receiver.server_port}/topic"

    with pytest.raises(channels.CannotSend, match="did not take it"):
        channels.send("apprise", target, "", MESSAGE)
    assert receiver.requests == []
    receiver.answers = [200]
    channels.send("apprise", target, "", MESSAGE, private=True)
    assert len(receiver.requests) == 1


def test_apprise_follows_no_redirect(receiver):
    receiver.answers = [302, 302, 302]

    with pytest.raises(channels.CannotSend):
        channels.send("apprise", f"ntfy://127.0.0.1:{receiver.server_port}/topic", "", MESSAGE, private=True)
    assert "/elsewhere" not in [path for path, *_ in receiver.requests]


def test_an_answer_that_comes_byte_by_byte_is_cut_off(monkeypatch):
    monkeypatch.setattr(webhooks, "WHOLE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            connection, _ = server.accept()
            with connection:
                try:
                    for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.02)
                except OSError:
                    pass

        threading.Thread(target=drip, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(webhooks.CannotSend, match="no answer in time"):
            webhooks.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}, private=True)
        assert time.monotonic() - began < 20
