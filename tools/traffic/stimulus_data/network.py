"""
Send encoded streams in real time over shaped veth pairs, and record the packets.

Each stream gets a network namespace with one end of a veth pair, shaped by tc's token bucket like the
uplink of an access point. The other end stays in this namespace and is recorded through a packet socket:
time and IP length of each packet, never its content. Needs root.
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
from collections.abc import Callable, Sequence
from typing import Any

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


def transmit(jobs: Sequence[dict[str, Any]], seconds: int, advance: Callable[[int], object]) -> list[list[int]]:
    """
    Send jobs in parallel; return the bytes per 100 ms of each, in the lengths of 802.11 MPDUs.

    jobs     dicts: units [(at_s, bytes), ...], transport "udp" or "tcp", kbit the shaped rate
    advance  called with each whole second that has passed

    Raises ToolError.
    """
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
        raise ToolError("sending needs root and the programs ip and tc (Debian: apt install iproute2)")
    namespaces, senders, receivers, sockets = [], [], [], []
    selector = selectors.DefaultSelector()
    series = [[0] * round(seconds / BIN_S) for _ in jobs]
    try:
        for number, job in enumerate(jobs):
            namespaces.append(_create_pair(number, job["kbit"]))
            receivers.append(_start_receiver(number, job["transport"]))
            packet_socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
            sockets.append(packet_socket)
            packet_socket.bind((f"ansim{number}", 0))
            packet_socket.setblocking(False)
            selector.register(packet_socket, selectors.EVENT_READ, number)
        begin_s = time.monotonic() + 2
        for number, job in enumerate(jobs):
            senders.append(_start_sender(number, job, begin_s))
        _record(selector, begin_s, seconds, series, advance)
    finally:
        for sender in senders:
            sender.terminate()
            sender.wait()
        for packet_socket in sockets:
            packet_socket.close()
        for receiver in receivers:
            receiver.terminate()
            receiver.wait()
        for namespace in namespaces:
            subprocess.run(["ip", "netns", "del", namespace], check=False)
    return series


def _create_pair(number, kbit):
    """Create a namespace with a shaped veth pair; return its name."""
    namespace, near_end, far_end = f"ansim{number}", f"ansim{number}", f"ansimb{number}"
    inside = ["ip", "netns", "exec", namespace]
    shape = ["rate", f"{kbit}kbit", "burst", "6kb", "latency", "400ms"]
    for command in (
        ["ip", "netns", "add", namespace],
        ["ip", "link", "add", near_end, "type", "veth", "peer", "name", far_end, "netns", namespace],
        # Without this TCP passes on segments of 64 kB, which no real link carries.
        ["ip", "link", "set", near_end, "gso_max_segs", "1", "gro_max_size", "1500"],
        [*inside, "ip", "link", "set", far_end, "gso_max_segs", "1"],
        ["ip", "addr", "add", f"10.214.{number}.1/24", "dev", near_end],
        [*inside, "ip", "addr", "add", f"10.214.{number}.2/24", "dev", far_end],
        ["ip", "link", "set", near_end, "up"],
        [*inside, "ip", "link", "set", far_end, "up"],
        [*inside, "tc", "qdisc", "add", "dev", far_end, "root", "tbf", *shape],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ToolError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return namespace


def _start_receiver(number, transport):
    """Start a process that receives the data, so that TCP flows."""
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


def _start_sender(number, job, begin_s):
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
    assert sender.stdin
    sender.stdin.write(json.dumps(plan))
    sender.stdin.close()
    return sender


def _record(selector, begin_s, seconds, series, advance):
    reported = -1
    while (now_s := time.monotonic()) < begin_s + seconds:
        if int(now_s - begin_s) > reported:
            reported = int(now_s - begin_s)
            advance(reported)
        for key, _ in selector.select(0.2):
            while True:
                try:
                    frame, (_, _, direction, *_) = key.fileobj.recvfrom(2048)
                except BlockingIOError:
                    break
                bin_index = int((time.monotonic() - begin_s) / BIN_S)
                if direction == socket.PACKET_HOST and 0 <= bin_index < len(series[key.data]):
                    length = struct.unpack_from(">H", frame, ETHERNET_BYTES + 2)[0]
                    series[key.data][bin_index] += length + MPDU_EXTRA_BYTES
