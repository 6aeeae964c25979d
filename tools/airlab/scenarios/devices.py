"""
One other device each, or the few that belong together: what homes, offices and pockets are full of.

Many send mostly in one direction, as cameras do: uploads, calls with one camera, shared screens, live video, speech.
"""

from collections.abc import Sequence
from typing import Any

from tools.airlab.scenario import WAN, Film, Network, Program, Scenario, Station, talk
from tools.airlab.scenarios.parts import device, phone, push_rtmp, push_rtp, push_voice, scenario, sink, web_server

HELD_OUT: dict[str, Any] = {"is_held_out": True}

FACE_CALL = Film("h264", 480, 20, 10, 600, "face", audio_kbps=48)
FACE_SMALL = Film("h264", 360, 15, 10, 250, "face", audio_kbps=48)
DESKTOP = Film("h264", 720, 5, 10, 400, "desktop")
LIVE_720 = Film("h264", 720, 25, 2, 2000, "street", audio_kbps=96)
LIVE_PORTRAIT = Film("h264", 480, 20, 2, 700, "face", audio_kbps=64)
GAME = Film("h264", 720, 30, 10, 4000, "cartoon")
CAST = Film("h264", 720, 25, 5, 3000, "cartoon")

ETC = "/project/tools/airlab/guest/etc"
SSH_OPTIONS = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")


def one(name: str, about: str, station: Station, programs: Sequence[Program], **more: Any) -> Scenario:
    """One device and the server outside."""
    return scenario(name, about, [station], programs, **more)


def at(station: str, *words: object, at_s: float = 4) -> Program:
    """One of the talkers, from 4 s on."""
    return Program(station, talk(*map(str, words)), at_s)


def broker() -> Program:
    """mosquitto outside."""
    return Program(WAN, ("mosquitto", "-c", f"{ETC}/mosquitto.conf"))


def vnc_server(wait_ms: int) -> tuple[str, ...]:
    """x11vnc on the framebuffer of the talker `screen`, which looks for changes every `wait_ms`."""
    options = ("-forever", "-shared", "-nopw", "-wait", str(wait_ms), "-defer", str(wait_ms))
    return ("x11vnc", "-q", "-rawfb", "map:/tmp/screen@1280x720x32", *options)


LAPTOP_UP = device("laptop", "upload")

UPLOADS = (
    one(
        "up_iperf",
        "iperf3 as fast as it can",
        LAPTOP_UP,
        [Program(WAN, ("iperf3", "-s")), Program("laptop", ("iperf3", "-c", "{wan}", "-t", "20"), 4)],
        seconds=35,
    ),
    one(
        "up_iperf_2m",
        "iperf3 with a limit of 2 Mbit/s",
        LAPTOP_UP,
        [Program(WAN, ("iperf3", "-s")), Program("laptop", ("iperf3", "-c", "{wan}", "-b", "2M", "-t", "60"), 4)],
    ),
    one(
        "up_slow_line_1m",
        "a long upload over a line of 1 Mbit/s",
        LAPTOP_UP,
        [web_server(443), at("laptop", "photos", "{wan}", 443, 30_000_000, 30_000_001, 1, 2)],
        networks=(Network(delay="delay 20ms 4ms rate 1mbit"),),
        **HELD_OUT,
    ),
    one(
        "up_slow_line_400k",
        "a long upload over a line of 400 kbit/s",
        phone("laptop", "upload", (3, 1)),
        [web_server(443), at("laptop", "photos", "{wan}", 443, 30_000_000, 30_000_001, 1, 2)],
        networks=(Network(delay="delay 30ms 8ms rate 400kbit"),),
    ),
    one(
        "up_photos",
        "a phone backs up its pictures",
        phone("phone", "upload", (2, 2)),
        [web_server(443), at("phone", "photos", "{wan}", 443, 1_500_000, 4_000_000, 1, 4)],
    ),
    one(
        "up_photos_slow_line",
        "a phone backs up its pictures over a line of 2 Mbit/s",
        phone("phone", "upload", (2, 2)),
        [web_server(443), at("phone", "photos", "{wan}", 443, 300_000, 1_500_000, 2, 8)],
        networks=(Network(delay="delay 20ms 4ms rate 2mbit"),),
        **HELD_OUT,
    ),
    one(
        "up_film_once",
        "a phone sends a film of 15 MB, then nothing",
        phone("phone", "upload", (2, 2)),
        [web_server(443), at("phone", "photos", "{wan}", 443, 15_000_000, 15_000_001, 300, 301)],
        networks=(Network(delay="delay 20ms 4ms rate 4mbit"),),
    ),
    one(
        "up_paced_500k",
        "a backup that limits itself to 500 kbit/s",
        LAPTOP_UP,
        [sink(443, True), at("laptop", "paced_upload", "{wan}", 443, 500, 16_000)],
    ),
    one(
        "up_paced_150k",
        "a backup that limits itself to 150 kbit/s",
        LAPTOP_UP,
        [sink(443, True), at("laptop", "paced_upload", "{wan}", 443, 150, 8_000)],
        **HELD_OUT,
    ),
    one(
        "up_scanner",
        "a scanner sends a page every 8 s",
        device("scanner", "print"),
        [sink(8000), at("scanner", "job", "{wan}", 8000, 1.2, 8)],
    ),
    one(
        "up_scanner_small",
        "a scanner sends a small page every 4 s",
        device("scanner", "print"),
        [sink(8000), at("scanner", "job", "{wan}", 8000, 0.12, 4)],
        **HELD_OUT,
    ),
    one(
        "up_limited_curl",
        "curl sends a file with a limit of 60 kB/s",
        LAPTOP_UP,
        [
            web_server(),
            Program(
                "laptop",
                ("curl", "-s", "--limit-rate", "60k", "-T", LIVE_720.path, "http://{wan}/file"),
                4,
            ),
        ],
        films=(LIVE_720,),
    ),
    one(
        "up_rsync",
        "rsync of a film to a server, up to 300 kB/s",
        LAPTOP_UP,
        [
            Program(WAN, ("rsync", "--daemon", "--no-detach", f"--config={ETC}/rsyncd.conf")),
            Program("laptop", ("rsync", "-r", "--bwlimit=300", LIVE_720.path, "rsync://{wan}/data/"), 4),
        ],
        films=(LIVE_720,),
    ),
)

CALLS = (
    scenario(
        "call_webrtc",
        "WebRTC both ways, VP8 and Opus",
        [device("laptop", "call", (2, 2)), phone("phone", "call")],
        [
            Program("phone", talk("webrtc", "answer", "-", "both", FACE_SMALL.path)),
            Program("laptop", talk("webrtc", "offer", "{phone}", "both", FACE_SMALL.path), 4),
        ],
        films=(FACE_SMALL,),
    ),
    scenario(
        "call_webrtc_one_camera",
        "WebRTC, only the laptop shows its picture; the other side, outside, speaks",
        [device("laptop", "call", (2, 2))],
        [
            Program(WAN, talk("webrtc", "answer", "-", "audio", FACE_SMALL.path)),
            Program("laptop", talk("webrtc", "offer", "{wan}", "both", FACE_SMALL.path), 4),
        ],
        films=(FACE_SMALL,),
        **HELD_OUT,
    ),
    one(
        "call_rtp",
        "two H.264 encoders by RTP, and speech both ways",
        device("laptop", "call", (2, 2)),
        [
            *push_rtp("laptop", WAN, 7000, FACE_CALL),
            *push_rtp(WAN, "laptop", 7000, FACE_CALL),
            *push_voice("laptop", WAN, 7100, "libopus"),
            *push_voice(WAN, "laptop", 7100, "libopus"),
        ],
        films=(FACE_CALL,),
    ),
    one(
        "call_rtp_one_camera",
        "H.264 up, speech both ways",
        phone("phone", "call", (2, 2)),
        [
            *push_rtp("phone", WAN, 7000, FACE_CALL),
            *push_voice("phone", WAN, 7100, "libopus"),
            *push_voice(WAN, "phone", 7100, "libopus"),
        ],
        films=(FACE_CALL,),
    ),
    one(
        "call_group",
        "a meeting: one picture up, three down",
        device("laptop", "call", (2, 2)),
        [
            *push_rtp("laptop", WAN, 7000, FACE_CALL),
            *push_voice("laptop", WAN, 7100, "libopus"),
            *(program for port in (7010, 7020, 7030) for program in push_rtp(WAN, "laptop", port, FACE_SMALL)),
        ],
        films=(FACE_CALL, FACE_SMALL),
        **HELD_OUT,
    ),
    one(
        "call_listening_with_camera",
        "a meeting in which one only shows oneself, muted; little comes back",
        device("laptop", "call", (2, 2)),
        [*push_rtp("laptop", WAN, 7000, FACE_SMALL), *push_voice(WAN, "laptop", 7100, "libopus")],
        films=(FACE_SMALL,),
        **HELD_OUT,
    ),
)

VOICE = (
    one(
        "voice_g711",
        "a telephone, G.711 both ways",
        device("telephone", "voice"),
        [*push_voice("telephone", WAN, 6000), *push_voice(WAN, "telephone", 6000)],
    ),
    one(
        "voice_opus",
        "a voice call, Opus both ways",
        phone("phone", "voice", (2, 2)),
        [*push_voice("phone", WAN, 6000, "libopus"), *push_voice(WAN, "phone", 6000, "libopus")],
        **HELD_OUT,
    ),
    one(
        "voice_one_way",
        "a baby monitor, G.711 one way",
        device("monitor", "voice"),
        push_voice("monitor", WAN, 6000),
    ),
    one(
        "voice_up_64k",
        "a microphone, 64 kbit/s by TCP",
        device("microphone", "voice"),
        [sink(8001), at("microphone", "stream_up", "{wan}", 8001, 64, 320)],
    ),
    one(
        "voice_up_320k",
        "music upward, 320 kbit/s by TCP",
        device("microphone", "voice"),
        [sink(8001), at("microphone", "stream_up", "{wan}", 8001, 320, 1040)],
        **HELD_OUT,
    ),
    one(
        "voice_assistant",
        "a voice assistant, a question every 10 to 20 s",
        device("assistant", "voice"),
        [web_server(), sink(443, True), at("assistant", "assistant", "{wan}", 443, 8, 16)],
    ),
    one(
        "voice_assistant_chatty",
        "a voice assistant, a question every 4 to 8 s",
        device("assistant", "voice"),
        [web_server(), sink(443, True), at("assistant", "assistant", "{wan}", 443, 3, 6)],
        **HELD_OUT,
    ),
    scenario(
        "voice_speakers_of_several_rooms",
        "one speaker sends its sound to two others, 1.4 Mbit/s each",
        [device("master", "voice", (2, 1)), device("second", "voice", (5, 1)), device("third", "voice", (6, 4))],
        [
            Program("second", talk("udp_sink", 5005)),
            Program("third", talk("udp_sink", 5005)),
            at("master", "udp_stream", "{second}", 5005, 125, 1400, 1420),
            at("master", "udp_stream", "{third}", 5005, 125, 1400, 1420),
        ],
        seconds=60,
    ),
)

SCREENS = (
    scenario(
        "screen_vnc",
        "x11vnc, ZRLE, somebody working",
        [device("laptop", "screen"), phone("phone", "screen")],
        [
            Program("laptop", talk("screen", "/tmp/screen", 1280, 720)),
            Program("laptop", vnc_server(40), 1),
            at("phone", "vnc_view", "{laptop}"),
        ],
    ),
    scenario(
        "screen_vnc_outside",
        "x11vnc, ZRLE, watched from outside",
        [device("laptop", "screen")],
        [
            Program("laptop", talk("screen", "/tmp/screen", 1280, 720)),
            Program("laptop", vnc_server(80), 1),
            at(WAN, "vnc_view", "{laptop}"),
        ],
        **HELD_OUT,
    ),
    one(
        "screen_rtp",
        f"a shared screen in a meeting, {DESKTOP}, and speech both ways",
        device("laptop", "screen"),
        [
            *push_rtp("laptop", WAN, 7000, DESKTOP),
            *push_voice("laptop", WAN, 7100, "libopus"),
            *push_voice(WAN, "laptop", 7100, "libopus"),
        ],
        films=(DESKTOP,),
    ),
    scenario(
        "screen_cast_to_tv",
        f"a phone shows its screen on a television, {CAST}",
        [phone("phone", "screen", (3, 2)), device("tv", "screen", (6, 3))],
        push_rtp("phone", "tv", 7000, CAST),
        films=(CAST,),
        seconds=60,
        **HELD_OUT,
    ),
)

LIVE = (
    one(
        "live_rtmp_2000k",
        f"a phone streams live, {LIVE_720}",
        phone("phone", "live", (2, 2)),
        push_rtmp("phone", LIVE_720),
        films=(LIVE_720,),
    ),
    one(
        "live_rtmp_portrait",
        f"a phone streams live, {LIVE_PORTRAIT}",
        phone("phone", "live", (2, 2)),
        push_rtmp("phone", LIVE_PORTRAIT),
        films=(LIVE_PORTRAIT,),
        **HELD_OUT,
    ),
    scenario(
        "live_remote_play",
        f"a console shows its game on a phone, {GAME}",
        [device("console", "live", (2, 1)), phone("phone", "live", (3, 3))],
        [
            Program("phone", talk("udp_sink", 9296)),
            Program("console", talk("udp_sink", 9297)),
            at("console", "udp_push", "{phone}", 9296, GAME.path, 30),
            at("phone", "udp_stream", "{console}", 9297, 60, 60, 120),
        ],
        films=(GAME,),
        seconds=60,
    ),
)

HOME = (
    scenario(
        "home_hubs",
        "two hubs, a burst of messages every few seconds",
        [device("hub", "home"), device("hub2", "home", (2, 3))],
        [
            sink(8883),
            at("hub", "bursts", "{wan}", 8883, 1, 3.5, 10, 60, 120, 600),
            at("hub2", "bursts", "{wan}", 8883, 1, 1.6, 20, 90, 300, 1300),
        ],
    ),
    one(
        "home_hub_fast",
        "a hub, a burst of long messages twice a second",
        device("hub", "home", (2, 1)),
        [sink(8883), at("hub", "bursts", "{wan}", 8883, 0.2, 0.9, 8, 30, 500, 1400)],
        **HELD_OUT,
    ),
    scenario(
        "home_mqtt",
        "a plug and a battery sensor, MQTT",
        [device("plug", "home"), device("thermometer", "home", (4, 1), power_save=True)],
        [broker(), at("plug", "mqtt", "{wan}", 1, 80, 300, 30), at("thermometer", "mqtt", "{wan}", 10, 60, 900)],
    ),
    scenario(
        "home_lamps",
        "a bridge sends colours to three lamps, 25 times a second each",
        [device("bridge", "home", (2, 1)), *(device(f"lamp{n}", "home", (3 + n, n)) for n in (1, 2, 3))],
        [
            *(Program(f"lamp{n}", talk("udp_sink", 5540)) for n in (1, 2, 3)),
            *(at("bridge", "udp_stream", f"{{lamp{n}}}", 5540, 25, 90, 180) for n in (1, 2, 3)),
        ],
        **HELD_OUT,
    ),
    one(
        "home_vacuum",
        "a vacuum cleaner sends its map every two seconds",
        device("vacuum", "home", (2, 2)),
        [sink(8883), at("vacuum", "bursts", "{wan}", 8883, 1.6, 2.0, 3, 8, 1000, 1400)],
    ),
    one(
        "home_music",
        "a speaker plays the radio",
        device("speaker", "home"),
        [
            Program(WAN, talk("stream_down", 8000, 160, 8192)),
            Program("speaker", ("curl", "-s", "-o", "/dev/null", "http://{wan}:8000/"), 4),
        ],
    ),
)

TELEMETRY = (
    scenario(
        "telemetry_polling",
        "a controller polls two machines, 20 times a second",
        [
            device("controller", "telemetry", (2, 1)),
            device("machine", "telemetry", (4, 2)),
            device("machine2", "telemetry", (5, 3)),
        ],
        [
            Program("machine", talk("tcp_echo", 502)),
            Program("machine2", talk("tcp_echo", 502)),
            at("controller", "poll", "{machine}", 502, 20, 12),
            at("controller", "poll", "{machine2}", 502, 20, 60),
        ],
    ),
    one(
        "telemetry_measurements",
        "measurements, 50 datagrams a second",
        device("recorder", "telemetry", (2, 1)),
        [Program(WAN, talk("udp_sink", 4000)), at("recorder", "udp_stream", "{wan}", 4000, 50, 180, 220)],
    ),
    one(
        "telemetry_waveform",
        "a waveform, 25 datagrams of 1,000 bytes a second",
        device("recorder", "telemetry", (2, 1)),
        [Program(WAN, talk("udp_sink", 4000)), at("recorder", "udp_stream", "{wan}", 4000, 25, 1000, 1000)],
        **HELD_OUT,
    ),
    one(
        "telemetry_syslog",
        "diagnostic output by UDP",
        device("switch", "telemetry", (2, 1)),
        [Program(WAN, talk("udp_sink", 514)), at("switch", "syslog", "{wan}", 3)],
    ),
)

DOWNLOADS = (
    one(
        "down_iperf",
        "iperf3 downward",
        device("laptop", "download"),
        [Program(WAN, ("iperf3", "-s")), Program("laptop", ("iperf3", "-R", "-c", "{wan}", "-t", "20"), 4)],
        seconds=35,
    ),
    one(
        "down_video",
        "a film that is watched",
        device("tv", "download"),
        [web_server(), at("tv", "watch", "{wan}", 80, 900_000, 4)],
        seconds=60,
    ),
    one(
        "down_files",
        "blocks of a file server",
        device("laptop", "download"),
        [web_server(), at("laptop", "ranges", "{wan}", 80)],
        seconds=60,
        **HELD_OUT,
    ),
)

WEB = (
    one("web_browsing", "pages", device("laptop", "web"), [web_server(), at("laptop", "browse", "{wan}")]),
    one(
        "web_ssh_typing",
        "somebody types into an ssh session",
        device("laptop", "web"),
        [
            Program(WAN, ("/usr/sbin/sshd", "-D", "-o", "StrictModes=no")),
            Program("laptop", talk("typing", "ssh", "-tt", *SSH_OPTIONS, "root@{wan}"), 4),
        ],
    ),
    one(
        "web_game",
        "a game, 60 datagrams up and 30 down a second",
        device("console", "web"),
        [Program(WAN, talk("udp_server", 3074, 30, 200, 600)), at("console", "udp_stream", "{wan}", 3074, 60, 60, 140)],
    ),
    one(
        "web_tunnel",
        "a phone's VPN: datagrams of all sizes both ways",
        phone("phone", "web", (2, 2)),
        [
            Program(WAN, talk("udp_server", 1194, 60, 60, 1400)),
            at("phone", "udp_stream", "{wan}", 1194, 50, 60, 1400),
        ],
        **HELD_OUT,
    ),
    scenario(
        "print_job",
        "a laptop prints on a printer at home, 6 MB every 20 s",
        [device("laptop", "print"), device("printer", "print", (5, 2))],
        [Program("printer", talk("sink", 9100)), at("laptop", "job", "{printer}", 9100, 6, 20)],
        seconds=60,
    ),
    scenario(
        "print_two_antennas",
        "a laptop with two antennas sends files to a printer; its fast frames cannot be read",
        [
            device("laptop", "print", (2, 1), streams=2),
            device("printer", "print", (5, 2), streams=2),
        ],
        [Program("printer", talk("sink", 9100)), at("laptop", "job", "{printer}", 9100, 4, 10)],
        seconds=60,
        **HELD_OUT,
    ),
)

PHONES = (
    scenario(
        "phones_in_pockets",
        "three phones and a watch, now and then a picture",
        [
            phone("p1", place=(1, 1), power_save=True),
            phone("p2", place=(2, 2), power_save=True),
            phone("p3", place=(3, 2), power_save=True),
            device("watch", "phone", (2, 1), power_save=True),
        ],
        [
            web_server(443),
            *(
                at(name, "phone_sync", "{wan}", at_s=3 + index)
                for index, name in enumerate(("p1", "p2", "p3", "watch"))
            ),
            *(at(name, "chatter") for name in ("p1", "p2", "watch")),
            at("p1", "scan_often", 15, at_s=8),
        ],
    ),
    scenario(
        "phones_that_search",
        "a phone that searches networks under new addresses, and a laptop",
        [device("laptop", "web"), phone("p1", place=(2, 1), network="")],
        [
            web_server(),
            at("laptop", "browse", "{wan}"),
            Program("p1", ("ip", "link", "set", "w0", "up")),
            at("p1", "scan_often", 4, "06:aa:bb:00:00"),
        ],
        **HELD_OUT,
    ),
)

SCENARIOS: tuple[Scenario, ...] = (
    *UPLOADS,
    *CALLS,
    *VOICE,
    *SCREENS,
    *LIVE,
    *HOME,
    *TELEMETRY,
    *DOWNLOADS,
    *WEB,
    *PHONES,
)
