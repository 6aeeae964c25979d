"""Ports for tests that run side by side."""

import os
import random
import socket

# Below the range from which the kernel takes ports of outgoing connections (32768 on Linux): a broker that is
# stopped finds its port free when it starts again.
FIRST, LAST = 10_000, 32_000

_random = random.Random(os.urandom(8))
_taken: set[int] = set()


def free_port() -> int:
    """Return a port of this machine on which nothing listens; never the same one twice in a process."""
    for _ in range(1000):
        port = _random.randrange(FIRST, LAST)
        if port not in _taken and _is_free(port):
            _taken.add(port)
            return port
    raise AssertionError("no free port")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
