"""
Cross-validation: weights fitted without some sources, tried on just those, by the detector itself.

A fold leaves out one camera model (or one collection) and a share of the other devices with it. All
three parts of the model are fitted anew without them; what is set by reason (fitting/model.py) stays.
"""

import random
from collections import namedtuple

from tools.evaluation import counting, dataset
from tools.fitting import examples, model
from tools.traffic import playback

# sessions: list of counting.Session; false: active windows in which a finding stood; active: all of them
Trial = namedtuple("Tried", ("source", "way", "sessions", "false", "active"))

HOP_S, HOP_WITHIN_S = 30, 30
HOP_TIMES = 5  # a camera's recording is hopped over, from a moment drawn each time


def model_folds(sources, attribute, seed) -> list:
    """Sets of places: those that share a camera's `attribute` (model or origin), and some of the other devices."""
    cameras = sorted({getattr(one, attribute) for one in sources if one.kind == dataset.CAMERA and one.path})
    devices = sorted({one.device for one in sources if one.kind != dataset.CAMERA and one.path})
    random.Random(seed).shuffle(devices)
    made = []
    for number, name in enumerate(cameras):
        with_it = set(devices[number :: len(cameras)])
        made.append(
            {
                place
                for place, one in enumerate(sources)
                if one.path
                and (getattr(one, attribute) == name if one.kind == dataset.CAMERA else one.device in with_it)
            }
        )
    return made


def origin_folds(sources) -> list:
    """Sets of places, one for each collection: everything it holds, cameras and others."""
    names = sorted({one.origin for one in sources if one.path})
    return [{place for place, one in enumerate(sources) if one.origin == name} for name in names]


def run_trial(job) -> Trial:
    """Play one (Source, Way, rules, seed) and count."""
    source, way, rules, seed = job
    plan = playback.firmware_plan(playback.Traffic(None, None, [], [], []))
    _, events, account = examples.play(source, way, rules, seed, plan=plan)
    events = [
        (at_s, one.event != "cleared") for at_s, one in events if one.kind == "camera_stream" and one.event != "updated"
    ]
    spans = counting.finding_spans(events, max([*account.active, 0]) + counting.WINDOW_S)
    if source.kind == dataset.CAMERA:
        counting.mark_sessions(account.sessions, spans)
        return Trial(source, way, account.sessions, 0, 0)
    return Trial(source, way, [], len(counting.windows_during(account.active, spans)), len(account.active))


def list_jobs(sources, found, folds_, ways, followed, seed) -> list:
    """
    Jobs for attempt(): every source of every fold, by weights fitted without the fold.

    followed  (sources, Examples) of the second stage
    """
    made = []
    for fold in folds_:
        rules = model.fit(sources, found, second_stage_without(fold, sources, *followed), fold)
        for way in ways:
            for place in sorted(fold):
                source = sources[place]
                if source.path:
                    times = HOP_TIMES if way.hops and source.kind == dataset.CAMERA else 1
                    made += [(source, way, rules, seed + time) for time in range(times)]
    return made


def second_stage_without(fold, sources, followed, found):
    """The second stage without the sources of a fold, which are at other places among those it is fitted on."""
    paths = {sources[place].path for place in fold}
    return model.second_stage(followed, found, {place for place, one in enumerate(followed) if one.path in paths})


def table(title, tried) -> list:
    """Lines of a markdown table: what was found and what was raised wrongly, by way of hearing."""
    lines = [
        f"| held out by {title} | sessions | median delay, s | 90 % within, s | false windows | idle cameras' windows |",
        "|---|---|---|---|---|---|",
    ]
    for way in dict.fromkeys(one.way for one in tried):
        part = [one for one in tried if one.way == way]
        sessions = [session for one in part for session in one.sessions]
        if way.hops:
            sessions = [one for one in sessions if one.end_s - one.start_s >= HOP_S]
        good = [one for one in sessions if one.detected and not (way.hops and one.delay_s > HOP_WITHIN_S)]
        delays = sorted(one.delay_s for one in good)
        false = [one for one in part if one.source.kind == dataset.NEGATIVE]
        idle = [one for one in part if one.source.kind == dataset.IDLE]
        middle, late = (f"{delays[int(len(delays) * at)]:.1f}" if delays else "-" for at in (0.5, 0.9))
        lines.append(
            f"| {way.name} | {len(good)} of {len(sessions)} | {middle} | {late} "
            f"| {sum(one.false for one in false)} of {sum(one.active for one in false)} "
            f"| {sum(one.false for one in idle)} of {sum(one.active for one in idle)} |"
        )
    for one in tried:
        missed = [session for session in one.sessions if not session.detected and not one.way.hops]
        if one.false or missed:
            what = (
                f"{one.false} false windows of {one.active}"
                if one.false
                else f"{len(missed)} of {len(one.sessions)} sessions missed"
            )
            lines.append(f"  {one.way.name}: {one.source.name}: {what}")
    return lines
