"""
Send encoded streams in real time over shaped veth pairs, and record what crosses them.

Each stream gets a network namespace of its own with one end of a veth pair, shaped by tc's
token bucket as an access point's uplink would be; the other end stays here and is recorded
through a packet socket: time and IP length of each packet, never its content. Needs root.
"""

import json
import os
import selectors
import shutil
import socket
import struct
import subprocess
import sys
import time

from tools.lib.errors import ToolError

BIN_S = 0.1
MPDU_EXTRA_BYTES = 54  # from IP length to 802.11 MPDU: 24 + 2 + 8 CCMP + 8 LLC/SNAP + 8 MIC + 4 FCS
ETHERNET_BYTES = 14
DATAGRAM_BYTES = 1200
PORT = 5004

SENDER = """
import json, socket, sys, time
plan = json.load(sys.stdin)
kind = socket.SOCK_STREAM if plan["transport"] == "tcp" else socket.SOCK_DGRAM
link = socket.socket(socket.AF_INET, kind)
link.connect((plan["to"], plan["port"]))
for at_s, size in plan["units"]:
    time.sleep(max(0, plan["begin_s"] + at_s - time.monotonic()))
    if kind == socket.SOCK_STREAM:
        link.sendall(bytes(size))
    else:
        for start in range(0, size, plan["datagram"]):
            link.send(bytes(min(plan["datagram"], size - start)))
"""


def transmit(jobs: list, seconds: int, tell) -> list:
    """
    Send jobs side by side; return for each its bytes per 100 ms, as 802.11 MPDUs would have them.

    jobs  dicts: units [(at_s, bytes), ...], transport "udp" or "tcp", kbit the shaped rate
    tell  called with each whole second that has passed
    """
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
        raise ToolError("sending needs root and the programs ip and tc (Debian: apt install iproute2)")
    pairs, senders, sinks = [], [], []
    chooser = selectors.DefaultSelector()
    series = [[0] * round(seconds / BIN_S) for _ in jobs]
    try:
        for number, job in enumerate(jobs):
            pairs.append(_make_pair(number, job["kbit"]))
            sinks.append(_sink(number, job["transport"]))
            ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
            ear.bind((f"ansim{number}", 0))
            ear.setblocking(False)
            chooser.register(ear, selectors.EVENT_READ, number)
        begin_s = time.monotonic() + 2
        for number, job in enumerate(jobs):
            senders.append(_sender(number, job, begin_s))
        _record(chooser, begin_s, seconds, series, tell)
    finally:
        for sender in senders:
            sender.terminate()
            sender.wait()
        for key in list(chooser.get_map().values()):
            key.fileobj.close()
        for sink in sinks:
            sink.terminate()
            sink.wait()
        for namespace in pairs:
            subprocess.run(["ip", "netns", "del", namespace], check=False)
    return series


def _make_pair(number, kbit):
    namespace, here, there = f"ansim{number}", f"ansim{number}", f"ansimb{number}"
    inside = ["ip", "netns", "exec", namespace]
    shape = ["rate", f"{kbit}kbit", "burst", "6kb", "latency", "400ms"]
    for command in (
        ["ip", "netns", "add", namespace],
        ["ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", namespace],
        # Otherwise TCP hands over bundles of 64 kB that never cross a real link.
        ["ip", "link", "set", here, "gso_max_segs", "1", "gro_max_size", "1500"],
        [*inside, "ip", "link", "set", there, "gso_max_segs", "1"],
        ["ip", "addr", "add", f"10.214.{number}.1/24", "dev", here],
        [*inside, "ip", "addr", "add", f"10.214.{number}.2/24", "dev", there],
        ["ip", "link", "set", here, "up"],
        [*inside, "ip", "link", "set", there, "up"],
        [*inside, "tc", "qdisc", "add", "dev", there, "root", "tbf", *shape],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return namespace


def _sink(number, transport):
    """Start a process that takes what arrives, so that TCP flows."""
    code = (
        "import socket\n"
        f"s = socket.socket(socket.AF_INET, socket.SOCK_{'STREAM' if transport == 'tcp' else 'DGRAM'})\n"
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
        f"s.bind(('10.214.{number}.1', {PORT}))\n"
        + (
            "s.listen()\ns = s.accept()[0]\nwhile s.recv(65536): pass"
            if transport == "tcp"
            else "while True: s.recv(2048)"
        )
    )
    return subprocess.Popen([sys.executable, "-c", code])


def _sender(number, job, begin_s):
    plan = {
        "to": f"10.214.{number}.1",
        "port": PORT,
        "transport": job["transport"],
        "datagram": DATAGRAM_BYTES,
        "begin_s": begin_s,
        "units": job["units"],
    }
    command = ["ip", "netns", "exec", f"ansim{number}", sys.executable, "-c", SENDER]
    sender = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
    sender.stdin.write(json.dumps(plan))
    sender.stdin.close()
    return sender


def _record(chooser, begin_s, seconds, series, tell):
    told = -1
    while (now_s := time.monotonic()) < begin_s + seconds:
        if int(now_s - begin_s) > told:
            told = int(now_s - begin_s)
            tell(told)
        for key, _ in chooser.select(0.2):
            while True:
                try:
                    frame, (_, _, direction, *_) = key.fileobj.recvfrom(2048)
                except BlockingIOError:
                    break
                place = int((time.monotonic() - begin_s) / BIN_S)
                if direction == socket.PACKET_HOST and 0 <= place < len(series[key.data]):
                    length = struct.unpack_from(">H", frame, ETHERNET_BYTES + 2)[0]
                    series[key.data][place] += length + MPDU_EXTRA_BYTES
