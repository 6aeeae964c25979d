"""
The evaluation as Markdown, and where it goes in a document that people write too.

Only what stands between BEGIN and END belongs to this tool; the rest of the file is kept.
"""

import os
from collections import Counter
from pathlib import Path

from tools.evaluation import crowded, curves, lookalikes, tables
from tools.lib.errors import ToolError

BEGIN = "<!-- evaluation: begin (written by tools/evaluate.py; changes by hand are lost) -->"
END = "<!-- evaluation: end -->"

METHOD = """
Recordings of real devices are played to the same detectors that run on the sensor, as header
records: a station (or an access point that films itself) on a channel, with made-up addresses,
sequence numbers of both ends and, where asked for, lost frames. *On channel* hears that channel
all the time. *Hopping* is one sensor with the firmware's plan: 13 channels, 350 ms each, dwells,
and deaf while it scans for access points, listens to Bluetooth and uploads (the longest upload is
taken each time). It was switched on less than a hop before the recording starts, so its first
upload, scan and Bluetooth fall into the first half minute. The recording's channel and the moment
in the hop at which it starts are drawn by the seed. *Lost in bursts* is the Gilbert-Elliott model with bad periods of 120 ms on average.

- A **window** is 10 s, starting every 5 s; it is *active* with 20 frames of the device or more.
- A **camera session** is a stretch of a camera's recording with 2 kB/s uplink or more, gaps of 3 s
  at the most, and 8 s or longer. It is *found* if a finding for that very device is raised from
  its start to 5 s after its end, or still stands from before. Its *delay* is the time from its
  start (0 if a finding still stood).
- A **false window** is an active window of another device in which a finding stands for anything
  in its recording, its access point included. Cameras that are idle are counted apart.

The published rules see 10 s windows on the camera's channel and know which frames the device
sent; they neither hop nor know what they lost.
"""

CIRCULAR = """
- A session is *defined* by uplink activity, and the detector looks at uplink activity. Cameras that
  send less than 2 kB/s, snapshots, or nothing (recording to a card) are not in the figures.
- The detector's thresholds and weights were fitted on the recordings in the development folder. Figures
  on that folder say how well the fit holds together, not how it does on cameras it has not seen;
  the cross-validation by camera model in this document and a folder of unseen devices say that.
- Windows of one recording resemble each other. Figures by window are dominated by a few long
  recordings; look at the tables by device.
- Generated look-alikes and the filling of crowded scenes were made for this project, with the same idea
  of what such devices send that the detector has.
"""

NOT_COVERED = """
- Nearly all recordings were taken at a router: no A-MSDU, retries, power save, rate changes or
  collisions of their own, and hardly any signal strength. Loss is a model.
- 5 GHz, cellular, wired and card-only cameras. RF says nothing about them.
- Frames that the radio cannot decode; they are counted as coverage that is missing.
- Hard negatives are few: one-way calls, live streams and uploads are mostly generated.
- A neighbour's camera is a true camera in the wrong place; headers cannot tell.
"""


def markdown(command, folder, outcomes, verdicts, results, pictures) -> str:
    """
    Return the evaluation's part of the document.

    folder    what was evaluated, in words
    verdicts  of lookalikes.judge(), may be empty
    results   of crowded.judge(), may be empty
    pictures  [(path as the document links it, what it shows), ...]
    """
    groups = tables.by_condition(outcomes)
    kinds = Counter(one.case.kind for one in next(iter(groups.values())))
    held = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(kinds.items()))
    parts = [
        BEGIN,
        "## Evaluation",
        f"Made by `{command}` on {folder} ({held}).",
        "### Method",
        METHOD.strip(),
        "### Figures",
        *_table(tables.summary(outcomes)),
        "### By camera model",
        *_table(tables.by_model(groups)),
        *tables.missed(groups),
        "### Delay",
        *_table(tables.delays(groups)),
        "### False windows by label and device",
        *_table(tables.by_label(groups)),
        *_table(tables.by_device(groups)),
        *_scores(outcomes, groups),
    ]
    if verdicts:
        parts += [
            "### What resembles a camera",
            "Each on its channel, phones with an address they made up themselves. *Standing at 10 s* is a finding that "
            "stands ten seconds after the first frame.",
            *_table(lookalikes.table(verdicts)),
            "By the second stage:",
            *_table(lookalikes.confusion(verdicts)),
        ]
    if results:
        parts += [
            "### Crowded scenes",
            f"Composed by chance from the recordings (tools/evaluation/crowded.py): one camera among 0 to {crowded.MOST_OTHERS} "
            "others, 1 to 13 channels, -40 to -85 dBm, 0 to 80 % of the frames lost, up to 2,000 frames a second.",
            *_table(crowded.table(results)),
            *_not_found(results),
            *_false_findings(results),
        ]
    parts += [f"![{about}]({path})\n\n*{about}*" for path, about in pictures]
    parts += [
        "### What is circular in these figures",
        CIRCULAR.strip(),
        "### What is not covered",
        NOT_COVERED.strip(),
        END,
    ]
    return "\n\n".join(parts) + "\n"


def write(path, text) -> None:
    """Put the evaluation into the document, in place of the one that is there. Raises ToolError."""
    path = Path(path)
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else "# Detection\n\n"
        start, end = before.find(BEGIN), before.find(END)
        if start >= 0 and end > start:
            after = before[end + len(END) :].lstrip("\n")
            whole = before[:start] + text + ("\n" + after if after else "")
        else:
            whole = before.rstrip("\n") + "\n\n" + text
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(whole, encoding="utf-8")
    except OSError as error:
        raise ToolError(f"cannot write {path}: {error.strerror}; give --out another file") from None


def link(picture, out) -> str:
    """The picture's path as the document links it."""
    return Path(os.path.relpath(picture, Path(out).parent if out else ".")).as_posix()


def _table(lines):
    return ["\n".join(lines)] if lines else []


def _scores(outcomes, groups):
    clear = next(iter(groups.values()))
    windows = curves.scored_windows(clear)
    points = curves.roc(windows)
    if not points:
        return [
            "### Score",
            "The detectors tell no scores() or the folder lacks one kind of device, so there is no ROC.",
        ]
    lines = ["| score | windows | of them cameras |", "|---|---|---|"]
    lines += [
        f"| {low} to {low + curves.BIN - 1} | {count} | {tables.share(cameras, count)} |"
        for low, count, cameras in curves.calibration(windows)
    ]
    best = max((one for one in points if one[1] <= 0.001), key=lambda one: one[2], default=None)
    said = f"Area under the ROC curve, by window: {curves.area(points):.4f}."
    if best:
        said += f" At most 0.1 % of other windows flagged: {best[2]:.1%} of camera windows (score >= {best[0]})."
    return ["### Score", said, "\n".join(lines)]


def _not_found(results):
    said = [crowded.describe(one) for one in results if one.late]
    return [f"Not found within {crowded.WITHIN_S} s: " + "; ".join(said) + "."] if said else []


def _false_findings(results):
    named = Counter((name, "hopping" if one.hops else "on channel") for one in results for name, _ in one.false)
    if not named:
        return ["No other device was raised in any of them."]
    return [
        "Others that were raised: "
        + "; ".join(f"{name} ({heard}) {count} times" for (name, heard), count in named.most_common(20))
        + "."
    ]
