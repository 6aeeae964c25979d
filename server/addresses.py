"""IP addresses, as limits count them."""

import ipaddress
import socket


def network_of(address: str) -> str:
    """
    Return the network that a limit by address counts: an IPv4 address itself, of an IPv6 address its /64.

    One customer has at least a /64 (RFC 6177), so every connection could come from an address of its own.
    A text that is no address is returned as it is.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False))


def in_url(host: str) -> str:
    """Return a host as it is written in a URL or bind address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def listen(host: str, port: int, backlog: int = 512) -> socket.socket:
    """
    Return a listening socket for a host name or an address, with or without brackets; "::" is IPv4 too.

    Raises OSError if the address cannot be used.
    """
    host = host.removeprefix("[").removesuffix("]")
    info = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = info[0]
    dual = family == socket.AF_INET6 and host in ("::", "") and socket.has_dualstack_ipv6()
    return socket.create_server(address[:2], family=family, backlog=backlog, dualstack_ipv6=dual)


def is_loopback(host: str) -> bool:
    """Return True for this machine itself: "localhost", 127.0.0.0/8, ::1 (also as ::ffff:127.0.0.1)."""
    if host == "localhost":
        return True
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback
