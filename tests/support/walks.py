"""
Generated walks near an emitter: the levels a carried sensor would hear, and the true distances.

Path loss exponent 2.5, shadowing of 3 dB that changes over 1.5 m, Rician fading (K = 3) that
changes over 3 cm of movement or half a second, the wearer's body (5-10 dB for 2-5 s, each 12 s on
average), 1 dB of measuring noise, whole dBm.
"""

import math
import random
from collections import namedtuple

SECONDS = 60
AT_ONE_METRE_DBM = -40
EXPONENT = 2.5
SHADOW_DB = 3.0
RICIAN_K = 3.0
SPEED_M_S = 0.6

# at_ms       of the frame
# rssi_dbm    as heard
# distance_m  true
# clear_dbm   level without fading, body and noise
Heard = namedtuple("Heard", ("at_ms", "rssi_dbm", "distance_m", "clear_dbm"))


def walk(seed: int, mode: str, frames_per_s: float = 20, turns: bool = True) -> list:
    """Return 60 s of Heard; mode is "approach", "leave", "still" or "mixed" (parts of all three)."""
    rng = random.Random(f"{seed} {mode}")
    distance_m = rng.uniform(0.7, 1.5) if mode == "leave" else rng.uniform(4, 10)
    shadow = rng.gauss(0, SHADOW_DB)
    fade = complex(rng.gauss(0, 1), rng.gauss(0, 1))
    body_db, body_until, next_turn = 0.0, -1.0, rng.expovariate(1 / 12)
    velocity, part_until = {"approach": -SPEED_M_S, "leave": SPEED_M_S}.get(mode, 0.0), 0.0
    heard, at_s = [], 0.0
    while at_s < SECONDS:
        if mode == "mixed" and at_s >= part_until:
            velocity, part_until = rng.choice((-SPEED_M_S, 0.0, SPEED_M_S)), at_s + rng.uniform(5, 10)
        step_s = rng.expovariate(frames_per_s)
        before = distance_m
        distance_m = min(12.0, max(0.6, distance_m + velocity * step_s))
        moved = abs(distance_m - before)
        keep = math.exp(-moved / 1.5)
        shadow = keep * shadow + math.sqrt(1 - keep * keep) * rng.gauss(0, SHADOW_DB)
        keep = math.exp(-moved / 0.03 - step_s / 0.5)
        fade = keep * fade + math.sqrt(1 - keep * keep) * complex(rng.gauss(0, 1), rng.gauss(0, 1))
        if turns and at_s >= next_turn:
            body_db, body_until = rng.uniform(5, 10), at_s + rng.uniform(2, 5)
            next_turn = body_until + rng.expovariate(1 / 12)
        clear = AT_ONE_METRE_DBM - 10 * EXPONENT * math.log10(distance_m) + shadow
        amplitude = abs(math.sqrt(RICIAN_K / (RICIAN_K + 1)) + fade / math.sqrt(2 * (RICIAN_K + 1)))
        level = clear + 20 * math.log10(max(amplitude, 0.03)) + rng.gauss(0, 1)
        level -= body_db if at_s < body_until else 0
        at_s += step_s
        heard.append(Heard(int(at_s * 1000), max(-97, round(level)), distance_m, clear))
    return heard


def nearing_db(heard: list, index: int, back_ms: int = 4000) -> float:
    """Return by how much the distance alone has changed the level since `back_ms` before heard[index]."""
    earlier = index
    while earlier and heard[index].at_ms - heard[earlier].at_ms < back_ms:
        earlier -= 1
    return 10 * EXPONENT * math.log10(heard[earlier].distance_m / heard[index].distance_m)
