"""
Runs on MicroPython (see test_mqtt.py): one action with one connection.

    micropython mqtt_on_micropython.py FILE      {"port": 1883, "what": "echo", ...}

Prints JSON: {"answer": ...} or {"error": the BrokerError's line}, and how much heap was used.
"""

import asyncio
import gc
import json
import sys
import time

from firmware.network import mqtt


async def echo(client, given):
    """Subscribe, publish messages of the given sizes and say what comes back."""
    await client.subscribe("t/echo", given.get("qos", 1))
    came = []
    for size in given["sizes"]:
        await client.publish("t/echo", b"x" * size, qos=given.get("qos", 1))
        if size <= mqtt.MAX_RECEIVED_BYTES - 100:
            topic, payload = await client.receive()
            came.append([topic, len(payload)])
    return {"came": came}


async def retained(client, given):
    await client.publish("t/kept", b"kept", qos=1, retain=True)
    await client.subscribe("t/kept")
    return (await client.receive())[1].decode()


async def flood(client, given):
    """Let messages come without taking any."""
    await client.subscribe("t/flood")
    for index in range(given["messages"]):
        await client.publish("t/flood", b"%6d" % index + b"x" * given["size"], qos=1, wait=False)
    while not client.pending or int(client._messages[-1][1][:6]) < given["messages"] - 1:
        await asyncio.sleep_ms(20)
    waiting = []
    while client.pending:  # no comprehension: MicroPython has no await in one
        waiting.append(int((await client.receive())[1][:6]))
    return {"waiting": waiting}


async def rate(client, given):
    began = time.ticks_ms()
    for index in range(given["messages"]):
        await client.publish("t/rate", b"x" * 600, qos=1, wait=index == given["messages"] - 1)
    return given["messages"] * 1000 // max(1, time.ticks_diff(time.ticks_ms(), began))


async def vanish(client, given):
    """Say that we are there, then let the test kill us."""
    print(json.dumps({"connected": True}))
    await asyncio.sleep(given.get("seconds", 30))


async def wait_for_the_end(client, given):
    """Wait until the connection breaks; publish something if asked, so that an answer is due."""
    print(json.dumps({"connected": True}))
    began = time.ticks_ms()
    try:
        if given.get("publish"):
            await asyncio.sleep(0.3)
            await client.publish("t/x", b"x", qos=1)
        if given.get("fill"):
            await asyncio.sleep(0.3)
            while True:
                await client.publish("t/x", b"x" * 20000)
        await client.receive()
    except mqtt.BrokerError as error:
        return {"problem": str(error), "ms": time.ticks_diff(time.ticks_ms(), began)}


async def main():
    with open(sys.argv[1]) as file:
        given = json.load(file)
    scenario = globals()[given["what"]]
    gc.collect()
    before = gc.mem_alloc()
    tls = None
    if "ca" in given:
        tls = mqtt.tls_context(given["ca"], given.get("client_cert", ""), given.get("client_key", ""))
    will = ("t/will", b"gone") if given.get("will") else None
    timing = (given.get("keepalive_s", 60), given.get("answer_s", 10), given.get("connect_s", 10))
    client = mqtt.Client(given.get("id", "c1"), given.get("user", "u"), given.get("password", "p"), will, *timing)
    told = {}
    try:
        await client.connect(given.get("host", "127.0.0.1"), given["port"], tls)
        gc.collect()
        told["connected_bytes"] = gc.mem_alloc() - before
        told["answer"] = await scenario(client, given)
    except mqtt.BrokerError as error:
        told["error"] = str(error)
    await client.disconnect()
    print(json.dumps(told))


asyncio.run(main())
