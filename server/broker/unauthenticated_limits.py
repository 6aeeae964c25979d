"""
Limits of connections that have not authenticated yet, from before their TLS handshake.

A stranger costs memory before it has shown a password. So only so many may wait at a time, of one network and in
all; a further one takes the place of the oldest one of the network that has most. Sensors authenticate within
seconds, idle strangers never do: they are the oldest, and sensors always get in.
"""

from collections.abc import Callable

MAX_STRANGERS = 200
MAX_PER_NETWORK = 100  # one address, or an IPv6 /64; an office may restart 100 sensors at once


class Strangers:
    """The connections that have not authenticated yet, by the network they come from."""

    def __init__(self, most: int = MAX_STRANGERS, most_per_network: int = MAX_PER_NETWORK):
        self._most = most
        self._most_per_network = most_per_network
        self._by_network: dict[str, dict[object, Callable[[], None]]] = {}  # oldest first
        self._count = 0
        self.dropped = 0

    def __len__(self) -> int:
        return self._count

    def add(self, network: str, key: object, drop: Callable[[], None]) -> None:
        """Note a new connection; call drop() of the one whose place it takes."""
        group = self._by_network.setdefault(network, {})
        if len(group) >= self._most_per_network:
            self._drop_oldest(network)
        elif self._count >= self._most:
            self._drop_oldest(max(self._by_network, key=lambda other: len(self._by_network[other])))
        self._by_network.setdefault(network, group)[key] = drop
        self._count += 1

    def remove(self, network: str, key: object) -> None:
        """Forget a connection: it has authenticated, or ended."""
        group = self._by_network.get(network, {})
        if group.pop(key, None) is not None:
            self._count -= 1
            if not group:
                del self._by_network[network]

    def _drop_oldest(self, network):
        key, drop = next(iter(self._by_network[network].items()))
        self.remove(network, key)
        self.dropped += 1
        drop()
