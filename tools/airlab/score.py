"""
How the detectors judge record files of the air lab: who is noticed, who causes an alarm, and after how many seconds.

    results = score.score(Path("tests/data/airlab"))
    print(score.table(results))
    print(score.summary(results))

Each file is played in several ways of listening. Windows are counted as in tools/evaluation/counting.py. A finding
without a level is an alarm.
"""

import itertools
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ansim.finding import CLEARED
from ansim.frame_header import ADDR1, ADDR2, KIND, KIND_DATA, LENGTH
from tools.airlab.scenario import CAMERA, IDLE_CAMERA, OTHER
from tools.evaluation import counting
from tools.evaluation.run import CAMERA_KINDS, Condition
from tools.lib.errors import ToolError
from tools.lib.parallel import run_jobs
from tools.traffic import playback, record_file

ALARM = "alarm"
UNKNOWN = "unknown"  # name of an emitter that the file does not list, such as a phone's further address

# Bars of the scoring: seconds from the camera's first pictures.
NOTICED_WITHIN_S = {"on channel": 10, "hopping": 30}
ALARMED_WITHIN_S = {"on channel": 60, "hopping": 90}
OFTEN_S = 2  # cameras with longer pauses between pictures are counted apart


class Way(NamedTuple):
    """A way of listening: a condition, and the seed of what is random in it."""

    condition: Condition
    seed: int

    @property
    def name(self) -> str:
        return self.condition.name


ON_CHANNEL = Condition("on channel")
HOPPING = Condition("hopping", hops=True, loss=0.5, burst_ms=200.0)
WAYS = (Way(ON_CHANNEL, 1), Way(HOPPING, 1), Way(HOPPING, 2))


@dataclass
class Result:
    """
    What was said about one emitter of one file in one way of listening.

    began_s        first second in which it sent SESSION_BYTES or more, None if there was none
    heard_s        seconds from then until the end of the recording
    noticed_s      seconds from then until something stood, None: never
    alarmed_s      seconds from then until an alarm stood, None: never
    active         active windows
    notice_windows, alarm_windows  those of them during which something, or an alarm, stood
    evidence       rules of the first finding, strongest first
    """

    file: str
    scenario: str
    is_held_out: bool
    way: str
    seed: int
    name: str
    label: str
    kind: str
    every_s: float
    began_s: int | None
    heard_s: int
    noticed_s: float | None = None
    alarmed_s: float | None = None
    active: int = 0
    notice_windows: int = 0
    alarm_windows: int = 0
    evidence: list[str] = field(default_factory=list)


def score(folder: Path, names: Sequence[str] = (), ways: Sequence[Way] = WAYS) -> list[Result]:
    """Return the Results of the record files in a folder. Raises ToolError if there are none."""
    paths = sorted(folder.rglob(f"*{record_file.SUFFIX}")) if folder.is_dir() else []
    if not paths:
        raise ToolError(f"{folder} has no {record_file.SUFFIX} file; `python -m tools.airlab run` makes them")
    chosen = [path for path in paths if not names or path.name.split(".")[0] in names]
    jobs = [(path, way) for path in chosen for way in ways]
    return [result for of_file in run_jobs("scoring", score_file, jobs) for result in of_file]


def score_file(path: Path, way: Way, make_engine: Callable[[], Any] = playback.make_engine) -> list[Result]:
    """Return the Results of all emitters in a file, those it does not list as one called UNKNOWN."""
    header = record_file.header(path)
    stations = {station["address"]: station for station in header["stations"]}
    counters = {address: _Counter(address) for address in stations}
    traffic = playback.Traffic(_count(record_file.records(path), counters), int(header["seconds"] * 1000))
    if way.condition.loss:
        traffic = playback.with_loss(traffic, way.condition.loss, way.seed, way.condition.burst_ms)
    findings = _Findings()
    for at_ms, finding in _play(traffic, way, make_engine):
        findings.add(at_ms / 1000, finding)
    results = []
    for address, station in stations.items():
        results.append(_result(path, header, way, station, counters[address].summary(), findings.of(address)))
    others = [address for address in findings.addresses() if address not in stations]
    for address in others:
        station = {"name": UNKNOWN, "label": OTHER, "kind": "phone"}
        results.append(_result(path, header, way, station, None, findings.of(address)))
    return results


def _play(traffic, way, make_engine):
    if not way.condition.hops:
        return playback.play_on_channel(traffic, make_engine)
    start_ms = way.seed * 1711 % (13 * 350)  # anywhere in the hop over 13 channels
    return playback.play_hopping(traffic, make_engine(), playback.firmware_plan(traffic), start_ms=start_ms)


class _Counter:
    """Counts the data frames of one station, both ways, as a header stream of it would."""

    def __init__(self, address: str):
        self.address = bytes.fromhex(address.replace(":", ""))
        self._frames = counting.FrameCounter()
        self._first_s: int | None = None
        self._sent: dict[int, int] = defaultdict(int)

    def add(self, time_s: float, is_sent: int, length: int) -> None:
        for _ in self._frames.frames([(time_s, is_sent, length)]):
            pass
        if is_sent:
            self._sent[int(time_s)] += length

    def summary(self) -> tuple[list[int], int | None]:
        """Return the starts of the active windows, and the first second with SESSION_BYTES sent."""
        began = (second for second, size in sorted(self._sent.items()) if size >= counting.SESSION_BYTES)
        return self._frames.summary().active, next(began, None)


def _count(records: Iterable[tuple[int, bytes]], counters: dict[str, _Counter]) -> Iterator[tuple[int, bytes]]:
    """Pass records on and count them for their transmitter and their receiver."""
    by_address = {counter.address: counter for counter in counters.values()}
    length_of = struct.Struct("<H").unpack_from
    for time_us, record in records:
        if record[KIND] & 0x0F == KIND_DATA:
            for offset, is_sent in ((ADDR2, 1), (ADDR1, 0)):
                counter = by_address.get(record[offset : offset + 6])
                if counter:
                    counter.add(time_us / 1e6, is_sent, length_of(record, LENGTH)[0])
        yield time_us, record


class _Findings:
    """The findings of a playback: for each emitter the spans in which something stood, and in which an alarm stood."""

    def __init__(self):
        self._standing: dict[tuple[str, str], str] = {}  # (emitter, detector) -> level
        self._changes: dict[str, list[tuple[float, bool, bool]]] = defaultdict(list)  # time, anything, alarm
        self._evidence: dict[str, list[str]] = {}

    def add(self, at_s: float, finding: Any) -> None:
        if finding.kind not in CAMERA_KINDS:
            return
        emitter = finding.subject
        if finding.event == CLEARED:
            self._standing.pop((emitter, finding.kind), None)
        else:
            self._standing[emitter, finding.kind] = getattr(finding, "level", ALARM) or ALARM
            rules = [f"{item.rule} {item.value} ({item.weight:+d})" for item in finding.evidence]
            self._evidence.setdefault(emitter, rules)
        levels = [level for (who, _), level in self._standing.items() if who == emitter]
        self._changes[emitter].append((at_s, bool(levels), ALARM in levels))

    def addresses(self) -> list[str]:
        return sorted(self._changes)

    def of(self, address: str) -> tuple[list[tuple[float, bool, bool]], list[str]]:
        return self._changes.get(address, []), self._evidence.get(address, [])


def _result(path, header, way, station, counted, found):
    active, began_s = counted or ([], None)
    changes, evidence = found
    end_s = float(header["seconds"])
    notices = counting.finding_spans([(at_s, is_standing) for at_s, is_standing, _ in changes], end_s)
    alarms = counting.finding_spans([(at_s, is_alarm) for at_s, _, is_alarm in changes], end_s)
    return Result(
        path.name.removesuffix(record_file.SUFFIX),
        header["scenario"],
        header["is_held_out"],
        way.name,
        way.seed,
        station["name"],
        station["label"],
        station["kind"],
        header["every_s"],
        began_s,
        header["seconds"] - (began_s or 0),
        notices[0][0] - (began_s or 0) if notices else None,
        alarms[0][0] - (began_s or 0) if alarms else None,
        len(active),
        len(counting.windows_during(active, notices)) if counted else len(notices),
        len(counting.windows_during(active, alarms)) if counted else len(alarms),
        evidence,
    )


def table(results: Sequence[Result]) -> str:
    """Return a Markdown table, one line for each file: what was said in each way of listening."""
    ways = list(dict.fromkeys((result.way, result.seed) for result in results))
    lines = [
        "| scenario | " + " | ".join(f"{way} {seed}" for way, seed in ways) + " | |",
        "|---" * (len(ways) + 2) + "|",
    ]
    for file, group in itertools.groupby(results, key=lambda result: result.file):
        of_file = list(group)
        cells = []
        for way in ways:
            of_way = [result for result in of_file if (result.way, result.seed) == way]
            cells.append("; ".join(filter(None, map(_cell, of_way))) or "-")
        lines.append(
            f"| {file}{' (held out)' if of_file[0].is_held_out else ''} | "
            + " | ".join(cells)
            + f" | {_verdict(of_file)} |"
        )
    return "\n".join(lines)


def _cell(result):
    """What was said about one emitter, "" if nothing."""
    if result.noticed_s is None:
        return ""
    alarm = "no alarm" if result.alarmed_s is None else f"alarm {result.alarmed_s:.0f} s"
    return f"{result.name} {result.noticed_s:.0f} s, {alarm} ({result.notice_windows}/{result.active} windows)"


def _verdict(results):
    words = []
    cameras = [result for result in results if result.label == CAMERA]
    if cameras:
        noticed = sum(result.noticed_s is not None for result in cameras)
        words.append(
            "noticed" if noticed == len(cameras) else f"noticed in {noticed} of {len(cameras)}" if noticed else "MISSED"
        )
    others = [result for result in results if result.label != CAMERA]
    if any(result.alarm_windows for result in others):
        words.append("FALSE ALARM")
    elif any(result.notice_windows for result in others):
        words.append("false notice")
    return ", ".join(words) or "quiet"


def summary(results: Sequence[Result]) -> str:
    """Return the figures as text: cameras in time, and false windows of each kind; held-out files apart."""
    lines = []
    for is_held_out in (False, True):
        of_set = [result for result in results if result.is_held_out == is_held_out]
        if not of_set:
            continue
        lines.append("Held out:" if is_held_out else "Development:")
        for way in dict.fromkeys(result.way for result in of_set):
            of_way = [result for result in of_set if result.way == way]
            lines += [f"  {way}: {line}" for line in (*_camera_lines(of_way, way), *_false_lines(of_way))]
    return "\n".join(lines)


def _camera_lines(results, way):
    cameras = [result for result in results if result.label == CAMERA and result.began_s is not None]
    groups = (
        ("cameras with a picture every 2 s or more often", [r for r in cameras if 0 < r.every_s <= OFTEN_S]),
        ("other cameras", [r for r in cameras if not 0 < r.every_s <= OFTEN_S]),
    )
    for title, group in groups:
        if group:
            within_s, alarm_s = NOTICED_WITHIN_S[way], ALARMED_WITHIN_S[way]
            noticed = [result.noticed_s for result in group if result.noticed_s is not None]
            long_enough = [result for result in group if result.heard_s >= alarm_s]
            alarmed = [result.alarmed_s for result in long_enough if result.alarmed_s is not None]
            in_time = sum(delay_s <= within_s for delay_s in noticed), sum(delay_s <= alarm_s for delay_s in alarmed)
            yield (
                f"{title}: {len(noticed)} of {len(group)} noticed, {in_time[0]} within {within_s} s; of the "
                f"{len(long_enough)} recorded for {alarm_s} s or more {in_time[1]} caused an alarm within {alarm_s} s"
            )


def _false_lines(results):
    kinds = defaultdict(list)
    for result in results:
        if result.label == OTHER:
            kinds[result.kind].append(result)
        elif result.label == IDLE_CAMERA:
            kinds["idle camera"].append(result)
        elif result.label != CAMERA:
            kinds[result.label].append(result)
    for kind, group in sorted(kinds.items()):
        active = sum(result.active for result in group)
        notices, alarms = sum(r.notice_windows for r in group), sum(r.alarm_windows for r in group)
        yield f"{kind}: {active} active windows of {len(group)} emitters, {notices} with notice, {alarms} with alarm"
