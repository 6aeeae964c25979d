"""Appliances: hubs, plugs, microphones, speakers, assistants, machines that are polled."""

import socket
import subprocess
import time

from tools.airlab.guest.talk.common import connect, noise, randomness, sleep_until, ticks

MDNS, SSDP = ("224.0.0.251", 5353), ("239.255.255.250", 1900)


def bursts(host: str, port: str, low_s: str, high_s: str, fewest: str, most: str, low: str, high: str) -> None:
    """A hub or bridge: after pauses of low_s to high_s a burst of fewest to most messages of low to high bytes."""
    connection = connect(host, port)
    while True:
        for _ in range(randomness.randint(int(fewest), int(most))):
            connection.sendall(noise(randomness.randint(int(low), int(high))))
            time.sleep(randomness.expovariate(300))
        time.sleep(randomness.uniform(float(low_s), float(high_s)))


def stream_up(host: str, port: str, kbps: str, piece: str) -> None:
    """Steady sound or data upward by TCP, piece bytes at a time."""
    connection = connect(host, port)
    for _ in ticks(float(kbps) * 125 / int(piece)):
        connection.sendall(noise(int(piece)))


def udp_stream(host: str, port: str, rate: str, low: str, high: str) -> None:
    """So many datagrams a second of low to high bytes: sound, games, measurements."""
    socket_ = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    begun_s, count = time.monotonic(), 0
    while True:
        socket_.sendto(noise(randomness.randint(int(low), int(high))), (host, int(port)))
        count += 1
        sleep_until(begun_s + count / float(rate) * randomness.uniform(0.999, 1.001))


def mqtt(host: str, every_s: str, low: str = "60", high: str = "300", burst: str = "1") -> None:
    """Telemetry through mosquitto_pub; every twelfth time `burst` messages at once."""
    publisher = subprocess.Popen(
        ["mosquitto_pub", "-h", host, "-t", "home/1/state", "-q", "1", "-l"], stdin=subprocess.PIPE, text=True
    )
    assert publisher.stdin
    count = 0
    while True:
        count += 1
        for _ in range(int(burst) if count % 12 == 0 else 1):
            publisher.stdin.write("x" * randomness.randint(int(low), int(high)) + "\n")
        publisher.stdin.flush()
        time.sleep(float(every_s) * randomness.uniform(0.97, 1.03))


def poll(host: str, port: str, rate: str, request: str) -> None:
    """A controller that polls a machine by TCP: small requests, small answers, many times a second."""
    connection = connect(host, port)
    for _ in ticks(float(rate)):
        connection.sendall(noise(int(request)))
        connection.recv(2000)


def assistant(host: str, port: str, low_s: str, high_s: str, answer_port: str = "80") -> None:
    """A voice assistant: after a pause three to six seconds of sound upward, then an answer downward."""
    while True:
        time.sleep(randomness.uniform(float(low_s), float(high_s)))
        connection = connect(host, port, True)
        for _ in range(randomness.randint(30, 60)):
            connection.sendall(noise(randomness.randint(2800, 3600)))
            time.sleep(0.1)
        connection.close()
        size = randomness.randint(30_000, 200_000)
        subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://{host}:{answer_port}/zero/{size}"], check=False)


def syslog(host: str, rate: str) -> None:
    """Lines of diagnostic output by UDP, now and then many at once."""
    socket_ = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while True:
        for _ in range(1 if randomness.random() < 0.95 else randomness.randint(10, 60)):
            socket_.sendto(b"<13>" + b"l" * randomness.randint(60, 300), (host, 514))
        time.sleep(randomness.expovariate(float(rate)))


def chatter() -> None:
    """mDNS and SSDP, of which houses are full."""
    socket_ = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    socket_.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
    while True:
        for _ in range(randomness.randint(1, 4)):
            socket_.sendto(noise(randomness.randint(40, 420)), MDNS)
        if randomness.random() < 0.4:
            for _ in range(randomness.randint(3, 9)):
                socket_.sendto(noise(randomness.randint(130, 450)), SSDP)
                time.sleep(0.1)
        time.sleep(randomness.expovariate(1 / 3))
