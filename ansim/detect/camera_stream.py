"""
Camera stream: a transmitter sends what a streaming camera sends.

Judged per transmitter, in two stages. The first asks what it sends (rate, share, lengths, evenness) and for how long
that was heard; while hopping, a visit of 350 ms is enough to make it a candidate for a dwell, and some seconds of a
dwell are enough to raise it. The second stage follows who is suspected: key frames, an even flow, a made-up address,
full-size frames and the signal raise or lower the score. It is cleared when the score falls or it falls silent.

What is counted: station_table.py. What the numbers mean: camera_evidence.py. What they are worth: weights.py. An
access point that sends on its own account (source = BSSID) is judged like a station, with ACCESS_POINT on top.

Legitimate causes: a video call, a phone's live stream, an upload, the neighbour's camera.
innocent.py says for each what speaks for and against it.
"""

from array import array

from ansim.detect import camera_evidence as evidence
from ansim.detect import innocent_causes, weights
from ansim.detect.alarm import fingerprint, strongest_first
from ansim.detect.camera_evidence import RSSI_ZERO, UNKNOWN
from ansim.detect.periodicity import MIN_BINS, periodicity
from ansim.detect.stations.layout import (
    F_BSSID,
    F_FLAGS,
    F_HOME,
    F_LAST_BIN,
    F_RANK,
    F_RSSI,
    FLAG_OWN,
    NONE,
    O_ACTIVE,
    O_ANSWERED,
    SERIES_COUNT,
)
from ansim.detect.stations.table import StationTable
from ansim.detect.suspect import Suspect
from ansim.detect.undecodable import Undecodable
from ansim.finding import ALARM_SCORE, CLEARED, RAISED, UPDATED, Evidence, Finding
from ansim.frame_header import address_text

CLEAR_SCORE = 55  # below ALARM_SCORE, so that a score at the edge does not flicker
CANDIDATE_SCORE = 45  # for what it sends, however short it was heard
DECIDED_MS = 8000  # heard for so long, a score below the alarm is a verdict ...
NEAR_POINTS = 10  # ... unless it is that near: then what disturbs it may pass
NEAR_URGENCY = 70
SILENT_MS = 2000  # of listening beyond the three rows or visits without activity that end a stretch: it has stopped
LOW_TIMES = 3  # judgements below CLEAR_SCORE in a row: one visit that fell into a pause clears nothing
CANDIDATE_MS = 60_000  # so long a suspect's channel is worth a dwell after it was last heard
LOST_MS = 180_000  # not heard for so long while the radio was elsewhere: nothing is known any more
GOP_EVERY_MS = 5000
GOP_MAX_LOSS = 300  # permille; with more the rhythm is lost too, and its absence proves nothing
NO_RHYTHM = 300  # permille
# A made-up address and full-size frames count after so long, of which so much was listened to: not before a dwell is over.
SECOND_STAGE_MS, LISTENED_MS = 20_000, 9000
KEPT_MS, MAX_PAUSED = 60_000, 16  # who was told of is remembered so long after it stopped: photos come one by one
TOLD_AGAIN_MS = 15_000  # at most so often an emitter that is raised is told again
TOLD_CHANGE = 8  # points
RAISED_URGENCY = 40  # of a dwell for the second stage
HINT_URGENCY = 50
HINT_MS = 20_000  # so long it is a candidate: an upload and a hop may come before its dwell
HINT_DWELL_MS = 5000  # listened to for so long, it has had what it hinted at
HINT_EVERY_MS = 60_000  # at most so often
MAX_EVIDENCE = 12
MAX_NETWORKS = 64


class CameraStream:
    """
    Raises and clears findings of kind "camera_stream", and of "undecodable_source" below the alarm.

    rules  where the weights come from; tools/fit.py tries others
    """

    name = "camera_stream"

    def __init__(self, rules=weights):
        self._rules = rules
        self._shape = evidence.pack(rules.SHAPE)
        self._amount = evidence.pack(rules.AMOUNT)
        self._second = evidence.pack(rules.SECOND)
        self._access_point = evidence.pack(rules.ACCESS_POINT)
        self.table = StationTable()
        self.values = array("I", [UNKNOWN] * len(evidence.RULES))
        self._undecodable = Undecodable(self.table)
        self._known = set()
        self._now_ms = self._tuned_ms = 0
        self._reset()

    def forget(self) -> None:
        """Start a new inspection."""
        self.table.forget()
        self._undecodable.forget()
        self._reset()

    def _reset(self):
        self._suspects = {}  # address -> Suspect
        self._paused = {}  # address that was told of and stopped -> (Suspect.made_ms, heard_ms, listened_ms)
        self._open_networks = {}  # fingerprint of the BSSID -> 1 open, 0 not
        self._hints = {}  # channel -> when answers to something unheard were heard there
        self._own_streams = []

    def tune(self, channel: int, now_ms: int) -> None:
        """The radio listens on `channel` from now on; 0: deaf."""
        self.table.tune(channel, now_ms)
        self._now_ms = self._tuned_ms = now_ms
        self._share_series()

    def take(self, records, count: int) -> None:
        """Count frame headers; allocates nothing."""
        self.table.take(records, count)

    def is_quiet(self) -> bool:
        """True if nobody was heard since the last judgement."""
        return self.table.is_quiet()

    def ignore(self, addresses: list) -> None:
        """These emitters (six bytes each) are known: no dwell for them. The engine drops what is said of them."""
        self._known = set(addresses)

    def access_points(self, found: list, now_ms: int) -> None:
        """Remember which networks are open."""
        self._undecodable.access_points(found)
        for one in found:
            bssid = fingerprint(one.bssid)
            if len(self._open_networks) < MAX_NETWORKS or bssid in self._open_networks:
                self._open_networks[bssid] = 1 if one.security == 0 else 0

    def stations(self) -> tuple:
        """Return (transmitters heard, whether one had to make room) since the last call."""
        return self.table.heard()

    def candidates(self, now_ms: int) -> list:
        """Return [(channel, urgency 0..100), ...]."""
        wanted = self._undecodable.candidates()
        wanted += [(channel, HINT_URGENCY) for channel in self._hints if now_ms - self._hints[channel] < HINT_MS]
        for suspect in self._suspects.values():
            if suspect.urgency and now_ms - suspect.heard_ms < CANDIDATE_MS:
                wanted.append((suspect.channel, suspect.urgency))
        return wanted

    def own_streams(self) -> list:
        """Return [(BSSID, kbit/s, clients), ...] of access points that send camera-like on their own account."""
        return self._own_streams

    def scores(self, now_ms: int) -> list:
        """Return [(address, score 0..100), ...] of those suspected in the last judgement, raised or not."""
        return [(address, one.score) for address, one in self._suspects.items() if one.heard_ms == now_ms]

    def judge(self, now_ms: int) -> list:
        """Return the findings of both kinds that are new, changed or over."""
        self._now_ms = now_ms
        table = self.table
        table.settle(now_ms)
        findings = []
        self._own_streams = []
        number = table.next(0)
        while number != NONE:
            evidence.measure(table.table, number, table.out, self.values)
            self._judge_one(number, findings)
            self._undecodable.look(number, self.values, now_ms, findings)
            number = table.next(number + 1)
        self._drop_lost(findings)
        if table.channel in self._hints and now_ms - self._tuned_ms >= HINT_DWELL_MS:
            self._hints[table.channel] = min(self._hints[table.channel], now_ms - HINT_MS)
        self._share_series()
        self._undecodable.end(now_ms, findings)
        return findings

    def _judge_one(self, number, findings):
        values, table = self.values, self.table
        shape = self._rules.BASE + self._points(self._shape)
        values[evidence.OPEN_NETWORK] = UNKNOWN
        if table.out[O_ANSWERED]:
            self._hint(table.field(number, F_HOME))
        if values[evidence.OWN_SOURCE] != UNKNOWN:
            address = table.address(number)
            values[evidence.OPEN_NETWORK] = self._open_networks.get(fingerprint(address), UNKNOWN)
            if shape >= CANDIDATE_SCORE:
                clients = 1 if values[evidence.SINGLE_CLIENT] >= 900 else 2
                self._own_streams.append((address, values[evidence.UPLINK_KBPS], clients))
            shape += self._points(self._access_point)
        if shape < CANDIDATE_SCORE and not table.field(number, F_RANK):
            return
        address = table.address(number)
        suspect = self._suspects.get(address)
        if suspect is None:
            if shape < CANDIDATE_SCORE:
                return
            suspect = self._suspects[address] = Suspect(self._now_ms, table.first_ms(number))
            made_ms, heard_ms, listened_ms = self._paused.pop(address, (0, -KEPT_MS, 0))
            if self._now_ms - heard_ms < KEPT_MS:
                suspect.made_ms, suspect.told_ms, suspect.listened_ms = made_ms, heard_ms, listened_ms
        suspect.number, suspect.channel = number, table.field(number, F_HOME)
        if table.out[O_ACTIVE]:
            self._follow(suspect, number)
            score = shape + self._points(self._amount) + self._points(self._second)
            suspect.score = max(0, min(100, score))
            if suspect.silent_ms:
                suspect.silent_ms = 0
            if suspect.score < CLEAR_SCORE or suspect.low_times:
                suspect.low_times = suspect.low_times + 1 if suspect.score < CLEAR_SCORE else 0
        else:
            suspect.since_ms = self._now_ms
            suspect.silent_ms += table.spent_ms
        self._tell(suspect, address, findings)
        suspect.urgency = 0 if address in self._known else self._urgency(suspect, shape)
        if suspect.raised or shape >= CANDIDATE_SCORE:
            # One that is raised stays in the table before all that are not.
            table.set_field(number, F_RANK, max(1, suspect.score) + (100 if suspect.raised else 0))
        else:
            self._drop(address)

    def _hint(self, channel):
        """Answers were heard to what was not: worth a dwell, but not again and again."""
        if self._now_ms - self._hints.get(channel, -HINT_EVERY_MS) >= HINT_EVERY_MS:
            self._hints[channel] = self._now_ms

    def _points(self, packed):
        return evidence.add_up(packed, self.values) - evidence.ADDED

    def _follow(self, suspect, number):
        """Bring what is remembered of a suspect up to date, and add it to the values."""
        values, table, now_ms = self.values, self.table, self._now_ms
        own = table.field(number, F_FLAGS) & FLAG_OWN
        suspect.heard_ms = now_ms
        rssi = table.field(number, F_RSSI)
        suspect.rssi_top = max(suspect.rssi_top, rssi)
        suspect.rssi_low = min(suspect.rssi_low, rssi)
        persistence_s = max(0, now_ms - suspect.since_ms) // 1000
        values[evidence.PERSISTENCE_S] = persistence_s
        values[evidence.RSSI_PEAK] = suspect.rssi_top
        values[evidence.RSSI_SPAN] = suspect.rssi_top - suspect.rssi_low
        if suspect.series and now_ms - suspect.gop_ms >= GOP_EVERY_MS:
            self._listen_for_rhythm(suspect, number)
        values[evidence.GOP] = suspect.gop
        values[evidence.GOP_PERIOD] = suspect.gop_period_ms
        values[evidence.VARIATION] = suspect.variation
        suspect.listened_ms += table.spent_ms
        late = now_ms - suspect.made_ms >= SECOND_STAGE_MS and suspect.listened_ms >= LISTENED_MS
        values[evidence.LATE_LOCAL] = values[evidence.LOCAL_ADDRESS] if late and not own else UNKNOWN
        values[evidence.LATE_FULL] = values[evidence.MAX_LENGTH_SHARE] if late else UNKNOWN

    def _listen_for_rhythm(self, suspect, number):
        """Work out the key-frame periodicity from the byte series, if there is enough of it."""
        gop, period_ms, variation, bins = periodicity(
            self.table.table, suspect.series, self.table.field(number, F_LAST_BIN)
        )
        if bins < MIN_BINS:
            return
        suspect.gop_ms = self._now_ms
        # Windows of 25 s overlap the last ones; the mean with what was known keeps the score calm.
        if suspect.gop != UNKNOWN:
            gop, variation = (suspect.gop + gop) // 2, (suspect.variation + variation) // 2
        suspect.gop, suspect.gop_period_ms, suspect.variation = gop, period_ms, variation
        if gop < NO_RHYTHM and self.values[evidence.LOSS] > GOP_MAX_LOSS:
            suspect.gop = suspect.gop_period_ms = UNKNOWN

    def _tell(self, suspect, address, findings):
        """Append a Finding if the suspect is to be raised, told again or cleared."""
        now_ms, score = self._now_ms, suspect.score
        silent = suspect.silent_ms >= SILENT_MS
        event = None
        if not suspect.raised:
            if score >= ALARM_SCORE and suspect.heard_ms == now_ms:
                event = RAISED
        elif suspect.low_times >= LOW_TIMES or silent:
            event = CLEARED
        elif now_ms - suspect.told_ms >= TOLD_AGAIN_MS and abs(score - suspect.told_score) >= TOLD_CHANGE:
            event = UPDATED
        if event is None:
            return
        suspect.raised = event != CLEARED
        if event == CLEARED and silent:
            # What it sent is what was told last; the counts of its silence say nothing about it.
            suspect.score = suspect.told_score
            rows = [Evidence("silent_ms", suspect.silent_ms, SILENT_MS, 0)]
            rows += evidence.kept(suspect.evidence)[: MAX_EVIDENCE - 1]
        else:
            rows = self._evidence()
            suspect.evidence = evidence.keep(rows)
            suspect.considered = innocent_causes.weigh(self.values)
            own = self.table.field(suspect.number, F_FLAGS) & FLAG_OWN
            suspect.bssid = address if own else self.table.address(suspect.number, F_BSSID)
        suspect.told_score, suspect.told_ms = suspect.score, now_ms
        findings.append(self._finding(event, suspect, address, rows))

    def _finding(self, event, suspect, address, rows):
        return Finding(
            event,
            self.name,
            address_text(address),
            self._now_ms,
            suspect.first_ms,
            suspect.score,
            suspect.channel,
            suspect.rssi_top - RSSI_ZERO,
            address_text(suspect.bssid),
            rows,
            suspect.considered,
            "",
        )

    def _evidence(self):
        """The rules that counted, heaviest first, and what is worth knowing beside them: always what was missed."""
        rules = self._rules
        stages = [rules.SHAPE, rules.AMOUNT, rules.SECOND]
        if self.values[evidence.OWN_SOURCE] != UNKNOWN:
            stages.append(rules.ACCESS_POINT)
        found = []
        for stage in stages:
            for rule in stage:
                if self.values[rule[0]] != UNKNOWN:
                    found.append(evidence.told(rule, self.values))
        found = [one for one in strongest_first(found) if one.weight][: MAX_EVIDENCE - 1]
        room = MAX_EVIDENCE - len(found)
        named = [one.rule for one in found]
        for place in evidence.INFORMATION:
            if room > 0 and self.values[place] != UNKNOWN and evidence.RULES[place] not in named:
                found.append(Evidence(evidence.RULES[place], evidence.shown(place, self.values), 0, 0))
                room -= 1
        return found

    def _urgency(self, suspect, shape):
        if suspect.raised:
            return RAISED_URGENCY if suspect.gop == UNKNOWN else 0
        if self.values[evidence.HEARD_MS] >= DECIDED_MS:
            return NEAR_URGENCY if suspect.score >= ALARM_SCORE - NEAR_POINTS else 0
        return max(50, min(100, shape))

    def _drop_lost(self, findings):
        """Forget who was not heard for long."""
        for address in list(self._suspects):
            suspect = self._suspects[address]
            if self._now_ms - suspect.heard_ms < LOST_MS:
                continue
            if suspect.raised:
                suspect.score = 0
                rows = [Evidence("silent_ms", self._now_ms - suspect.heard_ms, LOST_MS, 0)]
                findings.append(self._finding(CLEARED, suspect, address, rows))
            self._drop(address)

    def _drop(self, address):
        suspect = self._suspects.pop(address)
        if suspect.told_ms:
            self._paused = self._paused if len(self._paused) < MAX_PAUSED else {}
            self._paused[address] = suspect.made_ms, suspect.heard_ms, suspect.listened_ms
        if self.table.is_at(suspect.number, address):
            self.table.set_field(suspect.number, F_RANK, 0)
            self.table.end_series(suspect.number)

    def _share_series(self):
        """Give the byte series to the strongest suspects on this channel; one whose rhythm is known makes room."""
        free, waiting = list(range(1, SERIES_COUNT + 1)), []
        for address in self._suspects:
            suspect = self._suspects[address]
            here = suspect.channel == self.table.channel and self.table.is_at(suspect.number, address)
            if suspect.series and here:
                free.remove(suspect.series)
            else:
                suspect.series = 0
            if here and not suspect.series:
                waiting.append((suspect.gop != UNKNOWN, -suspect.score, address))
        for known, _, address in sorted(waiting):
            if not free and not known:
                free = self._made_room()
            if not free:
                return
            suspect = self._suspects[address]
            suspect.series = free.pop()
            suspect.gop_ms = self._now_ms
            self.table.start_series(suspect.number, suspect.series)

    def _made_room(self):
        for suspect in self._suspects.values():
            if suspect.series and suspect.gop != UNKNOWN and self._now_ms - suspect.gop_ms < GOP_EVERY_MS:
                series, suspect.series = suspect.series, 0
                self.table.end_series(suspect.number)
                return [series]
        return []
