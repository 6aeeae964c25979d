"""The outbox never waits, and counts the items it drops."""

import asyncio

from firmware.network.outbox import Outbox


def test_the_oldest_is_dropped_and_counted():
    async def run():
        outbox = Outbox(2)
        for item in (1, 2, 3):
            outbox.put(item)
        return [await anext(outbox), await anext(outbox)], outbox.dropped

    assert asyncio.run(run()) == ([2, 3], 1)


def test_a_reader_waits_for_the_next_item():
    async def run():
        outbox = Outbox(2)
        reader = asyncio.create_task(anext(outbox))
        await asyncio.sleep(0)
        outbox.put("late")
        return await reader

    assert asyncio.run(run()) == "late"


def test_cleared_items_count_as_dropped():
    outbox = Outbox(4)
    outbox.put(1)
    outbox.put(2)

    outbox.clear()

    assert outbox.dropped == 2
