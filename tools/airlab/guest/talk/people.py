"""What people do with phones and computers: browse, watch, read files, type, send pictures, print, scan."""

import subprocess
import time

from tools.airlab.guest.talk.common import connect, noise, randomness, ticks

PIECE = 65536


def _get(url, *more):
    subprocess.run(["curl", "-s", "-o", "/dev/null", *more, url], check=False)


def browse(host: str, port: str = "80") -> None:
    """Pages of many small files, with pauses to read them."""
    while True:
        for _ in range(randomness.randint(4, 16)):
            size = min(int(randomness.lognormvariate(9.8, 1.1)), 900_000)
            _get(f"http://{host}:{port}/zero/{size}")
        time.sleep(randomness.uniform(2, 12))


def watch(host: str, port: str = "80", segment: str = "700000", every_s: str = "4") -> None:
    """Video that is watched: a segment every few seconds, the first four at once."""
    for count in ticks(1 / float(every_s)):
        for _ in range(4 if count == 0 else 1):
            size = int(int(segment) * randomness.uniform(0.7, 1.3))
            _get(f"http://{host}:{port}/zero/{size}")


def ranges(host: str, port: str = "80") -> None:
    """Reads from a file server: blocks of 64 KiB to 1 MiB in spells, with pauses."""
    while True:
        for _ in range(randomness.randint(2, 20)):
            first, size = randomness.randrange(10**8), randomness.choice((65536, 131072, 1048576))
            _get(f"http://{host}:{port}/zero/200000000", "-r", f"{first}-{first + size - 1}")
        time.sleep(randomness.uniform(0.5, 8))


def typing(*command: str) -> None:
    """Somebody types into a real program, an ssh session."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert process.stdin
    while True:
        for _ in range(randomness.randint(3, 30)):
            process.stdin.write(randomness.choice(b"abcdefghij klmnop").to_bytes(1, "big"))
            process.stdin.flush()
            time.sleep(randomness.lognormvariate(-1.8, 0.5))
        process.stdin.write(b"\nls -la /usr/bin | head -60\n" if randomness.random() < 0.5 else b"\n")
        process.stdin.flush()
        time.sleep(randomness.uniform(0.5, 6))


def phone_sync(host: str, port: str = "443") -> None:
    """A phone in a pocket: now and then a short TLS exchange, some of them uploads of a picture."""
    while True:
        size = randomness.choice((600, 1500, 4000, 30_000, 400_000))
        _post(host, port, size)
        time.sleep(randomness.expovariate(1 / 6))


def photos(host: str, port: str, low_bytes: str, high_bytes: str, low_s: str, high_s: str) -> None:
    """Pictures or short films that are backed up: one after the other by TLS, with pauses of low_s to high_s."""
    while True:
        _post(host, port, randomness.randint(int(low_bytes), int(high_bytes)))
        time.sleep(randomness.uniform(float(low_s), float(high_s)))


def paced_upload(host: str, port: str, kbps: str, piece: str, spread: str = "0.3") -> None:
    """A backup that limits its own rate: pieces by TLS with pauses between them."""
    connection = connect(host, port, True)
    pause_s = int(piece) * 8 / (float(kbps) * 1000)
    while True:
        connection.sendall(noise(int(piece)))
        time.sleep(pause_s * randomness.uniform(1 - float(spread), 1 + float(spread)))


def _post(host, port, size):
    try:
        with connect(host, port, True) as connection:
            connection.sendall(b"POST /s HTTP/1.1\r\nHost: lab\r\nContent-Length: %d\r\n\r\n" % size)
            rest = size
            while rest > 0:
                connection.sendall(noise(min(rest, PIECE)))
                rest -= PIECE
            connection.recv(4000)
    except OSError as error:  # out of reach for a moment
        print(error, flush=True)


def job(host: str, port: str, megabytes: str, pause_s: str) -> None:
    """A printer's job, scanned pages, a file that is sent: all at once, then a pause."""
    while True:
        with connect(host, port) as connection:
            for _ in range(max(1, int(float(megabytes) * 16))):
                connection.sendall(noise(PIECE))
        time.sleep(float(pause_s))


def scan_often(seconds: str, prefix: str = "") -> None:
    """Search for networks every few seconds; with a prefix under a new random address each time."""
    for count in ticks(1 / float(seconds)):
        subprocess.run(["iw", "dev", "w0", "scan", "flush"], stdout=subprocess.DEVNULL, check=False)
        if prefix:
            address = f"{prefix}:{count % 256:02x}"
            for words in (["down"], ["address", address], ["up"]):
                subprocess.run(["ip", "link", "set", "w0", *words], check=False)
