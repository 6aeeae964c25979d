"""
What tools/flash.py and its siblings run on the board, in MicroPython, through its prompt.

Each function prints one line, MARK and JSON, for tools/hardware/device.py to read. Folders: INCOMING
is being filled, READY is complete; see firmware/boot.py.
"""

import binascii
import gc
import hashlib
import json
import os
import sys

MARK = "ansim:"
INCOMING = "/incoming"
READY = "/ready"
BOOT = "/boot.py"
# Slots of updates over the air (firmware/maintenance/slots.py) are never part of what is installed: what comes by cable is what runs.
OURS = ("/boot.py", "/main.py", "/lib/ansim", "/lib/firmware", "/slots.json", "/update.json", "/a", "/b")
SECRETS = ("key", "ca", "client_cert", "client_key")  # of the settings: never leave the board
BUNDLE = "/ansim_bundle"
OWN = ("/ansim_agent.py", BUNDLE)  # what rshell puts here: this file, and the files that are to come
FAREWELL_MS = 100  # before a reset: what was said last is still on its way
WATCHDOG_MS = 600000  # a watchdog that runs cannot be stopped, only made patient


def look():
    """Clean up after an installation that was broken off; tell what the board is and which files it has."""
    _be_patient()
    _forget(INCOMING)
    _forget(BUNDLE)
    if _kind(READY):
        _run(BOOT)
    files = {}
    for path in OURS:
        _hash_all(path, files)
    room = os.statvfs("/")
    _tell(
        {
            "mpy": getattr(sys.implementation, "_mpy", 0),
            "version": ".".join(str(part) for part in sys.implementation.version),
            "machine": getattr(sys.implementation, "_machine", sys.platform),
            "id": _unique_id(),
            "sniffer": _has_sniffer(),
            "image": _program_in_image(),
            "free_bytes": room[0] * room[3],
            "files": files,
        }
    )


def unpack():
    """Make files of BUNDLE: for each a line of JSON, [path, how many bytes], and the bytes."""
    buffer = bytearray(1024)
    view = memoryview(buffer)
    with open(BUNDLE, "rb") as bundle:
        while True:
            line = bundle.readline()
            if not line:
                break
            path, left = json.loads(line)
            make_folder(path.rpartition("/")[0])
            with open(path, "wb") as file:
                while left:
                    count = bundle.readinto(view[: min(left, len(buffer))])
                    if not count:
                        raise OSError("the bundle ends too early")
                    file.write(view[:count])
                    left -= count
            _is_alive()
    os.remove(BUNDLE)


def check():
    """Tell the hashes of what has come."""
    files = {}
    _hash_all(INCOMING, files)
    _tell(files)


def switch():
    """Make what has come the version that counts; called again it goes on where it was interrupted."""
    boot = INCOMING + BOOT
    if _kind(boot):
        os.rename(boot, BOOT)  # it does the rest, so it must be there first
    if _kind(INCOMING):
        os.rename(INCOMING, READY)
    _run(BOOT)
    _tell(not _kind(READY))


def place():
    """Put single files that have come (settings) straight to their places, each in one step."""
    for entry in list(os.ilistdir(INCOMING)):
        os.rename(INCOMING + "/" + entry[0], "/" + entry[0])
    os.rmdir(INCOMING)
    _tell(True)


def inside():
    """Tell what a support report says: settings without secrets, the last crash, how full the flash is."""
    settings, names = _settings()
    folders = {}
    for entry in os.ilistdir("/"):
        if entry[0][0] != ".":
            folders[entry[0]] = _size("/" + entry[0])
    gc.collect()
    _tell(
        {
            "settings": settings,
            "names": names,
            "crash": _text("/crash.txt"),
            "bytes on flash": folders,
            "free heap": gc.mem_free(),
        }
    )


def make_folder(path):
    """Make a folder and those above it."""
    so_far = ""
    for part in path.strip("/").split("/"):
        so_far += "/" + part
        if part and not _kind(so_far):
            os.mkdir(so_far)


def restart():
    """Start anew, as after power-on."""
    for path in OWN:
        _forget(path)
    try:
        from firmware.maintenance.health import Health

        Health().ends()  # or the sensor would count this as a crash
    except (ImportError, AttributeError, OSError):
        pass
    import time

    import machine

    time.sleep_ms(FAREWELL_MS)
    machine.reset()


def _tell(what):
    print(MARK + json.dumps(what))


def _run(path):
    with open(path) as file:
        exec(file.read(), {"__name__": "__main__"})


def _be_patient():
    # Then the board starts by itself again if the cable is pulled, with the version it had.
    try:
        import machine

        machine.WDT(timeout=WATCHDOG_MS)
    except (ImportError, ValueError, OSError):
        pass


def _settings():
    """Return the settings without what must stay here, and the names that must not be told."""
    try:
        with open("/settings.json") as file:
            settings = json.load(file)
    except (OSError, ValueError):
        return "none, or broken", []
    names = [settings.get("device", ""), settings.get("broker", ""), settings.get("ntp", "")]
    wifi = settings.get("wifi", [])
    names += [one.get("ssid", "") for one in wifi]
    for field in SECRETS:
        if settings.get(field):
            settings[field] = str(len(settings[field])) + " characters"
    settings["wifi"] = ["a network, password of " + str(len(one.get("password", ""))) + " characters" for one in wifi]
    settings["ignore"] = len(settings.get("ignore", []))
    return settings, names


def _size(path):
    mode = os.stat(path)
    if mode[0] & 0x4000:
        return sum([_size(path + "/" + entry[0]) for entry in os.ilistdir(path)])
    return mode[6]


def _text(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _unique_id():
    try:
        import machine

        return binascii.hexlify(machine.unique_id()).decode()
    except (ImportError, AttributeError):
        return ""


def _program_in_image():
    """Which program tools/native.py has frozen into the interpreter's image, "" for none."""
    try:
        from ansim_image import PROGRAM
    except ImportError:
        return ""
    return PROGRAM


def _has_sniffer():
    try:
        import rfsniff

        return bool(rfsniff)
    except ImportError:
        return False


def _kind(path):
    """0 if there is no such path, else its mode."""
    try:
        return os.stat(path)[0]
    except OSError:
        return 0


def _hash_all(path, files):
    mode = _kind(path)
    if mode & 0x4000:
        for entry in os.ilistdir(path):
            _hash_all(path + "/" + entry[0], files)
    elif mode:
        files[path] = _hash(path)
        _is_alive()


def _is_alive():
    """Say something: rshell lets go of a board that is silent for a second."""
    sys.stdout.write(".")


def _hash(path):
    digest = hashlib.sha256()
    buffer = bytearray(1024)
    view = memoryview(buffer)
    with open(path, "rb") as file:
        while True:
            count = file.readinto(buffer)
            if not count:
                return binascii.hexlify(digest.digest()).decode()
            digest.update(view[:count])


def _forget(path):
    mode = _kind(path)
    if mode & 0x4000:
        for entry in list(os.ilistdir(path)):
            _forget(path + "/" + entry[0])
        os.rmdir(path)
    elif mode:
        os.remove(path)
