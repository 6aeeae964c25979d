"""
The evaluation as Markdown, and its place in a document.

This tool replaces only the text between BEGIN and END; the rest of the file is kept.
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.evaluation import crowded, curves, lookalikes, tables
from tools.evaluation.run import Outcome
from tools.lib.errors import ToolError

BEGIN = "<!-- evaluation: begin (written by tools/evaluate.py; changes by hand are lost) -->"
END = "<!-- evaluation: end -->"

METHOD = """
Recordings of real devices are played to the detectors of the sensor as header records: a station (or
a camera that is an access point) on a channel, with generated addresses, sequence numbers of both ends
and, in some conditions, lost frames. *On channel* always receives that channel. *Hopping* is one sensor
with the firmware's plan: 13 channels, 350 ms each, and dwells; it receives nothing while it scans for
access points, listens to Bluetooth and uploads (every upload takes the longest time). It was switched on
less than one hop before the recording starts, so its first upload, scan and Bluetooth phase fall into the
first half minute. The seed determines the recording's channel and the moment in the hop at which it starts.
*Lost in bursts* is the Gilbert-Elliott model with bad periods of 120 ms on average.

- A **window** is 10 s, starting every 5 s; it is *active* with 20 frames of the device or more.
- A **camera session** is a section of a camera's recording of 8 s or more with an uplink of 2 kB/s or
  more and gaps of at most 3 s. It is *found* if a finding for that device is raised between its start and
  5 s after its end, or still stands from before. Its *delay* is the time from its start (0 if a finding
  still stood).
- A **false window** is an active window of another device during which a finding stands for any
  transmitter in its recording, its access point included. Idle cameras are counted separately.

The published rules get 10 s windows on the camera's channel and know which frames the device sent; they
neither hop nor know which frames were lost.
"""

CIRCULAR = """
- A session is *defined* by uplink activity, and the detector evaluates uplink activity. Cameras that
  send less than 2 kB/s, snapshots, or nothing (recording to a card) are not in the figures.
- The detector's thresholds and weights were fitted on the recordings in the development folder. Figures
  on that folder show how consistent the fit is, not how it performs on cameras it has not seen; for
  that see the cross-validation by camera model in this document, or use a folder of unseen devices.
- Windows of one recording are similar. Figures by window are dominated by a few long recordings; see the
  tables by device.
- Generated look-alikes and the background of crowded scenes were made for this project, with the same
  assumptions about such devices as the detector has.
"""

NOT_COVERED = """
- Nearly all recordings were taken at a router: they have no A-MSDU, retries, power save, rate changes or
  collisions of their own, and hardly any signal strength. Loss is a model.
- 5 GHz, cellular, wired and card-only cameras: RF cannot detect them.
- Frames that the radio cannot decode; they are counted as missing coverage.
- Difficult negatives are few: one-way calls, live streams and uploads are mostly generated.
- A neighbour's camera is a true camera in the wrong place; frame headers cannot show this.
"""


def markdown(
    command: str,
    folder: str,
    outcomes: Sequence[Outcome],
    verdicts: Sequence[lookalikes.Verdict],
    results: Sequence[crowded.Result],
    pictures: Iterable[tuple[str, str]],
) -> str:
    """
    Return the evaluation's section of the document.

    command   the command line that made it
    folder    description of the recordings
    verdicts  of lookalikes.judge(), may be empty
    results   of crowded.judge(), may be empty
    pictures  [(path relative to the document, caption), ...]
    """
    groups = tables.by_condition(outcomes)
    kinds = Counter(outcome.case.kind for outcome in next(iter(groups.values())))
    contents = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(kinds.items()))
    parts = [
        BEGIN,
        "## Evaluation",
        f"Made by `{command}` on {folder} ({contents}).",
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
            "Each on its channel, phones with a random address. *Standing at 10 s* is a finding that stands ten "
            "seconds after the first frame.",
            *_table(lookalikes.table(verdicts)),
            "By the second stage:",
            *_table(lookalikes.confusion(verdicts)),
        ]
    if results:
        parts += [
            "### Crowded scenes",
            "Composed at random from the recordings (tools/evaluation/crowded.py): one camera among 0 to "
            f"{crowded.MOST_OTHERS} "
            "others, 1 to 13 channels, -40 to -85 dBm, 0 to 80 % of the frames lost, up to 2,000 frames a second.",
            *_table(crowded.table(results)),
            *_not_found(results),
            *_false_findings(results),
        ]
    parts += [f"![{caption}]({path})\n\n*{caption}*" for path, caption in pictures]
    parts += [
        "### What is circular in these figures",
        CIRCULAR.strip(),
        "### What is not covered",
        NOT_COVERED.strip(),
        END,
    ]
    return "\n\n".join(parts) + "\n"


def write(path: Path | str, text: str, begin: str = BEGIN, end: str = END) -> None:
    """
    Write a section to a document, in place of the previous one. Raises ToolError.

    begin, end  the markers of the section; `text` starts and ends with them
    """
    path = Path(path)
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else "# Detection\n\n"
        start, stop = before.find(begin), before.find(end)
        if start >= 0 and stop > start:
            after = before[stop + len(end) :].lstrip("\n")
            whole = before[:start] + text + ("\n" + after if after else "")
        else:
            whole = before.rstrip("\n") + "\n\n" + text
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(whole, encoding="utf-8")
    except OSError as error:
        raise ToolError(f"cannot write {path}: {error.strerror}; give --out another file") from None


def link(picture: Path | str, document: Path | str) -> str:
    """Return the path of a picture relative to the document."""
    return Path(os.path.relpath(picture, Path(document).parent)).as_posix()


def _table(lines):
    return ["\n".join(lines)] if lines else []


def _scores(outcomes, groups):
    clear = next(iter(groups.values()))
    windows = curves.scored_windows(clear)
    points = curves.roc(windows)
    if not points:
        return [
            "### Score",
            "The detectors provide no scores(), or the folder lacks cameras or other devices, so there is no ROC.",
        ]
    lines = ["| score | windows | of them cameras |", "|---|---|---|"]
    lines += [
        f"| {low} to {low + curves.BIN - 1} | {count} | {tables.share(cameras, count)} |"
        for low, count, cameras in curves.calibration(windows)
    ]
    best = max((point for point in points if point[1] <= 0.001), key=lambda point: point[2], default=None)
    text = f"Area under the ROC curve, by window: {curves.area(points):.4f}."
    if best:
        text += f" At most 0.1 % of other windows flagged: {best[2]:.1%} of camera windows (score >= {best[0]})."
    return ["### Score", text, "\n".join(lines)]


def _not_found(results):
    late = [crowded.describe(result) for result in results if result.is_late]
    return [f"Not found within {crowded.WITHIN_S} s: " + "; ".join(late) + "."] if late else []


def _false_findings(results):
    counts = Counter(
        (name, "hopping" if result.hops else "on channel") for result in results for name, _ in result.false
    )
    if not counts:
        return ["No other device was raised in any of them."]
    return [
        "Others that were raised: "
        + "; ".join(f"{name} ({condition}) {count} times" for (name, condition), count in counts.most_common(20))
        + "."
    ]
