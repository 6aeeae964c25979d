"""
Codes of refused commands: the `error` of an `ack`, and of an update that was not installed (`failed_update`).

A code may be followed by a colon and a detail: names of fields, a number, a path.

    "bad_arguments:channel,seconds"    "wrong_offset:2048"    "no_sniffer"

server/wording/sensor_refusals.py has the sentences.
"""

# Any command
EXPIRED = "expired"  # the time until which the command is good is over
INTERRUPTED = "interrupted"  # the sensor restarted while it carried out the command
UNKNOWN_COMMAND = "unknown_command"
BAD_ARGUMENTS = "bad_arguments"  # details: the fields
NO_TIME = "no_time"  # the sensor does not know the time; the server leaves the command open and sends it again
STALE_TIME = "stale_time"  # the nonce is not the one of this connection
NO_MEMORY = "no_memory"  # too little was free to carry out the command; the sensor continues
FLASH_FAILED = "flash_failed"  # the id of the command could not be written down

# Inspections and listening
OTHER_INSPECTION = "other_inspection"  # another inspection is running
INSPECTION_RUNNING = "inspection_running"
NO_CHANNEL = "no_channel"  # the sensor does not hear that channel
NO_SNIFFER = "no_sniffer"  # nothing to follow a signal with
NO_WIFI = "no_wifi"  # a test signal goes out over Wi-Fi
BAD_SLOTS = "bad_slots"  # the slots of a movement test overlap or do not suffice

# Settings and wipe
SETTINGS_UNREADABLE = "settings_unreadable"  # the present ones
DEVICE_NAME_FIXED = "device_name_fixed"
BAD_SETTINGS = "bad_settings"  # details: the fields
UNKNOWN_BOARD = "unknown_board"
WRONG_DEVICE = "wrong_device"  # a wipe that names another sensor

# Updates and signature tables
USB_ONLY = "usb_only"  # this board has too little memory for a program in files
ALREADY_INSTALLED = "already_installed"
UPDATE_ON_TRIAL = "update_on_trial"  # the running version has not reached the broker yet
NOT_SIGNED = "not_signed"  # not by this device's key
BAD_MANIFEST = "bad_manifest"
NO_ROOM = "no_room"  # on the flash
WRONG_FILE = "wrong_file"  # the server sent other bytes; details: the first 8 digits of the file's SHA-256
FILE_DAMAGED = "file_damaged"  # details: the path
UNKNOWN_TABLE = "unknown_table"
TABLE_TOO_LONG = "table_too_long"
TABLE_DAMAGED = "table_damaged"
TABLE_NOT_NEWER = "table_not_newer"
BAD_DATA = "bad_data"  # not base64
WRONG_OFFSET = "wrong_offset"  # details: the one that is expected
TOO_MUCH_DATA = "too_much_data"  # more than `bytes`
