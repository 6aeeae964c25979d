#!/usr/bin/env python3
"""
Set up and run the Ansim server on this machine: `python3 tools/run.py [--demo]`

Starts the embedded MQTT broker, the ingest process, the web server and the notifier. --demo adds
sample restrooms and three virtual sensors (the real firmware on the real MicroPython), one of
which hears a camera-like transmission. Stop with Ctrl-C.
"""

from __future__ import annotations  # an old Python must get as far as the check in bootstrap.enter()

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

from tools.lib import arguments, bootstrap
from tools.lib.paths import ROOT, WORK
from tools.lib.processes import (
    FolderInUse,
    Service,
    ServiceFailed,
    Supervisor,
    lock_folder,
    port_problem,
    wait_until_answering,
    wait_until_listening,
)

LOOPBACK = "127.0.0.1"
LOOPBACKS = (LOOPBACK, "localhost", "::1", "[::1]")
OUTPUT_FOLDER = "logs"  # in the data folder: the output of each service
STAMP = ".prepared"  # in the data folder: a hash of everything that the last _prepare() depended on


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.umask(0o077)  # databases, keys and photos are for their owner only, from their first byte on
    options = _options()
    began_s = time.monotonic()
    bootstrap.enter("requirements.txt")
    for host, port, flag in ((options.host, options.port, "--port"), (_mqtt_bind(), options.mqtt_port, "--mqtt-port")):
        problem = port_problem(host, port)
        if problem:
            sys.exit(f"error: port {port} {problem}; choose another with {flag}")
    _on_signal(_interrupt)
    _lock = _lock_data_folder(options.data)  # held until the process ends
    supervisor = Supervisor()
    try:
        _run(options, supervisor, began_s)
    except KeyboardInterrupt:
        _on_signal(signal.SIG_IGN)  # stopping takes seconds; a second Ctrl-C must not interrupt it
        print("\nStopping ...", flush=True)
        supervisor.stop()
        print("Stopped.")
    except ServiceFailed as error:
        supervisor.stop()
        sys.exit(f"error: {error}")


def _interrupt(*_):
    raise KeyboardInterrupt


def _on_signal(handler):
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)


def _lock_data_folder(folder):
    """Create the data folder and lock it until the returned file is closed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / OUTPUT_FOLDER).mkdir(exist_ok=True)
        return lock_folder(folder)
    except FolderInUse as error:
        sys.exit(f"error: {error}; stop that one first, or choose another folder with --data")
    except OSError as error:
        sys.exit(f"error: cannot use {folder}: {error.strerror}; choose another folder with --data")


def _options():
    parser = arguments.full_parser(__doc__)
    parser.add_argument("--demo", action="store_true", help="add sample restrooms and three virtual sensors")
    parser.add_argument("--host", default=LOOPBACK, help="address the web server listens on (default %(default)s)")
    parser.add_argument(
        "--insecure",
        action="store_true",
        help="let other machines reach the pages without HTTPS: passwords can then be read on the way",
    )
    parser.add_argument(
        "--port", type=arguments.port, default=8000, help="port of the web server (default %(default)s)"
    )
    parser.add_argument(
        "--mqtt-port", type=arguments.port, default=1883, help="port of the embedded broker (default %(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, help="folder of the database, keys and logs (default ./data/site, with --demo ./data/demo)"
    )
    options = parser.parse_args()
    if options.port == options.mqtt_port:
        parser.error("--port and --mqtt-port are the same")
    if options.host not in LOOPBACKS and not options.insecure and not os.environ.get("ANSIM_HTTPS"):
        parser.error(
            f"with --host {options.host} passwords and sessions would cross the network without HTTPS. Put a proxy with"
            " HTTPS in front and set ANSIM_HTTPS=1 and ANSIM_PROXIES=1 (docs/server.md), or say --insecure"
        )
    if options.data is None:
        options.data = WORK / "data" / ("demo" if options.demo else "site")
    options.data = options.data.absolute()
    return options


def _run(options, supervisor, began_s):
    environ = _environ(options)
    is_prepared = _is_prepared(options, environ)
    admin = None if is_prepared else _prepare(options, environ)

    def start(name, *command):
        output_file = options.data / OUTPUT_FOLDER / f"{name}.log"
        return supervisor.start(Service(name, [sys.executable, *command], environ, output_file))

    broker = start("broker", "-m", "server.broker")
    start("ingest", "-m", "server.ingest")
    web = start("web", "-m", "server.front")
    if is_prepared and _is_unclaimed(options, environ):
        admin = _prepare(options, environ)
    wait_until_listening(_reachable(_mqtt_bind()), options.mqtt_port, broker)
    wait_until_answering(f"{_address(options)}/healthz", web)
    supervisor.check_all_run()
    _print_welcome(options, admin, time.monotonic() - began_s)
    # After the others listen: it has nothing to do in the first seconds, and all share the processor.
    start("notify", "-m", "server.notify")
    if options.demo:
        start("sensors", *_virtual_sensors(options))
        print("Three virtual sensors are starting. Within two minutes one of them has a notice that becomes an alarm;")
        print("another has notices that end by themselves.")
    print("Stop with Ctrl-C.", flush=True)
    supervisor.watch()


def _environ(options):
    """Return the environment of the services: ours, with the command line's options on top."""
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
    """Return True if _prepare() has nothing to do, without importing the database library (that takes a second)."""
    stamp = options.data / STAMP
    uses_sqlite = not environ.get("ANSIM_DATABASE_URL")
    if not stamp.is_file() or (uses_sqlite and not (options.data / "ansim.db").is_file()):
        return False
    return stamp.read_text() == _preparation_hash(options, environ)


def _is_unclaimed(options, environ):
    """Return True if no user has ever signed in: the password printed at the first start may be lost."""
    if environ.get("ANSIM_DATABASE_URL"):
        return False  # there, `flask --app server reset-password admin` makes a new one
    with contextlib.closing(sqlite3.connect(options.data / "ansim.db")) as database:
        return database.execute('SELECT max(last_login_s) IS NULL FROM "user"').fetchone()[0] == 1


def _preparation_hash(options, environ):
    """Return a hash of everything that _prepare() depends on."""
    migrations = sorted(path.name for path in (ROOT / "server/migrations/versions").glob("*.py"))
    text = f"{migrations} {options.demo} {environ.get('ANSIM_DATABASE_URL', '')} {environ.get('ANSIM_SECRET', '')}"
    return hashlib.sha256(text.encode()).hexdigest()


def _prepare(options, environ):
    """Migrate the database and enrol the demo's sensors; return (login, one-time password) of a new admin, or None."""
    os.environ.update(environ)
    from server import config, migrations, setup

    try:
        admin = setup.prepare(config.from_environment(), demo=options.demo)
    except config.BadSettings as error:
        sys.exit("error: the settings in the environment are not usable:\n" + str(error))
    except migrations.WrongForm as error:
        sys.exit(f"error: {error}")
    (options.data / STAMP).write_text(_preparation_hash(options, environ))
    return admin


def _virtual_sensors(options):
    return ["-m", "tools.simulate", "--demo", "--data", str(options.data), "--port", str(options.mqtt_port)]


def _reachable(host: str) -> str:
    """Return the address at which this machine reaches a server that listens on a host."""
    host = host.removeprefix("[").removesuffix("]")
    if host in ("0.0.0.0", ""):
        return LOOPBACK
    return "::1" if host == "::" else host


def _address(options):
    host = _reachable(options.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{options.port}"


def _mqtt_bind():
    """Return the address the broker listens on: from the environment, else the default of server/config.py."""
    return os.environ.get("ANSIM_MQTT_BIND", LOOPBACK)


def _print_welcome(options, admin, took_s):
    print(f"\nAnsim is running (ready after {took_s:.1f} s).")
    print(f"  open      {_address(options)}/")
    if options.host not in LOOPBACKS and not os.environ.get("ANSIM_HTTPS"):
        print("  WARNING   without HTTPS: passwords and sessions can be read by everybody on the way (--insecure)")
    if options.host not in LOOPBACKS and not os.environ.get("ANSIM_PUBLIC_URL"):
        print(
            "  NOTE      door signs, invitations and claim codes need ANSIM_PUBLIC_URL, this site's address for others"
        )
    if admin:
        print(f"  sign in   {admin[0]}   one-time password: {admin[1]}   (you choose your own at the first sign-in)")
    print(f"  data      {options.data}   (logs in {OUTPUT_FOLDER}/)")
    note = "" if _mqtt_bind() != LOOPBACK else "; on this machine only, docs/server.md tells how to open it to others"
    print(f"  sensors   connect to port {options.mqtt_port}{note}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
