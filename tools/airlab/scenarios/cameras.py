"""
One camera each: encoders, ways to send, places, rhythms.

Traffic begins about 4 s after the recording. Scenarios with **HELD_OUT are never fitted on.
"""

from typing import Any

from tools.airlab.scenario import WAN, Air, Film, Network, Program, Scenario, Station, ffmpeg, talk
from tools.airlab.scenarios.parts import (
    camera,
    idle_camera,
    phone,
    push_rtmp,
    push_voice,
    scenario,
    sink,
    watch_rtsp,
    web_server,
)

HELD_OUT: dict[str, Any] = {"is_held_out": True}
HLS_PUT = ("-f", "hls", "-hls_time", 4, "-method", "PUT", "-http_persistent", 1, "http://{wan}/live/a.m3u8")
WEB, LISTENER = 443, 8443  # ports of the server outside
ANSWERED = ("pieces", "clips")  # talkers that wait for an answer
OWN_AP = "IPC-4F31A2"


def _pair(more: dict[str, Any]) -> list[Station]:
    """Take the camera and its viewer out of keyword arguments; the usual ones if they are not there."""
    return [more.pop("camera", camera()), more.pop("viewer_station", phone())]


def rtsp(name: str, film: Film, transport: str = "udp", viewer: str = "phone", **more: Any) -> Scenario:
    """RTSP, ffmpeg packs and watches; the viewer is a phone at home, or outside (WAN)."""
    stations = _pair(more)[: 1 if viewer == WAN else 2]
    programs = [Program("cam", talk("rtsp_camera", film.path)), watch_rtsp(viewer, transport)]
    return scenario(name, f"RTSP by {transport.upper()}, {film}", stations, programs, films=(film,), **more)


def mjpeg(name: str, film: Film, **more: Any) -> Scenario:
    """Pictures in a multipart answer, as the ESP32-CAM sends them."""
    stations = _pair(more)
    watch = ("curl", "-s", "-o", "/dev/null", "http://{cam}:81/stream")
    programs = [Program("cam", talk("mjpeg_camera", film.path, film.fps)), Program("phone", watch, 4)]
    more = {"every_s": 1 / film.fps, **more}
    return scenario(name, f"HTTP multipart, {film}", stations, programs, films=(film,), **more)


def pppp(name: str, film: Film, group: int = 1, audio: int = 0, **more: Any) -> Scenario:
    """PPPP: pieces of 1,032 B by UDP, repeated until they are acknowledged, `group` at a time."""
    stations = _pair(more)
    programs = [
        Program("cam", talk("pppp_camera", film.path, film.fps, audio)),
        Program("phone", talk("pppp_viewer", "{cam}", group), 4),
    ]
    about = f"PPPP by UDP, an acknowledgement for {group}{', sound' if audio else ''}, {film}"
    return scenario(name, about, stations, programs, films=(film,), **more)


def cloud(name: str, film: Film, how: str, about: str, *arguments: object, **more: Any) -> Scenario:
    """A camera that sends to the server outside, with one of the talkers of guest/talk/cameras.py."""
    port = WEB if how in ANSWERED else LISTENER
    stations: list[Station] = [more.pop("camera", camera())]
    programs = [
        web_server(WEB),
        sink(LISTENER, True),
        Program("cam", talk(how, "{wan}", port, film.path, *arguments), 4),
    ]
    return scenario(name, f"{about}, {film}", stations, programs, films=(film,), **more)


def live_tls(name: str, film: Film, **more: Any) -> Scenario:
    """Picture by picture in one TLS connection."""
    return cloud(name, film, "tls_camera", "TLS picture by picture", film.fps, 1, **more)


def piecewise(name: str, film: Film, piece_s: float, **more: Any) -> Scenario:
    """Pieces of some seconds, each in a TLS connection of its own."""
    more = {"every_s": piece_s, **more}
    return cloud(name, film, "pieces", f"TLS in pieces of {piece_s:g} s", film.fps, piece_s, **more)


def snapshots(name: str, film: Film, every_s: float, **more: Any) -> Scenario:
    """A picture every few seconds."""
    stations: list[Station] = [more.pop("camera", camera())]
    programs = [web_server(443), Program("cam", talk("snapshots", "{wan}", 443, film.path, every_s, "tls"), 4)]
    about = f"a picture every {every_s:g} s by HTTPS, {film}"
    return scenario(name, about, stations, programs, films=(film,), every_s=every_s, **more)


def own_ap(is_open: bool = True) -> dict[str, Any]:
    """The camera is the access point, and the viewer joins it."""
    stations = {"camera": camera(network="", power_dbm=14), "viewer_station": phone(network="cam")}
    return {"networks": (Network("cam", OWN_AP, is_open),), **stations}


ROOM_720 = Film("h264", 720, 15, 2, 500)
ROOM_1080 = Film("h264", 1080, 25, 2, 1500)
STREET_360 = Film("h264", 360, 15, 4, 300, "street")
FACE_240 = Film("h264", 240, 10, 10, 60, "face")
FACE_360 = Film("h264", 360, 10, 2, 150, "face")
STILL_CAPPED = Film("h264", 720, 15, 4, 800, "still", True)
H265_720 = Film("h265", 720, 15, 4, 400)
STREET_SOUND = Film("h264", 360, 15, 2, 300, "street", audio_kbps=48)
FACE_SOUND = Film("h264", 360, 15, 2, 300, "face", audio_kbps=48)
JPEG_480 = Film("mjpeg", 480, 5, 1, 800)
JPEG_240 = Film("mjpeg", 240, 10, 1, 500, "face")
JPEG_PHOTO = Film("mjpeg", 480, 1, 1, 240, "street")
JPEG_720 = Film("mjpeg", 720, 1, 1, 500)

FAR = {"camera": camera(place=(12, 6), wall_db=6)}
INTERFERENCE = Air(interference=(20, 60, 25.0))

RTSP = (
    rtsp("cam_rtsp_udp_1080p_1500k", ROOM_1080),
    rtsp("cam_rtsp_tcp_1080p_2500k", Film("h264", 1080, 25, 2, 2500, "street"), "tcp"),
    rtsp("cam_rtsp_udp_360p_300k", STREET_360),
    rtsp("cam_rtsp_udp_240p_60k", FACE_240),
    rtsp("cam_rtsp_udp_360p_100k_still", Film("h264", 360, 5, 5, 100, "still"), **HELD_OUT),
    rtsp("cam_rtsp_udp_1080p_4000k_gop_half", Film("h264", 1080, 30, 0.5, 4000, "street")),
    rtsp("cam_rtsp_h265_udp_outside", H265_720, viewer=WAN, **HELD_OUT),
    rtsp("cam_rtsp_h265_tcp_still", Film("h265", 720, 20, 4, 800, "still", True), "tcp"),
    rtsp("cam_rtsp_mjpeg_udp", Film("mjpeg", 480, 5, 1, 800, "street"), **HELD_OUT),
    rtsp("cam_rtsp_tcp_outside_gop_10", Film("h264", 480, 12, 10, 350, "street"), "tcp", WAN),
    rtsp("cam_rtsp_3fps", Film("h264", 720, 3, 10, 120), "udp", WAN, every_s=1 / 3, **HELD_OUT),
)

MJPEG = (
    mjpeg("cam_mjpeg_3fps", Film("mjpeg", 480, 3, 1, 500)),
    mjpeg("cam_mjpeg_5fps", JPEG_480),
    mjpeg("cam_mjpeg_25fps_small", Film("mjpeg", 240, 25, 1, 1200, "face"), **HELD_OUT),
    mjpeg("cam_mjpeg_1fps", Film("mjpeg", 480, 1, 1, 160, "street")),
)

PPPP = (
    pppp("cam_pppp_each_acknowledged", ROOM_720, 1, 1),
    pppp("cam_pppp_8_acknowledged", Film("h264", 360, 20, 2, 250, "face"), 8),
    pppp("cam_pppp_16_acknowledged_sound", STREET_360, 16, 1, **HELD_OUT),
)

UDP = "UDP to a cloud, no answer"

CLOUD = (
    scenario(
        "cam_rtmp_500k",
        "RTMP with sound",
        [camera()],
        push_rtmp("cam", Film("h264", 720, 15, 2, 500, audio_kbps=64)),
        films=(Film("h264", 720, 15, 2, 500, audio_kbps=64),),
    ),
    scenario(
        "cam_rtmp_1500k_gop_half",
        "RTMP",
        [camera()],
        push_rtmp("cam", Film("h264", 720, 25, 0.5, 1500, "street")),
        films=(Film("h264", 720, 25, 0.5, 1500, "street"),),
        **HELD_OUT,
    ),
    live_tls("cam_tls_live_1080p", ROOM_1080),
    live_tls("cam_tls_live_150k", FACE_360),
    live_tls("cam_tls_live_still", STILL_CAPPED, **HELD_OUT),
    cloud("cam_udp_cloud", ROOM_720, "udp_push", "UDP to a cloud, no answer", ROOM_720.fps),
    cloud(
        "cam_udp_cloud_100k",
        Film("h264", 240, 8, 4, 100, "face"),
        "udp_push",
        "UDP to a cloud, no answer",
        8,
        **HELD_OUT,
    ),
)

PIECES = (
    piecewise("cam_pieces_2s", ROOM_720, 2),
    piecewise("cam_pieces_4s_300k", STREET_360, 4),
    piecewise("cam_pieces_6s_800k", Film("h264", 720, 20, 2, 800, "street"), 6, **HELD_OUT),
    piecewise("cam_pieces_10s_250k", Film("h264", 360, 10, 5, 250, "street"), 10),
    piecewise("cam_pieces_2s_100k", Film("h264", 240, 10, 2, 100, "face"), 2, **HELD_OUT),
    scenario(
        "cam_hls_put_4s",
        f"HLS pieces of 4 s by HTTP PUT, {ROOM_720}",
        [camera()],
        [
            web_server(),
            Program("cam", ffmpeg("-re", "-stream_loop", -1, "-i", ROOM_720.path, "-c", "copy", *HLS_PUT), 4),
        ],
        films=(ROOM_720,),
        every_s=4,
    ),
)

SNAPSHOTS = (
    snapshots("cam_snapshot_1s", JPEG_PHOTO, 1),
    snapshots("cam_snapshot_1s_small", Film("mjpeg", 240, 1, 1, 60, "face"), 1, **HELD_OUT),
    snapshots("cam_snapshot_2s", JPEG_PHOTO, 2),
    snapshots("cam_snapshot_2s_720p", JPEG_720, 2, **HELD_OUT),
    snapshots("cam_snapshot_3s", JPEG_720, 3),
    snapshots("cam_snapshot_5s", JPEG_PHOTO, 5),
    snapshots("cam_snapshot_10s", JPEG_720, 10, seconds=120),
)

WEBRTC = (
    scenario(
        "cam_webrtc",
        "WebRTC, VP8 and Opus, watched by a phone",
        [camera(), phone()],
        [
            Program(
                "cam",
                talk("webrtc", "answer", "-", "both", STREET_SOUND.path),
            ),
            Program("phone", talk("webrtc", "offer", "{cam}", "nothing"), 4),
        ],
        films=(STREET_SOUND,),
    ),
    scenario(
        "cam_webrtc_two_way_sound",
        "WebRTC, VP8 and Opus, the phone talks back",
        [camera(), phone()],
        [
            Program("cam", talk("webrtc", "answer", "-", "both", FACE_SOUND.path)),
            Program(
                "phone",
                talk("webrtc", "offer", "{cam}", "audio", FACE_SOUND.path),
                4,
            ),
        ],
        films=(FACE_SOUND,),
        **HELD_OUT,
    ),
)

OWN_ACCESS_POINT = (
    mjpeg("cam_own_ap_open_mjpeg", Film("mjpeg", 480, 12, 1, 1500), **own_ap()),
    rtsp("cam_own_ap_password_rtsp", ROOM_720, **own_ap(is_open=False)),
    pppp("cam_own_ap_password_pppp", Film("h264", 360, 15, 2, 250, "street"), 8, **own_ap(is_open=False), **HELD_OUT),
    scenario(
        "cam_own_ap_open_udp",
        f"pictures by UDP, no answer, {JPEG_240}",
        [camera(network="", power_dbm=14), phone(network="cam")],
        [Program("cam", talk("udp_camera", JPEG_240.path, 10)), Program("phone", talk("udp_viewer", "{cam}"), 4)],
        films=(JPEG_240,),
        networks=(Network("cam", OWN_AP, True),),
        **HELD_OUT,
    ),
)

SURROUNDINGS = (
    rtsp("cam_11g_without_aggregation", ROOM_720, networks=(Network(is_11n=False),)),
    live_tls("cam_far", ROOM_720, **FAR),
    live_tls("cam_far_150k", FACE_360, **FAR, **HELD_OUT),
    snapshots("cam_far_snapshot_1s", JPEG_PHOTO, 1, **FAR, **HELD_OUT),
    piecewise("cam_far_pieces_4s", ROOM_720, 4, **FAR),
    live_tls("cam_interference", ROOM_720, air=INTERFERENCE),
    rtsp("cam_interference_strong", STREET_360, viewer=WAN, air=Air(interference=(40, 40, 25.0)), **HELD_OUT),
    live_tls("cam_gateway", ROOM_720, networks=(Network(has_gateway=True),)),
    snapshots("cam_gateway_snapshot_2s", JPEG_PHOTO, 2, networks=(Network(has_gateway=True),), **HELD_OUT),
    rtsp("cam_rts", STREET_360, air=Air(rts_bytes=500)),
    live_tls("cam_power_save", FACE_360, camera=camera(power_save=True), **HELD_OUT),
    live_tls("cam_sensor_in_the_next_room", ROOM_720, air=Air(sensor=(-7, -3), exponent=3.5)),
    live_tls("cam_slow_line", ROOM_1080, networks=(Network(delay="delay 20ms 4ms rate 1mbit"),), **HELD_OUT),
)

AFTERWARDS = "clips after movement"
CLIPS: dict[str, Any] = {"every_s": 0, "seconds": 125}

RHYTHMS = (
    cloud("cam_clips_live_8s", ROOM_720, "live_clips", "TLS during movement", 15, 8, 4, 12, **CLIPS),
    cloud("cam_clips_uploaded_10s", ROOM_720, "clips", AFTERWARDS, 15, 10, 8, 16, **CLIPS),
    cloud("cam_clips_uploaded_5s", STREET_360, "clips", AFTERWARDS, 15, 5, 3, 10, **CLIPS, **HELD_OUT),
    scenario(
        "cam_two_way_sound",
        f"RTSP by UDP and G.711 both ways, {STREET_360}",
        [camera(), phone()],
        [
            Program("cam", talk("rtsp_camera", STREET_360.path)),
            watch_rtsp("phone", "udp"),
            *push_voice("cam", "phone", 6000, at_s=5),
            *push_voice("phone", "cam", 6000, at_s=5),
        ],
        films=(STREET_360,),
    ),
    scenario(
        "cam_idle",
        "a camera that nobody watches",
        [idle_camera()],
        [sink(443, True), Program("cam", talk("idle_camera", "{wan}", 443), 2)],
    ),
)

SCENARIOS: tuple[Scenario, ...] = (
    *RTSP,
    *MJPEG,
    *PPPP,
    *CLOUD,
    *PIECES,
    *SNAPSHOTS,
    *WEBRTC,
    *OWN_ACCESS_POINT,
    *SURROUNDINGS,
    *RHYTHMS,
)
