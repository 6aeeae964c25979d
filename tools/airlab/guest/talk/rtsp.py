"""
An RTSP server as cameras have it, for one track: ffmpeg's RTP packets and sender reports.

They go by UDP to the viewer's ports, or interleaved in the viewer's own connection, as its SETUP asks for.

Source: RFC 2326.
"""

import socket
import struct
import subprocess
import threading

from tools.airlab.guest.talk.common import datagrams, randomness, serve

FFMPEG = ("ffmpeg", "-nostdin", "-loglevel", "error")
DESCRIPTION_LINES = ("v=", "o=", "s=", "t=", "c=", "m=", "a=")
SERVER_PORT = 50000


class Session:
    """One viewer's connection."""

    def __init__(self, peer: socket.socket, path: str):
        self._peer, self._path = peer, path
        self._file = peer.makefile("rb")
        self._lock = threading.Lock()
        self._target = ""
        self._sender: subprocess.Popen | None = None

    def run(self) -> None:
        """Answer requests until the viewer leaves."""
        try:
            while self._answer():
                pass
        except OSError:
            pass
        if self._sender:
            self._sender.terminate()

    def _answer(self):
        first = self._file.read(1)
        if not first:
            return False
        if first == b"$":  # the viewer's receiver reports
            self._file.read(struct.unpack(">BH", self._file.read(3))[1])
            return True
        lines = [(first + self._file.readline()).decode().strip()]
        while lines[-1]:
            lines.append(self._file.readline().decode().strip())
        method = lines[0].split(" ")[0]
        fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        sequence = fields.get("CSeq", "0")
        if method == "DESCRIBE":
            self._reply(sequence, "", self._describe())
        elif method == "SETUP":
            self._reply(sequence, self._set_up(fields["Transport"]))
        elif method == "PLAY":
            self._reply(sequence, "Session: 1\r\nRange: npt=0-\r\n")
            self._sender = subprocess.Popen(
                [*FFMPEG, "-re", "-stream_loop", "-1", "-i", self._path, "-an", "-c", "copy", "-f", "rtp", self._target]
            )
        else:
            methods = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"
            self._reply(sequence, f"Public: {methods}\r\nSession: 1\r\n")
        return method != "TEARDOWN"

    def _reply(self, sequence, fields, body=""):
        head = f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{fields}"
        if body:
            head += f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        with self._lock:
            self._peer.sendall(f"{head}\r\n{body}".encode())

    def _describe(self):
        path = f"/tmp/{threading.get_ident()}.sdp"
        film = ["-i", self._path, "-an", "-c", "copy", "-t", "1", "-f", "rtp", "-sdp_file", path, "rtp://127.0.0.1:9"]
        subprocess.run([*FFMPEG, *film], check=False)
        with open(path, encoding="utf-8") as file:
            body = "".join(line.strip() + "\r\n" for line in file if line[:2] in DESCRIPTION_LINES)
        return body.replace("m=video 9", "m=video 0") + "a=control:track1\r\n"

    def _set_up(self, transport):
        if "interleaved" in transport or "TCP" in transport:
            base = randomness.randrange(20000, 30000, 2)
            for channel in (0, 1):
                local = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                local.bind(("127.0.0.1", base + channel))
                threading.Thread(target=self._interleave, args=(local, channel), daemon=True).start()
            self._target = f"rtp://127.0.0.1:{base}"
            return "Session: 1;timeout=60\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
        port = int(transport.split("client_port=")[1].split(";")[0].split("-")[0])
        viewer = self._peer.getpeername()[0]
        ports = f"localrtpport={SERVER_PORT}&localrtcpport={SERVER_PORT + 1}"
        self._target = f"rtp://{viewer}:{port}?{ports}"
        return (
            f"Session: 1;timeout=60\r\nTransport: RTP/AVP;unicast;client_port={port}-{port + 1};"
            f"server_port={SERVER_PORT}-{SERVER_PORT + 1}\r\n"
        )

    def _interleave(self, local, channel):
        try:
            while True:
                packet = local.recv(2000)
                with self._lock:
                    self._peer.sendall(struct.pack(">cBH", b"$", channel, len(packet)) + packet)
        except OSError:
            return


def rtsp_camera(path: str, port: str = "8554") -> None:
    """Serve a film, over and over, to every viewer."""
    serve(port, lambda peer: Session(peer, path).run())


def rtp_sink(port: str) -> None:
    """Take RTP and its reports, and answer with a receiver report every five seconds, as players do."""
    media, reports = datagrams(port), datagrams(str(int(port) + 1))

    def answer():
        while True:
            _, sender = reports.recvfrom(2000)
            reports.sendto(struct.pack(">BBHI", 0x81, 201, 7, 1) + bytes(24), sender)

    threading.Thread(target=answer, daemon=True).start()
    while True:
        media.recv(4000)
