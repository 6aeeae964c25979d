"""
Innocent explanations by id: what it could be instead, and how to tell it apart.

The detectors report for each whether the evidence fits it; a person decides about the open ones.
"""

from typing import NamedTuple

from flask_babel import lazy_gettext as _


class Cause(NamedTuple):
    """title: what it would be; tell: how a person can find out. Both are lazy translations."""

    title: object
    tell: object


PLACES = {
    "neighbour_camera": Cause(
        _("A real camera in another place, such as a shop's or a doorbell next door"),
        _(
            "It is weak everywhere in this room and strongest outside. Ask the neighbour; if it is theirs, record it "
            "as known."
        ),
    ),
    "neighbour_device": Cause(
        _("A camera or network next door, heard through the wall"),
        _("Walk away from the wall: a neighbour's signal gets weaker all over the room. Ask next door."),
    ),
    "visible_camera": Cause(
        _("An openly mounted security camera of the building or a shop"),
        _(
            "Look for cameras in corridors and entrances and ask who runs them. Have one switched off for a minute: if "
            "the signal goes too, it was that one."
        ),
    ),
    "public_network": Cause(
        _("The network of a carrier, a café or the city"),
        _("Look for the network's name on posters nearby, or ask whose it is."),
    ),
    "home_router": Cause(
        _("An ordinary router of a home or an office"),
        _("It stays in one place outside the room, and many devices use it."),
    ),
    "video_sender": Cause(
        _("A wireless TV sender or baby monitor that is openly used"),
        _("Ask in the rooms beside, above and below; have it switched off for a minute and listen again."),
    ),
}

PEOPLE = {
    "phone_hotspot": Cause(
        _("A phone's hotspot"),
        _("It leaves with its owner. Listen again when the room is empty."),
    ),
    "video_call": Cause(
        _("A video call on somebody's phone or laptop"),
        _(
            "A call also receives a picture, ends within minutes and leaves with the person. Listen again when the "
            "room is empty."
        ),
    ),
    "voice_call": Cause(
        _("A voice call"),
        _("It has short packets both ways, and ends."),
    ),
    "live_stream_phone": Cause(
        _("Somebody broadcasting live from a phone"),
        _("It moves and leaves with the phone. Listen again when the room is empty."),
    ),
    "screen_share": Cause(
        _("A laptop sharing its screen"),
        _("It pauses while nothing changes on the screen, and ends with the meeting."),
    ),
    "bulk_upload": Cause(
        _("A phone or computer uploading photos or a backup"),
        _("An upload ends by itself; a camera goes on. Listen again after some minutes."),
    ),
    "action_or_dash_cam": Cause(
        _("A visitor's action camera, or the dash camera of a parked car"),
        _("It leaves with its owner. Look at the cars outside the wall."),
    ),
    "visitor_wearable": Cause(
        _("Camera glasses or a body camera that somebody wears"),
        _("It leaves with the person. Listen again when the room is empty."),
    ),
    "visitor_device": Cause(
        _("Something a visitor carries: headphones, a watch, a tag"),
        _("It leaves with its owner. Listen again when the room is empty."),
    ),
    "drone": Cause(
        _("A camera drone in the air nearby"),
        _("It moves, and lands within half an hour."),
    ),
}

THINGS = {
    "router_download": Cause(
        _("An ordinary router or a phone's hotspot serving a download"),
        _("A router has several devices and pauses between pieces. Listen again after some minutes."),
    ),
    "iot_burst": Cause(
        _("An appliance sending a short burst, such as pictures or logs"),
        _("It lasts seconds, then there is silence. Listen again."),
    ),
    "setup_appliance": Cause(
        _("A plug, lamp, robot vacuum or the like that waits to be set up"),
        _("Look for new appliances; the network goes when one has been set up or unplugged."),
    ),
    "printer_or_tv": Cause(
        _("A printer, TV or projector that offers a direct connection"),
        _("Look in the rooms beside; the name on its display is the network's name."),
    ),
    "maker_board": Cause(
        _("A hobby board with Wi-Fi"),
        _("Follow the signal to its place and look what the board is connected to."),
    ),
    "wifi_traffic": Cause(
        _("Busy Wi-Fi on the same channels"),
        _("Wi-Fi pauses and varies. Listen again at a quiet hour."),
    ),
    "microwave_oven": Cause(
        _("A microwave oven"),
        _("It runs for minutes at a time. Listen again after that, or ask for it to be switched off."),
    ),
    "bluetooth_or_zigbee": Cause(
        _("Bluetooth or a smart-home radio"),
        _("Those are narrow or hop about. Listen again near the spot where it is strongest."),
    ),
}

CAUSES = {**PLACES, **PEOPLE, **THINGS}

# Causes within the sentence "most likely ...": those that a sensor names at the end of a notice.
SHORT = {
    "neighbour_camera": _("a camera in another place"),
    "neighbour_device": _("a device next door"),
    "phone_hotspot": _("a phone's hotspot"),
    "video_call": _("a video call"),
    "voice_call": _("a voice call"),
    "live_stream_phone": _("a live broadcast from a phone"),
    "screen_share": _("a shared screen"),
    "bulk_upload": _("an upload"),
    "router_download": _("a download through a router"),
    "iot_burst": _("a short burst of an appliance"),
    "wifi_traffic": _("busy Wi-Fi"),
    "microwave_oven": _("a microwave oven"),
}

# {verdict: (word, status tone)}, in the order in which they are shown.
VERDICTS = {
    "for": (_("fits"), "info"),
    "open": (_("cannot be told yet"), "warn"),
    "against": (_("does not fit"), "quiet"),
}
