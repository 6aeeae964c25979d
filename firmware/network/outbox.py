"""A bounded queue between two tasks that counts the items it drops."""

import asyncio
from collections import deque


class Outbox:
    """
    One task calls put(), another reads with `async for item in outbox`.

    put() never waits, so a slow network cannot stop the radio.

    size     items at most
    dropped  how many items were dropped; the info message reports it
    """

    def __init__(self, size: int):
        self.dropped = 0
        self._size = size
        self._items = deque((), size)  # a full deque discards its oldest item
        self._filled = asyncio.Event()

    def put(self, item) -> None:
        """Add an item; the oldest is dropped if there is no room."""
        if len(self._items) == self._size:
            self.dropped += 1
        self._items.append(item)
        self._filled.set()

    def clear(self) -> None:
        """Drop all items."""
        while self._items:
            self._items.popleft()
            self.dropped += 1

    def __aiter__(self):
        return self

    async def __anext__(self):
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        return self._items.popleft()
