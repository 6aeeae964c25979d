"""Why a sensor refused a command, by the codes of ansim/refusal_codes.py."""

from flask_babel import lazy_gettext as _

from ansim import refusal_codes

SENSOR_REFUSALS = {
    refusal_codes.EXPIRED: _("it came too late"),
    refusal_codes.INTERRUPTED: _("it restarted meanwhile"),
    refusal_codes.UNKNOWN_COMMAND: _("the sensor's version does not know this command"),
    refusal_codes.BAD_ARGUMENTS: _("the sensor does not understand the command's values"),
    refusal_codes.NO_TIME: _("the sensor does not know the time yet"),
    refusal_codes.STALE_TIME: _("the time came too late"),
    refusal_codes.NO_MEMORY: _("the sensor's memory was full"),
    refusal_codes.FLASH_FAILED: _("the sensor's storage does not work"),
    refusal_codes.OTHER_INSPECTION: _("the sensor is busy with another inspection"),
    refusal_codes.INSPECTION_RUNNING: _("the sensor is busy with an inspection"),
    refusal_codes.NO_CHANNEL: _("this sensor does not hear that channel"),
    refusal_codes.NO_SNIFFER: _("this sensor cannot listen to traffic, so it cannot follow"),
    refusal_codes.NO_WIFI: _("a test signal needs a sensor that is connected by Wi-Fi"),
    refusal_codes.BAD_SLOTS: _("the times of the movement test do not fit together"),
    refusal_codes.SETTINGS_UNREADABLE: _("the sensor cannot read its present settings"),
    refusal_codes.DEVICE_NAME_FIXED: _("a sensor's name cannot be changed"),
    refusal_codes.BAD_SETTINGS: _("these settings cannot be used"),
    refusal_codes.UNKNOWN_BOARD: _("the sensor's version does not know this board"),
    refusal_codes.WRONG_DEVICE: _("the command names another sensor"),
    refusal_codes.USB_ONLY: _("this board can be updated by USB only"),
    refusal_codes.ALREADY_INSTALLED: _("the sensor runs this version already"),
    refusal_codes.UPDATE_ON_TRIAL: _("the version before is still being tried"),
    refusal_codes.NOT_SIGNED: _("it is not signed for this sensor"),
    refusal_codes.BAD_MANIFEST: _("the list of the version's files is damaged"),
    refusal_codes.NO_ROOM: _("the sensor's storage is full"),
    refusal_codes.WRONG_FILE: _("the server sent another file"),
    refusal_codes.FILE_DAMAGED: _("a file is damaged"),
    refusal_codes.UNKNOWN_TABLE: _("the sensor's version does not know this table"),
    refusal_codes.TABLE_TOO_LONG: _("the table is too long"),
    refusal_codes.TABLE_DAMAGED: _("the table is damaged"),
    refusal_codes.TABLE_NOT_NEWER: _("the sensor's table is as new or newer"),
    refusal_codes.BAD_DATA: _("the table's data cannot be read"),
    refusal_codes.WRONG_OFFSET: _("a part of the table is missing"),
    refusal_codes.TOO_MUCH_DATA: _("more data came than the table has"),
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
