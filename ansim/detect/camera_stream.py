"""
Camera stream: a transmitter whose traffic looks like that of a streaming camera.

Each transmitter is judged in two stages. The first evaluates what it sends (rate, share, lengths, evenness) and how
long it was heard: while hopping, a visit of 350 ms is enough to make it a candidate for a dwell, and some seconds of
a dwell are enough to raise it. The second stage follows suspects: key frames, an even flow, a randomised address,
full-size frames and the signal strength raise or lower the score. A finding is cleared when its score falls or the
transmitter is silent.

stations/table.py counts, camera_evidence.py turns the counts into values, weights.py has their points. An access
point that sends for itself (source = BSSID) is judged like a station, with the rules ACCESS_POINT added.

Legitimate causes: a video call, a phone's live stream, an upload, the neighbour's camera.
innocent_causes.py weighs each of them.
"""

from array import array

from ansim.detect import camera_evidence as evidence
from ansim.detect import innocent_causes, weights
from ansim.detect.camera_evidence import RSSI_ZERO, UNKNOWN
from ansim.detect.hysteresis import fingerprint, strongest_first
from ansim.detect.packet_lengths import common_share
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
from ansim.finding import ALARM, CLEARED, NOTICE, RAISED, UPDATED, Evidence, Finding
from ansim.frame_header import address_text
from ansim.signatures import CAMERA

NOTICE_SCORE = 54  # the weakest known camera reaches 56 in 10 s
CLEAR_SCORE = 49  # below NOTICE_SCORE, so that a score near it does not flicker
CANDIDATE_SCORE = 45  # from what it sends alone, however briefly it was heard
DECIDED_MS = 8000  # after so long a score below the alarm is final ...
NEAR_POINTS = 10  # ... unless it is this close to the alarm: a disturbance may pass
NEAR_URGENCY = 70
SILENT_MS = 2000  # of listening after the three rows without activity that end a period of sending: it has stopped
PICTURES_GOP, PICTURES_VARIATION = 700, 1500  # permille: single pictures in a rhythm, with pauses between them
PICTURES_SILENT_MS = 9000  # instead of SILENT_MS: four pauses between pictures every 2 s
UNMET_SCORE = 45  # at most, while a necessary condition is not met; below CLEAR_SCORE, so that it clears a finding
HIGH_JUDGEMENTS = 5  # judgements at NOTICE_SCORE in a row before a notice is raised
# An alarm is earned: by so much listening in which the conditions were met, so long after they were met first. Uploads,
# pages and most one-way calls are over by then; while hopping, half of the time goes to other channels.
ALARM_LISTENED_MS = 22_000  # and innocent_causes.least_ms()
ALARM_MOVEMENT_PPM = 10_000  # p-value of a movement test
LOW_JUDGEMENTS = 3  # judgements below CLEAR_SCORE in a row: a single visit during a pause clears nothing
CANDIDATE_MS = 60_000  # a suspect's channel is worth a dwell for so long after it was last heard
LOST_MS = 180_000  # after so long without being heard a suspect is dropped
GOP_EVERY_MS = 5000
GOP_MAX_LOSS = 300  # permille; with more loss the rhythm is lost too, and its absence proves nothing
NO_RHYTHM = 300  # permille
# A randomised address and full-size frames count only after this time and this much listening: after a dwell.
SECOND_STAGE_MS, LISTENED_MS = 20_000, 9000
REMEMBERED_MS, MAX_PAUSED = (
    60_000,
    16,
)  # how long and how many reported suspects that stopped are remembered: photos come one by one
UPDATE_EVERY_MS = 15_000  # least time between two updates of a finding
UPDATE_POINTS = 8  # points
RAISED_URGENCY = 40  # of a dwell for the second stage
ALARM_URGENCY = 55  # of a dwell for the listening that an alarm needs
UNMET_JUDGEMENTS = 2
HINT_URGENCY = 50
HINT_MS = 20_000  # the hint is a candidate for so long: an upload and a hop may come before its dwell
HINT_DWELL_MS = 5000  # after so long a dwell the hint is settled
HINT_EVERY_MS = 60_000  # least time between two hints of a channel
MAX_EVIDENCE = 12
MAX_NETWORKS = 64


class CameraStream:
    """
    Makes findings of the kinds "camera_stream", and "undecodable_source" with a score below the alarm.

    rules      module with the weights; tools/fit.py tries others
    tables     a signatures.Tables, to know the addresses of camera makers; None: no address is known
    memory     see StationTable
    necessary  conditions of the gate; tools/evaluation/nested.py tries others
    """

    name = "camera_stream"

    def __init__(self, rules=weights, tables=None, memory=None, necessary=evidence.NECESSARY):
        self._rules = rules
        self._necessary = necessary
        self._tables = tables
        self._shape = evidence.pack(rules.SHAPE)
        self._amount = evidence.pack(rules.AMOUNT)
        self._second = evidence.pack(rules.SECOND)
        self._access_point = evidence.pack(rules.ACCESS_POINT)
        self.table = StationTable(memory)
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
        self._paused = {}  # address of a reported suspect that stopped -> (Suspect.made_ms, heard_ms, listened_ms)
        self._open_networks = {}  # fingerprint of the BSSID -> 1 open, 0 not
        self._hints = {}  # channel -> when answers to an unheard transmitter were heard there
        self._own_streams = []

    def tune(self, channel: int, now_ms: int) -> None:
        """The radio listens on `channel` from now on; 0: deaf."""
        self.table.tune(channel, now_ms)
        self._now_ms = self._tuned_ms = now_ms
        self._share_series()

    def take(self, records: bytes | bytearray | memoryview, count: int) -> None:
        """Count frame headers; allocates nothing."""
        self.table.take(records, count)

    def is_quiet(self) -> bool:
        """Return True if no station was heard since the last judgement."""
        return self.table.is_quiet()

    def moved(self, address: bytes, p_ppm: int) -> None:
        """Take the result of a movement test: the p-value that a transmitter follows movement, in parts per million."""
        if address in self._suspects:
            self._suspects[address].movement_ppm = p_ppm

    def ignore(self, addresses: list) -> None:
        """Make these emitters (six bytes each) no candidates for a dwell; the engine drops their findings."""
        self._known = set(addresses)

    def access_points(self, scan: list, now_ms: int) -> None:
        """Remember which networks are open."""
        self._undecodable.access_points(scan)
        for access_point in scan:
            bssid = fingerprint(access_point.bssid)
            if len(self._open_networks) < MAX_NETWORKS or bssid in self._open_networks:
                self._open_networks[bssid] = 1 if access_point.security == 0 else 0

    def stations(self) -> tuple:
        """Return (number of transmitters heard, whether one was replaced) since the last call."""
        return self.table.heard()

    def missed(self) -> tuple:
        """Return how many numbered frames were (received, missing in between) since the last call."""
        return self.table.missed()

    def candidates(self, now_ms: int) -> list:
        """Return [(channel, urgency 0..100), ...]."""
        candidates = self._undecodable.candidates()
        candidates += [(channel, HINT_URGENCY) for channel in self._hints if now_ms - self._hints[channel] < HINT_MS]
        for suspect in self._suspects.values():
            if suspect.urgency and now_ms - suspect.heard_ms < CANDIDATE_MS:
                candidates.append((suspect.channel, suspect.urgency))
        return candidates

    def own_streams(self) -> list:
        """Return [(BSSID, kbit/s, clients), ...] of access points that themselves send like a camera."""
        return self._own_streams

    def scores(self, now_ms: int) -> list:
        """Return [(address, score 0..100), ...] of the suspects heard in the last judgement, raised or not."""
        return [(address, suspect.score) for address, suspect in self._suspects.items() if suspect.heard_ms == now_ms]

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
            self._judge_station(number, findings)
            self._undecodable.look(number, self.values, now_ms, findings)
            number = table.next(number + 1)
        self._drop_lost(findings)
        if table.channel in self._hints and now_ms - self._tuned_ms >= HINT_DWELL_MS:
            self._hints[table.channel] = min(self._hints[table.channel], now_ms - HINT_MS)
        self._share_series()
        self._undecodable.end(now_ms, findings)
        return findings

    def _judge_station(self, number, findings):
        values, table = self.values, self.table
        shape = self._rules.BASE + self._points(self._shape)
        values[evidence.OPEN_NETWORK] = values[evidence.GOP] = UNKNOWN
        if table.out[O_ANSWERED]:
            self._hint(table.field(number, F_HOME))
        if values[evidence.OWN_SOURCE] != UNKNOWN:
            address = table.address(number)
            values[evidence.OPEN_NETWORK] = self._open_networks.get(fingerprint(address), UNKNOWN)
            if shape >= CANDIDATE_SCORE and not evidence.unmet_condition(values, self._necessary):
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
            maker = self._tables.oui(address) if self._tables else None
            if maker and maker.tier == CAMERA:
                suspect.maker = maker.number
            made_ms, heard_ms, listened_ms = self._paused.pop(address, (0, -REMEMBERED_MS, 0))
            if self._now_ms - heard_ms < REMEMBERED_MS:
                suspect.made_ms, suspect.reported_ms, suspect.listened_ms = made_ms, heard_ms, listened_ms
        suspect.number, suspect.channel = number, table.field(number, F_HOME)
        if table.out[O_ACTIVE]:
            self._follow(suspect, number)
            score = shape + self._points(self._amount) + self._points(self._second)
            score = max(0, min(100, score))
            unmet = suspect.maker is None and evidence.unmet_condition(values, self._necessary)
            score = min(score, UNMET_SCORE) if unmet else score
            if not (suspect.level and self._sends_pictures(suspect) and values[evidence.HEARD_MS] < DECIDED_MS):
                suspect.score = score  # between two of its pictures a visit hears nothing
            self._count_listening(suspect, unmet)
            suspect.high_judgements = suspect.high_judgements + 1 if suspect.score >= NOTICE_SCORE else 0
            if suspect.silent_ms:
                suspect.silent_ms = 0
            if suspect.score < CLEAR_SCORE or suspect.low_judgements:
                suspect.low_judgements = suspect.low_judgements + 1 if suspect.score < CLEAR_SCORE else 0
        else:
            suspect.since_ms = self._now_ms
            suspect.silent_ms += table.spent_ms
        self._report(suspect, address, findings)
        suspect.urgency = 0 if address in self._known else self._urgency(suspect, shape)
        if suspect.level or shape >= CANDIDATE_SCORE:
            # Raised suspects rank above all others, so that they stay in the table.
            table.set_field(number, F_RANK, max(1, suspect.score) + (100 if suspect.level else 0))
        else:
            self._drop(address)

    def _sends_pictures(self, suspect):
        """Return True if a suspect was heard to send in bursts with a rhythm."""
        return UNKNOWN > suspect.gop >= PICTURES_GOP and suspect.variation >= PICTURES_VARIATION

    def _count_listening(self, suspect, unmet):
        """Add the time since the last judgement to that in which the conditions were met, or subtract it."""
        spent_ms = self.table.spent_ms
        if unmet:
            suspect.met_ms = max(0, suspect.met_ms - spent_ms)
            if self.values[evidence.HEARD_MS] >= DECIDED_MS and not evidence.may_send_pictures(self.values):
                suspect.unmet_judgements += 1
            if not suspect.met_ms:
                suspect.met_since_ms = 0
        else:
            suspect.met_ms = min(LOST_MS, suspect.met_ms + spent_ms)
            suspect.unmet_judgements = 0
            suspect.met_since_ms = suspect.met_since_ms or max(1, self._now_ms - spent_ms)

    def _hint(self, channel):
        """Note answers to an unheard transmitter: worth a dwell, but not repeatedly."""
        if self._now_ms - self._hints.get(channel, -HINT_EVERY_MS) >= HINT_EVERY_MS:
            self._hints[channel] = self._now_ms

    def _points(self, packed):
        return evidence.sum_points(packed, self.values) - evidence.POINTS_OFFSET

    def _follow(self, suspect, number):
        """Update a suspect, and add the values of the second stage."""
        values, table, now_ms = self.values, self.table, self._now_ms
        own = table.field(number, F_FLAGS) & FLAG_OWN
        suspect.heard_ms = now_ms
        rssi = table.field(number, F_RSSI)  # 0: unknown
        if rssi:
            suspect.rssi_top = max(suspect.rssi_top, rssi)
            suspect.rssi_low = min(suspect.rssi_low, rssi)
        persistence_s = max(0, now_ms - suspect.since_ms) // 1000
        values[evidence.PERSISTENCE_S] = persistence_s
        values[evidence.RSSI_PEAK] = suspect.rssi_top or UNKNOWN
        values[evidence.RSSI_SPAN] = suspect.rssi_top - suspect.rssi_low if suspect.rssi_top else UNKNOWN
        if suspect.series and now_ms - suspect.gop_ms >= GOP_EVERY_MS:
            self._measure_rhythm(suspect, number)
        values[evidence.GOP] = suspect.gop
        values[evidence.GOP_PERIOD] = suspect.gop_period_ms
        values[evidence.VARIATION] = suspect.variation
        values[evidence.COMMON_LENGTH] = suspect.common_length
        suspect.listened_ms += table.spent_ms
        late = now_ms - suspect.made_ms >= SECOND_STAGE_MS and suspect.listened_ms >= LISTENED_MS
        values[evidence.LATE_LOCAL] = values[evidence.LOCAL_ADDRESS] if late and not own else UNKNOWN
        values[evidence.LATE_FULL] = values[evidence.MAX_LENGTH_SHARE] if late else UNKNOWN

    def _measure_rhythm(self, suspect, number):
        """Update the key-frame periodicity from the byte series, if it is long enough."""
        gop, period_ms, variation, bins = periodicity(
            self.table.table, suspect.series, self.table.field(number, F_LAST_BIN)
        )
        if bins < MIN_BINS:
            return
        suspect.gop_ms = self._now_ms
        common = common_share(self.table.table, suspect.series)
        suspect.common_length = common if common >= 0 else suspect.common_length
        # The mean with the previous, overlapping window of 25 s keeps the score steady.
        if suspect.gop != UNKNOWN:
            gop, variation = (suspect.gop + gop) // 2, (suspect.variation + variation) // 2
        suspect.gop, suspect.gop_period_ms, suspect.variation = gop, period_ms, variation
        if gop < NO_RHYTHM and self.values[evidence.LOSS] > GOP_MAX_LOSS:
            suspect.gop = suspect.gop_period_ms = UNKNOWN

    def _report(self, suspect, address, findings):
        """Append a Finding if the suspect is to be raised, updated or cleared."""
        now_ms, score = self._now_ms, suspect.score
        silent = suspect.silent_ms >= (PICTURES_SILENT_MS if self._sends_pictures(suspect) else SILENT_MS)
        event, level, reason, likely = None, suspect.level, None, ""
        if not level:
            if suspect.high_judgements >= HIGH_JUDGEMENTS and suspect.heard_ms == now_ms:
                event, level = RAISED, NOTICE
        elif suspect.low_judgements >= LOW_JUDGEMENTS or silent:
            event = CLEARED
        elif now_ms - suspect.reported_ms >= UPDATE_EVERY_MS and abs(score - suspect.reported_score) >= UPDATE_POINTS:
            event = UPDATED
        if suspect.level and event != CLEARED and suspect.heard_ms == now_ms:
            level, reason = self._level(suspect)
            event = UPDATED if reason else event
        if event is None:
            return
        if event == CLEARED and silent:
            # Repeat the last evidence: the counts of its silence say nothing about it.
            suspect.score = suspect.reported_score
            rows = [Evidence("silent_ms", suspect.silent_ms, SILENT_MS, 0)]
            rows += evidence.unpack_evidence(suspect.evidence)[: MAX_EVIDENCE - 1]
        else:
            rows = self._evidence()
            suspect.evidence = evidence.pack_evidence(rows)
            suspect.considered = innocent_causes.weigh(self.values)
            if suspect.maker is not None:
                rows = rows[: MAX_EVIDENCE - 2] + [Evidence("oui_camera", suspect.maker, 0, 0)]
            if reason:
                rows = [reason] + rows[: MAX_EVIDENCE - 1]
            own = self.table.field(suspect.number, F_FLAGS) & FLAG_OWN
            suspect.bssid = address if own else self.table.address(suspect.number, F_BSSID)
        if event == CLEARED:
            sent_s = (suspect.heard_ms - suspect.made_ms) // 1000
            likely = innocent_causes.likely(suspect.considered, rows, sent_s) if level == NOTICE else ""
        suspect.level = level
        suspect.reported_score, suspect.reported_ms = suspect.score, now_ms
        findings.append(self._finding(event, suspect, address, rows, likely))
        if event == CLEARED:
            suspect.level = ""
            if silent:
                suspect.met_ms = suspect.met_since_ms = 0

    def _level(self, suspect):
        """Return (level that the finding of a suspect has now, Evidence of the reason if it changes)."""
        values = self.values
        innocent = innocent_causes.best(innocent_causes.weigh(values))
        if suspect.movement_ppm <= ALARM_MOVEMENT_PPM:
            reason = Evidence("alarm_movement_ppm", suspect.movement_ppm, ALARM_MOVEMENT_PPM, 0)
        elif innocent:
            if suspect.level == ALARM:
                return NOTICE, Evidence("alarm_innocent", innocent, 0, 0)
            return suspect.level, None
        elif suspect.maker is not None:
            reason = Evidence("alarm_signature", 1, 1, 0)
        elif suspect.met_ms >= ALARM_LISTENED_MS and self._now_ms - suspect.met_since_ms >= self._earned_ms(suspect):
            reason = Evidence("alarm_listened_s", suspect.met_ms // 1000, ALARM_LISTENED_MS // 1000, 0)
        else:
            return suspect.level, None
        return ALARM, reason if suspect.level == NOTICE else None

    def _earned_ms(self, suspect):
        """Return for how long a suspect must have met the conditions; an alarm that stands needs no more."""
        return innocent_causes.ALARM_MS if suspect.level == ALARM else innocent_causes.least_ms(self.values)

    def _finding(self, event, suspect, address, rows, likely=""):
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
            suspect.level,
            likely,
        )

    def _evidence(self):
        """Return the evidence that counted, heaviest first, followed by INFORMATION as far as there is room."""
        rules = self._rules
        stages = [rules.SHAPE, rules.AMOUNT, rules.SECOND]
        if self.values[evidence.OWN_SOURCE] != UNKNOWN:
            stages.append(rules.ACCESS_POINT)
        rows = []
        for stage in stages:
            for rule in stage:
                if self.values[rule[0]] != UNKNOWN:
                    rows.append(evidence.evidence_of(rule, self.values))
        rows = [row for row in strongest_first(rows) if row.weight][: MAX_EVIDENCE - 1]
        room = MAX_EVIDENCE - len(rows)
        named = [row.rule for row in rows]
        for place in evidence.INFORMATION:
            if room > 0 and self.values[place] != UNKNOWN and evidence.RULES[place] not in named:
                rows.append(Evidence(evidence.RULES[place], evidence.display_value(place, self.values), 0, 0))
                room -= 1
        return rows

    def _urgency(self, suspect, shape):
        if suspect.level:
            if suspect.level == NOTICE and suspect.met_ms < ALARM_LISTENED_MS:
                return ALARM_URGENCY
            return RAISED_URGENCY if suspect.gop == UNKNOWN else 0
        if suspect.unmet_judgements >= UNMET_JUDGEMENTS:
            return 0  # let go, until it meets the conditions
        if self.values[evidence.HEARD_MS] >= DECIDED_MS:
            return NEAR_URGENCY if suspect.score >= NOTICE_SCORE - NEAR_POINTS else 0
        return max(50, min(100, shape))

    def _drop_lost(self, findings):
        """Drop suspects that were not heard for LOST_MS."""
        for address in list(self._suspects):
            suspect = self._suspects[address]
            if self._now_ms - suspect.heard_ms < LOST_MS:
                continue
            if suspect.level:
                suspect.score = 0
                rows = [Evidence("silent_ms", self._now_ms - suspect.heard_ms, LOST_MS, 0)]
                findings.append(self._finding(CLEARED, suspect, address, rows))
            self._drop(address)

    def _drop(self, address):
        suspect = self._suspects.pop(address)
        if suspect.reported_ms:
            self._paused = self._paused if len(self._paused) < MAX_PAUSED else {}
            self._paused[address] = suspect.made_ms, suspect.heard_ms, suspect.listened_ms
        if self.table.is_at(suspect.number, address):
            self.table.set_field(suspect.number, F_RANK, 0)
            self.table.end_series(suspect.number)

    def _share_series(self):
        """
        Assign the byte series to the strongest suspects on this channel; those with a known rhythm give theirs up.
        """
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
                free = self._free_series()
            if not free:
                return
            suspect = self._suspects[address]
            suspect.series = free.pop()
            suspect.gop_ms = self._now_ms
            self.table.start_series(suspect.number, suspect.series)

    def _free_series(self):
        """Take a series from a suspect whose rhythm is known; return [series], or [] if there is none."""
        for suspect in self._suspects.values():
            if suspect.series and suspect.gop != UNKNOWN and self._now_ms - suspect.gop_ms < GOP_EVERY_MS:
                series, suspect.series = suspect.series, 0
                self.table.end_series(suspect.number)
                return [series]
        return []
