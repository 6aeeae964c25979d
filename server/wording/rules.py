"""
Sentences of the detection rules, by rule id.

A sentence takes the measured value and the threshold. `speaks_for` is used when the rule added points,
`speaks_against` when it took some away. For weight 0 the value is compared with the threshold; with threshold 0
only the value is shown. English here; Korean in translations/.
"""

from typing import NamedTuple

from flask_babel import lazy_gettext as _

FROM, UP_TO, SET, CLEAR = "from", "up_to", "set", "clear"


class Rule(NamedTuple):
    """
    title           what is measured, a few words
    speaks_for      the sentence for a positive weight, with %(value)s and %(limit)s
    speaks_against  the sentence for a negative one; None: the same
    form            format of value and threshold, a key of numbers.FORMS; "flag": 0 or 1
    fits            FROM: values at or above the limit speak for a camera; UP_TO: at or below; SET, CLEAR: 1 or 0

    The texts are lazy translations.
    """

    title: object
    speaks_for: object
    speaks_against: object | None
    form: str
    fits: str = FROM


STREAM = {
    "uplink_kbps": Rule(
        _("Amount sent"),
        _("It sends %(value)s all the time. Cameras that stream video send %(limit)s or more."),
        _("It sends only %(value)s. Cameras that stream video send %(limit)s or more."),
        "kbps",
    ),
    "uplink_share_permille": Rule(
        _("Direction of the traffic"),
        _("%(value)s of its traffic goes out. A camera mostly sends (%(limit)s or more); a phone mostly receives."),
        _("Only %(value)s of its traffic goes out. A camera mostly sends: %(limit)s or more."),
        "permille",
    ),
    "mean_up_bytes": Rule(
        _("Size of what it sends"),
        _("The packets it sends are large, %(value)s on average, as video packets are (%(limit)s or more)."),
        _("The packets it sends are small, %(value)s on average. Video packets have %(limit)s or more."),
        "bytes",
    ),
    "max_length_bytes": Rule(
        _("Longest packet"),
        _("Its longest packet has %(value)s; many small cameras keep theirs short (%(limit)s or less)."),
        _("Its longest packet has %(value)s. Many small cameras keep theirs at %(limit)s or less."),
        "bytes",
        UP_TO,
    ),
    "mean_down_bytes": Rule(
        _("Size of the answers"),
        _("What it receives are short answers of %(value)s on average, as a camera gets them (%(limit)s or less)."),
        _("What it receives is large, %(value)s on average. A camera gets short answers of %(limit)s or less."),
        "bytes",
        UP_TO,
    ),
    "duty_permille": Rule(
        _("Steadiness"),
        _("It sent in %(value)s of the seconds listened. Live video is steady: %(limit)s or more."),
        _("It sent in only %(value)s of the seconds listened. Live video is steady: %(limit)s or more."),
        "permille",
    ),
    "fine_duty_permille": Rule(
        _("Pauses"),
        _("It sent in %(value)s of the tenths of a second. Live video hardly pauses (%(limit)s or more)."),
        _("It sent in only %(value)s of the tenths of a second. Live video hardly pauses (%(limit)s or more)."),
        "permille",
    ),
    "peak_permille": Rule(
        _("Evenness"),
        _("Its busiest second had %(value)s of all it sent: an even stream, as video is (%(limit)s or less)."),
        _("Its busiest second had %(value)s of all it sent: a burst rather than a stream (%(limit)s or less)."),
        "permille",
        UP_TO,
    ),
    "max_length_share_permille": Rule(
        _("Mix of packet sizes"),
        _("%(value)s of its packets are full. Video mixes sizes (%(limit)s or less)."),
        _("%(value)s of its packets are full. Uploads look like that; video mixes sizes (%(limit)s or less)."),
        "permille",
        UP_TO,
    ),
    "small_up_permille": Rule(
        _("Small packets"),
        _("%(value)s of the packets it sends are small."),
        _(
            "%(value)s of the packets it sends are small, as with voice. Video fills larger ones; at most %(limit)s "
            "are small."
        ),
        "permille",
        UP_TO,
    ),
    "full_frames_permille": Rule(
        _("Full packets"),
        _("%(value)s of its packets are full."),
        _("%(value)s of its packets are full and there is no rhythm of key frames, as with an upload."),
        "permille",
        UP_TO,
    ),
    "variation_permille": Rule(
        _("Variation"),
        _("The amount it sends varies by %(value)s, as moving pictures do (%(limit)s or more)."),
        _("The amount it sends varies by only %(value)s. Moving pictures vary more (%(limit)s), uploads hardly."),
        "permille",
    ),
    "heard_ms": Rule(
        _("Time listened"),
        _("The sensor listened to its channel for %(value)s, long enough for a sure judgement (%(limit)s)."),
        _("The sensor listened to its channel for only %(value)s; a sure judgement takes %(limit)s or more."),
        "ms",
    ),
    "active_rows": Rule(
        _("How often it was heard"),
        _("It was heard sending at %(value)s moments (%(limit)s or more are enough)."),
        _("It was heard sending at only %(value)s moments; %(limit)s or more are enough."),
        "count",
    ),
    "gop_permille": Rule(
        _("Rhythm of key frames"),
        _("Its traffic has the rhythm of video key frames (match %(value)s, %(limit)s or more counts)."),
        _(
            "Its traffic does not have the clear rhythm of video key frames (match %(value)s, %(limit)s or more "
            "counts)."
        ),
        "permille",
    ),
    "gop_period_ms": Rule(
        _("Time between key frames"),
        _("The rhythm repeats every %(value)s. Cameras have 0.5 to 4 seconds."),
        None,
        "ms",
    ),
    "persistence_s": Rule(
        _("How long it lasts"),
        _("It has been sending like this without a pause for %(value)s (%(limit)s or more counts)."),
        _(
            "It has been sending like this for only %(value)s; calls and uploads end, cameras go on (%(limit)s or "
            "more)."
        ),
        "s",
    ),
    "local_address": Rule(
        _("Kind of address"),
        _("Its address was given by its maker, as cameras have it; phones make theirs up."),
        _("Its address is made up, as phones do it; few cameras do."),
        "flag",
        CLEAR,
    ),
    "rssi_peak_dbm": Rule(
        _("Strongest signal"),
        _("It was heard at up to %(value)s. From %(limit)s on, it is probably on this side of the wall."),
        _("It was never heard stronger than %(value)s; below %(limit)s it is probably behind a wall."),
        "dbm",
    ),
    "rssi_span_db": Rule(
        _("Change while walking"),
        _("Walking changed its strength by %(value)s: it was approached (%(limit)s or more)."),
        _("Walking changed its strength by only %(value)s; it was hardly approached (%(limit)s or more)."),
        "db",
    ),
    "late_kbps": Rule(
        _("Amount sent in the newest seconds"),
        _("In the newest seconds it sends %(value)s (a camera %(limit)s or more)."),
        _("In the newest seconds it sends only %(value)s (a camera %(limit)s or more)."),
        "kbps",
    ),
    "late_share_permille": Rule(
        _("Direction in the newest seconds"),
        _("In the newest seconds %(value)s of its traffic goes out (a camera: %(limit)s or more)."),
        _("In the newest seconds only %(value)s of its traffic goes out (a camera: %(limit)s or more)."),
        "permille",
    ),
    "late_up_bytes": Rule(
        _("Size in the newest seconds"),
        _("The newest packets it sends have %(value)s on average (a camera's %(limit)s or more)."),
        _("The newest packets it sends have only %(value)s on average (a camera's %(limit)s or more)."),
        "bytes",
    ),
    "loss_permille": Rule(
        _("Packets missed"),
        _("The sensor missed about %(value)s of its packets; amounts are corrected for that."),
        None,
        "permille",
    ),
    "retry_permille": Rule(
        _("Repetitions"),
        _("%(value)s of its packets were repetitions."),
        None,
        "permille",
    ),
    "common_length_permille": Rule(
        _("Commonest packet size"),
        _(
            "%(value)s of its long packets have the commonest size. Cameras fill packets of one size; calls divide "
            "each picture into equal packets, whose size changes (mostly below 21%%)."
        ),
        None,
        "permille",
    ),
    "own_source_permille": Rule(
        _("Where the data comes from"),
        _("%(value)s of what the network's box sends comes from the box itself, as with a camera (%(limit)s or more)."),
        _("%(value)s of what the network's box sends comes from itself. Such traffic is often a download."),
        "permille",
    ),
    "single_client_permille": Rule(
        _("Who receives"),
        _("%(value)s of it goes to one device: somebody may be watching directly (%(limit)s or more)."),
        _("Only %(value)s of it goes to one device, as an ordinary router does (a camera: %(limit)s or more)."),
        "permille",
    ),
}

# The same values of the newest seconds alone.
STREAM |= {
    "late_kbps": STREAM["uplink_kbps"],
    "late_share_permille": STREAM["uplink_share_permille"],
    "late_up_bytes": STREAM["mean_up_bytes"],
}

# Why a finding ended.
SILENT = {
    rule: Rule(
        _("Silence"),
        _("It has not been heard for %(value)s (%(limit)s end a finding)."),
        None,
        form,
    )
    for rule, form in (("silent_ms", "ms"), ("silent_s", "s"))
}

UNREADABLE = {
    "acked_frames": Rule(
        _("Activity that cannot be read"),
        _("Others acknowledged %(value)s packets from it (%(limit)s or more counts as activity)."),
        _("Others acknowledged only %(value)s packets from it (%(limit)s or more counts as activity)."),
        "count",
    ),
    "decoded_permille": Rule(
        _("Share that could be read"),
        _("This sensor could read only %(value)s of its packets (below %(limit)s it cannot be judged)."),
        _("This sensor could read %(value)s of its packets."),
        "permille",
        UP_TO,
    ),
}

NAMES = {
    "made_up_networks": Rule(
        _("Many made-up networks"),
        _(
            "%(value)s networks with names of cameras were heard at once (more than %(limit)s are made up by a "
            "program). A camera among them is not told apart while this lasts."
        ),
        None,
        "count",
    ),
    "name_camera": Rule(
        _("Network name"),
        _("The network's name is one that hidden cameras announce: %(value)s."),
        None,
        "ssids",
    ),
    "name_brand": Rule(
        _("Network name"),
        _("The network's name is one that camera makers use: %(value)s."),
        None,
        "ssids",
    ),
    "name_weak": Rule(
        _("Network name"),
        _("The network's name resembles a camera's (%(value)s), but harmless devices have such names too."),
        None,
        "ssids",
    ),
    "name_harmless": Rule(
        _("Network name"),
        _("The name is one of a harmless device: %(value)s."),
        None,
        "ssids",
    ),
    "hidden_name": Rule(
        _("Network name"),
        _("The network hides its name."),
        None,
        "flag",
        SET,
    ),
    "open_network": Rule(
        _("Network password"),
        _("The network has no password, as many small cameras come from the factory."),
        _("The network is protected by a password."),
        "flag",
        SET,
    ),
    "oui_camera": Rule(
        _("Maker"),
        _("The address belongs to a maker of cameras: %(value)s."),
        None,
        "vendors",
    ),
    "oui_module": Rule(
        _("Maker"),
        _(
            "The address belongs to a maker of Wi-Fi modules (%(value)s) found in cheap cameras, and in many harmless "
            "things."
        ),
        None,
        "vendors",
    ),
    "ap_streams_kbps": Rule(
        _("Amount sent"),
        _("The network's own box sends %(value)s like a camera (%(limit)s or more)."),
        _("The network's own box sends only %(value)s; a camera sends %(limit)s or more."),
        "kbps",
    ),
    "ap_clients": Rule(
        _("Who receives"),
        _("It sends to one device only: somebody may be watching directly."),
        _("It sends to %(value)s devices, as an ordinary router does."),
        "count",
        UP_TO,
    ),
    "weak_only": Rule(
        _("Weak signs only"),
        _("There are only weak signs, and weak signs alone never raise an alarm."),
        None,
        "none",
    ),
}

BEACONS = {
    "beacon_name_camera": Rule(
        _("Bluetooth name"),
        _("Its Bluetooth name is one that hidden cameras announce during set-up: %(value)s."),
        None,
        "ble",
    ),
    "beacon_name_brand": Rule(
        _("Bluetooth name"),
        _("Its Bluetooth name is one that camera makers use: %(value)s."),
        None,
        "ble",
    ),
    "beacon_name_weak": Rule(
        _("Bluetooth name"),
        _("Its Bluetooth name resembles a camera's (%(value)s), but harmless devices have such names too."),
        None,
        "ble",
    ),
    "beacon_service_brand": Rule(
        _("Bluetooth service"),
        _("It offers a Bluetooth service that camera makers use (number %(value)s)."),
        None,
        "hex",
    ),
    "beacon_service_weak": Rule(
        _("Bluetooth service"),
        _("It offers a Bluetooth service (number %(value)s) that cameras have, and many harmless things too."),
        None,
        "hex",
    ),
    "beacon_maker_brand": Rule(
        _("Bluetooth maker"),
        _("It names a camera maker in its Bluetooth data (number %(value)s)."),
        None,
        "hex",
    ),
    "beacon_maker_weak": Rule(
        _("Bluetooth maker"),
        _("It names a maker (number %(value)s) whose parts are in cameras, and in many harmless things too."),
        None,
        "hex",
    ),
}

ANALOGUE = {
    "plateau_mhz": Rule(
        _("Width of the signal"),
        _("A stretch of %(value)s is busy without a break, as wide as an analogue video sender's."),
        _("The busy stretch is %(value)s wide, which does not fit an analogue video sender (10 to 20 MHz)."),
        "mhz",
    ),
    "centre_off_khz": Rule(
        _("Place in the band"),
        _("Its centre is %(value)s away from a channel that video senders use (%(limit)s at most)."),
        _(
            "Its centre is %(value)s away from the nearest channel that video senders use; more than %(limit)s is too "
            "far."
        ),
        "khz",
        UP_TO,
    ),
    "occupancy_permille": Rule(
        _("Always on"),
        _("Power was there in %(value)s of the looks. Analogue video never pauses: %(limit)s or more."),
        _("Power was there in only %(value)s of the looks. Analogue video never pauses: %(limit)s or more."),
        "permille",
    ),
    "steady_looks": Rule(
        _("Lasting"),
        _("It was there %(value)s times in a row."),
        _("It was there only %(value)s times in a row; %(limit)s are needed."),
        "count",
    ),
    "wifi_airtime_permille": Rule(
        _("Wi-Fi on the same channels"),
        _("Wi-Fi filled only %(value)s of the time there, so Wi-Fi does not explain the signal."),
        _("Wi-Fi filled %(value)s of the time there, which explains the signal."),
        "permille",
        UP_TO,
    ),
}

# Why the level changed (ansim/finding.py).
LEVELS = {
    "alarm_listened_s": Rule(
        _("From notice to alarm"),
        _("The sensor has listened to it for %(value)s, and it met a camera's conditions (%(limit)s are needed)."),
        None,
        "s",
    ),
    "alarm_signature": Rule(
        _("From notice to alarm"),
        _("It bears the sign of a camera maker."),
        None,
        "none",
    ),
    "alarm_movement_ppm": Rule(
        _("From notice to alarm"),
        _("It follows movement in this room: by chance that happens in %(value)s of tests (%(limit)s or less counts)."),
        None,
        "ppm",
        UP_TO,
    ),
    "alarm_innocent": Rule(
        _("From alarm to notice"),
        _("An innocent cause fits better than a camera."),
        None,
        "none",
    ),
}

RULES = {**STREAM, **LEVELS, **SILENT, **UNREADABLE, **NAMES, **BEACONS, **ANALOGUE}
