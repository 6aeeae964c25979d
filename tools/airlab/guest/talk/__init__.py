"""
Small talkers and listeners that no Debian package brings.

    python3 -m tools.airlab.guest.talk WORD ARGUMENT...

Everything that has a real implementation (encoders, RTMP, HLS, ssh, rsync, iperf3, MQTT, VNC, WebRTC) is run from its
package instead.
"""

# module -> the functions that are words. A talker loads only its own module, because a scenario starts dozens.
WORDS = {
    "appliances": ("assistant", "bursts", "chatter", "mqtt", "poll", "stream_up", "syslog", "udp_stream"),
    "calls": ("webrtc",),
    "cameras": (
        "clips",
        "idle_camera",
        "live_clips",
        "mjpeg_camera",
        "pieces",
        "pppp_camera",
        "pppp_viewer",
        "snapshots",
        "tls_camera",
        "udp_camera",
        "udp_push",
        "udp_viewer",
    ),
    "people": ("browse", "job", "paced_upload", "phone_sync", "photos", "ranges", "scan_often", "typing", "watch"),
    "rtsp": ("rtp_sink", "rtsp_camera"),
    "screens": ("screen", "vnc_view"),
    "servers": ("sink", "stream_down", "tcp_echo", "udp_echo", "udp_server", "udp_sink", "web"),
}
