"""Why a sensor refused a command, by the codes of ansim/refusals.py."""

from flask_babel import lazy_gettext as _

from ansim import refusals

SENSOR_REFUSALS = {
    refusals.EXPIRED: _("it came too late"),
    refusals.INTERRUPTED: _("it restarted meanwhile"),
    refusals.UNKNOWN_COMMAND: _("the sensor's version does not know this command"),
    refusals.BAD_ARGUMENTS: _("the sensor does not understand the command's values"),
    refusals.NO_TIME: _("the sensor does not know the time yet"),
    refusals.STALE_TIME: _("the time came too late"),
    refusals.NO_MEMORY: _("the sensor's memory was full"),
    refusals.FLASH_FAILED: _("the sensor's storage does not work"),
    refusals.OTHER_INSPECTION: _("the sensor is busy with another inspection"),
    refusals.INSPECTION_RUNNING: _("the sensor is busy with an inspection"),
    refusals.NO_CHANNEL: _("this sensor does not hear that channel"),
    refusals.NO_SNIFFER: _("this sensor cannot listen to traffic, so it cannot follow"),
    refusals.NO_WIFI: _("a test signal needs a sensor that is connected by Wi-Fi"),
    refusals.BAD_SLOTS: _("the times of the movement test do not fit together"),
    refusals.SETTINGS_UNREADABLE: _("the sensor cannot read its present settings"),
    refusals.DEVICE_NAME_FIXED: _("a sensor's name cannot be changed"),
    refusals.BAD_SETTINGS: _("these settings cannot be used"),
    refusals.UNKNOWN_BOARD: _("the sensor's version does not know this board"),
    refusals.WRONG_DEVICE: _("the command names another sensor"),
    refusals.USB_ONLY: _("this board can be updated by USB only"),
    refusals.ALREADY_INSTALLED: _("the sensor runs this version already"),
    refusals.UPDATE_ON_TRIAL: _("the version before is still being tried"),
    refusals.NOT_SIGNED: _("it is not signed for this sensor"),
    refusals.BAD_MANIFEST: _("the list of the version's files is damaged"),
    refusals.NO_ROOM: _("the sensor's storage is full"),
    refusals.WRONG_FILE: _("the server sent another file"),
    refusals.FILE_DAMAGED: _("a file is damaged"),
    refusals.UNKNOWN_TABLE: _("the sensor's version does not know this table"),
    refusals.TABLE_TOO_LONG: _("the table is too long"),
    refusals.TABLE_DAMAGED: _("the table is damaged"),
    refusals.TABLE_NOT_NEWER: _("the sensor's table is as new or newer"),
    refusals.BAD_DATA: _("the table's data cannot be read"),
    refusals.WRONG_OFFSET: _("a part of the table is missing"),
    refusals.TOO_MUCH_DATA: _("more data came than the table has"),
    # of the server, for a command that was never answered
    "withdrawn": _("it was withdrawn"),
}


def sensor_refusal(error: str) -> str:
    """
    Return the reason that an acknowledgement or `failed_update` gives, in the language of the page.

    error  a code, perhaps with a colon and details, which follow in brackets; any other text is returned as it is
    """
    code, _colon, details = error.partition(":")
    if code not in SENSOR_REFUSALS:
        return error
    sentence = str(SENSOR_REFUSALS[code])
    return f"{sentence} ({details.replace(',', ', ')})" if details else sentence
