"""WebRTC by aiortc: calls with both cameras, with one, or a camera that is only watched."""

import asyncio
import json

PORT = "8099"
LONGEST_LINE = 1 << 20


def webrtc(role: str, host: str, sends: str = "both", path: str = "", port: str = PORT) -> None:
    """
    One peer of a connection; the descriptions go as one line of JSON each way by TCP.

    role   "offer" connects to `host`, "answer" waits
    sends  what this peer sends: "both" picture and sound, "audio", or "nothing"
    path   the film it sends
    """
    asyncio.run(_peer(role, host, sends, path, port))


async def _peer(role, host, sends, path, port):
    # Only in the machine's root folder.
    from aiortc import RTCConfiguration, RTCPeerConnection  # pyright: ignore[reportMissingImports]
    from aiortc.contrib.media import MediaBlackhole, MediaPlayer  # pyright: ignore[reportMissingImports]

    peer, hole = RTCPeerConnection(RTCConfiguration(iceServers=[])), MediaBlackhole()
    wanted = {"both": ("audio", "video"), "audio": ("audio",), "nothing": ()}[sends]
    player = MediaPlayer(path, loop=True) if wanted else None
    for kind in ("audio", "video"):
        track = getattr(player, kind) if kind in wanted else None
        if track:
            peer.addTrack(track)
        elif role == "offer":
            peer.addTransceiver(kind, direction="recvonly")

    @peer.on("track")
    async def take(track):
        hole.addTrack(track)
        await hole.start()

    if role == "offer":
        await _offer(peer, host, port)
    else:
        await _answer(peer, port)
    await asyncio.Event().wait()


async def _offer(peer, host, port):
    reader, writer = await asyncio.open_connection(host, int(port), limit=LONGEST_LINE)
    await peer.setLocalDescription(await peer.createOffer())
    writer.write(_line(peer.localDescription))
    await peer.setRemoteDescription(_description(await reader.readline()))


async def _answer(peer, port):
    done = asyncio.Event()

    async def handle(reader, writer):
        await peer.setRemoteDescription(_description(await reader.readline()))
        await peer.setLocalDescription(await peer.createAnswer())
        writer.write(_line(peer.localDescription))
        done.set()

    await asyncio.start_server(handle, "0.0.0.0", int(port), limit=LONGEST_LINE)
    await done.wait()


def _line(description):
    return json.dumps({"sdp": description.sdp, "type": description.type}).encode() + b"\n"


def _description(line):
    from aiortc import RTCSessionDescription  # pyright: ignore[reportMissingImports]

    return RTCSessionDescription(**json.loads(line))
