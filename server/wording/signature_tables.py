"""
Names of signature table rows, in the language of the page.

The tables (ansim/signatures/source/*.csv) name brands, which are not translated, and kinds of devices, which are
translated here. A row that is not in this list is shown as it is in the table.
"""

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from ansim.signatures import names

KINDS = (
    _("Tuya camera"),
    _("eWeLink camera"),
    _("minicam"),
    _("V380 mini camera"),
    _("CareCam; or a care home"),
    _("generic camera"),
    _("generic IP camera / Foscam"),
    _("generic IP camera"),
    _("generic Wi-Fi camera"),
    _("Yi action camera"),
    _("endoscope"),
    _("Tuya device waiting to be set up"),
    _("Espressif module waiting to be set up"),
    _("Espressif device waiting to be set up"),
    _("Ai-Thinker module waiting to be set up"),
    _("Tapo device waiting to be set up"),
    _("branded camera waiting to be set up"),
    _("Hikvision camera waiting to be set up"),
    _("Dahua camera waiting to be set up"),
    _("doorbell or home camera waiting to be set up"),
    _("action camera"),
    _("dash camera"),
    _("Hi3518 camera id as name"),
    _("calls itself a hidden camera"),
    _("KT router or public Wi-Fi"),
    _("KT router"),
    _("KT public Wi-Fi of earlier years"),
    _("café or restaurant on KT"),
    _("SK Broadband router"),
    _("SK Broadband router or set-top box"),
    _("SK Telecom public Wi-Fi"),
    _("LG U+ router or public Wi-Fi"),
    _("LG U+ public Wi-Fi"),
    _("LG U+ router"),
    _("ipTIME router"),
    _("national public Wi-Fi"),
    _("Seoul city public Wi-Fi"),
    _("train Wi-Fi"),
    _("airport Wi-Fi"),
    _("universities' network"),
    _("café"),
    _("shop or cinema"),
    _("printer"),
    _("Brother printer"),
    _("TV"),
    _("TV or streaming box"),
    _("projector or presentation system"),
    _("Wi-Fi Direct device"),
    _("phone hotspot"),
    _("iPhone hotspot"),
    _("iPad hotspot"),
    _("Samsung phone hotspot"),
    _("portable router"),
    _("LG appliance waiting to be set up"),
    _("Samsung appliance waiting to be set up"),
    _("appliance waiting to be set up"),
    _("vacuum cleaner or purifier waiting to be set up"),
    _("router"),
    _("office or guest network"),
    _("body camera"),
    _("camera glasses"),
    _("Meta glasses"),
    _("Tuya device"),
    _("Matter device waiting to be set up"),
    _("headphones or phone"),
    _("watch or band"),
    _("printer or speaker"),
    _("beacon or finder tag"),
    _("health or bathroom device"),
)


def translated_row(table: str, number: int) -> str:
    """Return what a row stands for, or "" if this server's tables do not have it."""
    text = names.what(table, number).get("what", "")
    # "PPPP device id as name: LookCam" and "dash camera (expected outdoors)": the brand or the kind is enough.
    text = text.rpartition("name: ")[2].partition(" (")[0]
    return gettext(text) if text else ""
