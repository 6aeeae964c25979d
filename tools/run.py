#!/usr/bin/env python3
"""
Set up and run all of Ansim on this machine: `python3 tools/run.py [--demo]`

Starts the embedded MQTT broker, the ingest process and the web server; --demo adds sample
restrooms and three virtual sensors (the real firmware on the real MicroPython), one of
which hears a camera-like transmission. Stop with Ctrl-C.
"""

import argparse
import contextlib
import hashlib
import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until main() begins: no traceback of half an import
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.lib import bootstrap
from tools.lib.processes import (
    FolderInUse,
    Service,
    ServiceFailed,
    Supervisor,
    lock_folder,
    port_problem,
    wait_until_listening,
)

ROOT = bootstrap.ROOT
LOOPBACK = "127.0.0.1"
LOGS = "logs"  # in the data folder
STAMP = ".prepared"  # in the data folder: what the last _prepare() was for


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    options = _options()
    began_s = time.monotonic()
    bootstrap.enter("requirements.txt")
    for host, port, flag in ((options.host, options.port, "--port"), (_mqtt_bind(), options.mqtt_port, "--mqtt-port")):
        why_not = port_problem(host, port)
        if why_not:
            sys.exit(f"error: port {port} {why_not}; choose another with {flag}")
    _on_signal(_stop)
    _held = _take(options.data)
    programs = Supervisor()
    try:
        _run(options, programs, began_s)
    except KeyboardInterrupt:
        _on_signal(signal.SIG_IGN)  # stopping takes seconds; a second Ctrl-C must not leave half of it
        print("\nStopping ...", flush=True)
        programs.stop()
        print("Stopped.")
    except ServiceFailed as error:
        programs.stop()
        sys.exit(f"error: {error}")


def _stop(*_):
    raise KeyboardInterrupt


def _on_signal(handler):
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)


def _take(folder):
    """Make the data folder and lock it until the returned file is closed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / LOGS).mkdir(exist_ok=True)
        return lock_folder(folder)
    except FolderInUse as error:
        sys.exit(f"error: {error}; stop that one first, or choose another folder with --data")
    except OSError as error:
        sys.exit(f"error: cannot use {folder}: {error.strerror}; choose another folder with --data")


def _port(text):
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port; give a number from 1 to 65535")
    return int(text)


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--demo", action="store_true", help="sample restrooms and three virtual sensors")
    parser.add_argument("--host", default=LOOPBACK, help="address the web server listens on (default %(default)s)")
    parser.add_argument("--port", type=_port, default=8000, help="of the web server (default %(default)s)")
    parser.add_argument("--mqtt-port", type=_port, default=1883, help="of the embedded broker (default %(default)s)")
    parser.add_argument(
        "--data", type=Path, help="folder for everything that is kept (default ./data, with --demo ./data/demo)"
    )
    options = parser.parse_args()
    if options.port == options.mqtt_port:
        parser.error("--port and --mqtt-port are the same")
    if options.data is None:
        options.data = ROOT / "data" / ("demo" if options.demo else "site")
    options.data = options.data.absolute()
    return options


def _run(options, programs, began_s):
    environ = _environ(options)
    is_prepared = _is_prepared(options, environ)
    admin = None if is_prepared else _prepare(options, environ)

    def start(name, *arguments):
        return programs.start(Service(name, [sys.executable, *arguments], environ, options.data / LOGS / f"{name}.log"))

    broker = start("broker", "-m", "server.broker")
    ingest = start("ingest", "-m", "server.ingest")
    web = start("web", *_web_server(options))
    if is_prepared and _is_unclaimed(options, environ):
        admin = _prepare(options, environ)
    wait_until_listening(_reachable(_mqtt_bind()), options.mqtt_port, broker)
    wait_until_listening(_reachable(options.host), options.port, web)
    if ingest.process.poll() is not None:
        raise ServiceFailed(ingest)
    _welcome(options, admin, time.monotonic() - began_s)
    # After the others listen: it has nothing to do in the first seconds, and they share the processor.
    start("notify", "-m", "server.notify")
    if options.demo:
        start("sensors", *_virtual_sensors(options))
        print("Three virtual sensors are starting; one of them hears a camera-like transmission within a minute.")
    print("Stop with Ctrl-C.", flush=True)
    programs.watch()


def _environ(options):
    """The children's environment: what run.py was told, over what the person has set."""
    environ = dict(os.environ)
    environ.update(
        ANSIM_DATA=str(options.data),
        ANSIM_HOST=options.host,
        ANSIM_PORT=str(options.port),
        ANSIM_MQTT_PORT=str(options.mqtt_port),
        PYTHONPATH=str(ROOT),
        PYTHONUNBUFFERED="1",
    )
    return environ


def _is_prepared(options, environ):
    """True if _prepare() has nothing to do, told without loading the database library: that takes a second."""
    stamp = options.data / STAMP
    kept_here = not environ.get("ANSIM_DATABASE_URL")
    if not stamp.is_file() or (kept_here and not (options.data / "ansim.db").is_file()):
        return False
    return stamp.read_text() == _prepared_for(options, environ)


def _is_unclaimed(options, environ):
    """True if nobody has ever signed in: the password that was printed at the first start may be lost."""
    if environ.get("ANSIM_DATABASE_URL"):
        return False  # `flask --app server reset-password admin` helps there
    with contextlib.closing(sqlite3.connect(options.data / "ansim.db")) as database:
        return database.execute('SELECT max(last_login_s) IS NULL FROM "user"').fetchone()[0] == 1


def _prepared_for(options, environ):
    """Changes with everything that _prepare() depends on."""
    forms = sorted(path.name for path in (ROOT / "server/migrations/versions").glob("*.py"))
    told = f"{forms} {options.demo} {environ.get('ANSIM_DATABASE_URL', '')} {environ.get('ANSIM_SECRET', '')}"
    return hashlib.sha256(told.encode()).hexdigest()


def _prepare(options, environ):
    """Bring the database up to date, enrol what the demo needs; return (login, one-time password) of a new admin."""
    os.environ.update(environ)
    from server import config, migrations, setup

    try:
        made = setup.prepare(config.from_environment(), demo=options.demo)
    except config.BadSettings as error:
        sys.exit("error: the settings in the environment are not usable:\n" + str(error))
    except migrations.WrongForm as error:
        sys.exit(f"error: {error}")
    (options.data / STAMP).write_text(_prepared_for(options, environ))
    return made


def _web_server(options):
    address = f"{options.host}:{options.port}"
    if os.name == "nt":
        return ["-m", "waitress", f"--listen={address}", "--call", "server:create_app"]
    # One process: login throttling counts in its memory. Threads: pages wait for the database, not for the processor.
    return [
        "-m",
        "gunicorn",
        "--workers=1",
        "--threads=8",
        f"--bind={address}",
        "--no-control-socket",
        "server:create_app()",
    ]


def _virtual_sensors(options):
    return ["-m", "tools.simulate", "--demo", "--data", str(options.data), "--port", str(options.mqtt_port)]


def _reachable(host):
    return LOOPBACK if host in ("0.0.0.0", "") else host


def _mqtt_bind():
    """Where the broker listens: what the person has set, else what server/config.py has."""
    return os.environ.get("ANSIM_MQTT_BIND", LOOPBACK)


def _welcome(options, admin, took_s):
    print(f"\nAnsim is running (ready after {took_s:.1f} s).")
    print(f"  open      http://{_reachable(options.host)}:{options.port}/")
    if admin:
        print(f"  sign in   {admin[0]}   one-time password: {admin[1]}   (you choose your own at the first sign-in)")
    print(f"  data      {options.data}   (logs in logs/)")
    where = "" if _mqtt_bind() != LOOPBACK else "; on this machine only, docs/server.md says how others reach it"
    print(f"  sensors   connect to port {options.mqtt_port}{where}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
