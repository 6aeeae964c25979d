"""
The agent that tools/flash.py, provision.py and diagnose.py run on the board, in MicroPython, through its prompt.

A function replies with one printed line, MARK and JSON, which tools/hardware/device.py reads. The folder
INCOMING is being filled; READY is complete and waits to be installed by firmware/boot.py.
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
# The paths an installation manages. They include the slots of updates over the air (maintenance/program_slots.py),
# so that these are removed: what is installed by cable must be what runs.
MANAGED_PATHS = ("/boot.py", "/main.py", "/lib/ansim", "/lib/firmware", "/slots.json", "/update.json", "/a", "/b")
SECRETS = ("key", "ca", "client_cert", "client_key")  # settings that never leave the board
BUNDLE = "/ansim_bundle"
AGENT_PATHS = ("/ansim_agent.py", BUNDLE)  # what rshell copies here: this file, and the bundle of new files
FLUSH_MS = 100  # before a reset, so that the last output gets through
WATCHDOG_MS = 600000  # a running watchdog cannot be stopped, only given a longer timeout


def identify() -> None:
    """Clean up after an interrupted installation; reply with the board's properties and the hashes of its files."""
    _extend_watchdog()
    _remove(INCOMING)
    _remove(BUNDLE)
    if _mode_of(READY):
        _run(BOOT)
    files = {}
    for path in MANAGED_PATHS:
        _hash_all(path, files)
    statvfs = os.statvfs("/")
    _reply(
        {
            "mpy": getattr(sys.implementation, "_mpy", 0),
            "version": ".".join(str(part) for part in sys.implementation.version),
            "machine": getattr(sys.implementation, "_machine", sys.platform),
            "id": _unique_id(),
            "sniffer": _has_sniffer(),
            "image": _program_in_image(),
            "room_for_files": _has_room_for_files(),
            "free_bytes": statvfs[0] * statvfs[3],
            "files": files,
        }
    )


def _has_room_for_files():
    """Return whether a program in files fits into the heap: with PSRAM, as in firmware/maintenance/chip_memory.py."""
    try:
        import esp32
    except ImportError:
        return True
    return any(row[0] > 524288 for row in esp32.idf_heap_info(esp32.HEAP_DATA))


def unpack() -> None:
    """Write the files of BUNDLE. Each is a line of JSON, [path, number of bytes], followed by its bytes."""
    buffer = bytearray(1024)
    view = memoryview(buffer)
    with open(BUNDLE, "rb") as bundle:
        while True:
            line = bundle.readline()
            if not line:
                break
            path, remaining = json.loads(line)
            make_folder(path.rpartition("/")[0])
            with open(path, "wb") as file:
                while remaining:
                    count = bundle.readinto(view[: min(remaining, len(buffer))])
                    if not count:
                        raise OSError("the bundle ends too early")
                    file.write(view[:count])
                    remaining -= count
            _show_activity()
    os.remove(BUNDLE)


def hash_incoming() -> None:
    """Reply with the hashes of the files in INCOMING."""
    files = {}
    _hash_all(INCOMING, files)
    _reply(files)


def activate() -> None:
    """Install the files in INCOMING; reply True when done. Called again, it continues where it was interrupted."""
    boot = INCOMING + BOOT
    if _mode_of(boot):
        os.rename(boot, BOOT)  # it does the rest, so it comes first
    if _mode_of(INCOMING):
        os.rename(INCOMING, READY)
    _run(BOOT)
    _reply(not _mode_of(READY))


def move_incoming() -> None:
    """Move the files in INCOMING (settings) to the root folder, each in one step."""
    for entry in list(os.ilistdir(INCOMING)):
        os.rename(INCOMING + "/" + entry[0], "/" + entry[0])
    os.rmdir(INCOMING)
    _reply(True)


def support_data() -> None:
    """Reply with the data of a support report: settings without secrets, the last crash, flash and heap."""
    settings, names = _settings()
    folders = {}
    for entry in os.ilistdir("/"):
        if entry[0][0] != ".":
            folders[entry[0]] = _size("/" + entry[0])
    gc.collect()
    _reply(
        {
            "settings": settings,
            "names": names,
            "crash": _read_text("/crash.txt"),
            "bytes on flash": folders,
            "free heap": gc.mem_free(),
        }
    )


def measure(what: str) -> None:
    """Reply with one measurement, a key of MEASUREMENTS; with a text if it fails."""
    gc.collect()
    try:
        result = MEASUREMENTS[what]()
    except Exception as error:  # any failure of any part belongs into the report
        result = f"{type(error).__name__}: {error}"
    _reply(result)


def _measure_chip():
    import machine

    return {
        "reset_cause": machine.reset_cause(),
        "frequency_hz": machine.freq(),
        "heap_used_bytes": gc.mem_alloc(),
        "heap_free_bytes": gc.mem_free(),
        "idf_heap": _idf_heap(),
    }


def _idf_heap():
    """Return [[total, free, largest free, least free], ...] of the chip's memory regions."""
    try:
        import esp32

        return [list(row) for row in esp32.idf_heap_info(esp32.HEAP_DATA)]
    except (ImportError, AttributeError):
        return None


def _measure_flash():
    """Time ten changes of a small file, each of which erases at least one block."""
    times_ms = []
    for _ in range(10):
        began_ms = _ticks_ms()
        with open("/diagnose", "wb") as file:
            file.write(bytes(500))
        times_ms.append(_ticks_ms() - began_ms)
    _remove("/diagnose")
    return {"write_ms": times_ms}


def _station():
    import network

    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    try:
        import rfsniff

        rfsniff.country("KR", 13)
    except (ImportError, AttributeError):
        pass
    return wlan


def _measure_scan():
    wlan = _station()
    began_ms = _ticks_ms()
    channels = {}
    for row in wlan.scan():
        channels[str(row[2])] = channels.get(str(row[2]), 0) + 1
    return {"scan_ms": _ticks_ms() - began_ms, "networks_by_channel": channels, "idf_heap": _idf_heap()}


def _measure_sniffer():
    """Listen to each channel for a second; count frames, undecodable ones, and records lost in the ring."""
    import time

    import rfsniff

    _station()
    buffer = bytearray(32 * rfsniff.RECORD_BYTES)
    rows = []
    rfsniff.start(1, 15)
    try:
        for channel in range(1, 14):
            rfsniff.channel(channel)
            frames = undecodable = 0
            began_ms, dropped = _ticks_ms(), rfsniff.stats()[2]
            while _ticks_ms() - began_ms < 1000:
                time.sleep_ms(20)
                count = 32
                while count == 32:
                    count = rfsniff.readinto(buffer)
                    frames += count
                    undecodable += sum([buffer[at + 13] & 15 == 3 for at in range(0, count * 36, 36)])
            rows.append([channel, frames, undecodable, rfsniff.stats()[2] - dropped])
            _show_activity()
    finally:
        rfsniff.stop()
    return {"channel_frames_undecodable_dropped_in_1_s": rows}


def _measure_bluetooth():
    import bluetooth

    before = _idf_heap()
    began_ms = _ticks_ms()
    ble = bluetooth.BLE()
    ble.active(True)
    on_ms, during = _ticks_ms() - began_ms, _idf_heap()
    began_ms = _ticks_ms()
    ble.active(False)
    return {
        "on_ms": on_ms,
        "off_ms": _ticks_ms() - began_ms,
        "idf_heap_before": before,
        "idf_heap_on": during,
        "idf_heap_after": _idf_heap(),
    }


def _measure_uplink():
    """Join a network of the settings and resolve the broker's name, with the program's own code."""
    import asyncio
    import socket

    from firmware.network.wifi_and_ethernet import NoUplink, Wifi

    with open("/settings.json") as file:
        settings = json.load(file)
    uplink = Wifi(_station(), settings["wifi"])
    began_ms = _ticks_ms()
    try:
        asyncio.run(uplink.join(25000))
        joined_ms = _ticks_ms() - began_ms
        rssi_dbm, idf_heap = uplink.rssi_dbm(), _idf_heap()
        began_ms = _ticks_ms()
        socket.getaddrinfo(settings["broker"], settings.get("port", 8883))
        resolved_ms = _ticks_ms() - began_ms
    except NoUplink as error:
        return {"failed_after_ms": _ticks_ms() - began_ms, "reason": str(error)}
    finally:
        uplink.leave()
    return {"join_ms": joined_ms, "resolve_ms": resolved_ms, "rssi_dbm": rssi_dbm, "idf_heap": idf_heap}


MEASUREMENTS = {
    "chip": _measure_chip,
    "flash": _measure_flash,
    "scan": _measure_scan,
    "sniffer": _measure_sniffer,
    "bluetooth": _measure_bluetooth,
    "uplink": _measure_uplink,
}


def _ticks_ms():
    import time

    return time.ticks_ms()


def make_folder(path: str) -> None:
    """Create a folder and its parents."""
    parent = ""
    for part in path.strip("/").split("/"):
        parent += "/" + part
        if part and not _mode_of(parent):
            os.mkdir(parent)


def restart() -> None:
    """Reset the board, as at power-on."""
    for path in AGENT_PATHS:
        _remove(path)
    try:
        from firmware.maintenance.crash_counter import CrashCounter

        crash_counter = CrashCounter()
        # Or the sensor would count this as a crash. Version 0.1 has ends().
        (getattr(crash_counter, "intend_reset", None) or crash_counter.ends)()
    except (ImportError, AttributeError, OSError):
        pass
    import time

    import machine

    time.sleep_ms(FLUSH_MS)
    machine.reset()


def _reply(data):
    print(MARK + json.dumps(data))


def _run(path):
    with open(path) as file:
        exec(file.read(), {"__name__": "__main__"})


def _extend_watchdog():
    # If the cable is pulled, the watchdog restarts the board with its old version.
    try:
        import machine

        machine.WDT(timeout=WATCHDOG_MS)
    except (ImportError, ValueError, OSError):
        pass


def _settings():
    """Return the settings without secrets, and the names that the report must mask."""
    try:
        with open("/settings.json") as file:
            settings = json.load(file)
    except (OSError, ValueError):
        return "none, or broken", []
    names = [settings.get("device", ""), settings.get("broker", ""), settings.get("ntp", "")]
    wifi = settings.get("wifi", [])
    names += [network.get("ssid", "") for network in wifi]
    for field in SECRETS:
        if settings.get(field):
            settings[field] = str(len(settings[field])) + " characters"
    settings["wifi"] = [
        "a network, password of " + str(len(network.get("password", ""))) + " characters" for network in wifi
    ]
    settings["ignore"] = len(settings.get("ignore", []))
    return settings, names


def _size(path):
    mode = os.stat(path)
    if mode[0] & 0x4000:
        return sum([_size(path + "/" + entry[0]) for entry in os.ilistdir(path)])
    return mode[6]


def _read_text(path):
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
    """Return the hash of the program that tools/native.py froze into the interpreter's image, "" for none."""
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


def _mode_of(path):
    """Return the mode of a path, 0 if it does not exist."""
    try:
        return os.stat(path)[0]
    except OSError:
        return 0


def _hash_all(path, files):
    mode = _mode_of(path)
    if mode & 0x4000:
        for entry in os.ilistdir(path):
            _hash_all(path + "/" + entry[0], files)
    elif mode:
        files[path] = _hash(path)
        _show_activity()


def _show_activity():
    """Print something: rshell disconnects from a board that is silent for a second."""
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


def _remove(path):
    mode = _mode_of(path)
    if mode & 0x4000:
        for entry in list(os.ilistdir(path)):
            _remove(path + "/" + entry[0])
        os.rmdir(path)
    elif mode:
        os.remove(path)
