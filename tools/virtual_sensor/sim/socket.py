"""
`socket` of an ESP32: the computer's sockets, with the chip's resolver.

Resolving a name blocks all tasks, for /.world/dns_ms (100 ms without the file; ten seconds and more where no server
answers). It fails with lwIP's number without a network and while /.world/no_dns exists.
"""

import _simulation
from usocket import *  # noqa: F403
from usocket import getaddrinfo as _getaddrinfo

_EAI_FAIL = -202


def getaddrinfo(_host, _port, *arguments):
    if not _host.replace(".", "").isdigit():
        _simulation.wait_us(int(_simulation.load("dns_ms", "100")) * 1000)
        if not _simulation.has_network or _simulation.exists("no_dns"):
            raise OSError(_EAI_FAIL)
    return _getaddrinfo(_host, _port, *arguments)
