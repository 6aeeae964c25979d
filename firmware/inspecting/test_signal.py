"""
The test signal: traffic shaped like a small camera's, sent for another sensor under test.

    test_signal = TestSignal(wlan, uplink, clock)
    print(test_signal.address)              # the address that the sensor under test must find
    await test_signal.run(600, feed)        # joins a network of the settings, sends, leaves

At the board's prompt, until Ctrl-C, with any network and no settings:

    >>> from firmware.inspecting.test_signal import main; main("ssid", "password")

UDP packets go to the access point's own address, port 9 (discard), so no answer is needed. Sizes and
times follow the "camera_pppp" pattern in tools/traffic/patterns.py: 15 frames a second, a key frame six
times as large every two seconds, packets of at most 1,060 bytes, 0.6 ms apart. They contain no picture.
"""

import asyncio
import random
import time

KBPS = 500
FPS = 15
GOP = 30  # frames from one key frame to the next
KEY_RATIO = 6
MTU = 1060  # longest IP packet
HEADERS = 28  # IP and UDP
DISCARD_PORT = 9
JOIN_MS = 20_000
RETRY_MS = 5  # wait while the radio's buffers are full, then send the packet again


def frame_sizes(kbps: int = KBPS):
    """Yield the sizes of video frames in bytes, for ever: key frames, and scenes with more or less movement."""
    mean = kbps * 125 // FPS
    other = mean * GOP // (KEY_RATIO + GOP - 1)
    activity = 100  # percent
    number = 0
    while True:
        activity = min(250, max(40, activity + (100 - activity) // 50 + random.randint(-10, 10)))
        size = other * (KEY_RATIO * 100 if number % GOP == 0 else activity) // 100
        yield max(60, size * random.randint(72, 128) // 100)
        number += 1


class TestSignal:
    """
    wlan    network.WLAN of the station interface
    uplink  an uplink.Wifi on it
    clock   a Clock

    sent, refused  numbers of packets
    """

    def __init__(self, wlan, uplink, clock):
        self.sent = 0
        self.refused = 0
        self._wlan = wlan
        self._uplink = uplink
        self._clock = clock
        self._stopped = False

    @property
    def address(self) -> str:
        """The transmitter address, as in findings."""
        return ":".join(["%02x" % byte for byte in self._wlan.config("mac")])

    def stop(self) -> None:
        """Make run() return."""
        self._stopped = True

    async def run(self, seconds: int, feed) -> None:
        """Send for `seconds`, or until stop(). Raises uplink.NoUplink."""
        import socket

        await self._uplink.join(JOIN_MS)
        target = socket.getaddrinfo(self._wlan.ifconfig()[2], DISCARD_PORT)[0][-1]
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            await self._stream(lambda data: sock.sendto(data, target), seconds, feed)
        finally:
            sock.close()
            self._uplink.leave()

    async def _stream(self, send, seconds, feed):
        """Call send(bytes) with the sizes and times of a camera."""
        packet = memoryview(bytearray(MTU - HEADERS))
        began_ms = self._clock.now_ms()
        until_ms = began_ms + seconds * 1000
        for number, size in enumerate(frame_sizes()):
            await asyncio.sleep_ms(max(0, began_ms + number * 1000 // FPS - self._clock.now_ms()))
            while size > 0:
                if self._stopped or self._clock.now_ms() >= until_ms:
                    return
                length = min(size, len(packet))
                if self._try_send(send, packet[:length]):
                    size -= length
                    time.sleep_us(600)
                else:
                    await asyncio.sleep_ms(RETRY_MS)
            feed()

    def _try_send(self, send, data):
        try:
            send(data)
        except OSError:
            self.refused += 1
            return False
        self.sent += 1
        return True


def main(ssid="", password=""):
    """Send until Ctrl-C over the network `ssid`, or over one of the settings."""
    import network

    from ansim.settings import load
    from firmware.network.clock import Clock
    from firmware.network.wifi_and_ethernet import Wifi

    networks = [{"ssid": ssid, "password": password}] if ssid else load("/settings.json")["wifi"]
    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    test_signal = TestSignal(wlan, Wifi(wlan, networks), Clock())
    print("Test signal from %s; Ctrl-C ends it" % test_signal.address)
    asyncio.run(test_signal.run(1 << 30, lambda: None))
