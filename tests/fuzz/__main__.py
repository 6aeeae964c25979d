"""`python -m tests.fuzz [TARGET ...] [--seconds N] [--database sqlite|postgresql] [--seed N]`"""

import argparse
import hashlib
import logging
import random
import resource
import sys
import time
import traceback

from tests.fuzz import mutation, targets
from tests.fuzz.corpus import FOLDER, read

SLOW_S = 5.0
GROWTH_KB = 200_000
KEPT = 400  # inputs that are mutated further


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all: " + ", ".join(targets.TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="for each target (default 60)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=None, help="of everything random; default: another each time")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    failures = 0
    if unknown := set(options.targets) - targets.TARGETS.keys():
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(targets.TARGETS)}")
    for name in options.targets or targets.TARGETS:
        with targets.installations(options.database) as installation:
            target = targets.TARGETS[name](installation)
            failures += fuzz(name, target, options.seconds, random.Random(seed))
            if hasattr(target, "close"):
                target.close()
    return 1 if failures else 0


def fuzz(name: str, target, seconds: float, draw: random.Random) -> int:
    """Run a target for some seconds; print what it did and return 1 if an input failed."""
    seeds = [*target.seeds, *read(name)]
    kept = list(seeds)
    ends_s = time.monotonic() + seconds
    runs = 0
    slowest_s = 0.0
    before_kb = 0
    while time.monotonic() < ends_s:
        data = draw.choice(kept)
        if hasattr(target, "mutate") and draw.random() < 0.7:
            data = target.mutate(data, draw)
        else:
            data = mutation.mutate(data, seeds, draw)
        started_s = time.perf_counter()
        error = _error_of(target, data)
        took_s = time.perf_counter() - started_s
        slowest_s = max(slowest_s, took_s)
        if error is None and took_s > SLOW_S:
            error = f"took {took_s:.1f} s"
        runs += 1
        if error:
            return _report(name, target, data, error)
        if len(kept) < KEPT:
            kept.append(data)
        elif draw.random() < 0.1:
            kept[draw.randrange(len(kept))] = data
        if runs == 500:
            before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    growth_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb if before_kb else 0
    print(f"{name}: {runs} inputs, none failed; slowest {slowest_s:.2f} s, memory +{growth_kb // 1024} MB", flush=True)
    if growth_kb > GROWTH_KB:
        print(f"{name}: memory grew by more than {GROWTH_KB // 1024} MB", flush=True)
        return 1
    return 0


def _error_of(target, data):
    try:
        target.run(data)
    except Exception:
        return traceback.format_exc()
    return None


def _report(name, target, data, error):
    """Write the shortest failing input to the corpus, and print it."""
    kind = error.strip().splitlines()[-1].partition(":")[0]

    def fails(shorter):
        found = _error_of(target, shorter)
        return bool(found) and found.strip().splitlines()[-1].startswith(kind)

    if not error.startswith("took") and fails(data):
        data = mutation.shorten(data, fails)
        error = _error_of(target, data) or error
    path = FOLDER / name / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(f"{name}: FAILED, input in {path}\n{error}\n{data[:400]!r}", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
