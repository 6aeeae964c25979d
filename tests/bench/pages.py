"""
How long the pages take while eight people use them.

    python -m tools.seed --data /tmp/big                     # once; minutes
    python -m tests.bench.pages --data /tmp/big [--url postgresql+psycopg://...] [--seconds 20] [--pause 1.0]

Method: gunicorn as in docs/server.md (two workers of four threads), eight clients on the same machine, each with a
connection and a session of its own. Each asks for one page of one kind after another (other restrooms, other places in
the lists each time), waits `pause` seconds on average between two, as somebody who reads does, and measures from the
request to the last byte. Kinds are measured one after the other, after a short warm-up. `--pause 0` keeps all eight
asking all the time: that measures throughput, and times then grow with the queue. Bar: p95 <= 100 ms at pause 1.
The web server's CPU time a page is given beside (without PostgreSQL's own): it hardly depends on what else the machine
does.
On a machine that others use too, `chrt -r 5` in front (and for PostgreSQL) lets all of it go first, the eight clients
too.
"""

import argparse
import http.client
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from flask.sessions import SecureCookieSessionInterface
from sqlalchemy import func, select

from server import create_app
from server.config import Settings
from server.models import Finding, Inspection, Organisation, Restroom, User
from tests.conftest import ROOT
from tests.support.ports import free_port
from tests.support.server_kit import is_open
from tests.support.session_cookies import cookie_of
from tests.support.waiting import wait_for

USERS = 8
WARM_UP = 3  # requests of each client that are not counted
BAR_MS = 100
SAMPLES = 200  # different addresses of a kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--url", default="")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--pause", type=float, default=1.0)
    parser.add_argument("--only", default="", help="kinds whose name has this in it")
    options = parser.parse_args()
    settings = Settings(data=options.data.absolute(), database_url=options.url)
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    kinds, cookie = prepare(settings)
    slow = []
    with Serving(settings) as serving:
        for addresses in kinds.values():  # templates are compiled and the database's pages are in memory
            measure(serving.port, cookie, addresses, 0.5, 0)
        for name, addresses in kinds.items():
            if options.only in name:
                cpu_s = serving.cpu_s()
                times_ms, failures = measure(serving.port, cookie, addresses, options.seconds, options.pause)
                cpu_ms = (serving.cpu_s() - cpu_s) * 1000 / max(1, len(times_ms) + USERS * WARM_UP)
                p50, p95 = quantile(times_ms, 50), quantile(times_ms, 95)
                print(
                    f"{name:24} {len(times_ms):6} pages  p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  CPU {cpu_ms:5.1f} ms  "
                    f"{failures} failed",
                    flush=True,
                )
                if p95 > BAR_MS or failures:
                    slow.append(name)
    sys.exit(f"over {BAR_MS} ms: {', '.join(slow)}" if slow and options.pause >= 1 else 0)


def prepare(settings: Settings):
    """Return ({kind: addresses}, the session cookie of a manager)."""
    app = create_app(settings)
    sessions = app.extensions["sessions"]
    chance = random.Random(7)
    with sessions.begin() as session:
        user = session.scalar(select(User).where(User.login == "seed-1"))
        rooms = _sample(session, chance, Restroom)
        finding_ids = _sample(session, chance, Finding)
        inspections = _sample(session, chance, Inspection)
        organisations = session.scalars(select(Organisation.public_id).limit(SAMPLES)).all()
        mine = cookie_of(session, user, "ko")
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer
    cookie = serializer.dumps(mine)
    sessions.engine.dispose()
    kinds = {
        "list": ["/"],
        "list, anywhere": [f"/?after={room}" for room in rooms],
        "list, search": [f"/?search=가상건물 {chance.randrange(20000):05}" for _ in rooms],
        "list, search of many": [f"/?search=여자화장실 {chance.randrange(10, 99)}" for _ in rooms],
        "list, with findings": ["/?state=findings"],
        "restroom": [f"/restrooms/{room}" for room in rooms],
        "overdue": ["/plan"],
        "overdue, anywhere": [f"/plan?after={room}" for room in rooms],
        "route": ["/plan/route", "/plan/route?way=car&block=women"],
        "organisation": [f"/organisations/{one}" for one in organisations],
        "findings": ["/findings"],
        "findings, all": ["/findings?status=all"],
        "findings, anywhere": [f"/findings?status=all&before={one}" for one in finding_ids],
        "finding": [f"/findings/{one}" for one in finding_ids],
        "sensors": ["/sensors"],
        "check in": ["/inspect"],
        "inspection": [f"/inspections/{one}" for one in inspections],
    }
    kinds["district report"] = [f"/reports?of={one}" for one in organisations]
    return kinds, f"{app.config['SESSION_COOKIE_NAME']}={cookie}"


def _sample(session, chance, model):
    """Public ids from all over a table."""
    most = session.scalar(select(func.max(model.id))) or 0
    wanted = {chance.randint(1, most) for _ in range(SAMPLES)}
    return session.scalars(select(model.public_id).where(model.id.in_(wanted))).all()


class Serving:
    """gunicorn for the time of a block; listens at `port`."""

    def __init__(self, settings: Settings):
        self._settings = settings

    def __enter__(self):
        self.port = port = free_port()
        environ = {**os.environ, "ANSIM_DATA": str(self._settings.data)}
        if url := self._settings.database_url.get_secret_value():
            environ["ANSIM_DATABASE_URL"] = url
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--workers",
            "2",
            "--threads",
            "4",
            "--keep-alive",
            "60",
            "-b",
            f"127.0.0.1:{port}",
        ]
        command += ["--log-level", "error", "server:create_app()"]
        self._running = subprocess.Popen(command, cwd=ROOT, env=environ)
        wait_for(lambda: is_open(port))
        return self

    def __exit__(self, *_):
        self._running.terminate()
        self._running.wait(20)

    def cpu_s(self):
        """Seconds of CPU that gunicorn and its workers have used so far (Linux)."""
        children = Path(f"/proc/{self._running.pid}/task/{self._running.pid}/children").read_text().split()
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in children]
        return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def measure(port, cookie, addresses, seconds, pause):
    """Return (milliseconds of every page, how many failed)."""
    times_ms, failures, end = [], [], time.monotonic() + seconds

    def use(seed):
        chance = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        asked = 0
        time.sleep(pause * chance.random())
        while time.monotonic() < end:
            address = chance.choice(addresses)
            began = time.perf_counter()
            connection.request("GET", _quoted(address), headers={"Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
            took_ms = (time.perf_counter() - began) * 1000
            asked += 1
            if answer.status != 200:
                failures.append((address, answer.status))
            elif asked > WARM_UP:
                times_ms.append(took_ms)
            time.sleep(pause * 2 * chance.random())
        connection.close()

    users = [threading.Thread(target=use, args=(seed,)) for seed in range(USERS)]
    for user in users:
        user.start()
    for user in users:
        user.join()
    for address, status in failures[:3]:
        print(f"  {status} {address}")
    return times_ms, len(failures)


def quantile(times_ms, percent):
    """The time that so many percent of the pages stayed below."""
    if len(times_ms) < 2:
        return float("nan")
    return statistics.quantiles(times_ms, n=100, method="inclusive")[percent - 1]


def _quoted(address):
    from urllib.parse import quote

    return quote(address, safe="/?=&,")


if __name__ == "__main__":
    main()
