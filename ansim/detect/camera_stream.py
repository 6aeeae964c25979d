"""
Camera stream: a transmitter sends what a streaming camera sends.

Judged per transmitter, in two stages. The first asks what it sends (rate, share, lengths,
evenness) and for how long that was heard; while hopping, a visit of 350 ms is enough to make
it a candidate for a dwell, and some seconds of a dwell are enough to raise it. The second
stage follows who is suspected: key frames, an even flow, a made-up address, full-size frames
and the signal raise or lower the score. It is cleared when the score falls or it falls silent.

What is counted: station_table.py. What the numbers mean: camera_evidence.py. What they are
worth: weights.py. An access point that sends on its own account (source = BSSID) is judged
like a station, with the weights of ACCESS_POINT on top.

Legitimate causes: a video call, a phone's live stream, an upload, the neighbour's camera.
innocent.py says for each what speaks for and against it.
"""

from array import array

from ansim.detect import camera_evidence as evidence
from ansim.detect import innocent, weights
from ansim.detect.alarm import strongest_first
from ansim.detect.camera_evidence import RSSI_ZERO, UNKNOWN
from ansim.detect.periodicity import LEAST_BINS, periodicity
from ansim.detect.station_layout import (
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
from ansim.detect.station_table import StationTable
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
GOP_MOST_LOSS = 300  # permille; with more the rhythm is lost too, and its absence proves nothing
NO_RHYTHM = 300  # permille
SECOND_STAGE_S = 20  # a made-up address and full-size frames count after so long
TOLD_AGAIN_MS = 15_000  # at most so often an emitter that is raised is told again
TOLD_CHANGE = 8  # points
RAISED_URGENCY = 40  # of a dwell for the second stage
HINT_URGENCY = 50
HINT_MS = 8000  # so long it is a candidate
HINT_EVERY_MS = 60_000  # at most so often
MOST_EVIDENCE = 12
MOST_NETWORKS = 64


class Suspect:
    """What is remembered of a transmitter beyond its counts."""

    def __init__(self, now_ms, first_ms):
        self.first_ms = first_ms
        self.since_ms = now_ms  # it has been sending like this since
        self.heard_ms = now_ms
        self.silent_ms = 0  # listened to since its stretch of sending ended
        self.low_times = 0  # judgements in a row below CLEAR_SCORE
        self.raised = False
        self.score = 0
        self.told_score = 0
        self.told_ms = 0
        self.series = 0
        self.gop = UNKNOWN
        self.gop_period_ms = UNKNOWN
        self.variation = UNKNOWN
        self.gop_ms = now_ms  # when these were last worked out
        self.rssi_top = 0  # dBm + RSSI_ZERO, as the table has it
        self.rssi_low = 2 * RSSI_ZERO
        self.channel = 0
        self.bssid = b""
        self.number = NONE  # its place in the table when it was last judged
        self.urgency = 0
        self.evidence = []
        self.considered = []


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
        self._suspects = {}  # address -> Suspect
        self._open_networks = {}  # BSSID -> 1 open, 0 not
        self._undecodable = Undecodable(self.table)
        self._known = set()
        self._hints = {}  # channel -> when answers to something unheard were heard there
        self._own_streams = []
        self._now_ms = 0

    def forget(self) -> None:
        """Start a new inspection."""
        self.table.forget()
        self._undecodable.forget()
        self._suspects = {}
        self._open_networks = {}
        self._hints = {}
        self._own_streams = []

    def tune(self, channel: int, now_ms: int) -> None:
        """The radio listens on `channel` from now on; 0: deaf."""
        self.table.tune(channel, now_ms)
        self._now_ms = now_ms
        self._share_series()

    def take(self, records, count: int) -> None:
        """Count frame headers; allocates nothing."""
        self.table.take(records, count)

    def know(self, addresses: list) -> None:
        """These emitters (six bytes each) are known: no dwell for them. The engine drops what is said of them."""
        self._known = set(addresses)

    def access_points(self, found: list, now_ms: int) -> None:
        """Remember which networks are open."""
        self._undecodable.access_points(found)
        for one in found:
            bssid = bytes(one.bssid)
            if len(self._open_networks) < MOST_NETWORKS or bssid in self._open_networks:
                self._open_networks[bssid] = 1 if one.security == 0 else 0

    def stations(self) -> tuple:
        """Return (transmitters heard, whether one had to make room) since the last call."""
        return self.table.heard()

    def candidates(self, now_ms: int) -> list:
        """Return [(channel, urgency 0..100), ...]."""
        wanted = self._undecodable.candidates()
        for channel in self._hints:
            if now_ms - self._hints[channel] < HINT_MS:
                wanted.append((channel, HINT_URGENCY))
        for suspect in self._suspects.values():
            if suspect.urgency and now_ms - suspect.heard_ms < CANDIDATE_MS:
                wanted.append((suspect.channel, suspect.urgency))
        return wanted

    def own_streams(self) -> list:
        """Return [(BSSID, kbit/s, clients), ...] of access points that send camera-like on their own account."""
        return self._own_streams

    def scores(self, now_ms: int) -> list:
        """Return [(address, score 0..100), ...] of those suspected in the last judgement, raised or not."""
        return [
            (address, self._suspects[address].score)
            for address in self._suspects
            if self._suspects[address].heard_ms == now_ms
        ]

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
            values[evidence.OPEN_NETWORK] = self._open_networks.get(address, UNKNOWN)
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
        suspect.number = number
        if table.out[O_ACTIVE]:
            self._follow(suspect, number)
            score = shape + self._points(self._amount) + self._points(self._second)
            suspect.score = max(0, min(100, score))
            suspect.silent_ms = 0
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
        hinted_ms = self._hints.get(channel)
        if hinted_ms is None or self._now_ms - hinted_ms >= HINT_EVERY_MS:
            self._hints[channel] = self._now_ms

    def _points(self, packed):
        return evidence.add_up(packed, self.values) - evidence.ADDED

    def _follow(self, suspect, number):
        """Bring what is remembered of a suspect up to date, and add it to the values."""
        values, table, now_ms = self.values, self.table, self._now_ms
        suspect.channel = table.field(number, F_HOME)
        own = table.field(number, F_FLAGS) & FLAG_OWN
        suspect.bssid = table.address(number) if own else table.address(number, F_BSSID)
        suspect.heard_ms = now_ms
        rssi = table.field(number, F_RSSI)
        suspect.rssi_top = max(suspect.rssi_top, rssi)
        suspect.rssi_low = min(suspect.rssi_low, rssi)
        persistence_s = (now_ms - suspect.since_ms) // 1000
        values[evidence.PERSISTENCE_S] = persistence_s
        values[evidence.RSSI_PEAK] = suspect.rssi_top
        values[evidence.RSSI_SPAN] = suspect.rssi_top - suspect.rssi_low
        if suspect.series and now_ms - suspect.gop_ms >= GOP_EVERY_MS:
            self._listen_for_rhythm(suspect, number)
        values[evidence.GOP] = suspect.gop
        values[evidence.GOP_PERIOD] = suspect.gop_period_ms
        values[evidence.VARIATION] = suspect.variation
        late = persistence_s >= SECOND_STAGE_S
        values[evidence.LATE_LOCAL] = values[evidence.LOCAL_ADDRESS] if late and not own else UNKNOWN
        values[evidence.LATE_FULL] = values[evidence.MAX_LENGTH_SHARE] if late else UNKNOWN

    def _listen_for_rhythm(self, suspect, number):
        """Work out the key-frame periodicity from the byte series, if there is enough of it."""
        gop, period_ms, variation, bins = periodicity(
            self.table.table, suspect.series, self.table.field(number, F_LAST_BIN)
        )
        if bins < LEAST_BINS:
            return
        suspect.gop_ms = self._now_ms
        # Windows of 25 s overlap the last ones; the mean with what was known keeps the score calm.
        if suspect.gop != UNKNOWN:
            gop, variation = (suspect.gop + gop) // 2, (suspect.variation + variation) // 2
        suspect.gop, suspect.gop_period_ms, suspect.variation = gop, period_ms, variation
        if gop < NO_RHYTHM and self.values[evidence.LOSS] > GOP_MOST_LOSS:
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
        suspect.told_score, suspect.told_ms = score, now_ms
        suspect.evidence = self._evidence()
        suspect.considered = innocent.weigh(self.values)
        if event == CLEARED and silent:
            suspect.evidence = [Evidence("silent_ms", suspect.silent_ms, SILENT_MS, 0)] + suspect.evidence[
                : MOST_EVIDENCE - 1
            ]
        findings.append(self._finding(event, suspect, address))

    def _finding(self, event, suspect, address):
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
            suspect.evidence,
            suspect.considered,
            "",
        )

    def _evidence(self):
        """The rules that counted, and what is worth knowing beside them, heaviest first."""
        rules = self._rules
        stages = [rules.SHAPE, rules.AMOUNT, rules.SECOND]
        if self.values[evidence.OWN_SOURCE] != UNKNOWN:
            stages.append(rules.ACCESS_POINT)
        found = []
        for stage in stages:
            for rule in stage:
                if self.values[rule[0]] != UNKNOWN:
                    found.append(evidence.told(rule, self.values))
        found = [one for one in strongest_first(found) if one.weight]
        room = MOST_EVIDENCE - len(found)
        named = [one.rule for one in found]
        for place in evidence.INFORMATION:
            if room > 0 and self.values[place] != UNKNOWN and evidence.RULES[place] not in named:
                found.append(Evidence(evidence.RULES[place], evidence.shown(place, self.values), 0, 0))
                room -= 1
        return found[:MOST_EVIDENCE]

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
                suspect.evidence = [Evidence("silent_ms", self._now_ms - suspect.heard_ms, LOST_MS, 0)]
                findings.append(self._finding(CLEARED, suspect, address))
            self._drop(address)

    def _drop(self, address):
        suspect = self._suspects.pop(address)
        if self.table.is_at(suspect.number, address):
            self.table.set_field(suspect.number, F_RANK, 0)
            self.table.end_series(suspect.number)

    def _share_series(self):
        """Give the byte series to the strongest suspects on this channel; one whose rhythm is known makes room."""
        channel = self.table.channel
        free = list(range(1, SERIES_COUNT + 1))
        waiting = []
        for address in self._suspects:
            suspect = self._suspects[address]
            here = suspect.channel == channel and self.table.is_at(suspect.number, address)
            if suspect.series and here:
                free.remove(suspect.series)
            else:
                suspect.series = 0
            if here and not suspect.series:
                waiting.append((suspect.gop != UNKNOWN, -suspect.score, address))
        for known, _, address in sorted(waiting):
            if not free:
                if known:
                    return
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
